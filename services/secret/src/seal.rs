//! Seals a value twice, inside to egress and outside to the broker, each with the terms as associated data (HPKE).

use bus_schema::{Digest, SealingPublicKey, SecretSigned, wire};
use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::rand_core::{CryptoRng, RngCore};
use hpke::{Deserializable as _, Kem, OpModeR, OpModeS, Serializable as _};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::key::SealingKey;
use crate::terms::{SecretTerms, TermsError};
use crate::value::{SecretValue, ValueError};

/// The purpose of each seal, so that neither is taken for the other.
const INNER: &[u8] = b"contractual secret v1, inside, to egress";
const RENEWED: &[u8] = b"contractual secret v1, inside, from egress to itself";
const OUTER: &[u8] = b"contractual secret v1, outside, to the broker";
/// Bytes of an encapsulated key.
const KEY_BYTES: usize = 32;

/// The keys that a secret is sealed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recipients {
    /// The key of the inner seal.
    pub egress: SealingPublicKey,
    /// The key of the outer seal.
    pub broker: SealingPublicKey,
}

/// A sealed secret as it is stored: only the broker takes off the outer seal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OuterSeal(Layer);

/// A sealed secret without its outer seal: only egress opens it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InnerSeal(Layer);

/// One layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Layer {
    /// The encoded terms.
    #[serde(with = "serde_bytes")]
    terms: Vec<u8>,
    /// The encapsulated key.
    #[serde(with = "serde_bytes")]
    key: Vec<u8>,
    #[serde(with = "serde_bytes")]
    sealed: Vec<u8>,
}

/// The reason that a seal was not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotOpened {
    /// Not the bytes of a sealed secret.
    #[error("the bytes are not those of a sealed secret")]
    Encoding,
    /// No valid terms.
    #[error(transparent)]
    Terms(#[from] TermsError),
    /// Another key, other terms, or changed bytes.
    #[error("it was sealed to another key, or was changed since; set the secret again")]
    Seal,
    /// Neither the seal that the owner signed nor one that egress made.
    #[error(
        "neither the owner nor egress sealed this value: somebody with the keys of the broker put it in the place of the secret; \
         replace these keys, and set the secret again"
    )]
    Foreign,
    /// The sealed bytes are no value.
    #[error(transparent)]
    Value(#[from] ValueError),
}

/// Seals a value under its terms; returns the seal to store, and the digest of the inner one, which the owner signs. `random` has
/// to be fresh for each call.
///
/// # Errors
/// [`NotOpened::Seal`] if a key cannot be sealed to.
pub fn seal(
    terms: &SecretTerms,
    value: &SecretValue,
    to: &Recipients,
    random: &Zeroizing<[u8; 32]>,
) -> Result<(OuterSeal, Digest), NotOpened> {
    let mut entropy = Entropy {
        seed: random,
        drawn: 0,
    };
    let by = OpModeS::Base;
    let inner = InnerSeal::closed(terms, value, (&to.egress, INNER, &by), &mut entropy)?;
    Ok((inner.wrapped(&to.broker, &mut entropy)?, inner.digest()))
}

impl OuterSeal {
    /// Reads stored bytes.
    ///
    /// # Errors
    /// [`NotOpened::Encoding`]
    pub fn read(bytes: &[u8]) -> Result<Self, NotOpened> {
        Layer::read(bytes).map(Self)
    }

    /// Returns the bytes to store.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        wire::encode(&self.0)
    }

    /// Returns the terms; only an open seal proves that they are those under which the value was sealed.
    ///
    /// # Errors
    /// [`NotOpened::Terms`]
    pub fn terms(&self) -> Result<SecretTerms, NotOpened> {
        Ok(SecretTerms::read(&self.0.terms)?)
    }

    /// Takes off the outer seal.
    ///
    /// # Errors
    /// [`NotOpened`]
    pub fn open_outer(&self, key: &SealingKey) -> Result<InnerSeal, NotOpened> {
        let inner = self.0.open(key, (OUTER, &OpModeR::Base))?;
        let (key, sealed) = inner.split_at_checked(KEY_BYTES).ok_or(NotOpened::Seal)?;
        Ok(InnerSeal(Layer {
            terms: self.0.terms.clone(),
            key: key.to_vec(),
            sealed: sealed.to_vec(),
        }))
    }
}

impl InnerSeal {
    /// Seals a value from egress to itself (HPKE in authenticated mode), in the place of one that it was given: nobody without this key
    /// makes such a seal. `random` has to be fresh for each call.
    ///
    /// # Errors
    /// [`NotOpened::Seal`] if the key cannot be sealed to.
    pub fn renew(
        terms: &SecretTerms,
        value: &SecretValue,
        key: &SealingKey,
        random: &Zeroizing<[u8; 32]>,
    ) -> Result<Self, NotOpened> {
        let (seed, drawn) = (random, 0);
        let by = OpModeS::Auth((key.private().clone(), key.half()));
        let to = (&key.public(), RENEWED, &by);
        Self::closed(terms, value, to, &mut Entropy { seed, drawn })
    }

    /// Puts the outer seal around it. `random` has to be fresh for each call.
    ///
    /// # Errors
    /// [`NotOpened::Seal`] if the key cannot be sealed to.
    pub fn wrap(
        &self,
        to: &SealingPublicKey,
        random: &Zeroizing<[u8; 32]>,
    ) -> Result<OuterSeal, NotOpened> {
        let (seed, drawn) = (random, 0);
        self.wrapped(to, &mut Entropy { seed, drawn })
    }

