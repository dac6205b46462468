//! `triggers`: a published message until the run that it starts is on record, beside the same hops raw; and many of them.

use std::{
    fs,
    process::{Command, Stdio},
    time::Duration,
};

use async_nats::HeaderMap;
use bus_schema::{AuthorId, JobName, RunCause, SchedulerFact, Sealed, Time};
use deployment::owner::owner;
use futures::{StreamExt as _, stream::FuturesUnordered};

use crate::{
    deployment::{Deployment, playbook},
    raw::Wire,
    runtime::Error,
    system,
    table::{self, Row, Times, ms},
};

/// Timed messages, and messages before them.
const MESSAGES: usize = 300;
const UNTIMED: usize = 20;
/// The time between two of them: a run ends in less.
const PAUSE: Duration = Duration::from_millis(60);
/// The goals: more than the raw hops, in milliseconds; messages in a second, for so many seconds.
const MORE_MS_GOAL: f64 = 1.0;
const RATE_GOAL: usize = 2_000;
const SECONDS: usize = 60;
/// Messages that are published together.
const TOGETHER: usize = 20;
/// The time for the last refusals to be on record; they are said once a minute.
const COUNTED_WITHIN: Duration = Duration::from_secs(90);
/// The identity that publishes.
const OUTSIDE: &str = "trigger";
/// The subjects that start the two jobs.
const SUBJECT: &str = "trigger.cli.bench";
const MANY_SUBJECT: &str = "trigger.cli.many";
const RAW_BYTES: usize = 600;

/// Runs it; `--seconds N` for another time than a minute.
pub(crate) fn run(arguments: &[String]) -> Result<(), Error> {
    let seconds = table::option(arguments, "--seconds")?.unwrap_or(SECONDS);
    let rows = crate::runtime::block_on(Box::pin(measure(seconds)))??;
    table::line(&format!("load average at the end: {}", table::load()));
    table::finish("triggers", &rows);
    Ok(())
}

async fn measure(seconds: usize) -> Result<Vec<Row>, Error> {
    let floor = raw().await?;
    table::line(&format!("the same hops raw: {}", floor.text()));
    let deployment = Deployment::create("2m")?;
    let mut fleet = deployment.start_nats().await?;
    deployment.start_actors(&mut fleet).await?;
    let measured = Box::pin(ours(&deployment, &floor, seconds)).await;
    fleet.stop().await;
    measured
}

/// The hops of clients that check nothing: a message that is stored and read by another one, which stores it again, and an event.
async fn raw() -> Result<Times, Error> {
    let deployment = Deployment::create("2m")?;
    let fleet = deployment.start_nats().await?;
    let (asking, answering) = ("event.policy.contract.activated", "event.scheduler.run.due");
    let asks = Wire::connect(&deployment, AuthorId::Policy).await?;
    let answers = Wire::connect(&deployment, AuthorId::Scheduler).await?;
    let mut read = answers.pull(AuthorId::Scheduler, 1).await?;
    let mut asked = Vec::new();
    for _ in 0..UNTIMED + MESSAGES {
        asked.push(deployment.clock.wall());
        let sent = asks.event(asking.to_owned(), vec![b'x'; RAW_BYTES], None);
        let answered = async {
            while let Some(message) = read.next().await {
                if message?.subject.as_str() == asking {
                    // The message as it is stored for its run.
                    let sealed = Sealed::new(deployment.clock.salt(), b"{}")?;
                    let content = sealed.content().subject(AuthorId::Scheduler, 0);
                    answers.content(content, sealed.bytes().to_vec()).await?;
                    let body = vec![b'x'; RAW_BYTES];
                    return answers.event(answering.to_owned(), body, None).await;
                }
            }
            Err("the consumer ended".into())
        };
        let (sent, answered) = futures::join!(sent, answered);
        sent?;
        answered?;
    }
    let found = stored(&deployment, answering).await?;
    fleet.stop().await;
    times(&asked, &found)
}

/// The times at which messages under a filter were stored.
async fn stored(deployment: &Deployment, filter: &str) -> Result<Vec<Time>, Error> {
    let mut found = Vec::new();
    let bus = system::owner(deployment).await?;
    bus.scan(filter, 1, |message| {
        found.push(message.stored);
        true
    })
    .await?;
    Ok(found)
}

/// The times from each message to its answer.
fn times(asked: &[Time], found: &[Time]) -> Result<Times, Error> {
    if asked.len() != found.len() {
        return Err(format!("{} of {} messages were answered", found.len(), asked.len()).into());
    }
    let mut times = Times::default();
    for (asked, found) in asked.iter().zip(found).skip(UNTIMED) {
        times.push(ms(*asked, *found));
    }
    Ok(times)
}

