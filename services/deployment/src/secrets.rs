//! The secrets that the owner signs: those in the stream, the keys that they are sealed to, and the signature of the next.

use std::path::Path;

use actor::{BusClient, files};
use bus_schema::{
    AuthorId, AuthorSealingKey, BLOBS, Content, Draft, ExecutorFact, PublicKey, Sealed, SecretFact,
    SecretName, SecretOnRecord, SecretRevoked, SecretSigned, Secrets, Time, public_key,
};
use secret::{FiledSeal, NotOpened, Recipients, SecretTerms, SecretValue, SignedSeal, seal};
use serde_json::json;
use zeroize::Zeroizing;

use crate::{Deployment, Error, owner};

/// The identity that erases contents.
const ERASER: &str = "provision";

/// The secrets of a stream.
#[derive(Debug, Default)]
pub struct SecretsInStream {
    /// The newest version of each.
    pub secrets: Secrets,
    /// The keys in the newest roster that secrets are sealed to.
    pub sealing: Vec<AuthorSealingKey>,
    /// Every signature, in the order of the stream.
    pub signed: Vec<SignedSecret>,
}

/// A signature of a version of a secret.
#[derive(Debug)]
pub struct SignedSecret {
    /// The version as it was signed.
    pub fact: SecretSigned,
    /// The time, in bus time.
    pub at: Time,
    /// The keys that the roster named at that time.
    pub sealing: Vec<AuthorSealingKey>,
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
                found.signed.push(SignedSecret {
                    fact: (*fact).clone(),
                    at: meta.stored,
                    sealing: found.sealing.clone(),
                });
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
        self.signature(name, version).map(|signed| signed.at)
    }

    /// Returns the signature of a version.
    fn signature(&self, name: &SecretName, version: u32) -> Option<&SignedSecret> {
        let mut signed = self.signed.iter();
        signed.find(|one| one.fact.name == *name && one.fact.version == version)
    }

    /// Returns the reason that no call can use the newest version until the owner gives its value again.
    #[must_use]
    pub fn lack(&self, newest: &SecretOnRecord) -> Option<&'static str> {
        if newest.signed.inner.is_none() {
            return Some("signed in an older form, which does not bind its value");
        }
        let signed = self.signature(&newest.signed.name, newest.signed.version)?;
        let is_stale = signed.sealing != self.sealing;
        is_stale.then_some("sealed to a key that the roster does not name any more")
    }

    /// Checks that the roster has the keys that secrets are sealed to.
    ///
    /// # Errors
    /// [`Error::Refused`] with the command that makes them.
    pub fn can_seal(&self) -> Result<(), Error> {
        self.recipients().map(drop)
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

/// The terms of a signed version, and the place of its sealed value.
#[derive(Debug)]
pub struct SignedTerms {
    /// The terms.
    pub terms: SecretTerms,
    /// True if the sealed value is in a file of the broker.
    pub is_in_file: bool,
}

/// Reads the terms of a signed version.
///
/// # Errors
/// The bus's error, or [`Error::Refused`] if they were erased or are not those that the owner signed.
pub async fn terms(bus: &BusClient, signed: &SecretSigned) -> Result<SignedTerms, Error> {
    let unusable = |why: &str| {
        Error::Refused(format!(
            "version {} of the secret `{}` cannot be used ({why}): give it again with `contractual secret set`",
            signed.version, signed.name
        ))
    };
    let bytes = bus.get(AuthorId::Owner, &signed.sealed).await?;
    let bytes = bytes.ok_or_else(|| unusable("its sealed value was erased"))?;
    let unread = |error: NotOpened| unusable(&error.to_string());
    let sealed = SignedSeal::read(&bytes).map_err(unread)?;
    let terms = sealed.terms().map_err(unread)?;
    if terms.digest() == signed.terms {
        let is_in_file = sealed.is_in_file();
        Ok(SignedTerms { terms, is_in_file })
    } else {
        Err(unusable("its terms are not those that the owner signed"))
    }
}

/// Seals a value and signs it; returns the place of the signature in the stream. With a folder, the sealed value is written to
/// a file there, and the record has its digest alone.
///
/// # Errors
/// The bus's error, the error of the file, or [`Error::Refused`] without keys to seal to, and if another signature of this
/// version came first.
pub async fn sign(
    of: &Deployment,
    bus: &BusClient,
    found: &SecretsInStream,
    (terms, value): (&SecretTerms, &SecretValue),
    folder: Option<&Path>,
) -> Result<u64, Error> {
    let key = public_key(&of.owner_key()?);
    let random = Zeroizing::new(*of.clock.salt().as_bytes());
    let unsealed =
        |error: NotOpened| Error::Refused(format!("the secret cannot be sealed: {error}"));
    let (outer, inner) = seal(terms, value, &found.recipients()?, &random).map_err(unsealed)?;
    let content = match folder {
        None => outer.bytes(),
        Some(folder) => {
            // Before the signature, so that what is signed can be released.
            let path = folder.join(FiledSeal::file_name(terms.name(), terms.version()));
            if path.symlink_metadata().is_ok() {
                return Err(files::Error::Exists { path }.into());
            }
            files::replace(&path, &outer.bytes())?;
            FiledSeal::of(&outer).map_err(unsealed)?.bytes()
        }
    };
    let sealed = Sealed::new(of.clock.salt(), &content)
        .map_err(|error| Error::Document(error.to_string()))?;
    let wanted = sealed.content();
    let fact = SecretSigned {
        name: terms.name().clone(),
        version: terms.version(),
        terms: terms.digest(),
        sealed: wanted,
        inner: Some(inner),
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

/// Erases the sealed values of all versions; returns their number. The record goes on to prove that they were signed.
///
/// # Errors
/// The bus's error, or [`Error::Refused`] without the identity that erases.
pub async fn erase(
    of: &Deployment,
    found: &SecretsInStream,
    name: &SecretName,
) -> Result<usize, Error> {
    if !of.dir.of(ERASER).exists() {
        return Err(Error::Refused(format!(
            "only the identity `{ERASER}` erases contents: bring its folder back, and run this again"
        )));
    }
    let versions = found.signed.iter().filter(|one| one.fact.name == *name);
    let versions: Vec<_> = versions.map(|one| one.fact.sealed).collect();
    let renewed = renewed(of, name).await?;
    let signed = versions.iter().map(|content| (AuthorId::Owner, *content));
    let all = signed.chain(renewed.into_iter().map(|one| (AuthorId::Broker, one)));
    let bus = of.bus_once(ERASER).await?;
    for (author, content) in all {
        for n in 0..content.chunks() {
            let filter = json!({"filter": content.subject(author, n)});
            bus.api(&format!("STREAM.PURGE.{BLOBS}"), &filter).await?;
        }
    }
    bus.flush().await;
    Ok(versions.len())
}

/// Reads the contents that took the place of values of a secret.
async fn renewed(of: &Deployment, name: &SecretName) -> Result<Vec<Content>, Error> {
    let owner = owner::owner(&of.dir)?;
    let bus = of.bus().await?;
    let mut found = Vec::new();
    bus.each_fact(owner, |fact: ExecutorFact| {
        if let ExecutorFact::SecretRenewed(_, fact) = fact
            && fact.name == *name
        {
            found.push(fact.sealed);
        }
        true
    })
    .await?;
    Ok(found)
}
