//! The folded stream: everything that pages show.

mod action;
mod contracts;
mod devices;
mod recent;
mod runs;
mod task;

use std::collections::BTreeMap;

use bus_schema::{
    AuthorId, CatalogueSigned, Content, DeploymentId, Digest, Meta, SecretName, Secrets,
    StreamAdopted, TaskId, Time, UiFact, Version,
};
use serde::{Deserialize, Serialize};

pub(crate) use self::{
    action::{ActionRecord, ActionState, AskedQuestion, Ending, Permission, Refusal},
    contracts::{ContractRecord, ContractStage, Contracts},
    devices::SeenDevices,
    recent::{FactLine, RECENT_MAX, Recent},
    runs::{JobRuns, RunRecord},
    task::{TASKS_MAX, TaskKind, TaskRecord, TaskStage, Tasks},
};

/// The folded stream.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    deployment: Option<DeploymentId>,
    /// The place of the last fact.
    pub(crate) seq: u64,
    /// The time of the last fact.
    pub(crate) now: Time,
    /// The time of the halt that holds.
    pub(crate) halt: Option<Time>,
    /// The executors that doubt the stream, with the message that each of them lost.
    pub(crate) doubts: BTreeMap<AuthorId, (Digest, Time)>,
    pub(crate) tasks: Tasks,
    pub(crate) contracts: Contracts,
    pub(crate) jobs: JobRuns,
    pub(crate) secrets: Secrets,
    /// The time of the signature of each secret.
    pub(crate) secret_times: BTreeMap<SecretName, Time>,
    /// The last release of each secret.
    pub(crate) releases: BTreeMap<SecretName, (Time, TaskId)>,
    pub(crate) catalogue: Option<SignedTools>,
    pub(crate) devices: SeenDevices,
    /// The last start of each service.
    pub(crate) started: BTreeMap<AuthorId, (Time, Version)>,
    /// The length of the log at its last checkpoint on the record, and the checkpoint's time.
    pub(crate) checkpoint: Option<(u64, Time)>,
    pub(crate) recent: Recent,
}

/// The newest catalogue that the owner signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SignedTools {
    pub(crate) version: u32,
    pub(crate) document: Content,
    pub(crate) at: Time,
}

impl Record {
    /// Returns the tasks with questions that can be answered at `now`, and their number.
    pub(crate) fn waiting(&self, now: Time) -> Vec<(&TaskRecord, &ActionRecord, &AskedQuestion)> {
        let tasks = self.tasks.newest().filter(|task| task.is_open());
        let of = |task| {
            let questions = TaskRecord::questions(task, now);
            questions.map(move |(action, question)| (task, action, question))
        };
        let mut all: Vec<_> = tasks.flat_map(of).collect();
        all.sort_by_key(|(_, action, question)| (question.until, action.seq));
        all
    }

    fn tools_signed(&mut self, meta: &Meta, fact: &CatalogueSigned) {
        let newest = self.catalogue.as_ref();
        if newest.is_none_or(|newest| newest.version < fact.version) {
            self.catalogue = Some(SignedTools {
                version: fact.version,
                document: fact.document,
                at: meta.stored,
            });
        }
    }

    fn adopted(&mut self, fact: &StreamAdopted) {
        let doubt = self.doubts.get(&fact.executor);
        if doubt.is_some_and(|(lost, _)| *lost == fact.lost) {
            self.doubts.remove(&fact.executor);
        }
    }

    /// Folds a fact of the kind `kind`.
    pub(crate) fn fold(&mut self, meta: &Meta, kind: &str, fact: UiFact) {
        self.seq = meta.seq;
        self.now = self.now.max(meta.stored);
        self.recent.add(meta, kind);
        match fact {
            UiFact::RosterChanged(_, fact) => self.deployment = Some(fact.deployment),
            UiFact::ServiceStarted(_, fact) => {
                self.started.insert(meta.by, (meta.stored, fact.version));
            }
            UiFact::CheckpointSigned(_, fact) => self.checkpoint = Some((fact.size, meta.stored)),
            UiFact::HaltOrdered(..) => self.halt = Some(self.halt.unwrap_or(meta.stored)),
            UiFact::HaltLifted(..) => self.halt = None,
            UiFact::StreamDoubted(_, fact) => {
                self.doubts.insert(meta.by, (fact.lost, meta.stored));
            }
            UiFact::StreamAdopted(_, fact) => self.adopted(&fact),
            UiFact::CatalogueSigned(_, fact) => self.tools_signed(meta, &fact),
            UiFact::SecretSigned(_, fact) => {
                let name = fact.name.clone();
                self.secrets.sign(*fact);
                self.secret_times.insert(name, meta.stored);
            }
            UiFact::SecretRevoked(_, fact) => self.secrets.revoke(&fact),
            UiFact::SecretReleased(task, fact) => {
                self.releases.insert(fact.name, (meta.stored, task));
            }
            UiFact::DeviceEndorsed(_, fact) => {
                self.devices.endorse(self.deployment, meta.stored, *fact);
            }
            UiFact::DeviceRevoked(_, fact) => self.devices.revoke(&fact),
            UiFact::ContractSigned(_, fact) => self.contracts.sign(meta, &fact),
            UiFact::ContractRevoked(_, fact) => self.contracts.revoke(meta, &fact.contract),
            UiFact::ContractActivated(_, fact) => self.contracts.activate(meta, &fact),
            UiFact::ContractSuspended(_, fact) => {
                self.contracts.suspend(meta, &fact.contract, fact.why);
            }
            UiFact::ContractRejected(_, fact) => self.contracts.reject(meta, &fact),
            UiFact::JobSigned(_, fact) => drop(self.jobs.jobs.sign(meta.stored, *fact)),
            UiFact::JobRevoked(_, fact) => self.jobs.jobs.revoke(&fact),
            UiFact::JobPaused(_, fact) => self.jobs.jobs.pause(&fact),
            UiFact::JobResumed(_, fact) => self.jobs.jobs.resume(meta.stored, &fact),
            UiFact::RunDue(_, fact) => self.jobs.due(meta, self.deployment, &fact),
            // The run that it orders is a fact of its own.
            UiFact::RunOrdered(..) => {}
            UiFact::TaskSubmitted(..)
            | UiFact::TaskCancelled(..)
            | UiFact::TaskStopped(..)
            | UiFact::TaskAdmitted(..)
            | UiFact::TaskRejected(..)
            | UiFact::TaskFinished(..)
            | UiFact::SessionCalled(..)
            | UiFact::SessionEnded(..)
            | UiFact::TaskSaid(..)
            | UiFact::ContractRequested(..)
            | UiFact::ContractAnswered(..)
            | UiFact::ActionProposed(..)
            | UiFact::ActionGranted(..)
            | UiFact::ActionRefused(..)
            | UiFact::ApprovalRequested(..)
            | UiFact::ApprovalCarried(..)
            | UiFact::ApprovalRefused(..)
            | UiFact::ActionStarted(..)
            | UiFact::ActionFinished(..)
            | UiFact::ActionDeclined(..)
            | UiFact::ActionExpired(..) => self.fold_task(meta, fact),
        }
    }