    fn closed(
        terms: &SecretTerms,
        value: &SecretValue,
        to: Addressed<'_>,
        entropy: &mut Entropy<'_>,
    ) -> Result<Self, NotOpened> {
        let terms = terms.encoded();
        let value = value.expose().as_bytes();
        let (key, sealed) = close(to, value, &terms, entropy)?;
        Ok(Self(Layer { terms, key, sealed }))
    }

    fn wrapped(
        &self,
        to: &SealingPublicKey,
        entropy: &mut Entropy<'_>,
    ) -> Result<OuterSeal, NotOpened> {
        let terms = self.0.terms.clone();
        let inner = [self.0.key.as_slice(), &self.0.sealed].concat();
        let to = (to, OUTER, &OpModeS::Base);
        let (key, sealed) = close(to, &inner, &terms, entropy)?;
        Ok(OuterSeal(Layer { terms, key, sealed }))
    }

    /// Returns the terms; only an open seal proves that they are those under which the value was sealed.
    ///
    /// # Errors
    /// [`NotOpened::Terms`]
    pub fn terms(&self) -> Result<SecretTerms, NotOpened> {
        Ok(SecretTerms::read(&self.0.terms)?)
    }

    /// Reads the bytes of an answer of the broker.
    ///
    /// # Errors
    /// [`NotOpened::Encoding`]
    pub fn read(bytes: &[u8]) -> Result<Self, NotOpened> {
        Layer::read(bytes).map(Self)
    }

    /// Returns the bytes of an answer.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        wire::encode(&self.0)
    }

    /// SHA-256 of its bytes.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&[&self.bytes()])
    }

    /// Opens it, whoever sealed it: returns the value, and the terms under which it was sealed.
    ///
    /// # Errors
    /// [`NotOpened`]
    pub fn open_inner(&self, key: &SealingKey) -> Result<(SecretTerms, SecretValue), NotOpened> {
        self.opened(key, (INNER, &OpModeR::Base))
    }

    /// Opens it if the owner signed it, or if egress, whose key this is, sealed it in its place.
    ///
    /// # Errors
    /// [`NotOpened`]
    pub fn open_signed(
        &self,
        key: &SealingKey,
        signed: &SecretSigned,
    ) -> Result<(SecretTerms, SecretValue), NotOpened> {
        if signed.inner == Some(self.digest()) {
            return self.open_inner(key);
        }
        let own = self.opened(key, (RENEWED, &OpModeR::Auth(key.half())));
        own.map_err(|_| NotOpened::Foreign)
    }

    fn opened(
        &self,
        key: &SealingKey,
        from: (&[u8], &OpModeR<'_, X25519HkdfSha256>),
    ) -> Result<(SecretTerms, SecretValue), NotOpened> {
        let value = SecretValue::new(self.0.open(key, from)?)?;
        Ok((SecretTerms::read(&self.0.terms)?, value))
    }
}

impl Layer {
    fn read(bytes: &[u8]) -> Result<Self, NotOpened> {
        wire::decode(bytes).map_err(|_| NotOpened::Encoding)
    }

    fn open(
        &self,
        key: &SealingKey,
        (info, from): (&[u8], &OpModeR<'_, X25519HkdfSha256>),
    ) -> Result<Zeroizing<Vec<u8>>, NotOpened> {
        type Encapped = <X25519HkdfSha256 as Kem>::EncappedKey;
        let encapped = Encapped::from_bytes(&self.key).map_err(|_| NotOpened::Seal)?;
        let opened = hpke::single_shot_open::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
            from,
            key.private(),
            &encapped,
            info,
            &self.sealed,
            &self.terms,
        );
        opened.map(Zeroizing::new).map_err(|_| NotOpened::Seal)
    }
}

/// The recipient of a seal, its purpose, and its sender.
type Addressed<'a> = (
    &'a SealingPublicKey,
    &'a [u8],
    &'a OpModeS<'a, X25519HkdfSha256>,
);

fn close(
    (to, info, by): Addressed<'_>,
    text: &[u8],
    terms: &[u8],
    entropy: &mut Entropy<'_>,
) -> Result<(Vec<u8>, Vec<u8>), NotOpened> {
    type Public = <X25519HkdfSha256 as Kem>::PublicKey;
    let to = Public::from_bytes(to.as_bytes()).map_err(|_| NotOpened::Seal)?;
    let closed = hpke::single_shot_seal::<AesGcm256, HkdfSha256, X25519HkdfSha256, _>(
        by, &to, info, text, terms, entropy,
    );
    let (key, sealed) = closed.map_err(|_| NotOpened::Seal)?;
    Ok((key.to_bytes().to_vec(), sealed))
}

/// The random bytes of one sealing: SHA-256 of the seed and a counter, because this crate draws none itself.
struct Entropy<'a> {
    seed: &'a Zeroizing<[u8; 32]>,
    drawn: u64,
}

impl RngCore for Entropy<'_> {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.fill_bytes(&mut bytes);
        u32::from_be_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        u64::from_be_bytes(bytes)
    }

    fn fill_bytes(&mut self, to: &mut [u8]) {
        for part in to.chunks_mut(32) {
            let drawn = self.drawn.to_be_bytes();
            let block = bus_schema::Digest::of(&[&self.seed[..], &drawn]);
            self.drawn += 1;
            for (to, from) in part.iter_mut().zip(block.as_bytes()) {
                *to = *from;
            }
        }
    }
}

impl CryptoRng for Entropy<'_> {}
