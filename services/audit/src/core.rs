//! The core: decides which messages audit stores and which heads it publishes.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use actor::{Core, Key, Outbox};
use bus_schema::{
    Audit, AuditFact, AuthorId, CheckpointSigned, Deployment, DeploymentId, Digest, Draft,
    Event as _, Head, Junk, Meta, Raw, Seen, ServiceStarted, Time,
};
use serde::{Deserialize, Serialize};

use crate::peek::{is, roster};
use crate::recovery::Broken;
use crate::repair::SHORTER;
use crate::{Entry, Leaves, Verdict, View};

/// The maximum number of messages that wait for the log; reading pauses at this number.
pub const WAITING_MAX: usize = 8_192;
/// The maximum size of the messages that wait for the log.
pub const WAITING_BYTES_MAX: usize = 32 << 20;
/// The number of waiting messages that triggers storing; fewer wait for the end of the second. Policy grants nothing
/// while the log is more than 1,000 messages behind, so under load this number keeps policy running.
pub const STORE_AT: usize = 256;
/// The minimum bus time between two `checkpoint.signed`.
pub const CHECKPOINT_EVERY_MS: u64 = 10_000;

const RETRY: Duration = Duration::from_millis(500);
const RETRY_MAX: Duration = Duration::from_secs(30);

/// The state that audit keeps across restarts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The sequence number of the last message.
    seq: u64,
    deployment: Option<DeploymentId>,
    /// The sequence number of the last message that is not audit's own `checkpoint.signed`.
    news: u64,
    claimed: Option<Claimed>,
}

/// The last `checkpoint.signed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Claimed {
    size: u64,
    root: Digest,
    stored: Time,
}

/// The effects that the core requests.
#[derive(Debug)]
pub enum Effect {
    /// Appends entries to the log and signs it.
    Store {
        /// The entries; entries that the log already has are skipped.
        entries: Vec<Arc<Entry>>,
        /// The backoff after a failed attempt.
        pause: Duration,
        /// The reading, returned in [`Input::Stored`].
        reading: u64,
    },
    /// Publishes a head.
    Say(Head),
}

/// The inputs of the core.
#[derive(Debug)]
pub enum Input {
    /// A second has passed.
    Second,
    /// The log is signed.
    Stored {
        /// The view of the signed log.
        view: Arc<View>,
        /// The stored time of its last leaf.
        stored: Time,
        /// The reading from [`Effect::Store`].
        reading: u64,
    },
    /// The log was not written; the text states what to do next.
    Failed(String),
    /// The head was published.
    Said,
}

#[derive(Debug)]
struct Failed {
    sentence: String,
    times: u32,
}

/// The core of audit.
#[derive(Debug)]
pub struct AuditCore {
    deployment: DeploymentId,
    state: State,
    view: Arc<View>,
    /// Stored time of the last leaf that the view covers.
    stored: Time,
    /// The entries after the view.
    waiting: VecDeque<Arc<Entry>>,
    waiting_bytes: usize,
    leaves: Option<Leaves>,
    /// The number of restarts of the reading.
    reading: u64,
    caught_up: bool,
    /// True if the log matches the last `checkpoint.signed`.
    confirmed: bool,
    store_due: bool,
    head_due: bool,
    /// The last start of policy: policy grants nothing until it receives a head that covers its start.
    hailed: u64,
    failed: Option<Failed>,
    /// The reason why log and stream disagree, and what to do next.
    broken: Option<String>,
}

impl AuditCore {
    /// A core for an open log, whose last leaf has the bus time `stored`.
    #[must_use]
    pub fn new(deployment: DeploymentId, view: Arc<View>, stored: Time) -> Self {
        Self {
            deployment,
            state: State::default(),
            view,
            stored,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            leaves: None,
            reading: 0,
            caught_up: false,
            confirmed: false,
            store_due: false,
            head_due: false,
            hailed: 0,
            failed: None,
            broken: None,
        }
    }

    fn fail(&mut self, broken: &Broken) {
        if self.broken.is_some() {
            return;
        }
        tracing::error!("{broken}");
        self.broken = Some(broken.to_string());
        self.waiting.clear();
        self.waiting_bytes = 0;
    }

    /// Returns true if the stream that was read ends before the log.
    fn is_behind(&self) -> bool {
        self.state.seq + 1 < self.view.size()
    }

