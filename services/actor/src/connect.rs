//! The connection to the bus, always with mutual TLS and an NKey.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use async_nats::{Client, ConnectOptions, Event};
use bus_schema::AuthorId;
use tokio::sync::watch;

use crate::{Error, bus::REQUEST_TIMEOUT, error::chain, files, nkey::UserKey};

/// The time that the first connection is tried.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// The address of the bus, and the identity to connect with.
#[derive(Debug, Clone)]
pub struct Access {
    /// The user's name: of its certificate, its NKey and its inbox.
    pub user: String,
    /// The server.
    pub url: String,
    /// The certificate authority.
    pub ca: PathBuf,
    /// The certificate.
    pub certificate: PathBuf,
    /// The certificate's key.
    pub key: PathBuf,
    /// The NKey seed.
    pub nkey: PathBuf,
}

impl Access {
    /// The identity that a service's configuration names.
    #[must_use]
    pub fn of(config: &crate::Config, author: AuthorId) -> Self {
        Self {
            user: author.name().to_owned(),
            url: config.url.clone(),
            ca: config.ca.clone(),
            certificate: config.certificate.clone(),
            key: config.key.clone(),
            nkey: config.nkey.clone(),
        }
    }
}

/// The timeout of a trial.
const TRIAL_TIMEOUT: Duration = Duration::from_secs(5);

fn refused(access: &Access, reason: String) -> Error {
    Error::Connect {
        url: access.url.clone(),
        reason,
    }
}

/// The options for mutual TLS and NKey; both certificate files are read again at every connect.
fn options(access: &Access) -> Result<ConnectOptions, Error> {
    if !access.url.starts_with("tls://") {
        return Err(refused(access, "only tls:// is supported".to_owned()));
    }
    drop(files::read_secret(&access.key)?);
    let seed = UserKey::load(&access.nkey)?;
    Ok(ConnectOptions::with_nkey(seed.seed().to_owned())
        .add_root_certificates(access.ca.clone())
        .add_client_certificate(access.certificate.clone(), access.key.clone())
        .require_tls(true)
        .custom_inbox_prefix(format!("_INBOX.{}", access.user))
        .name(&access.user))
}

/// Connects once, without waiting for a server that does not run.
///
/// # Errors
/// As [`connect`].
pub(crate) async fn try_once(access: &Access) -> Result<Client, Error> {
    let trying = options(access)?
        .connection_timeout(TRIAL_TIMEOUT)
        .request_timeout(Some(REQUEST_TIMEOUT))
        .connect(&access.url);
    trying.await.map_err(|error| refused(access, chain(&error)))
}

/// Returns true if another attempt may succeed: the server does not run yet, or it closed the connection before the
/// login, as it does after a second on a busy machine.
fn is_passing(kind: async_nats::ConnectErrorKind) -> bool {
    use async_nats::ConnectErrorKind::{Io, TimedOut};
    matches!(kind, Io | TimedOut)
}

/// Connects with mutual TLS and NKey; both files are read again at every reconnect. The receiver counts reconnects.
///
/// # Errors
/// [`Error::File`] or [`Error::Nkey`] for a key that others can read, [`Error::Connect`] otherwise.
pub(crate) async fn connect(access: &Access) -> Result<(Client, watch::Receiver<u64>), Error> {
    let refused = |reason: String| refused(access, reason);
    let (count, reconnected) = watch::channel(0);
    let connected = AtomicBool::new(false);
    let options = options(access)?
        .ping_interval(Duration::from_secs(10))
        .request_timeout(Some(REQUEST_TIMEOUT))
        .reconnect_delay_callback(|attempt| {
            Duration::from_millis(50_u64.saturating_mul(1 << attempt.min(5)))
                .min(Duration::from_secs(1))
        })
        .event_callback(move |event| {
            match &event {
                Event::ServerError(error) => {
                    tracing::warn!(%error, "the server refused");
                }
                Event::Disconnected => {
                    tracing::warn!("disconnected from the bus");
                }
                Event::Connected => {
                    if connected.swap(true, Ordering::Relaxed) {
                        count.send_modify(|count| *count += 1);
                    }
                }
                Event::LameDuckMode
                | Event::Draining
                | Event::Closed
                | Event::SlowConsumer(_)
                | Event::ClientError(_) => tracing::debug!(%event, "bus"),
            }
            std::future::ready(())
        });
    let mut wait = Duration::from_millis(20);
    let mut last = String::new();
    let connecting = async {
        loop {
            match options.clone().connect(&access.url).await {
                Ok(client) => return Ok(client),
                Err(error) if is_passing(error.kind()) => {
                    last = chain(&error);
                    tracing::debug!(error = last, "the bus does not run yet");
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(Duration::from_secs(1));
                }
                Err(error) => return Err(refused(chain(&error))),
            }
        }
    };
    match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
        Ok(client) => Ok((client?, reconnected)),
        Err(_) => Err(refused(format!(
            "it cannot be reached ({last}); is nats-server running? If it is, is this machine's clock right?"
        ))),
    }
}
