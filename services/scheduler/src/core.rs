//! Implements the scheduler without I/O: its jobs, the runs that are due, and the timers that wake it.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use actor::{Core, Key, Outbox};
use bus_schema::{
    Content, Deployment, Digest, Draft, JobName, JobOnRecord, RunCause, RunDue, Scheduler as Me,
    SchedulerFact, Sealed, Seen, Time,
};
use job::Job;

use crate::{
    inbox::{Documents, Inbox},
    plan,
    runs::Runs,
    triggers::{PendingTrigger, TriggerMessage},
};

/// Largest number of runs that are appended together.
const DRAFTS_AT_ONCE: usize = 64;
/// The time after its moment at which a timer that did not fire is replaced by the own estimate of bus time.
pub const LATE_TIMER_MS: u64 = 1_000;

/// Work beside the core.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Fetch the document of a job.
    Fetch(Content),
    /// Set the timer of a job.
    SetTimer(JobName, Time),
    /// Wait for the next timer that fires.
    Listen,
    /// Wait for the next message from outside.
    ListenOutside,
    /// Acknowledge the message from outside at this place: it starts no more runs.
    Took(u64),
}

/// The result of work beside the core.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The document of a job; none if it was erased.
    Fetched(Content, Option<Vec<u8>>),
    /// The timer of a job is set.
    Set(JobName, Time),
    /// The timer of a job has fired: bus time has come this far.
    Fired(JobName, Time),
    /// A message from outside, and the same as it is stored for its runs.
    Triggered(TriggerMessage, Sealed),
    /// The message from outside at this place was acknowledged.
    Taken(u64),
    /// The timers are read.
    Listening,
    /// The timers cannot be read, with the reason.
    Deaf(String),
    /// The bus did not answer; the effect must be retried.
    NoAnswer(Effect),
}

/// The core of the scheduler.
#[derive(Debug, Default)]
pub struct SchedulerCore {
    runs: Runs,
    documents: Documents,
    /// The jobs that run after another one, by that one.
    followers: BTreeMap<JobName, BTreeSet<JobName>>,
    /// The timers that are set.
    timers: BTreeMap<JobName, Time>,
    /// The same, by time.
    by_time: BTreeSet<(Time, JobName)>,
    /// The bus time of the newest timer that fired.
    heard: Time,
    inbox: Inbox,
    /// The reason that the timers cannot be read.
    deaf: Option<String>,
    /// The jobs that may have something to do. All others wait for the record or for their timers.
    wishes: RefCell<BTreeSet<JobName>>,
}

impl SchedulerCore {
    /// The number of runs that have not ended.
    #[must_use]
    pub fn open(&self) -> usize {
        self.runs.open()
    }

    fn wish(&mut self, job: JobName) {
        self.wishes.get_mut().insert(job);
    }

    fn wish_all(&mut self) {
        let all = self.runs.jobs.iter();
        let all = all.map(|job| job.signed.job.clone());
        self.wishes.get_mut().extend(all);
    }

    fn drop_timer(&mut self, job: &JobName) {
        if let Some(at) = self.timers.remove(job) {
            self.by_time.remove(&(at, job.clone()));
        }
    }

    /// Adds the runs that are due, the fetches and the timer of a job. `false`: it waits for the record or its timer.
    fn serve(
        &self,
        name: &JobName,
        now: Time,
        drafts: &mut Vec<Draft<Me>>,
        out: &mut Outbox<'_, Self>,
    ) -> bool {
        let Some(record) = self.runs.job(name) else {
            return false;
        };
        if let Some(order) = self.runs.order(name) {
            let cause = RunCause::Ordered(order.id);
            drafts.push(run(record, cause).because(order.id));
            return true;
        }
        let document = record.signed.document;
        let job = match self.documents.get(&document) {
            Some(Some(job)) => job,
            Some(None) => return false,
            None => {
                let key = Key::Digest("document", *document.digest());
                out.effect(key, || Effect::Fetch(document));
                return true;
            }
        };
        let progress = self.runs.progress(name);
        let retry = self.runs.retry(job, record.signed.version);
        if let Some((at, failed)) = retry
            && at <= now
            && plan::may_retry(job, progress)
        {
            drafts.push(run(record, RunCause::Retried(failed)));
            return true;
        }
        if let Some(ended) = self.runs.followed(job, record)
            && plan::room(job, progress) > 0
        {
            drafts.push(run(record, RunCause::After(ended)));
            return true;
        }
        if let Some(start) = self.runs.started(job, record)
            && plan::room(job, progress) > 0
        {
            drafts.push(run(record, RunCause::Started(start)));
            return true;
        }
        let due = plan::due(job, record, progress, now);
        if !due.is_empty() {
            drafts.extend(
                due.into_iter()
                    .map(|slot| run(record, RunCause::Slot(slot))),
            );
            return true;
        }
        // A retry that waits for the end of a run comes with that end.
        let retry = retry.map(|(at, _)| at).filter(|at| *at > now);
        let next = job.next_due(now, record).into_iter().chain(retry).min();
        match next {
            Some(next) if self.timers.get(name) != Some(&next) => {
                let key = Key::Digest("timer", Digest::of(&[name.as_str().as_bytes()]));
                out.effect(key, || Effect::SetTimer(name.clone(), next));
                true
            }
            Some(_) | None => false,
        }
    }