    /// Adds the next message to the waiting entries, or compares it with the log.
    fn log(&mut self, entry: Entry) {
        let seq = entry.seq;
        let size = self.view.size();
        if seq < size {
            match self.agrees(&entry) {
                Ok(true) => {}
                Ok(false) => self.fail(&Broken::Disagree(seq)),
                Err(error) => self.fail(&Broken::Unreadable(actor::chain(&error))),
            }
        } else if u64::try_from(self.waiting.len()).ok() == Some(seq - size) {
            self.waiting_bytes += entry.bytes();
            self.waiting.push_back(Arc::new(entry));
        } else {
            self.fail(&Broken::Disagree(seq));
        }
    }

    fn agrees(&mut self, entry: &Entry) -> Result<bool, crate::Error> {
        let hash = entry.leaf_hash();
        if let Some(found) = self.leaves.as_ref().and_then(|tile| tile.get(entry.seq)) {
            return Ok(found == hash);
        }
        let tile = self.view.leaves(entry.seq)?;
        let same = tile.get(entry.seq) == Some(&hash);
        self.leaves = Some(tile);
        Ok(same)
    }

    /// Compares the log with the last `checkpoint.signed`, once the log reaches that far.
    fn confirm(&mut self) {
        let reached = |claimed: &Claimed| (1..=self.view.size()).contains(&claimed.size);
        match self.state.claimed {
            None => self.confirmed = true,
            Some(claimed) if reached(&claimed) => match self.view.root_at(claimed.size) {
                Ok(root) if root == *claimed.root.as_bytes() => self.confirmed = true,
                Ok(_) => self.fail(&Broken::LogReplaced(claimed.size)),
                Err(error) => self.fail(&Broken::Unreadable(actor::chain(&error))),
            },
            Some(_) => self.confirmed = false,
        }
    }

    fn on_stored(&mut self, view: Arc<View>, stored: Time, reading: u64) {
        self.view = view;
        self.stored = stored;
        self.leaves = None;
        self.failed = None;
        self.store_due = false;
        self.head_due = true;
        while let Some(entry) = self
            .waiting
            .pop_front_if(|entry| entry.seq < self.view.size())
        {
            self.waiting_bytes = self.waiting_bytes.saturating_sub(entry.bytes());
            // The stored entries came from an earlier reading.
            if reading != self.reading && !self.agrees(&entry).unwrap_or(false) {
                self.fail(&Broken::Disagree(entry.seq));
            }
        }
        if !self.confirmed {
            self.confirm();
        }
    }

    /// The entries to store now, as [`Effect::Store`].
    #[must_use]
    pub fn to_store(&self) -> Option<Effect> {
        let hailed = self.hailed >= self.view.size();
        let due = self.store_due || hailed || self.waiting.len() >= STORE_AT || !self.ready();
        due.then(|| self.store()).flatten()
    }

    /// The waiting entries, as [`Effect::Store`].
    fn store(&self) -> Option<Effect> {
        if self.waiting.is_empty() || self.broken.is_some() {
            return None;
        }
        let pause = self.failed.as_ref().map_or(Duration::ZERO, |failed| {
            (RETRY * 2_u32.saturating_pow(failed.times.min(16))).min(RETRY_MAX)
        });
        Some(Effect::Store {
            entries: self.waiting.iter().cloned().collect(),
            pause,
            reading: self.reading,
        })
    }

    /// The head to publish now.
    #[must_use]
    pub fn to_say(&self) -> Option<Head> {
        (self.head_due && self.proves()).then(|| Head {
            size: self.view.size(),
            root: Digest::new(self.view.signed().root()),
            stored: self.stored,
        })
    }

    /// Returns true if log and stream agree.
    fn proves(&self) -> bool {
        self.caught_up
            && self.confirmed
            && !self.is_behind()
            && self.failed.is_none()
            && self.broken.is_none()
    }

    fn claim(&self, out: &mut Outbox<'_, Self>) {
        let (size, last) = (self.view.size(), self.state.claimed);
        let covered = last.map_or(0, |claimed| claimed.size);
        // A `checkpoint.signed` alone must not cause another.
        let news = self.state.news >= covered && self.state.news > 0 && size > covered;
        if news && due(out, last.map(|claimed| claimed.stored)) {
            let root = Digest::new(self.view.signed().root());
            out.append(Draft::of(Deployment, CheckpointSigned { size, root }));
        }
    }
}

