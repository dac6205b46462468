//! The health file: the state that an actor writes once a second, for `contractual health` to read.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use bus_schema::Time;
use serde::{Deserialize, Serialize};

use crate::Clock;

/// The age at which a health file is too old.
pub const FRESH: Duration = Duration::from_secs(5);
const NAME: &str = "health.json";

/// The state that an actor reports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Health {
    /// The time of the report, by the machine's clock.
    pub at: Time,
    /// True if it can do its job.
    pub ok: bool,
    /// The problem, or `ready`.
    pub state: String,
    /// The last message of the stream that it folded.
    pub seq: u64,
    /// The number of messages that it skipped as junk.
    pub junk: u64,
}

/// The reason why an actor counts as unhealthy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unhealthy {
    /// There is no health file.
    #[error("{0} has not reported: it is not running, or has not started yet")]
    Silent(PathBuf),
    /// The file is too old: the actor hangs, or was killed.
    #[error("the last sign of life is {0} ms old: it hangs or was killed")]
    Stale(u64),
    /// The file's time is later than now.
    #[error(
        "the last sign of life is {0} ms ahead of this machine's clock: the clock went back, and there was no report since; it hangs or was killed"
    )]
    Ahead(u64),
    /// The actor reports that it cannot do its job.
    #[error("{0}")]
    Trouble(String),
}

impl Unhealthy {
    /// Returns true if there is no present report: the actor is not running, or hangs.
    #[must_use]
    pub const fn is_silent(&self) -> bool {
        match self {
            Self::Silent(_) | Self::Stale(_) | Self::Ahead(_) => true,
            Self::Trouble(_) => false,
        }
    }
}

pub(crate) fn write(folder: &Path, health: &Health) -> std::io::Result<()> {
    let temporary = folder.join(".health.json.tmp");
    std::fs::write(&temporary, serde_json::to_vec(health)?)?;
    std::fs::rename(temporary, folder.join(NAME))
}

/// Removes the report of an earlier run.
pub(crate) fn clear(folder: &Path) {
    // There is none at the first start.
    std::fs::remove_file(folder.join(NAME)).ok();
}

/// Returns the last report of the actor whose state folder is `folder`, whatever it says; none if there is none.
#[must_use]
pub fn report(folder: &Path) -> Option<Health> {
    serde_json::from_slice(&std::fs::read(folder.join(NAME)).ok()?).ok()
}

/// Reads the health of the actor whose state folder is `folder`.
///
/// # Errors
/// [`Unhealthy`] has the reason.
pub fn read(folder: &Path, clock: &Clock) -> Result<Health, Unhealthy> {
    let path = folder.join(NAME);
    let bytes = std::fs::read(&path).map_err(|_| Unhealthy::Silent(path.clone()))?;
    let health: Health = serde_json::from_slice(&bytes).map_err(|_| Unhealthy::Silent(path))?;
    let age_ms = clock.wall().ms_since(health.at);
    if u128::from(age_ms) > FRESH.as_millis() {
        return Err(Unhealthy::Stale(age_ms));
    }
    // A live actor reports each second, by the same clock.
    let ahead_ms = health.at.ms_since(clock.wall());
    if u128::from(ahead_ms) > FRESH.as_millis() {
        return Err(Unhealthy::Ahead(ahead_ms));
    }
    if health.ok {
        Ok(health)
    } else {
        Err(Unhealthy::Trouble(health.state))
    }
}
