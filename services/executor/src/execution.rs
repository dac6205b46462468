//! Performs claimed actions, each once and within its grant.

use std::sync::{Arc, PoisonError, RwLock};

use actor::{Clock, Places};
use bus_schema::{ActionOutcome, DraftGrant};

use crate::done::{Done, output_bytes_max};
use crate::execute::Execute;
use crate::installed::Installed;
use crate::stops::Stops;

/// An executor's tools with what calls them, and the signals that stop them.
#[derive(Debug)]
pub struct Execution<E: Execute> {
    /// Calls the tools.
    pub execute: Arc<E>,
    /// The tools of the newest catalogue that the owner signed.
    pub installed: RwLock<Arc<Installed<E::Tool>>>,
    /// Halts, cancellations, revocations and the stop of the executor.
    pub stops: Stops,
    /// Measures wall time.
    pub clock: Clock,
}

impl<E: Execute> Execution<E> {
    /// Performs the action of `grant`, once, with `args`, in the places of its contract. An earlier halt, stop, cancellation or
    /// revocation prevents the start.
    ///
    /// `None`: the outcome is unknown, so no event may report one.
    pub async fn perform(&self, grant: &DraftGrant, places: &Places, args: &[u8]) -> Option<Done> {
        let started = self.clock.elapsed();
        let installed = self.installed();
        let failed = |outcome, text| Some(Done::not_begun(grant, outcome, text));
        let done = if self.stops.bar(grant) {
            let text = "nothing was done: it was stopped before it began";
            failed(ActionOutcome::Killed, text)
        } else {
            match installed.get(&grant.tool, &grant.tool_digest) {
                Some(tool) => {
                    let call = self.execute.call(tool, grant, places, args, &self.stops);
                    Box::pin(call).await
                }
                None => failed(ActionOutcome::Failed, "the tool is not installed here"),
            }
        };
        let mut done = done?;
        done.bound(output_bytes_max(grant));
        let wall = self.clock.elapsed().saturating_sub(started);
        done.usage.wall_ms = u32::try_from(wall.as_millis()).unwrap_or(u32::MAX);
        let bytes = done.stored.saturating_add(done.output.len() as u64);
        done.usage.output_bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        Some(done)
    }

    /// Returns the tools.
    pub(crate) fn installed(&self) -> Arc<Installed<E::Tool>> {
        let installed = self.installed.read();
        Arc::clone(&installed.unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the tools; actions that run keep theirs.
    pub(crate) fn install(&self, tools: Arc<Installed<E::Tool>>) {
        let installed = self.installed.write();
        *installed.unwrap_or_else(PoisonError::into_inner) = tools;
    }
}
