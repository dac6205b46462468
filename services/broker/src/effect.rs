//! The effects that the core requests, and their results.

use std::sync::Arc;

use bus_schema::{
    ActionId, AuthorId, Content, NotReleased, Release, ReleasedSecret, Renew, Sealed,
};
use contract::HttpTool;
use executor::Installed;
use secret::{InnerSeal, SealingKey, SecretTerms};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use crate::sealed::{SealedSecret, Stored};

/// The answer to a request.
pub type Reply = Result<ReleasedSecret, NotReleased>;

/// An effect that the core requests.
#[derive(Debug)]
pub enum Effect {
    /// Fetch the catalogue that the owner signed.
    Read(Content),
    /// Fetch the sealed secret for an action, which the author stored.
    Fetch(ActionId, AuthorId, Content),
    /// Take off the outer seal, because the release for the action is on record with this version.
    Open(ActionId, u32, Arc<SealedSecret>),
    /// Refuse.
    Refuse(ActionId, NotReleased),
    /// Say if a renewal is on record.
    Renewed(ActionId, Result<(), NotReleased>),
}

/// The result of an effect, or a request.
#[derive(Debug)]
pub enum Input {
    /// Egress asks.
    Asked(Release, oneshot::Sender<Reply>),
    /// Egress has waited long enough.
    Late(ActionId),
    /// The tools of a signed catalogue, which is at this content.
    Tools(Content, Installed<HttpTool>),
    /// A sealed secret, which is at this content.
    Stored(ActionId, Content, Stored),
    /// Egress hands in a renewal.
    Renew(
        Box<(Renew, Renewal)>,
        oneshot::Sender<Result<(), NotReleased>>,
    ),
    /// The answer to the renewal for an action.
    Renewed(ActionId, Result<(), NotReleased>),
    /// The answer for an action.
    Answer(ActionId, Reply),
    /// The bus did not answer; retry.
    Unanswered,
}

/// Reads the tools of a signed catalogue; none if it was erased.
#[must_use]
pub fn tools(document: Option<&[u8]>) -> Installed<HttpTool> {
    Installed::read(document, |entry| Some(Ok(entry.http()?.clone())))
}

/// A renewal as it is stored.
#[derive(Debug, Clone)]
pub struct Renewal {
    /// The terms that stand in it.
    pub terms: SecretTerms,
    /// The bytes with the outer seal.
    pub sealed: Sealed,
}

/// Puts the outer seal around what egress handed in.
///
/// # Errors
/// [`NotReleased::Seal`]
pub fn renewal(
    key: &SealingKey,
    inner: &[u8],
    random: &Zeroizing<[u8; 32]>,
    seal: impl FnOnce(&[u8]) -> Option<Sealed>,
) -> Result<Renewal, NotReleased> {
    let wrong = |_| NotReleased::Seal;
    let inner = InnerSeal::read(inner).map_err(wrong)?;
    let terms = inner.terms().map_err(wrong)?;
    let outer = inner.wrap(&key.public(), random).map_err(wrong)?;
    let sealed = seal(&outer.bytes()).ok_or(NotReleased::Seal)?;
    Ok(Renewal { terms, sealed })
}

/// Takes off the outer seal.
///
/// # Errors
/// [`NotReleased::Seal`]
pub fn open(key: &SealingKey, version: u32, sealed: &SealedSecret) -> Reply {
    let inner = sealed
        .outer
        .open_outer(key)
        .map_err(|_| NotReleased::Seal)?;
    let sealed = inner.bytes();
    Ok(ReleasedSecret { version, sealed })
}
