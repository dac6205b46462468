#![doc = include_str!("../README.md")]

mod core;
mod plan;
mod runs;
mod timers;

use std::{sync::Arc, time::Duration};

use actor::{BackgroundTasks, Bus, Context, Error, Service};
use bus_schema::AuthorId;
use serde::Deserialize;
use tokio::sync::Semaphore;

pub use crate::core::{Effect, Input, LATE_TIMER_MS, SchedulerCore};
pub use plan::{LATE_MS, RUNS_MAX};
pub use runs::Runs;

/// Largest number of concurrent requests to the server.
const REQUESTS_MAX: usize = 64;
/// Shortest backoff before a request is retried after the bus did not answer; the longest is twice that.
const RETRY: Duration = Duration::from_millis(500);

/// The table `[service]` of the scheduler's configuration; it is empty.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {}

/// The scheduler as a service.
#[derive(Debug)]
pub struct Scheduler {
    requests: Semaphore,
}

impl Service for Scheduler {
    type Core = SchedulerCore;
    type Config = Config;

    fn open(_config: Config, _context: &Context) -> Result<(Self, SchedulerCore), Error> {
        let requests = Semaphore::new(REQUESTS_MAX);
        Ok((Self { requests }, SchedulerCore::default()))
    }

    fn start(_service: &Arc<Self>, beside: &mut BackgroundTasks<Self>) -> Result<(), Error> {
        let (bus, input) = (beside.bus.clone(), beside.input.clone());
        let mut stop = beside.stop.clone();
        beside.spawn(async move {
            tokio::select! { () = timers::listen(bus, input) => {} _ = stop.changed() => {} }
            Ok(())
        });
        Ok(())
    }

    async fn perform(service: Arc<Self>, effect: Effect, bus: Bus<bus_schema::Scheduler>) -> Input {
        let permit = service.requests.acquire().await;
        let done = match &effect {
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
