//! The contents that the engine fetches, and what each is for.

use bus_schema::{AuthorId, Content, TaskId};
use proposer::Found;

use crate::dialogue::StoredContent;

/// A content to be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fetch {
    /// The task.
    pub task: TaskId,
    /// The content, with its author.
    pub stored: StoredContent,
    /// The use of it.
    pub purpose: FetchPurpose,
}

/// The use of a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FetchPurpose {
    /// The arguments of the session's call with this number.
    Call(u16),
    /// A part of a dialogue.
    Dialogue {
        /// True if every byte of it is needed.
        whole: bool,
    },
}

/// The result of a fetch.
#[derive(Debug)]
pub struct Fetched {
    /// The fetch.
    pub fetch: Fetch,
    /// The content that was found.
    pub found: Found,
}

impl Fetch {
    /// The arguments of a session's call, which the gateway has put there.
    pub(crate) const fn of_call(task: TaskId, number: u16, args: Content) -> Self {
        Self {
            task,
            stored: StoredContent {
                by: AuthorId::Gateway,
                content: args,
            },
            purpose: FetchPurpose::Call(number),
        }
    }

    /// A part of a dialogue; true if every byte of it is needed.
    pub(crate) const fn of_dialogue(task: TaskId, (stored, whole): (StoredContent, bool)) -> Self {
        Self {
            task,
            stored,
            purpose: FetchPurpose::Dialogue { whole },
        }
    }
}
