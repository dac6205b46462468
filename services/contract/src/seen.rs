//! Says in a question where a value was seen that a rule bounds by `seen_in`.

use crate::bound::matching::{CallContext, lookup};
use crate::rule::Rule;
use crate::show::words::joined;

/// Describes the places of such values, to be added to the reason of a question; empty without one.
pub(crate) fn note(rule: &Rule, context: &CallContext<'_>) -> String {
    let each = rule.bounds.iter().filter_map(|(name, bound)| {
        let place = bound.seen(lookup(context.args, name)?, context)?;
        Some(format!("`{name}` stands in a result of {place}"))
    });
    let each: Vec<String> = each.collect();
    if each.is_empty() {
        return String::new();
    }
    format!("; {}", joined(each, "and"))
}
