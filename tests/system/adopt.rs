//! An executor in a replaced stream: nothing runs until the owner adopts the stream, and nothing runs twice.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fs,
    path::Path,
};

use actor::Stored;
use async_nats::HeaderMap;
use bus_schema::{ACTORS, AUDIT, AuthorId, HEADER_SCHEMA, HEADER_SIGNATURE, Subject, TaskId};
use harness::{Deployment, Message, Record, SOON, eventually};
use serde_json::Value;

use crate::{
    by_hand::stored,
    cli::{self, Ended},
    kill::{contract, everything, lines},
    projections::{empty, forget_log, stop_all, works},
    scene::{kinds, troubled, until},
};

/// The command in the runner's health in doubt, and in the fix of `doctor`.
const ADOPT: &str = "`contractual stream adopt`";

pub(crate) fn adopt(deployment: &Deployment) -> Ended {
    cli::run(deployment, &["stream", "adopt", "--yes", "--json"])
}

/// Adopts the stream as the owner; the runner is healthy then.
pub(crate) async fn adopted(deployment: &Deployment) {
    troubled(deployment, AuthorId::Runner, ADOPT).await;
    let adopted = adopt(deployment);
    assert_eq!(adopted.code, Some(0), "{adopted:?}");
    let said: Value = serde_json::from_str(&adopted.printed).unwrap();
    assert_eq!(said[0]["executor"], "runner", "{said}");
    well(deployment).await;
}

async fn well(deployment: &Deployment) {
    eventually(SOON, async || {
        let health = deployment.health(AuthorId::Runner);
        health.map(drop).map_err(|error| error.to_string())
    })
    .await;
}

/// A task that writes this line into the workspace.
async fn submit(deployment: &Deployment, line: &str) -> TaskId {
    let signed = deployment.sign(&contract("30m")).await;
    let playbook = format!(
        "playbook = \"marks\"\npurpose = \"Leaves a line.\"\n\
         [[step]]\nid = \"mark\"\ntool = \"line.mark\"\nargs = {{ line = \"{line}\" }}\n"
    );
    deployment.submit(signed, &playbook).await
}

async fn mark(deployment: &Deployment, line: &str) {
    let task = submit(deployment, line).await;
    assert_eq!(deployment.follow(task, false).await.outcome(), "succeeded");
}

fn of_task(record: &Record, task: TaskId, kind: &str) -> Vec<u64> {
    let found = record.of(kind).filter(|one| one.task() == Some(task));
    found.map(|one| one.stored.seq).collect()
}

/// Waits until a task's first grant has expired, because the runner is in doubt; it is proposed and granted again.
pub(crate) async fn lapses(deployment: &Deployment, task: TaskId) {
    let record = eventually(SOON, async || {
        let record = deployment.record().await;
        match of_task(&record, task, "action.granted").len() {
            0 | 1 => Err(kinds(&record)),
            _ => Ok(record),
        }
    })
    .await;
    for kind in ["action.started", "action.declined"] {
        let none = of_task(&record, task, kind).is_empty();
        assert!(none, "{}", kinds(&record));
    }
}

/// The task runs once, by a grant from after the adoption.
pub(crate) async fn runs_after_adoption(deployment: &Deployment, task: TaskId) {
    assert_eq!(deployment.follow(task, false).await.outcome(), "succeeded");
    let record = deployment.record().await;
    let adopted = record.of("stream.adopted").last().unwrap().stored.seq;
    let started = record
        .of("action.started")
        .filter(|one| one.task() == Some(task));
    let started: Vec<_> = started.map(Message::action).collect();
    let granted = record.of("action.granted");
    let after = granted.filter(|one| one.task() == Some(task) && one.stored.seq > adopted);
    let after: Vec<_> = after.map(Message::action).collect();
    assert_eq!(started.len(), 1, "{}", kinds(&record));
    assert!(after.contains(&started[0]), "{}", kinds(&record));
}

fn count(lines: &BTreeMap<String, usize>, line: &str) -> usize {
    lines.get(line).copied().unwrap_or_default()
}

/// Returns true if the thief omits a message: those of audit, and the acts of the runner.
fn is_left_out(one: &Stored) -> bool {
    let subject = Subject::parse(&one.subject).unwrap();
    let ran = subject.by == AuthorId::Runner && subject.task.is_some();
    subject.by == AuthorId::Audit || ran
}

