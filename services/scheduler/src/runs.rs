//! Folds the facts about jobs and their runs.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bus_schema::{
    AuthorId, Content, DeploymentId, DeploymentStarts, EventId, JobName, JobOnRecord, Jobs, Meta,
    RunCause, RunDue, RunsOnRecord, SchedulerFact, TaskId, Time,
};
use job::{Job, Overlap, RATE_RUNS_MAX, When};
use serde::{Deserialize, Serialize};

/// The time for which runs of messages are remembered: eight days, a day longer than the messages.
const TRIGGERED_MS: u64 = 8 * 86_400_000;

/// The scheduler's state: the jobs on the record, and how far each of them is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Runs {
    deployment: Option<DeploymentId>,
    pub(crate) jobs: Jobs,
    progress: BTreeMap<JobName, Progress>,
    /// The starts of the deployment.
    starts: DeploymentStarts,
    /// The runs that go on, and those that failed.
    runs: RunsOnRecord,
    /// The owner's orders without a run, by their places in the stream.
    orders: BTreeMap<u64, Order>,
    /// The runs of other jobs after which a job has run.
    followed: BTreeSet<(JobName, TaskId)>,
    /// The runs that messages started, with the time of each: for longer than a message is kept.
    triggered: BTreeSet<TaskId>,
    /// The same, by time.
    triggered_at: BTreeSet<(Time, TaskId)>,
    /// The times of the last runs that messages started, oldest first.
    recent: BTreeMap<JobName, VecDeque<Time>>,
}

/// The progress of a job's runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Progress {
    /// The last slot that was due.
    pub(crate) last: Time,
    /// The number of open runs.
    pub(crate) open: usize,
    /// The start of the time in which it ran without a pause.
    pub(crate) busy_from: Time,
    /// The end of its last run.
    pub(crate) free: Time,
    /// The last start of the deployment that it ran after.
    start: Option<EventId>,
}

/// An order to run a job now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Order {
    pub(crate) id: EventId,
    job: JobName,
    version: u32,
    /// The run that it runs again.
    again: Option<TaskId>,
}

impl Runs {
    /// Returns how far the runs of a job are.
    pub(crate) fn progress(&self, job: &JobName) -> Progress {
        self.progress.get(job).copied().unwrap_or_default()
    }

    /// Returns the oldest order of a job without a run.
    pub(crate) fn order(&self, job: &JobName) -> Option<&Order> {
        let mut orders = self.orders.values();
        orders.find(|order| order.job == *job)
    }

    /// Returns true if a message with this key has started a run of the job.
    pub(crate) fn was_triggered(&self, record: &JobOnRecord, cause: RunCause) -> bool {
        self.deployment.is_some_and(|deployment| {
            let (job, version) = (&record.signed.job, record.signed.version);
            let task = TaskId::of_run(deployment, job, version, cause);
            self.triggered.contains(&task)
        })
    }

    /// Returns the first run of another job after which a job has to run.
    pub(crate) fn followed(&self, job: &Job, record: &JobOnRecord) -> Option<TaskId> {
        let (other, outcome) = job.when.after()?;
        let Progress {
            busy_from, free, ..
        } = self.progress(&job.name);
        let mut ended = self.runs.ended_runs();
        let found = ended.find(|(task, one)| {
            let passed = job.overlap == Overlap::Skip && busy_from < one.at && one.at <= free;
            let was = self.followed.contains(&(job.name.clone(), *task));
            one.job == *other && one.at > record.since && outcome.takes(one) && !passed && !was
        });
        found.map(|(task, _)| task)
    }

    /// Returns the last start of the deployment, if a job has to run after it.
    pub(crate) fn started(&self, job: &Job, record: &JobOnRecord) -> Option<EventId> {
        let (start, at) = self.starts.last().filter(|_| job.when == When::Start)?;
        let of = self.progress(&job.name);
        let passed = job.overlap == Overlap::Skip && of.busy_from < at && at <= of.free;
        (at > record.since && of.start != Some(start) && !passed).then_some(start)
    }

    /// Returns the last start of the deployment.
    pub(crate) fn last_start(&self) -> Option<EventId> {
        self.starts.last().map(|(start, _)| start)
    }

    /// Returns the number of runs of a job that messages started in the last `per_ms`.
    pub(crate) fn triggered_since(&self, job: &JobName, now: Time, per_ms: u64) -> usize {
        let recent = self.recent.get(job).into_iter().flatten().rev();
        recent.take_while(|at| now.ms_since(**at) < per_ms).count()
    }

    /// Returns a job of which `version` may run.
    pub(crate) fn job(&self, job: &JobName) -> Option<&JobOnRecord> {
        let newest = self.jobs.get(job)?;
        newest.runs(newest.signed.version).then_some(newest)
    }

    /// Returns the job whose document this is.
    pub(crate) fn named_by(&self, document: &Content) -> Option<JobName> {
        let mut jobs = self.jobs.iter();
        let of = jobs.find(|job| job.signed.document == *document);
        of.map(|of| of.signed.job.clone())
    }

    /// The number of runs that have not ended.
    #[must_use]
    pub fn open(&self) -> usize {
        self.runs.open().count()
    }

    /// Returns the time of the first attempt that a job has to make again, with the run that failed.
    pub(crate) fn retry(&self, job: &Job, version: u32) -> Option<(Time, TaskId)> {
        let retry = job.retry?;
        let failed = self.runs.failed();
        let own = failed.filter(|(_, one)| one.run.job == job.name && one.run.version == version);
        let due = own.filter_map(|(task, one)| {
            let at = retry.next(one.run.attempt, one.ended)?;
            Some((at, task))
        });
        due.min()
    }

