//! What ends an actor, each with what to do about it.

use std::path::PathBuf;

/// Why an actor does not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration cannot be read.
    #[error("cannot read the configuration {path}; run `contractual init` or pass --config FILE")]
    ReadConfig {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The configuration is not valid.
    #[error("{path} is not a valid configuration")]
    ParseConfig {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// A key or certificate file cannot be used.
    #[error(transparent)]
    File(#[from] crate::files::Error),
    /// The NKey cannot be used.
    #[error(transparent)]
    Nkey(#[from] crate::nkey::Error),
    /// The signing key cannot be used.
    #[error(transparent)]
    SigningKey(#[from] crate::signing_key::Error),
    /// The bus cannot be reached or does not accept this actor.
    #[error("cannot connect to the bus at {url}: {reason}")]
    Connect {
        /// Where.
        url: String,
        /// Why, and what to do.
        reason: String,
    },
    /// The bus refuses something that this actor must be able to do.
    #[error("the bus refused {what}: {reason}")]
    Bus {
        /// What was tried.
        what: &'static str,
        /// The server's words.
        reason: String,
    },
    /// The stream or the consumer is missing.
    #[error("{what} does not exist on the bus; run `contractual provision`")]
    NotProvisioned {
        /// What.
        what: String,
    },
    /// The state directory cannot be used.
    #[error("cannot use the state directory {path}: {reason}")]
    State {
        /// The directory.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// A message by owner or policy is too new.
    #[error(transparent)]
    TooOld(#[from] bus_schema::TooOld),
    /// The own key is not in the roster.
    #[error(
        "the bus holds my event {seq} but its readers call it junk ({junk}): is my signing key in the roster?"
    )]
    Disowned {
        /// Its place.
        seq: u64,
        /// What they call it.
        junk: bus_schema::Junk,
    },
    /// The container gives less confinement than the shipped one.
    #[error(
        "{service} does not work in a weaker container than the shipped one: {missing}; see docker-compose.yml"
    )]
    Weaker {
        /// Who.
        service: bus_schema::AuthorId,
        /// What is missing, and the line of the compose file for each.
        missing: String,
    },
    /// What is said to excuse that does not.
    #[error("the exception {path} does not hold")]
    Exception {
        /// The file.
        path: PathBuf,
        /// Why.
        source: crate::hardening::NotExcepted,
    },
    /// The service itself cannot work.
    #[error("{0}")]
    Service(String),
}

impl Error {
    /// 64 for what the person who started it has to change, 1 for the rest.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::ReadConfig { .. }
            | Self::ParseConfig { .. }
            | Self::File(_)
            | Self::Nkey(_)
            | Self::SigningKey(_)
            | Self::Weaker { .. }
            | Self::Exception { .. } => 64,
            Self::Connect { .. }
            | Self::Bus { .. }
            | Self::NotProvisioned { .. }
            | Self::State { .. }
            | Self::TooOld(_)
            | Self::Disowned { .. }
            | Self::Service(_) => 1,
        }
    }
}

/// An error and what caused it, on one line.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(cause.to_string().trim_end());
        source = cause.source();
    }
    text
}
