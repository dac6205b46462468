//! Readers for events that audit does not fold.

use bus_schema::{
    AuthorId, DeploymentId, Event as _, Meta, Raw, RosterChanged, Subject, parse_fact,
};

/// The deployment that a genuine roster names.
pub(crate) fn roster(raw: &Raw<'_>, meta: &Meta) -> Option<DeploymentId> {
    let subject = Subject::parse(raw.subject)?;
    if meta.by != AuthorId::Owner || subject.kind != RosterChanged::KIND {
        return None;
    }
    let schema = format!("{}.v{}", RosterChanged::KIND, RosterChanged::V);
    let (_, fact) = parse_fact::<RosterChanged>(subject, &schema, raw.body).ok()?;
    Some(fact.deployment)
}

/// Returns true if an event has this kind and author.
pub(crate) fn is(kind: &str, by: AuthorId, raw: &Raw<'_>, meta: &Meta) -> bool {
    meta.by == by && Subject::parse(raw.subject).is_some_and(|subject| subject.kind == kind)
}
