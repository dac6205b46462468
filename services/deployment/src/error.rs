//! The errors of creating, starting and reaching a deployment.

use std::path::PathBuf;

/// The reason for a failure.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An identity file cannot be used.
    #[error(transparent)]
    File(#[from] actor::files::Error),
    /// An NKey cannot be used.
    #[error(transparent)]
    Nkey(#[from] actor::nkey::Error),
    /// A signing key cannot be used.
    #[error(transparent)]
    SigningKey(#[from] actor::signing_key::Error),
    /// A certificate cannot be created or used.
    #[error(transparent)]
    Pki(#[from] crate::pki::Error),
    /// No nats-server was found.
    #[error(transparent)]
    NatsServer(#[from] crate::nats_server::Error),
    /// The bus refused a request.
    #[error(transparent)]
    Actor(#[from] actor::Error),
    /// A file cannot be read or written.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// The attempted operation, as a verb.
        action: &'static str,
        /// The path.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The folder holds no deployment.
    #[error("{} is not a state directory; run `contractual init --dir {}`", .0.display(), .0.display())]
    NoDeployment(PathBuf),
    /// A document is invalid.
    #[error("{0}")]
    Document(String),
    /// The request is not possible in this state; the text states what to do next.
    #[error("{0}")]
    Refused(String),
}

impl Error {
    /// The exit code: 64 for wrong input and unusable keys, 1 for other errors.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NoDeployment(_)
            | Self::Document(_)
            | Self::File(_)
            | Self::Nkey(_)
            | Self::SigningKey(_) => 64,
            Self::Actor(error) => error.exit_code(),
            Self::Pki(_) | Self::NatsServer(_) | Self::Io { .. } | Self::Refused(_) => 1,
        }
    }

    /// Creates a function for `map_err` on file operations.
    pub fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }
}
