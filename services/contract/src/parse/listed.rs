//! Parses a list of names at the head of a contract, each once.

use std::fmt::Display;

use super::source::{Node, Source, Table};

/// A key at the head whose value is a list of names.
pub(super) struct Listed {
    /// The key.
    pub(super) key: &'static str,
    /// The word for one name.
    pub(super) one: &'static str,
    /// Most names.
    pub(super) max: usize,
    /// The repair of a list of more.
    pub(super) fewer: &'static str,
}

impl Listed {
    /// Reads the list, sorted; empty if the key is left out.
    pub(super) fn read<'t, T: Ord + Display>(
        &self,
        source: &mut Source<'t>,
        of: &Table<'t>,
        read: impl Fn(&mut Source<'t>, &'t Node<'t>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let Self {
            key,
            one,
            max,
            fewer,
        } = self;
        let Some(node) = of.table.get(*key) else {
            return Some(Vec::new());
        };
        let list = node.get_ref().as_array();
        if list.is_some_and(|items| items.is_empty()) {
            let fix = format!("name a {one}, or leave `{key}` out");
            source.report(node.span(), format!("`{key}` is empty"), fix);
            return None;
        }
        let items = source.items(node, &format!("`{key}`"))?;
        if items.len() > *max {
            let problem = format!("the contract names more than {max} {key}");
            source.report(node.span(), problem, *fewer);
            return None;
        }
        let mut names: Vec<T> = Vec::new();
        for item in items {
            let name = read(source, item)?;
            if names.contains(&name) {
                let problem = format!("the {one} `{name}` is there twice");
                source.report(item.span(), problem, "leave it out");
                return None;
            }
            names.push(name);
        }
        names.sort();
        Some(names)
    }
}
