//! Tests of malformed bodies: of any size, shape and depth they are junk, even if their author signed them.

use bus_schema::{
    AuditFact, AuthorId, ChainScope, Deployment, ENVELOPE_V, EVENT_BYTES_MAX, Junk, Owner,
    PolicyFact,
};
use proptest::prelude::*;

use crate::{
    example::digest,
    fixture::{Stored, Stream, accepted, key_of, read, refused, roster, tips},
    refuse::{BOTH, example},
};

/// The verdict of both kinds of reader on a tampered body that its author signed; they must agree.
fn own_word(tamper: impl Fn(Vec<u8>) -> Vec<u8>) -> Junk {
    let found = BOTH.map(|sees| {
        let (_, mut verifier, good) = example(sees);
        let bad = good
            .clone()
            .with_body(tamper(good.body))
            .signed_by(&key_of(AuthorId::Worker));
        let read = match sees {
            ChainScope::Everything => read::<AuditFact>(&mut verifier, &bad),
            ChainScope::Own(_) => read::<PolicyFact>(&mut verifier, &bad),
        };
        read.expect("not too old").expect_err("not an event")
    });
    assert_eq!(found[0], found[1]);
    found[0]
}
#[test]
fn the_largest_event_is_read_and_one_byte_more_is_junk() {
    let sized = |size: usize| {
        let (mut stream, verifier) = Stream::begun(ChainScope::Everything);
        let mut roster = roster();
        let key = roster.keys[0];
        roster.keys.resize(70, key);
        let mut stored = stream.say::<Owner, _>(Deployment, roster);
        // Bytes after the value: junk for its form, not for its size.
        assert!(stored.body.len() < size);
        stored.body.resize(size, 0xc0);
        (verifier, stored.signed_by(&key_of(AuthorId::Owner)))
    };
    let (mut verifier, largest) = sized(EVENT_BYTES_MAX);
    assert_eq!(
        read::<AuditFact>(&mut verifier, &largest).unwrap(),
        Err(Junk::Malformed)
    );
    let (mut verifier, larger) = sized(EVENT_BYTES_MAX + 1);
    assert_eq!(refused::<AuditFact>(&mut verifier, &larger), Junk::Oversize);
}

#[test]
fn an_event_of_exactly_the_largest_size_is_an_event() {
    let sized = |size: usize| {
        let (mut stream, verifier) = Stream::begun(ChainScope::Everything);
        let mut envelope = crate::example::envelope();
        let sign = |envelope: &bus_schema::Envelope| {
            let contract = digest(5);
            let document = crate::example::content(8);
            let fact = bus_schema::ContractSigned {
                contract,
                name: crate::fixture::name("c"),
                version: 1,
                document,
                pins: crate::example::pins(),
                envelope: envelope.clone(),
            };
            stream.clone().say::<Owner, _>(Deployment, fact)
        };
        envelope.hosts = vec!["h".repeat(1000)];
        let missing = size - sign(&envelope).body.len();
        envelope.hosts = vec!["h".repeat(1000 + missing)];
        let stored = sign(&envelope);
        stream.seq += 1;
        assert_eq!(stored.body.len(), size);
        (verifier, stored)
    };
    let (mut verifier, largest) = sized(EVENT_BYTES_MAX);
    accepted(&mut verifier, &largest);
    let (mut verifier, larger) = sized(EVENT_BYTES_MAX + 1);
    assert_eq!(
        refused::<PolicyFact>(&mut verifier, &larger),
        Junk::Oversize
    );
}

/// The body with the bytes after `key` replaced by `value`, up to the bytes before `next`.
fn replace(body: &[u8], key: &str, next: &str, value: &[u8]) -> Vec<u8> {
    let name = |key: &str| {
        [
            &[0xa0 + u8::try_from(key.len()).expect("short")],
            key.as_bytes(),
        ]
        .concat()
    };
    let find = |what: &[u8]| {
        let found = body.windows(what.len()).position(|window| window == what);
        found.expect("the key is there")
    };
    let from = find(&name(key)) + key.len() + 1;
    let to = if next.is_empty() {
        body.len()
    } else {
        find(&name(next))
    };
    let head = body.get(..from).expect("inside");
    let tail = body.get(to..).expect("inside");
    [head, value, tail].concat()
}

fn with_one_more_key(mut body: Vec<u8>, entry: &[u8]) -> Vec<u8> {
    let keys = body.first_mut().expect("a body is a map");
    assert_eq!(*keys, 0x8b);
    *keys = 0x8c;
    body.extend_from_slice(entry);
    body
}

#[test]
fn a_second_form_of_the_same_value_is_junk() {
    let malformed = |what: &str, tamper: &dyn Fn(Vec<u8>) -> Vec<u8>| {
        assert_eq!(own_word(tamper), Junk::Malformed, "{what}");
    };
    malformed("trailing byte", &|body| [body, vec![0xc0]].concat());
    malformed("duplicate key", &|body| {
        with_one_more_key(body, b"\xa1v\x02")
    });
    malformed("unknown key", &|body| with_one_more_key(body, b"\xa1x\x01"));
    malformed("wide integer", &|body| {
        replace(&body, "v", "subject", &[0xcc, ENVELOPE_V])
    });
    malformed("wider integer", &|body| {
        replace(&body, "seq", "prev", &[0xcf, 0, 0, 0, 0, 0, 0, 0, 1])
    });
    malformed("signed integer", &|body| {
        replace(&body, "index", "item", &[0xd0, 3])
    });
    malformed("wide fact integer", &|body| {
        replace(&body, "index", "item", &[0xcd, 0, 3])
    });
    malformed("wide string", &|body| {
        replace(&body, "cause", "at", &[0xd9, 0])
    });
    malformed("array for a map", &|body| {
        replace(&body, "fact", "", &[0x90])
    });
}

