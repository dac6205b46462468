//! Tests of the check code: what it depends on, and how it is typed.

use bus_schema::{PairingId, PublicKey};
use signer::CheckCode;

const OWNER: PublicKey = PublicKey::new([1; 32]);
const DEVICE: PublicKey = PublicKey::new([2; 32]);
const PAIRING: PairingId = PairingId::new([3; 16]);

#[test]
fn the_code_is_the_one_that_browsers_compute() {
    // `crypto.subtle.deriveBits` of the same bytes, in Node.
    let code = CheckCode::of(&OWNER, &DEVICE, &PAIRING);
    assert_eq!(code.to_string(), "05PQ-XF45");
}

#[test]
fn another_key_or_pairing_has_another_code() {
    let code = CheckCode::of(&OWNER, &DEVICE, &PAIRING);
    let others = [
        CheckCode::of(&DEVICE, &OWNER, &PAIRING),
        CheckCode::of(&OWNER, &PublicKey::new([4; 32]), &PAIRING),
        CheckCode::of(&OWNER, &DEVICE, &PairingId::new([5; 16])),
    ];
    assert!(others.iter().all(|other| *other != code));
}

#[test]
fn a_code_is_read_as_people_type_it() {
    let code = CheckCode::of(&OWNER, &DEVICE, &PAIRING);
    let shown = code.to_string();
    for typed in [
        shown.to_lowercase(),
        shown.replace('-', ""),
        shown.replace('-', "  "),
        format!(" {shown}\n"),
        shown.replace('0', "o").replace('1', "l"),
    ] {
        assert_eq!(typed.parse(), Ok(code), "{typed:?}");
    }
    for wrong in ["", "7K3M", "7K3M-9QXDA", "7K3M-9QX!", "7K3M-9QXU"] {
        assert!(wrong.parse::<CheckCode>().is_err(), "{wrong:?}");
    }
}
