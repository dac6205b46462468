#![doc = include_str!("../README.md")]

mod answer;
mod core;
mod held;
mod json;
mod limits;
mod outcome;
mod playbook;
mod progress;
mod ready;
mod reference;
mod resolve;
mod task;

use std::{num::NonZeroU16, sync::Arc, time::Duration};

use actor::{Bus, Context, Error, Service};
use serde::Deserialize;
use tokio::sync::Semaphore;

pub use crate::core::{Fetch, Fetched, Found, Tasks, WorkerCore};
pub use held::{ContentKey, HELD_BYTES_MAX, REASON_BYTES_MAX};
pub use json::{DEPTH_MAX, OUTPUT_BYTES_MAX};
pub use limits::{ARGS_BYTES_MAX, ITEMS_MAX};
pub use outcome::{Exceptions, Outcome, Reason};
pub use playbook::{
    NAME_CHARS_MAX, OnRefusal, Otherwise, PLAYBOOK_BYTES_MAX, PURPOSE_CHARS_MAX, Playbook,
    RETRIES_MAX, STEPS_MAX, Step,
};
pub use progress::{Fact, Ignored, Progress, State, StepRef};
pub use proposer::EXPIRY_MARGIN_MS;
pub use ready::{IN_FLIGHT_MAX, Todo, ready};
pub use reference::REFERENCE_CHARS_MAX;

/// Largest number of concurrent fetches.
const FETCHES_MAX: usize = 8;
/// Shortest backoff before a fetch is retried after the bus did not answer; the longest is twice that.
const FETCH_RETRY: Duration = Duration::from_millis(500);

/// The table `[service]` of the worker's configuration; it may be empty.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Largest number of tasks in work at a time, 1 to 65,535; more wait in the order of their admission.
    pub tasks_max: NonZeroU16,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            tasks_max: NonZeroU16::MIN.saturating_add(9_999),
        }
    }
}

/// The worker as a service.
#[derive(Debug)]
pub struct Worker {
    fetches: Semaphore,
}

impl Service for Worker {
    type Core = WorkerCore;
    type Config = Config;

    fn open(config: Config, _context: &Context) -> Result<(Self, WorkerCore), Error> {
        let service = Self {
            fetches: Semaphore::new(FETCHES_MAX),
        };
        Ok((service, WorkerCore::new(config.tasks_max, HELD_BYTES_MAX)))
    }

    async fn perform(service: Arc<Self>, fetch: Fetch, bus: Bus<bus_schema::Worker>) -> Fetched {
        let permit = service.fetches.acquire().await;
        let got = bus.get(fetch.by, &fetch.content).await;
        drop(permit);
        let found = match got {
            Ok(Some(bytes)) => Found::Bytes(bytes),
            Ok(None) => Found::Erased,
            Err(error) => {
                let error = actor::chain(&error);
                tracing::warn!(task.id = %fetch.task, error, "cannot fetch content; retrying");
                let pause = FETCH_RETRY + bus.clock().jitter(FETCH_RETRY);
                tokio::time::sleep(pause).await;
                Found::NoAnswer
            }
        };
        Fetched { fetch, found }
    }
}
