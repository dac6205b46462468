//! The requests of one task for another contract: one is open at a time, and none has a value of its own.

use std::collections::BTreeMap;

use bus_schema::{ActionId, AmendStatement, Digest, REQUESTS_MAX, json};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The name under which a session calls for a request; the catalogue has no such tool.
pub const REQUEST_TOOL: &str = "contract.request";
/// Most characters of the reason of a request.
pub const REASON_CHARS_MAX: usize = 1_000;
/// Most bytes of the arguments of a request.
const ARGS_BYTES_MAX: usize = 8 << 10;

/// The requests of a task.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Requests {
    made: u16,
    open: Option<u16>,
    /// The request that the owner granted, with the contract that policy has not judged yet.
    moving: Option<(u16, Digest)>,
    ends: BTreeMap<u16, RequestEnd>,
}

/// The end of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RequestEnd {
    /// The task goes on under the contract that the owner signed.
    Moved,
    /// The owner refused it.
    Declined,
    /// Policy rejected the contract that the owner signed.
    Rejected,
}

/// A request to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewRequest {
    pub(crate) request: u16,
    pub(crate) index: u16,
    pub(crate) item: u16,
    pub(crate) action: ActionId,
    pub(crate) reason: String,
}

impl Requests {
    /// Returns true if no request is open, and the task is not about to move.
    pub(crate) const fn may_ask(&self) -> bool {
        self.open.is_none() && self.moving.is_none()
    }

    /// Returns true while nothing may be proposed, because the owner has signed a contract that policy has not judged yet.
    pub(crate) const fn is_moving(&self) -> bool {
        self.moving.is_some()
    }

    /// The number of the next request; none if the task has made as many as it may.
    pub(crate) fn next(&self) -> Option<u16> {
        (self.made < REQUESTS_MAX).then_some(self.made)
    }

    /// Folds a request of its own.
    pub(crate) fn make(&mut self, request: u16) {
        self.made = request.saturating_add(1);
        self.open = Some(request);
    }

    /// Folds an answer of the owner. One for another request than the open one, or than the one that was granted last, is ignored.
    pub(crate) fn answer(&mut self, said: &AmendStatement) {
        let moving = self.moving.map(|(request, _)| request);
        if ![self.open, moving].contains(&Some(said.request)) {
            return;
        }
        self.open = None;
        self.moving = said.to.map(|to| (said.request, to));
        if said.to.is_none() {
            self.ends.insert(said.request, RequestEnd::Declined);
        }
    }

    /// Folds policy's verdict on a contract. Returns true if the task waited for it.
    pub(crate) fn judged(&mut self, contract: &Digest, in_force: bool) -> bool {
        let Some((request, _)) = self.moving.take_if(|(_, to)| to == contract) else {
            return false;
        };
        let end = if in_force {
            RequestEnd::Moved
        } else {
            RequestEnd::Rejected
        };
        self.ends.insert(request, end);
        true
    }

    /// The end of a request; none while it waits.
    pub(crate) fn end(&self, request: u16) -> Option<RequestEnd> {
        self.ends.get(&request).copied()
    }
}

/// Reads the arguments of a request: the refused call, as the caller knows it, and the reason.
pub(crate) fn read(args: &[u8]) -> Option<(Value, String)> {
    let args = json::parse(args, ARGS_BYTES_MAX).ok()?;
    let reason = args.get("reason")?.as_str()?;
    let reason: String = reason.chars().take(REASON_CHARS_MAX).collect();
    Some((args.get("refused")?.clone(), reason))
}
