//! Reads one text or a list of texts.

use crate::parse::source::{Node, Source};
use crate::pattern::PATTERN_BYTES_MAX;

/// Maximum number of texts of one bound.
const LIST_MAX: usize = 1000;

/// Reads one host, address or domain or a list of them, each with `read`.
pub(super) fn one_or_more<'t, T>(
    source: &mut Source<'t>,
    node: &'t Node<'t>,
    what: &str,
    fix: &str,
    read: fn(&str) -> Option<T>,
) -> Option<Vec<T>> {
    each(source, node, what, |source, node| {
        let text = source.text(node, what, PATTERN_BYTES_MAX)?;
        let found = read(&text);
        if found.is_none() {
            source.report(node.span(), format!("{text:?} is no {what}"), fix);
        }
        found
    })
}

/// Reads one value or a list of values, each with `read`.
pub(super) fn each<'t, T>(
    source: &mut Source<'t>,
    node: &'t Node<'t>,
    what: &str,
    read: impl Fn(&mut Source<'t>, &'t Node<'t>) -> Option<T>,
) -> Option<Vec<T>> {
    if node.get_ref().as_array().is_none() {
        return Some(vec![read(source, node)?]);
    }
    let items = source.items(node, what)?;
    if items.len() > LIST_MAX {
        let problem = format!("the list has more than {LIST_MAX} entries");
        source.report(node.span(), problem, "split the contract by purpose");
        return None;
    }
    items.iter().map(|item| read(source, item)).collect()
}
