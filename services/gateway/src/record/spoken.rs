//! The signed statements about running tasks that were forwarded: calls of sessions, and words to dialogues.

use bus_schema::{PublicKey, SessionCalled, Statement, TaskId, TaskSaid};

use super::{Record, TaskEntry};

impl Record {
    /// The key of a session; none for a task with a playbook, and before it was admitted.
    pub(crate) fn session(&self, task: TaskId) -> Option<PublicKey> {
        self.tasks.get(&task)?.session
    }

    /// Returns true if the session made a call with this number.
    pub(crate) fn was_called(&self, task: TaskId, number: u16) -> bool {
        let kept = self.tasks.get(&task);
        kept.is_some_and(|kept| kept.calls.contains(&number))
    }

    /// Returns true for an admitted dialogue.
    pub(crate) fn is_dialogue(&self, task: TaskId) -> bool {
        self.tasks.get(&task).is_some_and(|kept| kept.dialogue)
    }

    /// The number of further words of the owner to a task.
    pub(crate) fn said(&self, task: TaskId) -> u16 {
        self.tasks.get(&task).map_or(0, |kept| kept.said)
    }
}

impl TaskEntry {
    pub(super) fn call(&mut self, called: &SessionCalled) {
        let Some(Ok(Statement::Call(said))) = self.session.map(|key| called.statement.open(&key))
        else {
            return;
        };
        self.calls.insert(said.number);
    }

    /// Counts further words with the next number, and no others. That the owner signed them was checked before they were on record.
    pub(super) fn hear(&mut self, fact: &TaskSaid) {
        let statement = &fact.statement;
        if let Ok(Statement::Said(said)) = statement.open(&statement.by())
            && said.number == self.said
        {
            self.said = self.said.saturating_add(1);
        }
    }
}
