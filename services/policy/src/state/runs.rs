//! Folds jobs and the runs that are said to be due.

use super::{DueRun, State, Submission, Submitted};
use bus_schema::{Meta, PolicyFact, RefusalCode, RunCause, RunDue, TaskId};

impl State {
    /// Folds a fact about jobs.
    pub(super) fn job(&mut self, meta: &Meta, fact: PolicyFact) {
        if let PolicyFact::JobSigned(_, fact) = fact {
            self.jobs.sign(meta.stored, *fact);
        } else if let PolicyFact::JobRevoked(_, fact) = fact {
            self.jobs.revoke(&fact);
        } else if let PolicyFact::JobPaused(_, fact) = fact {
            self.jobs.pause(&fact);
        } else if let PolicyFact::JobResumed(_, fact) = fact {
            self.jobs.resume(meta.stored, &fact);
        } else if let PolicyFact::RunOrdered(_, fact) = fact {
            self.orders.insert(meta.id, *fact);
        } else if let PolicyFact::RunDue(_, fact) = fact {
            self.run_due(meta, *fact);
        }
    }

    /// Folds a run that is said to be due. Each cause has one run; policy judges it as a submission of the owner.
    fn run_due(&mut self, meta: &Meta, fact: RunDue) {
        let Some(deployment) = self.deployment else {
            return;
        };
        let (job, version, cause) = (&fact.job, fact.version, fact.cause);
        let task = TaskId::of_run(deployment, job, version, cause);
        let order = match cause {
            RunCause::Ordered(id) => self.orders.remove(&id),
            RunCause::Slot(_)
            | RunCause::Triggered { .. }
            | RunCause::Retried(_)
            | RunCause::After(_)
            | RunCause::Started(_) => None,
        };
        let failed = match cause {
            RunCause::Retried(of) => self.runs.failed_run(of),
            RunCause::Slot(_)
            | RunCause::Triggered { .. }
            | RunCause::Ordered(_)
            | RunCause::After(_)
            | RunCause::Started(_) => None,
        };
        let failed =
            failed.filter(|failed| failed.run.job == *job && failed.run.version == version);
        let failed = failed.map(|failed| (failed.run.attempt, failed.ended));
        let has = match cause {
            RunCause::Slot(_)
            | RunCause::Triggered { .. }
            | RunCause::After(_)
            | RunCause::Started(_) => true,
            RunCause::Ordered(_) => {
                let order = order.as_ref();
                order.is_some_and(|order| order.job == *job && order.version == version)
            }
            RunCause::Retried(_) => failed.is_some(),
        };
        let said = match (self.runs_seen.insert(task), self.jobs.running(job, version)) {
            (false, _) => Err(RefusalCode::Reused),
            (true, None) => Err(RefusalCode::NoJob),
            (true, Some(_)) if !has => Err(RefusalCode::NoRun),
            (true, Some(record)) => {
                let again = order.and_then(|order| order.again);
                self.runs.due(task, record, &fact, again);
                Ok(Submitted {
                    contract: record.signed.contract,
                    playbook: record.signed.playbook,
                    slots: record.signed.slots,
                    session: None,
                    dialogue: None,
                    of_message: false,
                })
            }
        };
        let run = DueRun {
            job: fact.job,
            version,
            cause,
            messages: fact.messages,
            failed,
        };
        let submission = Submission {
            task,
            id: meta.id,
            said,
            run: Some(run),
        };
        self.submitted.insert(meta.seq, submission);
    }
}
