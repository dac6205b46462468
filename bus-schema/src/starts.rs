//! The starts of the deployment on the record.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::{AuthorId, EventId, Meta, Time};

/// The actors without which no task runs, or is recorded.
pub const START_ACTORS: [AuthorId; 6] = [
    AuthorId::Audit,
    AuthorId::Policy,
    AuthorId::Runner,
    AuthorId::Worker,
    AuthorId::Scheduler,
    AuthorId::Gateway,
];
/// The time within which all of them start when the deployment starts: ten minutes.
pub const START_MS_MAX: u64 = 600_000;
/// Largest number of starts that are remembered; the oldest is forgotten first.
pub const STARTS_MAX: usize = 16;

/// The starts of the deployment: each is complete with the `service.started` of the last of [`START_ACTORS`], if each of them
/// has started within [`START_MS_MAX`] and after the start before. So the restart of some of them is no start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeploymentStarts {
    /// The last start of each actor since the deployment's last start.
    actors: BTreeMap<AuthorId, Time>,
    /// The last starts of the deployment, oldest first.
    all: VecDeque<(EventId, Time)>,
}

impl DeploymentStarts {
    /// Folds a `service.started`. Returns true if a start of the deployment is complete with it.
    pub fn fold(&mut self, meta: &Meta) -> bool {
        self.actors.insert(meta.by, meta.stored);
        let just = |actor: &AuthorId| {
            let at = self.actors.get(actor);
            at.is_some_and(|at| meta.stored.ms_since(*at) <= START_MS_MAX)
        };
        let is_complete = START_ACTORS.iter().all(just);
        if is_complete {
            self.actors.clear();
            self.all.push_back((meta.id, meta.stored));
            if self.all.len() > STARTS_MAX {
                self.all.pop_front();
            }
        }
        is_complete
    }

    /// Returns the last start: the event that completes it, and the time of that event.
    #[must_use]
    pub fn last(&self) -> Option<(EventId, Time)> {
        self.all.back().copied()
    }

    /// Returns the time of one of the last starts.
    #[must_use]
    pub fn at(&self, start: EventId) -> Option<Time> {
        let mut all = self.all.iter();
        all.find(|(id, _)| *id == start).map(|(_, at)| *at)
    }
}
