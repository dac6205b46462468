//! Faults while a task waits for an approval: health and `doctor` name the fault, and the task continues after it.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use actor::chain;
use bus_schema::{ACTORS, ActionId, Digest, DraftGrant, TaskId};
use futures::StreamExt as _;
use gateway::api::Event;
use harness::{Message, contract, eventually, playbook};
use rustix::process::Signal;

use crate::{
    engine::{SERVICES, container, docker, health, text},
    stack::{NOTICED, Stack, restarts, signal},
};

/// The timeout for the next awaited event of a task, on a busy machine.
const STEP: Duration = Duration::from_secs(300);
/// The time that the server is down.
const AWAY: Duration = Duration::from_secs(60);
/// The folder of the streams.
const NATS_VOLUME: &str = "nats/data";
/// The workspace, which is not a volume of the deployment.
const WORKSPACE: &str = "the workspace";
/// Volumes that are filled, each with its service and its size in bytes.
const VOLUMES: [(&str, &str, u32, &str); 15] = [
    ("nats", NATS_VOLUME, 10_012, "96m"),
    ("policy", "policy/state", 10_003, "24m"),
    ("runner", "runner/state", 10_004, "24m"),
    ("egress", "egress/state", 10_011, "24m"),
    ("broker", "broker/state", 10_005, "24m"),
    ("worker", "worker/state", 10_008, "24m"),
    ("engine", "engine/state", 10_002, "24m"),
    ("scheduler", "scheduler/state", 10_006, "24m"),
    ("ui", "ui/state", 10_009, "24m"),
    ("gateway", "gateway/state", 10_001, "24m"),
    ("audit", "audit/log", 10_007, "24m"),
    ("audit", "audit/anchor", 10_007, "24m"),
    ("audit", "audit/state", 10_007, "24m"),
    ("tailscale", "tailscale/state", 10_010, "24m"),
    ("runner", WORKSPACE, 10_004, "24m"),
];
/// Volumes without an effect on health: the writer itself reports the error.
const CALM: [&str; 2] = ["tailscale/state", WORKSPACE];

/// Follows a task until an event satisfies `last`, with retries while the gateway is down.
async fn follow(stack: &Stack, task: TaskId, last: impl Fn(&Event) -> bool) -> Vec<Event> {
    let gateway = stack.deployment.gateway();
    let mut events: Vec<Event> = Vec::new();
    let over = async {
        loop {
            events.clear();
            let mut coming = std::pin::pin!(gateway.follow(task));
            while let Some(event) = coming.next().await {
                match event {
                    Ok(event) => {
                        events.push(event);
                        if events.last().is_some_and(&last) {
                            return;
                        }
                    }
                    Err(error) if error.is_passing() => break,
                    Err(error) => panic!("{}", chain(&error)),
                }
            }
        }
    };
    if tokio::time::timeout(STEP, over).await.is_err() {
        let last = events.last().map(|event| event.kind.clone());
        panic!("task {task} does not get there; its last event is {last:?}");
    }
    events
}

/// The question of an event, if there is one.
fn question(event: &Event) -> Option<DraftGrant> {
    let asks = event.kind == "approval.requested";
    asks.then(|| serde_json::from_value(event.body["fact"]["draft"].clone()).unwrap())
}

/// Submits the example's task, and follows it until it asks.
async fn asked(stack: &Stack, contract: Digest) -> DraftGrant {
    // There is none before the first run.
    fs::remove_file(stack.deployment.workspace().join("report.md")).ok();
    let task = stack.deployment.submit(contract, playbook()).await;
    let events = follow(stack, task, |event| event.kind == "approval.requested").await;
    events.last().and_then(question).unwrap()
}

/// Approves the `nth` question of a task, with retries until the gateway has forwarded the approval.
async fn say_yes(stack: &Stack, draft: &DraftGrant, nth: usize) {
    let gateway = stack.deployment.gateway();
    eventually(STEP, async || {
        let carried = |event: &&Event| event.kind == "approval.carried";
        match gateway.task(draft.task).await {
            Ok(task) if task.events.iter().filter(carried).count() >= nth => Ok(()),
            Ok(_) => {
                let said = gateway.approve(draft, true).await;
                said.map(drop).map_err(|error| chain(&error))
            }
            Err(error) => Err(chain(&error)),
        }
    })
    .await;
}

