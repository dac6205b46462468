//! The claim ledger: the grants that an executor has claimed, in a file outside of the stream and the projection, so
//! that none runs twice even if both are lost.
//!
//! The file is a header and records of 24 bytes. The header is a name and the floor; a record is the id of the grant's
//! event (UUIDv7). Each ends with the first 8 bytes of its SHA-256. Records are only added, up to [`BATCH_MAX`] at a
//! time; when there are too many, the oldest are dropped, and the floor is the time of the newest dropped one.

use std::{
    collections::BTreeSet,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use bus_schema::{Digest, EventId};

use crate::Error;

/// Least number of grants that are remembered one by one; all older grants are refused.
pub const KEPT: usize = 100_000;
/// Most grants that are remembered before the oldest are dropped.
const KEPT_MAX: usize = KEPT + KEPT / 10;
/// Most records that one write adds: a crash can tear only these.
pub const BATCH_MAX: usize = 16;
/// Bytes of the header, and of a record.
pub const RECORD: usize = 24;
/// Bytes of either before its checksum.
const CHECKED: usize = 16;
/// The header's name: format and version.
const NAME: [u8; 8] = *b"CLAIMS 1";
const FILE: &str = "claims";

/// The bytes of a ledger are damaged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Damaged {
    /// The header is invalid.
    #[error("its header is damaged")]
    Header,
    /// A record that no crash can have torn does not match its checksum.
    #[error("its record {0} is damaged")]
    Record(usize),
}

/// A pending write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// Adds records at the end.
    Add {
        /// Their offset.
        at: u64,
        /// The records.
        bytes: Vec<u8>,
    },
    /// Replaces the whole file.
    Replace(Vec<u8>),
}

/// The claimed grants.
#[derive(Debug, Default)]
pub struct Ledger {
    taken: BTreeSet<EventId>,
    /// Milliseconds since 1970: grants of this time or before are refused.
    floor: Option<u64>,
    /// Not written yet.
    waiting: BTreeSet<EventId>,
    /// In the current write.
    writing: BTreeSet<EventId>,
    /// Taken by this process, for claims that the stream does not hold.
    free: BTreeSet<EventId>,
    /// The length of the file's valid part.
    length: u64,
    is_broken: bool,
}

impl Ledger {
    /// Reads the bytes of a file. Returns `true` if a crash tore its end and it has to be replaced.
    ///
    /// # Errors
    /// [`Damaged`] for damage that no crash can have caused.
    pub fn parse(bytes: &[u8]) -> Result<(Self, bool), Damaged> {
        let (header, rest) = bytes.split_at_checked(RECORD).ok_or(Damaged::Header)?;
        let header = checked(header).ok_or(Damaged::Header)?;
        let (name, floor) = (header >> 64, header & u128::from(u64::MAX));
        if name != u128::from(u64::from_be_bytes(NAME)) {
            return Err(Damaged::Header);
        }
        let floor = u64::try_from(floor).ok().filter(|floor| *floor > 0);
        let mut ledger = Self {
            floor,
            length: bytes.len() as u64,
            ..Self::default()
        };
        let count = rest.len().div_ceil(RECORD);
        let mut is_torn = false;
        for (n, record) in rest.chunks(RECORD).enumerate() {
            match checked(record) {
                Some(id) => drop(ledger.taken.insert(id_of(id))),
                None if n + BATCH_MAX >= count => is_torn = true,
                None => return Err(Damaged::Record(n + 1)),
            }
        }
        Ok((ledger, is_torn))
    }

    /// Returns true if a grant may not be claimed: it was claimed, or is too old to know.
    #[must_use]
    pub fn bars(&self, granted: EventId) -> bool {
        let taken = self.taken.contains(&granted) && !self.free.contains(&granted);
        self.is_broken || taken || self.is_below(granted)
    }

    fn is_below(&self, granted: EventId) -> bool {
        self.floor.is_some_and(|floor| time(granted) <= floor)
    }

    /// Records a grant whose claim is sent now.
    pub fn take(&mut self, granted: EventId) {
        self.free.remove(&granted);
        if self.taken.insert(granted) {
            self.waiting.insert(granted);
        }
    }

    /// Releases a grant for another try, because the stream does not hold the claim. After a restart it stays taken.
    pub fn give_back(&mut self, granted: EventId) {
        if self.taken.contains(&granted) {
            self.free.insert(granted);
        }
    }

    /// Returns true if the record of a taken grant would survive a crash.
    #[must_use]
    pub fn is_durable(&self, granted: EventId) -> bool {
        let is_there = self.taken.contains(&granted) || self.is_below(granted);
        let on_its_way = self.waiting.contains(&granted) || self.writing.contains(&granted);
        is_there && !on_its_way && !self.is_broken
    }

