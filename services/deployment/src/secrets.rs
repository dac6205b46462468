//! The secrets that the owner signs: those in the stream, the keys that they are sealed to, and the signature of the next.

use actor::BusClient;
use bus_schema::{
    AuthorId, AuthorSealingKey, Draft, PublicKey, Sealed, SecretFact, SecretName, SecretRevoked,
    SecretSigned, Secrets, Time, public_key,
};
use secret::{OuterSeal, Recipients, SecretTerms, SecretValue, seal};
use zeroize::Zeroizing;

use crate::{Deployment, Error, owner};

/// The secrets of a stream.
#[derive(Debug, Default)]
pub struct SecretsInStream {
    /// The newest version of each.
    pub secrets: Secrets,
    /// The keys in the newest roster that secrets are sealed to.
    pub sealing: Vec<AuthorSealingKey>,
    /// The times at which versions were signed, in bus time.
    pub signed: Vec<(SecretName, u32, Time)>,
}

/// Reads the secrets that the owner signed.
///
/// # Errors
/// The bus's error.
pub async fn read(bus: &BusClient, owner: PublicKey) -> Result<SecretsInStream, Error> {
    let mut found = SecretsInStream::default();
    for (meta, fact) in bus.owner_facts::<SecretFact>(owner).await? {
        match fact {
            SecretFact::RosterChanged(_, fact) => found.sealing = fact.sealing,
            SecretFact::SecretSigned(_, fact) => {
                let signed = (fact.name.clone(), fact.version, meta.stored);
                found.signed.push(signed);
                found.secrets.sign(*fact);
            }
            SecretFact::SecretRevoked(_, fact) => found.secrets.revoke(&fact),
        }
    }
    Ok(found)
}

impl SecretsInStream {
    /// Returns the version of the next signature of a name.
    #[must_use]
    pub fn next_version(&self, name: &SecretName) -> u32 {
        let newest = self.secrets.get(name);
        newest.map_or(1, |newest| newest.signed.version.saturating_add(1))
    }

    /// Returns the time of the newest signature of a name.
    #[must_use]
    pub fn time(&self, name: &SecretName, version: u32) -> Option<Time> {
        let mut signed = self.signed.iter();
        let found = signed.find(|(one, at, _)| one == name && *at == version);
        found.map(|(_, _, time)| *time)
    }

    fn recipients(&self) -> Result<Recipients, Error> {
        let key = |author: AuthorId| {
            let mut keys = self.sealing.iter();
            let found = keys.find(|entry| entry.author == author);
            found.map(|entry| entry.key).ok_or_else(|| {
                Error::Refused(format!(
                    "the roster has no key of {author} that a secret can be sealed to: run `contractual init` and \
                     `contractual provision`, and try again"
                ))
            })
        };
        Ok(Recipients {
            egress: key(AuthorId::Egress)?,
            broker: key(AuthorId::Broker)?,
        })
    }
}

/// Reads the terms of a signed version.
///
/// # Errors
/// The bus's error, or [`Error::Refused`] if they were erased or are not those that the owner signed.
pub async fn terms(bus: &BusClient, signed: &SecretSigned) -> Result<SecretTerms, Error> {
    let unusable = |why: &str| {
        Error::Refused(format!(
            "version {} of the secret `{}` cannot be used ({why}): give it again with `contractual secret set`",
            signed.version, signed.name
        ))
    };
    let bytes = bus.get(AuthorId::Owner, &signed.sealed).await?;
    let bytes = bytes.ok_or_else(|| unusable("its sealed value was erased"))?;
    let outer = OuterSeal::read(&bytes).and_then(|outer| outer.terms());
    let terms = outer.map_err(|error| unusable(&error.to_string()))?;
    if terms.digest() == signed.terms {
        Ok(terms)
    } else {
        Err(unusable("its terms are not those that the owner signed"))
    }
}

/// Seals a value and signs it; returns the place of the signature in the stream.
///
/// # Errors
/// The bus's error, or [`Error::Refused`] without keys to seal to, and if another signature of this version came first.
pub async fn sign(
    of: &Deployment,
    bus: &BusClient,
    found: &SecretsInStream,
    (terms, value): (&SecretTerms, &SecretValue),
) -> Result<u64, Error> {
    let key = public_key(&of.owner_key()?);
    let random = Zeroizing::new(*of.clock.salt().as_bytes());
    let outer = seal(terms, value, &found.recipients()?, &random)
        .map_err(|error| Error::Refused(format!("the secret cannot be sealed: {error}")))?;
    let sealed = Sealed::new(of.clock.salt(), &outer.bytes())
        .map_err(|error| Error::Document(error.to_string()))?;
    let wanted = sealed.content();
    let fact = SecretSigned {
        name: terms.name().clone(),
        version: terms.version(),
        terms: terms.digest(),
        sealed: wanted,
    };
    let draft = Draft::of(bus_schema::Deployment, fact).with(sealed);
    let seq = owner::say(of, bus, draft).await?;
    let newest = read(bus, key).await?;
    let newest = newest.secrets.get(terms.name());
    if newest.is_none_or(|newest| newest.signed.sealed != wanted) {
        return Err(Error::Refused(format!(
            "another command signed version {} of the secret first: run this one again",
            terms.version()
        )));
    }
    Ok(seq)
}

/// Revokes a version and each lower one; returns the place of the signature in the stream.
///
/// # Errors
/// The bus's error.
pub async fn revoke(
    of: &Deployment,
    bus: &BusClient,
    name: &SecretName,
    version: u32,
) -> Result<u64, Error> {
    let name = name.clone();
    let draft = Draft::of(bus_schema::Deployment, SecretRevoked { name, version });
    owner::say(of, bus, draft).await
}