/// Approves, and follows the task to its end: nothing is lost or done twice. An action that was granted but not claimed
/// in time is asked about again.
async fn goes_on(stack: &Stack, draft: &DraftGrant, after: &str) {
    say_yes(stack, draft, 1).await;
    let mut answered = vec![draft.action];
    let events = loop {
        let is_new = |event: &Event| match question(event) {
            Some(draft) => !answered.contains(&draft.action),
            None => event.ends_task(),
        };
        let events = follow(stack, draft.task, is_new).await;
        match events.last().and_then(question) {
            Some(draft) => {
                answered.push(draft.action);
                say_yes(stack, &draft, answered.len()).await;
            }
            None => break events,
        }
    };
    let outcome = &events.last().unwrap().body["fact"]["outcome"];
    assert_eq!(outcome, "succeeded", "after {after}");
    let record = stack.deployment.record().await;
    assert_eq!(record.junk().count(), 0, "after {after}");
    let of = |kind: &str| -> BTreeMap<ActionId, &Message> {
        let messages = record.of(kind).filter(|one| one.task() == Some(draft.task));
        let messages: Vec<_> = messages.collect();
        let found = messages.iter().map(|one| (one.action().unwrap(), *one));
        let found = BTreeMap::from_iter(found);
        assert_eq!(found.len(), messages.len(), "after {after}: {kind} twice");
        found
    };
    let proposed = of("action.proposed");
    let granted = of("action.granted");
    let started = of("action.started");
    let finished = of("action.finished");
    let expired = of("action.expired");
    // One of those proposed is refused by the example's contract.
    assert_eq!(proposed.len(), granted.len() + 1, "after {after}");
    let mut lapsed = granted.clone();
    lapsed.retain(|action, _| !finished.contains_key(action));
    for (action, granted) in &lapsed {
        let ttl_ms = granted.fact["grant"]["draft"]["ttl_ms"].as_u64().unwrap();
        let until = granted.verdict.unwrap().stored.plus_ms(ttl_ms);
        let started = started.get(action).map(|one| one.verdict.unwrap().stored);
        // A claim that is stored too late means the same.
        let late = started.is_some_and(|started| started > until);
        let open = started.is_none() && expired.contains_key(action);
        assert!(late || open, "after {after}: {action} is lost");
    }
    let all_in = |some: &BTreeMap<_, _>, others: &BTreeMap<_, _>| {
        let mut each = some.keys();
        each.all(|action: &ActionId| others.contains_key(action))
    };
    assert!(all_in(&started, &granted), "after {after}");
    assert!(all_in(&finished, &started), "after {after}");
    assert!(all_in(&expired, &lapsed), "after {after}");
    // A grant expires only while nothing can be stored.
    assert_eq!(answered.len(), 1 + lapsed.len(), "after {after}");
    assert!(lapsed.is_empty() || after == NATS_VOLUME, "after {after}");
    let report = fs::read_to_string(stack.deployment.workspace().join("report.md")).unwrap();
    assert!(report.contains("EUR 3392.00"), "after {after}: {report}");
}

/// The bad finding of `doctor` about a service.
fn complaint(stack: &Stack, service: &str) -> Option<String> {
    let found = stack.doctor();
    let mut lines = found.lines().filter_map(|line| line.strip_prefix("BAD "));
    let line = lines.find(|line| line.trim_start().starts_with(service));
    line.map(str::to_owned)
}

fn is_well(stack: &Stack) {
    let found = stack.doctor();
    assert!(!found.contains("BAD "), "{found}");
    let verified = text(&stack.deployment.command(&["audit", "verify"]));
    assert!(verified.contains(" 0 junk"), "{verified}");
}

#[tokio::test]
async fn whatever_is_killed_comes_back_and_the_task_goes_on() {
    let Some(stack) = Stack::up().await else {
        return;
    };
    let contract = stack.deployment.sign(contract()).await;
    for (service, _) in SERVICES {
        let draft = asked(&stack, contract).await;
        let before = restarts(service);
        signal(service, Signal::KILL);
        eventually(NOTICED, async || match restarts(service) {
            now if now > before => Ok(()),
            now => Err(format!("{service}: {now} restarts")),
        })
        .await;
        stack.all_healthy().await;
        goes_on(&stack, &draft, service).await;
        println!("killed {service}: the task went on");
    }
    is_well(&stack);
}

