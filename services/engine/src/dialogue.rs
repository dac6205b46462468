//! A dialogue: a model works on the words of a person with the tools that the owner signed, and this decides each next step.

mod amend;
mod document;
mod held;
mod next;
mod record;
mod results;
mod retry;
mod room;
mod step;
mod stored;

pub use self::document::{
    DOCUMENT_BYTES_MAX, DialogueDocument, ModelChoice, OfferedTool, STEPS_MAX,
};
pub(crate) use self::held::Held;
pub(crate) use self::next::{DialogueEnd, Next};
pub(crate) use self::record::Dialogue;
pub use self::record::StoredContent;
pub use self::results::REQUEST_NAME;
pub use self::retry::RETRIES_MAX;
pub(crate) use self::step::next;
pub use self::step::{CALLS_OF_ANSWER_MAX, DIALOGUE_ARGS_BYTES_MAX, EQUAL_CALLS_MAX};
