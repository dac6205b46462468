//! Folds facts into the state. The fold accepts every fact and gives every reader of a stream the same state.

use bus_schema::{
    ActionGranted, ActionId, ActionProposed, ActionRefused, ApprovalRequested, AuthorId,
    ContractSigned, Digest, Meta, PolicyFact, PublicKey, RefusalCode, Statement, TaskAdmitted,
    TaskId, TaskOutcome, TaskSubmitted, Time,
};
use contract::ContractTotals;

use super::{
    Action, ActiveContract, Answer, PendingContract, Proposal, Question, Reservation, Stage, State,
    Submission, Submitted, Task,
};

impl State {
    /// Folds one fact; only statements of `owner` count.
    pub(crate) fn fold(&mut self, meta: &Meta, fact: PolicyFact, owner: &PublicKey) {
        self.now = self.now.max(meta.stored);
        self.release_lapsed(meta.stored);
        match fact {
            PolicyFact::ServiceStarted(..) => {
                self.starts.fold(meta);
            }
            PolicyFact::RosterChanged(_, roster) => self.deployment = Some(roster.deployment),
            PolicyFact::DeviceEndorsed(_, fact) => {
                self.devices.endorse(self.deployment, meta.stored, *fact);
            }
            PolicyFact::DeviceRevoked(_, fact) => self.device_revoked(&fact),
            PolicyFact::JobSigned(..)
            | PolicyFact::JobRevoked(..)
            | PolicyFact::JobPaused(..)
            | PolicyFact::JobResumed(..)
            | PolicyFact::RunOrdered(..)
            | PolicyFact::RunDue(..) => self.job(meta, fact),
            PolicyFact::CatalogueSigned(_, fact) => {
                fact.replace(&mut self.catalogue);
            }
            PolicyFact::ContractSigned(_, fact) => self.contract_signed(meta, *fact),
            PolicyFact::ContractRevoked(_, fact) => self.contract_revoked(meta, &fact.contract),
            PolicyFact::ContractActivated(_, fact) => {
                if let Some(pending) = self.take_offered(&fact.contract) {
                    self.move_tasks(meta, &fact.contract, &pending.active.name);
                    if let Some(old) = fact.supersedes {
                        self.ended(meta, &old);
                    }
                    self.contracts.insert(fact.contract, pending.active);
                }
            }
            PolicyFact::ContractSuspended(_, fact) => {
                if let Some(active) = self.contracts.get_mut(&fact.contract) {
                    active.suspended = true;
                }
            }
            PolicyFact::ContractRejected(_, fact) => {
                drop(self.take_offered(&fact.contract));
                self.moves_nowhere(&fact.contract);
            }
            PolicyFact::HaltOrdered(..) => self.halted = true,
            PolicyFact::HaltLifted(..) => self.halted = false,
            PolicyFact::TaskSubmitted(task, fact) => self.submitted(meta, task, &fact, owner),
            PolicyFact::TaskCancelled(task, _) => self.cancelled(meta, task),
            PolicyFact::TaskStopped(task, fact) => {
                self.runs.stopped(task, fact.why);
                self.cancelled(meta, task);
            }
            PolicyFact::TaskAdmitted(task, fact) => self.admitted(meta, task, *fact),
            PolicyFact::TaskRejected(task, _) => self.rejected(task),
            PolicyFact::TaskFinished(task, fact) => self.finished(meta, task, fact.outcome),
            PolicyFact::ActionProposed(task, fact) => self.proposed(meta, task, *fact),
            PolicyFact::ActionGranted(task, fact) => self.granted(meta, task, &fact),
            PolicyFact::ActionRefused(task, fact) => self.refused(task, &fact),
            PolicyFact::ApprovalRequested(task, fact) => self.requested(meta, task, *fact),
            PolicyFact::ApprovalCarried(task, fact) => self.carried(meta, task, *fact, owner),
            PolicyFact::ApprovalRefused(task, fact) => self.approval_refused(task, &fact),
            PolicyFact::ActionStarted(task, fact) => {
                self.task(task, |of, _| of.started(meta, &fact))
            }
            PolicyFact::ActionFinished(task, fact) => {
                self.task(task, |of, shared| of.finished(meta, &fact, shared));
            }
            PolicyFact::ActionDeclined(task, fact) => {
                self.task(task, |of, shared| of.declined(meta.by, fact.action, shared));
            }
            PolicyFact::TaskSaid(task, fact) => self.said(task, &fact, owner),
            PolicyFact::ContractAnswered(task, fact) => self.amended(meta, task, &fact, owner),
            // It only proves its stored time, which was folded above.
            PolicyFact::ActionExpired(..) => {}
        }
    }

