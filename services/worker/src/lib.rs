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
mod stage;
mod task;
mod todo;
mod turn;

use std::{num::NonZeroU16, sync::Arc};

use actor::{Bus, Context, Error, Service};
use proposer::Fetches;
use serde::Deserialize;

pub use crate::core::{Fetch, Fetched, Tasks, WorkerCore};
pub use held::{ContentKey, HELD_BYTES_MAX, REASON_BYTES_MAX};
pub use json::{DEPTH_MAX, OUTPUT_BYTES_MAX};
pub use limits::{ARGS_BYTES_MAX, ITEMS_MAX, RETRIES_MAX};
pub use outcome::{Exceptions, Outcome, Reason};
pub use playbook::{
    INPUT_BYTES_MAX, INPUTS_MAX, Input, InputError, NAME_CHARS_MAX, OnRefusal, Otherwise,
    PLAYBOOK_BYTES_MAX, PURPOSE_CHARS_MAX, Playbook, RecordedCall, STEPS_MAX, SUMMARY_CHARS_MAX,
    Step, WAIT_MS_MAX, WAIT_MS_MIN, draft,
};
pub use progress::{Fact, Ignored, Progress, State, StepRef};
pub use proposer::{EXPIRY_MARGIN_MS, Found};
pub use ready::{Around, ready};
pub use reference::REFERENCE_CHARS_MAX;
pub use todo::Todo;
pub use turn::IN_FLIGHT_MAX;

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
    fetches: Fetches,
}

impl Service for Worker {
    type Core = WorkerCore;
    type Config = Config;

    fn open(config: Config, _context: &Context) -> Result<(Self, WorkerCore), Error> {
        let service = Self {
            fetches: Fetches::default(),
        };
        Ok((service, WorkerCore::new(config.tasks_max, HELD_BYTES_MAX)))
    }

    async fn perform(service: Arc<Self>, fetch: Fetch, bus: Bus<bus_schema::Worker>) -> Fetched {
        let content = (fetch.by, &fetch.content);
        let found = service.fetches.fetch(&bus, fetch.task, content).await;
        Fetched { fetch, found }
    }
}
