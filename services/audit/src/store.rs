//! The open log: kept between two rounds of storing, and opened again after a failed round.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use bus_schema::{Digest, Proof, Time};
use ed25519_dalek::SigningKey;

use crate::{Entry, Error, Log, Origin, Places, View};

/// The log, with everything that opening it needs.
pub(crate) struct Store {
    places: Places,
    origin: Origin,
    key: SigningKey,
    /// The open log; none after a failed write.
    log: Mutex<Option<Log>>,
    view: RwLock<Arc<View>>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("places", &self.places)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the log, or creates it if there is none.
    pub(crate) fn open(
        places: Places,
        origin: Origin,
        key: SigningKey,
        time_ns: i64,
    ) -> Result<Self, Error> {
        let log = match Log::open(&places, &origin, key.clone()) {
            Err(missing @ Error::NoCheckpoint { .. }) => {
                match Log::create(&places, &origin, key.clone(), time_ns) {
                    // One of the two checkpoints exists, so a log existed.
                    Err(Error::Exists { .. }) => return Err(missing),
                    created => created?,
                }
            }
            opened => opened?,
        };
        let view = log.view().ok_or(Error::Failed)?;
        Ok(Self {
            places,
            origin,
            key,
            log: Mutex::new(Some(log)),
            view: RwLock::new(Arc::new(view)),
        })
    }

    /// The view of the signed log.
    pub(crate) fn view(&self) -> Arc<View> {
        Arc::clone(&self.view.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The stored time of the last signed leaf.
    pub(crate) fn last_stored(view: &View) -> Result<Time, Error> {
        let (last, _) = view.entry(view.size() - 1)?;
        Ok(Time::from_ns(last.stored_ns))
    }

    /// Appends the entries that the log does not have yet and signs them. Blocks until they are durable.
    pub(crate) fn append(&self, entries: &[Arc<Entry>], time_ns: i64) -> Result<Arc<View>, Error> {
        let mut held = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let mut log = match held.take() {
            Some(log) => log,
            None => Log::open(&self.places, &self.origin, self.key.clone())?,
        };
        let known = entries.partition_point(|entry| entry.seq < log.size());
        log.append(entries.get(known..).unwrap_or_default())?;
        log.checkpoint(time_ns)?;
        let view = Arc::new(log.view().ok_or(Error::Failed)?);
        *held = Some(log);
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&view);
        Ok(view)
    }

    /// The proof of one message; none if the log does not reach that far.
    pub(crate) fn prove(&self, seq: u64) -> Option<Proof> {
        let view = self.view();
        if seq >= view.size() {
            return None;
        }
        let proven = view
            .entry(seq)
            .and_then(|(_, entry)| Ok((entry, view.prove(seq)?)));
        match proven {
            Ok((entry, proof)) => Some(Proof {
                entry,
                path: proof.hashes.into_iter().map(Digest::new).collect(),
                checkpoint: String::from_utf8_lossy(view.signed().note()).into_owned(),
            }),
            Err(error) => {
                tracing::error!(seq, "no proof: {}", actor::chain(&error));
                None
            }
        }
    }
}
