//! Caches fetched playbooks, slots and outputs in bounded memory; dropped contents are fetched again.

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
};

use bus_schema::{Content, TaskId};
use serde_json::Value;

use crate::{
    json,
    playbook::{PLAYBOOK_BYTES_MAX, Playbook},
    progress::StepRef,
};

/// Largest number of bytes of fetched contents in memory.
pub const HELD_BYTES_MAX: usize = 64 << 20;
/// Longest recorded reason, in bytes.
pub const REASON_BYTES_MAX: usize = 4 << 10;
/// The cost of an entry beside its bytes.
const ENTRY_BYTES: usize = 256;
/// The cost of a parsed playbook for each byte of its text.
const PARSED_FACTOR: usize = 4;

/// The key of a task's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ContentKey {
    /// Its playbook.
    Playbook,
    /// The values of its slots.
    Slots,
    /// The output of an item.
    Output(StepRef),
}

impl ContentKey {
    /// Returns its cost in memory.
    pub(crate) fn cost(self, content: &Content) -> usize {
        let bytes = content.len() as usize;
        let bytes = match self {
            Self::Playbook => bytes.saturating_mul(PARSED_FACTOR),
            Self::Slots | Self::Output(_) => bytes,
        };
        bytes.saturating_add(ENTRY_BYTES)
    }
}

/// The content that a fetch returned.
#[derive(Debug)]
pub(crate) enum Held {
    Playbook(Box<Playbook>),
    /// An unusable playbook, or unusable values of slots, with the reason.
    Unusable(String),
    /// The values of the slots by name.
    Slots(Value),
    Output(Vec<u8>),
    Erased,
}

impl Held {
    pub(crate) fn new(slot: ContentKey, bytes: Option<Vec<u8>>) -> Self {
        match (slot, bytes) {
            (_, None) => Self::Erased,
            (ContentKey::Output(_), Some(bytes)) => Self::Output(bytes),
            (ContentKey::Slots, Some(bytes)) => match json::read(&bytes) {
                Ok(slots) => Self::Slots(slots),
                Err(found) => Self::Unusable(format!("The values of the slots are {found}.")),
            },
            (ContentKey::Playbook, Some(bytes)) => match playbook(&bytes) {
                Ok(playbook) => Self::Playbook(Box::new(playbook)),
                Err(reason) => Self::Unusable(reason),
            },
        }
    }
}

fn playbook(bytes: &[u8]) -> Result<Playbook, String> {
    if bytes.len() > PLAYBOOK_BYTES_MAX {
        let len = bytes.len();
        return Err(format!(
            "The playbook is {len} bytes long; shorten it to {PLAYBOOK_BYTES_MAX}."
        ));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        format!("The playbook is not UTF-8 text at byte {at}; save it as UTF-8.")
    })?;
    Playbook::parse("playbook", text).map_err(|wrong| bounded(wrong.to_string()))
}

/// Cuts a reason to [`REASON_BYTES_MAX`].
pub(crate) fn bounded(mut reason: String) -> String {
    const CUT: &str = " …";
    if reason.len() > REASON_BYTES_MAX {
        let end = reason.floor_char_boundary(REASON_BYTES_MAX - CUT.len());
        reason.truncate(end);
        reason.push_str(CUT);
    }
    reason
}

struct Entry {
    held: Held,
    cost: usize,
    used: Cell<u64>,
}

/// A cache that drops the least recently used contents first.
pub(crate) struct Store {
    entries: BTreeMap<(TaskId, ContentKey), Entry>,
    bytes: usize,
    bytes_max: usize,
    uses: Cell<u64>,
}

impl Store {
    pub(crate) const fn new(bytes_max: usize) -> Self {
        Self {
            entries: BTreeMap::new(),
            bytes: 0,
            bytes_max,
            uses: Cell::new(0),
        }
    }

    pub(crate) const fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    pub(crate) fn get(&self, task: TaskId, slot: ContentKey) -> Option<&Held> {
        let entry = self.entries.get(&(task, slot))?;
        entry.used.set(self.use_now());
        Some(&entry.held)
    }

    /// Returns the items of a task whose outputs were erased.
    pub(crate) fn erased(&self, task: TaskId) -> impl Iterator<Item = StepRef> + '_ {
        self.of(task)
            .filter_map(|((_, slot), entry)| match (slot, &entry.held) {
                (ContentKey::Output(at), Held::Erased) => Some(*at),
                (ContentKey::Output(_) | ContentKey::Slots | ContentKey::Playbook, _) => None,
            })
    }

    /// Stores one content; [`Store::shrink`] then frees memory for it.
    pub(crate) fn put(&mut self, task: TaskId, slot: ContentKey, content: &Content, held: Held) {
        let cost = slot.cost(content);
        let used = Cell::new(self.use_now());
        self.remove((task, slot));
        self.bytes += cost;
        let entry = Entry { held, cost, used };
        self.entries.insert((task, slot), entry);
    }

    /// Returns true if the cache exceeds its bound.
    pub(crate) const fn is_full(&self) -> bool {
        self.bytes > self.bytes_max
    }

    /// Drops the least recently used contents, except those in `pinned`.
    pub(crate) fn shrink(&mut self, pinned: &BTreeSet<(TaskId, ContentKey)>) {
        let unpinned = self.entries.iter().filter(|(key, _)| !pinned.contains(key));
        let mut oldest: Vec<_> = unpinned
            .map(|(key, entry)| (entry.used.get(), *key))
            .collect();
        oldest.sort_unstable();
        // Dropping an eighth more than needed keeps the search rare.
        let goal = self.bytes_max - self.bytes_max / 8;
        for (_, key) in oldest {
            if self.bytes <= goal {
                break;
            }
            self.remove(key);
        }
    }

    /// Drops all contents of a task.
    pub(crate) fn forget(&mut self, task: TaskId) {
        let keys: Vec<_> = self.of(task).map(|(key, _)| *key).collect();
        for key in keys {
            self.remove(key);
        }
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    fn of(&self, task: TaskId) -> impl Iterator<Item = (&(TaskId, ContentKey), &Entry)> {
        let last = StepRef {
            step: u16::MAX,
            item: u16::MAX,
        };
        self.entries
            .range((task, ContentKey::Playbook)..=(task, ContentKey::Output(last)))
    }

    fn remove(&mut self, key: (TaskId, ContentKey)) {
        if let Some(entry) = self.entries.remove(&key) {
            self.bytes -= entry.cost;
        }
    }

    fn use_now(&self) -> u64 {
        self.uses.set(self.uses.get() + 1);
        self.uses.get()
    }
}
