//! The compare-and-set on a stream of a million events: over an author's whole subtree, and over one task's.

use std::collections::VecDeque;

use async_nats::HeaderMap;
use bus_schema::{AuthorId, TaskId, stream};

use crate::{
    Error,
    deployment::Deployment,
    raw::{Expected, Noise, Wire},
    table::{self, Row, Times},
};

/// Events in the stream.
const EVENTS: usize = 1_000_000;
/// Events of one task: 12 actions and what surrounds them.
const OF_TASK: usize = 50;
/// Events on their way at a time while the stream is filled.
const WINDOW: usize = 2_048;
/// Appends of each kind.
const APPENDS: usize = 1_000;
/// Bytes of an event's body.
const BYTES: usize = 600;

/// Fills a stream and appends to it in every way that actors do.
pub(crate) fn run() -> Result<Vec<Row>, Error> {
    crate::block_on(Box::pin(measure()))?
}

struct Stream {
    worker: Wire,
    policy: Wire,
    noise: Noise,
    /// Each task with the place of its worker's last event.
    tasks: Vec<(TaskId, u64)>,
    policy_tip: u64,
}

async fn measure() -> Result<Vec<Row>, Error> {
    let deployment = Deployment::create("2m")?;
    let fleet = deployment.start_nats().await?;
    let rows = async {
        let mut stream = Stream {
            worker: Wire::connect(&deployment, AuthorId::Worker).await?,
            policy: Wire::connect(&deployment, AuthorId::Policy).await?,
            noise: Noise::new(7),
            tasks: Vec::new(),
            policy_tip: 0,
        };
        let began = deployment.clock.elapsed();
        stream.fill(&deployment).await?;
        let took = deployment.clock.elapsed() - began;
        table::line(&format!(
            "\n== compare-and-set on {EVENTS} events (filled in {took:.1?}), load average {}",
            table::load()
        ));
        stream.appends(&deployment).await
    };
    let rows = rows.await;
    fleet.stop().await;
    rows
}

impl Stream {
    /// Half of the events are the worker's, half policy's; the newest tasks are still open.
    async fn fill(&mut self, deployment: &Deployment) -> Result<(), Error> {
        let mut flying = VecDeque::new();
        for n in 0..EVENTS {
            if n % OF_TASK == 0 {
                self.tasks.push((TaskId::new(deployment.clock.uuid()), 0));
            }
            let index = self.tasks.len() - 1;
            let task = self.tasks.last().map(|(task, _)| *task).ok_or("no task")?;
            let workers = n % 2 == 0;
            let (wire, subject) = if workers {
                (&self.worker, format!("event.worker.{task}.action.proposed"))
            } else {
                (&self.policy, "event.policy.action.granted".to_owned())
            };
            let body = self.noise.bytes(BYTES);
            let ack = wire.begin(subject, HeaderMap::new(), body).await?;
            flying.push_back((ack, workers, index));
            if flying.len() >= WINDOW || n + 1 == EVENTS {
                while flying.len() > WINDOW / 2 || (n + 1 == EVENTS && !flying.is_empty()) {
                    let Some((ack, workers, index)) = flying.pop_front() else {
                        break;
                    };
                    let seq = ack.await?.sequence;
                    if workers && let Some((_, tip)) = self.tasks.get_mut(index) {
                        *tip = (*tip).max(seq);
                    } else {
                        self.policy_tip = self.policy_tip.max(seq);
                    }
                }
            }
        }
        Ok(())
    }

    async fn appends(&mut self, deployment: &Deployment) -> Result<Vec<Row>, Error> {
        let clock = deployment.clock.clone();
        let elapsed = || clock.elapsed().as_secs_f64() * 1000.0;
        let mut kinds: Vec<(&str, f64, Times)> = Vec::new();
        let task = self.tasks.last().ok_or("no task")?.0;
        let mut plain = Times::default();
        for _ in 0..APPENDS {
            let subject = format!("event.worker.{task}.action.proposed");
            let body = self.noise.bytes(BYTES);
            let began = elapsed();
            let seq = self.worker.event(subject, body, None).await?;
            plain.push(elapsed() - began);
            if let Some((_, tip)) = self.tasks.last_mut() {
                *tip = seq;
            }
        }
        let floor = plain.clone();
        let mut first = None;
        let mut times = Times::default();
        for _ in 0..=APPENDS {
            let expected = Expected {
                subtree: stream::subtree(AuthorId::Policy, None),
                last: self.policy_tip,
            };
            let subject = "event.policy.action.granted".to_owned();
            let body = self.noise.bytes(BYTES);
            let began = elapsed();
            self.policy_tip = self.policy.event(subject, body, Some(&expected)).await?;
            note(&mut first, &mut times, elapsed() - began);
        }
        kinds.push(("an author, event.policy.*.*", first.unwrap_or(0.0), times));
        let (mut first, mut times) = (None, Times::default());
        for _ in 0..=APPENDS {
            let last = self.tasks.len() - 1;
            note(&mut first, &mut times, self.task(last, &elapsed).await?);
        }
        kinds.push(("a task, hot", first.unwrap_or(0.0), times));
        let (mut first, mut times) = (None, Times::default());
        let every = self.tasks.len() / (APPENDS + 1);
        for n in 0..=APPENDS {
            note(
                &mut first,
                &mut times,
                self.task(n * every, &elapsed).await?,
            );
        }
        kinds.push(("old tasks, each once", first.unwrap_or(0.0), times));
        let (mut first, mut times) = (None, Times::default());
        for _ in 0..=APPENDS {
            self.tasks.push((TaskId::new(clock.uuid()), 0));
            let last = self.tasks.len() - 1;
            note(&mut first, &mut times, self.task(last, &elapsed).await?);
        }
        kinds.push(("new tasks, expecting 0", first.unwrap_or(0.0), times));
        Ok(rows(&floor, &kinds))
    }

    async fn task(&mut self, index: usize, elapsed: &impl Fn() -> f64) -> Result<f64, Error> {
        let body = self.noise.bytes(BYTES);
        let (task, tip) = self.tasks.get_mut(index).ok_or("no task")?;
        let expected = Expected {
            subtree: format!("event.worker.{task}.>"),
            last: *tip,
        };
        let subject = format!("event.worker.{task}.action.proposed");
        let began = elapsed();
        *tip = self.worker.event(subject, body, Some(&expected)).await?;
        Ok(elapsed() - began)
    }
}

fn note(first: &mut Option<f64>, times: &mut Times, ms: f64) {
    if first.is_none() {
        *first = Some(ms);
    } else {
        times.push(ms);
    }
}

fn rows(floor: &Times, kinds: &[(&str, f64, Times)]) -> Vec<Row> {
    table::line(&format!("plain append: {}", floor.text()));
    let mut rows = Vec::new();
    for (name, first, times) in kinds {
        table::line(&format!(
            "{name}: first {first:.3} ms, then {}",
            times.text()
        ));
        let case = |what: &str| format!("compare-and-set, {name}: {what} ms");
        rows.push(Row::new(case("first"), *first, Some(floor.percentile(50))));
        for percent in [50, 99] {
            let floor = Some(floor.percentile(percent));
            let what = format!("p{percent}");
            rows.push(Row::new(case(&what), times.percentile(percent), floor));
        }
    }
    rows
}
