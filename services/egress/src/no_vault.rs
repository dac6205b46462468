//! The reasons that a server of Vault or OpenBao gave no value. No text has a part of an answer.

use contract::Endpoint;

/// The reason that there is no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoVault {
    /// The contract does not name the host.
    #[error(
        "the contract does not name {0}, where its value is kept; add it to `hosts` and sign the contract again"
    )]
    Host(Endpoint),
    /// The places of the terms make no URL.
    #[error("the place of its value is not valid; set it again")]
    Url,
    /// The server was not reached, or its answer was cut off.
    #[error("no value came from {0}: {1}; run the task again")]
    Unreached(Endpoint, String),
    /// The server does not let egress log in.
    #[error(
        "{0} does not accept the role with this secret id; make a new secret id, and give it with `contractual secret rotate`"
    )]
    Login(Endpoint),
    /// No AppRole login at this path.
    #[error("{0} has no AppRole login at `auth/{1}`; set the secret again with its path")]
    NoLogin(Endpoint, String),
    /// The role may not read the value.
    #[error("{0} does not let the role read `{1}`; add the capability `read` to its policy there")]
    Denied(Endpoint, String),
    /// Nothing is there.
    #[error(
        "{0} has no value at `{1}` in the version {2}; write it there, or set the secret again with its place"
    )]
    Missing(Endpoint, String, String),
    /// The version was deleted.
    #[error(
        "the version {2} of `{1}` was deleted on {0}; restore it there, or set the secret again with another version"
    )]
    Deleted(Endpoint, String, String),
    /// The server answered with another version than the terms name.
    #[error(
        "{0} answered with another version of `{1}` than {2}, so its value is not used; check the server"
    )]
    Version(Endpoint, String, u32),
    /// The secret has no such field, or it is no text.
    #[error(
        "the value of `{1}` on {0} has no text in the field `{2}`; set the secret again with its field"
    )]
    Field(Endpoint, String, String),
    /// The text is no value of a secret.
    #[error(
        "the field `{1}` on {0} is no value of a secret: it has 1 to 8,192 bytes without control characters"
    )]
    Value(Endpoint, String),
    /// The server is sealed.
    #[error("{0} is sealed or not ready; unseal it, and run the task again")]
    Sealed(Endpoint),
    /// The server sends elsewhere.
    #[error(
        "{0} is not the active server, and sends elsewhere; set the secret again with the URL of the active one"
    )]
    Standby(Endpoint),
    /// The server refuses for now.
    #[error("{0} limits the number of requests; run the task again later")]
    Busy(Endpoint),
    /// Another code.
    #[error("{0} gave no value: it answered with the code {1}; check the server")]
    Refused(Endpoint, u16),
    /// No answer of such a server.
    #[error(
        "{0} gave no value: its answer is not that of Vault or OpenBao with the KV secrets engine, version 2; check URL and mount"
    )]
    Answer(Endpoint),
}
