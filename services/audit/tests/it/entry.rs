//! Tests of the canonical encoding of an entry.

use audit::{Entry, Junk, MAX_ENTRY_BYTES, Refused, Verdict};
use proptest::prelude::*;

use crate::entry;

fn any_entry() -> impl Strategy<Value = Entry> {
    (
        any::<u64>(),
        any::<i64>(),
        ".{0,80}",
        proptest::option::of(proptest::collection::vec(any::<u8>(), 0..100)),
        proptest::collection::vec(any::<u8>(), 0..600),
        prop_oneof![Just(0_u8), 2..=u8::MAX],
    )
        .prop_map(|(seq, stored_ns, subject, signature, body, junk)| Entry {
            seq,
            stored_ns,
            subject,
            signature,
            body,
            verdict: Junk::try_from(junk).map_or(Verdict::Genuine, Verdict::Junk),
        })
}

proptest! {
    #[test]
    fn an_entry_survives_encoding(entry in any_entry()) {
        prop_assert_eq!(Entry::decode(&entry.encode()), Ok(entry));
    }

    #[test]
    fn every_accepted_encoding_is_the_canonical_one(
        entry in any_entry(), at in any::<prop::sample::Index>(), mask in 1..=u8::MAX,
    ) {
        let mut bytes = entry.encode();
        let at = at.index(bytes.len());
        bytes[at] ^= mask;
        if let Ok(decoded) = Entry::decode(&bytes) {
            prop_assert_eq!(decoded.encode(), bytes);
        }
    }

    #[test]
    fn garbage_is_refused_or_canonical(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(decoded) = Entry::decode(&bytes) {
            prop_assert_eq!(decoded.encode(), bytes);
        }
    }
}

#[test]
fn trailing_bytes_a_wider_integer_and_reordered_fields_are_refused() {
    let good = entry(1).encode();
    let mut trailing = good.clone();
    trailing.push(0xc0);
    // Map of 7, "v", 1: a 16 bit integer encodes the same value in more bytes.
    let mut wide = good.clone();
    assert_eq!(wide[..4], [0x87, 0xa1, b'v', 1]);
    wide.splice(3..4, [0xcd, 0, 1]);
    // Moves "v" behind the other fields.
    let mut reordered = vec![0x87];
    reordered.extend_from_slice(&good[4..]);
    reordered.extend_from_slice(&good[1..4]);
    for bytes in [trailing, wide, reordered] {
        assert_eq!(Entry::decode(&bytes), Err(Refused::EntryEncoding));
    }
}

#[test]
fn an_oversize_message_is_kept_as_its_hash() {
    for body in [MAX_ENTRY_BYTES - 100, MAX_ENTRY_BYTES, 200_000] {
        let big = Entry {
            body: vec![3; body],
            ..entry(5)
        };
        let kept = Entry::decode(&big.encode()).unwrap();
        assert_eq!(kept.verdict, Verdict::Junk(Junk::CUT));
        assert_eq!(
            (kept.seq, kept.stored_ns, &kept.subject),
            (5, big.stored_ns, &big.subject)
        );
        assert_eq!(kept.body.len(), 32);
        assert_eq!(kept, big.cut());
    }
}

#[test]
fn the_largest_entry_that_fits_is_kept_whole() {
    let overhead = Entry {
        body: vec![0; 60_000],
        ..entry(5)
    }
    .encode()
    .len()
        - 60_000;
    let fits = Entry {
        body: vec![3; MAX_ENTRY_BYTES - overhead],
        ..entry(5)
    };
    assert_eq!(fits.encode().len(), MAX_ENTRY_BYTES);
    assert_eq!(Entry::decode(&fits.encode()), Ok(fits));
}

#[test]
fn a_long_subject_is_cut_between_characters() {
    let long = Entry {
        subject: "é".repeat(40_000),
        ..entry(5)
    };
    let kept = Entry::decode(&long.encode()).unwrap();
    assert_eq!(kept.subject, "é".repeat(512));
}

#[test]
fn more_bytes_than_an_entry_may_have_are_refused_unread() {
    assert_eq!(
        Entry::decode(&vec![0x88; MAX_ENTRY_BYTES + 1]),
        Err(Refused::EntryTooLarge)
    );
}
