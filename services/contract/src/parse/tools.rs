//! Checks names of tools and arguments against the catalogue.

use std::ops::Range;

use diagnostic::nearest;

use super::source::{Node, Source};
use crate::catalogue::{Catalogue, Tool};
use crate::known::KnownSets;
use crate::pattern::PATTERN_BYTES_MAX;
use crate::slot::Slots;

/// The tools of a rule, the catalogue, and the known sets and slots of the contract.
#[derive(Clone)]
pub(crate) struct About<'c> {
    pub(crate) catalogue: &'c Catalogue,
    pub(crate) known: &'c KnownSets,
    pub(crate) slots: &'c Slots,
    pub(crate) matched: Vec<&'c Tool>,
    /// The argument whose bound is read.
    pub(crate) argument: Option<&'c str>,
}

impl<'c> About<'c> {
    /// Reports an argument that one of the tools cannot have.
    pub(crate) fn check(
        &self,
        source: &mut Source<'_>,
        span: Range<usize>,
        name: &str,
    ) -> Option<()> {
        Self::check_in(source, span, name, &self.matched)
    }

    /// Reports an argument that one of the given tools cannot have.
    pub(crate) fn check_in(
        source: &mut Source<'_>,
        span: Range<usize>,
        name: &str,
        tools: &[&Tool],
    ) -> Option<()> {
        let lacking = tools.iter().find(|tool| !tool.arguments().has(name));
        let Some(tool) = lacking else {
            return Some(());
        };
        let problem = format!("the tool `{}` has no argument `{name}`", tool.name());
        let fix = nearest(name, tool.arguments().names()).map_or_else(
            || {
                let names: Vec<&str> = tool.arguments().names().collect();
                if names.is_empty() {
                    "it has none; remove the bound".to_owned()
                } else {
                    format!("it has: {}; bound one of these", names.join(", "))
                }
            },
            |near| format!("did you mean `{near}`?"),
        );
        source.report(span, problem, fix);
        None
    }

    /// Reads the name of a tool of the catalogue.
    pub(crate) fn tool(&self, source: &mut Source<'_>, node: &Node<'_>) -> Option<&'c Tool> {
        let text = source.text(node, "`tool`", PATTERN_BYTES_MAX)?;
        let found = self.catalogue.get(&text);
        if found.is_none() {
            unknown_tool(source, node.span(), &text, self.catalogue);
        }
        found
    }
}

/// Reports a tool that is not in the catalogue.
pub(crate) fn unknown_tool(
    source: &mut Source<'_>,
    span: Range<usize>,
    text: &str,
    catalogue: &Catalogue,
) {
    let names: Vec<&str> = catalogue.tools().map(|tool| tool.name().as_str()).collect();
    let fix = nearest(text, names.iter().copied()).map_or_else(
        || {
            let some: Vec<&str> = names.iter().take(10).copied().collect();
            format!("use one of: {}", some.join(", "))
        },
        |near| format!("did you mean `{near}`?"),
    );
    source.report(span, format!("the catalogue has no tool `{text}`"), fix);
}
