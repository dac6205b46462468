//! The reasons that a request has no answer, each in one sentence, and how far the request got.

use std::fmt;

use bus_schema::SecretName;
use contract::{Endpoint, HttpArgsError, PageFault, PartsError, RefusedAddress};

use crate::no_connection::{NoConnection, NoTunnel};
use crate::release::NoCredential;

/// A part of a call that has its own time limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The resolution of the name.
    Resolve,
    /// The connection.
    Connect,
    /// The connection to a proxy, and its answer.
    Proxy,
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
    Connect(Endpoint, NoConnection),
    /// The proxy of the configuration made no connection.
    #[error("nothing was sent, because the proxy {proxy} made no connection to {host}: {why}")]
    Proxy {
        /// The proxy.
        proxy: String,
        /// The host.
        host: Endpoint,
        /// The reason.
        why: NoTunnel,
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
    /// The host says that it handled nothing of the request.
    #[error("{0} refused the request before it handled any of it ({1}); it can be sent again")]
    Unhandled(Endpoint, String),
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
    #[error("the answer has more than {0} bytes, the most that its tool and its grant allow")]
    Large(u64),
    /// Not the content that the tool expects.
    #[error("the answer is {0}")]
    Content(String),
    /// A download that repeats the secret.
    #[error("the file has the secret in it, so nothing of it was stored")]
    SecretInFile,
    /// The disk of egress.
    #[error(
        "the file could not be kept on the disk of egress, and nothing of it was stored: {0}; make room, and call again"
    )]
    Disk(String),
    /// The stream of contents.
    #[error("the file could not be stored: {0}")]
    Store(String),
    /// Not a page, or one that leads nowhere.
    #[error(transparent)]
    Pages(#[from] PageFault),
    /// A page after the first, so that nothing of the earlier ones comes back.
    #[error("page {0} was not read, so nothing of the pages before it comes back: {1}")]
    Page(u8, Box<Self>),
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolve => "the resolution of the name",
            Self::Connect => "the connection",
            Self::Proxy => "the connection through the proxy",
            Self::Handshake => "the handshake of TLS",
            Self::Head => "the beginning of the answer",
            Self::Body => "the next part of the answer",
            Self::Whole => "the call",
        })
    }
}

impl Fault {
    /// Returns it as the fault of a page, counted from 1; the first page has none of its own.
    pub(crate) fn of_page(self, page: u8) -> Self {
        if page <= 1 || matches!(self, Self::Page(..)) {
            return self;
        }
        Self::Page(page, Box::new(self))
    }

    /// Returns true if it is known what became of the request, because the host answered, or says that it handled
    /// nothing of it.
    #[must_use]
    pub fn is_certain(&self) -> bool {
        match self {
            Self::Page(_, fault) => fault.is_certain(),
            Self::Unhandled(..)
            | Self::TwoLengths
            | Self::Code { .. }
            | Self::Redirect { .. }
            | Self::Encoding(_)
            | Self::Decode
            | Self::Large(_)
            | Self::Content(_)
            | Self::SecretInFile
            | Self::Disk(_)
            | Self::Store(_)
            | Self::Pages(_) => true,
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
            | Self::Proxy { .. }
            | Self::Tls { .. }
            | Self::Late { .. }
            | Self::Stopped
            | Self::Protocol(..) => false,
        }
    }

    /// Returns true if the same request may succeed later, because the way to the host was not there, or broke off.
    pub(crate) fn passes(&self) -> bool {
        let cause = self.cause();
        if let Self::Proxy { why, .. } = cause {
            return why.passes();
        }
        matches!(
            cause,
            Self::Resolve { .. }
                | Self::Connect(..)
                | Self::Tls { .. }
                | Self::Late { .. }
                | Self::Protocol(..)
                | Self::Unhandled(..)
        )
    }

    /// Returns what the host answered, if its code was not one of success: the code, and the seconds after which it says to
    /// ask again.
    pub(crate) fn code(&self) -> Option<(u16, Option<u32>)> {
        let Self::Code {
            code, retry_after, ..
        } = self.cause()
        else {
            return None;
        };
        Some((*code, *retry_after))
    }

    /// Returns the way in which the call ended.
    pub(crate) fn end(&self) -> End {
        let cause = self.cause();
        if matches!(cause, Self::Late { .. }) {
            End::Late
        } else if matches!(cause, Self::Stopped) {
            End::Stopped
        } else {
            End::Failed
        }
    }

    /// The fault itself, whatever page it was on.
    fn cause(&self) -> &Self {
        if let Self::Page(_, fault) = self {
            return fault.cause();
        }
        self
    }
}
