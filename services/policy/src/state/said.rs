//! Folds what the owner says to running tasks: further words, and the contract under which a task goes on.

use bus_schema::{ContractAnswered, ContractName, Digest, Meta, PublicKey, TaskId, TaskSaid};

use super::{Answer, State, Task};

impl State {
    /// Folds further words: those with the next number count as the owner's, and no others.
    pub(super) fn said(&mut self, task: TaskId, fact: &TaskSaid, owner: &PublicKey) {
        let number = fact.number(owner, (self.deployment, task));
        let Some(of) = self.tasks.get_mut(&task) else {
            return;
        };
        if number.is_some_and(|number| usize::from(number) == of.said.len()) {
            of.said.push(fact.words);
        }
    }

    /// Folds an answer of the owner: a task under the contract that it names goes on under the other one, which has the same name.
    /// A later no takes a yes back.
    pub(super) fn amended(
        &mut self,
        meta: &Meta,
        task: TaskId,
        fact: &ContractAnswered,
        owner: &PublicKey,
    ) {
        let Some(said) = fact.answer(owner, (self.deployment, task)) else {
            return;
        };
        let Some(of) = self.tasks.get_mut(&task) else {
            return;
        };
        if of.contract != said.from || said.request < of.answers_from {
            return;
        }
        of.moves_to = said.to;
        of.answers_from = said.request;
        let Some(to) = said.to else {
            of.settle();
            return;
        };
        let active = self.contracts.get(&to);
        if let Some(name) = active.map(|active| active.name.clone()) {
            self.move_tasks(meta, &to, &name);
        }
    }

    /// Moves the tasks that wait for a contract under it. What they used stays counted; open questions name the old contract, and
    /// end.
    pub(super) fn move_tasks(&mut self, meta: &Meta, contract: &Digest, name: &ContractName) {
        let waits = |of: &Task| of.moves_to.as_ref() == Some(contract) && of.name == *name;
        let moved: Vec<TaskId> = self
            .tasks
            .iter()
            .filter(|(_, of)| waits(of))
            .map(|(task, _)| *task)
            .collect();
        for task in moved {
            if let Some(of) = self.tasks.get_mut(&task) {
                of.contract = *contract;
                of.settle();
            }
            self.end_questions(task, &Answer::Revoked(meta.id));
        }
    }

    /// Forgets moves to a contract that policy rejected.
    pub(super) fn moves_nowhere(&mut self, contract: &Digest) {
        let waits = |of: &&mut Task| of.moves_to.as_ref() == Some(contract);
        self.tasks.values_mut().filter(waits).for_each(Task::settle);
    }
}

impl Task {
    /// Ends the move of the task; the answer that allowed it counts no more.
    fn settle(&mut self) {
        self.moves_to = None;
        self.answers_from = self.answers_from.saturating_add(1);
    }
}
