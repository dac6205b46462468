//! Checks that a bound applies to the types of an argument.

use super::source::{Node, Source};
use crate::bound::Bound;

/// Reports a bound that does not apply to an argument of these types.
pub(super) fn fits(
    source: &mut Source<'_>,
    node: &Node<'_>,
    bound: &Bound,
    types: &[Vec<String>],
) -> bool {
    let mute = types.iter().find(|has| {
        let has: Vec<&str> = has.iter().map(String::as_str).collect();
        !speaks_of(bound, &has)
    });
    let Some(has) = mute else {
        return true;
    };
    let has = has.join(" or ");
    let fix = if has.contains("array") {
        "write { every = … } or { any = … } to bound the items".to_owned()
    } else {
        format!("write a bound for {has}")
    };
    let problem = format!("the argument is of type {has}, and the bound is for another");
    source.report(node.span(), problem, fix);
    false
}

/// Returns true if each part of a bound applies to one of these types; none means any.
pub(super) fn speaks_of(bound: &Bound, has: &[&str]) -> bool {
    let speaks = |judges: &&[&str]| {
        judges.is_empty() || has.is_empty() || has.iter().any(|one| judges.contains(one))
    };
    bound.types().iter().all(speaks)
}
