//! Says what to do where log and stream, or log and checkpoints, are not one; nothing is proven until it is done.

use bus_schema::DeploymentId;

use crate::Problem;

/// What to do where the stream is not the one of the log.
macro_rules! put_the_stream_back {
    () => {
        "stop everything and put the newest copy of the stream (`nats/data`) back, with `audit/log` and \
         `audit/anchor` left as they are; where there is none, put all three back from one backup. \
         `contractual audit verify` says whether they agree"
    };
}

/// What to do where the stream is not the one of the log.
pub(crate) const PUT_THE_STREAM_BACK: &str = put_the_stream_back!();
/// What to do where the log is not what its checkpoints signed.
pub(crate) const PUT_THE_LOG_BACK: &str = "stop audit and put `audit/log` and `audit/anchor` back from one backup: what came since, audit takes from \
     the stream; where there is none, go on in another deployment (`contractual init`). \
     `contractual audit verify` says whether log and stream agree";
/// What to do where it cannot be said which of both was changed.
pub(crate) const FIND_OUT: &str =
    "run `contractual audit verify`: it says which of both was changed, and what to put back";
/// The stream that was read ends before the log does.
pub(crate) const SHORTER: &str = concat!(
    "the stream is shorter than the log: it was restored or replaced; ",
    put_the_stream_back!()
);

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
