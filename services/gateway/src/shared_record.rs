//! The copy of the record that the HTTP side reads, and what it waits for.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicBool, Ordering},
    },
};

use bus_schema::{Digest, GatewayFact, Meta, TaskId};
use tokio::sync::watch;

use crate::record::{Line, Record, statement_digest};

/// Written by the core after each fold, read by every request.
#[derive(Debug)]
pub struct SharedRecord {
    record: RwLock<Record>,
    newest: watch::Sender<u64>,
    caught_up: AtomicBool,
    /// What is on its way to the bus and not yet in the record.
    pending: Mutex<BTreeSet<Digest>>,
}

impl SharedRecord {
    /// An empty one.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            record: RwLock::default(),
            newest: watch::Sender::new(0),
            caught_up: AtomicBool::new(false),
            pending: Mutex::default(),
        })
    }

    /// The record as it is now.
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Record> {
        self.record.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes with every fold, to the place in the stream that was folded.
    pub(crate) fn newest(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    /// Whether the stream was read up to its end since the start.
    pub(crate) fn is_caught_up(&self) -> bool {
        self.caught_up.load(Ordering::Acquire)
    }

    pub(crate) fn catch_up(&self) {
        self.caught_up.store(true, Ordering::Release);
    }

    /// Puts another record in place; the stream has to be read again from there.
    pub(crate) fn replace(&self, record: Record) {
        self.caught_up.store(false, Ordering::Release);
        *self.record.write().unwrap_or_else(PoisonError::into_inner) = record;
        self.newest.send_modify(|_| {});
    }

    pub(crate) fn take(&self, meta: &Meta, fact: &GatewayFact, line: Option<Line>) {
        self.record
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .take(meta, fact, line);
        match fact {
            GatewayFact::TaskSubmitted(task, _) => self.settle(&task_key(*task)),
            GatewayFact::ApprovalCarried(_, carried) => {
                self.settle(&statement_digest(&carried.statement));
            }
            GatewayFact::RosterChanged(..)
            | GatewayFact::TaskAdmitted(..)
            | GatewayFact::TaskRejected(..)
            | GatewayFact::TaskFinished(..)
            | GatewayFact::ActionProposed(..)
            | GatewayFact::ActionGranted(..)
            | GatewayFact::ActionRefused(..)
            | GatewayFact::ApprovalRequested(..)
            | GatewayFact::ApprovalRefused(..)
            | GatewayFact::ActionStarted(..)
            | GatewayFact::ActionFinished(..)
            | GatewayFact::ActionDeclined(..)
            | GatewayFact::ActionExpired(..)
            | GatewayFact::HaltOrdered(..)
            | GatewayFact::HaltLifted(..) => {}
        }
        self.newest.send_replace(meta.seq);
    }

    /// Holds `key` for one request; none if another one holds it, or it is on its way.
    pub(crate) fn reserve(&self, key: Digest) -> Option<Reserved<'_>> {
        let fresh = self
            .pending
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key);
        fresh.then_some(Reserved {
            shelf: self,
            key,
            sent: false,
        })
    }

    fn settle(&self, key: &Digest) {
        self.pending
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(key);
    }
}

/// What a task's id is reserved by.
pub(crate) fn task_key(task: TaskId) -> Digest {
    Digest::of(&[b"task", task.uuid().as_bytes()])
}

/// A hold on something that may be handed in once; let go unless it was sent.
#[derive(Debug)]
pub(crate) struct Reserved<'a> {
    shelf: &'a SharedRecord,
    key: Digest,
    sent: bool,
}

impl Reserved<'_> {
    /// It is on its way: only its arrival in the stream lets go of it.
    pub(crate) fn sent(mut self) {
        self.sent = true;
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        if !self.sent {
            self.shelf.settle(&self.key);
        }
    }
}
