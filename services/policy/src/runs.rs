//! Judges the runs of jobs: whether the job that the owner signed has such a run now.

use std::collections::BTreeMap;

use actor::Key;
use bus_schema::{
    Content, Draft, JobOnRecord, Policy as Me, RefusalCode, RunCause, StopReason, TaskId,
    TaskStopped, Time,
};
use job::{Job, Overlap, When};

use crate::core::{PolicyCore, WINDOW};
use crate::decision_time::DecisionTime;
use crate::fetch::Fetch;
use crate::state::{DueRun, State, Submission};

/// The time before a slot from which its run is kept until the slot is due: the server's clock may have been set back.
const EARLY_MS_MAX: u64 = 3_600_000;

impl State {
    /// Returns true if `content` is the document of a job.
    pub(crate) fn needs_job(&self, content: &Content) -> bool {
        self.jobs.iter().any(|job| job.signed.document == *content)
            || self.runs.open().any(|(_, run)| run.document == *content)
    }

    fn record_of(&self, run: &DueRun) -> Option<&JobOnRecord> {
        self.jobs.running(&run.job, run.version)
    }
}

impl PolicyCore {
    pub(crate) fn want_job(&self, one: &Submission, to: &mut Vec<(Key, Fetch)>) {
        let record = one.run.as_ref().and_then(|run| self.state.record_of(run));
        if let Some(record) = record.filter(|_| one.said.is_ok()) {
            self.want_job_document(record.signed.document, to);
            let job = self.jobs.get(&record.signed.document);
            let body = self.body_of(one.task, job.and_then(Option::as_ref));
            if let Some(content) = body.filter(|_| self.histories.body(one.task).is_none()) {
                let task = one.task;
                to.push((Key::Task("body", task), Fetch::Body { task, content }));
            }
        }
    }

    /// Returns the message, or the messages, that a run has to be judged with.
    fn body_of(&self, task: TaskId, job: Option<&Job>) -> Option<Content> {
        let messages = &job.filter(|job| job.messages.is_judged())?.messages;
        let body = self.state.runs.get(task)?.body;
        body.filter(|body| body.len() as usize <= messages.bytes_max())
    }

    /// Returns the texts that the message of a run fills into slots of the contract; none if no message started it, or the job
    /// reads none.
    ///
    /// # Errors
    /// [`RefusalCode::NoRun`] if the job does not take the message, or if the run is not on the record.
    pub(crate) fn mapped(
        &self,
        task: TaskId,
        run: &DueRun,
        job: &Job,
    ) -> Result<BTreeMap<String, String>, RefusalCode> {
        let open = self.state.runs.get(task).ok_or(RefusalCode::NoRun)?;
        if open.body.is_none() || !job.messages.is_judged() {
            return Ok(BTreeMap::new());
        }
        let body = self.histories.body(task).flatten();
        let (body, subject) = body.zip(job.when.trigger()).ok_or(RefusalCode::NoRun)?;
        let said = match run.cause {
            RunCause::Triggered { key, .. } => Some((key, run.messages.as_slice())),
            RunCause::Slot(_)
            | RunCause::Ordered(_)
            | RunCause::Retried(_)
            | RunCause::After(_)
            | RunCause::Started(_) => None,
        };
        let slots = job.messages.of_run(subject, said, body);
        slots.map_err(|_| RefusalCode::NoRun)
    }

    /// Adds the documents of the jobs whose runs go on: their deadlines stand there.
    pub(crate) fn want_jobs_of_runs(&self, to: &mut Vec<(Key, Fetch)>) {
        let open = self.state.runs.open().map(|(_, run)| run.document);
        let unread = open.filter(|document| !self.jobs.contains_key(document));
        for document in unread.take(WINDOW) {
            self.want_job_document(document, to);
        }
    }

    fn want_job_document(&self, content: Content, to: &mut Vec<(Key, Fetch)>) {
        if !self.jobs.contains_key(&content) {
            let key = Key::Digest("job", *content.digest());
            to.push((key, Fetch::Job { content }));
        }
    }

    /// Returns true if a run cannot be judged yet: its job has not been read, or its time has not come.
    pub(crate) fn run_is_early(&self, one: TaskId, run: &DueRun, now: Time) -> bool {
        let Some(record) = self.state.record_of(run) else {
            return false;
        };
        let Some(job) = self.jobs.get(&record.signed.document) else {
            return true;
        };
        let job = job.as_ref();
        let due = job.and_then(|job| due_at(job, record, run));
        let early = |due: Time| match run.cause {
            RunCause::Slot(_) => due > now && due <= now.plus_ms(EARLY_MS_MAX),
            RunCause::Retried(_)
            | RunCause::After(_)
            | RunCause::Started(_)
            | RunCause::Ordered(_)
            | RunCause::Triggered { .. } => due > now,
        };
        let unread = self.body_of(one, job).is_some() && self.histories.body(one).is_none();
        unread || due.is_some_and(early)
    }

    /// Returns true if the run that another takes the place of goes on.
    pub(crate) fn run_is_behind(&self, one: TaskId, run: &DueRun, now: Time) -> bool {
        self.replaces(run)
            && self.check_run(run, now).is_ok()
            && self.runs_beside(one, run).next().is_some()
    }

    /// Returns the job of a run with its document, if both are known.
    fn job_of(&self, run: &DueRun) -> Option<(&JobOnRecord, &Job)> {
        let record = self.state.record_of(run)?;
        let job = self.jobs.get(&record.signed.document)?.as_ref()?;
        Some((record, job))
    }

