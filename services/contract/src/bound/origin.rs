//! Origins of a value: the task text, a field of an earlier trusted result, or an earlier argument.

use std::fmt;

use serde_json::Value;

use crate::bound::field_path::FieldPath;
use crate::bound::matching::{CallContext, Match, is_ambiguous, lookup};
use crate::bound::spoken::Spoken;
use crate::labels::Integrity;
use crate::record::Stage;
use crate::toml_text::quoted;

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

impl Origin {
    /// Matches a value that comes from this origin. A null, list or object is `Unknown`; only its items have an origin.
    pub(crate) fn judge(&self, value: &Value, context: &CallContext<'_>) -> Match {
        let record = context.view.record;
        if matches!(value, Value::Null | Value::Array(_) | Value::Object(_)) {
            return Match::Unknown;
        }
        match self {
            Self::Task(spoken) => spoken.judge(value, context),
            Self::Field { field, .. } if !field.has_places(context.args) => Match::Unknown,
            Self::Field { tool, field } => {
                let found = |result| field.count(result, value, context.args).0 > 0;
                let each = record
                    .outcomes(tool)
                    .iter()
                    .map(|outcome| match &outcome.stage {
                        Stage::Failed => Match::No,
                        Stage::Succeeded(Some(result))
                            if outcome.labels.integrity == Integrity::Trusted =>
                        {
                            Match::of(found(result))
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

    /// Returns true if this matching value is the only one that the origin offers.
    pub(crate) fn determines(&self, value: &Value, context: &CallContext<'_>) -> bool {
        if let Self::Task(spoken) = self {
            return spoken.determines(value, context);
        }
        let (equal, all) = self.offered(value, context);
        equal > 0 && equal == all
    }

    /// Returns true if the origin offers any value.
    pub(crate) fn offers_any(&self, context: &CallContext<'_>) -> bool {
        match self {
            Self::Task(_) => context.view.record.text().is_some(),
            Self::Field { .. } | Self::Argument { .. } => self.offered(&Value::Null, context).1 > 0,
        }
    }

    /// Counts the values that earlier calls offer: those that equal `wanted`, and all. A call whose own arguments were
    /// open offers none, because its result can repeat them.
    fn offered(&self, wanted: &Value, context: &CallContext<'_>) -> (usize, usize) {
        let record = context.view.record;
        let add = |(equal, all): (usize, usize), (more, others): (usize, usize)| {
            (equal + more, all + others)
        };
        match self {
            Self::Task(_) => (0, 0),
            Self::Field { tool, field } => {
                let each = record.outcomes(tool).iter();
                let results = each.filter_map(|outcome| match &outcome.stage {
                    Stage::Succeeded(Some(result))
                        if outcome.determined && outcome.labels.integrity == Integrity::Trusted =>
                    {
                        Some(result)
                    }
                    Stage::Succeeded(_) | Stage::Running | Stage::Failed => None,
                });
                results.fold((0, 0), |counts, result| {
                    add(counts, field.count(result, wanted, context.args))
                })
            }
            Self::Argument { tool, argument } => {
                let each = record.outcomes(tool).iter();
                let succeeded = each.filter(|outcome| {
                    outcome.determined && matches!(outcome.stage, Stage::Succeeded(_))
                });
                let values = succeeded.filter_map(|outcome| lookup(&outcome.args, argument));
                values.fold((0, 0), |counts, found| {
                    add(counts, (usize::from(found == wanted), 1))
                })
            }
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

/// Returns true if one of the origins determines the value, and no other offers another one.
pub(super) fn determine(origins: &[Origin], value: &Value, context: &CallContext<'_>) -> bool {
    let determined = |origin: &Origin| origin.determines(value, context);
    let mut each = origins.iter();
    origins.iter().any(determined)
        && each.all(|origin| determined(origin) || !origin.offers_any(context))
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Task(spoken) => spoken.fmt(f),
            Self::Field { tool, field } => write!(f, "{{ tool = {}, {field} }}", quoted(tool)),
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