    fn admitted(&mut self, meta: &Meta, task: TaskId, fact: TaskAdmitted) {
        self.take_submission(task);
        self.runs.admitted(meta.stored, task);
        if let Some(active) = self.contracts.get(&fact.contract) {
            let name = active.name.clone();
            let shared = self.shared.entry(name.clone()).or_default();
            shared.admit(meta.stored.ns().div_euclid(1_000_000));
            let said = Submitted {
                contract: fact.contract,
                playbook: fact.playbook,
                slots: fact.slots,
                session: fact.session,
                dialogue: fact.dialogue,
                of_message: fact.of_message,
            };
            self.tasks.insert(task, Task::under(name, said, fact.job));
        }
    }

    fn task(&mut self, task: TaskId, change: impl FnOnce(&mut Task, &mut ContractTotals)) {
        let open = self.tasks.get_mut(&task);
        if let Some(of) = open.or_else(|| self.ending.get_mut(&task)) {
            let shared = self.shared.entry(of.name.clone()).or_default();
            change(of, shared);
        }
    }

    /// Releases expired grants: a later message proves that every claim in time was read before.
    fn release_lapsed(&mut self, now: Time) {
        while let Some((claim_by, task, action)) = self.unclaimed.first().copied() {
            if claim_by >= now {
                break;
            }
            self.unclaimed.pop_first();
            self.task(task, |of, shared| of.release(action, shared));
        }
        self.ending.retain(|_, of| of.may_change(now));
    }

    fn contract_signed(&mut self, meta: &Meta, fact: ContractSigned) {
        let pending = PendingContract {
            contract: fact.contract,
            active: ActiveContract {
                name: fact.name,
                version: fact.version,
                document: fact.document,
                pins: fact.pins,
                envelope: fact.envelope,
                suspended: false,
            },
            id: meta.id,
            revoked: false,
        };
        self.signed.insert(meta.seq, pending);
    }

    fn contract_revoked(&mut self, meta: &Meta, contract: &Digest) {
        for pending in self.signed.values_mut() {
            pending.revoked |= pending.contract == *contract;
        }
        self.ended(meta, contract);
    }

    /// Ends a contract and everything that waits under it.
    fn ended(&mut self, meta: &Meta, contract: &Digest) {
        self.contracts.remove(contract);
        let tasks = &self.tasks;
        for proposal in self.proposed.values_mut() {
            let of = tasks.get(&proposal.task);
            proposal.revoked |= of.is_some_and(|of| of.contract == *contract);
        }
        let under = tasks.iter().filter(|(_, of)| of.contract == *contract);
        let under: Vec<TaskId> = under.map(|(task, _)| *task).collect();
        for task in under {
            self.end_questions(task, &Answer::Revoked(meta.id));
        }
    }

    /// Removes the oldest offer of a contract: its verdicts follow stream order.
    fn take_offered(&mut self, contract: &Digest) -> Option<PendingContract> {
        let mut each = self.signed.iter();
        let seq = *each.find(|(_, one)| one.contract == *contract)?.0;
        self.signed.remove(&seq)
    }

