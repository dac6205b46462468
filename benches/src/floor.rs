//! The floor: the same durable publishes and deliveries without our code, under the same identities, consumers and
//! configuration, from one thread for each actor.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use async_nats::jetstream::Message;
use bus_schema::{AuthorId, Subject, TaskId, Time, stream};
use futures::{StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use tokio::sync::{Barrier, watch};

use crate::{
    actions::{Actions, KINDS, Sizes},
    deployment::Deployment,
    raw::{Expected, Noise, Wire},
    runtime::Error,
};

/// Longest time that one floor may take.
const WITHIN: Duration = Duration::from_secs(120);

/// The part of the system's work that the floor does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Floor {
    /// The number of concurrent tasks.
    pub(crate) lanes: usize,
    /// The number of actions of each task.
    pub(crate) actions: usize,
    /// The sizes of messages.
    pub(crate) sizes: Sizes,
    /// True if policy and runner read arguments first, and gateway and audit receive everything, too.
    pub(crate) deliveries: bool,
    /// True if every event has the compare-and-set header.
    pub(crate) compare_and_set: bool,
    /// The last message of the stream, and the last one of policy.
    pub(crate) tips: (u64, u64),
}

#[derive(Clone)]
struct Together {
    floor: Floor,
    lanes: Arc<Vec<TaskId>>,
    start: Arc<Barrier>,
    stop: watch::Receiver<bool>,
}

/// A message, with the fields that the floor uses.
struct Came {
    step: Option<usize>,
    lane: usize,
    n: usize,
    seq: u64,
    stored: Time,
}

impl Floor {
    /// Runs it against the server of `of`, with all actors stopped.
    pub(crate) fn run(self, of: &Deployment) -> Result<Actions, Error> {
        let lanes = (0..self.lanes).map(|_| TaskId::new(of.clock.uuid()));
        let readers: &[AuthorId] = if self.deliveries {
            &[AuthorId::Gateway, AuthorId::Audit]
        } else {
            &[]
        };
        let (stopper, stop) = watch::channel(false);
        let together = Together {
            floor: self,
            lanes: Arc::new(lanes.collect()),
            start: Arc::new(Barrier::new(3 + readers.len())),
            stop,
        };
        std::thread::scope(|scope| {
            let mut others = Vec::new();
            for author in [AuthorId::Policy, AuthorId::Runner].iter().chain(readers) {
                let (together, author) = (together.clone(), *author);
                others.push(scope.spawn(move || {
                    let follow = follow(of, author, together);
                    crate::runtime::block_on(async { tokio::time::timeout(WITHIN, follow).await })??
                }));
            }
            let drive = async { tokio::time::timeout(WITHIN, drive(of, &together)).await };
            let driven = crate::runtime::block_on(drive);
            stopper.send_replace(true);
            for other in others {
                other
                    .join()
                    .map_err(|_| "a thread of the floor panicked")??;
            }
            driven??
        })
    }
}

impl Came {
    fn of(message: &Message) -> Result<Self, Error> {
        let info = message.info()?;
        let subject = Subject::parse(&message.subject);
        let kind = subject.map(|subject| subject.kind);
        let number = |range| {
            let text = message.payload.get(range).map(String::from_utf8_lossy);
            text.and_then(|text| text.parse().ok()).unwrap_or(0)
        };
        let ns = i64::try_from(info.published.unix_timestamp_nanos()).unwrap_or(0);
        Ok(Self {
            step: KINDS.iter().position(|known| Some(*known) == kind),
            lane: number(0..8),
            n: number(8..16),
            seq: info.stream_sequence,
            stored: Time::from_ns(ns),
        })
    }
}

impl Together {
    fn body(&self, lane: usize, n: usize, step: usize) -> Vec<u8> {
        let len = self.floor.sizes.bodies.get(step).copied().unwrap_or(0);
        body(lane, n, len)
    }

    fn task(&self, lane: usize) -> Result<TaskId, Error> {
        Ok(*self.lanes.get(lane).ok_or("a lane that is not there")?)
    }

    fn subject(&self, by: AuthorId, lane: usize, step: usize) -> Result<String, Error> {
        let kind = KINDS.get(step).ok_or("a step that is not there")?;
        Ok(Subject {
            by,
            task: Some(self.task(lane)?),
            kind,
        }
        .to_string())
    }

    /// Unique in the life of the server.
    fn content(&self, by: AuthorId, lane: usize, n: usize) -> Result<String, Error> {
        let task = self.task(lane)?.to_string().replace('-', "");
        Ok(format!("blob.{by}.{task}{n:032}.0"))
    }

    fn expected(&self, subtree: String, last: u64) -> Option<Expected> {
        let expected = Expected { subtree, last };
        self.floor.compare_and_set.then_some(expected)
    }
}

fn body(lane: usize, n: usize, len: usize) -> Vec<u8> {
    let mut body = format!("{lane:08}{n:08}").into_bytes();
    let seed = u64::try_from(lane * 1_000_003 + n).unwrap_or(0);
    body.extend(Noise::new(seed << 8).bytes(len.saturating_sub(body.len())));
    body
}

