//! Tells if and when an action must stop: after a halt, a cancellation, a revocation, or a stop of the executor.

use bus_schema::{DraftGrant, TaskId};
use tokio::sync::watch;

use crate::state::Gate;

/// The signals that keep actions from starting and end those that run.
#[derive(Debug, Clone)]
pub struct Stops {
    /// Halts, cancellations and revocations.
    pub gate: watch::Receiver<Gate>,
    /// Becomes true when the executor is asked to stop.
    pub stop: watch::Receiver<bool>,
}

impl Stops {
    /// Returns true if the action must not start.
    #[must_use]
    pub fn bar(&self, grant: &DraftGrant) -> bool {
        let gate = self.gate.borrow();
        *self.stop.borrow() || gate.stops(grant.task) || gate.revoked.contains(&grant.contract)
    }

    /// Completes once everything is halted, the task is cancelled, or the executor stops.
    pub async fn stopped(&self, task: TaskId) {
        let (mut gate, mut stop) = (self.gate.clone(), self.stop.clone());
        // A closed channel counts as a stop.
        tokio::select! {
            halted = gate.wait_for(|gate| gate.stops(task)) => drop(halted),
            stopping = stop.wait_for(|stop| *stop) => drop(stopping),
        }
    }
}