    /// Returns true if nothing has to be written.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.writing.is_empty()
    }

    /// Returns true if a write failed and was not repaired yet.
    #[must_use]
    pub const fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// Returns the next write; one at a time. Report its end with [`Ledger::written`].
    pub fn next_write(&mut self) -> Option<Write> {
        if self.is_broken || self.waiting.is_empty() {
            return None;
        }
        if self.taken.len() > KEPT_MAX {
            return Some(self.replacement());
        }
        while self.writing.len() < BATCH_MAX
            && let Some(first) = self.waiting.pop_first()
        {
            self.writing.insert(first);
        }
        let records = self.writing.iter().map(|id| record(id.uuid().as_u128()));
        Some(Write::Add {
            at: self.length,
            bytes: records.flatten().collect(),
        })
    }

    /// Returns a write of the whole file, without the oldest records if there are too many: after a crash, after a
    /// failed write, and to keep the file small.
    pub fn replacement(&mut self) -> Write {
        while self.taken.len() > KEPT
            && let Some(oldest) = self.taken.pop_first()
        {
            self.floor = self.floor.max(Some(time(oldest)));
        }
        self.free.clear();
        self.writing.append(&mut self.waiting);
        let name = u128::from(u64::from_be_bytes(NAME)) << 64;
        let header = record(name | u128::from(self.floor.unwrap_or_default()));
        let records = self.taken.iter().map(|id| record(id.uuid().as_u128()));
        let bytes = [header].into_iter().chain(records).flatten();
        Write::Replace(bytes.collect())
    }

    /// Takes the result of a write; returns the grants whose records are durable from now on.
    pub fn written(&mut self, write: &Write, is_done: bool) -> BTreeSet<EventId> {
        self.is_broken = !is_done;
        let written = std::mem::take(&mut self.writing);
        if !is_done {
            // They stay taken: the next whole file has them.
            self.waiting.clear();
            return BTreeSet::new();
        }
        self.length = match write {
            Write::Add { at, bytes } => at + bytes.len() as u64,
            Write::Replace(bytes) => bytes.len() as u64,
        };
        written
    }

    /// Reads the ledger of a state folder, or creates one.
    ///
    /// # Errors
    /// [`Error::State`] if it is damaged or cannot be written, with the remedy.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(FILE);
        let state = |reason: String| Error::State {
            path: path.clone(),
            reason,
        };
        let (mut ledger, is_whole) = match fs::read(&path) {
            Ok(bytes) => {
                let parsed = Self::parse(&bytes);
                let (ledger, is_torn) = parsed.map_err(|damaged| {
                    state(format!(
                        "the ledger of claims cannot be trusted, {damaged}: put it back from a backup; without one, make \
                         sure that the stream is the one it was (`contractual audit verify`), then move it away"
                    ))
                })?;
                (ledger, !is_torn)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => (Self::default(), false),
            Err(error) => return Err(state(format!("{error}; make it readable"))),
        };
        if !is_whole {
            let write = ledger.replacement();
            perform(folder, &write)
                .map_err(|error| state(format!("{error}; free space or make it writable")))?;
            ledger.written(&write, true);
        }
        Ok(ledger)
    }
}

/// Writes to the ledger of a state folder; returns once it is durable.
///
/// # Errors
/// Returns the reason of a failed write; the file has to be replaced then.
pub fn perform(folder: &Path, write: &Write) -> io::Result<()> {
    let path = folder.join(FILE);
    match write {
        Write::Add { at, bytes } => {
            let file = OpenOptions::new().write(true).open(path)?;
            file.write_all_at(bytes, *at)?;
            file.sync_data()
        }
        Write::Replace(bytes) => {
            let temporary: PathBuf = folder.join(format!(".{FILE}.tmp"));
            let mut file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&temporary)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&temporary, &path)?;
            File::open(folder)?.sync_all()
        }
    }
}

/// Milliseconds since 1970 in a UUIDv7.
fn time(id: EventId) -> u64 {
    u64::try_from(id.uuid().as_u128() >> 80).unwrap_or(u64::MAX)
}

fn id_of(value: u128) -> EventId {
    EventId::new(uuid::Uuid::from_u128(value))
}

fn check(value: &[u8]) -> impl Iterator<Item = u8> + use<> {
    let digest = Digest::of(&[&NAME, value]);
    let bytes = *digest.as_bytes();
    bytes.into_iter().take(RECORD - CHECKED)
}

fn record(value: u128) -> impl Iterator<Item = u8> {
    let value = value.to_be_bytes();
    value.into_iter().chain(check(&value))
}

/// Returns the value of a record if it matches its checksum.
fn checked(record: &[u8]) -> Option<u128> {
    let (value, sum) = record.split_first_chunk::<CHECKED>()?;
    check(value)
        .eq(sum.iter().copied())
        .then(|| u128::from_be_bytes(*value))
}
