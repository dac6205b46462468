//! Defines the fetches of bytes that verdicts need.

use bus_schema::{ActionId, AuthorId, Content, Digest, TaskId};

/// One half of an earlier call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CallPart {
    /// Its arguments.
    Arguments,
    /// Its result.
    Result,
}

/// A contract's document, and the catalogue that it is read with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The catalogue that the owner signed.
    pub catalogue: Content,
    /// The contract.
    pub contract: Digest,
    /// Its text.
    pub document: Content,
}

/// Bytes that a verdict needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fetch {
    /// The tool catalogue, put there by the owner.
    Catalogue {
        /// The catalogue.
        content: Content,
    },
    /// The document of a contract, put there by the owner.
    Document {
        /// Its place.
        place: Place,
    },
    /// The signed tools of a contract, put there by the owner.
    Tools {
        /// The catalogue's entries.
        content: Content,
    },
    /// The arguments of an action.
    Arguments {
        /// The action.
        action: ActionId,
        /// The author that put them there.
        by: AuthorId,
        /// The arguments.
        content: Content,
    },
    /// The document of a job, put there by the owner.
    Job {
        /// The document.
        content: Content,
    },
    /// The message from outside that started a run, put there by the scheduler.
    Body {
        /// The run's task.
        task: TaskId,
        /// The message.
        content: Content,
    },
    /// The text of a task that the owner signed.
    Words {
        /// The task.
        task: TaskId,
        /// The author that put it there: the gateway, or the owner for a run of a job.
        by: AuthorId,
        /// The text.
        content: Content,
    },
    /// Further words of the owner to a task, which the gateway put there.
    Said {
        /// The task.
        task: TaskId,
        /// Their number.
        number: usize,
        /// The words.
        content: Content,
    },
    /// The values of the slots of a task that the owner signed.
    Slots {
        /// The task.
        task: TaskId,
        /// The author that put them there: the gateway, or the owner for a run of a job.
        by: AuthorId,
        /// The values.
        content: Content,
    },
    /// One half of an earlier call of a task.
    Earlier {
        /// The task.
        task: TaskId,
        /// The call.
        action: ActionId,
        /// The half.
        part: CallPart,
        /// The author that put it there.
        by: AuthorId,
        /// The half's content.
        content: Content,
    },
}

/// The result of a [`Fetch`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched {
    /// The tool catalogue; none if it was erased.
    Catalogue(Content, Option<Vec<u8>>),
    /// The document of a contract; none if it was erased.
    Document(Place, Option<Vec<u8>>),
    /// The signed tools of a contract; none if they were erased.
    Tools(Content, Option<Vec<u8>>),
    /// The arguments of an action; none if they were erased.
    Arguments(ActionId, Option<Vec<u8>>),
    /// The document of a job; none if it was erased.
    Job(Content, Option<Vec<u8>>),
    /// The message that started a run; none if it was erased.
    Body(TaskId, Option<Vec<u8>>),
    /// The signed text of a task; none if it was erased.
    Words(TaskId, Option<Vec<u8>>),
    /// Further words of the owner to a task, by their number; none if they were erased.
    Said(TaskId, usize, Option<Vec<u8>>),
    /// The signed values of the slots of a task; none if they were erased.
    Slots(TaskId, Option<Vec<u8>>),
    /// One half of an earlier call; none if it was erased.
    Earlier(TaskId, ActionId, CallPart, Option<Vec<u8>>),
    /// The bus did not answer; the fetch is retried.
    Unreachable,
}
