//! The error of a command, and its exit code.

use std::path::PathBuf;

/// The reason for which a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The deployment cannot be created, started or reached.
    #[error(transparent)]
    Deployment(#[from] deployment::Error),
    /// The gateway refused the request or does not answer.
    #[error(transparent)]
    Gateway(#[from] gateway::client::Error),
    /// A document is not valid.
    #[error("{0}")]
    Document(String),
    /// The command cannot be done in the present state; the text says what to do.
    #[error("{0}")]
    Refused(String),
    /// A check found a problem.
    #[error("{0}")]
    Found(String),
    /// The record differs from the signed one, or the log differs from the stream.
    #[error("{bad}; {}", bad.problem.fix())]
    Bad {
        /// The first bad place.
        bad: audit::Bad,
    },
    /// The person stopped the command.
    #[error("stopped")]
    Interrupted,
}

macro_rules! of_deployment { ($($T:ty),* $(,)?) => { $(
    impl From<$T> for Error {
        fn from(error: $T) -> Self {
            Self::Deployment(error.into())
        }
    }
)* } }
of_deployment!(
    actor::Error,
    actor::files::Error,
    actor::nkey::Error,
    actor::signing_key::Error,
    deployment::nats_server::Error,
    deployment::pki::Error,
);

impl Error {
    /// Returns 64 for invalid input or unusable keys, 2 for a check that found a problem, 130 for Ctrl-C, else 1.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Deployment(error) => error.exit_code(),
            Self::Document(_) => 64,
            Self::Found(_) | Self::Bad { .. } => 2,
            Self::Interrupted => 130,
            Self::Gateway(_) | Self::Refused(_) => 1,
        }
    }

    /// Makes the error of a file operation, for `map_err`.
    pub(crate) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let failed = deployment::Error::io(action, path);
        move |source| Self::Deployment(failed(source))
    }
}
