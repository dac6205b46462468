//! Puts the questions of all asks that describe a call as one, which is no weaker than any of them.

use std::cmp::{Ordering, Reverse};

use crate::rule::{Escalation, OWNER, Question, Rule, RuleKind};

/// Two asks that want a yes of different people, so that no one question can be put.
pub(crate) type Conflict<'r> = (&'r Rule, &'r Rule);

/// The strictest of the asks, whose call it counts as, and the question of all of them; none if there is no ask.
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

/// Whether `whole`, which joins further asks, asks for no more than `part`.
pub(crate) fn is_no_stricter(whole: &Question, part: &Question) -> bool {
    let told = |question: &Question| Question {
        reason: String::new(),
        ..question.clone()
    };
    told(whole) == told(part)
}

/// A total order of asks that says nothing of where they stand in the file.
pub(crate) fn strictest_first(one: &Rule, other: &Rule) -> Ordering {
    let key = |rule: &Rule| match &rule.kind {
        RuleKind::Ask(question) => {
            let escalation = question.escalate.as_ref();
            let after = escalation.map_or(u64::MAX, |escalation| escalation.after_ms);
            let expires = Reverse(question.expires_ms);
            Some((question.quorum, question.role != OWNER, expires, after))
        }
        RuleKind::Allow | RuleKind::Deny => None,
    };
    let more = key(other).cmp(&key(one));
    more.then_with(|| same_rank(one, other))
}

/// Orders rules between which nothing else decides: by what they say, and only then by their names.
pub(crate) fn same_rank(one: &Rule, other: &Rule) -> Ordering {
    let text = || one.to_string().cmp(&other.to_string());
    text().then_with(|| one.id.cmp(&other.id))
}

/// Whoever is asked after silence in both, and not before either says so.
fn later(one: Option<Escalation>, other: Option<&Escalation>) -> Option<Escalation> {
    let (one, other) = (one?, other?);
    let after_ms = one.after_ms.max(other.after_ms);
    (one.role == other.role).then_some(Escalation { after_ms, ..one })
}