    /// Folds a fact; returns the job that may have something to do then.
    pub(crate) fn fold(&mut self, meta: &Meta, fact: SchedulerFact) -> Option<JobName> {
        match fact {
            SchedulerFact::ServiceStarted(..) => {
                self.starts.fold(meta);
                None
            }
            SchedulerFact::RosterChanged(_, fact) => {
                self.deployment = Some(fact.deployment);
                None
            }
            SchedulerFact::JobSigned(_, fact) => {
                let (job, version) = (fact.job.clone(), fact.version);
                self.jobs.sign(meta.stored, *fact).then(|| {
                    self.forget(&job, version.saturating_sub(1));
                    job
                })
            }
            SchedulerFact::JobRevoked(_, fact) => {
                self.jobs.revoke(&fact);
                self.forget(&fact.job, fact.version);
                Some(fact.job)
            }
            SchedulerFact::JobPaused(_, fact) => {
                self.jobs.pause(&fact);
                Some(fact.job)
            }
            SchedulerFact::JobResumed(_, fact) => {
                self.jobs.resume(meta.stored, &fact);
                Some(fact.job)
            }
            SchedulerFact::RunOrdered(_, fact) => {
                self.jobs.running(&fact.job, fact.version)?;
                let order = Order {
                    id: meta.id,
                    job: fact.job.clone(),
                    version: fact.version,
                    again: fact.again,
                };
                self.orders.insert(meta.seq, order);
                Some(fact.job)
            }
            // It is counted beside the state.
            SchedulerFact::TriggerRefused(..) => None,
            SchedulerFact::RunDue(_, fact) => {
                self.due(meta, &fact);
                Some(fact.job)
            }
            SchedulerFact::TaskAdmitted(task, _) => {
                self.runs.admitted(meta.stored, task);
                None
            }
            SchedulerFact::TaskRejected(task, _) => {
                let run = self.runs.rejected(task)?;
                self.end(meta, run.job)
            }
            SchedulerFact::TaskStopped(task, fact) => {
                self.runs.stopped(task, fact.why);
                None
            }
            SchedulerFact::TaskFinished(task, fact) if meta.by == AuthorId::Worker => {
                let run = self.runs.ended(meta.stored, task, fact.outcome)?;
                self.end(meta, run.job)
            }
            SchedulerFact::TaskFinished(..) => None,
        }
    }

    /// Drops the orders of a version and of each lower one.
    fn forget(&mut self, job: &JobName, version: u32) {
        self.orders
            .retain(|_, order| order.job != *job || order.version > version);
    }

    fn due(&mut self, meta: &Meta, fact: &RunDue) {
        let Some(deployment) = self.deployment else {
            return;
        };
        let task = TaskId::of_run(deployment, &fact.job, fact.version, fact.cause);
        let of = self.progress.entry(fact.job.clone()).or_default();
        match fact.cause {
            RunCause::Slot(slot) => {
                // A slot from before the run that it follows is made up for: the job is still busy.
                if slot > of.busy_from {
                    of.busy_from = meta.stored;
                }
                of.last = of.last.max(slot);
            }
            RunCause::Ordered(_)
            | RunCause::After(_)
            | RunCause::Started(_)
            | RunCause::Retried(_)
                if of.open == 0 =>
            {
                of.busy_from = meta.stored;
            }
            RunCause::Ordered(_)
            | RunCause::After(_)
            | RunCause::Started(_)
            | RunCause::Retried(_)
            | RunCause::Triggered { .. } => {}
        }
        let mut again = None;
        match fact.cause {
            RunCause::Ordered(id) => {
                let order = self.orders.values().find(|order| order.id == id);
                again = order.and_then(|order| order.again);
                self.orders.retain(|_, order| order.id != id);
            }
            RunCause::After(ended) => {
                self.followed.insert((fact.job.clone(), ended));
                let known = &self.runs;
                self.followed
                    .retain(|(_, of)| known.ended_run(*of).is_some());
            }
            RunCause::Started(start) => of.start = Some(start),
            RunCause::Triggered { body, .. } => {
                let (job, version) = (&fact.job, fact.version);
                let each = fact.messages.iter().map(|key| {
                    let cause = RunCause::Triggered { key: *key, body };
                    TaskId::of_run(deployment, job, version, cause)
                });
                let tasks = each.chain([task]).collect();
                self.triggered(meta.stored, job, tasks);
            }
            RunCause::Slot(_) | RunCause::Retried(_) => {}
        }
        if let Some(record) = self.jobs.get(&fact.job) {
            let is_new = self.runs.due(task, record, fact, again);
            let of = self.progress.entry(fact.job.clone()).or_default();
            of.open = of.open.saturating_add(usize::from(is_new));
        }
    }

    /// Folds a run that messages started; `tasks` has a task for each of them.
    fn triggered(&mut self, at: Time, job: &JobName, tasks: Vec<TaskId>) {
        while let Some((of, oldest)) = self.triggered_at.first().copied()
            && at.ms_since(of) >= TRIGGERED_MS
        {
            self.triggered_at.pop_first();
            self.triggered.remove(&oldest);
        }
        for task in tasks {
            if self.triggered.insert(task) {
                self.triggered_at.insert((at, task));
            }
        }
        let recent = self.recent.entry(job.clone()).or_default();
        recent.push_back(at);
        while recent.len() > usize::from(RATE_RUNS_MAX) {
            recent.pop_front();
        }
    }

    fn end(&mut self, meta: &Meta, job: JobName) -> Option<JobName> {
        if let Some(of) = self.progress.get_mut(&job) {
            of.open = of.open.saturating_sub(1);
            of.free = of.free.max(meta.stored);
        }
        Some(job)
    }
}
