//! The reasons that a token endpoint gave no token.

use contract::Endpoint;

/// The reason that there is no access token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoToken {
    /// The contract does not name the host.
    #[error(
        "the contract does not name {0}, where its token comes from; add it to `hosts` and sign the contract again"
    )]
    Host(Endpoint),
    /// The URL of the terms is none.
    #[error("the token URL of its terms is not valid; set it again")]
    Url,
    /// The endpoint was not reached, or its answer was cut off.
    #[error("no token came from {0}: {1}; run the task again")]
    Unreached(Endpoint, String),
    /// Egress ended during the exchange.
    #[error("the exchange of a token with {0} was broken off; run the task again")]
    Broken(Endpoint),
    /// The endpoint does not take the secret, or not any more.
    #[error(
        "{0} does not accept the secret ({1}); give a valid one with `contractual secret rotate`"
    )]
    Dead(Endpoint, &'static str),
    /// The next refresh token is not on record.
    #[error(
        "{0} gave another refresh token, which could not be stored ({1}), so its access token is not used; run the task again, or \
         give a new refresh token with `contractual secret rotate`"
    )]
    Unkept(Endpoint, String),
    /// The value is no refresh token.
    #[error(
        "the value is not a refresh token, or a refresh token with the secret of the client after one space; give it again with \
         `contractual secret rotate`"
    )]
    Value,
    /// The endpoint refused for now, or for another reason.
    #[error("{0} gave no token: it answered with the code {1}{2}")]
    Refused(Endpoint, u16, String),
    /// No answer of a token endpoint.
    #[error("{0} gave no token: its answer is not that of a token endpoint (RFC 6749)")]
    Answer(Endpoint),
}
