//! Certificates: renewed under load without loss; refused if expired, of another authority, or of another role.

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    net::{IpAddr, Ipv4Addr},
    process::Stdio,
    time::{Duration, SystemTime},
};

use bus_schema::{ACTORS, AuthorId, Time};
use deployment::{
    certs,
    pki::{Ca, Leaf, Side},
};
use harness::{Client, Deployment, NATS, Record, SOON, eventually};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::{
    cli,
    scene::{LIST, MAY_LIST, contract, playbook},
};

/// The server's address.
const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const DAY: Duration = Duration::from_secs(86_400);
/// The number of renewals under load.
const ROUNDS: u32 = 3;

#[expect(
    clippy::disallowed_methods,
    reason = "certificates are dated by the machine's clock"
)]
fn today() -> SystemTime {
    SystemTime::now()
}

fn certs(deployment: &Deployment, arguments: &[&str]) -> String {
    let ended = cli::run(deployment, &[&["certs"], arguments].concat());
    assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.said);
    ended.printed
}

/// Makes the server reload its configuration, as `docker compose kill -s HUP nats` does.
async fn reload(deployment: &Deployment) {
    let word = "Reloaded server configuration";
    let before = deployment.log(NATS).matches(word).count();
    let pid = i32::try_from(deployment.pid(NATS).unwrap()).unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::HUP).unwrap();
    eventually(SOON, async || match deployment.log(NATS) {
        log if log.matches(word).count() > before => Ok(()),
        log => Err(log),
    })
    .await;
}

/// Waits until every service has connected with the certificate of the `round`th renewal.
async fn taken_up(deployment: &Deployment, round: usize) {
    for author in ACTORS {
        let word = "the certificates were renewed";
        eventually(SOON, async || match deployment.log(author.name()) {
            log if log.matches(word).count() >= round => Ok(()),
            log => Err(format!("{author}: {log}")),
        })
        .await;
    }
}

/// The certificate that the server sees on each service's connection.
async fn seen_now(deployment: &Deployment) -> BTreeMap<String, String> {
    let sys = deployment.client("sys").await;
    let question = json!({"auth": true}).to_string();
    let answer = sys
        .nats
        .request("server.connz", question.into())
        .await
        .unwrap();
    let answer: Value = serde_json::from_slice(&answer.payload).unwrap();
    let connections = answer["data"]["connections"].as_array().unwrap();
    let of = |one: &Value| {
        let name = one["name"].as_str()?.to_owned();
        let print = one["tls_peer_certs"][0]["cert_sha256"].as_str()?;
        Some((name, print.to_owned()))
    };
    let services: BTreeSet<_> = ACTORS.iter().map(|author| author.name()).collect();
    let found = connections.iter().filter_map(of);
    found
        .filter(|(name, _)| services.contains(name.as_str()))
        .collect()
}

/// The same, after all are connected and each of `names` has another one than `before`.
async fn presented(
    deployment: &Deployment,
    before: &BTreeMap<String, String>,
    names: &[AuthorId],
) -> BTreeMap<String, String> {
    eventually(SOON, async || {
        let now = seen_now(deployment).await;
        let mut names = names.iter().map(|author| author.name());
        let renewed = names.all(|name| now.get(name) != before.get(name));
        if renewed && now.len() == ACTORS.len() {
            Ok(now)
        } else {
            Err(format!("{now:?} after {before:?}"))
        }
    })
    .await
}

