//! Holds the messages from outside until each job that they are about has taken them or passed over them.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use bus_schema::{
    Content, Deployment, Digest, Draft, JobName, JobOnRecord, MessageRefusal, RunCause, RunDue,
    Salt, Scheduler as Me, Sealed, Time, batch_key,
};
use job::{BATCH_BYTES_MAX, Batch, Job, NotTaken, batch_of};

use crate::{
    refused::RefusedMessages,
    runs::Runs,
    triggers::{PendingTrigger, Taken, TakenMessage, ready},
};

/// Largest number of messages from outside in memory; more wait in their stream.
const TRIGGERS_MAX: usize = 64;

/// The documents of jobs that were read; none for those that were erased or are no jobs.
pub(crate) type Documents = BTreeMap<Content, Option<Job>>;

/// The messages from outside that are not done.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    /// By their places.
    pending: BTreeMap<u64, PendingTrigger>,
    /// The jobs that passed over messages.
    passed: RefCell<BTreeSet<(u64, JobName)>>,
    /// The messages as jobs take them, or the reason against it.
    taken: RefCell<BTreeMap<(u64, JobName), Result<TakenMessage, NotTaken>>>,
    /// The jobs that wait for messages, by the messages' source and name.
    listeners: BTreeMap<String, BTreeSet<JobName>>,
    pub(crate) refused: RefusedMessages,
}

/// The runs that messages start, and what became of the messages.
#[derive(Debug, Default)]
pub(crate) struct Served {
    /// At most one for each job.
    pub(crate) runs: Vec<Draft<Me>>,
    /// The places of the messages that a job waits with.
    open: BTreeSet<u64>,
    /// The first time at which one runs that waits.
    pub(crate) wake: Option<Time>,
}

/// A message that a job takes and has not run.
struct Waiting<'i> {
    seq: u64,
    pending: &'i PendingTrigger,
    taken: TakenMessage,
}

/// A run that messages start.
struct Ready {
    key: Digest,
    /// The keys of its messages, if the job takes several together.
    messages: Vec<Digest>,
    sealed: Sealed,
}

impl Ready {
    /// The fact that the run is due.
    fn of(self, record: &JobOnRecord) -> Draft<Me> {
        let body = self.sealed.content();
        let fact = RunDue {
            job: record.signed.job.clone(),
            version: record.signed.version,
            cause: RunCause::Triggered {
                key: self.key,
                body,
            },
            messages: self.messages,
        };
        Draft::of(Deployment, fact).with(self.sealed)
    }
}

impl Served {
    /// Returns the places of the messages that are done.
    pub(crate) fn done(&self, inbox: &Inbox) -> Vec<u64> {
        let all = inbox.pending.keys().copied();
        all.filter(|seq| !self.open.contains(seq)).collect()
    }

    fn waits(&mut self, of: &[Waiting<'_>], until: Option<Time>) {
        self.open.extend(of.iter().map(|one| one.seq));
        self.wake = self.wake.into_iter().chain(until).min();
    }
}

impl Inbox {
    /// Returns true if no further message is taken into memory.
    pub(crate) fn is_full(&self) -> bool {
        self.pending.len() >= TRIGGERS_MAX
    }

    pub(crate) fn insert(&mut self, one: PendingTrigger) {
        self.pending.entry(one.message.seq).or_insert(one);
    }

    /// Forgets a message that was acknowledged.
    pub(crate) fn remove(&mut self, seq: u64) {
        self.pending.remove(&seq);
        self.passed.get_mut().retain(|(of, _)| *of != seq);
        self.taken.get_mut().retain(|(of, _), _| *of != seq);
    }

    /// Notes the messages that a job waits for.
    pub(crate) fn listen(&mut self, job: &Job) {
        if let Some(subject) = job.when.trigger() {
            let listeners = self.listeners.entry(subject.to_owned()).or_default();
            listeners.insert(job.name.clone());
        }
    }

