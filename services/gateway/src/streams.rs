//! The open event streams: limits on their number, in total and for each access.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bus_schema::{DeviceId, Time};

use crate::problem::{Kind, Problem};

/// The reader whose open streams are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum CountedFor {
    /// An access of the owner: its end identifies it.
    Access(Time),
    /// A device, with all of its accesses and sessions.
    Device(DeviceId),
}

/// The number of open streams of each reader.
#[derive(Debug)]
pub(crate) struct Streams {
    all: usize,
    each: usize,
    open: Mutex<BTreeMap<CountedFor, usize>>,
}

impl Streams {
    /// Allows at most `all` streams, and at most `each` with one access.
    pub(crate) fn new(all: usize, each: usize) -> Arc<Self> {
        Arc::new(Self {
            all,
            each,
            open: Mutex::default(),
        })
    }

    /// Opens a stream. Streams of expired accesses no longer count: they are about to close.
    pub(crate) fn open(self: &Arc<Self>, by: CountedFor, now: Time) -> Result<Stream, Problem> {
        let mut open = self.lock();
        open.retain(|by, count| {
            let counts = match by {
                CountedFor::Access(until) => *until >= now,
                CountedFor::Device(_) => true,
            };
            counts && *count > 0
        });
        if open.values().sum::<usize>() >= self.all {
            let next = "too many event streams are open; close some or try again later";
            return Err(Problem::new(Kind::Busy, next));
        }
        let with_access = open.entry(by).or_default();
        if *with_access >= self.each {
            let next = format!(
                "{} event streams are open with this access; close some or sign a fresh one",
                self.each
            );
            return Err(Problem::new(Kind::TooMany, next));
        }
        *with_access += 1;
        let of = Arc::clone(self);
        Ok(Stream { of, by })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<CountedFor, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An open stream; dropping it closes it.
#[derive(Debug)]
pub(crate) struct Stream {
    of: Arc<Streams>,
    by: CountedFor,
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Some(with_access) = self.of.lock().get_mut(&self.by) {
            *with_access = with_access.saturating_sub(1);
        }
    }
}
