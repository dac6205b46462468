//! Tests of own events: their signatures are not checked again at reading back; all others are.

use bus_schema::{
    AuthorId, ChainScope, Deployment, EventId, Junk, Owner, Signature, SignedEvent, Verifier,
    Worker, WorkerFact, public_key,
};

use crate::{
    example::proposed,
    fixture::{Stored, Stream, id, key_of, new_key, read, refused, roster_with, task},
};

/// A signature that every check refuses: an event that is read with it was not checked.
const NOBODYS: Signature = Signature::new([0; 64]);

fn example() -> (Stream, Verifier, Stored) {
    let (mut stream, verifier) = Stream::begun(ChainScope::Own(AuthorId::Worker));
    let mut stored = stream.say::<Worker, _>(task(), proposed());
    stored.signature = Some(NOBODYS.to_string());
    (stream, verifier, stored)
}

/// The signed event of `stored`.
fn made(stored: &Stored) -> SignedEvent {
    let signature = stored.signature.as_deref().expect("it has one");
    SignedEvent {
        subject: stored.subject.clone(),
        task: Some(task()),
        schema: "action.proposed.v1".to_owned(),
        signature: signature.parse().expect("a signature"),
        body: stored.body.clone(),
        id: id::<EventId>(1),
    }
}

fn junk(verifier: &mut Verifier, stored: &Stored) -> Junk {
    refused::<WorkerFact>(verifier, stored)
}

#[test]
fn the_same_bytes_are_taken_once_without_a_check() {
    let (_, mut verifier, stored) = example();
    assert_eq!(junk(&mut verifier, &stored), Junk::Signature);
    verifier.made(public_key(&key_of(AuthorId::Worker)), &made(&stored));
    read::<WorkerFact>(&mut verifier, &stored).unwrap().unwrap();
    assert_eq!(junk(&mut verifier, &stored.at(9)), Junk::Signature);
}

#[test]
fn other_bytes_are_checked() {
    let (_, mut verifier, stored) = example();
    verifier.made(public_key(&key_of(AuthorId::Worker)), &made(&stored));
    for place in 0..stored.body.len() {
        let mut body = stored.body.clone();
        body[place] ^= 1;
        let other = stored.clone().with_body(body);
        assert_eq!(junk(&mut verifier, &other), Junk::Signature, "{place}");
    }
    let mut signature = *NOBODYS.as_bytes();
    signature[63] = 1;
    let mut other = stored.clone();
    other.signature = Some(Signature::new(signature).to_string());
    assert_eq!(junk(&mut verifier, &other), Junk::Signature);
    other.signature = None;
    assert_eq!(junk(&mut verifier, &other), Junk::Unsigned);
    read::<WorkerFact>(&mut verifier, &stored).unwrap().unwrap();
}

#[test]
fn what_a_key_signed_that_the_roster_no_longer_names_is_checked_with_the_one_it_names() {
    let (mut stream, mut verifier, stored) = example();
    verifier.made(public_key(&key_of(AuthorId::Worker)), &made(&stored));
    let other = roster_with(AuthorId::Worker, Some(&new_key(AuthorId::Worker)));
    let changed = stream.say::<Owner, _>(Deployment, other);
    read::<WorkerFact>(&mut verifier, &changed)
        .unwrap()
        .unwrap();
    assert_eq!(junk(&mut verifier, &stored.at(9)), Junk::Signature);
}

#[test]
fn what_was_signed_long_ago_is_checked() {
    let (_, mut verifier, stored) = example();
    let key = public_key(&key_of(AuthorId::Worker));
    verifier.made(key, &made(&stored));
    for n in 0..255_u8 {
        let later = stored.clone().with_body(vec![n]);
        verifier.made(key, &made(&later));
    }
    let mut still = verifier.clone();
    read::<WorkerFact>(&mut still, &stored).unwrap().unwrap();
    verifier.made(key, &made(&stored.clone().with_body(vec![255])));
    assert_eq!(junk(&mut verifier, &stored), Junk::Signature);
}
