//! The running server's own account of itself: its health, and its sync to disk.

use std::time::Duration;

use actor::BusClient;
use bus_schema::account::WATCHER;
use serde_json::{Value, json};

use crate::{Deployment, Error, Sync, init};

/// A connection of the identity that watches the server.
#[derive(Debug)]
pub struct Watcher(BusClient);

impl Watcher {
    /// Connects; returns none if the identity is offline.
    ///
    /// # Errors
    /// The server's refusal.
    pub async fn connect(of: &Deployment) -> Result<Option<Self>, Error> {
        if !of.dir.of(WATCHER).exists() {
            return Ok(None);
        }
        Ok(Some(Self(of.bus_as(WATCHER).await?)))
    }

    /// The server's complaint, such as a stream that it cannot write to; none if it is healthy.
    ///
    /// # Errors
    /// [`Error::Actor`] if it does not answer.
    pub async fn complaint(&self) -> Result<Option<String>, Error> {
        let said = self.0.ask_server("server.healthz", &json!({})).await?;
        let of = |place: &str| said.pointer(place).and_then(Value::as_str);
        if of("/data/status") == Some("ok") {
            return Ok(None);
        }
        Ok(Some(of("/data/error").unwrap_or("not healthy").to_owned()))
    }

    /// Its sync to disk.
    ///
    /// # Errors
    /// [`Error::Actor`] if it does not answer, [`Error::Refused`] if its answer names none.
    pub async fn sync(&self) -> Result<Sync, Error> {
        let said = self.0.ask_server("server.jsz", &json!({})).await?;
        let of = |name: &str| said.pointer(&format!("/data/config/{name}"));
        if of("sync_always").and_then(Value::as_bool) == Some(true) {
            return Ok(Sync::Always);
        }
        let every = of("sync_interval").and_then(Value::as_u64);
        every
            .map(|ns| Sync::Every(Duration::from_nanos(ns)))
            .ok_or_else(|| {
                let unread = "nats-server does not say how it syncs to disk: read its log";
                Error::Refused(unread.to_owned())
            })
    }
}

/// Compares the running server's sync to disk with its configuration file; returns none if the identity that may ask is
/// offline.
///
/// # Errors
/// [`Error::Refused`] if they differ; other errors if one of them cannot be read.
pub async fn same_sync(of: &Deployment) -> Result<Option<Sync>, Error> {
    let wanted = init::wanted_sync(&of.dir)?;
    let Some(watcher) = Watcher::connect(of).await? else {
        return Ok(None);
    };
    let found = watcher.sync().await?;
    if found == wanted {
        return Ok(Some(found));
    }
    Err(Error::Refused(format!(
        "nats-server syncs to disk {}, but {} says {}: restart nats-server",
        words(found),
        of.dir.nats().join("local.conf").display(),
        words(wanted)
    )))
}

fn words(sync: Sync) -> String {
    match sync {
        Sync::Always => sync.to_string(),
        Sync::Every(_) => format!("every {sync}"),
    }
}
