//! Finds the smallest change of a contract that permits a refused call, and verifies
//! it by deciding again.
//!
//! After the task has read untrusted data, a fix never contains a value of the call that no trusted source names: the
//! place stays open, as a question. What leaves, is hard to undo or names a path outside is only asked about.

mod amounts;
mod care;
mod head;
mod open;
mod refused;
mod rules;
mod widen;

use self::open::Sources;
use self::refused::{Refused, Try};
use crate::combine::RuleMatches;
use crate::contract::Contract;
use crate::labels::FlowAction;
use crate::valid_call::ValidCall;
use crate::verdict::{Code, Exceeded, Fix, Refusal};
use crate::why::Misses;

/// Finds the first change, smallest first, that permits the call.
pub(crate) fn find(
    contract: &Contract,
    (judged, misses): (&RuleMatches<'_>, &Misses<'_>),
    case: &ValidCall<'_>,
    refusal: &Refusal,
) -> Option<Fix> {
    let call = Refused {
        contract,
        judged,
        misses,
        case,
        sources: Sources::new(judged, case),
    };
    let permits = |tried: Try| call.permits(tried);
    match refusal.code {
        Code::NotAllowed => {
            let found = call.widened().find_map(permits);
            let added = |secret| call.added(call.kind(), secret).and_then(permits);
            found
                .or_else(|| added(None))
                .or_else(|| added(Some(FlowAction::Ask)))
        }
        Code::Denied => call.narrowed().and_then(permits),
        Code::Undecidable => {
            let narrowed = call.narrowed().and_then(permits);
            narrowed.or_else(|| call.asked(&refusal.rule).and_then(permits))
        }
        Code::RuleCalls
        | Code::RuleSum
        | Code::RuleSpend
        | Code::RuleValues
        | Code::Calls
        | Code::WallTime
        | Code::OutputBytes
        | Code::Tokens
        | Code::Spend
        | Code::BytesOut
        | Code::Messages
        | Code::Secret
        | Code::Untrusted => match refusal.exceeded.as_ref()? {
            Exceeded::Quota(period, lack) => {
                call.more(&refusal.rule, *period, lack).and_then(permits)
            }
            Exceeded::Limit(full) => call.raised(full).and_then(permits),
            Exceeded::Flow(rule) => call.asked_first(rule, refusal.code).and_then(permits),
        },
        Code::Expired => call.extended().and_then(permits),
        Code::NotStarted => call.begun().and_then(permits),
        Code::Principal => call.also_for().and_then(permits),
        Code::OtherTask | Code::UnknownTool | Code::Arguments | Code::Schema | Code::Conflict => {
            None
        }
    }
}
