//! A halt under attack: it arrives, and is on record as soon as the stream stores it.

use std::{
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bus_schema::{
    AUDIT, AuthorId, User,
    account::{nkey_variable, users},
};
use harness::{Client, Deployment, SOON, eventually};
use serde_json::{Value, json};

use crate::{
    cli,
    scene::{contract, playbook, tools_with_slow_append, until},
};

/// A deployment with a program that runs longer than any of these tests; its arguments hold the mark.
struct Scene {
    deployment: Deployment,
    mark: String,
}

impl Scene {
    async fn new() -> Self {
        let mark = format!("6{}", std::process::id());
        let tools = tools_with_slow_append()
            .replace("exec sleep 60", &format!("exec sleep {mark}"))
            .replace("\"wall_ms\":3000", "\"wall_ms\":60000");
        let deployment = Deployment::with(|choices| choices.catalogue = tools);
        deployment.nats().start().await;
        deployment.provision().await;
        deployment.start_all().await;
        let rule = "[[allow]]\nname = \"append\"\ntool = \"slow.append\"\n";
        let signed = deployment.sign(&contract("append", rule)).await;
        let step = "[[step]]\nid = \"append\"\ntool = \"slow.append\"\non_unknown = \"continue\"\n";
        deployment.submit(signed, &playbook(step)).await;
        let scene = Self { deployment, mark };
        eventually(SOON, async || {
            if scene.runs() {
                Ok(())
            } else {
                Err("it does not run")
            }
        })
        .await;
        scene
    }

    /// Returns true if the program of this deployment runs.
    fn runs(&self) -> bool {
        let home = self.deployment.workspace().canonicalize().unwrap();
        let processes = std::fs::read_dir("/proc").unwrap();
        processes.filter_map(Result::ok).any(|process| {
            let text = std::fs::read_to_string(process.path().join("cmdline"));
            let here = std::fs::read_link(process.path().join("cwd"));
            text.is_ok_and(|text| text.contains(&self.mark)) && here.is_ok_and(|here| here == home)
        })
    }

    /// Waits until nothing runs; the program itself would run for longer.
    async fn stands_still(&self) {
        eventually(
            SOON,
            async || if self.runs() { Err("it runs") } else { Ok(()) },
        )
        .await;
    }

    /// Orders a halt that must arrive; returns the exit code and the output of the command.
    async fn halts(&self) -> (Option<i32>, String) {
        let ((), ended) = tokio::join!(
            self.stands_still(),
            cli::run_beside(&self.deployment, &["halt"])
        );
        (ended.code, format!("{}{}", ended.printed, ended.said))
    }
}

#[tokio::test]
async fn halt_arrives_while_gateway_or_policy_stands_still() {
    for frozen in ["gateway", "policy"] {
        let scene = Scene::new().await;
        scene.deployment.freeze(frozen, true);
        let (code, said) = scene.halts().await;
        assert_eq!(code, Some(0), "{frozen}: {said}");
        assert_eq!(scene.deployment.record().await.count("halt.ordered"), 1);
        scene.deployment.freeze(frozen, false);
    }
}

#[tokio::test]
async fn halt_arrives_as_soon_as_a_server_that_stood_still_goes_on() {
    let scene = Scene::new().await;
    scene.deployment.freeze("nats", true);
    let ordered = cli::run_beside(&scene.deployment, &["halt"]);
    let meanwhile = async {
        // It is the standing still that is tested.
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert!(scene.runs());
        scene.deployment.freeze("nats", false);
        scene.stands_still().await;
    };
    let (ended, ()) = tokio::join!(ordered, meanwhile);
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

/// Sets the maximum size of `AUDIT`.
async fn widen(deployment: &Deployment, bytes: impl Fn(u64) -> u64) {
    let provision = deployment.client("provision").await;
    let info = provision
        .api(&format!("STREAM.INFO.{AUDIT}"), &json!({}))
        .await;
    let info = info.unwrap();
    let mut config = info["config"].clone();
    config["max_bytes"] = json!(bytes(info["state"]["bytes"].as_u64().unwrap()));
    let updated = provision
        .api(&format!("STREAM.UPDATE.{AUDIT}"), &config)
        .await;
    let updated = updated.unwrap();
    assert!(updated.get("error").is_none(), "{updated}");
}

#[tokio::test]
async fn halt_arrives_while_the_stream_is_full_and_outlives_the_runner_until_it_is_on_record() {
    let scene = Scene::new().await;
    let deployment = &scene.deployment;
    widen(deployment, |used| used).await;
    // With this identity the command frees disk space.
    let (provision, away) = (
        deployment.dir().of("provision"),
        deployment.scratch().join("away"),
    );
    std::fs::rename(&provision, &away).unwrap();
    let (code, said) = scene.halts().await;
    std::fs::rename(&away, &provision).unwrap();
    assert_ne!(code, Some(0), "{said}");
    assert!(
        said.contains("halted: runner and egress stopped") && said.contains("not on record"),
        "{said}"
    );
    // The order stays valid, also for a runner that started later.
    assert!(deployment.kill(AuthorId::Runner));
    widen(deployment, |used| used + (1 << 20)).await;
    deployment.start(AuthorId::Runner).await;
    let rule = "[[allow]]\nname = \"list\"\ntool = \"file.list\"\nwhere.path = \".\"\n";
    let signed = deployment.sign(&contract("list", rule)).await;
    let claims = deployment.record().await.count("action.started");
    deployment
        .submit(signed, &playbook(crate::scene::LIST))
        .await;
    until(deployment, "action.expired", 1).await;
    assert_eq!(deployment.record().await.count("action.started"), claims);
    let again = cli::run(deployment, &["halt"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    assert_eq!(cli::run(deployment, &["resume"]).code, Some(0));
    until(deployment, "action.started", claims + 1).await;
}

/// The result of `looking` during `attack`.
async fn meanwhile<T>(attack: impl Future<Output = ()>, looking: impl Future<Output = T>) -> T {
    let attack = async {
        attack.await;
        // The server closed the connection.
        std::future::pending::<()>().await;
    };
    tokio::select! {
        found = looking => found,
        () = attack => panic!("the attack is over"),
    }
}

/// Publishes as `user`, as fast as the server accepts it.
async fn flood(user: User, client: Client) {
    let task = "019abcde-0000-7000-8000-000000000003";
    let bodies = |subject: &str| -> &'static str {
        if subject.ends_with("DIRECT.GET.AUDIT") {
            r#"{"batch":1000,"seq":1}"#
        } else if subject.contains("MSG.NEXT") {
            r#"{"batch":10,"no_wait":true}"#
        } else {
            "a flood of messages of a hundred bytes or so, which the server has to store or to answer one by one"
        }
    };
    let subjects: Vec<_> = user
        .publish
        .iter()
        .map(|one| one.replace('*', task).replace('>', "x.y"))
        .filter(|one| !one.starts_with("_R_") && !one.contains("CREATE"))
        .collect();
    let inbox = client.nats.new_inbox();
    loop {
        for subject in &subjects {
            for _ in 0..50 {
                let body = bodies(subject).into();
                let sent = client
                    .nats
                    .publish_with_reply(subject.clone(), inbox.clone(), body);
                if sent.await.is_err() {
                    return;
                }
            }
        }
        client.nats.flush().await.ok();
    }
}

#[tokio::test]
async fn halt_on_a_full_stream_makes_room_for_itself() {
    let scene = Scene::new().await;
    widen(&scene.deployment, |used| used).await;
    let (code, said) = scene.halts().await;
    assert_eq!(code, Some(0), "{said}");
    until(&scene.deployment, "halt.ordered", 1).await;
    // A stream that is larger than configured is valid.
    widen(&scene.deployment, |_| 9 << 30).await;
    scene.deployment.provision().await;
}

#[tokio::test]
async fn halt_arrives_while_any_identity_floods_the_bus() {
    for user in users() {
        let name = user.name;
        let scene = Scene::new().await;
        let client = scene.deployment.client(name).await;
        let halting = async {
            // The server is busy with it.
            let other = scene.deployment.client(name).await;
            other.refused().await;
            scene.halts().await
        };
        let (_, said) = Box::pin(meanwhile(flood(user, client), halting)).await;
        assert!(
            said.contains("runner and egress stopped after"),
            "{name}: {said}"
        );
    }
}

#[tokio::test]
async fn doctor_names_whoever_floods_the_bus() {
    let deployment = Deployment::running().await;
    let thief = deployment.client("gateway").await;
    let mut gateway = users()
        .into_iter()
        .find(|user| user.name == "gateway")
        .unwrap();
    gateway
        .publish
        .retain(|subject| subject.starts_with("event."));
    let named = eventually(SOON, async || {
        let doctor = cli::run_beside(&deployment, &["doctor"]).await;
        let floods = doctor.printed.lines().find(|line| line.contains("floods"));
        let named = floods.is_some_and(|line| line.contains("gateway sends "))
            && doctor.printed.contains(&nkey_variable("gateway"));
        if named { Ok(()) } else { Err(doctor.printed) }
    });
    meanwhile(flood(gateway, thief), named).await;
}

/// Opens connections without sending anything, until `stop`.
fn crowd(server: SocketAddr, count: usize, stop: &AtomicBool) {
    let mut held = std::collections::VecDeque::new();
    while !stop.load(Ordering::Relaxed) {
        match TcpStream::connect_timeout(&server, Duration::from_millis(100)) {
            Ok(stream) => held.push_back(stream),
            Err(_) => drop(held.pop_front()),
        }
        if held.len() > count {
            held.pop_front();
        }
    }
}

#[tokio::test]
async fn halt_arrives_while_all_connections_are_taken() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            ..limit
        },
    )
    .unwrap();
    let scene = Scene::new().await;
    let server = scene.deployment.file().bus;
    let stop = Arc::new(AtomicBool::new(false));
    let crowding = std::thread::spawn({
        let stop = Arc::clone(&stop);
        move || crowd(server, 5_000, &stop)
    });
    // More connections than the server accepts.
    let watcher = scene.deployment.client("sys").await;
    let connections = async || {
        let answer = watcher.nats.request("server.varz", "".into()).await;
        let varz: Value = serde_json::from_slice(&answer.unwrap().payload).unwrap();
        varz["data"]["total_connections"].as_u64().unwrap()
    };
    let before = connections().await;
    eventually(SOON, async || match connections().await {
        now if now > before + 4_096 => Ok(()),
        now => Err(now - before),
    })
    .await;
    // The crowd can take each connection that becomes free for longer than one order lasts; its message says to repeat it.
    eventually(SOON, async || match scene.halts().await {
        (Some(0), _) => Ok(()),
        (_, said) => Err(said),
    })
    .await;
    stop.store(true, Ordering::Relaxed);
    crowding.join().unwrap();
}
