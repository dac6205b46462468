//! The next step of a dialogue.

use bus_schema::{ActionId, ActionProposed, Content, TaskOutcome, Time, ToolName};

use super::record::StoredContent;
use crate::request::NewRequest;

/// The next step.
#[derive(Debug)]
pub(crate) enum Next {
    /// Wait for the record.
    Wait,
    /// Fetch these contents; true for those of which every byte is needed.
    Fetch(Vec<(StoredContent, bool)>),
    /// Wait until this time.
    Pause(Time),
    /// Propose an action.
    Propose(Box<StepProposal>),
    /// Ask the owner for another contract.
    Request(Box<NewRequest>),
    /// End the dialogue.
    Finish(DialogueEnd),
}

/// An action to be proposed.
#[derive(Debug)]
pub(crate) struct StepProposal {
    pub(super) step: String,
    pub(super) index: u16,
    pub(super) item: u16,
    pub(super) items: u16,
    pub(super) attempt: u8,
    pub(super) tool: ToolName,
    /// The arguments, canonical JSON.
    pub(crate) args: Vec<u8>,
}

/// The end of a dialogue.
#[derive(Debug)]
pub(crate) struct DialogueEnd {
    pub(crate) outcome: TaskOutcome,
    /// JSON: the last words of the model, or the reason of an early end with its code.
    pub(crate) detail: Option<Vec<u8>>,
}

impl StepProposal {
    /// The proposal, with the arguments where they were put.
    pub(crate) fn fact(&self, action: ActionId, args: Content) -> Option<ActionProposed> {
        Some(ActionProposed {
            action,
            step: self.step.parse().ok()?,
            index: self.index,
            item: self.item,
            items: self.items,
            attempt: self.attempt,
            tool: self.tool.clone(),
            args,
        })
    }
}
