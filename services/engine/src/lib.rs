#![doc = include_str!("../README.md")]

mod core;
mod session;

use std::sync::Arc;

use actor::{Bus, Context, Error, Service};
use bus_schema::AuthorId;
use proposer::Fetches;
use serde::Deserialize;

pub use crate::core::{EngineCore, Fetch, Fetched, Sessions};
pub use proposer::Found;
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

    fn open(_config: Config, _context: &Context) -> Result<(Self, EngineCore), Error> {
        let fetches = Fetches::default();
        Ok((Self { fetches }, EngineCore::default()))
    }

    async fn perform(service: Arc<Self>, fetch: Fetch, bus: Bus<bus_schema::Engine>) -> Fetched {
        let content = (AuthorId::Gateway, &fetch.args);
        let found = service.fetches.fetch(&bus, fetch.task, content).await;
        Fetched { fetch, found }
    }
}
