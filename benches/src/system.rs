//! One round of the system: tasks with one action at a time and with many, and their times.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use actor::BusClient;
use bus_schema::{Digest, TaskId};
use deployment::fleet::Fleet;
use futures::StreamExt as _;
use gateway::{api::TaskState, client::Client};

use crate::{
    actions::{Actions, Measured},
    deployment::{Deployment, playbook},
    runtime::Error,
    table::{self, Row, Times},
};

/// Concurrent tasks.
pub(crate) const TASKS: usize = 64;
/// Actions of each task in a round, and of the task that runs alone.
pub(crate) const STEPS: (usize, usize) = (48, 200);
/// Actions at the beginning of a task that are not measured.
const WARM: usize = 5;
/// Longest time that the tasks of one round may take.
const WITHIN: Duration = Duration::from_secs(180);

/// The system's results of a round, and the sizes for the floor.
pub(crate) struct Ours {
    cpu: [String; 2],
    pub(crate) alone: Actions,
    pub(crate) client: Times,
    together: Actions,
    /// The last message of the stream, and the last one of policy.
    pub(crate) tips: (u64, u64),
}

/// One action at a time, and many.
pub(crate) type Pair = (Measured, Measured);

/// The results of a round, on two lines for people.
pub(crate) fn pair(name: &str, alone: &Actions, together: &Actions) -> Pair {
    let pair = (alone.measured(WARM), together.measured(WARM));
    table::line(&format!("{name}, one at a time: {}", pair.0.brief()));
    table::line(&format!("{name}, {TASKS} in flight: {}", pair.1.brief()));
    pair
}

/// The results of all rounds, hop by hop for people.
pub(crate) fn all(name: &str, rounds: Vec<Pair>) -> Pair {
    let (alone, together): (Vec<_>, Vec<_>) = rounds.into_iter().unzip();
    let pair = (Measured::all(alone), Measured::all(together));
    table::line(&format!("{name}, one at a time: {}", pair.0.text()));
    table::line(&format!("{name}, {TASKS} in flight: {}", pair.1.text()));
    pair
}

/// Rows that compare the system with a floor.
pub(crate) fn compare(
    sync: &str,
    flight: &str,
    name: &str,
    ours: &Measured,
    floor: &Measured,
) -> Vec<Row> {
    let case = |what: &str| format!("sync {sync}, {flight}, {name}: {what}");
    let at = |percent| {
        Row::new(
            case(&format!("p{percent} ms")),
            ours.whole.percentile(percent),
            Some(floor.whole.percentile(percent)),
        )
    };
    let speed = Row::new(case("actions/s"), ours.per_second, Some(floor.per_second));
    vec![at(50), at(99), speed]
}

/// The last message of the stream, and of policy.
pub(crate) async fn tips(deployment: &Deployment) -> Result<(u64, u64), Error> {
    let mut tips = (0, 0);
    let bus = owner(deployment).await?;
    bus.scan("event.>", 1, |stored| {
        tips.0 = stored.seq;
        if stored.subject.starts_with("event.policy.") {
            tips.1 = stored.seq;
        }
        true
    })
    .await?;
    Ok(tips)
}

/// Connects as the owner.
pub(crate) async fn owner(deployment: &Deployment) -> Result<BusClient, Error> {
    let access = deployment.dir.access("owner", &deployment.file.url());
    Ok(BusClient::connect(&access, deployment.clock.clone()).await?)
}

impl Ours {
    /// The results, on some lines for people.
    pub(crate) fn pair(&self, name: &str) -> Pair {
        let [alone, together] = &self.cpu;
        table::line(&format!(
            "{name}, processor time per action, one at a time: {alone}"
        ));
        table::line(&format!(
            "{name}, processor time per action, {TASKS} in flight: {together}"
        ));
        pair(name, &self.alone, &self.together)
    }
}

/// Runs a round of the system; the first one signs the contract.
pub(crate) fn system(
    deployment: &Deployment,
    contract: &mut Option<Digest>,
) -> Result<Ours, Error> {
    crate::runtime::block_on(Box::pin(one_round(deployment, contract)))?
}

async fn one_round(deployment: &Deployment, contract: &mut Option<Digest>) -> Result<Ours, Error> {
    let mut fleet = deployment.start_nats().await?;
    deployment.start_actors(&mut fleet).await?;
    let contract = match contract {
        Some(contract) => *contract,
        None => *contract.insert(deployment.sign_contract().await?),
    };
    let client = contractual::client(&deployment.opened()?)?;
    let measured = Box::pin(measure(deployment, &client, contract, &fleet)).await;
    fleet.stop().await;
    measured
}