/// The worker's part: proposes, and proposes the next when the outcome is delivered.
async fn drive(of: &Deployment, together: &Together) -> Result<Actions, Error> {
    let wire = Wire::connect(of, AuthorId::Worker).await?;
    let floor = together.floor;
    let mut messages = wire.pull(AuthorId::Worker, floor.tips.0 + 1).await?;
    together.start.wait().await;
    let mut actions = Actions::default();
    let mut sending = FuturesUnordered::new();
    let mut tips: BTreeMap<usize, u64> = BTreeMap::new();
    let mut over = 0;
    for lane in 0..floor.lanes {
        sending.push(propose(&wire, together, lane, 0, 0));
    }
    while over < floor.lanes {
        tokio::select! {
            message = messages.next() => {
                let came = Came::of(&message.ok_or("the consumer ended")??)?;
                let Some(step) = came.step else { continue };
                let lane = together.task(came.lane)?;
                actions.see_raw(lane, format!("{}/{}", came.lane, came.n), step, came.stored);
                match step {
                    0 => drop(tips.insert(came.lane, came.seq)),
                    3 if came.n + 1 < floor.actions => {
                        let tip = tips.get(&came.lane).copied().unwrap_or(0);
                        sending.push(propose(&wire, together, came.lane, came.n + 1, tip));
                    }
                    3 => over += 1,
                    _ => {}
                }
            }
            Some(sent) = sending.next() => sent?,
        }
    }
    Ok(actions)
}

async fn propose(
    wire: &Wire,
    together: &Together,
    lane: usize,
    n: usize,
    tip: u64,
) -> Result<(), Error> {
    let args = body(lane, n, together.floor.sizes.args);
    let by = AuthorId::Worker;
    wire.content(together.content(by, lane, n)?, args).await?;
    let expected = together.expected(stream::subtree(by, Some(together.task(lane)?)), tip);
    let subject = together.subject(by, lane, 0)?;
    wire.event(subject, together.body(lane, n, 0), expected.as_ref())
        .await?;
    Ok(())
}

/// Pending publishes of policy and runner; `Some` is the sequence number of an own event, for policy's chain.
type Sending<'a> = FuturesUnordered<BoxFuture<'a, Result<Option<u64>, Error>>>;

/// The part of policy, of the runner, or of a reader.
async fn follow(of: &Deployment, me: AuthorId, together: Together) -> Result<(), Error> {
    let wire = Wire::connect(of, me).await?;
    let floor = together.floor;
    let mut messages = wire.pull(me, floor.tips.0 + 1).await?;
    together.start.wait().await;
    let mut stop = together.stop.clone();
    let mut sending: Sending<'_> = FuturesUnordered::new();
    let mut queue: VecDeque<(usize, usize)> = VecDeque::new();
    let mut tip = floor.tips.1;
    let mut tips: BTreeMap<usize, u64> = BTreeMap::new();
    loop {
        // One compare-and-set at a time over policy's whole chain; as many as there are without.
        while !queue.is_empty() && (sending.is_empty() || !floor.compare_and_set) {
            if let Some((lane, n)) = queue.pop_front() {
                let expected = together.expected(stream::subtree(AuthorId::Policy, None), tip);
                sending.push(Box::pin(grant(&wire, &together, lane, n, expected)));
            }
        }
        tokio::select! {
            message = messages.next() => {
                let came = Came::of(&message.ok_or("the consumer ended")??)?;
                let own = tips.get(&came.lane).copied().unwrap_or(0);
                match (me, came.step) {
                    (AuthorId::Policy, Some(0)) => queue.push_back((came.lane, came.n)),
                    (AuthorId::Runner, Some(1)) => {
                        sending.push(Box::pin(start(&wire, &together, came.lane, came.n, own)));
                    }
                    (AuthorId::Runner, Some(2)) => {
                        tips.insert(came.lane, came.seq);
                        sending.push(Box::pin(end(&wire, &together, came.lane, came.n, came.seq)));
                    }
                    (AuthorId::Runner, Some(3)) => drop(tips.insert(came.lane, came.seq)),
                    _ => {}
                }
            }
            Some(sent) = sending.next() => tip = sent?.unwrap_or(tip),
            _ = stop.changed() => return Ok(()),
        }
    }
}

async fn grant(
    wire: &Wire,
    together: &Together,
    lane: usize,
    n: usize,
    expected: Option<Expected>,
) -> Result<Option<u64>, Error> {
    if together.floor.deliveries {
        wire.fetch(&together.content(AuthorId::Worker, lane, n)?)
            .await?;
    }
    let subject = together.subject(AuthorId::Policy, lane, 1)?;
    let body = together.body(lane, n, 1);
    Ok(Some(wire.event(subject, body, expected.as_ref()).await?))
}

async fn start(
    wire: &Wire,
    together: &Together,
    lane: usize,
    n: usize,
    tip: u64,
) -> Result<Option<u64>, Error> {
    if together.floor.deliveries {
        wire.fetch(&together.content(AuthorId::Worker, lane, n)?)
            .await?;
    }
    say(wire, together, (lane, n), 2, tip).await
}

async fn end(
    wire: &Wire,
    together: &Together,
    lane: usize,
    n: usize,
    tip: u64,
) -> Result<Option<u64>, Error> {
    let output = body(lane, n, together.floor.sizes.output);
    let subject = together.content(AuthorId::Runner, lane, n)?;
    wire.content(subject, output).await?;
    say(wire, together, (lane, n), 3, tip).await
}

async fn say(
    wire: &Wire,
    together: &Together,
    (lane, n): (usize, usize),
    step: usize,
    tip: u64,
) -> Result<Option<u64>, Error> {
    let by = AuthorId::Runner;
    let expected = together.expected(stream::subtree(by, Some(together.task(lane)?)), tip);
    let subject = together.subject(by, lane, step)?;
    wire.event(subject, together.body(lane, n, step), expected.as_ref())
        .await?;
    Ok(None)
}
