//! The effects that the core requests, and their results.

use std::sync::Arc;

use bus_schema::{ActionId, Content, NotReleased, Release, ReleasedSecret};
use contract::HttpTool;
use executor::Installed;
use secret::{OuterSeal, SealingKey, SecretTerms};
use tokio::sync::oneshot;

/// A sealed secret as it is stored, with its terms; the error is the reason that it cannot be used.
pub type Stored = Result<Arc<(OuterSeal, SecretTerms)>, NotReleased>;

/// The answer to a request.
pub type Reply = Result<ReleasedSecret, NotReleased>;

/// An effect that the core requests.
#[derive(Debug)]
pub enum Effect {
    /// Fetch the catalogue that the owner signed.
    Read(Content),
    /// Fetch the sealed secret for an action.
    Fetch(ActionId, Content),
    /// Take off the outer seal, because the release for the action is on record with this version.
    Open(ActionId, u32, Arc<(OuterSeal, SecretTerms)>),
    /// Refuse.
    Refuse(ActionId, NotReleased),
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

/// Reads a sealed secret; none if it was erased.
///
/// # Errors
/// [`NotReleased::Erased`] or [`NotReleased::Seal`].
pub fn stored(bytes: Option<&[u8]>) -> Stored {
    let outer = OuterSeal::read(bytes.ok_or(NotReleased::Erased)?);
    let outer = outer.map_err(|_| NotReleased::Seal)?;
    let terms = outer.terms().map_err(|_| NotReleased::Seal)?;
    Ok(Arc::new((outer, terms)))
}

/// Takes off the outer seal.
///
/// # Errors
/// [`NotReleased::Seal`]
pub fn open(key: &SealingKey, version: u32, stored: &(OuterSeal, SecretTerms)) -> Reply {
    let inner = stored.0.open_outer(key).map_err(|_| NotReleased::Seal)?;
    let sealed = inner.bytes();
    Ok(ReleasedSecret { version, sealed })
}
