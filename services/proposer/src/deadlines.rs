//! Records the passed deadlines of granted actions.

use std::collections::BTreeSet;

use actor::{Core, Outbox};
use bus_schema::{ActionExpired, ActionId, CanPublish, Draft, TaskId, Time};

use crate::open_grants::OpenGrants;

/// Largest number of drafts returned by one call of a core; the next call returns more.
pub const DRAFTS_AT_ONCE: usize = 64;

/// Appends the record of each passed deadline in `due`, and asks to be called for the next one. `granted` returns the
/// grants of an open task.
pub fn expire<'a, C>(
    due: &BTreeSet<(Time, TaskId, ActionId)>,
    out: &mut Outbox<'_, C>,
    granted: impl Fn(TaskId) -> Option<&'a OpenGrants>,
) where
    C: Core,
    C::Me: CanPublish<ActionExpired>,
{
    let mut said = 0;
    for &(at, id, action) in due {
        if out.now() <= at || said == DRAFTS_AT_ONCE {
            out.wake(at);
            return;
        }
        let cause = granted(id).and_then(|granted| granted.due(action));
        if let Some((_, cause)) = cause
            && out.idle(Some(id))
        {
            out.append(Draft::of(id, ActionExpired { action }).because(cause));
            said += 1;
        }
    }
}