/// Adds the job `name` that runs on each message, with this line in its document.
fn add(deployment: &Deployment, name: &str, line: &str) -> Result<(), Error> {
    let folder = deployment.dir.path();
    let file = folder.join(format!("{name}.toml"));
    let (head, when) = (
        format!("job = \"{name}\"\npurpose = \"Lists the folder.\"\n"),
        format!("[when]\ntrigger = \"cli.{name}\"\n"),
    );
    let rest = "contract = \"bench\"\nplaybook = \"bench.playbook.toml\"\n";
    fs::write(&file, format!("{head}{rest}{line}\n{when}"))?;
    fs::write(folder.join("bench.playbook.toml"), playbook(1))?;
    let ended = Command::new(std::env::current_exe()?)
        .args(["job", "add"])
        .arg(&file)
        .arg("--dir")
        .arg(folder)
        .stdin(Stdio::null())
        .output()?;
    if ended.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&ended.stderr).into_owned().into())
}

async fn ours(deployment: &Deployment, floor: &Times, seconds: usize) -> Result<Vec<Row>, Error> {
    deployment.sign_contract_of_jobs().await?;
    while stored(deployment, "event.policy.contract.activated")
        .await?
        .is_empty()
    {
        tokio::time::sleep(PAUSE).await;
    }
    add(deployment, "bench", "overlap = \"allow\"")?;
    add(deployment, "many", "overlap = \"skip\"")?;
    let wire = Wire::of(deployment, OUTSIDE).await?;
    let mut asked = Vec::new();
    for n in 0..UNTIMED + MESSAGES {
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Msg-Id", n.to_string());
        asked.push(deployment.clock.wall());
        wire.begin(SUBJECT.to_owned(), headers, b"{}".to_vec())
            .await?
            .await?;
        tokio::time::sleep(PAUSE).await;
    }
    let due = stored(deployment, "event.scheduler.run.due").await?;
    let ours = times(&asked, &due)?;
    table::line(&format!(
        "a message until its run is on record: {}",
        ours.text()
    ));
    let mut rows = Vec::new();
    for percent in [50, 99] {
        let (ours, floor) = (ours.percentile(percent), floor.percentile(percent));
        let case =
            format!("a message until its run is on record, p{percent} ms, beside the hops raw");
        rows.push(Row::new(case, ours, Some(floor)));
    }
    let more = ours.percentile(50) - floor.percentile(50);
    rows.push(Row::new(
        "more than the hops raw, p50 ms, beside the goal",
        more,
        Some(MORE_MS_GOAL),
    ));
    rows.extend(Box::pin(many(deployment, &wire, seconds)).await?);
    Ok(rows)
}

/// Publishes messages at the rate of the goal, and counts those that are on record.
async fn many(deployment: &Deployment, wire: &Wire, seconds: usize) -> Result<Vec<Row>, Error> {
    let clock = &deployment.clock;
    let all = RATE_GOAL * seconds;
    let mut acks = FuturesUnordered::new();
    let (began, mut sent, mut acked) = (clock.elapsed(), 0, 0_usize);
    while sent < all {
        let passed = clock.elapsed().saturating_sub(began);
        let wanted = passed.as_millis() * RATE_GOAL as u128 / 1000;
        if sent as u128 > wanted {
            tokio::time::sleep(Duration::from_millis(2)).await;
            continue;
        }
        for _ in 0..TOGETHER {
            let mut headers = HeaderMap::new();
            headers.insert("Nats-Msg-Id", format!("m{sent}"));
            let ack = wire.begin(MANY_SUBJECT.to_owned(), headers, b"{}".to_vec());
            acks.push(ack.await?.into_future());
            sent += 1;
        }
        while let Some(ack) = futures::FutureExt::now_or_never(acks.next()).flatten() {
            ack?;
            acked += 1;
        }
    }
    while let Some(ack) = acks.next().await {
        ack?;
        acked += 1;
    }
    let took = clock.elapsed().saturating_sub(began).as_secs_f64();
    let until = clock.elapsed() + COUNTED_WITHIN;
    let (mut runs, mut refused) = counted(deployment).await?;
    while runs + refused < acked && clock.elapsed() < until {
        tokio::time::sleep(Duration::from_secs(1)).await;
        (runs, refused) = counted(deployment).await?;
    }
    table::line(&format!(
        "{acked} messages in {took:.1} s: {runs} runs, {refused} refused"
    ));
    let number = |n: usize| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
    let rate = number(acked) / took.max(0.001);
    let lost = number(acked.saturating_sub(runs + refused));
    Ok(vec![
        Row::new("messages/s, beside the goal", rate, Some(number(RATE_GOAL))),
        Row::new("messages that are not on record", lost, Some(0.0)),
    ])
}

/// The runs of the second job on record, and its messages that started none.
async fn counted(deployment: &Deployment) -> Result<(usize, usize), Error> {
    let many: JobName = "many".parse()?;
    let (mut runs, mut refused) = (0, 0_usize);
    let bus = system::owner(deployment).await?;
    bus.each_fact(owner(&deployment.dir)?, |fact: SchedulerFact| {
        if let SchedulerFact::RunDue(_, fact) = &fact
            && fact.job == many
        {
            runs += usize::from(matches!(fact.cause, RunCause::Triggered { .. }));
        }
        if let SchedulerFact::TriggerRefused(_, fact) = fact
            && fact.job == many
        {
            refused += usize::try_from(fact.count).unwrap_or(usize::MAX);
        }
        true
    })
    .await?;
    Ok((runs, refused))
}