/// Deletes the server's files of the stream; returns `false` if there are none.
fn forget_stream(folder: &Path) -> bool {
    let folders = fs::read_dir(folder).unwrap();
    let folders = folders.map(|entry| entry.unwrap().path());
    let folders: Vec<_> = folders.filter(|path| path.is_dir()).collect();
    let mut found = false;
    for path in folders {
        if path.ends_with(AUDIT) {
            fs::remove_dir_all(path).unwrap();
            found = true;
        } else {
            found |= forget_stream(&path);
        }
    }
    found
}

/// The server stores its messages again, without the acts of the runner: every grant is open again, and in time.
async fn replay(deployment: &Deployment) {
    let all = stored(deployment).await;
    stop_all(deployment).await;
    deployment.nats().stop().await;
    // The contents stay: a thief would restore them.
    assert!(forget_stream(&deployment.nats().store()));
    forget_log(deployment);
    deployment.nats().start().await;
    // The signed catalogue comes again with the rest: the owner signs no other one.
    let copy = deployment.dir().catalogue();
    let aside = deployment.scratch().join("tools.json");
    fs::rename(&copy, &aside).unwrap();
    deployment.provision().await;
    fs::rename(&aside, &copy).unwrap();
    let mut clients = BTreeMap::new();
    // The first roster is stored.
    for one in all.iter().skip(1).filter(|one| !is_left_out(one)) {
        let by = Subject::parse(&one.subject).unwrap().by;
        if let Entry::Vacant(none) = clients.entry(by) {
            none.insert(deployment.client(by.name()).await);
        }
        let mut headers = HeaderMap::new();
        let signature = one.signature.clone().unwrap();
        headers.insert(HEADER_SIGNATURE, signature.as_str());
        headers.insert(HEADER_SCHEMA, one.schema.clone().unwrap().as_str());
        let ack = clients[&by].store(&one.subject, headers, &one.body).await;
        ack.unwrap().stored().unwrap();
    }
    let record = deployment.record().await;
    assert_eq!(record.junk().count(), 0, "{}", kinds(&record));
    assert_eq!(record.count("action.started"), 0);
}

#[tokio::test]
async fn in_a_stream_made_again_nothing_runs_until_the_owner_adopts_it() {
    let deployment = everything().await;
    works(&deployment).await;
    mark(&deployment, "before").await;
    let none = adopt(&deployment);
    assert_eq!((none.code, none.printed.trim()), (Some(0), "[]"));
    stop_all(&deployment).await;
    empty(&deployment).await;
    deployment.start_all().await;
    troubled(&deployment, AuthorId::Runner, ADOPT).await;
    until(&deployment, "stream.doubted", 1).await;
    let task = submit(&deployment, "doubted").await;
    lapses(&deployment, task).await;
    // One finding for each executor, with the fix.
    let doctor = cli::run(&deployment, &["doctor", "--json"]);
    let findings: Vec<Value> = serde_json::from_str(&doctor.printed).unwrap();
    let bad: Vec<_> = findings.iter().filter(|one| one["ok"] == false).collect();
    let what: Vec<_> = bad
        .iter()
        .map(|one| one["what"].as_str().unwrap())
        .collect();
    assert_eq!(what, ["runner", "egress"], "{bad:?}");
    for one in bad {
        assert!(one["fix"].as_str().unwrap().contains(ADOPT), "{one:?}");
    }
    // The doubt survives a restart, and is not recorded again.
    deployment.stop(AuthorId::Runner).await;
    deployment.start(AuthorId::Runner).await;
    troubled(&deployment, AuthorId::Runner, ADOPT).await;
    // EOF means no.
    let asked = cli::run(&deployment, &["stream", "adopt"]);
    assert_eq!(asked.code, Some(130), "{asked:?}");
    assert!(asked.printed.contains("stopped at message"), "{asked:?}");
    // Without audit nobody can confirm that the log has this stream.
    deployment.stop(AuthorId::Audit).await;
    let refused = adopt(&deployment);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    cli::one_sentence(&refused.said, &["audit", "`contractual doctor`"]);
    assert_eq!(deployment.record().await.count("stream.adopted"), 0);
    deployment.start(AuthorId::Audit).await;
    adopted(&deployment).await;
    runs_after_adoption(&deployment, task).await;
    let record = deployment.record().await;
    assert_eq!(record.count("stream.doubted"), 2, "{}", kinds(&record));
    let lines = lines(&deployment);
    let counts = ["before", "doubted"].map(|line| count(&lines, line));
    assert_eq!(counts, [1, 1], "{lines:?}");
}

