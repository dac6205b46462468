//! The streams of events that are open: so many in all, and so many with one access.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bus_schema::Time;

use crate::problem::{Kind, Problem};

/// How many are open, by the end of their access: nothing else tells one access from another.
#[derive(Debug)]
pub(crate) struct Streams {
    all: usize,
    each: usize,
    open: Mutex<BTreeMap<Time, usize>>,
}

impl Streams {
    /// At most `all`, and at most `each` with one access.
    pub(crate) fn new(all: usize, each: usize) -> Arc<Self> {
        Arc::new(Self {
            all,
            each,
            open: Mutex::default(),
        })
    }

    /// One more, with the access that ends at `until`. What is not yet closed after its access counts no longer:
    /// its reader only has to take the end.
    pub(crate) fn open(self: &Arc<Self>, until: Time, now: Time) -> Result<Stream, Problem> {
        let mut open = self.lock();
        open.retain(|until, with_access| *until >= now && *with_access > 0);
        if open.values().sum::<usize>() >= self.all {
            let next = "too many streams of events are open; close some or try again later";
            return Err(Problem::new(Kind::Busy, next));
        }
        let with_access = open.entry(until).or_default();
        if *with_access >= self.each {
            let next = format!(
                "{} streams of events are open with this access; close some or sign a fresh one",
                self.each
            );
            return Err(Problem::new(Kind::TooMany, next));
        }
        *with_access += 1;
        let of = Arc::clone(self);
        Ok(Stream { of, until })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Time, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One that is open, until it is dropped.
#[derive(Debug)]
pub(crate) struct Stream {
    of: Arc<Streams>,
    until: Time,
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Some(with_access) = self.of.lock().get_mut(&self.until) {
            *with_access = with_access.saturating_sub(1);
        }
    }
}