    /// Folds a fact about a task.
    #[expect(clippy::too_many_lines, reason = "one arm for each fact")]
    fn fold_task(&mut self, meta: &Meta, fact: UiFact) {
        let tasks = &mut self.tasks;
        match fact {
            UiFact::TaskSubmitted(task, fact) => tasks.opened(meta, task, |of| of.submit(&fact)),
            // A run of a job is no submission.
            UiFact::TaskAdmitted(task, fact) => {
                self.contracts.count(&fact.contract);
                if fact.job.is_some() {
                    tasks.opened(meta, task, |of| of.admit(*fact));
                } else {
                    tasks.about(meta, task, |of| of.admit(*fact));
                }
            }
            UiFact::TaskCancelled(task, _) | UiFact::TaskStopped(task, _) => {
                tasks.about(meta, task, |of| of.cancel(meta));
            }
            UiFact::TaskRejected(task, fact) => tasks.about(meta, task, |of| of.reject(&fact)),
            UiFact::TaskFinished(task, f) => tasks.about(meta, task, |of| of.finish(meta, &f)),
            UiFact::SessionCalled(task, _)
            | UiFact::SessionEnded(task, _)
            | UiFact::TaskSaid(task, _)
            | UiFact::ContractRequested(task, _)
            | UiFact::ContractAnswered(task, _)
            | UiFact::ApprovalRefused(task, _) => tasks.about(meta, task, |_| {}),
            UiFact::ActionProposed(task, f) => tasks.about(meta, task, |of| of.propose(meta, *f)),
            UiFact::ApprovalRequested(task, fact) => {
                let of = (task, fact.draft.action);
                tasks.action(meta, of, |one| one.ask(meta, &fact.draft, fact.reason));
            }
            UiFact::ApprovalCarried(task, f) => {
                self.devices.answered(&f.statement, meta.stored);
                tasks.action(meta, (task, f.action), |a| a.answer(meta))
            }
            UiFact::ActionGranted(task, fact) => {
                let of = (task, fact.grant.draft.action);
                tasks.action(meta, of, |one| one.grant(meta, &fact.grant));
            }
            UiFact::ActionRefused(task, fact) => {
                tasks.action(meta, (task, fact.action), |one| one.refuse(meta, *fact));
            }
            UiFact::ActionStarted(task, f) => {
                tasks.action(meta, (task, f.action), |a| a.start(meta))
            }
            UiFact::ActionFinished(task, f) => {
                tasks.action(meta, (task, f.action), |a| a.finish(meta, &f))
            }
            UiFact::ActionDeclined(task, f) => {
                tasks.action(meta, (task, f.action), |a| a.decline(meta, f.code))
            }
            UiFact::ActionExpired(task, f) => {
                tasks.action(meta, (task, f.action), |a| a.expire(meta))
            }
            UiFact::RosterChanged(..)
            | UiFact::ServiceStarted(..)
            | UiFact::CheckpointSigned(..)
            | UiFact::HaltOrdered(..)
            | UiFact::HaltLifted(..)
            | UiFact::StreamDoubted(..)
            | UiFact::StreamAdopted(..)
            | UiFact::CatalogueSigned(..)
            | UiFact::SecretSigned(..)
            | UiFact::SecretRevoked(..)
            | UiFact::SecretReleased(..)
            | UiFact::DeviceEndorsed(..)
            | UiFact::DeviceRevoked(..)
            | UiFact::ContractSigned(..)
            | UiFact::ContractRevoked(..)
            | UiFact::ContractActivated(..)
            | UiFact::ContractSuspended(..)
            | UiFact::ContractRejected(..)
            | UiFact::JobSigned(..)
            | UiFact::JobRevoked(..)
            | UiFact::JobPaused(..)
            | UiFact::JobResumed(..)
            | UiFact::RunDue(..)
            | UiFact::RunOrdered(..) => {}
        }
    }
}