    fn submitted(&mut self, meta: &Meta, task: TaskId, fact: &TaskSubmitted, owner: &PublicKey) {
        // Anybody can compute the id of a run, and nobody submits one: a verdict on it would be taken for the run's.
        if task.is_of_run() {
            return;
        }
        let said = if self.tasks_seen.insert(task) {
            match fact.statement.open(owner) {
                Ok(Statement::Task(said))
                    if Some(said.deployment) == self.deployment
                        && said.task == task
                        && (said.playbook, said.slots, said.dialogue)
                            == (fact.playbook, fact.slots, fact.dialogue) =>
                {
                    Ok(Submitted {
                        contract: said.contract,
                        playbook: said.playbook,
                        slots: said.slots,
                        session: said.session,
                        dialogue: said.dialogue,
                        of_message: false,
                    })
                }
                Ok(
                    Statement::Task(_)
                    | Statement::Approval(_)
                    | Statement::Plan(_)
                    | Statement::Access(_)
                    | Statement::Call(_)
                    | Statement::End(_)
                    | Statement::SignIn(_)
                    | Statement::Pairing(_)
                    | Statement::Said(_)
                    | Statement::Amend(_),
                )
                | Err(_) => Err(RefusalCode::BadStatement),
            }
        } else {
            Err(RefusalCode::Reused)
        };
        let id = meta.id;
        let run = None;
        self.submitted.insert(
            meta.seq,
            Submission {
                task,
                id,
                said,
                run,
            },
        );
    }

    /// Cancels a task: a submission is rejected, and every open question is refused.
    fn cancelled(&mut self, meta: &Meta, task: TaskId) {
        for one in self.submitted.values_mut().filter(|one| one.task == task) {
            if one.said.is_ok() {
                one.said = Err(RefusalCode::Cancelled);
            }
        }
        let Some(of) = self.tasks.get_mut(&task) else {
            return;
        };
        of.cancelled = Some(meta.id);
        self.end_questions(task, &Answer::Cancelled(meta.id));
    }

    fn rejected(&mut self, task: TaskId) {
        let rejected = self.take_submission(task);
        if rejected.is_some_and(|one| one.run.is_some()) {
            self.runs.rejected(task);
        }
    }

    /// Removes the oldest submission of a task: its verdicts follow stream order.
    fn take_submission(&mut self, task: TaskId) -> Option<Submission> {
        let mut each = self.submitted.iter();
        let seq = *each.find(|(_, one)| one.task == task)?.0;
        self.submitted.remove(&seq)
    }

    fn finished(&mut self, meta: &Meta, task: TaskId, outcome: TaskOutcome) {
        let proposer = match self.tasks.get(&task) {
            Some(of) => Some(of.proposer),
            // The contract ended before the admission of a run, which has no task then.
            None => {
                let run = self.runs.get(task);
                let admitted = run.filter(|run| run.admitted.is_some());
                admitted.map(|_| AuthorId::Worker)
            }
        };
        if proposer != Some(meta.by) {
            return;
        }
        self.runs.ended(meta.stored, task, outcome);
        if let Some(mut of) = self.tasks.remove(&task) {
            of.end();
            if of.may_change(self.now) {
                self.ending.insert(task, of);
            }
            self.proposed.retain(|_, one| one.task != task);
            self.reused.retain(|(of, _), _| *of != task);
            self.answered.retain(|(_, of, _)| *of != task);
            self.asks.retain(|(_, of, _)| *of != task);
            self.invalid_approvals.retain(|_, one| one.task != task);
        }
    }

    fn proposed(&mut self, meta: &Meta, task: TaskId, fact: ActionProposed) {
        let Some(of) = self.tasks.get_mut(&task) else {
            return;
        };
        if of.proposer != meta.by {
            return;
        }
        let action = fact.action;
        if !self.actions_seen.insert(action) {
            self.reused.insert((task, action), meta.id);
            return;
        }
        let stage = Stage::Proposed(meta.seq);
        of.actions.insert(
            action,
            Action {
                stage,
                invalid_approvals: 0,
            },
        );
        let proposal = Proposal {
            task,
            action,
            id: meta.id,
            by: meta.by,
            tool: fact.tool,
            args: fact.args,
            revoked: false,
        };
        self.proposed.insert(meta.seq, proposal);
    }

