//! What a command ends with, and its exit code.

use std::path::PathBuf;

/// Why a command did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The deployment cannot be made, started or reached.
    #[error(transparent)]
    Deployment(#[from] deployment::Error),
    /// The gateway does not do what is asked.
    #[error(transparent)]
    Gateway(#[from] gateway::client::Error),
    /// A document is not valid.
    #[error("{0}")]
    Document(String),
    /// What was asked cannot be done as things are; the text says what to do.
    #[error("{0}")]
    Refused(String),
    /// A check found something.
    #[error("{0}")]
    Found(String),
    /// The record is not what was signed, or log and stream are not one.
    #[error("{bad}; {}", bad.problem.fix())]
    Bad {
        /// The first bad place.
        bad: audit::Bad,
    },
    /// The person stopped it.
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
    /// 64 for wrong input and keys that cannot be used, 2 for a check that found something, 130 for Ctrl-C, 1 for the rest.
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

    /// For `map_err` on file operations.
    pub(crate) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let failed = deployment::Error::io(action, path);
        move |source| Self::Deployment(failed(source))
    }
}