    /// Forgets how jobs take messages: another version may take them in another way.
    pub(crate) fn read_again(&mut self) {
        self.taken.get_mut().clear();
    }

    /// Returns the runs that are due by messages, at most `most`. `unread` are the jobs whose documents are fetched.
    pub(crate) fn serve<'j>(
        &'j self,
        runs: &Runs,
        documents: &Documents,
        unread: impl Iterator<Item = &'j JobName>,
        (now, most): (Time, usize),
    ) -> Served {
        let mut served = Served::default();
        if self.pending.is_empty() {
            return served;
        }
        let subjects = self.pending.values().map(|one| &one.message.subject);
        let subjects: BTreeSet<_> = subjects.collect();
        let listeners = subjects.iter().filter_map(|of| self.listeners.get(*of));
        let jobs: BTreeSet<_> = listeners.flatten().chain(unread).collect();
        for record in jobs.into_iter().filter_map(|name| runs.job(name)) {
            match documents.get(&record.signed.document) {
                // It may be about any of them.
                None => served.open.extend(self.pending.keys()),
                Some(None) => {}
                Some(Some(job)) => {
                    let waiting = self.waiting(runs, job, record);
                    let full = served.runs.len() >= most;
                    let run = match job.messages.batch {
                        None => self.one_by_one(runs, job, &waiting, now, &mut served),
                        Some(batch) => self.together(runs, (job, batch), waiting, now, &mut served),
                    };
                    let run = run.filter(|_| !full);
                    served.runs.extend(run.map(|run| run.of(record)));
                }
            }
        }
        served
    }

