//! The plain `nats` command line with the contexts of `init`: it reads the record, submits triggers, and no more.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use harness::{Deployment, Record, SOON, eventually};
use serde_json::Value;

use crate::{
    jobs::{add, ok, written},
    scene::until,
};

/// The real program, if it is installed.
fn nats() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join("go/bin"));
    let mut places = std::env::split_paths(&path).chain(home);
    let found = places.find_map(|folder| Some(folder.join("nats")).filter(|file| file.is_file()));
    if found.is_none() {
        let how = "go install github.com/nats-io/natscli/nats@latest";
        harness::missing(&format!("the nats command line is missing: {how}"));
    }
    found
}

/// The program under one context of a deployment.
struct Context<'a> {
    nats: PathBuf,
    deployment: &'a Deployment,
    name: &'static str,
}

impl Context<'_> {
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("XDG_CONFIG_HOME", self.deployment.dir().contexts())
            .env("NO_COLOR", "1")
            .stdin(Stdio::null());
        command
    }

    /// Its output, and true if it succeeded.
    fn run(&self, arguments: &[&str]) -> (bool, String) {
        self.within("1s", arguments)
    }

    fn within(&self, timeout: &str, arguments: &[&str]) -> (bool, String) {
        let mut command = self.command(self.nats.to_str().unwrap());
        let output = command
            .args(["--context", self.name, "--timeout", timeout])
            .args(arguments)
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        (
            output.status.success(),
            String::from_utf8_lossy(&text).into_owned(),
        )
    }

    fn does(&self, arguments: &[&str]) -> String {
        let (done, said) = self.run(arguments);
        assert!(done, "{arguments:?}: {said}");
        said
    }

    /// Checks that the server refuses a publish or subscription of `subject`.
    fn may_not(&self, arguments: &[&str], subject: &str) {
        let (_, said) = self.run(arguments);
        let refused = |verb: &str| {
            said.contains(&format!(
                "Permissions Violation for {verb} to \"{subject}\""
            ))
        };
        assert!(
            refused("Publish") || refused("Subscription"),
            "{arguments:?}: {said}"
        );
    }

    /// Runs it on a terminal, which `stream view` requires; it asks nothing if its page is not full.
    fn page(&self, arguments: &str) -> String {
        let nats = self.nats.display();
        let line = format!(
            "stty cols 4000; timeout 60 {nats} --context {} {arguments}",
            self.name
        );
        let output = self
            .command("script")
            .args([
                "--quiet",
                "--return",
                "--flush",
                "--command",
                &line,
                "/dev/null",
            ])
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

async fn ran() -> (Deployment, Record) {
    let deployment = Deployment::running().await;
    let ran = deployment.run_demo_task().await;
    assert_eq!(ran.outcome(), "succeeded");
    let record = deployment.record().await;
    (deployment, record)
}

/// The events in its output, by their JSON.
fn decoded(printed: &str) -> Vec<Value> {
    let json = |line: &str| {
        let event: Value = serde_json::from_str(line.trim()).ok()?;
        event.get("fact").is_some().then_some(event)
    };
    printed.lines().filter_map(json).collect()
}

#[tokio::test]
async fn audit_reader_shows_readable_events_and_replays_them() {
    let Some(nats) = nats() else { return };
    let (deployment, record) = ran().await;
    let reader = Context {
        nats,
        deployment: &deployment,
        name: "audit-reader",
    };
    let decode = format!("{} decode", harness::contractual().display());

    let info = reader.does(&["stream", "info", "AUDIT", "--json"]);
    let info: Value = serde_json::from_str(&info).unwrap();
    assert!(info["state"]["messages"].as_u64().unwrap() >= record.last());

    let replayed = reader.does(&[
        "sub",
        "--stream",
        "AUDIT",
        "--all",
        "-T",
        "--raw",
        "--translate",
        &decode,
    ]);
    let replayed = decoded(&replayed);
    assert!(replayed.len() >= record.messages.len());
    for (event, message) in replayed.iter().zip(&record.messages) {
        assert_eq!(event["subject"], message.stored.subject);
        assert_eq!(event["fact"], message.fact);
    }

    let first = record.last() - 15;
    let viewed = reader.page(&format!(
        "stream view AUDIT 25 --id {first} --translate '{decode}'"
    ));
    let viewed = decoded(&viewed);
    let subjects: Vec<_> = viewed
        .iter()
        .map(|event| event["subject"].as_str().unwrap())
        .collect();
    let last = record.messages.iter().filter(|one| one.stored.seq >= first);
    let last: Vec<_> = last.map(|one| one.stored.subject.as_str()).collect();
    assert_eq!(subjects.get(..last.len()), Some(last.as_slice()));
    for kind in [
        "action.proposed",
        "action.granted",
        "action.started",
        "action.finished",
    ] {
        assert!(
            subjects.iter().any(|subject| subject.ends_with(kind)),
            "{kind}: {subjects:?}"
        );
    }
}

#[tokio::test]
async fn audit_reader_has_every_power_over_its_copy_and_reads_the_record_without_one() {
    let Some(nats) = nats() else { return };
    let (deployment, _) = ran().await;
    let reader = Context {
        nats,
        deployment: &deployment,
        name: "audit-reader",
    };
    // Full access to its own copy: a consumer, a filter, a replay at the original speed.
    let made = [
        "consumer",
        "add",
        "AUDIT",
        "slowly",
        "--pull",
        "--deliver",
        "all",
        "--replay",
        "original",
        "--filter",
        "event.runner.>",
        "--defaults",
    ];
    reader.does(&made);
    let slowly = reader.does(&[
        "consumer", "next", "AUDIT", "slowly", "--count", "3", "--raw",
    ]);
    assert!(!slowly.is_empty());
    reader.does(&["consumer", "rm", "AUDIT", "slowly", "-f"]);
    // The record itself, without a copy.
    let direct = Context {
        name: "audit-direct",
        nats: reader.nats.clone(),
        ..reader
    };
    let info = direct.does(&["stream", "info", "AUDIT", "--json"]);
    let info: Value = serde_json::from_str(&info).unwrap();
    assert!(
        info["mirror"].is_null() && info["config"]["mirror"].is_null(),
        "{info}"
    );
    let last = direct.does(&["stream", "get", "AUDIT", "1"]);
    assert!(last.contains("event.owner.roster.changed"), "{last}");
}

#[tokio::test]
async fn audit_reader_can_change_nothing() {
    let Some(nats) = nats() else { return };
    let (deployment, before) = ran().await;
    let reader = Context {
        nats,
        deployment: &deployment,
        name: "audit-reader",
    };
    for subject in [
        "event.worker.-.service.started",
        "event.owner.halt.ordered",
        "event.x.-.y.z",
        "trigger.cli.x",
    ] {
        reader.may_not(&["pub", subject, "x"], subject);
        reader.may_not(&["pub", "--jetstream", subject, "x"], subject);
    }
    let force = "-f";
    for (arguments, asks) in [
        (
            &["stream", "purge", "AUDIT", force][..],
            "STREAM.PURGE.AUDIT",
        ),
        (
            &["stream", "rmm", "AUDIT", "1", force],
            "STREAM.MSG.DELETE.AUDIT",
        ),
        (&["stream", "rm", "AUDIT", force], "STREAM.DELETE.AUDIT"),
        (
            &["request", "$JS.API.STREAM.UPDATE.AUDIT", "{}"],
            "STREAM.UPDATE.AUDIT",
        ),
        (&["stream", "seal", "AUDIT", force], "STREAM.UPDATE.AUDIT"),
        (&["stream", "info", "BLOBS"], "STREAM.INFO.BLOBS"),
    ] {
        reader.may_not(arguments, &format!("$JS.API.{asks}"));
    }
    // It can only change the consumers of its copy.
    let policys = ["consumer", "add", "AUDIT", "policy", "--pull", "--defaults"];
    reader.does(&policys);
    reader.does(&["consumer", "next", "AUDIT", "policy", "--count", "5"]);
    reader.does(&["consumer", "rm", "AUDIT", "policy", force]);
    reader.may_not(&["sub", "blob.>"], "blob.>");
    reader.may_not(&["sub", "event.>"], "event.>");
    let after = deployment.record().await;
    assert!(after.messages.len() >= before.messages.len());
    assert_eq!(after.junk().count(), 0);
    // The allowed identities still can.
    assert_eq!(deployment.run_demo_task().await.outcome(), "succeeded");
}

#[tokio::test]
async fn trigger_hands_in_triggers_and_reads_nothing() {
    let Some(nats) = nats() else { return };
    let deployment = Deployment::provisioned().await;
    let trigger = Context {
        nats,
        deployment: &deployment,
        name: "trigger",
    };
    let said = trigger.does(&["pub", "--jetstream", "trigger.cli.x", "hello"]);
    assert!(
        said.contains("Stored in Stream: TRIGGERS Sequence: 1"),
        "{said}"
    );
    trigger.does(&["pub", "trigger.cli.x", "again"]);
    let info = trigger.does(&["stream", "info", "TRIGGERS", "--json"]);
    let info: Value = serde_json::from_str(&info).unwrap();
    assert_eq!(info["state"]["messages"], 2);

    trigger.may_not(&["pub", "trigger.web.x", "x"], "trigger.web.x");
    trigger.may_not(
        &["pub", "event.owner.halt.ordered", "x"],
        "event.owner.halt.ordered",
    );
    trigger.may_not(
        &["stream", "purge", "TRIGGERS", "-f"],
        "$JS.BUS.API.STREAM.PURGE.TRIGGERS",
    );
    trigger.may_not(
        &["stream", "info", "AUDIT"],
        "$JS.BUS.API.STREAM.INFO.AUDIT",
    );
    trigger.may_not(
        &["sub", "--stream", "AUDIT", "--all", "-T"],
        "$JS.BUS.API.STREAM.INFO.AUDIT",
    );
    trigger.may_not(&["sub", "event.>"], "event.>");
    trigger.may_not(&["sub", "trigger.>"], "trigger.>");
}

/// The events of a task in the copy of the record, once its end is there.
async fn followed(reader: &Context<'_>, task: &str) -> Vec<Value> {
    let decode = format!("{} decode", harness::contractual().display());
    let all = [
        "sub",
        "--stream",
        "AUDIT",
        "--all",
        "-T",
        "--raw",
        "--translate",
        &decode,
    ];
    eventually(SOON, async || {
        let mut events = decoded(&reader.does(&all));
        events.retain(|event| event.to_string().contains(task));
        let ended = |event: &Value| {
            let subject = event["subject"].as_str();
            subject.is_some_and(|subject| subject.ends_with("task.finished"))
        };
        if events.iter().any(ended) {
            Ok(events)
        } else {
            Err(format!("{events:?}"))
        }
    })
    .await
}

/// The commands of this folder's page in `nats/README.md`: a message starts a job, the same one twice is one run, and the run is
/// followed and replayed.
#[tokio::test]
async fn a_trigger_starts_one_run_which_is_followed_and_replayed() {
    let Some(nats) = nats() else { return };
    let deployment = Deployment::running().await;
    let when = "[when]\ntrigger = \"cli.build\"\n\n[message]\nkey = \"id\"\n";
    let file = written(&deployment, when).await;
    ok(add(&deployment, &file));
    let context = |name| Context {
        nats: nats.clone(),
        deployment: &deployment,
        name,
    };
    let (trigger, reader) = (context("trigger"), context("audit-reader"));
    let publish = |body: &str| trigger.run(&["pub", "--jetstream", "trigger.cli.build", body]);
    let body = r#"{"id": "5f3a", "commit": "1f3a"}"#;
    let large: &str = &"x".repeat(100_000);
    for (body, stored) in [
        (body, true),
        (body, true),
        ("no JSON", true),
        (large, false),
    ] {
        let (_, said) = publish(body);
        assert_eq!(
            said.contains("Stored in Stream: TRIGGERS"),
            stored,
            "{said}"
        );
    }
    until(&deployment, "trigger.refused", 1).await;
    let record = until(&deployment, "task.finished", 1).await;
    assert_eq!(
        (record.count("run.due"), record.count("task.admitted")),
        (1, 1)
    );
    let task = record.of("task.finished").next().unwrap().task().unwrap();
    let history = ok(crate::cli::run(&deployment, &["job", "history", "count"]));
    assert!(history.contains("messages without a run: 1"), "{history}");

    let events = followed(&reader, &task.to_string()).await;
    assert!(events.len() >= 4, "{events:?}");
    reader.does(&[
        "consumer",
        "add",
        "AUDIT",
        "runs",
        "--pull",
        "--deliver",
        "all",
        "--replay",
        "original",
        "--filter",
        "event.scheduler.>",
        "--defaults",
    ]);
    // At the original speed, the scheduler's first event is long before the run.
    let next = ["consumer", "next", "AUDIT", "runs", "--count", "3", "--raw"];
    let (done, runs) = reader.within("60s", &next);
    assert!(done, "{runs}");
    assert!(runs.contains("run.due"), "{runs}");
}
