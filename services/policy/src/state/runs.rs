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
            self.orders.insert(meta.id, (fact.job, fact.version));
        } else if let PolicyFact::RunDue(_, fact) = fact {
            self.run_due(meta, *fact);
        }
    }

    /// Folds a run that is said to be due. Each cause has one run; policy judges it as a submission of the owner.
    fn run_due(&mut self, meta: &Meta, fact: RunDue) {
        let Some(deployment) = self.deployment else {
            return;
        };
        let RunDue {
            job,
            version,
            cause,
        } = fact;
        let task = TaskId::of_run(deployment, &job, version, cause);
        let ordered = match cause {
            RunCause::Slot(_) | RunCause::Triggered { .. } => true,
            RunCause::Ordered(id) => self.orders.remove(&id) == Some((job.clone(), version)),
        };
        let record = self.jobs.running(&job, version);
        let said = match (self.runs_seen.insert(task), record) {
            (false, _) => Err(RefusalCode::Reused),
            (true, None) => Err(RefusalCode::NoJob),
            (true, Some(_)) if !ordered => Err(RefusalCode::NoRun),
            (true, Some(record)) => Ok(Submitted {
                contract: record.signed.contract,
                playbook: record.signed.playbook,
                slots: record.signed.slots,
                session: None,
                dialogue: None,
            }),
        };
        let run = DueRun {
            job,
            version,
            cause,
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
