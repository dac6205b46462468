//! A halt that the owner orders beside the stream: it outlives the process, and tells what still runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use actor::{Error, chain, files};
use bus_schema::Time;

const NAME: &str = "halt";

/// The last order, and how many actions run.
#[derive(Debug)]
pub(crate) struct Order {
    path: PathBuf,
    kept: Option<Time>,
    running: Arc<AtomicU32>,
}

/// An action that runs; dropped once it does not.
#[derive(Debug)]
pub(crate) struct Running(Arc<AtomicU32>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Order {
    /// Reads what an earlier process kept in `state`.
    pub(crate) fn open(state: &Path) -> Result<Self, Error> {
        let path = state.join(NAME);
        let kept = match files::read_public(&path) {
            Ok(bytes) => Some(parse(&bytes).ok_or_else(|| {
                Error::Service(format!(
                    "{} is not an order to halt: if nothing is halted, delete it",
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

    /// The order of before this process.
    pub(crate) const fn kept(&self) -> Option<Time> {
        self.kept
    }

    /// Keeps an order for later processes.
    pub(crate) fn keep(&self, at: Time) {
        // It holds for this one all the same.
        if let Err(error) = files::replace(&self.path, at.to_string().as_bytes()) {
            tracing::error!(
                error = chain(&error),
                "the halt will not outlive this process"
            );
        }
    }

    /// Counts an action until what is returned is dropped.
    pub(crate) fn run(&self) -> Running {
        self.running.fetch_add(1, Ordering::SeqCst);
        Running(Arc::clone(&self.running))
    }

    /// How many run.
    pub(crate) fn running(&self) -> u32 {
        self.running.load(Ordering::SeqCst)
    }
}

fn parse(bytes: &[u8]) -> Option<Time> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}
