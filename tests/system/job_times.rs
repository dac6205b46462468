//! Jobs at the start of the deployment, by calendar rules, and by several messages; and jobs whose timers are due while processes
//! are killed.

use std::collections::BTreeMap;

use bus_schema::{
    AuthorId, Deployment as Whole, Draft, JobName, JobSigned, Owner, RunCause, Sealed, TaskId, Time,
};
use harness::{Deployment, NATS, Record, SOON, eventually};

use crate::{
    cli::run,
    jobs::{JOB, add, ok, publish, written},
    kill::spread,
    main_job::has,
    scene::{MAY_LIST, REFUSED, contract, kinds, playbook, until},
};

/// Rounds of kills, unless `SEEDS` is set.
const SEEDS: u64 = 2;
/// Timers that are due in all rounds, unless `TIMERS` is set.
const TIMERS: u64 = 200;
/// Kills of one round.
const KILLS: u64 = 2;
/// The time after its signature at which a job is due, in milliseconds.
const LEAD_MS: u64 = 3_000;

#[tokio::test]
async fn a_job_runs_once_at_each_start_of_the_deployment() {
    let deployment = Deployment::running().await;
    let file = written(&deployment, "[when]\nstart = true\n").await;
    has(
        &ok(add(&deployment, &file)),
        &["at each start of the deployment"],
    );
    // The restart of one is no start of all.
    for author in [AuthorId::Scheduler, AuthorId::Policy] {
        assert!(deployment.kill(author));
        deployment.start(author).await;
    }
    assert_eq!(deployment.record().await.count("run.due"), 0);
    for runs in [1, 2] {
        for author in bus_schema::ACTORS {
            assert!(deployment.kill(*author));
        }
        deployment.nats().restart().await;
        deployment.start_all().await;
        until(&deployment, "task.finished", runs).await;
        assert!(deployment.kill(AuthorId::Scheduler));
        deployment.start(AuthorId::Scheduler).await;
    }
    let record = deployment.record().await;
    assert_eq!(record.count("run.due"), 2, "{}", kinds(&record));
    assert_eq!(record.count("task.admitted"), 2, "{}", kinds(&record));
    let history = ok(run(&deployment, &["job", "history", JOB]));
    assert_eq!(history.matches("at the start ").count(), 2, "{history}");
}

#[tokio::test]
async fn a_calendar_rule_is_shown_and_one_that_comes_too_often_is_refused() {
    let deployment = Deployment::running().await;
    let rule = |rule: &str| {
        format!(
            "[when]\nrule = \"{rule}\"\nfrom = 2028-01-01T09:30:00\nzone = \"Europe/Stockholm\"\n"
        )
    };
    for (text, words) in [
        ("FREQ=SECONDLY", ["comes too often", "every = "]),
        (
            "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
            ["never comes true", "days that its months have"],
        ),
        (
            "FREQ=DAILY;COUNT=1;BYMONTH=13",
            ["`BYMONTH=13`", "from 1 to 12"],
        ),
    ] {
        let file = written(&deployment, &rule(text)).await;
        let refused = add(&deployment, &file);
        assert_eq!(refused.code, Some(64), "{refused:?}");
        has(&refused.said, &words);
        has(&refused.said, &["job.toml:6:"]);
    }
    let file = written(
        &deployment,
        &rule("FREQ=YEARLY;INTERVAL=4;BYMONTH=2;BYMONTHDAY=-1"),
    )
    .await;
    let wanted = [
        "2028-02-29T09:30:00+01:00[Europe/Stockholm]",
        "2032-02-29",
        "2036-02-29",
    ];
    has(&ok(add(&deployment, &file)), &wanted);
    has(&ok(run(&deployment, &["job", "next", JOB, "3"])), &wanted);
}

#[tokio::test]
async fn several_messages_are_one_run_also_when_the_scheduler_is_killed() {
    let deployment = Deployment::running().await;
    let when = "overlap = \"queue\"\n\n[when]\ntrigger = \"cli.build\"\n\n\
                [message]\nkey = \"id\"\nbatch = { messages = 3, wait = \"1h\" }\n";
    let file = written(&deployment, when).await;
    ok(add(&deployment, &file));
    let outside = deployment.client("trigger").await;
    for (id, body) in [
        ("a", "{\"id\": 1}"),
        ("b", "{\"id\": 2}"),
        ("c", "{\"id\": 1}"),
    ] {
        publish(&outside, "build", id, body.as_bytes()).await;
    }
    assert!(deployment.kill(AuthorId::Scheduler));
    deployment.start(AuthorId::Scheduler).await;
    publish(&outside, "build", "d", b"{\"id\": 3}").await;
    let record = until(&deployment, "task.finished", 1).await;
    let due = record.of("run.due").next().unwrap();
    assert_eq!(due.fact["messages"].as_array().map(Vec::len), Some(3));
    assert!(deployment.kill(AuthorId::Scheduler));
    deployment.start(AuthorId::Scheduler).await;
    for (id, body) in [
        ("e", "{\"id\": 3}"),
        ("f", "{\"id\": 4}"),
        ("g", "{\"id\": 5}"),
        ("h", "{\"id\": 6}"),
    ] {
        publish(&outside, "build", id, body.as_bytes()).await;
    }
    let record = until(&deployment, "task.finished", 2).await;
    assert_eq!(record.count("run.due"), 2, "{}", kinds(&record));
    assert_eq!(record.count("task.admitted"), 2, "{}", kinds(&record));
}

