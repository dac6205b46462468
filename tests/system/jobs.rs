//! Jobs: their playbooks run by themselves, once for each slot, also when the scheduler is killed or there are two of it, and
//! only as the owner signed them.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use async_nats::HeaderMap;
use bus_schema::{
    AuthorId, Deployment as Whole, Draft, EventId, JobName, RunCause, RunDue, Scheduler, TaskId,
    TaskRejected, Time,
};
use harness::{Client, Deployment, Record, SOON, Stolen, eventually};
use serde_json::Value;

use crate::{
    cli::{Ended, run},
    main_job::has,
    scene::{LIST, MAY_LIST, contract, kinds, playbook, until},
};

pub(crate) const JOB: &str = "count";
const EVERY_SECOND: &str =
    "overlap = \"allow\"\nmisfire = { all = 100 }\n\n[when]\nevery = \"1s\"\n";
const FAR: &str = "[when]\ncron = \"30 9 29 2 *\"\nzone = \"Europe/Stockholm\"\n";

/// Signs a contract for the job, which allows to list, and writes job and playbook; returns the job's file.
pub(crate) async fn written(deployment: &Deployment, when: &str) -> PathBuf {
    written_as(deployment, MAY_LIST, LIST, when).await
}

/// Does the same with these rules and steps.
async fn written_as(deployment: &Deployment, rules: &str, steps: &str, when: &str) -> PathBuf {
    let principal = format!("principal = \"job:{JOB}\"\n\n[limits]");
    let text = contract("counting", rules).replace("[limits]", &principal);
    deployment.sign(&text).await;
    until(deployment, "contract.activated", 1).await;
    fs::write(
        deployment.scratch().join("count.playbook.toml"),
        playbook(steps),
    )
    .unwrap();
    let file = deployment.scratch().join("job.toml");
    let head = format!(
        "job = \"{JOB}\"\npurpose = \"Count the invoices.\"\ncontract = \"counting\"\nplaybook = \"count.playbook.toml\"\n"
    );
    fs::write(&file, format!("{head}{when}")).unwrap();
    file
}

/// Signs the job of a file.
pub(crate) fn add(deployment: &Deployment, file: &Path) -> Ended {
    run(deployment, &["job", "add", file.to_str().unwrap()])
}

pub(crate) fn ok(ended: Ended) -> String {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.printed
}

/// The slots that were due, each with its task.
fn slots(deployment: &Deployment, record: &Record) -> Vec<(Time, TaskId)> {
    let of = |fact: &Value| -> Option<(Time, TaskId)> {
        let slot: Time = fact["cause"]["slot"].as_str()?.parse().ok()?;
        let job: JobName = fact["job"].as_str()?.parse().ok()?;
        let version = u32::try_from(fact["version"].as_u64()?).ok()?;
        let task = TaskId::of_run(deployment.id(), &job, version, RunCause::Slot(slot));
        Some((slot, task))
    };
    record
        .of("run.due")
        .filter_map(|due| of(&due.fact))
        .collect()
}

/// The number of events of a kind for each task.
fn by_task(record: &Record, kind: &str) -> BTreeMap<TaskId, usize> {
    let mut found = BTreeMap::new();
    for task in record.of(kind).filter_map(harness::Message::task) {
        *found.entry(task).or_default() += 1;
    }
    found
}

/// Removes the job, and waits until every run has ended.
async fn settled(deployment: &Deployment) -> Record {
    ok(run(deployment, &["job", "remove", JOB]));
    eventually(SOON, async || {
        let record = deployment.record().await;
        let (due, rejected) = (record.count("run.due"), record.count("task.rejected"));
        if record.count("task.finished") + rejected >= due {
            Ok(record)
        } else {
            Err(kinds(&record))
        }
    })
    .await
}

