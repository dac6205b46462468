//! The findings of `doctor` on deployments that are stopped, half started, or in a loop of restarts.

use std::{fs, net::TcpListener, path::Path, process::Child};

use bus_schema::AuthorId;
use harness::{Deployment, SOON, eventually};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::cli::{end, exists, one_sentence, program, run, run_beside, the_only_finding};

/// `up` on a deployment, with its output in a file.
pub(super) struct Up {
    child: Child,
    printed: std::path::PathBuf,
}

impl Up {
    /// Starts it.
    pub(super) fn start(dir: &Path, scratch: &Path) -> Self {
        let printed = scratch.join("up.log");
        let file = fs::File::create(&printed).unwrap();
        let mut up = program(Some(dir), &["up"]);
        let child = up
            .stderr(file.try_clone().unwrap())
            .stdout(file)
            .spawn()
            .unwrap();
        Self { child, printed }
    }

    /// Waits until it has printed `words`.
    pub(super) async fn printed(&mut self, words: &str) {
        eventually(2 * SOON, async || {
            let printed = fs::read_to_string(&self.printed).unwrap();
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "it ended: {printed}");
            if printed.contains(words) {
                Ok(())
            } else {
                Err(printed)
            }
        })
        .await;
    }

    /// Stops it, and expects the exit code 0.
    pub(super) async fn stop(self) {
        assert_eq!(self.end().await.code(), Some(0));
    }

    /// Stops it.
    pub(super) async fn end(mut self) -> std::process::ExitStatus {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.unwrap(), Signal::INT).unwrap();
        eventually(SOON, async || {
            self.child.try_wait().unwrap().ok_or("it does not end")
        })
        .await
    }
}

/// The findings of `doctor`.
fn findings(deployment: &Deployment) -> Vec<Value> {
    let doctor = run(deployment, &["doctor", "--json"]);
    serde_json::from_str(&doctor.printed).unwrap()
}

/// A bad finding has a fix, and a good one has none; each command in a fix has a help.
fn each_fix_is_a_command_that_exists(deployment: &Deployment) {
    let findings = findings(deployment);
    let mut named = 0;
    for one in &findings {
        assert_eq!(one["ok"] == false, one["fix"].is_string(), "{one}");
        let fix = one["fix"].as_str().unwrap_or_default();
        assert!(one["ok"] == true || !fix.is_empty(), "{one}");
        for quoted in fix.split('`').skip(1).step_by(2) {
            if quoted.starts_with("contractual ") {
                exists(quoted);
                named += 1;
            }
        }
    }
    assert!(named > 3, "{findings:?}");
}

#[tokio::test]
async fn each_fix_names_commands_that_exist() {
    let deployment = Deployment::provisioned().await;
    each_fix_is_a_command_that_exists(&deployment);
}

#[tokio::test]
async fn a_stopped_deployment_is_one_finding() {
    let deployment = Deployment::new();
    the_only_finding(&deployment, "deployment", "it is stopped", "contractual up").await;
    deployment.nats().start().await;
    deployment.provision().await;
    deployment.start_all().await;
    for author in bus_schema::ACTORS {
        deployment.stop(*author).await;
    }
    deployment.nats().stop().await;
    the_only_finding(&deployment, "deployment", "it is stopped", "contractual up").await;
}