/// A job with one slot.
struct Timer {
    job: JobName,
    slot: Time,
}

/// Signs jobs that are due once, soon after their signature.
async fn timers(deployment: &Deployment, round: u64, count: u64) -> Vec<Timer> {
    let bus = deployment.operator("owner").await;
    let key = deployment.signing_key(AuthorId::Owner);
    let mut pen = bus.owner(key).await.unwrap();
    let clock = deployment.clock();
    let active = until(deployment, "contract.activated", 1).await;
    let active = active.of("contract.activated").next().unwrap();
    let contract = serde_json::from_value(active.fact["contract"].clone()).unwrap();
    let sealed = |text: &str| Sealed::new(clock.salt(), text.as_bytes()).unwrap();
    let mut all = Vec::new();
    for n in 0..count {
        let name = format!("t{round}-{n}");
        // Documents write moments in milliseconds.
        let slot = Time::from_ns(clock.wall().plus_ms(LEAD_MS).ns() / 1_000_000 * 1_000_000);
        let document = sealed(&format!(
            "job = \"{name}\"\npurpose = \"Test.\"\ncontract = \"timers\"\nplaybook = \"p\"\n[when]\nat = \"{slot}\"\n"
        ));
        let steps = sealed(&playbook(REFUSED));
        let job: JobName = name.parse().unwrap();
        let fact = JobSigned {
            job: job.clone(),
            version: 1,
            contract,
            document: document.content(),
            playbook: steps.content(),
            slots: None,
        };
        let draft = Draft::<Owner>::of(Whole, fact).with(document).with(steps);
        pen.say(&bus, draft).await.unwrap();
        all.push(Timer { job, slot });
    }
    all
}

/// Kills one of those without which no run begins, once so many runs are due, and starts it again.
async fn kill(deployment: &Deployment, seed: u64, due: usize) {
    const VICTIMS: [&str; 4] = ["scheduler", "worker", "policy", NATS];
    let victim = VICTIMS[usize::try_from(seed).unwrap() % VICTIMS.len()];
    until(deployment, "run.due", due).await;
    assert!(deployment.kill_named(victim));
    match victim.parse::<AuthorId>() {
        Ok(author) => deployment.start(author).await,
        Err(_) => deployment.nats().start().await,
    }
}

/// The numbers of events of a kind, by task.
fn by_task(record: &Record, kind: &str) -> BTreeMap<TaskId, usize> {
    let mut found = BTreeMap::new();
    for task in record.of(kind).filter_map(harness::Message::task) {
        *found.entry(task).or_default() += 1;
    }
    found
}

/// The jobs that were signed before their slots.
fn signed_in_time(record: &Record, timers: Vec<Timer>) -> Vec<Timer> {
    let mut signed = BTreeMap::new();
    for one in record.of("job.signed") {
        let job: JobName = one.fact["job"].as_str().unwrap().parse().unwrap();
        signed.insert(job, one.verdict.unwrap().stored);
    }
    let in_time = timers.into_iter().filter(|one| signed[&one.job] < one.slot);
    in_time.collect()
}

#[tokio::test]
async fn each_slot_runs_once_whatever_is_killed_while_its_timer_is_due() {
    let number = |name: &str, default: u64| {
        let set = std::env::var_os(name);
        set.map_or(default, |set| set.to_str().unwrap().parse().unwrap())
    };
    let (seeds, all) = (number("SEEDS", SEEDS), number("TIMERS", TIMERS));
    let each = all / seeds;
    let deployment = Deployment::running().await;
    let principal = "principal = \"job\"\n\n[limits]";
    let text = contract("timers", MAY_LIST).replace("[limits]", principal);
    deployment.sign(&text).await;
    let mut slots = Vec::new();
    for seed in 0..seeds {
        let before = deployment.record().await.count("run.due");
        let timers = timers(&deployment, seed, each).await;
        for n in 0..KILLS {
            let spread = spread(seed * KILLS + n);
            let after = spread % (each / KILLS) + n * each / KILLS;
            // A signature on a busy machine may come too late for its slot.
            let after = usize::try_from(after).unwrap() * 9 / 10;
            kill(&deployment, spread, before + after).await;
        }
        slots.extend(signed_in_time(&deployment.record().await, timers));
        let ended = slots.len();
        eventually(SOON, async || {
            let record = deployment.record().await;
            let found = record.count("task.finished");
            if found >= ended {
                Ok(())
            } else {
                Err(format!("{found} of {ended}"))
            }
        })
        .await;
    }
    let record = deployment.record().await;
    assert!(slots.len() as u64 > all / 2, "{} of {all}", slots.len());
    assert_eq!(record.junk().count(), 0);
    let kinds = ["task.admitted", "action.refused", "task.finished"];
    let found = kinds.map(|kind| (kind, by_task(&record, kind)));
    for Timer { job, slot } in &slots {
        let task = TaskId::of_run(deployment.id(), job, 1, RunCause::Slot(*slot));
        for (kind, found) in &found {
            assert_eq!(found.get(&task), Some(&1), "{kind} of {job} at {slot}");
        }
    }
    for kind in ["run.due", "task.admitted", "task.finished"] {
        assert_eq!(record.count(kind), slots.len(), "{kind}");
    }
    ok(run(&deployment, &["audit", "verify"]));
}
