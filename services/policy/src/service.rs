//! Connects the core to the bus: reads its configuration and fetches the bytes that it needs.

use std::sync::Arc;
use std::time::Duration;

use actor::{Bus, Context, Error, Service};
use bus_schema::AuthorId;
use serde::Deserialize;

use crate::core::PolicyCore;
use crate::fetch::{Fetch, Fetched};

/// Backoff after the bus did not answer.
const RETRY: Duration = Duration::from_secs(1);

/// The table `[service]` of its configuration, which is empty.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {}

/// The service.
#[derive(Debug)]
pub struct Policy;

impl Service for Policy {
    type Core = PolicyCore;
    type Config = Config;

    fn open(_config: Config, context: &Context) -> Result<(Self, PolicyCore), Error> {
        Ok((Self, PolicyCore::new(context.owner)))
    }

    async fn perform(_service: Arc<Self>, fetch: Fetch, bus: Bus<bus_schema::Policy>) -> Fetched {
        let (by, content) = match fetch {
            Fetch::Catalogue { content } | Fetch::Tools { content } | Fetch::Job { content } => {
                (AuthorId::Owner, content)
            }
            Fetch::Document { place } => (AuthorId::Owner, place.document),
            Fetch::Arguments { by, content, .. } | Fetch::Earlier { by, content, .. } => {
                (by, content)
            }
            Fetch::Body { content, .. } => (AuthorId::Scheduler, content),
            Fetch::Words { by, content, .. } | Fetch::Slots { by, content, .. } => (by, content),
            Fetch::Said { content, .. } => (AuthorId::Gateway, content),
        };
        match (bus.get(by, &content).await, fetch) {
            (Ok(bytes), Fetch::Catalogue { .. }) => Fetched::Catalogue(content, bytes),
            (Ok(bytes), Fetch::Document { place }) => Fetched::Document(place, bytes),
            (Ok(bytes), Fetch::Tools { .. }) => Fetched::Tools(content, bytes),
            (Ok(bytes), Fetch::Arguments { action, .. }) => Fetched::Arguments(action, bytes),
            (Ok(bytes), Fetch::Job { .. }) => Fetched::Job(content, bytes),
            (Ok(bytes), Fetch::Body { task, .. }) => Fetched::Body(task, bytes),
            (Ok(bytes), Fetch::Words { task, .. }) => Fetched::Words(task, bytes),
            (Ok(bytes), Fetch::Said { task, number, .. }) => Fetched::Said(task, number, bytes),
            (Ok(bytes), Fetch::Slots { task, .. }) => Fetched::Slots(task, bytes),
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