    /// Moves a waiting action to its next stage and returns its proposal's place in the stream. None if it does
    /// not wait, because each action gets exactly one verdict.
    fn close(&mut self, task: TaskId, action: ActionId, next: Stage) -> Option<u64> {
        let of = self.tasks.get_mut(&task)?.actions.get_mut(&action)?;
        let seq = match &of.stage {
            Stage::Proposed(seq) => {
                self.proposed.remove(seq);
                *seq
            }
            Stage::Asked(question) => {
                self.asks.remove(&(question.until, task, action));
                self.answered.remove(&(question.seq, task, action));
                question.seq
            }
            Stage::Granted { .. } | Stage::Started { .. } | Stage::Over => return None,
        };
        of.stage = next;
        Some(seq)
    }

    fn granted(&mut self, meta: &Meta, task: TaskId, fact: &ActionGranted) {
        let draft = &fact.grant.draft;
        let reservation = Reservation::of(draft, meta);
        let claim_by = draft.claim_by(meta.stored);
        let stage = Stage::Granted {
            reservation: Box::new(reservation.clone()),
            claim_by,
        };
        if self.close(task, draft.action, stage).is_some() {
            self.task(task, |of, shared| {
                let (under, reserve) = (reservation.under(), &reservation.reserve);
                of.used.reserve(under, reserve);
                shared.reserve(reservation.granted_ms, under, reserve);
            });
            self.unclaimed.insert((claim_by, task, draft.action));
        }
    }

    fn refused(&mut self, task: TaskId, fact: &ActionRefused) {
        if fact.code == RefusalCode::Reused {
            self.reused.remove(&(task, fact.action));
        } else {
            self.close(task, fact.action, Stage::Over);
        }
    }

    fn requested(&mut self, meta: &Meta, task: TaskId, fact: ApprovalRequested) {
        let action = fact.draft.action;
        let Some(seq) = self.close(task, action, Stage::Over) else {
            return;
        };
        let asked = fact.draft.asked.as_ref();
        let until = asked.map_or(meta.stored, |asked| asked.until);
        let question = Question {
            draft: fact.draft,
            seq,
            id: meta.id,
            until,
            yes: Vec::new(),
            answer: None,
        };
        self.asks.insert((until, task, action));
        let of = self.tasks.get_mut(&task);
        if let Some(of) = of.and_then(|of| of.actions.get_mut(&action)) {
            of.stage = Stage::Asked(Box::new(question));
        }
        // The contract may have been revoked between the proposal and the question.
        let contract = self.tasks.get(&task).map(|of| of.contract);
        if contract.is_some_and(|contract| !self.contracts.contains_key(&contract)) {
            self.answer(task, action, Answer::Revoked(meta.id));
        }
        let cancelled = self.tasks.get(&task).and_then(|of| of.cancelled);
        if let Some(cause) = cancelled {
            self.answer(task, action, Answer::Cancelled(cause));
        }
    }

    /// Ends every open question of a task.
    pub(super) fn end_questions(&mut self, task: TaskId, answer: &Answer) {
        let actions = self.tasks.get(&task).map(|of| of.actions.keys().copied());
        let actions: Vec<ActionId> = actions.into_iter().flatten().collect();
        for action in actions {
            self.answer(task, action, answer.clone());
        }
    }

    pub(super) fn answer(&mut self, task: TaskId, action: ActionId, answer: Answer) {
        let of = self.tasks.get_mut(&task);
        let Some(of) = of.and_then(|of| of.actions.get_mut(&action)) else {
            return;
        };
        if let Stage::Asked(question) = &mut of.stage {
            question.answer = Some(answer);
            self.asks.remove(&(question.until, task, action));
            self.answered.insert((question.seq, task, action));
        }
    }
}
