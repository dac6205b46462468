//! Tests of passkeys: each check of a signature is needed.

use bus_schema::{
    ApprovalStatement, Assertion, AuthorId, DeviceKey, DeviceRefused, Devices, NotSigned,
    PublicKey, Signature, Signed, Signers, Statement, passkey, wire,
};
use data_encoding::BASE64URL_NOPAD;
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::{
    example::{approval, draft, endorsed},
    fixture::{T0, deployment, key_of, owner},
};

const ORIGIN: &str = "https://contractual.example.ts.net:8443";
const PARTY: &str = "contractual.example.ts.net";

/// A change of an authenticator.
type Change = Box<dyn FnOnce(&mut Authenticator)>;

/// An authenticator, and what it says at the next signature.
struct Authenticator {
    pair: EcdsaKeyPair,
    client: Value,
    party: String,
    flags: u8,
}

impl Authenticator {
    fn new(statement: &[u8]) -> Self {
        let random = SystemRandom::new();
        let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random);
        let made = made.expect("a key");
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, made.as_ref(), &random);
        let client = json!({
            "type": "webauthn.get",
            "challenge": BASE64URL_NOPAD.encode(&Sha256::digest(statement)),
            "origin": ORIGIN,
            "crossOrigin": false,
            "other_keys_can_be_added_here": "do not compare clientDataJSON against a template",
        });
        Self {
            pair: pair.expect("the key"),
            client,
            party: PARTY.to_owned(),
            flags: 0b101,
        }
    }

    fn name(&self) -> PublicKey {
        let party = Sha256::digest(PARTY.as_bytes());
        passkey(self.pair.public_key().as_ref(), &party, ORIGIN)
    }

    /// Signs, and returns the parts of a signed statement.
    fn signs(&self, statement: &[u8]) -> Value {
        let mut data = Sha256::digest(self.party.as_bytes()).to_vec();
        data.push(self.flags);
        data.extend([0, 0, 0, 7]);
        let client = serde_json::to_vec(&self.client).expect("JSON");
        let covered = [data.clone(), Sha256::digest(&client).to_vec()].concat();
        let signature = self.pair.sign(&SystemRandom::new(), &covered);
        let signature: [u8; 64] = signature
            .expect("a signature")
            .as_ref()
            .try_into()
            .expect("64 bytes");
        let key = self.pair.public_key().as_ref().to_vec();
        json!({
            "by": self.name(),
            "statement": data_encoding::HEXLOWER.encode(statement),
            "signature": Signature::new(signature),
            "assertion": Assertion::new(key, data, client),
        })
    }
}

fn opened(signed: &Value, trusted: &PublicKey) -> Result<Statement, NotSigned> {
    let signed: Signed = serde_json::from_value(signed.clone()).expect("a signed statement");
    let same: Signed = wire::decode(&wire::encode(&signed)).expect("it has one form");
    assert_eq!(same, signed);
    assert!(signed.is_verified());
    signed.open(trusted)
}

#[test]
fn a_passkey_signs_a_statement_with_every_check() {
    let said = Statement::Approval(approval(&draft()));
    let bytes = wire::encode(&said);
    let device = Authenticator::new(&bytes);
    let good = device.signs(&bytes);
    assert_eq!(opened(&good, &device.name()), Ok(said));
    let unknown = Authenticator::new(&bytes).name();
    assert_eq!(opened(&good, &unknown), Err(NotSigned::UnknownKey));

    let client = |key: &'static str, value: Value| {
        move |device: &mut Authenticator| device.client[key] = value
    };
    let changes: Vec<(&str, Change)> = vec![
        ("type", Box::new(client("type", json!("webauthn.create")))),
        ("challenge", Box::new(client("challenge", json!("AAAA")))),
        (
            "port",
            Box::new(client(
                "origin",
                json!("https://contractual.example.ts.net"),
            )),
        ),
        ("frame", Box::new(client("crossOrigin", json!(true)))),
        ("top", Box::new(client("topOrigin", json!(ORIGIN)))),
        (
            "length",
            Box::new(client("padding", json!("a".repeat(512)))),
        ),
        (
            "party",
            Box::new(|device| device.party = "example.ts.net".to_owned()),
        ),
        ("not verified", Box::new(|device| device.flags = 0b001)),
        ("not present", Box::new(|device| device.flags = 0b100)),
    ];
    for (what, change) in changes {
        let mut device = Authenticator::new(&bytes);
        change(&mut device);
        let refused = opened(&device.signs(&bytes), &device.name());
        assert_eq!(refused, Err(NotSigned::BadSignature), "{what}");
    }
    // The same signature over other bytes, another key, and none.
    let mut other = good.clone();
    other["statement"] = json!(data_encoding::HEXLOWER.encode(&bytes[1..]));
    assert_eq!(opened(&other, &device.name()), Err(NotSigned::BadSignature));
    let mut other = good.clone();
    other["signature"] = json!(Signature::new([7; 64]));
    assert_eq!(opened(&other, &device.name()), Err(NotSigned::BadSignature));
    let mut other = good;
    other
        .as_object_mut()
        .expect("an object")
        .remove("assertion");
    let bare: Signed = serde_json::from_value(other).expect("a signed statement");
    assert!(!bare.is_verified());
    assert_eq!(bare.open(&device.name()), Err(NotSigned::BadSignature));
}

#[test]
fn a_question_that_demands_a_passkey_takes_no_other_yes() {
    let mut draft = draft();
    let asked = draft.asked.as_mut().expect("it asks");
    asked.verified = true;
    let mut said = approval(&draft);
    let by_owner = |said: &ApprovalStatement| {
        Signed::new(&Statement::Approval(said.clone()), &key_of(AuthorId::Owner))
    };
    let none = Devices::default();
    let signers = |devices| Signers {
        owner: owner(),
        devices,
    };
    let refused = draft.answer(&by_owner(&said), &signers(&none), T0);
    assert_eq!(refused, Err(DeviceRefused::Unverified.into()));
    // The passkey of a device of the owner.
    let bytes = wire::encode(&Statement::Approval(said.clone()));
    let phone = Authenticator::new(&bytes);
    let mut endorsed = endorsed();
    endorsed.key = DeviceKey::Passkey(phone.name());
    let mut devices = Devices::default();
    assert!(devices.endorse(Some(deployment()), T0, endorsed));
    let signed: Signed = serde_json::from_value(phone.signs(&bytes)).expect("signed");
    let answer = draft.answer(&signed, &signers(&devices), T0);
    assert!(answer.is_ok_and(|answer| answer.yes && answer.by == owner()));
    // A no needs none.
    said.approve = false;
    let answer = draft.answer(&by_owner(&said), &signers(&none), T0);
    assert!(answer.is_ok_and(|answer| !answer.yes));
}

#[test]
fn the_name_of_a_passkey_is_the_one_that_browsers_compute() {
    // `crypto.subtle.digest` of the same bytes, in Node.
    let name = passkey(&[4; 65], &[1; 32], ORIGIN);
    assert_eq!(
        name.to_string(),
        "afd2116d9a39b42f4dfac84a0a43a0946feedca58a80d16a7a9970726f6fed87"
    );
}
