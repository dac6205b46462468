//! The document of a dialogue, which the owner signs with the task: the model, its instructions, and the tools that it is offered.

use bus_schema::{ToolName, json};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::wire::Wire;

/// Most bytes of a document.
pub const DOCUMENT_BYTES_MAX: usize = 64 << 10;
/// Most answers of a model in one dialogue.
pub const STEPS_MAX: u16 = 500;

/// The document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DialogueDocument {
    /// The model.
    pub model: ModelChoice,
    /// The instructions that stand before the person's words.
    pub instructions: String,
    /// The tools that the model is offered, in this order.
    pub tools: Vec<OfferedTool>,
    /// Most answers of the model.
    pub steps_max: u16,
    /// True if it waits for further words of the person after an answer of words alone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub chat: bool,
}

/// The model of a dialogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelChoice {
    /// The tool of the catalogue whose calls ask it.
    pub tool: ToolName,
    /// The form in which it takes conversations.
    pub wire: Wire,
    /// Its name at its provider.
    pub id: String,
    /// Most tokens of one answer.
    pub tokens_max: u32,
}

/// A tool that a model is offered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfferedTool {
    /// The name by which the model knows it.
    pub name: String,
    /// The tool of the catalogue.
    pub tool: ToolName,
    /// The description.
    pub description: String,
    /// The JSON Schema of its arguments.
    pub schema: Value,
    /// True if anybody may have written what it returns.
    pub untrusted: bool,
}

impl DialogueDocument {
    /// Reads a document.
    ///
    /// # Errors
    /// The problem.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let read = json::parse(bytes, DOCUMENT_BYTES_MAX).map_err(|error| error.to_string())?;
        let document = Self::deserialize(read).map_err(|error| error.to_string())?;
        if !(1..=STEPS_MAX).contains(&document.steps_max) {
            return Err(format!(
                "`steps_max` is {}; choose 1 to {STEPS_MAX}",
                document.steps_max
            ));
        }
        Ok(document)
    }

    /// The bytes, canonical JSON.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        json::canonical(&serde_json::to_value(self).unwrap_or_default())
    }
}
