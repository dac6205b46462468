//! The playbook: a checked list of typed steps, read from one TOML document.

mod read;

use bus_schema::{StepName, ToolName};
use diagnostic::Diagnostics;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::reference::{Piece, Reference};

/// Most bytes of a playbook document.
pub const PLAYBOOK_BYTES_MAX: usize = 256 * 1024;
/// Most steps of a playbook.
pub const STEPS_MAX: usize = 256;
/// Most characters of a playbook name, a step id or a tool name.
pub const NAME_CHARS_MAX: usize = 64;
/// Most characters of the purpose.
pub const PURPOSE_CHARS_MAX: usize = 1_000;
/// Most retries after a first attempt.
pub const RETRIES_MAX: u8 = 5;

/// A playbook in which every reference names an earlier step.
///
/// Serialized, it is its own source text, and is read as strictly again.
///
/// # References
///
/// ```text
/// text      = *( character | "{{" | "}}" | reference )
/// reference = "{" root *segment "}"
/// root      = id of an earlier step | "item"             item: only in the args of a for_each step
/// segment   = "." name                                   a field: letters, digits, "_" and "-"
///           | '["' any characters but " and } '"]'       a field of any other name
///           | "[" integer "]"                            an item of a list, counted from 0
///           | ".*"                                       every item of a list
/// ```
///
/// - A string that is one reference and nothing else becomes the value it names, type included.
/// - A reference inside a longer string becomes text: a string is its own text, a list is its
///   items one per line, everything else is canonical JSON.
/// - `{step.text}` is always the whole output as text, whether it is JSON or not; a field of that
///   name is reached as `{step["text"]}`. Every other reference needs an output that is JSON.
/// - A `for_each` step is the list of the outputs of those of its items that succeeded, in order.
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

    /// What it is for, in the words of its author: one to [`PURPOSE_CHARS_MAX`] characters.
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

    /// Whether it is one action per item of a list.
    #[must_use]
    pub fn is_for_each(&self) -> bool {
        self.for_each.is_some()
    }

    /// Whether several of its items may be open at once.
    #[must_use]
    pub fn is_parallel(&self) -> bool {
        self.parallel
    }

    /// What a refusal does.
    #[must_use]
    pub fn on_refusal(&self) -> OnRefusal {
        self.on_refusal
    }

    /// What a failure does.
    #[must_use]
    pub fn on_failure(&self) -> Otherwise {
        self.on_failure
    }

    /// What an action that may or may not have happened does.
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

/// What a refused action does to its task.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnRefusal {
    /// The task ends as failed.
    #[default]
    Stop,
    /// The task goes on without it.
    Continue,
}

/// What an action that did not succeed does to its task.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Otherwise {
    /// The task ends as failed.
    #[default]
    Stop,
    /// The task goes on without it.
    Continue,
    /// A new action with the same arguments, while the attempts so far, whatever ended them, are
    /// at most this many (1 to [`RETRIES_MAX`]); after that the task ends as failed. An action that
    /// nobody claimed in time is proposed anew without it, while there were at most that many attempts.
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

/// What a slug looks like, as a fix.
const SLUG: &str = "use 1 to 64 lower-case letters, digits and `-`, a letter first";
/// What a step id looks like, as a fix.
const STEP_ID: &str =
    "use 1 to 64 lower-case letters, digits and `-`, a letter first, and not `item`";
/// What a tool name looks like, as a fix.
const TOOL_NAME: &str = "use a dotted name of lower-case letters, digits, `_` and `-`, at most 64 \
                         characters, such as `file.read`";

fn is_slug(text: &str) -> bool {
    text.len() <= NAME_CHARS_MAX
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// A step id is narrower than [`StepName`]: a reference must be able to tell it from `item`.
fn is_step_id(text: &str) -> bool {
    is_slug(text) && text != "item"
}

/// A playbook's tool has at least two parts; [`ToolName`] is wider.
fn is_tool_name(text: &str) -> bool {
    let part = |part: &str| is_slug(&part.replace('_', "-"));
    text.len() <= NAME_CHARS_MAX && text.contains('.') && text.split('.').all(part)
}
