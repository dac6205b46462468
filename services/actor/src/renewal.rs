//! Renewal of certificates: notices changed files, tries them, and reconnects only if they work.

use std::{os::unix::fs::MetadataExt as _, time::Duration};

use async_nats::Client;
use tokio::sync::watch;

use crate::{Access, connect::try_once, error::chain};

/// The interval at which the files are checked.
const LOOK: Duration = Duration::from_secs(1);
/// The pause before a new identity that the server refused is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(5);

/// The identity of the files: device, number, size and time of change of each.
type Print = Vec<Option<(u64, u64, u64, i64, i64)>>;

/// Reconnects whenever there are other certificates and the server accepts them. Otherwise the working connection
/// stays.
pub(crate) async fn watch(access: Access, client: Client, stop: watch::Receiver<bool>) {
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut used = print(&access);
    let mut seen = used.clone();
    let mut refused = None;
    while !*stop.borrow() {
        looks.tick().await;
        let found = print(&access);
        let settled = std::mem::replace(&mut seen, found.clone()) == found;
        // Certificate and key are two files: between the two renames they do not match.
        if found == used || !settled {
            continue;
        }
        match try_once(&access).await {
            Ok(_connected) => {
                tracing::info!("the certificates were renewed; reconnecting");
                if client.force_reconnect().await.is_err() {
                    return;
                }
                used = found;
            }
            Err(error) => {
                if refused.as_ref() != Some(&found) {
                    tracing::error!(
                        error = chain(&error),
                        "the new certificates do not work and the old connection is kept; run `contractual certs show`"
                    );
                    refused = Some(found);
                }
                tokio::time::sleep(TRY_AGAIN).await;
            }
        }
    }
}

fn print(access: &Access) -> Print {
    let files = [&access.ca, &access.certificate, &access.key];
    files
        .into_iter()
        .map(|path| {
            let found = std::fs::metadata(path).ok()?;
            Some((
                found.dev(),
                found.ino(),
                found.size(),
                found.ctime(),
                found.ctime_nsec(),
            ))
        })
        .collect()
}