    /// Returns true if the runs of a job take the place of earlier ones.
    fn replaces(&self, run: &DueRun) -> bool {
        let job = self.job_of(run);
        job.is_some_and(|(_, job)| job.overlap == Overlap::Cancel)
    }

    /// Returns the admitted runs of the same job.
    fn runs_beside<'r>(
        &'r self,
        one: TaskId,
        run: &'r DueRun,
    ) -> impl Iterator<Item = TaskId> + 'r {
        let open = self.state.runs.open();
        let beside = open.filter(move |(task, other)| {
            *task != one && other.job == run.job && other.admitted.is_some()
        });
        beside.map(|(task, _)| task)
    }

    /// Returns the job, if it is in force, belongs to its contract, and has such a run by now.
    ///
    /// # Errors
    /// The code of the rejection.
    pub(crate) fn check_run(&self, run: &DueRun, now: Time) -> Result<&Job, RefusalCode> {
        let record = self.state.record_of(run).ok_or(RefusalCode::NoJob)?;
        let job = self.jobs.get(&record.signed.document);
        let job = job.and_then(Option::as_ref);
        let job = job.filter(|job| job.name == run.job);
        let job = job.ok_or(RefusalCode::InvalidJob)?;
        let active = self.state.contracts.get(&record.signed.contract);
        let active = active.ok_or(RefusalCode::NoContract)?;
        if active.name != job.contract {
            return Err(RefusalCode::InvalidJob);
        }
        let is_due = || due_at(job, record, run).is_some_and(|due| due <= now);
        let has = match run.cause {
            RunCause::Slot(slot) => {
                slot > record.since && job.when.has(slot, record.at) && is_due()
            }
            RunCause::Ordered(_) => true,
            // Nobody can tell who sent the message; the owner said that it may start this.
            RunCause::Triggered { .. } => {
                job.when.trigger().is_some()
                    && (job.messages.batch.is_some() || run.messages.is_empty())
            }
            RunCause::Started(start) => {
                let at = self.state.starts.at(start);
                job.when == When::Start && at.is_some_and(|at| at > record.since)
            }
            RunCause::Retried(_) => is_due(),
            RunCause::After(of) => {
                let ended = self.state.runs.ended_run(of);
                let wanted = job.when.after().zip(ended);
                wanted.is_some_and(|((other, outcome), ended)| {
                    ended.job == *other && ended.at > record.since && outcome.takes(ended)
                })
            }
        };
        has.then_some(job).ok_or(RefusalCode::NoRun)
    }

    /// Returns the next run that has to be stopped: it has passed its deadline, or a later one takes its place.
    pub(crate) fn on_stop(&self, moment: &DecisionTime) -> Option<Draft<Me>> {
        let passed = || {
            let mut deadlines = self.deadlines();
            let passed = deadlines.find(|(until, _)| *until <= moment.now);
            passed.map(|(_, task)| (task, StopReason::Deadline))
        };
        let (task, why) = self.replaced(moment).or_else(passed)?;
        Some(Draft::of(task, TaskStopped { why }))
    }

    /// Returns a run that a later one takes the place of: one that would be rejected, or tries again, stops nothing.
    fn replaced(&self, moment: &DecisionTime) -> Option<(TaskId, StopReason)> {
        let mut due = self.state.submitted.values();
        due.find_map(|one| {
            let (said, run) = (one.said.ok()?, one.run.as_ref()?);
            if matches!(run.cause, RunCause::Retried(_)) || !self.replaces(run) {
                return None;
            }
            let mut beside = self.runs_beside(one.task, run);
            let goes_on = beside.find(|task| self.goes_on(*task))?;
            let admitted =
                !self.is_unready(one, said, moment) && self.admissible(one, said, moment).is_ok();
            admitted.then_some((goes_on, StopReason::Replaced))
        })
    }

    /// Returns true if a run was admitted, and nobody ended it. It has no task if its contract ended before its admission.
    fn goes_on(&self, task: TaskId) -> bool {
        let run = self.state.runs.get(task);
        match self.state.tasks.get(&task) {
            Some(of) => of.cancelled.is_none(),
            None => run.is_some_and(|run| run.admitted.is_some() && run.stopped.is_none()),
        }
    }

    /// Returns the deadlines of the runs that go on.
    fn deadlines(&self) -> impl Iterator<Item = (Time, TaskId)> {
        let open = self.state.runs.open();
        open.filter_map(|(task, run)| {
            let job = self.jobs.get(&run.document)?.as_ref()?;
            let until = run.admitted?.plus_ms(job.deadline_ms?);
            self.goes_on(task).then_some((until, task))
        })
    }

    /// Returns the first moment after `now` that a run waits for, or at which one has to be stopped.
    pub(crate) fn first_run_moment(&self, now: Time) -> Option<Time> {
        let waiting = self.state.submitted.values();
        let waiting = waiting.filter_map(|one| {
            let run = one.run.as_ref().filter(|_| one.said.is_ok())?;
            let (record, job) = self.job_of(run)?;
            due_at(job, record, run)
        });
        let deadlines = self.deadlines().map(|(until, _)| until);
        waiting
            .chain(deadlines)
            .filter(|moment| *moment > now)
            .min()
    }
}

/// Returns the moment at which a run is due; none if it is due whenever it is said.
fn due_at(job: &Job, record: &JobOnRecord, run: &DueRun) -> Option<Time> {
    match run.cause {
        RunCause::Slot(slot) => Some(job.due(slot, record)),
        RunCause::Retried(_) => {
            let (attempt, ended) = run.failed?;
            job.retry?.next(attempt, ended)
        }
        RunCause::Ordered(_)
        | RunCause::Triggered { .. }
        | RunCause::After(_)
        | RunCause::Started(_) => None,
    }
}