/// Processor time of each process so far, in milliseconds.
fn cpu(fleet: &Fleet) -> BTreeMap<String, u64> {
    let used = |pid: u32| {
        let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let fields = text.rsplit(')').next()?.split_whitespace();
        // Fields 14 and 15 in hundredths of a second; the name ends with field 2.
        let ticks = fields
            .skip(11)
            .take(2)
            .filter_map(|n| n.parse::<u64>().ok());
        Some(ticks.sum::<u64>() * 10)
    };
    let pids = fleet.pids().into_iter();
    pids.map(|(name, pid)| (name, used(pid).unwrap_or(0)))
        .collect()
}

/// Processor time per action since `before`.
fn spent(before: &BTreeMap<String, u64>, fleet: &Fleet, actions: usize) -> String {
    let each = cpu(fleet).into_iter().map(|(name, now)| {
        let ms = now - before.get(&name).copied().unwrap_or(0);
        let us = ms * 1000 / u64::try_from(actions.max(1)).unwrap_or(1);
        format!("{name} {us} µs")
    });
    each.collect::<Vec<_>>().join(", ")
}

async fn measure(
    deployment: &Deployment,
    client: &Client,
    contract: Digest,
    fleet: &Fleet,
) -> Result<Ours, Error> {
    let warm = client.submit(contract, playbook(20).as_bytes()).await?;
    finished(client, &BTreeSet::from([warm.task])).await?;
    let mut times = Times::default();
    let before = cpu(fleet);
    let text = playbook(STEPS.1);
    let submitted = client.submit(contract, text.as_bytes()).await?;
    watch(deployment, client, submitted.task, &mut times).await?;
    let alone_cpu = spent(&before, fleet, STEPS.1);
    let alone = actions(deployment, submitted.seq).await?;
    let text = playbook(STEPS.0);
    let mut tasks = BTreeSet::new();
    let mut from = 0;
    let before = cpu(fleet);
    for _ in 0..TASKS {
        let submitted = client.submit(contract, text.as_bytes()).await?;
        from = if from == 0 { submitted.seq } else { from };
        tasks.insert(submitted.task);
    }
    finished(client, &tasks).await?;
    let together_cpu = spent(&before, fleet, TASKS * STEPS.0);
    Ok(Ours {
        cpu: [alone_cpu, together_cpu],
        alone,
        client: times,
        together: actions(deployment, from).await?,
        tips: tips(deployment).await?,
    })
}

/// Follows a task as the command line does, and takes the time from each proposal to its outcome.
pub(crate) async fn watch(
    deployment: &Deployment,
    client: &Client,
    task: TaskId,
    times: &mut Times,
) -> Result<(), Error> {
    let mut events = std::pin::pin!(client.follow(task));
    let mut proposed = None;
    let mut seen = 0;
    while let Some(event) = events.next().await {
        let event = event?;
        let now = deployment.clock.elapsed();
        match event.kind.as_str() {
            "action.proposed" => proposed = Some(now),
            "action.finished" => {
                seen += 1;
                if let Some(since) = proposed.take().filter(|_| seen > WARM) {
                    times.push((now - since).as_secs_f64() * 1000.0);
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Waits until all of `tasks` have ended; fails unless all succeeded.
pub(crate) async fn finished(client: &Client, tasks: &BTreeSet<TaskId>) -> Result<(), Error> {
    let all = async {
        loop {
            let found = client.tasks().await?;
            let mine = || found.tasks.iter().filter(|one| tasks.contains(&one.task));
            if let Some(bad) = mine().find(|one| one.state == TaskState::Rejected) {
                return Err(format!("{} was rejected: {:?}", bad.task, bad.refusal).into());
            }
            if mine()
                .filter(|one| one.state == TaskState::Finished)
                .count()
                == tasks.len()
            {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    };
    tokio::time::timeout(WITHIN, all).await?
}

/// The actions of the stream from a sequence number on.
pub(crate) async fn actions(deployment: &Deployment, from: u64) -> Result<Actions, Error> {
    let bus = owner(deployment).await?;
    let mut actions = Actions::default();
    bus.scan("event.>", from, |stored| {
        actions.see(&stored);
        true
    })
    .await?;
    Ok(actions)
}
