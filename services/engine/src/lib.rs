#![doc = include_str!("../README.md")]

mod core;
mod dialogue;
mod dialogues;
mod fetch;
mod request;
mod session;
pub mod wire;

use std::sync::Arc;

use actor::{Bus, Context, Error, Service};
use proposer::Fetches;
use serde::Deserialize;

pub use crate::core::{EngineCore, OpenTasks};
pub use dialogue::{
    CALLS_OF_ANSWER_MAX, DIALOGUE_ARGS_BYTES_MAX, DOCUMENT_BYTES_MAX, DialogueDocument,
    EQUAL_CALLS_MAX, ModelChoice, OfferedTool, REQUEST_NAME, RETRIES_MAX, STEPS_MAX, StoredContent,
};
pub use fetch::{Fetch, FetchPurpose, Fetched};
pub use proposer::Found;
pub use request::{REASON_CHARS_MAX, REQUEST_TOOL};
pub use session::{CALLS_MAX, IDLE_MS, OPEN_CALLS_MAX};

/// The table `[service]` of the engine's configuration; it is empty.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {}

/// The engine as a service.
#[derive(Debug)]
pub struct Engine {
    fetches: Fetches,
}

impl Service for Engine {
    type Core = EngineCore;
    type Config = Config;

    fn open(_config: Config, context: &Context) -> Result<(Self, EngineCore), Error> {
        let fetches = Fetches::default();
        Ok((Self { fetches }, EngineCore::new(context.owner)))
    }

    async fn perform(service: Arc<Self>, fetch: Fetch, bus: Bus<bus_schema::Engine>) -> Fetched {
        let content = (fetch.stored.by, &fetch.stored.content);
        let found = service.fetches.fetch(&bus, fetch.task, content).await;
        Fetched { fetch, found }
    }
}
