#![doc = include_str!("../README.md")]

mod core;
mod inbox;
mod outside;
mod plan;
mod refused;
mod runs;
mod timers;
mod triggers;

use std::sync::Arc;

use actor::{Bus, Context, Error, Service};
use bus_schema::AuthorId;
use serde::Deserialize;
use tokio::sync::Semaphore;

use crate::{
    outside::Outside,
    timers::{FiringTimers, RETRY},
};

pub use crate::core::{Effect, Input, LATE_TIMER_MS, SchedulerCore};
pub use plan::{LATE_MS, RUNS_MAX};
pub use runs::Runs;
pub use triggers::TriggerMessage;

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
    outside: Outside,
}

impl Service for Scheduler {
    type Core = SchedulerCore;
    type Config = Config;

    fn open(_config: Config, _context: &Context) -> Result<(Self, SchedulerCore), Error> {
        let requests = Semaphore::new(REQUESTS_MAX);
        let service = Self {
            requests,
            timers: FiringTimers::default(),
            outside: Outside::default(),
        };
        Ok((service, SchedulerCore::default()))
    }

    async fn perform(service: Arc<Self>, effect: Effect, bus: Bus<bus_schema::Scheduler>) -> Input {
        let heard = match effect {
            Effect::Listen => Some(service.timers.next(&bus).await),
            Effect::ListenOutside => Some(service.outside.next(&bus).await),
            Effect::Took(seq) => return service.outside.took(seq).await,
            Effect::Fetch(_) | Effect::SetTimer(..) => None,
        };
        if let Some(heard) = heard {
            if let Input::Deaf(error) = &heard {
                tracing::warn!(
                    error,
                    "cannot read the timers, or the messages from outside"
                );
                tokio::time::sleep(RETRY + bus.clock().jitter(RETRY)).await;
            }
            return heard;
        }
        let permit = service.requests.acquire().await;
        let done = match &effect {
            Effect::Listen | Effect::ListenOutside | Effect::Took(_) => Ok(Input::Listening),
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
