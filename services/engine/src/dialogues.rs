//! Folds the facts about open dialogues, and emits their next steps.

use actor::{Key, Outbox};
use bus_schema::{Draft, EngineFact, Meta, Statement, TaskFinished, TaskId};
use proposer::Heard;

use crate::core::{EngineCore, ask, deadlines, is_own};
use crate::dialogue::{self, Dialogue, DialogueEnd, Next};
use crate::fetch::Fetch;

impl EngineCore {
    /// Changes a dialogue, and updates its deadlines.
    pub(crate) fn change_dialogue(&mut self, id: TaskId, change: impl FnOnce(&mut Dialogue)) {
        let Some(dialogue) = self.tasks.dialogues.get_mut(&id) else {
            return;
        };
        for due in deadlines(id, dialogue.granted()) {
            self.due.remove(&due);
        }
        change(dialogue);
        self.due.extend(deadlines(id, dialogue.granted()));
        self.wishes.get_mut().insert(id);
    }

    /// Folds a fact about an open dialogue. Returns false for any other fact.
    pub(crate) fn fold_dialogue(&mut self, meta: &Meta, fact: &EngineFact) -> bool {
        let Some(id) = task_of(fact).filter(|id| self.tasks.dialogues.contains_key(id)) else {
            return false;
        };
        if matches!(fact, EngineFact::TaskFinished(..)) && is_own(meta) {
            if let Some(dialogue) = self.tasks.dialogues.remove(&id) {
                for due in deadlines(id, dialogue.granted()) {
                    self.due.remove(&due);
                }
            }
            self.wishes.get_mut().remove(&id);
            self.parts.forget(id);
            return true;
        }
        let (owner, here) = (self.owner, self.tasks.deployment);
        let answer = if let EngineFact::ContractAnswered(id, fact) = fact {
            self.answer(*id, fact)
        } else {
            None
        };
        self.change_dialogue(id, |dialogue| match fact {
            EngineFact::TaskCancelled(..) => dialogue.cancel(meta),
            EngineFact::ActionProposed(_, fact) if is_own(meta) => dialogue.propose(fact),
            EngineFact::ActionGranted(_, fact) => dialogue.grant(meta, &fact.grant.draft),
            EngineFact::ActionRefused(_, fact) => dialogue.refuse(meta, fact),
            EngineFact::ActionStarted(_, fact) => dialogue.hear(meta, fact.action, Heard::Started),
            EngineFact::ActionFinished(_, fact) => {
                dialogue.hear(meta, fact.action, Heard::Finished(fact));
            }
            EngineFact::ActionDeclined(_, fact) => {
                dialogue.hear(meta, fact.action, Heard::Declined);
            }
            EngineFact::ActionExpired(_, fact) => dialogue.hear(meta, fact.action, Heard::Expired),
            EngineFact::TaskSaid(id, fact) => {
                if let Some(number) = owner.and_then(|owner| fact.number(&owner, (here, *id))) {
                    dialogue.say(meta, number, fact.words);
                }
            }
            EngineFact::SessionEnded(id, fact) => {
                let said = owner.and_then(|owner| fact.statement.open(&owner).ok());
                if let Some(Statement::End(said)) = said
                    && (Some(said.deployment), said.task) == (here, *id)
                {
                    dialogue.end(meta);
                }
            }
            EngineFact::ContractRequested(_, fact) if is_own(meta) => dialogue.request(fact),
            EngineFact::ContractAnswered(..) => {
                if let Some(said) = &answer {
                    dialogue.hear_of(meta);
                    dialogue.requests.answer(said);
                }
            }
            EngineFact::ActionProposed(..)
            | EngineFact::ContractRequested(..)
            | EngineFact::ContractActivated(..)
            | EngineFact::ContractRejected(..)
            | EngineFact::TaskFinished(..)
            | EngineFact::TaskAdmitted(..)
            | EngineFact::SessionCalled(..)
            | EngineFact::RosterChanged(..) => {}
        });
        true
    }

    /// Emits the next step of a dialogue. `false`: it waits for the record, or for a time.
    pub(crate) fn serve_dialogue(
        &self,
        id: TaskId,
        dialogue: &Dialogue,
        out: &mut Outbox<'_, Self>,
    ) -> bool {
        match dialogue::next(id, dialogue, &self.parts, out.now()) {
            Next::Wait => return false,
            Next::Pause(at) => {
                out.wake(at);
                self.later.borrow_mut().insert((at, id));
                return false;
            }
            Next::Fetch(parts) => {
                for part in parts {
                    let key = Key::Digest("part", *part.0.content.digest());
                    out.effect(key, move || Fetch::of_dialogue(id, part));
                }
            }
            Next::Propose(proposal) => {
                let args = out.seal(&proposal.args);
                if let Ok(args) = args
                    && let Some(fact) = proposal.fact(out.action_id(), args.content())
                {
                    out.append(Draft::of(id, fact).with(args).because(dialogue.cause));
                }
            }
            Next::Request(request) => ask(id, &request, dialogue.cause, out),
            Next::Finish(DialogueEnd { outcome, detail }) => {
                let detail = detail.and_then(|detail| out.seal(&detail).ok());
                let fact = TaskFinished {
                    outcome,
                    detail: detail.as_ref().map(bus_schema::Sealed::content),
                };
                let mut draft = Draft::of(id, fact).because(dialogue.cause);
                if let Some(detail) = detail {
                    draft = draft.with(detail);
                }
                out.append(draft);
            }
        }
        true
    }

    /// Takes the dialogues whose time has come.
    pub(crate) fn resume_later(&self, out: &mut Outbox<'_, Self>) {
        let mut later = self.later.borrow_mut();
        while let Some(&(at, id)) = later.first() {
            if out.now() < at {
                out.wake(at);
                return;
            }
            later.pop_first();
            if self.tasks.dialogues.contains_key(&id) {
                self.wishes.borrow_mut().insert(id);
            }
        }
    }
}

/// The task that a fact is about; none for one about the deployment.
const fn task_of(fact: &EngineFact) -> Option<TaskId> {
    match fact {
        EngineFact::RosterChanged(..)
        | EngineFact::ContractActivated(..)
        | EngineFact::ContractRejected(..) => None,
        EngineFact::TaskSaid(id, _) => Some(*id),
        EngineFact::ContractRequested(id, _) => Some(*id),
        EngineFact::ContractAnswered(id, _) => Some(*id),
        EngineFact::TaskAdmitted(id, _) => Some(*id),
        EngineFact::TaskCancelled(id, _) => Some(*id),
        EngineFact::TaskFinished(id, _) => Some(*id),
        EngineFact::SessionCalled(id, _) => Some(*id),
        EngineFact::SessionEnded(id, _) => Some(*id),
        EngineFact::ActionProposed(id, _) => Some(*id),
        EngineFact::ActionGranted(id, _) => Some(*id),
        EngineFact::ActionRefused(id, _) => Some(*id),
        EngineFact::ActionStarted(id, _) => Some(*id),
        EngineFact::ActionFinished(id, _) => Some(*id),
        EngineFact::ActionDeclined(id, _) => Some(*id),
        EngineFact::ActionExpired(id, _) => Some(*id),
    }
}
