//! Origins of a value: the task text, a slot of the task, a field of an earlier trusted result, or an earlier argument.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use crate::bound::field_path::FieldPath;
use crate::bound::matching::{CallContext, Match, is_ambiguous, lookup};
use crate::bound::spoken::Spoken;
use crate::catalogue::Tool;
use crate::dead::possible::{Possible, Reason};
use crate::labels::Integrity;
use crate::record::{Stage, StartedCall};
use crate::schema::domain::TypeSet;
use crate::slot::Slot;
use crate::toml_text::quoted;

/// One origin of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The text of the task, as the owner signed it.
    Task(Spoken),
    /// A slot that the owner filled in with the task, and signed.
    Slot(Arc<Slot>),
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

/// Returns true if a trusted program writes the field of the result, by the labels of all of it or of the field.
fn is_trusted(outcome: &StartedCall, field: &FieldPath) -> bool {
    outcome.labels.integrity == Integrity::Trusted
        || field.general().is_some_and(|path| outcome.trusts(&path))
}

/// Returns why no result of the tool has a value of these types at the path, from the schema of its results.
pub(super) fn lacks(field: &FieldPath, tool: &Tool, types: TypeSet) -> Option<Reason> {
    let place = field.place(tool.output_schema()?.domain());
    if place.is_empty() {
        let problem = format!(
            "the results of `{}` have no such place: {field}",
            tool.name()
        );
        let fix =
            "name a field that `output_schema` of the tool has, with `[]` for each item of a list";
        return Some(Reason::new(problem, fix));
    }
    let has = field.types(&place)?;
    never_equal(
        types,
        has,
        &format!("this place in results of `{}`", tool.name()),
    )
}

/// Returns the reason why values of these types are never equal.
pub(crate) fn never_equal(own: TypeSet, other: TypeSet, what: &str) -> Option<Reason> {
    own.and(other).is_empty().then(|| {
        let problem = format!(
            "the value is {}, and {what} is {}, so they are never equal",
            own.words(),
            other.words()
        );
        Reason::new(problem, "name a place with values of the same type")
    })
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
            Self::Slot(slot) => {
                let filled = record.slots().map(|slots| slots.get(&slot.name));
                match filled {
                    Some(Some(own)) => slot.judge(own, value, context.zone),
                    Some(None) if slot.optional => Match::No,
                    Some(None) | None => Match::Unknown,
                }
            }
            Self::Field { field, .. } if !field.has_places(context.args) => Match::Unknown,
            Self::Field { tool, field } => {
                let found = |result| field.count(result, value, context.args).0 > 0;
                let each = record
                    .outcomes(tool)
                    .iter()
                    .map(|outcome| match &outcome.stage {
                        Stage::Failed => Match::No,
                        Stage::Succeeded(Some(result)) if is_trusted(outcome, field) => {
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

    /// Returns why no value that is left has this origin; `None` if one may have it.
    pub(crate) fn dead(&self, possible: &Possible<'_>) -> Option<Reason> {
        match self {
            Self::Task(_) => None,
            Self::Slot(slot) => misfit(slot, possible),
            Self::Field { tool, field } => {
                let tool = match possible.around.earlier(tool) {
                    Ok(tool) => tool,
                    Err(reason) => return Some(reason),
                };
                let trusted = tool.output().integrity == Integrity::Trusted;
                if !trusted && !field.general().is_some_and(|path| tool.trusts(&path)) {
                    let problem = format!(
                        "anybody may have written what `{}` returns, so it never counts as an origin",
                        tool.name()
                    );
                    let fix = "name a tool whose output is trusted, or label this field as trusted in the tool catalogue";
                    return Some(Reason::new(problem, fix));
                }
                lacks(field, tool, possible.has())
            }
            Self::Argument { tool, argument } => {
                let tool = match possible.around.earlier(tool) {
                    Ok(tool) => tool,
                    Err(reason) => return Some(reason),
                };
                let (other, _) = tool.arguments().place(argument);
                never_equal(
                    possible.has(),
                    other.types(),
                    &format!("`{argument}` of `{}`", tool.name()),
                )
            }
        }
    }

    /// Returns true if this matching value is the only one that the origin offers.
    pub(crate) fn determines(&self, value: &Value, context: &CallContext<'_>) -> bool {
        if let Self::Task(spoken) = self {
            return spoken.determines(value, context);
        }
        if let Self::Slot(_) = self {
            let owners = context.view.record.slots_are_the_owners();
            return owners && self.judge(value, context) == Match::Yes;
        }
        let (equal, all) = self.offered(value, context);
        equal > 0 && equal == all
    }

    /// Returns true if the origin offers any value.
    pub(crate) fn offers_any(&self, context: &CallContext<'_>) -> bool {
        match self {
            Self::Task(_) => context.view.record.words().is_some(),
            Self::Slot(slot) => {
                let slots = context.view.record.slots();
                slots.is_none_or(|slots| slots.get(&slot.name).is_some())
            }
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
            Self::Task(_) | Self::Slot(_) => (0, 0),
            Self::Field { tool, field } => {
                let each = record.outcomes(tool).iter();
                let results = each.filter_map(|outcome| match &outcome.stage {
                    Stage::Succeeded(Some(result))
                        if outcome.determined && is_trusted(outcome, field) =>
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
            Self::Slot(_) | Self::Field { .. } | Self::Argument { .. } => None,
        }
    }
}

/// Returns why no value that is left is of the kind of a slot.
fn misfit(slot: &Slot, possible: &Possible<'_>) -> Option<Reason> {
    let types = TypeSet::of_words(slot.types().iter().copied());
    let (name, kind) = (&slot.name, slot.bare());
    let never = never_equal(possible.has(), types, &format!("the {kind} `{name}`"));
    if never.is_some() {
        return never;
    }
    let domain = possible.domain();
    let zone = possible.around.nothing.zone;
    let fits = |value: &&Value| value.is_number() || slot.takes(value, zone);
    let listed = domain.listed();
    let none = listed.is_some_and(|values| !values.iter().any(fits));
    let mut each = domain.alternatives.iter();
    let too_short = each.all(|one| one.types == TypeSet::TEXT && one.length.1 < slot.least_chars());
    (none || too_short).then(|| {
        let problem = format!(
            "no value that the tool takes here is {}, as the slot `{name}` is",
            slot.said()
        );
        Reason::new(
            problem,
            "write another `kind` for the slot, or bound another argument by it",
        )
    })
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
            Self::Slot(slot) => write!(f, "{{ slot = {} }}", quoted(&slot.name)),
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
