//! Parses `secrets` of a rule, and reports tools whose secret a rule does not name.

use bus_schema::SecretName;

use super::source::{Node, Source, Table};
use crate::catalogue::Catalogue;
use crate::contract::Contract;
use crate::envelope::permits;
use crate::rule::RuleKind;

/// Maximum number of secrets of one rule.
const SECRETS_MAX: usize = 32;

/// Reads the names.
pub(super) fn read<'t>(source: &mut Source<'t>, of: &Table<'t>) -> Option<Vec<SecretName>> {
    let Some(node) = of.table.get("secrets") else {
        return Some(Vec::new());
    };
    let items = source.items(node, "`secrets`")?;
    if items.len() > SECRETS_MAX {
        let problem = format!("the rule names more than {SECRETS_MAX} secrets");
        source.report(node.span(), problem, "split the rule");
        return None;
    }
    let mut names: Vec<SecretName> = Vec::new();
    for item in items {
        let text = source.text(item, "the name of a secret", 64)?;
        let Ok(name) = text.parse() else {
            let fix = "use lower-case letters, digits, `-`, `_` and `.`";
            source.report(item.span(), format!("{text:?} is no name of a secret"), fix);
            return None;
        };
        if names.contains(&name) {
            source.report(
                item.span(),
                format!("`{name}` is named twice"),
                "remove one of them",
            );
            return None;
        }
        names.push(name);
    }
    Some(names)
}

/// Reports a rule that permits calls of a tool whose secret it does not name; `nodes` are the rules in the document, in
/// the same order.
pub(super) fn check(
    source: &mut Source<'_>,
    contract: &Contract,
    nodes: &[&Node<'_>],
    catalogue: &Catalogue,
) {
    let used = |tool| permits(contract, tool);
    for tool in catalogue.tools() {
        let Some(secret) = tool.secret().filter(|_| used(tool)) else {
            continue;
        };
        let name = tool.name();
        for (rule, node) in contract.rules().zip(nodes) {
            let is_about = rule.kind != RuleKind::Deny && rule.tool.matches(name.as_str());
            if !is_about || rule.secrets.contains(secret) {
                continue;
            }
            let written = node.get_ref().as_table();
            let written = written.and_then(|table| table.get("secrets"));
            let span = written.map_or_else(|| node.span(), |names| names.span());
            let problem =
                format!("`{name}` uses the secret `{secret}`, which this rule does not name");
            let fix = match written {
                Some(_) => format!("add \"{secret}\" to `secrets`, or leave the tool out"),
                None => format!("write `secrets = [\"{secret}\"]`, or leave the tool out"),
            };
            source.report(span, problem, fix);
        }
    }
}