/// Checks that each second had one slot, and each slot one task that ran its one step.
fn each_slot_once(deployment: &Deployment, record: &Record, at_least: usize) {
    let slots = slots(deployment, record);
    assert!(slots.len() >= at_least, "{}", kinds(record));
    for pair in slots.windows(2) {
        assert_eq!(pair[1].0.ms_since(pair[0].0), 1_000, "{slots:?}");
    }
    let admitted = by_task(record, "task.admitted");
    let rejected = by_task(record, "task.rejected");
    for (slot, task) in &slots {
        // The job may have been removed between a slot and its verdict.
        if rejected.contains_key(task) {
            assert!(!admitted.contains_key(task), "{slot}");
            continue;
        }
        for kind in [
            "task.admitted",
            "action.started",
            "action.finished",
            "task.finished",
        ] {
            assert_eq!(by_task(record, kind).get(task), Some(&1), "{kind} {slot}");
        }
    }
    assert!(rejected.len() <= 1, "{rejected:?}");
    assert_eq!(admitted.len() + rejected.len(), slots.len());
    assert_eq!(record.junk().count(), 0);
}

#[tokio::test]
async fn each_slot_of_a_job_runs_once_also_when_the_scheduler_is_killed() {
    let deployment = Deployment::running().await;
    let file = written(&deployment, EVERY_SECOND).await;
    let printed = ok(add(&deployment, &file));
    has(
        &printed,
        &["count version 1: signed as message", "every 1s", "next"],
    );
    for ended in [2, 4] {
        until(&deployment, "task.finished", ended).await;
        assert!(deployment.kill(AuthorId::Scheduler));
        // The others go on, and slots are missed.
        let before = deployment.record().await.count("checkpoint.signed");
        until(&deployment, "checkpoint.signed", before + 1).await;
        deployment.start(AuthorId::Scheduler).await;
    }
    until(&deployment, "task.finished", 8).await;
    let record = settled(&deployment).await;
    each_slot_once(&deployment, &record, 8);
    let finished = record.of("task.finished");
    assert!(
        finished
            .into_iter()
            .all(|one| one.fact["outcome"] == "succeeded")
    );
}

#[tokio::test]
async fn two_schedulers_with_one_key_run_each_slot_once() {
    let deployment = Deployment::running().await;
    let twin = deployment.launch_twin(AuthorId::Scheduler);
    let file = written(&deployment, EVERY_SECOND).await;
    ok(add(&deployment, &file));
    until(&deployment, "task.finished", 3).await;
    // Whichever acts, the other takes over.
    assert!(deployment.kill(AuthorId::Scheduler));
    until(&deployment, "task.finished", 6).await;
    deployment.launch(AuthorId::Scheduler);
    deployment
        .logged(AuthorId::Scheduler.name(), &["stands by"])
        .await;
    assert!(deployment.kill_named(&twin));
    until(&deployment, "task.finished", 9).await;
    let record = settled(&deployment).await;
    each_slot_once(&deployment, &record, 9);
    let log = deployment.log(&twin);
    assert!(!log.contains("\"level\":\"ERROR\""), "{log}");
}

/// Says with a stolen scheduler that a run is due, and returns the code of its rejection.
async fn rejected(stolen: &Stolen<'_, Scheduler>, version: u32, cause: RunCause) -> String {
    let job: JobName = JOB.parse().unwrap();
    let task = TaskId::of_run(stolen.deployment.id(), &job, version, cause);
    let fact = RunDue {
        job,
        version,
        cause,
        messages: Vec::new(),
    };
    let before = stolen.deployment.record().await.last();
    stolen.say(&Draft::of(Whole, fact)).await;
    eventually(SOON, async || {
        let record = stolen.deployment.record().await;
        let kind = <TaskRejected as bus_schema::Event>::KIND;
        let mut found = record.of(kind).filter(|one| one.task() == Some(task));
        let found = found.find(|one| one.stored.seq > before);
        let code = found.and_then(|one| one.fact["code"].as_str().map(str::to_owned));
        code.ok_or_else(|| kinds(&record))
    })
    .await
}

