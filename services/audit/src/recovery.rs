//! Says what to do where log and stream, or log and checkpoints, are not one; nothing is proven until it is done.

use bus_schema::DeploymentId;

use crate::Problem;
use crate::repair::{FIND_OUT, PUT_THE_LOG_BACK, PUT_THE_STREAM_BACK, SHORTER};

/// Why log and stream are not one; nothing is proven until a person has looked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// They hold different messages, or one lacks it.
    #[error("log and stream disagree at {0}: one of them was changed; {FIND_OUT}")]
    Disagree(u64),
    /// The stream ends first.
    #[error("the stream ends at {stream}, the log at {log}; {SHORTER}")]
    StreamShorter {
        /// Last sequence of the stream.
        stream: u64,
        /// Last index of the log.
        log: u64,
    },
    /// Audit said in the stream that the log is another one.
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
    /// What to do about it.
    #[must_use]
    pub const fn fix(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => {
                "give this user the right to read it, or check the disk; then run `contractual audit verify` again"
            }
            Self::Foreign => {
                "move it out of the log's folder; then run `contractual audit verify` again"
            }
            Self::NoRoster | Self::Deployment(_) => {
                "name the deployment that this log is of with --dir; if it is that one, stop audit and put \
                 `audit/log` and `audit/anchor` back from one backup"
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