#[tokio::test]
async fn a_halt_is_found_with_its_time_and_resume_without_one_writes_nothing() {
    let deployment = Deployment::running().await;
    let lifted = async || deployment.record().await.of("halt.lifted").count();
    let resume = run_beside(&deployment, &["resume"]).await;
    assert_eq!(resume.code, Some(0), "{resume:?}");
    assert!(resume.printed.contains("there is no halt"), "{resume:?}");
    assert_eq!(lifted().await, 0);
    for _ in 0..2 {
        let halt = run_beside(&deployment, &["halt"]).await;
        assert_eq!(halt.code, Some(0), "{halt:?}");
    }
    let since = deployment.record().await;
    let since = since.of("halt.ordered").next().unwrap().stored.stored;
    let words = format!("everything is halted since {since}");
    the_only_finding(&deployment, "halt", &words, "contractual resume").await;
    let resume = run_beside(&deployment, &["resume"]).await;
    assert!(resume.printed.contains("the halt is lifted"), "{resume:?}");
    assert_eq!(lifted().await, 1);
    // An order that only the runner has, because the stream was full.
    let order = deployment.dir().state(AuthorId::Runner).join("halt");
    let at = deployment.clock().wall().to_string();
    actor::files::replace(&order, at.as_bytes()).unwrap();
    the_only_finding(&deployment, "halt", "not on record", "contractual resume").await;
    let resume = run_beside(&deployment, &["resume"]).await;
    assert!(resume.printed.contains("the halt is lifted"), "{resume:?}");
    let resume = run_beside(&deployment, &["resume"]).await;
    assert!(resume.printed.contains("there is no halt"), "{resume:?}");
    assert_eq!(lifted().await, 2);
}

#[tokio::test]
async fn a_service_that_cannot_start_is_found_with_its_last_error() {
    let deployment = Deployment::new();
    let _taken = TcpListener::bind(deployment.file().gateway).unwrap();
    let mut up = Up::start(deployment.dir().path(), deployment.scratch());
    // It fails, and is started again, until the port is free.
    up.printed("ended with exit status: 1").await;
    let found = eventually(SOON, async || {
        let doctor = run_beside(&deployment, &["doctor", "--json"]).await;
        let all: Vec<Value> = serde_json::from_str(&doctor.printed).unwrap();
        let said = |one: &&Value| {
            let text = one["text"].as_str().unwrap();
            one["ok"] == false && text.contains("its last error in ") && text.contains("in use")
        };
        let found = all.iter().filter(said).find(|one| one["what"] == "gateway");
        found.cloned().ok_or(doctor.printed)
    })
    .await;
    let log = deployment.dir().path().join("logs/gateway.log");
    assert!(
        found["text"]
            .as_str()
            .unwrap()
            .contains(log.to_str().unwrap()),
        "{found}"
    );
    up.end().await;
}

#[tokio::test]
async fn a_server_that_syncs_otherwise_than_configured_is_found_and_provision_refuses_it() {
    let deployment = Deployment::with(|choices| choices.sync = "1h30m".to_owned());
    deployment.nats().start().await;
    deployment.provision().await;
    let provision = run_beside(&deployment, &["provision"]).await;
    assert_eq!(provision.code, Some(0), "{provision:?}");
    deployment.start_all().await;
    // An older version wrote the interval without quotes, and the server read 2,000,000 seconds.
    let path = deployment.dir().nats().join("local.conf");
    let text = fs::read_to_string(&path).unwrap();
    let edited = text.replace("BUS_SYNC: \"1h30m\"", "BUS_SYNC: 2m");
    assert_ne!(edited, text);
    fs::write(&path, edited).unwrap();
    deployment.nats().restart().await;
    let words = "nats-server syncs to disk every 555h33m20s, but ";
    the_only_finding(&deployment, "sync to disk", words, "restart nats-server").await;
    let provision = run_beside(&deployment, &["provision"]).await;
    assert_eq!(provision.code, Some(1), "{provision:?}");
    one_sentence(
        &provision.said,
        &[words, "says every 2m", "restart nats-server"],
    );
    // `init` writes it with quotes.
    let init = run(&deployment, &["init"]);
    assert_eq!(init.code, Some(0), "{init:?}");
    deployment.nats().restart().await;
    eventually(SOON, async || {
        let doctor = run(&deployment, &["doctor"]);
        let good = doctor.code == Some(0) && doctor.printed.contains("2m, as configured");
        if good { Ok(()) } else { Err(doctor.printed) }
    })
    .await;
    let mut broken = program(Some(deployment.dir().path()), &["init"]);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"2m\"", "\"7\"")).unwrap();
    let init = end(&mut broken);
    assert_eq!(init.code, Some(64), "{init:?}");
    one_sentence(&init.said, &["local.conf: BUS_SYNC", "\"7\" is invalid"]);
}