/// The expiry time of the server's own certificate.
async fn server_until(deployment: &Deployment) -> String {
    let sys = deployment.client("sys").await;
    let answer = sys.nats.request("server.varz", "".into()).await;
    let answer: Value = serde_json::from_slice(&answer.unwrap().payload).unwrap();
    answer["data"]["tls_cert_not_after"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// The longest time between two finished actions, by bus time.
fn longest_gap(record: &Record) -> Duration {
    let finished: Vec<Time> = record
        .of("action.finished")
        .map(|one| one.stored.stored)
        .collect();
    let gaps = finished.windows(2).map(|pair| pair[1].ms_since(pair[0]));
    Duration::from_millis(gaps.max().unwrap())
}

#[tokio::test]
async fn certificates_are_renewed_while_actions_run_and_none_fails() {
    let deployment = Deployment::running().await;
    let contract = deployment.sign(&contract("load", MAY_LIST)).await;
    let steps: String = (0..20)
        .map(|n| LIST.replace("\"list\"", &format!("\"list-{n}\"")))
        .collect();
    let steps = playbook(&steps);
    let over = Cell::new(false);
    let load = async || {
        let mut ran = Vec::new();
        while !over.get() {
            let task = deployment.submit(contract, &steps).await;
            ran.push(deployment.follow(task, false).await);
        }
        ran
    };
    let renewing = async {
        let mut before = presented(&deployment, &BTreeMap::new(), ACTORS).await;
        let mut until = BTreeSet::from([server_until(&deployment).await]);
        for round in 1..=ROUNDS {
            certs(&deployment, &["renew", "--days", &round.to_string()]);
            reload(&deployment).await;
            before = presented(&deployment, &before, ACTORS).await;
            until.insert(server_until(&deployment).await);
        }
        assert_eq!(until.len(), 1 + ROUNDS as usize, "{until:?}");
        over.set(true);
    };
    let (first, second, ()) = tokio::join!(load(), load(), renewing);
    let ran: Vec<_> = first.into_iter().chain(second).collect();
    let record = deployment.record().await;
    assert_eq!(record.junk().count(), 0);
    for one in &ran {
        assert_eq!(one.outcome(), "succeeded");
        assert_eq!(one.outcomes(), ["succeeded"; 20]);
        for kind in [
            "action.proposed",
            "action.granted",
            "action.started",
            "action.finished",
        ] {
            assert_eq!(one.count(kind), 20, "{kind}");
        }
    }
    eprintln!(
        "{} actions during {ROUNDS} renewals, the longest gap between two outcomes {:?}",
        ran.len() * 20,
        longest_gap(&record)
    );
}

#[tokio::test]
async fn a_certificate_that_the_server_refuses_does_not_end_the_connection() {
    let deployment = Deployment::running().await;
    let none = BTreeMap::new();
    let before = presented(&deployment, &none, ACTORS).await;
    let stranger = Ca::create(today()).unwrap();
    let leaf = certs::issue(&stranger, "runner", LOCAL, 1, today()).unwrap();
    put(&deployment, "runner", &leaf);
    let refused = "the new certificates do not work and the old connection is kept";
    deployment.logged("runner", &[refused]).await;
    assert_eq!(deployment.run_demo_task().await.outcome(), "succeeded");
    assert_eq!(presented(&deployment, &none, ACTORS).await, before);

    certs(&deployment, &["renew", "--service", "runner"]);
    let after = presented(&deployment, &before, &[AuthorId::Runner]).await;
    assert_eq!(after["policy"], before["policy"]);
}

#[tokio::test]
async fn the_authority_is_changed_while_both_are_trusted() {
    let deployment = Deployment::running().await;
    let folder = deployment.dir().of("worker");
    let (old_cert, old_key) = (
        fs::read(folder.join("cert.pem")),
        fs::read(folder.join("key.pem")),
    );
    certs(&deployment, &["authority"]);
    reload(&deployment).await;
    taken_up(&deployment, 1).await;
    let early = cli::run(&deployment, &["certs", "authority", "--retire"]);
    cli::one_sentence(&early.said, &["certificate of the previous authority"]);
    let twice = cli::run(&deployment, &["certs", "authority"]);
    cli::one_sentence(&twice.said, &["two authorities are trusted already"]);

    certs(&deployment, &["renew"]);
    reload(&deployment).await;
    taken_up(&deployment, 2).await;
    certs(&deployment, &["authority", "--retire"]);
    reload(&deployment).await;
    taken_up(&deployment, 3).await;
    assert_eq!(deployment.run_demo_task().await.outcome(), "succeeded");
    assert!(!certs(&deployment, &["show"]).contains("renew it"));

    fs::write(folder.join("cert.pem"), old_cert.unwrap()).unwrap();
    fs::write(folder.join("key.pem"), old_key.unwrap()).unwrap();
    let refused = enter(&deployment).await.unwrap_err();
    assert!(
        refused.to_lowercase().contains("certificate") || refused.contains("UnknownCA"),
        "{refused}"
    );
}

fn put(deployment: &Deployment, name: &str, leaf: &Leaf) {
    let folder = deployment.dir().of(name);
    fs::write(folder.join("key.pem"), leaf.key_pem.as_bytes()).unwrap();
    fs::write(folder.join("cert.pem"), leaf.cert_pem.as_bytes()).unwrap();
}

/// Writes a certificate that was made `age` days ago for `days`.
fn old(deployment: &Deployment, name: &str, days: u32, age: u32) {
    let ca = certs::authority(deployment.dir(), today()).unwrap();
    let leaf = certs::issue(&ca, name, LOCAL, days, today() - age * DAY).unwrap();
    put(deployment, name, &leaf);
}

/// Connects once as the worker, with its present files.
async fn enter(deployment: &Deployment) -> Result<(), String> {
    let client = Client::connect(deployment.options("worker", "worker"), &deployment.url()).await?;
    client.nats.flush().await.map_err(|error| error.to_string())
}

#[tokio::test]
async fn certificates_that_are_over_or_for_a_server_are_refused() {
    let deployment = Deployment::new();
    deployment.nats().start().await;
    let ca = certs::authority(deployment.dir(), today()).unwrap();
    let begin = today() - 3 * DAY;
    let leaf = |side, days, now| ca.issue("worker", &["worker"], side, days, now).unwrap();
    let cases = [
        ("over", leaf(Side::Client, 2, begin)),
        ("not yet valid", leaf(Side::Client, 2, today() + 2 * DAY)),
        ("for a server", leaf(Side::Server, 2, today())),
    ];
    for (what, leaf) in cases {
        put(&deployment, "worker", &leaf);
        let refused = enter(&deployment).await.expect_err(what);
        assert!(
            refused.to_lowercase().contains("certificate"),
            "{what}: {refused}"
        );
    }
    put(&deployment, "worker", &leaf(Side::Client, 2, today()));
    assert_eq!(enter(&deployment).await, Ok(()));
}

/// The server's certificate names its own address and 127.0.0.1, and no other address.
#[tokio::test]
async fn a_server_under_another_name_is_not_spoken_to() {
    let deployment = Deployment::with(|choices| choices.bus.set_ip([127, 0, 0, 2].into()));
    let ca = certs::authority(deployment.dir(), today()).unwrap();
    let leaf = certs::issue(&ca, "nats", LOCAL, 1, today()).unwrap();
    put(&deployment, "nats", &leaf);
    deployment.nats().start().await;
    let refused = enter(&deployment).await.unwrap_err();
    assert!(
        refused.contains("NotValidForName") || refused.contains("not valid for name"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_certificate_that_is_for_clients_is_no_servers() {
    let deployment = Deployment::new();
    let folder = deployment.dir().of("worker");
    for file in ["cert.pem", "key.pem"] {
        fs::copy(folder.join(file), deployment.dir().nats().join(file)).unwrap();
    }
    deployment.nats().start().await;
    let refused = enter(&deployment).await.unwrap_err();
    assert!(
        refused.contains("extended key usage") || refused.contains("InvalidPurpose"),
        "{refused}"
    );
}

#[test]
fn doctor_and_show_say_when_a_certificate_nears_its_end_and_what_helps() {
    let deployment = Deployment::new();
    let stands = |name: &str| {
        let shown = certs(&deployment, &["show", "--json"]);
        let shown: Vec<Value> = serde_json::from_str(&shown).unwrap();
        let found = shown.into_iter().find(|one| one["name"] == name).unwrap();
        found["state"].as_str().unwrap().to_owned()
    };
    let doctor = || {
        let ended = cli::run(&deployment, &["doctor", "--json"]);
        let findings: Vec<Value> = serde_json::from_str(&ended.printed).unwrap();
        findings
            .into_iter()
            .find(|one| one["what"] == "certificates")
            .unwrap()
    };
    assert_eq!(
        (stands("worker").as_str(), &doctor()["ok"]),
        ("good", &json!(true))
    );
    // Less than a third of 30 days is left.
    old(&deployment, "worker", 30, 21);
    assert_eq!(stands("worker"), "soon");
    old(&deployment, "policy", 2, 3);
    assert_eq!(stands("policy"), "expired");
    let found = doctor();
    assert_eq!(found["ok"], json!(false));
    let text = found["text"].as_str().unwrap();
    for word in ["worker expires in 8 days", "policy: "] {
        assert!(text.contains(word), "{text}");
    }
    let fix = found["fix"].as_str().unwrap();
    assert!(fix.contains("contractual certs renew"), "{fix}");
    // A partial renewal is harmless: it is repeated.
    fs::remove_file(deployment.dir().of("runner").join("key.pem")).unwrap();
    assert_eq!(stands("runner"), "broken");
    certs(&deployment, &["renew"]);
    for name in certs::names() {
        assert_eq!(stands(name), "good", "{name}");
    }
    let unknown = cli::run(&deployment, &["certs", "renew", "--service", "nobody"]);
    assert_eq!(unknown.code, Some(64));
    cli::one_sentence(&unknown.said, &["nobody", "contractual certs show"]);
}

/// `up` renews certificates that are due, and makes its server reload them.
#[tokio::test]
async fn up_renews_what_is_due_and_reloads_its_server() {
    let deployment = Deployment::new();
    old(&deployment, NATS, 30, 25);
    let log = deployment.scratch().join("up.log");
    let mut up = cli::program(Some(deployment.dir().path()), &["up"])
        .stdout(File::create(&log).unwrap())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let said = async |word: &str| {
        eventually(SOON, async || match fs::read_to_string(&log).unwrap() {
            text if text.contains(word) => Ok(()),
            text => Err(text),
        })
        .await;
    };
    said("ready: the gateway listens").await;
    assert!(!certs(&deployment, &["show"]).contains("renew it"));
    certs(&deployment, &["renew", "--service", NATS]);
    said("Reloaded server configuration").await;
    kill_process(Pid::from_child(&up), Signal::TERM).unwrap();
    assert!(up.wait().unwrap().code().is_some());
}