    /// Adds the runs that messages from outside start, at most one of each job, and acknowledges messages that are done.
    fn serve_messages(&self, now: Time, drafts: &mut Vec<Draft<Me>>, out: &mut Outbox<'_, Self>) {
        // Every job whose document is not read waits for it here.
        let wishes = self.wishes.borrow();
        let most = DRAFTS_AT_ONCE.saturating_sub(drafts.len());
        let served = self
            .inbox
            .serve(&self.runs, &self.documents, wishes.iter(), (now, most));
        for seq in served.done(&self.inbox) {
            let key = Key::Digest("trigger", Digest::of(&[&seq.to_be_bytes()]));
            out.effect(key, || Effect::Took(seq));
        }
        served.wake.into_iter().for_each(|until| out.wake(until));
        drafts.extend(served.runs);
    }

    /// Returns the jobs whose timers should have fired, and asks to be called for the next one.
    fn overdue(&self, now: Time, out: &mut Outbox<'_, Self>) -> Vec<JobName> {
        let mut jobs = Vec::new();
        for (at, job) in &self.by_time {
            let late = at.plus_ms(LATE_TIMER_MS);
            if now < late {
                out.wake(late);
                break;
            }
            jobs.push(job.clone());
        }
        jobs
    }
}

/// The fact that a run of a job is due.
fn run(record: &JobOnRecord, cause: RunCause) -> Draft<Me> {
    let fact = RunDue {
        job: record.signed.job.clone(),
        version: record.signed.version,
        cause,
        messages: Vec::new(),
    };
    Draft::of(Deployment, fact)
}

impl Core for SchedulerCore {
    type Me = Me;
    type Fact = SchedulerFact;
    type State = Runs;
    type Effect = Effect;
    type Input = Input;

    fn state(&self) -> &Runs {
        &self.runs
    }

    fn restore(&mut self, state: Runs) {
        let deaf = self.deaf.take();
        *self = Self {
            runs: state,
            deaf,
            ..Self::default()
        };
        self.wish_all();
    }

    fn fold(&mut self, seen: Seen<SchedulerFact>) {
        let (meta, fact) = seen.into_parts();
        let before = match &fact {
            SchedulerFact::JobSigned(_, fact) => self.runs.jobs.get(&fact.job),
            SchedulerFact::ServiceStarted(..)
            | SchedulerFact::RosterChanged(..)
            | SchedulerFact::JobRevoked(..)
            | SchedulerFact::JobPaused(..)
            | SchedulerFact::JobResumed(..)
            | SchedulerFact::RunOrdered(..)
            | SchedulerFact::RunDue(..)
            | SchedulerFact::TriggerRefused(..)
            | SchedulerFact::TaskAdmitted(..)
            | SchedulerFact::TaskRejected(..)
            | SchedulerFact::TaskStopped(..)
            | SchedulerFact::TaskFinished(..) => None,
        };
        let before = before.map(|before| before.signed.document);
        if let SchedulerFact::TriggerRefused(_, fact) = &fact {
            self.inbox.refused.said(meta.stored, fact);
        }
        if before.is_some() {
            self.inbox.read_again();
        }
        let start = self.runs.last_start();
        let job = self.runs.fold(&meta, fact);
        if self.runs.last_start() != start {
            self.wish_all();
        }
        if let Some(job) = job {
            let replaced = self.runs.jobs.get(&job).map(|now| now.signed.document);
            if before.is_some() && before != replaced {
                self.documents.retain(|content, _| Some(*content) != before);
            }
            for follower in self.followers.get(&job).cloned().into_iter().flatten() {
                self.wish(follower);
            }
            self.wish(job);
        }
    }

    fn input(&mut self, input: Input) {
        match input {
            Input::Fetched(content, bytes) => {
                if let Some(name) = self.runs.named_by(&content) {
                    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
                    let job = text.and_then(|text| Job::parse(name.as_str(), &text).ok());
                    if job.is_none() {
                        tracing::error!(job = %name, "the document was erased or is no job; sign it again");
                    }
                    if let Some(job) = &job {
                        self.inbox.listen(job);
                    }
                    if let Some((other, _)) = job.as_ref().and_then(|job| job.when.after()) {
                        let followers = self.followers.entry(other.clone()).or_default();
                        followers.insert(name.clone());
                    }
                    self.documents.insert(content, job);
                    self.wish(name);
                }
            }
            Input::Set(job, at) => {
                self.drop_timer(&job);
                self.timers.insert(job.clone(), at);
                self.by_time.insert((at, job.clone()));
                self.wish(job);
            }
            Input::Fired(job, stored) => {
                self.heard = self.heard.max(stored);
                if self.timers.get(&job).is_some_and(|at| *at <= stored) {
                    self.drop_timer(&job);
                }
                self.wish(job);
            }
            Input::Triggered(message, sealed) => {
                self.inbox.insert(PendingTrigger { message, sealed });
            }
            Input::Taken(seq) => self.inbox.remove(seq),
            Input::Listening => self.deaf = None,
            Input::Deaf(why) => self.deaf = Some(why),
            Input::NoAnswer(_) => {}
        }
    }

    fn next(&self, out: &mut Outbox<'_, Self>) {
        out.effect(Key::Once("timers"), || Effect::Listen);
        if !self.inbox.is_full() {
            out.effect(Key::Once("triggers"), || Effect::ListenOutside);
        }
        let now = out.now().max(self.heard);
        let late = self.overdue(now, out);
        self.wishes.borrow_mut().extend(late);
        if !out.idle(None) {
            return;
        }
        let mut drafts = Vec::new();
        self.wishes.borrow_mut().retain(|name| {
            drafts.len() >= DRAFTS_AT_ONCE || self.serve(name, now, &mut drafts, out)
        });
        self.serve_messages(now, &mut drafts, out);
        drafts.extend(self.inbox.refused.draft(now, out));
        out.append_all(drafts);
    }

    fn trouble(&self) -> Option<&str> {
        self.deaf.as_deref()
    }
}
