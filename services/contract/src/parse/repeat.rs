//! Parses `distinct`, `per_value` and `same`: how the calls of a rule in a task relate.

use super::source::{Node, Source, Table};
use super::tools::About;
use crate::repeat::Repeats;

/// Maximum length of the name of an argument, in characters.
const NAME_CHARS_MAX: usize = 500;

/// The keys.
pub(super) const KEYS: [&str; 3] = ["distinct", "per_value", "same"];

/// Reads the keys of a rule.
pub(super) fn read<'t>(
    source: &mut Source<'t>,
    of: &Table<'t>,
    about: &About<'_>,
) -> Option<Repeats> {
    let mut repeats = Repeats::default();
    let [distinct, per_value, same] = KEYS.map(|key| of.table.get(key));
    if let Some(node) = distinct {
        for name in names(source, node, "`distinct`", about)? {
            repeats.per_value.insert(name, 1);
        }
    }
    if let Some(node) = per_value {
        let Some(table) = node.get_ref().as_table().filter(|table| !table.is_empty()) else {
            source.mistyped(
                node,
                "`per_value`",
                "`per_value = { <argument> = <most calls> }`",
            );
            return None;
        };
        for (key, node) in table {
            let name = key.get_ref().as_ref();
            about.check(source, key.span(), name)?;
            let most = source.count(node, "the number of calls for each value", 1)?;
            if repeats.per_value.insert(name.to_owned(), most).is_some() {
                let problem =
                    format!("`distinct` says already that each value of `{name}` is used once");
                source.report(key.span(), problem, "name it in one of them");
                return None;
            }
        }
    }
    if let Some(node) = same {
        for name in names(source, node, "`same`", about)? {
            if repeats.per_value.contains_key(&name) {
                let problem = format!("`{name}` cannot have one value and not repeat it");
                source.report(node.span(), problem, "remove it from one of them");
                return None;
            }
            repeats.same.insert(name);
        }
    }
    Some(repeats)
}

/// Reads a list of names of arguments, each once.
fn names<'t>(
    source: &mut Source<'t>,
    node: &'t Node<'t>,
    what: &str,
    about: &About<'_>,
) -> Option<Vec<String>> {
    let mut names = Vec::new();
    for item in source.items(node, what)? {
        let name = source.text(item, what, NAME_CHARS_MAX)?;
        about.check(source, item.span(), &name)?;
        if names.contains(&name) {
            let problem = format!("{what} names `{name}` twice");
            source.report(item.span(), problem, "remove one of them");
            return None;
        }
        names.push(name);
    }
    Some(names)
}
