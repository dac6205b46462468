//! The projection: the state that an actor keeps between restarts. Losing it costs only a replay.

use std::path::{Path, PathBuf};

use bus_schema::{Digest, Verifier, wire};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::Error;

/// The version of the stored state; a projection of another version is rebuilt.
const VERSION: u32 = 5;
const SNAPSHOT: &[u8] = b"snapshot";
/// The memory of the store's cache; a snapshot is written and read only once.
const CACHE_BYTES: u64 = 1 << 20;

/// The position of a fold in the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Position {
    /// The last message that was folded; 0 before the first.
    pub(crate) seq: u64,
    /// SHA-256 of its stored time, subject and body: another stream, or a restored one, has another message there;
    /// a copy of its bytes has another time.
    pub(crate) digest: Digest,
}

impl Position {
    pub(crate) const START: Self = Self {
        seq: 0,
        digest: Digest::ZERO,
    };
}

#[derive(Serialize)]
struct StoredFrom<'a, S> {
    version: u32,
    reads: Digest,
    position: Position,
    verifier: &'a Verifier,
    state: &'a S,
}

#[derive(Deserialize)]
struct StoredSnapshot<S> {
    version: u32,
    reads: Digest,
    position: Position,
    verifier: Verifier,
    state: S,
}

/// A stored snapshot.
pub(crate) struct Snapshot<S> {
    pub(crate) position: Position,
    pub(crate) verifier: Verifier,
    pub(crate) state: S,
}

/// The store of one actor's projection.
pub(crate) struct Projection {
    store: sled::Db,
    folder: PathBuf,
    /// The digest of the list of facts that it folds: another list makes another state.
    reads: Digest,
}

impl Projection {
    pub(crate) fn open(folder: &Path, reads: Digest) -> Result<Self, Error> {
        let broken = |reason: String| Error::State {
            path: folder.to_owned(),
            reason,
        };
        let config = sled::Config::new()
            .path(folder)
            .cache_capacity(CACHE_BYTES)
            .flush_every_ms(None);
        let store = config.open().map_err(|error| {
            broken(format!(
                "{error}; free space, make it writable, or delete it: it is rebuilt from the stream"
            ))
        })?;
        Ok(Self {
            store,
            folder: folder.to_owned(),
            reads,
        })
    }

    /// Loads the snapshot, if it is of this version and these facts; an unreadable one counts as missing.
    pub(crate) fn load<S: DeserializeOwned>(&self) -> Option<Snapshot<S>> {
        let bytes = self.store.get(SNAPSHOT).ok().flatten()?;
        let kept: StoredSnapshot<S> = rmp_serde::from_slice(&bytes).ok()?;
        let same = kept.version == VERSION && kept.reads == self.reads;
        same.then_some(Snapshot {
            position: kept.position,
            verifier: kept.verifier,
            state: kept.state,
        })
    }

    /// Stores a value beside the snapshot; returns once it is durable.
    pub(crate) fn keep<T: Serialize>(&self, name: &str, value: &T) -> Result<(), Error> {
        let bytes = wire::encode(value);
        let kept = self.store.insert(name.as_bytes(), bytes);
        let kept = kept.and_then(|_| self.store.flush());
        kept.map(drop)
            .map_err(|error| self.broken(format!("{error}; free space or make it writable")))
    }

    /// Returns a value that was stored beside the snapshot; none if there is none.
    ///
    /// # Errors
    /// [`Error::State`] if it is there and cannot be read.
    pub(crate) fn kept<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Error> {
        let unread = |error: String| {
            self.broken(format!(
                "the stored `{name}` cannot be read ({error}); restore the folder from a backup"
            ))
        };
        let bytes = self.store.get(name.as_bytes());
        let bytes = bytes.map_err(|error| unread(error.to_string()))?;
        let read = bytes.map(|bytes| rmp_serde::from_slice(&bytes)).transpose();
        read.map_err(|error| unread(error.to_string()))
    }

    fn broken(&self, reason: String) -> Error {
        Error::State {
            path: self.folder.clone(),
            reason,
        }
    }

    /// Stores a snapshot; returns once it is durable.
    pub(crate) fn save<S: Serialize>(
        &self,
        position: Position,
        verifier: &Verifier,
        state: &S,
    ) -> Result<(), Error> {
        let written = StoredFrom {
            version: VERSION,
            reads: self.reads,
            position,
            verifier,
            state,
        };
        let saved = self
            .store
            .insert(SNAPSHOT, wire::encode(&written))
            .and_then(|_| self.store.flush());
        saved
            .map(drop)
            .map_err(|error| self.broken(format!("{error}; free space or make it writable")))
    }
}
