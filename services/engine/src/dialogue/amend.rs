//! The call by which a model asks for another contract: what became of it, or the request that is to be made.

use bus_schema::json;
use serde_json::Value;

use super::record::{CallEnd, CallState, Dialogue};
use super::results::CallText;
use crate::request::{self, NewRequest, RequestEnd};
use crate::wire::WireCall;

/// The state of such a call.
pub(super) enum Amendment {
    /// The result that the model is told.
    Told(CallText),
    /// It waits for the owner, for policy, or for the end of another request.
    Waits,
    /// It is to be made.
    Make(NewRequest),
}

/// Returns the state of a call at this place: the answer, and the call in it. `has_fix` says if policy named a change that would
/// permit a refused call.
pub(super) fn amendment(
    dialogue: &Dialogue,
    (nth, item): (usize, u16),
    call: &WireCall,
    has_fix: impl Fn(&CallEnd) -> bool,
) -> Amendment {
    let record = dialogue.turns.get(nth);
    if let Some(made) = record.and_then(|record| record.requests.get(&item)) {
        return match dialogue.requests.end(*made) {
            None => Amendment::Waits,
            Some(end) => Amendment::Told(told(end)),
        };
    }
    let error = |text: &str| Amendment::Told(CallText::error(text));
    let args = call.args.as_ref().ok().cloned().map(Value::Object);
    let args = args.and_then(|args| request::read(&json::canonical(&args)));
    let refused = args.and_then(|(refused, reason)| Some((place(refused.as_str()?)?, reason)));
    // Only an earlier answer: whether a call of this one was refused may change yet.
    let Some(((turn, refused), reason)) = refused.filter(|((turn, _), _)| *turn < nth) else {
        return error(
            "Not asked: `refused` names no refused call of an earlier answer, as its result says it, or there is no `reason`.",
        );
    };
    let found = dialogue.turns.get(turn);
    let action = found.and_then(|found| found.refused.get(&refused));
    let end = found.and_then(|found| found.calls.get(&refused));
    let (Some(action), Some(CallState::Ended(end, _))) = (action, end) else {
        return error("Not asked: this call was not refused.");
    };
    if !has_fix(end) {
        return error("Not asked: no change of the contract is known that would allow this call.");
    }
    let Some(request) = dialogue.requests.next() else {
        return error("Not asked: this task has asked as often as it may.");
    };
    if !dialogue.requests.may_ask() {
        return Amendment::Waits;
    }
    Amendment::Make(NewRequest {
        request,
        index: u16::try_from(nth).unwrap_or(u16::MAX),
        item,
        action: *action,
        reason,
    })
}

fn told(end: RequestEnd) -> CallText {
    match end {
        RequestEnd::Moved => CallText::done(
            "A person has signed a new version of the contract, and it is in force. It may differ from what you asked for. You may \
             call again.",
        ),
        RequestEnd::Declined => {
            CallText::error("A person has refused the change. Do not ask for it again.")
        }
        RequestEnd::Rejected => CallText::error(
            "A person has signed a change, but it is not in force. Go on without it.",
        ),
    }
}

/// Reads the place of a refused call: the answer and the call, from 1.
fn place(text: &str) -> Option<(usize, u16)> {
    let (turn, item) = text.split_once('.')?;
    let (turn, item): (usize, u16) = (turn.parse().ok()?, item.parse().ok()?);
    Some((turn.checked_sub(1)?, item.checked_sub(1)?))
}
