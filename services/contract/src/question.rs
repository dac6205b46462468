//! Merges the questions of all matching asks into one that is at least as strict as each of them.

use std::cmp::{Ordering, Reverse};

use crate::rule::{Escalation, OWNER, Question, Rule, RuleKind};

/// Two asks that need an approval of different roles and cannot be merged.
pub(crate) type Conflict<'r> = (&'r Rule, &'r Rule);

/// Returns the strictest ask, which counts the call, and the merged question; `None` without asks.
pub(crate) fn merge_questions<'r>(
    asks: impl Iterator<Item = &'r Rule>,
) -> Result<Option<(&'r Rule, Question)>, Conflict<'r>> {
    let mut each: Vec<(&Rule, &Question)> = asks
        .filter_map(|rule| match &rule.kind {
            RuleKind::Ask(question) => Some((rule, question)),
            RuleKind::Allow | RuleKind::Deny => None,
        })
        .collect();
    each.sort_by(|one, other| strictest_first(one.0, other.0));
    let Some(((strictest, first), others)) = each.split_first() else {
        return Ok(None);
    };
    let mut reasons = vec![first.reason.as_str()];
    let mut question = Question::clone(first);
    for (rule, other) in others {
        if other.role != question.role {
            return Err((*strictest, *rule));
        }
        question.quorum = question.quorum.max(other.quorum);
        question.expires_ms = question.expires_ms.min(other.expires_ms);
        question.attended |= other.attended;
        question.verified |= other.verified;
        question.escalate = later(question.escalate, other.escalate.as_ref());
        if !reasons.contains(&other.reason.as_str()) {
            reasons.push(&other.reason);
        }
    }
    let last = reasons.pop().unwrap_or_default();
    let before = reasons.iter().map(|reason| reason.trim_end_matches('.'));
    question.reason = before.chain([last]).collect::<Vec<_>>().join("; ");
    Ok(Some((*strictest, question)))
}

/// Returns true if the merged question `whole` is equal to `part` except for its reason.
pub(crate) fn is_no_stricter(whole: &Question, part: &Question) -> bool {
    let told = |question: &Question| Question {
        reason: String::new(),
        ..question.clone()
    };
    told(whole) == told(part)
}

/// Orders asks, strictest first, independently of their position in the file.
pub(crate) fn strictest_first(one: &Rule, other: &Rule) -> Ordering {
    let key = |rule: &Rule| match &rule.kind {
        RuleKind::Ask(question) => {
            let escalation = question.escalate.as_ref();
            let after = escalation.map_or(u64::MAX, |escalation| escalation.after_ms);
            let expires = Reverse(question.expires_ms);
            Some((
                question.quorum,
                question.role != OWNER,
                expires,
                after,
                question.attended,
                question.verified,
            ))
        }
        RuleKind::Allow | RuleKind::Deny => None,
    };
    let more = key(other).cmp(&key(one));
    more.then_with(|| same_rank(one, other))
}

/// Breaks ties between rules: by their text, then by their names.
pub(crate) fn same_rank(one: &Rule, other: &Rule) -> Ordering {
    let text = || one.to_string().cmp(&other.to_string());
    text().then_with(|| one.id.cmp(&other.id))
}

/// Merges two escalations: the common role, after the later delay; `None` without a common role.
fn later(one: Option<Escalation>, other: Option<&Escalation>) -> Option<Escalation> {
    let (one, other) = (one?, other?);
    let after_ms = one.after_ms.max(other.after_ms);
    (one.role == other.role).then_some(Escalation { after_ms, ..one })
}
