//! The client of a session: opens it with the owner's key, and calls and ends it with its own. The owner's words to dialogues, and
//! answers to requests for another contract.

use bus_schema::{
    AmendStatement, CallStatement, Digest, EndStatement, PublicKey, SaidStatement, Sealed, Signed,
    Statement, TaskId, ToolName,
};
use ed25519_dalek::SigningKey;

use super::{Client, Error, TaskParts};
use crate::api::{
    Amended, Called, CarryAmendment, CarryCall, CarryEnd, CarryWords, Ended, SaidWords, Submitted,
};

/// A call of a session.
#[derive(Debug, Clone, Copy)]
pub struct SessionCall<'a> {
    /// The session.
    pub task: TaskId,
    /// Its number in the session, from 0.
    pub number: u16,
    /// The tool.
    pub tool: &'a ToolName,
    /// The arguments, canonical JSON.
    pub args: &'a [u8],
}

impl Client {
    /// Signs a session and submits it: `wish` is what the person wants of it, and `key` signs its calls.
    ///
    /// # Errors
    /// [`Error`]; see [`Client::submit`].
    pub async fn open_session(
        &self,
        contract: Digest,
        wish: &str,
        key: &SigningKey,
    ) -> Result<Submitted, Error> {
        let session = PublicKey::new(key.verifying_key().to_bytes());
        let with = TaskParts {
            session: Some(session),
            ..TaskParts::default()
        };
        self.submit_task(contract, wish.as_bytes(), with).await
    }

    /// Signs a call of a session with its key, and submits it; `args` is canonical JSON. Each number is taken once.
    ///
    /// # Errors
    /// [`Error`]; the same call with the same number can be sent again after a transient one.
    pub async fn call(&self, key: &SigningKey, call: SessionCall<'_>) -> Result<Called, Error> {
        let args = Sealed::new(self.clock.salt(), call.args)?;
        let said = Statement::Call(CallStatement {
            deployment: self.deployment,
            task: call.task,
            number: call.number,
            tool: call.tool.clone(),
            args: args.content(),
        });
        let signed = Signed::new(&said, key);
        let task = call.task;
        self.post("/v1/calls", &CarryCall { task, signed, args })
            .await
    }

    /// Signs the end of a session with its key, and submits it.
    ///
    /// # Errors
    /// [`Error`]
    pub async fn end_session(&self, key: &SigningKey, task: TaskId) -> Result<Ended, Error> {
        let deployment = self.deployment;
        let said = Statement::End(EndStatement { deployment, task });
        let signed = Signed::new(&said, key);
        self.post("/v1/ends", &CarryEnd { task, signed }).await
    }

    /// Signs the end of a dialogue that waits for words, and submits it.
    ///
    /// # Errors
    /// [`Error`]
    pub async fn end_dialogue(&self, task: TaskId) -> Result<Ended, Error> {
        self.end_session(&self.key, task).await
    }

    /// Signs further words to a dialogue, and submits them; `number` counts the words that were said before.
    ///
    /// # Errors
    /// [`Error`]
    pub async fn say(&self, task: TaskId, number: u16, words: &str) -> Result<SaidWords, Error> {
        let words = Sealed::new(self.clock.salt(), words.as_bytes())?;
        let said = Statement::Said(SaidStatement {
            deployment: self.deployment,
            task,
            number,
            words: words.content(),
            at: self.clock.wall(),
        });
        let signed = Signed::new(&said, &self.key);
        self.post("/v1/words", &CarryWords { signed, words }).await
    }

    /// Signs the answer to a request of a task for another contract than `from`, and submits it; without `to` it is a refusal.
    ///
    /// # Errors
    /// [`Error`]
    pub async fn amend(
        &self,
        (task, request): (TaskId, u16),
        from: Digest,
        to: Option<Digest>,
    ) -> Result<Amended, Error> {
        let said = Statement::Amend(AmendStatement {
            deployment: self.deployment,
            task,
            request,
            from,
            to,
            at: self.clock.wall(),
        });
        let signed = Signed::new(&said, &self.key);
        self.post("/v1/amendments", &CarryAmendment { signed })
            .await
    }
}
