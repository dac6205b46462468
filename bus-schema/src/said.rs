//! Reads what the owner says to a running task, as every reader does: only the owner's own signature counts.

use crate::{
    AmendStatement, ContractAnswered, DeploymentId, PublicKey, Statement, TaskId, TaskSaid,
};

/// Most further words of one dialogue.
pub const SAID_MAX: u16 = 64;
/// Most bytes of further words: 8 KiB.
pub const SAID_BYTES_MAX: usize = 8 << 10;
/// Most requests of one task for another contract.
pub const REQUESTS_MAX: u16 = 8;

impl TaskSaid {
    /// Returns the number of the words, if `owner` signed them for this task of this deployment.
    #[must_use]
    pub fn number(&self, owner: &PublicKey, here: (Option<DeploymentId>, TaskId)) -> Option<u16> {
        let Ok(Statement::Said(said)) = self.statement.open(owner) else {
            return None;
        };
        let fits = (Some(said.deployment), said.task) == here
            && said.words == self.words
            && self.words.len() as usize <= SAID_BYTES_MAX
            && said.number < SAID_MAX;
        fits.then_some(said.number)
    }
}

impl ContractAnswered {
    /// Returns the answer, if `owner` signed it for this task of this deployment.
    #[must_use]
    pub fn answer(
        &self,
        owner: &PublicKey,
        here: (Option<DeploymentId>, TaskId),
    ) -> Option<AmendStatement> {
        let Ok(Statement::Amend(said)) = self.statement.open(owner) else {
            return None;
        };
        ((Some(said.deployment), said.task) == here).then_some(said)
    }
}
