//! Disagreements of log, stream and checkpoints, and their repairs; audit publishes no heads until the repair.

use bus_schema::DeploymentId;

use crate::Problem;
use crate::repair::{FIND_OUT, PUT_THE_LOG_BACK, PUT_THE_STREAM_BACK, SHORTER};

/// The reason why log and stream disagree; audit publishes no heads until a person has repaired it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// They hold different messages at a sequence number, or one has none.
    #[error("log and stream disagree at {0}: one of them was changed; {FIND_OUT}")]
    Disagree(u64),
    /// The stream ends before the log.
    #[error("the stream ends at {stream}, the log at {log}; {SHORTER}")]
    StreamShorter {
        /// The last sequence number of the stream.
        stream: u64,
        /// The last index of the log.
        log: u64,
    },
    /// The log does not match a `checkpoint.signed` of audit in the stream.
    #[error(
        "the log is not the one whose first {0} entries were signed in the stream: it was replaced; {PUT_THE_LOG_BACK}"
    )]
    LogReplaced(u64),
    /// The roster names another deployment.
    #[error(
        "the stream belongs to the deployment {0}: set `deployment` in [service], or connect to the right bus"
    )]
    Deployment(DeploymentId),
    /// The log cannot be read.
    #[error("{0}")]
    Unreadable(String),
}

impl Problem {
    /// The repair.
    #[must_use]
    pub const fn fix(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => {
                "give this user read permission, or check the disk; then run `contractual audit verify` again"
            }
            Self::Foreign => {
                "move it out of the log's folder; then run `contractual audit verify` again"
            }
            Self::NoRoster | Self::Deployment(_) => {
                "name the deployment of this log with --dir; if it is that one, stop audit and put `audit/log` and \
                 `audit/anchor` back from one backup"
            }
            Self::NotInStream | Self::StreamDiffers => PUT_THE_STREAM_BACK,
            Self::Missing
            | Self::Length
            | Self::Refused(_)
            | Self::Entry
            | Self::Tile
            | Self::Genesis
            | Self::Root
            | Self::RolledBack { .. }
            | Self::Replaced
            | Self::Roster
            | Self::Observed(_) => PUT_THE_LOG_BACK,
        }
    }
}
