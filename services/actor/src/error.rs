//! Errors that end an actor, each with its remedy.

use std::path::PathBuf;

/// An error that keeps an actor from starting, or ends it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration cannot be read.
    #[error("cannot read the configuration {path}; run `contractual init` or pass --config FILE")]
    ReadConfig {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The configuration is not valid.
    #[error("{path} is not a valid configuration")]
    ParseConfig {
        /// The file.
        path: PathBuf,
        /// The place and the cause.
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
        /// The server.
        url: String,
        /// The cause and the remedy.
        reason: String,
    },
    /// The bus refuses something that this actor must do.
    #[error("the bus refused {what}: {reason}")]
    Bus {
        /// The attempted action.
        what: &'static str,
        /// The server's message.
        reason: String,
    },
    /// The stream or the consumer is missing.
    #[error("{what} does not exist on the bus; run `contractual provision`")]
    NotProvisioned {
        /// The stream or consumer.
        what: String,
    },
    /// The state directory cannot be used.
    #[error("cannot use the state directory {path}: {reason}")]
    State {
        /// The directory.
        path: PathBuf,
        /// The cause and the remedy.
        reason: String,
    },
    /// A message by owner or policy is too new.
    #[error(transparent)]
    TooOld(#[from] bus_schema::TooOld),
    /// The own key is not in the roster.
    #[error(
        "my event {seq} is stored but reads as junk ({junk}); make sure that my signing key is in the roster"
    )]
    Disowned {
        /// Its place.
        seq: u64,
        /// The kind of junk.
        junk: bus_schema::Junk,
    },
    /// The owner's roster does not name the own key, so nobody would accept what it signs.
    #[error(
        "the owner's roster does not name my signing key {key}: bring back the key that it names, or sign a roster with \
         this one (`contractual init`, then `contractual provision`)"
    )]
    NotInRoster {
        /// The public half of the own key.
        key: bus_schema::PublicKey,
    },
    /// The container gives less confinement than the shipped one.
    #[error(
        "{service} does not work in a weaker container than the shipped one: {missing}; see docker-compose.yml"
    )]
    Weaker {
        /// The service.
        service: bus_schema::AuthorId,
        /// The missing properties, and the line of the compose file for each.
        missing: String,
    },
    /// The exception is not valid.
    #[error("the exception {path} is not valid")]
    Exception {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: crate::hardening::NotExcepted,
    },
    /// The service itself cannot work.
    #[error("{0}")]
    Service(String),
}

impl Error {
    /// Returns 64 for errors that the operator has to fix, 1 for the rest.
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
            | Self::NotInRoster { .. }
            | Self::Service(_) => 1,
        }
    }
}

/// Returns an error and its causes on one line.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let said = cause.to_string();
        // Some errors state their cause themselves.
        if !text.trim_end().ends_with(said.trim_end()) {
            text.push_str(": ");
            text.push_str(said.trim_end());
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::chain;

    #[derive(Debug, thiserror::Error)]
    enum Failure {
        #[error("no such file; make it")]
        Inner,
        #[error("the tool cannot run: {source}")]
        Stating { source: Box<Failure> },
        #[error("the catalogue is not usable")]
        Plain { source: Box<Failure> },
    }

    #[test]
    fn each_cause_is_stated_once() {
        let source = Box::new(Failure::Inner);
        let source = Box::new(Failure::Stating { source });
        let error = Failure::Plain { source };
        let said = "the catalogue is not usable: the tool cannot run: no such file; make it";
        assert_eq!(chain(&error), said);
    }
}
