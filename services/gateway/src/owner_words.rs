//! The owner's events that a device checks by itself: their exact bytes, with the owner's signature.

use std::collections::BTreeMap;

use bus_schema::{Digest, GatewayFact, PublicKey, Raw, Subject};
use serde::{Deserialize, Serialize};

/// The number of contracts whose events are kept, the newest ones.
const CONTRACTS_MAX: usize = 256;

/// The bytes of an event with their signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SignedBody {
    /// The body.
    #[serde(with = "hex")]
    pub(crate) body: Vec<u8>,
    /// The signature over exactly the body, hexadecimal.
    pub(crate) signature: String,
}

impl SignedBody {
    /// Copies an event of the kinds that are kept.
    pub(crate) fn of(raw: &Raw<'_>) -> Option<Self> {
        let subject = Subject::parse(raw.subject)?;
        let is_kept = matches!(subject.kind, "device.endorsed" | "contract.signed");
        let signature = raw.signature.filter(|_| is_kept)?.to_owned();
        Some(Self {
            body: raw.body.to_vec(),
            signature,
        })
    }
}

/// The kept events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OwnerWords {
    /// The first endorsement of each key of a device.
    endorsements: BTreeMap<PublicKey, SignedBody>,
    /// The signatures of contracts, by their place in the stream.
    contracts: BTreeMap<u64, (Digest, SignedBody)>,
}

impl OwnerWords {
    /// Keeps the event of a fact that counts.
    pub(crate) fn keep(&mut self, seq: u64, fact: &GatewayFact, body: SignedBody) {
        if let GatewayFact::DeviceEndorsed(_, fact) = fact {
            self.endorsements.entry(fact.key.signs()).or_insert(body);
        } else if let GatewayFact::ContractSigned(_, fact) = fact {
            self.contracts.insert(seq, (fact.contract, body));
            if self.contracts.len() > CONTRACTS_MAX {
                self.contracts.pop_first();
            }
        }
    }

    /// Returns the endorsement of a key.
    pub(crate) fn endorsement(&self, key: &PublicKey) -> Option<&SignedBody> {
        self.endorsements.get(key)
    }

    /// Returns the newest signature of a contract.
    pub(crate) fn contract(&self, contract: &Digest) -> Option<&SignedBody> {
        let mut newest = self.contracts.values().rev();
        newest
            .find(|(one, _)| one == contract)
            .map(|(_, body)| body)
    }
}

/// Bytes as hexadecimal text.
mod hex {
    use data_encoding::HEXLOWER;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&HEXLOWER.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(from)?;
        HEXLOWER.decode(text.as_bytes()).map_err(D::Error::custom)
    }
}
