//! The fetched contents of dialogues, in memory. Losing them costs time only.

use std::collections::BTreeMap;

use bus_schema::{Digest, TaskId};

use super::record::StoredContent;
use super::results;

/// Most bytes in memory; at more, the contents of other dialogues are fetched again when needed.
const HELD_BYTES_MAX: usize = 64 << 20;

/// The contents of all dialogues; none for those that were erased.
#[derive(Debug, Default)]
pub(crate) struct Held {
    of: BTreeMap<TaskId, BTreeMap<Digest, Option<Vec<u8>>>>,
    bytes: usize,
}

impl Held {
    /// Returns a content; none if it was erased.
    ///
    /// # Errors
    /// What has to be fetched first.
    pub(super) fn get(
        &self,
        task: TaskId,
        wanted: StoredContent,
    ) -> Result<Option<&[u8]>, StoredContent> {
        let found = self.of.get(&task);
        let found = found.and_then(|of| of.get(wanted.content.digest()));
        found.map(Option::as_deref).ok_or(wanted)
    }

    /// Keeps a content. Returns true if those of other dialogues were dropped for it.
    /// Unless every byte is needed, the middle of a long one is left out.
    pub(crate) fn put(
        &mut self,
        task: TaskId,
        (wanted, is_whole): (StoredContent, bool),
        found: Option<Vec<u8>>,
    ) -> bool {
        let short = |bytes: Vec<u8>| {
            if is_whole {
                bytes
            } else {
                results::output(&bytes).into_bytes()
            }
        };
        let found = found.map(short);
        let len = found.as_ref().map_or(0, Vec::len);
        let drops = self.bytes + len > HELD_BYTES_MAX;
        if drops {
            self.of.retain(|of, _| *of == task);
        }
        let of = self.of.entry(task).or_default();
        of.insert(*wanted.content.digest(), found);
        self.count();
        drops
    }

    /// Drops the contents of a dialogue.
    pub(crate) fn forget(&mut self, task: TaskId) {
        self.of.remove(&task);
        self.count();
    }

    fn count(&mut self) {
        let all = self.of.values().flat_map(BTreeMap::values).flatten();
        self.bytes = all.map(Vec::len).sum();
    }
}
