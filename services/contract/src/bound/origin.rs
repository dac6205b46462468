//! Origins of a value: the task text, a field of an earlier trusted result, or an earlier argument.

use std::fmt;

use serde_json::Value;

use crate::bound::matching::{Match, is_ambiguous, lookup};
use crate::labels::Integrity;
use crate::record::{Record, Stage};
use crate::toml_text::quoted;
use bus_schema::json;

/// One origin of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The text of the task, as the owner signed it.
    Task,
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
    pub(crate) fn judge(&self, value: &Value, record: &Record) -> Match {
        if matches!(value, Value::Null | Value::Array(_) | Value::Object(_)) {
            return Match::Unknown;
        }
        match self {
            Self::Task => Match::of(record.text().is_some_and(|text| stands_in(value, text))),
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

    /// Returns true if the owner or a trusted program chose the values of this origin.
    pub(crate) fn is_trusted(&self) -> bool {
        matches!(self, Self::Task | Self::Field { .. })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Task => f.write_str("\"task\""),
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

/// Returns true if a text or number is in `text` as a whole token.
fn stands_in(value: &Value, text: &str) -> bool {
    match value {
        Value::String(value) => !value.is_empty() && tokens(value, text),
        Value::Number(value) => numbers(text).any(|found| found == *value),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
    }
}

fn tokens(value: &str, text: &str) -> bool {
    text.match_indices(value).any(|(at, found)| {
        let before = text.get(..at).unwrap_or_default();
        let after = text.get(at + found.len()..).unwrap_or_default();
        ends_before(&mut after.chars()) && ends_before(&mut before.chars().rev())
    })
}

/// Returns true if a token ends before these characters: no letter or digit follows, directly or after joints.
fn ends_before(neighbours: &mut dyn Iterator<Item = char>) -> bool {
    let joint = |c: char| matches!(c, '-' | '@' | '.' | '+' | '_');
    match neighbours.next() {
        Some(c) if c.is_alphanumeric() || c == '_' => false,
        Some(c) if joint(c) => {
            let mut behind = neighbours.skip_while(|c| joint(*c));
            !behind.next().is_some_and(char::is_alphanumeric)
        }
        Some(_) | None => true,
    }
}

/// Returns the numbers that are whole tokens of a text. Commas and apostrophes may separate thousands.
fn numbers(text: &str) -> impl Iterator<Item = serde_json::Number> {
    let mut rest = 0;
    std::iter::from_fn(move || {
        loop {
            let from = rest + text.get(rest..)?.find(|c: char| c.is_ascii_digit())?;
            let tail = text.get(from..)?;
            let run = tail.find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | ',' | '\''));
            let run = tail.get(..run.unwrap_or(tail.len()))?;
            rest = from + run.len();
            let digits = run.trim_end_matches(['.', ',', '\'']);
            let (before, after) = (text.get(..from)?, text.get(from + digits.len()..)?);
            let (before, sign) = match before.strip_suffix('-') {
                Some(before) if !before.ends_with(char::is_alphanumeric) => (before, "-"),
                Some(_) | None => (before, ""),
            };
            let alone = ends_before(&mut after.chars()) && ends_before(&mut before.chars().rev());
            if let Some(number) = alone.then(|| plain(digits)).flatten() {
                let number = json::parse(format!("{sign}{number}").as_bytes(), 400).ok();
                if let Some(Value::Number(number)) = number {
                    return Some(number);
                }
            }
        }
    })
}

/// Removes the thousands separators of a number; `None` if one is misplaced.
fn plain(digits: &str) -> Option<String> {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if fraction.contains(['.', ',', '\'']) {
        return None;
    }
    let mut groups = whole.split([',', '\'']);
    let first = groups.next()?;
    let grouped = whole.len() > first.len();
    let three = groups.all(|group| group.len() == 3);
    if grouped && (!three || first.is_empty() || first.len() > 3) {
        return None;
    }
    let whole = whole.replace([',', '\''], "");
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    Some(if fraction.is_empty() {
        whole.to_owned()
    } else {
        format!("{whole}.{fraction}")
    })
}
