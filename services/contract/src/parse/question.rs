//! Parses the question of an ask: who approves it, and how long it stands.

use std::collections::BTreeMap;

use super::source::{Node, Source, TEXT_CHARS_MAX, Table, duration};
use crate::contract::Role;
use crate::rule::{ASK_MS_DEFAULT, Escalation, OWNER, Question};

/// Maximum time until a question expires: a day.
const ASK_MS_MAX: u64 = 24 * 60 * 60 * 1000;

/// Reads the question of an `[[ask]]`.
pub(super) fn read<'t>(
    source: &mut Source<'t>,
    of: &Table<'t>,
    roles: &BTreeMap<String, Role>,
) -> Option<Question> {
    let reason = source
        .required(of, "reason")
        .and_then(|node| source.text(node, "`reason`", TEXT_CHARS_MAX));
    let expires = of.table.get("expires");
    let expires_ms = expires.map_or(Some(ASK_MS_DEFAULT), |node| {
        duration(source, node, "`expires`", ASK_MS_MAX)
    });
    let role = match of.table.get("role") {
        Some(node) => role(source, node, roles),
        None => Some(OWNER.to_owned()),
    };
    let quorum = match of.table.get("quorum") {
        Some(node) => source
            .integer(node, "`quorum`", 1..=100)
            .map(|many| (many, node.span())),
        None => Some((1, of.span.clone())),
    };
    let escalate = match of.table.get("escalate") {
        Some(node) => escalation(source, node, roles).map(|found| Some((found, node.span()))),
        None => Some(None),
    };
    let attended = match of.table.get("attended") {
        Some(node) => source.boolean(node, "`attended`"),
        None => Some(false),
    };
    let verified = match of.table.get("verified") {
        Some(node) => source.boolean(node, "`verified`"),
        None => Some(false),
    };
    let (role, (quorum, span), expires_ms) = (role?, quorum?, expires_ms?);
    let members = roles.get(&role).map_or(1, |role| role.keys.len());
    let quorum = u32::try_from(quorum).ok()?;
    if usize::try_from(quorum).is_ok_and(|quorum| quorum > members) {
        let problem = format!("`{role}` has {members} key, so {quorum} can never say yes");
        source.report(span, problem, "lower `quorum`, or add keys to the role");
        return None;
    }
    let escalate = escalate?;
    if let Some((escalate, span)) = &escalate
        && escalate.after_ms >= expires_ms
    {
        let problem = "the question has ended before it is escalated";
        source.report(
            span.clone(),
            problem,
            "escalate earlier, or write a later `expires`",
        );
        return None;
    }
    Some(Question {
        reason: reason?,
        role,
        quorum,
        expires_ms,
        escalate: escalate.map(|(escalate, _)| escalate),
        attended: attended?,
        verified: verified?,
    })
}

fn role(
    source: &mut Source<'_>,
    node: &Node<'_>,
    roles: &BTreeMap<String, Role>,
) -> Option<String> {
    let text = source.text(node, "`role`", 64)?;
    if text == OWNER || roles.contains_key(&text) {
        return Some(text);
    }
    let names: Vec<&str> = roles.keys().map(String::as_str).chain([OWNER]).collect();
    let fix = diagnostic::nearest(&text, names.iter().copied()).map_or_else(
        || format!("add `[roles.{text}]`, or use one of: {}", names.join(", ")),
        |near| format!("did you mean `{near}`?"),
    );
    source.report(
        node.span(),
        format!("the contract has no role `{text}`"),
        fix,
    );
    None
}

fn escalation<'t>(
    source: &mut Source<'t>,
    node: &'t Node<'t>,
    roles: &BTreeMap<String, Role>,
) -> Option<Escalation> {
    let of = source.table(node, "`escalate`", &["after", "role"])?;
    let after = source.required(&of, "after");
    let after = after.and_then(|node| duration(source, node, "`after`", ASK_MS_MAX));
    let to = source.required(&of, "role");
    let to = to.and_then(|node| role(source, node, roles));
    Some(Escalation {
        after_ms: after?,
        role: to?,
    })
}
