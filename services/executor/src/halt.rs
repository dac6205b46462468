//! Stores the owner's halt order beside the stream across restarts, and counts running actions.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use actor::{Error, chain, files};
use bus_schema::Time;

const NAME: &str = "halt";

/// The last order, and the number of running actions.
#[derive(Debug)]
pub(crate) struct Order {
    path: PathBuf,
    kept: Option<Time>,
    running: Arc<AtomicU32>,
}

/// A running action; dropped when it ends.
#[derive(Debug)]
pub(crate) struct Running(Arc<AtomicU32>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Order {
    /// Reads the order that an earlier process stored in `state`.
    pub(crate) fn open(state: &Path) -> Result<Self, Error> {
        let path = state.join(NAME);
        let kept = match files::read_public(&path) {
            Ok(bytes) => Some(parse(&bytes).ok_or_else(|| {
                Error::Service(format!(
                    "{} is not a valid halt order; delete it if nothing is halted",
                    path.display()
                ))
            })?),
            Err(files::Error::Missing { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        Ok(Self {
            path,
            kept,
            running: Arc::default(),
        })
    }

    /// Returns the order stored by an earlier process.
    pub(crate) const fn kept(&self) -> Option<Time> {
        self.kept
    }

    /// Stores an order for later processes.
    pub(crate) fn keep(&self, at: Time) {
        // The order applies to this process even if it cannot be stored.
        if let Err(error) = files::replace(&self.path, at.to_string().as_bytes()) {
            tracing::error!(
                error = chain(&error),
                "cannot store the halt; it ends when this process restarts"
            );
        }
    }

    /// Counts an action until the returned value is dropped.
    pub(crate) fn run(&self) -> Running {
        self.running.fetch_add(1, Ordering::SeqCst);
        Running(Arc::clone(&self.running))
    }

    /// Returns the number of running actions.
    pub(crate) fn running(&self) -> u32 {
        self.running.load(Ordering::SeqCst)
    }
}

fn parse(bytes: &[u8]) -> Option<Time> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}