/// The runner has no usable snapshot, and still knows its position.
#[tokio::test]
async fn killed_runner_does_not_take_another_stream_for_its_own() {
    let deployment = everything().await;
    mark(&deployment, "before").await;
    let (last, asked) = (deployment.record().await.last(), deployment.clock().wall());
    eventually(SOON, async || match deployment.health(AuthorId::Runner) {
        Ok(health) if health.at > asked && health.seq >= last => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    assert!(deployment.kill(AuthorId::Runner));
    for author in ACTORS.iter().filter(|one| **one != AuthorId::Runner) {
        deployment.stop(*author).await;
    }
    empty(&deployment).await;
    deployment.start_all().await;
    adopted(&deployment).await;
    mark(&deployment, "after").await;
}

/// The server stores old events of the owner and old grants again: the doubt stays, and nothing runs again.
#[tokio::test]
async fn replayed_adoption_ends_no_doubt_and_replayed_grants_run_nothing() {
    let deployment = everything().await;
    mark(&deployment, "old").await;
    replay(&deployment).await;
    deployment.start_all().await;
    adopted(&deployment).await;
    mark(&deployment, "new").await;
    replay(&deployment).await;
    deployment.start_all().await;
    until(&deployment, "stream.adopted", 1).await;
    troubled(&deployment, AuthorId::Runner, ADOPT).await;
    let task = submit(&deployment, "doubted").await;
    lapses(&deployment, task).await;
    adopted(&deployment).await;
    runs_after_adoption(&deployment, task).await;
    let lines = lines(&deployment);
    let counts = ["old", "new", "doubted"].map(|line| count(&lines, line));
    assert_eq!(counts, [1, 1, 1], "{lines:?}");
}

/// Runs a task, replays it while the runner loses these of its files, and returns the number of the old task's lines
/// after a new task has run.
async fn ran_after_losing(files: &[&str]) -> usize {
    let deployment = everything().await;
    mark(&deployment, "old").await;
    replay(&deployment).await;
    let state = deployment.dir().state(AuthorId::Runner);
    for name in files {
        let path = state.join(name);
        if path.is_dir() {
            fs::remove_dir_all(path).unwrap();
        } else {
            fs::remove_file(path).unwrap();
        }
    }
    deployment.start_all().await;
    well(&deployment).await;
    mark(&deployment, "new").await;
    let lines = lines(&deployment);
    assert_eq!(count(&lines, "new"), 1);
    count(&lines, "old")
}

#[tokio::test]
async fn ledger_keeps_an_old_grant_from_running_twice_where_stream_and_projection_are_lost() {
    assert_eq!(ran_after_losing(&["projection"]).await, 1);
}

/// The attack itself, which the ledger prevents.
#[tokio::test]
async fn without_the_ledger_and_the_projection_a_replayed_grant_runs_twice() {
    assert_eq!(ran_after_losing(&["projection", "claims"]).await, 2);
}

/// An action that cannot be written to the ledger does not run, although its claim is in the stream.
#[tokio::test]
async fn nothing_runs_while_claims_cannot_be_recorded() {
    let deployment = everything().await;
    mark(&deployment, "before").await;
    let claims = deployment.dir().state(AuthorId::Runner).join("claims");
    fs::remove_file(&claims).unwrap();
    fs::create_dir(&claims).unwrap();
    let task = submit(&deployment, "unrecorded").await;
    troubled(
        &deployment,
        AuthorId::Runner,
        "claims cannot be recorded, so nothing is claimed",
    )
    .await;
    until(&deployment, "action.started", 2).await;
    fs::remove_dir(&claims).unwrap();
    well(&deployment).await;
    mark(&deployment, "after").await;
    let lines = lines(&deployment);
    let counts = ["before", "unrecorded", "after"].map(|line| count(&lines, line));
    assert_eq!(counts, [1, 0, 1], "{lines:?}");
    let record = deployment.record().await;
    assert_eq!(of_task(&record, task, "action.finished").len(), 0);
}
