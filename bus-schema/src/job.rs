//! The jobs on the record.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{JobName, JobPaused, JobResumed, JobRevoked, JobSigned, Time};

/// The jobs on the record: of each name the version that counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jobs(BTreeMap<JobName, JobOnRecord>);

/// The newest version of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobOnRecord {
    /// The version as the owner signed it.
    pub signed: JobSigned,
    /// The time of its signature, in bus time: intervals without another start begin here.
    pub at: Time,
    /// The time from which it has slots: that of its signature, or of the end of its last pause.
    pub since: Time,
    /// True if the owner revoked it since.
    pub is_revoked: bool,
    /// True if it is paused.
    pub is_paused: bool,
}

impl JobOnRecord {
    /// Returns true if runs of `version` may be due.
    #[must_use]
    pub const fn runs(&self, version: u32) -> bool {
        self.signed.version == version && !self.is_revoked && !self.is_paused
    }
}

impl Jobs {
    /// Folds a version that was signed at `at`; only a higher one replaces another. Returns true if it counts.
    pub fn sign(&mut self, at: Time, signed: JobSigned) -> bool {
        let newest = self.0.get(&signed.job);
        if newest.is_some_and(|newest| signed.version <= newest.signed.version) {
            return false;
        }
        let one = JobOnRecord {
            at,
            since: at,
            is_revoked: false,
            is_paused: false,
            signed,
        };
        self.0.insert(one.signed.job.clone(), one);
        true
    }

    /// Folds a revocation.
    pub fn revoke(&mut self, revoked: &JobRevoked) {
        if let Some(newest) = self.0.get_mut(&revoked.job) {
            newest.is_revoked |= newest.signed.version <= revoked.version;
        }
    }

    /// Folds a pause.
    pub fn pause(&mut self, paused: &JobPaused) {
        if let Some(newest) = self.0.get_mut(&paused.job) {
            newest.is_paused = true;
        }
    }

    /// Folds the end of a pause, stored at `at`: the slots of the pause are passed over.
    pub fn resume(&mut self, at: Time, resumed: &JobResumed) {
        if let Some(newest) = self.0.get_mut(&resumed.job)
            && newest.is_paused
        {
            newest.is_paused = false;
            newest.since = newest.since.max(at);
        }
    }

    /// Returns the newest version, revoked or not.
    #[must_use]
    pub fn get(&self, job: &JobName) -> Option<&JobOnRecord> {
        self.0.get(job)
    }

    /// Returns the newest version, if it is `version` and may run.
    #[must_use]
    pub fn running(&self, job: &JobName, version: u32) -> Option<&JobOnRecord> {
        self.get(job).filter(|newest| newest.runs(version))
    }

    /// Returns all of them, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = &JobOnRecord> {
        self.0.values()
    }
}
