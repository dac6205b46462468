//! Connects the core to the bus: reads its configuration and fetches the bytes that it needs.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use actor::{Bus, Context, Error, Service};
use bus_schema::AuthorId;
use contract::Catalogue;
use serde::Deserialize;

use crate::core::PolicyCore;
use crate::fetch::{Fetch, Fetched};

/// Backoff after the bus did not answer.
const RETRY: Duration = Duration::from_secs(1);

/// The table `[service]` of its configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The catalogue of tools (JSON), relative to the folder of the configuration file. Read at start.
    pub catalogue: PathBuf,
}

/// The service.
#[derive(Debug)]
pub struct Policy;

impl Service for Policy {
    type Core = PolicyCore;
    type Config = Config;

    fn open(config: Config, context: &Context) -> Result<(Self, PolicyCore), Error> {
        let path = context.folder.join(&config.catalogue);
        let wrong = |why: &dyn std::error::Error| {
            let why = actor::chain(why);
            Error::Service(format!(
                "cannot use the catalogue {}: {why}",
                path.display()
            ))
        };
        let text = std::fs::read(&path).map_err(|error| wrong(&error))?;
        let catalogue = Catalogue::parse(&text).map_err(|error| wrong(&error))?;
        Ok((Self, PolicyCore::new(context.owner, catalogue)))
    }

    async fn perform(_service: Arc<Self>, fetch: Fetch, bus: Bus<bus_schema::Policy>) -> Fetched {
        let (by, content) = match fetch {
            Fetch::Document { content, .. } | Fetch::Tools { content } => {
                (AuthorId::Owner, content)
            }
            Fetch::Arguments { by, content, .. } | Fetch::Earlier { by, content, .. } => {
                (by, content)
            }
            Fetch::Words { content, .. } => (AuthorId::Gateway, content),
        };
        match (bus.get(by, &content).await, fetch) {
            (Ok(bytes), Fetch::Document { contract, .. }) => {
                Fetched::Document(contract, content, bytes)
            }
            (Ok(bytes), Fetch::Tools { .. }) => Fetched::Tools(content, bytes),
            (Ok(bytes), Fetch::Arguments { action, .. }) => Fetched::Arguments(action, bytes),
            (Ok(bytes), Fetch::Words { task, .. }) => Fetched::Words(task, bytes),
            (
                Ok(bytes),
                Fetch::Earlier {
                    task, action, part, ..
                },
            ) => Fetched::Earlier(task, action, part, bytes),
            (Err(error), _) => {
                tracing::warn!(
                    error = actor::chain(&error),
                    "cannot read content; retrying"
                );
                tokio::time::sleep(RETRY).await;
                Fetched::Unreachable
            }
        }
    }
}
