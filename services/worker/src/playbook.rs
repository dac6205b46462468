//! Defines the playbook: a checked list of typed steps, read from one TOML document.

mod read;
mod roots;

use bus_schema::{StepName, ToolName};
use diagnostic::Diagnostics;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::reference::{Piece, Reference};

/// Longest playbook document, in bytes.
pub const PLAYBOOK_BYTES_MAX: usize = 256 * 1024;
/// Largest number of steps of a playbook.
pub const STEPS_MAX: usize = 256;
/// Longest playbook name, step id or tool name, in characters.
pub const NAME_CHARS_MAX: usize = 64;
/// Longest purpose, in characters.
pub const PURPOSE_CHARS_MAX: usize = 1_000;
/// Largest number of retries after the first attempt.
pub const RETRIES_MAX: u8 = 5;

/// A playbook in which every reference names an earlier step.
///
/// It serializes as its source text and deserializes as strictly as [`Playbook::parse`].
///
/// # References
///
/// ```text
/// text      = *( character | "{{" | "}}" | reference )
/// reference = "{" root *segment "}"
/// root      = id of an earlier step | "item" | "slot"    item: only in the args of a for_each step
/// segment   = "." name                                   a field: letters, digits, "_" and "-"
///           | '["' any characters but " and } '"]'       a field of any other name
///           | "[" integer "]"                            an item of a list, counted from 0
///           | ".*"                                       every item of a list
/// ```
///
/// - A string that consists of one reference becomes the value that it names, with its type.
/// - A reference inside a longer string becomes text: a string is inserted as it is, a list as its
///   items one per line, every other value as canonical JSON.
/// - `{slot.recipient}` is the value with which the owner filled the slot `recipient` of the contract; a step with the
///   id `slot` comes before.
/// - `{step.text}` is always the whole output as text, JSON or not; write `{step["text"]}` for a
///   field of that name. Every other reference needs a JSON output.
/// - A `for_each` step is the list of the outputs of its successful items, in order.
/// - `{list.files.*.path}` is the list of the paths; a second `.*` gives a list of lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Playbook {
    source: String,
    name: String,
    purpose: String,
    steps: Vec<Step>,
}

impl Playbook {
    /// Its name, a slug.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its purpose, in the words of its author: one to [`PURPOSE_CHARS_MAX`] characters.
    #[must_use]
    pub fn purpose(&self) -> &str {
        &self.purpose
    }

    /// The text it was read from.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Its steps, from 1 to [`STEPS_MAX`], in the order they run.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The step at a position counted from 0.
    #[must_use]
    pub fn step(&self, step: u16) -> Option<&Step> {
        self.steps.get(usize::from(step))
    }
}

impl TryFrom<String> for Playbook {
    type Error = Diagnostics;

    fn try_from(source: String) -> Result<Self, Diagnostics> {
        Self::parse("playbook", &source)
    }
}

impl From<Playbook> for String {
    fn from(playbook: Playbook) -> Self {
        playbook.source
    }
}

/// One step: one action, or with `for_each` one action per item of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    id: StepName,
    tool: ToolName,
    args: BTreeMap<String, Arg>,
    for_each: Option<Reference>,
    parallel: bool,
    on_refusal: OnRefusal,
    on_failure: Otherwise,
    on_unknown: Otherwise,
}

impl Step {
    /// Its id, unique in the playbook.
    #[must_use]
    pub fn id(&self) -> &StepName {
        &self.id
    }

    /// The tool it proposes.
    #[must_use]
    pub fn tool(&self) -> &ToolName {
        &self.tool
    }

    /// Returns true if it is one action per item of a list.
    #[must_use]
    pub fn is_for_each(&self) -> bool {
        self.for_each.is_some()
    }

    /// Returns true if several of its items may be open at once.
    #[must_use]
    pub fn is_parallel(&self) -> bool {
        self.parallel
    }

    /// The names of its arguments.
    pub fn arg_names(&self) -> impl Iterator<Item = &str> {
        self.args.keys().map(String::as_str)
    }

    /// The effect of a refusal.
    #[must_use]
    pub fn on_refusal(&self) -> OnRefusal {
        self.on_refusal
    }

    /// The effect of a failure.
    #[must_use]
    pub fn on_failure(&self) -> Otherwise {
        self.on_failure
    }

    /// The effect of an unknown outcome.
    #[must_use]
    pub fn on_unknown(&self) -> Otherwise {
        self.on_unknown
    }

    pub(crate) fn args(&self) -> &BTreeMap<String, Arg> {
        &self.args
    }

    pub(crate) fn for_each(&self) -> Option<&Reference> {
        self.for_each.as_ref()
    }
}

/// The effect of a refused action on its task.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnRefusal {
    /// The task ends as failed.
    #[default]
    Stop,
    /// The task goes on without it.
    Continue,
}

/// The effect of an unsuccessful action on its task.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Otherwise {
    /// The task ends as failed.
    #[default]
    Stop,
    /// The task goes on without it.
    Continue,
    /// A new action with the same arguments, while the attempts so far, however they ended, are
    /// at most this many (1 to [`RETRIES_MAX`]); after that the task ends as failed. A lapsed action
    /// is proposed again without this setting, after at most [`RETRIES_MAX`] attempts.
    Retry(u8),
}

/// An argument before its references are resolved.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Arg {
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(Vec<Piece>),
    List(Vec<Arg>),
    Table(BTreeMap<String, Arg>),
}

impl Eq for Arg {}

/// The form of a slug, as a fix.
const SLUG: &str = "use 1 to 64 lower-case letters, digits and `-`, a letter first";
/// The form of a step id, as a fix.
const STEP_ID: &str =
    "use 1 to 64 lower-case letters, digits and `-`, a letter first, and not `item`";
/// The form of a tool name, as a fix.
const TOOL_NAME: &str = "use at most 64 letters, digits, `_`, `-` and `.`, such as `file.read`";

fn is_slug(text: &str) -> bool {
    text.len() <= NAME_CHARS_MAX
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// Returns true for a step id. It is narrower than [`StepName`]: a reference must distinguish it from `item`.
fn is_step_id(text: &str) -> bool {
    is_slug(text) && text != "item"
}
