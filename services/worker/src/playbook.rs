//! Defines the playbook: a checked list of typed steps, read from one TOML document.

mod check;
mod declare;
mod draft;
mod flow;
mod given;
mod inputs;
mod read;
mod reader;
mod roots;
mod together;

use bus_schema::{StepName, ToolName};
use diagnostic::Diagnostics;
use job::FieldBound;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::reference::{Piece, Reference};
use inputs::Inputs;

pub use draft::{RecordedCall, draft};
pub use given::InputError;
pub use inputs::{INPUT_BYTES_MAX, INPUTS_MAX, Input};

/// Longest playbook document, in bytes.
pub const PLAYBOOK_BYTES_MAX: usize = 256 * 1024;
/// Largest number of steps of a playbook.
pub const STEPS_MAX: usize = 256;
/// Longest playbook name, step id or tool name, in characters.
pub const NAME_CHARS_MAX: usize = 64;
/// Longest purpose, in characters.
pub const PURPOSE_CHARS_MAX: usize = 1_000;

/// Longest text of a summary, in characters, before its references are filled in.
pub const SUMMARY_CHARS_MAX: usize = 4_000;
/// Shortest wait, in milliseconds: one second.
pub const WAIT_MS_MIN: u64 = 1_000;
/// Longest wait, in milliseconds: 31 days.
pub const WAIT_MS_MAX: u64 = 31 * 86_400_000;

/// A playbook in which every reference names an earlier step.
///
/// It serializes as its source text and deserializes as strictly as [`Playbook::parse`].
///
/// # References
///
/// ```text
/// text      = *( character | "{{" | "}}" | reference )
/// reference = "{" root *segment "}"
/// root      = id of an earlier step | "item" | "input" | "slot"
///             item: only in the args of a step with for_each or repeat
/// segment   = "." name                                   a field: letters, digits, "_" and "-"
///           | '["' any characters but " and } '"]'       a field of any other name
///           | "[" integer "]"                            an item of a list, counted from 0
///           | ".*"                                       every item of a list
/// ```
///
/// - A string that consists of one reference becomes the value that it names, with its type.
/// - A reference inside a longer string becomes text: a string is inserted as it is, a list as its
///   items one per line, every other value as canonical JSON.
/// - `{input.folder}` is the value of the input `folder` of the playbook; a step with the id `input` comes before.
/// - `{slot.recipient}` is the value with which the owner filled the slot `recipient` of the contract; a step with the
///   id `slot` comes before.
/// - `{step.text}` is always the whole output as text, JSON or not; write `{step["text"]}` for a
///   field of that name. Every other reference needs a JSON output.
/// - A step of a block is repeated with the others of it: from another step of the block it is the output of the same time, from
///   a later step that of the last time if the block has `until`, and else the list of the outputs of all times.
/// - `{item}` of `repeat` is the number of the time, from 1. A step with `repeat` and `until` is the output of its last time.
/// - Any other `for_each` or `repeat` step is the list of the outputs of its successful items, in order.
/// - `{list.files.*.path}` is the list of the paths; a second `.*` gives a list of lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Playbook {
    source: String,
    name: String,
    purpose: String,
    inputs: Inputs,
    steps: Vec<Step>,
    summary: Option<Vec<Piece>>,
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

    /// The text that is filled in at the end.
    pub(crate) fn summary(&self) -> Option<&[Piece]> {
        self.summary.as_deref()
    }

    /// Returns the last of the steps that run together with the one at this position, which is the first of them.
    pub(crate) fn together(&self, first: u16) -> u16 {
        let steps = self.steps.get(usize::from(first)..).unwrap_or_default();
        match steps.first().and_then(Step::block) {
            Some((_, last)) => last,
            None => {
                let beside = steps.iter().skip(1).take_while(|step| step.beside);
                first.saturating_add(u16::try_from(beside.count()).unwrap_or(u16::MAX))
            }
        }
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

/// One step: a wait, one action, or one action per item of a list or time of a repetition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    id: StepName,
    work: Work,
    items: Items,
    when: Option<Condition>,
    unless: Option<Condition>,
    /// The positions of the steps that run if it is refused or fails.
    otherwise: Vec<u16>,
    /// The positions of the steps that have it under `otherwise`.
    branch_of: Vec<u16>,
    parallel: bool,
    /// The first and the last step of the block with which it is repeated.
    block: Option<(u16, u16)>,
    /// True if it runs beside the step before it.
    beside: bool,
    on_refusal: OnRefusal,
    on_failure: Otherwise,
    on_unknown: Otherwise,
}

/// The thing that a step does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Work {
    /// It proposes calls of a tool.
    Call {
        tool: ToolName,
        args: BTreeMap<String, Arg>,
    },
    /// It waits for a duration, or for a moment.
    Wait(Vec<Piece>),
}

/// The items of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Items {
    /// It has one, and its output is the result.
    One,
    /// The items of a list.
    Each { list: Reference, at_most: usize },
    /// The numbers from 1: as many as the value says, or else `at_most`.
    Times {
        times: Option<Reference>,
        at_most: usize,
        /// The condition on the result of one time that ends the repetition.
        until: Option<Condition>,
        /// The time between two times.
        pause_ms: u64,
    },
}

/// A comparison of a value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Condition {
    pub(crate) value: Reference,
    pub(crate) bound: FieldBound,
}

impl Eq for Condition {}

impl Step {
    /// Its id, unique in the playbook.
    #[must_use]
    pub fn id(&self) -> &StepName {
        &self.id
    }

    /// The tool it proposes; none for a step that waits.
    #[must_use]
    pub fn tool(&self) -> Option<&ToolName> {
        match &self.work {
            Work::Call { tool, .. } => Some(tool),
            Work::Wait(_) => None,
        }
    }

    /// Returns true if it is one action per item of a list or time of a repetition.
    #[must_use]
    pub fn has_items(&self) -> bool {
        !matches!(self.items, Items::One) || self.block.is_some()
    }

    /// Returns true if several of its items may be open at once.
    #[must_use]
    pub fn is_parallel(&self) -> bool {
        self.parallel
    }

    /// The names of its arguments.
    pub fn arg_names(&self) -> impl Iterator<Item = &str> {
        let args = match &self.work {
            Work::Call { args, .. } => Some(args),
            Work::Wait(_) => None,
        };
        args.into_iter().flatten().map(|(name, _)| name.as_str())
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

    pub(crate) const fn work(&self) -> &Work {
        &self.work
    }

    pub(crate) const fn items(&self) -> &Items {
        &self.items
    }

    /// The condition that ends its repetition.
    pub(crate) const fn until(&self) -> Option<&Condition> {
        match &self.items {
            Items::Times { until, .. } => until.as_ref(),
            Items::One | Items::Each { .. } => None,
        }
    }

    pub(crate) const fn when(&self) -> Option<&Condition> {
        self.when.as_ref()
    }

    pub(crate) const fn unless(&self) -> Option<&Condition> {
        self.unless.as_ref()
    }

    /// The first and the last step of its block.
    pub(crate) const fn block(&self) -> Option<(u16, u16)> {
        self.block
    }

    pub(crate) fn branches(&self) -> &[u16] {
        &self.otherwise
    }

    pub(crate) const fn is_branch(&self) -> bool {
        !self.branch_of.is_empty()
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
    /// at most this many (1 to [`RETRIES_MAX`](crate::RETRIES_MAX)); after that the task ends as failed. A lapsed action
    /// is proposed again without this setting, after at most [`RETRIES_MAX`](crate::RETRIES_MAX) attempts.
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
