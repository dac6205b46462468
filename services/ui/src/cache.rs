//! The contents that were fetched lately, for a minute: an erased content does not outlive that here.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::contents::Named;

/// Most bytes.
const BYTES_MAX: usize = 16 << 20;
/// The time after which everything is fetched again.
const KEPT: Duration = Duration::from_secs(60);

/// The contents that were fetched lately.
#[derive(Debug, Default)]
pub(crate) struct Cache(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    since: Duration,
    bytes: usize,
    contents: BTreeMap<Named, Vec<u8>>,
}

impl Cache {
    /// Returns a content; `elapsed` is the time since the process started.
    pub(crate) fn get(&self, name: &Named, elapsed: Duration) -> Option<Vec<u8>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if elapsed.saturating_sub(kept.since) > KEPT {
            *kept = Kept {
                since: elapsed,
                ..Kept::default()
            };
        }
        kept.contents.get(name).cloned()
    }

    /// Keeps a content, unless it takes too much room.
    pub(crate) fn put(&self, name: Named, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if bytes.len() <= BYTES_MAX.saturating_sub(kept.bytes)
            && kept.contents.insert(name, bytes.to_vec()).is_none()
        {
            kept.bytes += bytes.len();
        }
    }
}
