//! The signature of a passkey: what an authenticator adds to it, and the checks of all of it.

use data_encoding::BASE64URL_NOPAD;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{PublicKey, Signature};

/// Most bytes of the data of an authenticator: 37 without extensions.
const AUTHENTICATOR_BYTES_MAX: usize = 128;
/// Most bytes of what a browser says of a signature, its client data: 160 with a short origin, and some browsers add 110.
const CLIENT_BYTES_MAX: usize = 320;
/// Most bytes that an assertion adds to a signed statement.
pub const ASSERTION_BYTES_MAX: usize = KEY_BYTES + AUTHENTICATOR_BYTES_MAX + CLIENT_BYTES_MAX + 64;
/// The length of an uncompressed P-256 key.
const KEY_BYTES: usize = 65;
/// The places in the data of an authenticator: the digest of the relying party's id, and the flags.
const PARTY_BYTES: usize = 32;
const PLAIN_BYTES: usize = 37;
/// The person was there, and was verified.
const PRESENT: u8 = 1;
const VERIFIED: u8 = 4;
/// Separates the names of passkeys from other digests.
const DOMAIN: &[u8] = b"contractual passkey v1\0";

/// The part of a passkey's signature over a statement that is not the signature itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assertion {
    /// The P-256 key, uncompressed.
    #[serde(with = "crate::id::hex_as_text")]
    key: Vec<u8>,
    /// The data of the authenticator, which the signature covers.
    #[serde(with = "crate::id::hex_as_text")]
    authenticator: Vec<u8>,
    /// The JSON of the browser, whose digest the signature covers.
    #[serde(with = "crate::id::hex_as_text")]
    client: Vec<u8>,
}

/// The fields of the browser's JSON that are checked; it may have others.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClientData {
    #[serde(rename = "type")]
    kind: String,
    challenge: String,
    origin: String,
    #[serde(default)]
    cross_origin: bool,
    #[serde(default)]
    top_origin: Option<String>,
}

/// Returns the name of a passkey, which stands in the place of a key: SHA-256 over the P-256 key, the digest of the relying
/// party's id, and the origin. So a signature that was made for another origin, port included, is of another passkey.
#[must_use]
pub fn passkey(key: &[u8], party: &[u8], origin: &str) -> PublicKey {
    let all = [DOMAIN, key, party, origin.as_bytes()].concat();
    PublicKey::new(Sha256::digest(all).into())
}

impl Assertion {
    /// Joins the parts.
    #[must_use]
    pub const fn new(key: Vec<u8>, authenticator: Vec<u8>, client: Vec<u8>) -> Self {
        Self {
            key,
            authenticator,
            client,
        }
    }

    /// Returns true if the passkey `named` signed exactly these bytes, after its person was verified.
    pub(crate) fn verify(&self, named: &PublicKey, bytes: &[u8], signature: &Signature) -> bool {
        self.checked(named, bytes, signature).is_some()
    }

    fn checked(&self, named: &PublicKey, bytes: &[u8], signature: &Signature) -> Option<()> {
        let Self {
            key,
            authenticator,
            client,
        } = self;
        let sizes = key.len() == KEY_BYTES
            && (PLAIN_BYTES..=AUTHENTICATOR_BYTES_MAX).contains(&authenticator.len())
            && client.len() <= CLIENT_BYTES_MAX;
        let said: ClientData = serde_json::from_slice(client).ok().filter(|_| sizes)?;
        let challenge = BASE64URL_NOPAD.encode(&Sha256::digest(bytes));
        let is_here = said.kind == "webauthn.get"
            && said.challenge == challenge
            && !said.cross_origin
            && said.top_origin.is_none();
        let (party, rest) = authenticator.split_at_checked(PARTY_BYTES)?;
        let is_verified = rest.first()? & (PRESENT | VERIFIED) == PRESENT | VERIFIED;
        let is_named = passkey(key, party, &said.origin) == *named;
        let covered = [authenticator.as_slice(), &Sha256::digest(client)].concat();
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key);
        let verified = key.verify(&covered, signature.as_bytes());
        (is_here && is_verified && is_named && verified.is_ok()).then_some(())
    }
}
