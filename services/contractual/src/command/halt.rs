//! `halt` and `resume`: orders or lifts a halt, at the executors and in the record.

use std::{collections::BTreeMap, time::Duration};

use actor::{Clock, files};
use bus_schema::{
    AuthorId, Call as _, Deployment, Draft, Halt, HaltLifted, HaltOrdered, Owner, Time,
};
use deployment::{Deployment as Opened, init, owner, provision};
use futures::{StreamExt as _, future::join_all, stream::FuturesUnordered};
use serde::Serialize;

use crate::{Error, Output};

/// The timeout of all attempts.
const WITHIN: Duration = Duration::from_secs(10);
/// The timeout of one attempt.
const ATTEMPT: Duration = Duration::from_secs(4);
/// Connections that are tried at once, in case an attacker takes most of them.
const ATTEMPTS: usize = 8;
/// The pause between two of them.
const STAGGER: Duration = Duration::from_millis(150);
/// The timeout of one answer.
const ANSWER: Duration = Duration::from_secs(1);
const AGAIN: Duration = Duration::from_millis(20);

/// The outcome of an order.
#[derive(Debug, Serialize)]
struct Done {
    halted: bool,
    /// The time in which each executor confirmed that nothing runs; none if it did not.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    stopped_ms: BTreeMap<AuthorId, Option<u64>>,
    /// Its sequence number in the record; none if it was not stored.
    seq: Option<u64>,
}

/// Orders a halt at every executor and in the record.
///
/// # Errors
/// Returns an error with the present state and the fix if an executor has not confirmed, or the halt is not stored.
pub(super) async fn halt(deployment: &Opened, out: &Output) -> Result<(), Error> {
    // A key that cannot be read is not fixed by retries.
    drop(deployment.owner_key()?);
    let clock = &deployment.clock;
    let at = clock.wall();
    let record = repeat(clock, AGAIN * 10, async || {
        append(deployment, Draft::of(Deployment, HaltOrdered {})).await
    });
    let (stopped, recorded) = tokio::join!(stop_all(deployment, at), record);
    let ms = |(executor, took): &(AuthorId, Result<u64, String>)| {
        (*executor, took.as_ref().ok().copied())
    };
    let done = Done {
        halted: true,
        stopped_ms: stopped.iter().map(ms).collect(),
        seq: recorded.as_ref().ok().copied(),
    };
    let names: Vec<&str> = Halt::TO.iter().map(|executor| executor.name()).collect();
    let names = names.join(" and ");
    match (all(&stopped), &recorded) {
        (Ok(ms), Ok(seq)) => {
            let said = format!(
                "halted: {names} stopped after {ms} ms; no grants until `contractual resume` (message {seq})"
            );
            out.print(&done, || said);
            Ok(())
        }
        (Ok(ms), Err(why)) => Err(Error::Refused(format!(
            "halted: {names} stopped after {ms} ms and stay stopped, but the halt is not on record: {why}; \
             fix that and run `contractual halt` again"
        ))),
        (Err(why), Ok(seq)) => Err(Error::Refused(format!(
            "the halt is on record (message {seq}), but {why}; \
             if it is up, run `contractual halt` again"
        ))),
        (Err(why), Err(other)) => Err(Error::Refused(format!(
            "not halted: {why}, and the halt was not stored ({other}); \
             is nats-server running? If not, actions still run: stop {names} themselves"
        ))),
    }
}

/// Returns the time until every executor had confirmed that nothing runs, or the first one that has not, and why.
fn all(stopped: &[(AuthorId, Result<u64, String>)]) -> Result<u64, String> {
    let mut longest = 0;
    for (executor, took) in stopped {
        match took {
            Ok(ms) => longest = longest.max(*ms),
            Err(why) => {
                return Err(format!(
                    "{executor} has not confirmed that nothing runs: {why}"
                ));
            }
        }
    }
    Ok(longest)
}

/// Lifts a halt; appends nothing if there is none.
///
/// # Errors
/// Returns the bus's error.
pub(super) async fn resume(deployment: &Opened, out: &Output) -> Result<(), Error> {
    // A key that cannot be read is not fixed by a look at the record.
    drop(deployment.owner_key()?);
    let halted = look(deployment).await?.is_some();
    let seq = if halted {
        Some(append(deployment, Draft::of(Deployment, HaltLifted {})).await?)
    } else {
        None
    };
    let done = Done {
        halted: false,
        stopped_ms: BTreeMap::new(),
        seq,
    };
    out.print(&done, || {
        seq.map_or_else(
            || "there is no halt, so nothing was lifted".to_owned(),
            |seq| format!("the halt is lifted (message {seq})"),
        )
    });
    Ok(())
}

/// A halt in force.
#[derive(Debug, Clone, Copy)]
pub(super) enum InForce {
    /// In the record, since this bus time.
    Recorded(Time),
    /// Only at this executor, which has stored the order of this time.
    AtExecutor(AuthorId, Time),
    /// Perhaps at an executor whose order cannot be read here.
    Unknown,
}

