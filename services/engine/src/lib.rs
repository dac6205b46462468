#![doc = include_str!("../README.md")]

mod core;
mod session;

use std::{sync::Arc, time::Duration};

use actor::{Bus, Context, Error, Service};
use bus_schema::AuthorId;
use serde::Deserialize;
use tokio::sync::Semaphore;

pub use crate::core::{EngineCore, Fetch, Fetched, Found, Sessions};
pub use session::{CALLS_MAX, IDLE_MS, OPEN_CALLS_MAX};

/// Largest number of concurrent fetches.
const FETCHES_MAX: usize = 8;
/// Shortest backoff before a fetch is retried after the bus did not answer; the longest is twice that.
const FETCH_RETRY: Duration = Duration::from_millis(500);

/// The table `[service]` of the engine's configuration; it is empty.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {}

/// The engine as a service.
#[derive(Debug)]
pub struct Engine {
    fetches: Semaphore,
}

impl Service for Engine {
    type Core = EngineCore;
    type Config = Config;

    fn open(_config: Config, _context: &Context) -> Result<(Self, EngineCore), Error> {
        let fetches = Semaphore::new(FETCHES_MAX);
        Ok((Self { fetches }, EngineCore::default()))
    }

    async fn perform(service: Arc<Self>, fetch: Fetch, bus: Bus<bus_schema::Engine>) -> Fetched {
        let permit = service.fetches.acquire().await;
        let got = bus.get(AuthorId::Gateway, &fetch.args).await;
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