#[tokio::test]
async fn a_stolen_scheduler_starts_no_run_that_the_owner_did_not_sign() {
    let deployment = Deployment::running().await;
    let file = written(&deployment, FAR).await;
    let stolen = deployment.steal::<Scheduler>().await;
    let slot = |text: &str| RunCause::Slot(text.parse().unwrap());
    let leap = slot("2028-02-29T08:30:00Z");
    assert_eq!(rejected(&stolen, 1, leap).await, "no_job");
    ok(add(&deployment, &file));
    // Not due for long, no slot, before the signature, another version, and no order of the owner.
    assert_eq!(rejected(&stolen, 1, leap).await, "reused");
    for (version, cause, code) in [
        (1, slot("2032-02-29T08:30:00Z"), "no_run"),
        (1, slot("2024-02-29T08:30:00Z"), "no_run"),
        (1, slot("2024-03-01T08:30:00Z"), "no_run"),
        (2, slot("2024-02-29T08:30:00Z"), "no_job"),
        (
            1,
            RunCause::Ordered(EventId::new(deployment.clock().uuid())),
            "no_run",
        ),
    ] {
        assert_eq!(rejected(&stolen, version, cause).await, code, "{cause:?}");
    }
    ok(run(&deployment, &["job", "remove", JOB]));
    let cause = slot("2036-02-29T08:30:00Z");
    assert_eq!(rejected(&stolen, 1, cause).await, "no_job");
    let record = deployment.record().await;
    assert_eq!(record.count("task.admitted"), 0);
}

