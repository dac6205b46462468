//! Says of each argument of a call whether it has only one possible value, and by what.

use serde_json::Value;

use crate::bound::Bound;
use crate::bound::matching::{CallContext, lookup};
use crate::bound::origin::Origin;
use crate::determined::Openness;
use crate::labels::Integrity;
use crate::rule::{Rule, RuleKind};
use crate::valid_call::ValidCall;

/// Describes the arguments of a call that a rule permits after the task has read untrusted data, one sentence each; empty
/// if the task has not.
pub(super) fn described(rule: &Rule, case: &ValidCall<'_>) -> Vec<String> {
    let context = &case.context;
    let labels = context.view.record.labels();
    if rule.kind == RuleKind::Deny || labels.integrity == Integrity::Trusted {
        return Vec::new();
    }
    let open = rule.open_arguments(case.tool.arguments(), context);
    let is_open = |name: &str| open.iter().any(|one| one.name == name);
    let fixed = rule.bounds.iter().filter_map(|(name, bound)| {
        let value = lookup(context.args, name).filter(|value| !value.is_null())?;
        let by = by(bound, value, context);
        (!is_open(name)).then(|| format!("`{name}` has only this value by {by}"))
    });
    let mut all: Vec<String> = fixed.collect();
    let free = |name: &str| {
        let free = rule.free.as_ref();
        free.is_some_and(|free| free.contains(name))
    };
    all.extend(open.iter().map(|one| match one.why {
        Openness::Absent => format!("`{}` is not given, and the rule does not exclude it", one.name),
        Openness::Chosen | Openness::Carries(_) if free(&one.name) => {
            format!("`{}` may have any value: the rule says that it is free", one.name)
        }
        Openness::Chosen | Openness::Carries(_) => format!(
            "`{}` could have another value: neither contract, owner's words nor a trusted result determine it",
            one.name
        ),
    }));
    all
}

/// Names the source that determines a value.
fn by(bound: &Bound, value: &Value, context: &CallContext<'_>) -> String {
    let Bound::All(predicates) = bound else {
        return "the contract".to_owned();
    };
    let mut origins = predicates.iter().flat_map(|one| one.origins());
    let origin = origins.find(|origin| origin.determines(value, context));
    match origin {
        Some(Origin::Task(_)) => "the owner's words".to_owned(),
        Some(Origin::Slot(slot)) => format!("what the owner filled in as `{}`", slot.name),
        Some(Origin::Field { tool, .. }) => format!("a trusted result of `{tool}`"),
        Some(Origin::Argument { tool, .. }) => format!("an earlier call of `{tool}`"),
        None => "the contract".to_owned(),
    }
}