#[tokio::test]
async fn whatever_hangs_is_named_and_the_task_goes_on_afterwards() {
    let Some(stack) = Stack::up().await else {
        return;
    };
    let contract = stack.deployment.sign(contract()).await;
    for (service, _) in SERVICES {
        let draft = asked(&stack, contract).await;
        signal(service, Signal::STOP);
        stack.becomes(service, "unhealthy").await;
        let said = complaint(&stack, service);
        signal(service, Signal::CONT);
        println!("hung {service}: {said:?}");
        assert!(said.is_some(), "{service}");
        stack.all_healthy().await;
        goes_on(&stack, &draft, service).await;
    }
    is_well(&stack);
}

#[tokio::test]
async fn a_server_that_is_away_for_a_minute_is_waited_for() {
    let Some(stack) = Stack::up().await else {
        return;
    };
    let contract = stack.deployment.sign(contract()).await;
    let draft = asked(&stack, contract).await;
    docker(&["stop", &container("nats")]);
    let since = stack.deployment.clock().elapsed();
    let actors = ACTORS.iter().map(|author| author.name());
    for service in actors.clone() {
        stack.becomes(service, "unhealthy").await;
    }
    assert!(complaint(&stack, "nats").is_some_and(|said| said.contains("exited")));
    for service in actors {
        assert!(complaint(&stack, service).is_some(), "{service}");
        assert_eq!(
            restarts(service),
            0,
            "{service} waits, and does not fall over"
        );
    }
    let left = AWAY.saturating_sub(stack.deployment.clock().elapsed().saturating_sub(since));
    tokio::time::sleep(left).await;
    docker(&["start", &container("nats")]);
    stack.all_healthy().await;
    goes_on(&stack, &draft, "a minute without a server").await;
    is_well(&stack);
}

/// Fills a folder's file system.
fn fill(folder: &Path) {
    let filler = folder.join("filler");
    let chunk = vec![1; 64 << 10];
    let mut file = fs::File::create(filler).unwrap();
    while std::io::Write::write_all(&mut file, &chunk).is_ok() {}
    while std::io::Write::write_all(&mut file, &[1]).is_ok() {}
}

#[tokio::test]
async fn a_full_volume_is_named_and_the_task_goes_on_once_there_is_room() {
    let Some(mut stack) = Stack::files().await else {
        return;
    };
    let dir = stack.deployment.dir().path().to_owned();
    let workspace = stack.deployment.workspace().to_owned();
    let place = |volume| match volume {
        WORKSPACE => workspace.clone(),
        _ => dir.join(volume),
    };
    for (_, volume, uid, size) in VOLUMES {
        stack.bound(place(volume), uid, size);
    }
    stack.script(&["start"]);
    let contract = stack.deployment.sign(contract()).await;
    for (service, volume, ..) in VOLUMES {
        let draft = asked(&stack, contract).await;
        let folder = place(volume);
        fill(&folder);
        let room = complaint(&stack, "disk space").unwrap();
        assert!(room.contains(folder.to_str().unwrap()), "{volume}: {room}");
        let mut said = room;
        if !CALM.contains(&volume) {
            // The gateway's answer needs disk space in the streams.
            let yes = stack.deployment.gateway();
            let answered = tokio::time::timeout(NOTICED, yes.approve(&draft, true)).await;
            println!("{volume} without room: {answered:?}");
            eventually(NOTICED, async || match health(service) {
                found if found == "healthy" => Err(crate::stack::logs(service)),
                _ => Ok(()),
            })
            .await;
            // An actor that restarts repeatedly is healthy for moments.
            said = eventually(NOTICED, async || complaint(&stack, service).ok_or(service)).await;
        }
        println!("{volume} without room: {said}");
        fs::remove_file(folder.join("filler")).unwrap();
        // Only nats-server does not retry on its own; `doctor` says so.
        if service == "nats" {
            let fix = format!("docker restart {}", container(service));
            assert!(said.contains(&fix), "{said}");
            docker(&["restart", &container(service)]);
        }
        stack.all_healthy().await;
        goes_on(&stack, &draft, volume).await;
    }
    is_well(&stack);
}
