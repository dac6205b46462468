//! The reasons that a request has no answer, each in one sentence, and how far the request got.

use std::fmt;
use std::net::SocketAddr;

use bus_schema::SecretName;
use contract::{Endpoint, HttpArgsError, PartsError, RefusedAddress};

use crate::release::NoCredential;

/// A part of a call that has its own time limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The resolution of the name.
    Resolve,
    /// The connection.
    Connect,
    /// The handshake of TLS.
    Handshake,
    /// The answer up to its first line and headers.
    Head,
    /// The next part of the answer.
    Body,
    /// The call as a whole.
    Whole,
}

/// The way in which a call without an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It failed.
    Failed,
    /// A time limit passed.
    Late,
    /// It was stopped.
    Stopped,
}

/// The reason that a call has no answer that can be used.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The arguments make no request.
    #[error(transparent)]
    Args(#[from] HttpArgsError),
    /// The parts of the arguments make no whole.
    #[error(transparent)]
    Parts(#[from] PartsError),
    /// A part of the arguments is not there.
    #[error("nothing was sent, because an earlier part of the arguments {0}")]
    NoPart(String),
    /// The call has no secret.
    #[error("nothing was sent, because the secret `{name}` was not available: {why}")]
    Secret {
        /// The secret.
        name: SecretName,
        /// The reason.
        why: NoCredential,
    },
    /// The contract does not name the host.
    #[error("the contract does not name the host {0}")]
    Host(Endpoint),
    /// No name server is configured.
    #[error(
        "no name server is known, so no name can be resolved; add `nameservers` to the configuration of egress"
    )]
    NoNameServer,
    /// No name server answered with addresses.
    #[error("the name {host} could not be resolved: {why}")]
    Resolve {
        /// The name.
        host: String,
        /// The reason.
        why: String,
    },
    /// The name does not exist, or has no addresses.
    #[error("the name {0} has no address")]
    NoAddress(String),
    /// One of the addresses is one that nothing is sent to.
    #[error("nothing was sent to {host}: {refused}")]
    Address {
        /// The name.
        host: String,
        /// The address and the reason.
        refused: RefusedAddress,
    },
    /// No address could be connected to.
    #[error("no connection to {0} could be made: {1}")]
    Connect(Endpoint, std::io::Error),
    /// The connection leads elsewhere than it was made to.
    #[error("the connection to {wanted} has the other end {found:?}")]
    Peer {
        /// The checked address.
        wanted: SocketAddr,
        /// The other end.
        found: Option<SocketAddr>,
    },
    /// TLS failed.
    #[error("{host} could not prove that it is {host}, or speaks no TLS that is accepted: {why}")]
    Tls {
        /// The name.
        host: String,
        /// The reason.
        why: String,
    },
    /// A phase took too long.
    #[error("{phase} took longer than {ms} ms")]
    Late {
        /// The phase.
        phase: Phase,
        /// Its limit.
        ms: u64,
    },
    /// The call was stopped.
    #[error("it was stopped: everything was halted, its task was cancelled, or egress stopped")]
    Stopped,
    /// The connection or the protocol failed after the request was begun.
    #[error("{0} broke the connection off, or does not speak HTTP: {1}")]
    Protocol(Endpoint, String),
    /// Two lengths, which servers and proxies read differently.
    #[error("the answer has both a length and a transfer encoding, so its end cannot be told")]
    TwoLengths,
    /// A code that is not one of success.
    #[error("the host answered with the code {code}{text}")]
    Code {
        /// The code.
        code: u16,
        /// The beginning of the answer in quotes, with what stands before it; empty if there is none.
        text: String,
        /// The seconds after which the host says to ask again.
        retry_after: Option<u32>,
    },
    /// A redirect.
    #[error("the host answered with the code {code} and points to {to}; {why}")]
    Redirect {
        /// The code.
        code: u16,
        /// The target in quotes.
        to: String,
        /// The reason that it is not followed.
        why: String,
    },
    /// An encoding that is not decoded.
    #[error("the answer is encoded as {0}, which was not asked for and is not decoded")]
    Encoding(&'static str),
    /// Bytes that are not of the encoding that the answer names.
    #[error("the answer is not encoded as it says")]
    Decode,
    /// More bytes than the tool allows.
    #[error("the answer has more than {0} bytes, which the tool allows at most")]
    Large(u64),
    /// Not the content that the tool expects.
    #[error("the answer is {0}")]
    Content(String),
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolve => "the resolution of the name",
            Self::Connect => "the connection",
            Self::Handshake => "the handshake of TLS",
            Self::Head => "the beginning of the answer",
            Self::Body => "the next part of the answer",
            Self::Whole => "the call",
        })
    }
}

impl Fault {
    /// Returns true if the host answered, so that it is known what became of the request.
    pub(crate) const fn is_answer(&self) -> bool {
        match self {
            Self::TwoLengths
            | Self::Code { .. }
            | Self::Redirect { .. }
            | Self::Encoding(_)
            | Self::Decode
            | Self::Large(_)
            | Self::Content(_) => true,
            Self::Args(_)
            | Self::Parts(_)
            | Self::NoPart(_)
            | Self::Secret { .. }
            | Self::Host(_)
            | Self::NoNameServer
            | Self::Resolve { .. }
            | Self::NoAddress(_)
            | Self::Address { .. }
            | Self::Connect(..)
            | Self::Peer { .. }
            | Self::Tls { .. }
            | Self::Late { .. }
            | Self::Stopped
            | Self::Protocol(..) => false,
        }
    }

    /// Returns true if the same request may succeed later, because the way to the host was not there, or broke off.
    pub(crate) const fn passes(&self) -> bool {
        matches!(
            self,
            Self::Resolve { .. }
                | Self::Connect(..)
                | Self::Tls { .. }
                | Self::Late { .. }
                | Self::Protocol(..)
        )
    }

    /// Returns what the host answered, if its code was not one of success: the code, and the seconds after which it says to
    /// ask again.
    pub(crate) const fn code(&self) -> Option<(u16, Option<u32>)> {
        match self {
            Self::Code {
                code, retry_after, ..
            } => Some((*code, *retry_after)),
            Self::Args(_)
            | Self::Parts(_)
            | Self::NoPart(_)
            | Self::Secret { .. }
            | Self::Host(_)
            | Self::NoNameServer
            | Self::Resolve { .. }
            | Self::NoAddress(_)
            | Self::Address { .. }
            | Self::Connect(..)
            | Self::Peer { .. }
            | Self::Tls { .. }
            | Self::Late { .. }
            | Self::Stopped
            | Self::Protocol(..)
            | Self::TwoLengths
            | Self::Redirect { .. }
            | Self::Encoding(_)
            | Self::Decode
            | Self::Large(_)
            | Self::Content(_) => None,
        }
    }

    /// Returns the way in which the call ended.
    pub(crate) const fn end(&self) -> End {
        match self {
            Self::Late { .. } => End::Late,
            Self::Stopped => End::Stopped,
            Self::Args(_)
            | Self::Parts(_)
            | Self::NoPart(_)
            | Self::Secret { .. }
            | Self::Host(_)
            | Self::NoNameServer
            | Self::Resolve { .. }
            | Self::NoAddress(_)
            | Self::Address { .. }
            | Self::Connect(..)
            | Self::Peer { .. }
            | Self::Tls { .. }
            | Self::Protocol(..)
            | Self::TwoLengths
            | Self::Code { .. }
            | Self::Redirect { .. }
            | Self::Encoding(_)
            | Self::Decode
            | Self::Large(_)
            | Self::Content(_) => End::Failed,
        }
    }
}
