//! Why a deployment cannot be made, started or reached.

use std::path::PathBuf;

/// Why nothing was done.
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
    /// A certificate cannot be made or used.
    #[error(transparent)]
    Pki(#[from] crate::pki::Error),
    /// There is no nats-server.
    #[error(transparent)]
    NatsServer(#[from] crate::nats_server::Error),
    /// The bus does not do what is asked.
    #[error(transparent)]
    Actor(#[from] actor::Error),
    /// A file cannot be read or written.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There is no deployment here.
    #[error("{} is not a state directory; run `contractual init --dir {}`", .0.display(), .0.display())]
    NoDeployment(PathBuf),
    /// A document is not valid.
    #[error("{0}")]
    Document(String),
    /// What was asked cannot be done as things are; the text says what to do.
    #[error("{0}")]
    Refused(String),
}

impl Error {
    /// 64 for wrong input and keys that cannot be used, 1 for the rest.
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

    /// For `map_err` on file operations.
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
