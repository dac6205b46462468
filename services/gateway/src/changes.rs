//! The place of the last fact that pages show: asked of ui while somebody follows it.

use std::{sync::Arc, time::Duration};

use actor::{Bus, Error};
use bus_schema::{AuthorId, AwaitChange, Gateway};
use tokio::sync::{Notify, watch};

/// The pause after an answer.
const PAUSE: Duration = Duration::from_millis(50);
/// The pause after a request that ui did not answer.
const RETRY: Duration = Duration::from_millis(500);

/// The place, shared by all streams of changes.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    newest: watch::Sender<u64>,
    wanted: Notify,
}

impl Changes {
    /// Follows the place; ui is asked as long as a receiver is there.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        let newest = self.newest.subscribe();
        self.wanted.notify_one();
        newest
    }
}

/// Asks ui for changes until the gateway stops, one request at a time for all streams.
pub(crate) async fn follow(bus: Bus<Gateway>, changes: Arc<Changes>) -> Result<(), Error> {
    loop {
        if changes.newest.receiver_count() == 0 {
            changes.wanted.notified().await;
        }
        let after = *changes.newest.borrow();
        match bus.ask(AuthorId::Ui, AwaitChange { after }).await {
            Ok(seq) => {
                let is_new = seq != after;
                (changes.newest).send_if_modified(|newest| {
                    *newest = seq;
                    is_new
                });
                // A busy stream, or a ui that lies, reloads no page more often.
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => {
                tracing::debug!(%error, "cannot follow the pages");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}
