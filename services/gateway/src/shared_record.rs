//! The copy of the record that HTTP requests read, with its change notifications and pending submissions.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicBool, Ordering},
    },
};

use bus_schema::{Digest, GatewayFact, Meta, Signed, TaskId, wire};
use tokio::sync::watch;

use crate::{
    owner_words::SignedBody,
    record::{Line, Record, answer_key},
};

/// The shared copy: the core writes it after each fold, and requests read it.
#[derive(Debug)]
pub struct SharedRecord {
    record: RwLock<Record>,
    newest: watch::Sender<u64>,
    caught_up: AtomicBool,
    /// The submissions that are not yet in the record.
    pending: Mutex<BTreeSet<Digest>>,
}

impl SharedRecord {
    /// An empty record.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            record: RwLock::default(),
            newest: watch::Sender::new(0),
            caught_up: AtomicBool::new(false),
            pending: Mutex::default(),
        })
    }

    /// The current record.
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Record> {
        self.record.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The sequence number of the last fold; changes with every fold.
    pub(crate) fn newest(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    /// Returns true if the stream was read to its end since the start.
    pub(crate) fn is_caught_up(&self) -> bool {
        self.caught_up.load(Ordering::Acquire)
    }

    pub(crate) fn catch_up(&self) {
        self.caught_up.store(true, Ordering::Release);
    }

    /// Replaces the record; the stream must be read again from its position.
    pub(crate) fn replace(&self, record: Record) {
        self.caught_up.store(false, Ordering::Release);
        *self.record.write().unwrap_or_else(PoisonError::into_inner) = record;
        self.newest.send_modify(|_| {});
    }

    /// Keeps the bytes of an event of the owner.
    pub(crate) fn keep(&self, seq: u64, fact: &GatewayFact, word: SignedBody) {
        let mut record = self.record.write().unwrap_or_else(PoisonError::into_inner);
        record.words.keep(seq, fact, word);
    }

    pub(crate) fn take(&self, meta: &Meta, fact: &GatewayFact, line: Option<Line>) {
        self.record
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .take(meta, fact, line);
        match fact {
            GatewayFact::TaskSubmitted(task, _) => self.settle(&task_key(*task)),
            GatewayFact::ApprovalCarried(_, carried) => {
                self.settle(&answer_key(carried));
            }
            GatewayFact::SessionCalled(task, called) => {
                self.settle(&call_key(*task, &called.statement));
            }
            GatewayFact::SessionEnded(task, ended) => {
                self.settle(&call_key(*task, &ended.statement));
            }
            GatewayFact::TaskSaid(task, said) => {
                self.settle(&call_key(*task, &said.statement));
            }
            GatewayFact::ContractAnswered(task, answered) => {
                self.settle(&call_key(*task, &answered.statement));
            }
            GatewayFact::RosterChanged(..)
            | GatewayFact::ContractRequested(..)
            | GatewayFact::DeviceEndorsed(..)
            | GatewayFact::DeviceRevoked(..)
            | GatewayFact::ContractSigned(..)
            | GatewayFact::TaskCancelled(..)
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

    /// Reserves `key` for one request; none if it is reserved or a submission with it is pending.
    pub(crate) fn reserve(&self, key: Digest) -> Option<Reserved<'_>> {
        let fresh = self
            .pending
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key);
        fresh.then_some(Reserved {
            shared_record: self,
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

/// The key that reserves a task's id.
pub(crate) fn task_key(task: TaskId) -> Digest {
    Digest::of(&[b"task", task.uuid().as_bytes()])
}

/// The key that reserves a statement of a session.
pub(crate) fn call_key(task: TaskId, statement: &Signed) -> Digest {
    Digest::of(&[b"call", task.uuid().as_bytes(), &wire::encode(statement)])
}

/// A reservation for a single submission; dropping it releases the key unless it was sent.
#[derive(Debug)]
pub(crate) struct Reserved<'a> {
    shared_record: &'a SharedRecord,
    key: Digest,
    sent: bool,
}

impl Reserved<'_> {
    /// Marks the submission as sent: only its arrival in the stream releases the key.
    pub(crate) fn sent(mut self) {
        self.sent = true;
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        if !self.sent {
            self.shared_record.settle(&self.key);
        }
    }
}
