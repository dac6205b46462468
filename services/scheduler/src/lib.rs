#![doc = include_str!("../README.md")]

mod core;
mod plan;
mod runs;
mod timers;

use std::sync::Arc;

use actor::{Bus, Context, Error, Service};
use bus_schema::AuthorId;
use serde::Deserialize;
use tokio::sync::Semaphore;

use crate::timers::{FiringTimers, RETRY};

pub use crate::core::{Effect, Input, LATE_TIMER_MS, SchedulerCore};
pub use plan::{LATE_MS, RUNS_MAX};
pub use runs::Runs;

/// Largest number of concurrent requests to the server.
const REQUESTS_MAX: usize = 64;
/// The table `[service]` of the scheduler's configuration; it is empty.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {}

/// The scheduler as a service.
#[derive(Debug)]
pub struct Scheduler {
    requests: Semaphore,
    timers: FiringTimers,
}

impl Service for Scheduler {
    type Core = SchedulerCore;
    type Config = Config;

    fn open(_config: Config, _context: &Context) -> Result<(Self, SchedulerCore), Error> {
        let requests = Semaphore::new(REQUESTS_MAX);
        let timers = FiringTimers::default();
        Ok((Self { requests, timers }, SchedulerCore::default()))
    }

    async fn perform(service: Arc<Self>, effect: Effect, bus: Bus<bus_schema::Scheduler>) -> Input {
        if effect == Effect::Listen {
            let heard = service.timers.next(&bus).await;
            if let Input::Deaf(error) = &heard {
                tracing::warn!(error, "cannot read the timers yet");
                tokio::time::sleep(RETRY + bus.clock().jitter(RETRY)).await;
            }
            return heard;
        }
        let permit = service.requests.acquire().await;
        let done = match &effect {
            Effect::Listen => Ok(Input::Listening),
            Effect::Fetch(content) => {
                let got = bus.get(AuthorId::Owner, content).await;
                got.map(|bytes| Input::Fetched(*content, bytes))
            }
            Effect::SetTimer(job, at) => {
                let set = bus.set_timer(job, *at).await;
                set.map(|()| Input::Set(job.clone(), *at))
            }
        };
        drop(permit);
        match done {
            Ok(input) => input,
            Err(error) => {
                let error = actor::chain(&error);
                tracing::warn!(error, "the bus does not answer; retrying");
                tokio::time::sleep(RETRY + bus.clock().jitter(RETRY)).await;
                Input::NoAnswer(effect)
            }
        }
    }
}
