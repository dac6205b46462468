//! Gets the secret of a claimed action: asks the broker, opens the inner seal, and holds it against the record.

use std::pin::Pin;

use actor::{Bus, NoAnswer};
use bus_schema::{
    ActionId, AuthorId, DraftGrant, Egress, NotReleased, Release, Renew, SecretName, SecretSigned,
    Time,
};
use contract::HttpTool;
use executor::Stops;
use secret::{InnerSeal, NotOpened, SealingKey, SecretTerms, SecretValue, Unfit};
use zeroize::Zeroizing;

use crate::no_token::NoToken;
use crate::no_vault::NoVault;

/// The reason that a call has no secret.
#[derive(Debug, thiserror::Error)]
pub enum NoCredential {
    /// The record, or the broker, says no.
    #[error(transparent)]
    Refused(#[from] NotReleased),
    /// The broker does not answer.
    #[error("{0}")]
    Broker(#[from] NoAnswer),
    /// The inner seal does not open.
    #[error(transparent)]
    Seal(#[from] NotOpened),
    /// There is no private key.
    #[error("egress has no key that opens it; run `contractual init`, and start egress again")]
    Key,
    /// The sealed secret is not the one that the owner signed last.
    #[error(
        "the broker answered with another version than the owner signed last; run the task again"
    )]
    Record,
    /// The value cannot stand where its terms say.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// There is no token for it.
    #[error(transparent)]
    Token(#[from] NoToken),
    /// The server that keeps its value gave none.
    #[error(transparent)]
    Vault(#[from] NoVault),
    /// The tool sends a parameter or a header of the same name.
    #[error("the tool itself sends `{0}`, where the secret belongs; remove it from the tool")]
    Taken(String),
}

/// An open secret, as the owner signed it.
#[derive(Debug)]
pub struct Opened {
    /// Its terms.
    pub terms: SecretTerms,
    /// Its value.
    pub value: SecretValue,
    /// The time at which it was opened.
    pub at: Time,
}

/// Gets the secret `name`, which `tool` uses, for the claimed `grant`.
///
/// # Errors
/// [`NoCredential`]; nothing was sent to a host then.
pub(crate) async fn opened(
    name: &SecretName,
    (tool, grant): (&HttpTool, &DraftGrant),
    (bus, key): (Option<&Bus<Egress>>, Option<&SealingKey>),
    stops: &Stops,
) -> Result<Opened, NoCredential> {
    // The envelope has all secrets of the grant, or it would not have been claimed.
    if !grant.secrets.contains(name) {
        return Err(NotReleased::NotNamed.into());
    }
    drop(on_record(name, stops)?);
    let (bus, key) = (
        bus.ok_or(NotReleased::Unread)?,
        key.ok_or(NoCredential::Key)?,
    );
    let asked = Release {
        action: grant.action,
        secret: name.clone(),
    };
    let released = bus.ask(AuthorId::Broker, asked).await??;
    // Again, because the owner may have replaced or revoked it meanwhile.
    let signed = on_record(name, stops)?;
    if released.version != signed.version {
        return Err(NoCredential::Record);
    }
    // The broker is not trusted with the value: anybody can seal one to egress.
    let (terms, value) = InnerSeal::read(&released.sealed)?.open_signed(key, &signed)?;
    if !terms.are_of(&signed) {
        return Err(NoCredential::Record);
    }
    if !terms.permit(tool.endpoint(), tool.method()) {
        return Err(NotReleased::Terms.into());
    }
    let at = bus.clock().wall();
    Ok(Opened { terms, value, at })
}

/// Has the broker store the value that takes the place of one that was released for the action.
pub(crate) fn keeper(
    action: ActionId,
    (bus, key): (Option<Bus<Egress>>, Option<SealingKey>),
) -> impl FnOnce(SecretTerms, SecretValue) -> Kept {
    move |terms, value| {
        let with = bus.zip(key);
        Box::pin(async move {
            let with = with.ok_or_else(|| NoCredential::Key.to_string())?;
            kept(action, (terms, value), with).await
        })
    }
}

/// The storing of a value; its error is the reason that it is not on record.
pub(crate) type Kept = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// Seals a value to egress itself, and has the broker store it.
async fn kept(
    action: ActionId,
    (terms, value): (SecretTerms, SecretValue),
    (bus, key): (Bus<Egress>, SealingKey),
) -> Result<(), String> {
    let random = Zeroizing::new(*bus.clock().salt().as_bytes());
    let inner = InnerSeal::renew(&terms, &value, &key, &random);
    let inner = inner.map_err(|error| error.to_string())?;
    let renew = Renew {
        action,
        secret: terms.name().clone(),
        version: terms.version(),
        sealed: inner.bytes(),
    };
    let kept = bus.ask(AuthorId::Broker, renew).await;
    let kept = kept.map_err(|error| error.to_string())?;
    kept.map_err(|why| why.to_string())
}

/// Returns the newest version on the record, if it may be used.
fn on_record(name: &SecretName, stops: &Stops) -> Result<SecretSigned, NotReleased> {
    stops.gate.borrow().secrets.usable(name).cloned()
}
