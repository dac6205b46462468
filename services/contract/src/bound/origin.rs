//! Origins of a value: the task text, a field of an earlier trusted result, or an earlier argument.

use std::fmt;

use serde_json::Value;

use crate::bound::matching::{CallContext, Match, is_ambiguous, lookup};
use crate::bound::spoken::Spoken;
use crate::labels::Integrity;
use crate::record::Stage;
use crate::toml_text::quoted;
use bus_schema::json;

/// One origin of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The text of the task, as the owner signed it.
    Task(Spoken),
    /// A field of the result of an earlier call that succeeded and whose output is trusted.
    Field {
        /// The tool.
        tool: String,
        /// The path to the field.
        field: FieldPath,
    },
    /// An argument of an earlier call that succeeded.
    Argument {
        /// The tool.
        tool: String,
        /// The argument; dots lead into objects.
        argument: String,
    },
}

/// A path into a JSON value: names, each optionally followed by `[]` for the items of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldPath {
    text: String,
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Name(String),
    Each,
}

impl FieldPath {
    /// Parses a path such as `results[].email`, or `[]` for the items of a list; `None` if invalid.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let mut steps = Vec::new();
        for (place, part) in text.split('.').enumerate() {
            let name = part.trim_end_matches("[]");
            let each = (part.len() - name.len()) / 2;
            if name.contains(['[', ']']) || (name.is_empty() && (place > 0 || each == 0)) {
                return None;
            }
            if !name.is_empty() {
                steps.push(Step::Name(name.to_owned()));
            }
            steps.extend(std::iter::repeat_n(Step::Each, each));
        }
        Some(Self {
            text: text.to_owned(),
            steps,
        })
    }

    /// The path as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns true if a value at this path equals `wanted`. A result that is a text of JSON is parsed first. Texts
    /// inside a result stay texts, because anybody may have written them.
    fn finds(&self, value: &Value, wanted: &Value) -> bool {
        let inner = value
            .as_str()
            .and_then(|text| json::parse_wide(text.as_bytes(), json::RESULT_BYTES_MAX).ok());
        finds(&self.steps, inner.as_ref().unwrap_or(value), wanted)
    }
}

fn finds(steps: &[Step], value: &Value, wanted: &Value) -> bool {
    let Some((step, rest)) = steps.split_first() else {
        return value == wanted;
    };
    match (step, value) {
        (Step::Name(name), Value::Object(map)) => map
            .get(name)
            .is_some_and(|inner| finds(rest, inner, wanted)),
        (Step::Each, Value::Array(items)) => items.iter().any(|item| finds(rest, item, wanted)),
        (Step::Name(_) | Step::Each, _) => false,
    }
}

impl Origin {
    /// Matches a value that comes from this origin. A null, list or object is `Unknown`; only its items have an origin.
    pub(crate) fn judge(&self, value: &Value, context: &CallContext<'_>) -> Match {
        let record = context.view.record;
        if matches!(value, Value::Null | Value::Array(_) | Value::Object(_)) {
            return Match::Unknown;
        }
        match self {
            Self::Task(spoken) => spoken.judge(value, context),
            Self::Field { tool, field } => {
                let each = record
                    .outcomes(tool)
                    .iter()
                    .map(|outcome| match &outcome.stage {
                        Stage::Failed => Match::No,
                        Stage::Succeeded(Some(result))
                            if outcome.labels.integrity == Integrity::Trusted =>
                        {
                            Match::of(field.finds(result, value))
                        }
                        Stage::Running | Stage::Succeeded(_) => Match::Unknown,
                    });
                Match::any(each)
            }
            Self::Argument { tool, argument } => {
                let each = record.outcomes(tool).iter().map(|outcome| {
                    if is_ambiguous(&outcome.args, argument) {
                        return Match::Unknown;
                    }
                    let equal = lookup(&outcome.args, argument) == Some(value);
                    match (equal, &outcome.stage) {
                        (false, _) | (true, Stage::Failed) => Match::No,
                        (true, Stage::Running) => Match::Unknown,
                        (true, Stage::Succeeded(_)) => Match::Yes,
                    }
                });
                Match::any(each)
            }
        }
    }

    /// Returns true if the owner or a trusted program chose this matching value, and no other one is possible.
    pub(crate) fn determines(&self, value: &Value, context: &CallContext<'_>) -> bool {
        match self {
            Self::Task(spoken) => spoken.determines(value, context),
            Self::Field { .. } => self.judge(value, context) == Match::Yes,
            Self::Argument { .. } => false,
        }
    }

    /// Returns the words around a matching value that the task text only negates or quotes.
    pub(crate) fn doubt(&self, value: &Value, context: &CallContext<'_>) -> Option<String> {
        match self {
            Self::Task(spoken) => spoken.doubt(value, context),
            Self::Field { .. } | Self::Argument { .. } => None,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Task(spoken) => spoken.fmt(f),
            Self::Field { tool, field } => {
                write!(
                    f,
                    "{{ tool = {}, field = {} }}",
                    quoted(tool),
                    quoted(&field.text)
                )
            }
            Self::Argument { tool, argument } => {
                write!(
                    f,
                    "{{ tool = {}, argument = {} }}",
                    quoted(tool),
                    quoted(argument)
                )
            }
        }
    }
}