#[tokio::test]
async fn a_person_orders_pauses_and_removes_a_job() {
    let deployment = Deployment::running().await;
    let file = written(&deployment, FAR).await;
    assert!(ok(run(&deployment, &["job", "list"])).contains("there are no jobs"));
    ok(add(&deployment, &file));
    let next = ok(run(&deployment, &["job", "next", JOB, "2"]));
    let wanted = [
        "2028-02-29T09:30:00+01:00[Europe/Stockholm]",
        "2032-02-29T09:30:00+01:00",
    ];
    has(&next, &wanted);
    has(
        &ok(run(&deployment, &["job", "show", JOB])),
        &["30 9 29 2 *", "counting"],
    );

    has(
        &ok(run(&deployment, &["job", "run", JOB])),
        &["one run is ordered"],
    );
    let record = until(&deployment, "task.finished", 1).await;
    let task = record.of("task.admitted").next().unwrap().task().unwrap();
    let history = ok(run(&deployment, &["job", "history", JOB]));
    has(&history, &["ordered", &task.to_string(), "succeeded"]);
    let list = ok(run(&deployment, &["job", "list"]));
    has(&list, &[JOB, "succeeded", "next 2028-02-29T09:30:00+01:00"]);
    let shown = ok(run(&deployment, &["task", "show", &task.to_string()]));
    has(&shown, &["file.list", "succeeded"]);

    ok(run(&deployment, &["job", "pause", JOB]));
    let refused = run(&deployment, &["job", "run", JOB]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    has(&refused.said, &["is paused", "job resume"]);
    assert!(ok(run(&deployment, &["job", "list"])).contains("next paused"));
    ok(run(&deployment, &["job", "resume", JOB]));
    ok(run(&deployment, &["job", "run", JOB]));
    until(&deployment, "task.finished", 2).await;

    ok(run(&deployment, &["job", "remove", JOB]));
    let gone = run(&deployment, &["job", "run", JOB]);
    assert_eq!(gone.code, Some(1), "{gone:?}");
    has(&gone.said, &["there is no job `count`"]);
    let verified = ok(run(&deployment, &["audit", "verify"]));
    assert!(verified.contains(" 0 junk"), "{verified}");
}

#[tokio::test]
async fn a_job_that_cannot_run_is_refused_with_the_fix() {
    let deployment = Deployment::running().await;
    let file = written(&deployment, FAR).await;
    let good = fs::read_to_string(&file).unwrap();
    let past = "[when]\nat = 2020-01-01T09:00:00Z\n";
    for (from, to, code, words) in [
        (
            "30 9 29 2",
            "30 9 30 2",
            64,
            &["job.toml:6:8: ", "never comes true", "or `L` for"],
        ),
        (
            "Stockholm",
            "Stokholm",
            64,
            &["no time zone", "write Europe/Stockholm", "job.toml:7"],
        ),
        (
            FAR,
            past,
            64,
            &["never runs", "write a later time", "once at 2020"],
        ),
        (
            "\"counting\"",
            "\"other\"",
            1,
            &["no contract `other` is in force", "contract sign", ""],
        ),
        (
            "\"count\"",
            "\"sum\"",
            64,
            &["does not cover the job", "principal = \"job:sum\"", ""],
        ),
        ("count.playbook", "none", 1, &["none.toml", "", ""]),
        (
            FAR,
            "[when]\nafter = { job = \"count\" }\n",
            64,
            &[
                "start each other for ever: count, count",
                "give one of them",
                "",
            ],
        ),
        (
            FAR,
            "[when]\nafter = { job = \"other\" }\n",
            1,
            &["no job `other` to run after", "sign it first", ""],
        ),
        (
            FAR,
            "[when]\ntrigger = \"cli.build\"\n[message]\nslots.x = \"id\"\n",
            64,
            &["has no slot `x`", "[message] slots", ""],
        ),
    ] {
        fs::write(&file, good.replace(from, to)).unwrap();
        let refused = add(&deployment, &file);
        assert_eq!(refused.code, Some(code), "{refused:?}");
        has(&refused.said, words);
    }
    let record = deployment.record().await;
    assert_eq!(record.count("job.signed"), 0);
}

#[tokio::test]
async fn a_playbook_is_checked_against_the_catalogue() {
    let deployment = Deployment::running().await;
    written(&deployment, FAR).await;
    let steps = deployment.scratch().join("count.playbook.toml");
    let check = || run(&deployment, &["playbook", "check", steps.to_str().unwrap()]);
    has(&ok(check()), &["good, 1 step"]);
    let wrong = playbook(LIST).replace("path = ", "pth = ");
    fs::write(
        &steps,
        format!("{wrong}\n[[step]]\nid = \"b\"\ntool = \"file.lst\"\n"),
    )
    .unwrap();
    let refused = check();
    assert_eq!(refused.code, Some(64), "{refused:?}");
    let words = [
        "did you mean `path`?",
        "did you mean `file.list`?",
        "lacks the argument `path`",
    ];
    has(&refused.said, &words);
}

/// Adds a job of these lines that runs by order alone, and orders a run.
async fn ordered(deployment: &Deployment, rules: &str, step: &str, lines: &str) {
    let when = format!("{lines}\n{FAR}");
    let file = written_as(deployment, rules, step, &when).await;
    ok(add(deployment, &file));
    ok(run(deployment, &["job", "run", JOB]));
}

#[tokio::test]
async fn a_run_that_fails_is_tried_again_and_its_dead_letter_runs_again_by_order() {
    let deployment = Deployment::running().await;
    let rules = "[[allow]]\nname = \"read\"\ntool = \"file.read\"\nwhere.path = \"late.txt\"\n";
    let step = "[[step]]\nid = \"read\"\ntool = \"file.read\"\nargs = { path = \"late.txt\" }\n";
    let lines = "retry = { attempts = 2, backoff = \"1s\" }\n";
    ordered(&deployment, rules, step, lines).await;
    let record = until(&deployment, "task.finished", 2).await;
    let last = record.of("task.admitted").last().unwrap().task().unwrap();
    let history = ok(run(&deployment, &["job", "history", JOB]));
    let retry = format!("contractual job retry {last}");
    has(&history, &["attempt 2 of 2", "dead letter", &retry]);
    has(&ok(run(&deployment, &["job", "list"])), &["1 dead letter"]);
    let none = run(
        &deployment,
        &[
            "job",
            "retry",
            &TaskId::of_run(
                deployment.id(),
                &JOB.parse().unwrap(),
                9,
                RunCause::Retried(last),
            )
            .to_string(),
        ],
    );
    assert_eq!(none.code, Some(1), "{none:?}");
    has(&none.said, &["there is no run", "job history"]);
    fs::write(deployment.workspace().join("late.txt"), "here").unwrap();
    ok(run(&deployment, &["job", "retry", &last.to_string()]));
    until(&deployment, "task.finished", 3).await;
    let history = ok(run(&deployment, &["job", "history", JOB]));
    has(&history, &["succeeded", "run again as"]);
    assert!(!ok(run(&deployment, &["job", "list"])).contains("dead letter"));
    let again = run(&deployment, &["job", "retry", &last.to_string()]);
    assert_eq!(again.code, Some(1), "{again:?}");
    has(&again.said, &["was run again already"]);
}

#[tokio::test]
async fn a_run_that_waits_for_a_person_is_stopped_at_its_deadline() {
    let deployment = Deployment::running().await;
    let rules = MAY_LIST.replace("[[allow]]", "[[ask]]\nreason = \"Look?\"");
    ordered(&deployment, &rules, LIST, "deadline = \"1s\"\n").await;
    let record = until(&deployment, "task.finished", 1).await;
    assert_eq!(record.count("approval.requested"), 1, "{}", kinds(&record));
    assert_eq!(record.count("task.stopped"), 1, "{}", kinds(&record));
    assert_eq!(record.count("action.started"), 0);
    let history = ok(run(&deployment, &["job", "history", JOB]));
    has(&history, &["stopped at its deadline"]);
}

/// Publishes a message under `trigger.cli.<name>` as the identity `trigger`, with an id.
pub(crate) async fn publish(outside: &Client, name: &str, id: &str, body: &[u8]) {
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Msg-Id", id);
    let subject = format!("trigger.cli.{name}");
    let stored = outside.store(&subject, headers, body);
    assert!(stored.await.unwrap().stored().is_ok());
}

#[tokio::test]
async fn a_message_from_outside_starts_a_job_once() {
    let deployment = Deployment::running().await;
    let when = "overlap = \"allow\"\n\n[when]\ntrigger = \"cli.build\"\n";
    let file = written(&deployment, when).await;
    let outside = deployment.client("trigger").await;
    publish(&outside, "build", "0", b"before the job").await;
    let printed = ok(add(&deployment, &file));
    has(&printed, &["on each message trigger.cli.build"]);
    // Whatever it says: no JSON, and 60 KiB.
    publish(&outside, "build", "1", &[0xff; 60 << 10]).await;
    publish(&outside, "build", "1", &[0xff; 60 << 10]).await;
    publish(&outside, "other", "2", b"{}").await;
    until(&deployment, "task.finished", 1).await;
    deployment.kill(AuthorId::Scheduler);
    publish(&outside, "build", "3", b"{}").await;
    deployment.start(AuthorId::Scheduler).await;
    let record = until(&deployment, "task.finished", 2).await;
    assert_eq!(record.count("run.due"), 2, "{}", kinds(&record));
    assert_eq!(record.count("task.admitted"), 2);
    let history = ok(run(&deployment, &["job", "history", JOB]));
    assert_eq!(history.matches("triggered ").count(), 2, "{history}");
    let provision = deployment.operator("provision").await;
    eventually(SOON, async || {
        let path = "CONSUMER.INFO.TRIGGERS.scheduler";
        let info = provision.api(path, &serde_json::json!({})).await.unwrap();
        // Each message was acknowledged, wanted or not.
        let waiting = (&info["num_pending"], &info["num_ack_pending"]);
        if waiting == (&Value::from(0), &Value::from(0)) {
            Ok(())
        } else {
            Err(info.to_string())
        }
    })
    .await;
}