    /// Returns the messages that a job takes and has not run, in their order.
    fn waiting(&self, runs: &Runs, job: &Job, record: &JobOnRecord) -> Vec<Waiting<'_>> {
        let mut waiting = Vec::new();
        for (seq, pending) in &self.pending {
            let place = (*seq, job.name.clone());
            if !pending.is_about(job, record) || self.passed.borrow().contains(&place) {
                continue;
            }
            let mut known = self.taken.borrow_mut();
            let taken = known.entry(place).or_insert_with(|| pending.taken(job));
            match taken {
                Ok(taken) => {
                    let body = pending.sealed.content();
                    let cause = RunCause::Triggered {
                        key: taken.key,
                        body,
                    };
                    if !runs.was_triggered(record, cause) {
                        let (seq, taken) = (*seq, taken.clone());
                        waiting.push(Waiting {
                            seq,
                            pending,
                            taken,
                        });
                    }
                }
                Err(NotTaken::Other) => {}
                Err(NotTaken::Shape) => self.refuse(job, *seq, pending, MessageRefusal::Shape),
            }
        }
        waiting
    }

    /// Decides about each message by itself, and returns the first one that runs.
    fn one_by_one(
        &self,
        runs: &Runs,
        job: &Job,
        waiting: &[Waiting<'_>],
        now: Time,
        served: &mut Served,
    ) -> Option<Ready> {
        // Those that a later one takes the place of: with a key, only of an equal one.
        let mut later = BTreeSet::new();
        let mut replaced = BTreeSet::new();
        for one in waiting.iter().rev() {
            let of = job.messages.key.as_ref().map(|_| one.taken.key);
            if !later.insert(of) {
                replaced.insert(one.seq);
            }
        }
        let (mut earlier, mut run) = (0_usize, None);
        for one in waiting {
            let is_replaced = replaced.contains(&one.seq);
            let taken = one.pending.debounced(job, is_replaced, now);
            let taken = taken.unwrap_or_else(|| ready(runs, job, earlier, now));
            let of = std::slice::from_ref(one);
            if self.settle(job, of, taken, served) {
                earlier = earlier.saturating_add(1);
            }
            if taken == Taken::Runs && run.is_none() {
                run = Some(Ready {
                    key: one.taken.key,
                    messages: Vec::new(),
                    sealed: one.pending.sealed.clone(),
                });
            }
        }
        run
    }

    /// Decides about the messages that one run takes together, and returns the first ones that run.
    fn together(
        &self,
        runs: &Runs,
        (job, batch): (&Job, Batch),
        waiting: Vec<Waiting<'_>>,
        now: Time,
        served: &mut Served,
    ) -> Option<Ready> {
        let (mut earlier, mut run) = (0_usize, None);
        for (is_complete, of) in batches(batch, waiting, served) {
            let first = of.first().map(|one| one.pending.message.stored);
            let until = first.unwrap_or_default().plus_ms(batch.wait_ms);
            let taken = if is_complete || now >= until || self.is_full() {
                ready(runs, job, earlier, now)
            } else {
                Taken::Waits(Some(until))
            };
            if self.settle(job, &of, taken, served) {
                earlier = earlier.saturating_add(1);
            }
            if taken == Taken::Runs && run.is_none() {
                let messages: Vec<_> = of.iter().map(|one| one.taken.key).collect();
                run = sealed(&of).map(|sealed| Ready {
                    key: batch_key(&messages),
                    messages,
                    sealed,
                });
            }
        }
        run
    }

    /// Notes what a job does with messages. Returns true if they wait for their run.
    fn settle(&self, job: &Job, of: &[Waiting<'_>], taken: Taken, served: &mut Served) -> bool {
        match taken {
            Taken::Passed => {
                let all = of.iter().map(|one| (one.seq, job.name.clone()));
                self.passed.borrow_mut().extend(all);
                false
            }
            Taken::Refused(why) => {
                for one in of {
                    self.refuse(job, one.seq, one.pending, why);
                }
                false
            }
            Taken::Waits(until) => {
                served.waits(of, until);
                true
            }
            Taken::Runs => {
                served.waits(of, None);
                true
            }
        }
    }

    fn refuse(&self, job: &Job, seq: u64, pending: &PendingTrigger, why: MessageRefusal) {
        self.passed.borrow_mut().insert((seq, job.name.clone()));
        self.refused.add(&job.name, why, pending.message.stored);
    }
}

/// Divides messages into those of one run each, in their order, and says whether each has as many as it may. Those that fill slots
/// with other values are others. One with the key of an earlier one waits for the run of that one.
fn batches<'i>(
    batch: Batch,
    waiting: Vec<Waiting<'i>>,
    served: &mut Served,
) -> Vec<(bool, Vec<Waiting<'i>>)> {
    let mut all: Vec<(bool, Vec<Waiting<'i>>)> = Vec::new();
    let mut keys = BTreeSet::new();
    for one in waiting {
        if !keys.insert(one.taken.key) {
            served.open.insert(one.seq);
            continue;
        }
        let is_open = |(is_complete, of): &&mut (bool, Vec<Waiting<'_>>)| {
            let slots = of.first().map(|first| &first.taken.slots);
            !is_complete && slots == Some(&one.taken.slots)
        };
        if let Some((is_complete, of)) = all.iter_mut().find(is_open) {
            let bytes = of.iter().chain([&one]).map(|of| of.pending.sealed.bytes());
            let bytes: usize = bytes.map(<[u8]>::len).sum();
            if bytes <= BATCH_BYTES_MAX {
                of.push(one);
                *is_complete = of.len() >= usize::from(batch.messages);
                continue;
            }
            *is_complete = true;
        }
        all.push((false, vec![one]));
    }
    all
}

/// Returns the bodies of messages as one content. Its salt follows from theirs, so the same messages are the same content.
fn sealed(of: &[Waiting<'_>]) -> Option<Sealed> {
    let bodies = of.iter().map(|one| one.pending.sealed.bytes());
    let bodies: Vec<_> = bodies.collect();
    let salts: Vec<_> = of.iter().map(|one| one.pending.sealed.salt()).collect();
    let mut parts: Vec<&[u8]> = vec![b"batch"];
    parts.extend(salts.iter().map(|salt| salt.as_bytes().as_slice()));
    let salt = Salt::new(*Digest::of(&parts).as_bytes());
    Sealed::new(salt, &batch_of(&bodies)).ok()
}