#[test]
fn numbers_that_the_type_cannot_hold_are_junk() {
    let nan = [&[0xcb][..], &f64::NAN.to_be_bytes()].concat();
    let float = [&[0xcb][..], &1.0_f64.to_be_bytes()].concat();
    let two_63 = [&[0xcf][..], &(1_u64 << 63).to_be_bytes()].concat();
    for value in [nan, float, two_63.clone(), vec![0xc0], vec![0xc3]] {
        assert_eq!(
            own_word(|body| replace(&body, "index", "item", &value)),
            Junk::Malformed
        );
        assert_eq!(
            own_word(|body| replace(&body, "at", "fact", &value)),
            Junk::Malformed
        );
    }
    assert_eq!(
        own_word(|body| replace(&body, "index", "item", &[0xff])),
        Junk::Malformed
    );
    // A place in a chain can be that large; no chain is that long.
    let (_, mut verifier, good) = example(ChainScope::Everything);
    let far = good
        .clone()
        .with_body(replace(&good.body, "seq", "prev", &two_63));
    let far = far.signed_by(&key_of(AuthorId::Worker));
    assert_eq!(refused::<AuditFact>(&mut verifier, &far), Junk::Chain);
}

#[test]
fn nesting_is_bounded() {
    for depth in [33, 100, 7000] {
        let nested = [vec![0x91; depth], vec![0xc0]].concat();
        assert_eq!(
            own_word(|body| replace(&body, "fact", "", &nested)),
            Junk::Malformed
        );
        assert_eq!(own_word(|_| nested.clone()), Junk::Malformed);
    }
    let claims = [0xdd, 0xff, 0xff, 0xff, 0xff];
    assert_eq!(
        own_word(|body| replace(&body, "fact", "", &claims)),
        Junk::Malformed
    );
    assert_eq!(
        own_word(|body| replace(&body, "subject", "schema", &[0xdb, 0xff, 0xff, 0xff, 0xff])),
        Junk::Malformed
    );
}

#[test]
fn text_that_is_not_utf_8_is_junk() {
    assert_eq!(
        own_word(|body| replace(&body, "step", "index", &[0xa1, 0xff])),
        Junk::Malformed
    );
    assert_eq!(
        own_word(|body| replace(&body, "subject", "schema", &[0xa1, 0xff])),
        Junk::Malformed
    );
}

#[test]
fn a_body_cut_anywhere_is_junk() {
    let (_, mut verifier, good) = example(ChainScope::Own(AuthorId::Policy));
    for len in 0..good.body.len() {
        let cut = good.clone().with_body(good.body[..len].to_vec());
        assert_eq!(
            refused::<PolicyFact>(&mut verifier, &cut),
            Junk::Signature,
            "at {len}"
        );
        let own = cut.signed_by(&key_of(AuthorId::Worker));
        assert_eq!(
            refused::<PolicyFact>(&mut verifier, &own),
            Junk::Malformed,
            "at {len}"
        );
    }
    accepted(&mut verifier, &good);
}

proptest! {
    #[test]
    fn random_bytes_are_junk(bytes in proptest::collection::vec(any::<u8>(), 0..400), signed: bool, whole: bool) {
        let sees = if whole { ChainScope::Everything } else { ChainScope::Own(AuthorId::Policy) };
        let (_, mut verifier, good) = example(sees);
        let mut bad = good.with_body(bytes);
        if signed {
            bad = bad.signed_by(&key_of(AuthorId::Worker));
        }
        let junk = refused::<PolicyFact>(&mut verifier, &bad);
        // A list whose first item is a number can look like the envelope of another version.
        let right = if signed { matches!(junk, Junk::Malformed | Junk::Version) } else { junk == Junk::Signature };
        prop_assert!(right, "{}", junk);
    }

    #[test]
    fn random_subjects_and_signatures_are_junk(subject in "\\PC{0,80}", signature in "\\PC{0,140}") {
        let (_, mut verifier, good) = example(ChainScope::Everything);
        let before = tips(&verifier);
        for bad in [
            Stored { subject, ..good.clone() },
            Stored { signature: Some(signature), ..good },
        ] {
            prop_assert!(read::<AuditFact>(&mut verifier, &bad).unwrap().is_err());
        }
        prop_assert_eq!(tips(&verifier), before);
    }

    #[test]
    fn a_signed_body_with_one_byte_changed_never_panics(place: prop::sample::Index, byte: u8) {
        for sees in BOTH {
            let (_, mut verifier, good) = example(sees);
            let mut body = good.body.clone();
            let place = place.index(body.len());
            body[place] = byte;
            let bad = good.with_body(body).signed_by(&key_of(AuthorId::Worker));
            let _whatever = read::<PolicyFact>(&mut verifier, &bad);
        }
    }
}