/// Looks for a halt in the record, and for an order that the runner stored and that is not on record.
///
/// # Errors
/// Returns the bus's error.
pub(super) async fn look(deployment: &Opened) -> Result<Option<InForce>, Error> {
    let owner = owner::owner(&deployment.dir)?;
    let halts = deployment.bus().await?.halts(owner).await?;
    if let Some(since) = halts.since {
        return Ok(Some(InForce::Recorded(since)));
    }
    for executor in Halt::TO {
        let order = deployment.dir.state(*executor).join("halt");
        let order = match files::read_public(&order) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).parse::<Time>().ok(),
            Err(files::Error::Missing { .. }) => continue,
            Err(_) => None,
        };
        match order {
            Some(at) if at <= halts.decided => {}
            Some(at) => return Ok(Some(InForce::AtExecutor(*executor, at))),
            None => return Ok(Some(InForce::Unknown)),
        }
    }
    Ok(None)
}

/// Retries after any error: the bus may be flooded, have no free connection, or be down. Returns the last error after
/// the timeout.
async fn repeat<T>(
    clock: &Clock,
    pause: Duration,
    tried: impl AsyncFn() -> Result<T, Error>,
) -> Result<T, String> {
    let until = clock.elapsed() + WITHIN;
    loop {
        let why = match tokio::time::timeout(ATTEMPT, tried()).await {
            Ok(Ok(done)) => return Ok(done),
            Ok(Err(error)) => actor::chain(&error),
            Err(_) => "the bus did not answer in time".to_owned(),
        };
        if clock.elapsed() > until {
            return Err(why);
        }
        tokio::time::sleep(pause).await;
    }
}

/// Orders all executors to stop, and asks each until it confirms that nothing runs, or until the timeout. Returns the time
/// of each, or the last error.
async fn stop_all(deployment: &Opened, at: Time) -> Vec<(AuthorId, Result<u64, String>)> {
    let clock = &deployment.clock;
    let began = clock.elapsed();
    let took = || {
        let took = clock.elapsed().saturating_sub(began).as_millis();
        u64::try_from(took).unwrap_or(u64::MAX)
    };
    let mut stopped = BTreeMap::new();
    loop {
        let left = Halt::TO
            .iter()
            .filter(|executor| !matches!(stopped.get(*executor), Some(Ok(_))));
        let left: Vec<AuthorId> = left.copied().collect();
        if left.is_empty() || clock.elapsed() > began + WITHIN {
            return stopped.into_iter().collect();
        }
        let asked = tokio::time::timeout(ATTEMPT, ask(deployment, &left, at)).await;
        let answers = match asked {
            Ok(Ok(answers)) => answers,
            Ok(Err(error)) => vec![Err(actor::chain(&error)); left.len()],
            Err(_) => vec![Err("the bus did not answer in time".to_owned()); left.len()],
        };
        for (executor, answer) in left.into_iter().zip(answers) {
            stopped.insert(executor, answer.map(|()| took()));
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// Orders executors to stop, over one connection, because connections may be scarce; asks each until it confirms that nothing
/// runs.
async fn ask(
    deployment: &Opened,
    executors: &[AuthorId],
    at: Time,
) -> Result<Vec<Result<(), String>>, Error> {
    let key = deployment.owner_key()?;
    let operator = first(|| deployment.bus_once("owner")).await?;
    let roster = init::wanted_roster(&deployment.dir)?;
    let keys = roster.keys.iter().map(|entry| (entry.author, entry.key));
    let bus = operator.bus(key, keys.collect());
    let confirmed = executors.iter().map(async |executor| {
        loop {
            let asked = tokio::time::timeout(ANSWER, bus.ask(*executor, Halt { at }));
            let answer = asked
                .await
                .map_err(|_| "the bus did not answer".to_owned())?;
            let answer = answer.map_err(|error| error.to_string())?;
            if answer.halted && answer.running == 0 {
                return Ok(());
            }
            tokio::time::sleep(AGAIN).await;
        }
    });
    Ok(join_all(confirmed).await)
}

/// Starts several attempts, each while the ones before it still run, because one of them may hang if connections are
/// scarce. Returns the result of the first that ends.
async fn first<T, F: Future<Output = Result<T, deployment::Error>>>(
    attempt: impl Fn() -> F,
) -> Result<T, Error> {
    let mut all = FuturesUnordered::new();
    for _ in 0..ATTEMPTS {
        all.push(attempt());
        tokio::select! {
            Some(ended) = all.next() => return Ok(ended?),
            () = tokio::time::sleep(STAGGER) => {}
        }
    }
    let none = || Error::Refused("the bus did not answer".to_owned());
    Ok(all.next().await.ok_or_else(none)??)
}

/// Appends an event of the owner; if that fails, makes room in the streams for the next attempt.
///
/// # Errors
/// Returns the error of the attempt.
pub(super) async fn append(deployment: &Opened, draft: Draft<Owner>) -> Result<u64, Error> {
    let bus = deployment.bus_once("owner").await?;
    let mut writer = bus.owner(deployment.owner_key()?).await?;
    let said = writer.say(&bus, draft).await;
    if said.is_err() {
        provision::make_room(deployment).await?;
    }
    Ok(said?)
}