/// Returns true if enough bus time has passed since the last one; otherwise requests a wake-up.
fn due(out: &mut Outbox<'_, AuditCore>, since: Option<Time>) -> bool {
    let Some(at) = since.map(|since| since.plus_ms(CHECKPOINT_EVERY_MS)) else {
        return true;
    };
    if out.now() < at {
        out.wake(at);
    }
    out.now() >= at
}

impl Core for AuditCore {
    type Me = Audit;
    type Fact = AuditFact;
    type State = State;
    type Effect = Effect;
    type Input = Input;

    fn state(&self) -> &State {
        &self.state
    }

    fn restore(&mut self, state: State) {
        self.state = state;
        self.reading += 1;
        self.waiting.clear();
        self.waiting_bytes = 0;
        self.confirmed = false;
        if self.caught_up {
            self.confirm();
        }
        if let Some(other) = self.state.deployment.filter(|id| *id != self.deployment) {
            self.fail(&Broken::Deployment(other));
        }
    }

    fn fold(&mut self, fact: Seen<AuditFact>) {
        let (meta, fact) = fact.into_parts();
        let AuditFact::CheckpointSigned(_, fact) = fact;
        let CheckpointSigned { size, root } = *fact;
        self.state.claimed = Some(Claimed {
            size,
            root,
            stored: meta.stored,
        });
        self.confirmed = false;
        if self.caught_up {
            self.confirm();
        }
    }

    fn observe(&mut self, raw: &Raw<'_>, verdict: Result<&Meta, Junk>) {
        let expected = self.state.seq + 1;
        self.state.seq = raw.seq;
        match verdict {
            Ok(meta) => {
                if !is(CheckpointSigned::KIND, AuthorId::Audit, raw, meta) {
                    self.state.news = raw.seq;
                }
                if is(ServiceStarted::KIND, AuthorId::Policy, raw, meta) {
                    self.hailed = raw.seq;
                }
                if let Some(found) = roster(raw, meta) {
                    self.state.deployment = Some(found);
                    if found != self.deployment {
                        self.fail(&Broken::Deployment(found));
                    }
                }
            }
            Err(_) => self.state.news = raw.seq,
        }
        if raw.seq != expected {
            self.fail(&Broken::Disagree(expected));
        }
        if self.broken.is_none() {
            self.log(Entry::of(raw, Verdict::from(verdict)));
        }
    }

    fn input(&mut self, input: Input) {
        match input {
            Input::Second => {
                self.store_due = true;
                self.head_due = true;
            }
            Input::Stored {
                view,
                stored,
                reading,
            } => self.on_stored(view, stored, reading),
            Input::Failed(sentence) => {
                tracing::error!("{sentence}");
                let times = self.failed.as_ref().map_or(0, |failed| failed.times + 1);
                self.failed = Some(Failed { sentence, times });
            }
            Input::Said => self.head_due = false,
        }
    }

    fn next(&self, out: &mut Outbox<'_, Self>) {
        if let Some(store) = self.to_store() {
            out.effect(Key::Once("store"), || store);
        }
        if let Some(head) = self.to_say() {
            out.effect(Key::Once("head"), || Effect::Say(head));
        }
        if self.proves() {
            self.claim(out);
        }
    }

    fn finish(&self, out: &mut Outbox<'_, Self>) {
        // Folded messages that are not in the log would have to be read from the start again.
        if self.failed.is_none()
            && let Some(store) = self.store()
        {
            out.effect(Key::Once("store"), || store);
        }
    }

    fn accepts(&self, seq: u64) -> bool {
        seq < self.view.size()
    }

    fn caught_up(&mut self) {
        self.caught_up = true;
        self.store_due = true;
        self.head_due = true;
        if self.is_behind() {
            let (stream, log) = (self.state.seq, self.view.size() - 1);
            self.fail(&Broken::StreamShorter { stream, log });
        } else {
            self.confirm();
        }
    }

    fn ready(&self) -> bool {
        self.waiting.len() < WAITING_MAX && self.waiting_bytes < WAITING_BYTES_MAX
    }

    fn trouble(&self) -> Option<&str> {
        let failed = self.failed.as_ref();
        self.broken
            .as_deref()
            .or((self.caught_up && self.is_behind()).then_some(SHORTER))
            .or(failed.map(|failed| failed.sentence.as_str()))
    }
}
