//! Tests a runner in another stream than before, and grants that were claimed before.

use bus_schema::{
    AuthorId, Deployment, Digest, EventId, Owner, Runner, StreamAdopted, StreamDoubted,
};
use uuid::Uuid;

use crate::stream::{Stream, Wants, action, draft};

const LOST_SEQ: u64 = 700;

fn lost() -> Digest {
    Digest::of(&[b"lost"])
}

fn doubt() -> StreamDoubted {
    StreamDoubted {
        lost_seq: LOST_SEQ,
        lost: lost(),
    }
}

fn adopted(executor: AuthorId, lost: Digest) -> StreamAdopted {
    StreamAdopted { executor, lost }
}

fn claimed(n: u128) -> Wants {
    Wants {
        claims: vec![action(n)],
        ..Wants::default()
    }
}

/// Returns a stream in which the runner is in doubt and has published that, with one grant that it would claim and
/// one that it would decline.
fn doubted() -> Stream {
    let mut stream = Stream::new();
    stream.standing.lose(LOST_SEQ, lost());
    stream.ready(draft(1, "file.write"));
    stream.ready(draft(2, "file.list"));
    let says = Wants {
        doubts: vec![doubt()],
        ..Wants::default()
    };
    assert_eq!(stream.wants(), says);
    assert!(stream.say::<Runner, _>(Deployment, doubt()));
    assert_eq!(stream.wants(), Wants::default());
    stream
}

#[test]
fn in_doubt_nothing_is_claimed_or_declined_and_it_is_said_once() {
    let mut stream = doubted();
    stream.restart();
    assert_eq!(stream.wants(), Wants::default());
}

#[test]
fn only_the_owners_adoption_of_this_very_doubt_ends_it() {
    for wrong in [
        adopted(AuthorId::Runner, Digest::of(&[b"an older one"])),
        adopted(AuthorId::Worker, lost()),
    ] {
        let mut stream = doubted();
        assert!(stream.say::<Owner, _>(Deployment, wrong));
        stream.ready(draft(3, "file.write"));
        assert_eq!(stream.wants(), Wants::default());
    }
    let mut stream = doubted();
    assert!(stream.say::<Owner, _>(Deployment, adopted(AuthorId::Runner, lost())));
    // Earlier grants stay unclaimed.
    assert_eq!(stream.wants(), Wants::default());
    stream.ready(draft(3, "file.write"));
    assert_eq!(stream.wants(), claimed(3));
}

#[test]
fn second_loss_keeps_the_first_doubt_and_says_it_again() {
    let mut stream = doubted();
    stream.standing.lose(9, Digest::ZERO);
    assert_eq!(stream.wants().doubts, [doubt()]);
    assert!(stream.say::<Owner, _>(Deployment, adopted(AuthorId::Runner, Digest::ZERO)));
    assert!(stream.standing.doubt().is_some());
    assert!(stream.say::<Owner, _>(Deployment, adopted(AuthorId::Runner, lost())));
    assert_eq!(stream.standing.doubt(), None);
}

#[test]
fn adoption_that_ended_an_earlier_doubt_does_not_end_the_next() {
    let mut stream = doubted();
    let before = adopted(AuthorId::Runner, lost());
    assert!(stream.say::<Owner, _>(Deployment, before.clone()));
    stream.standing.lose(900, Digest::of(&[b"lost later"]));
    assert!(stream.say::<Owner, _>(Deployment, before));
    assert!(stream.standing.doubt().is_some());
    assert_eq!(stream.wants().claims, []);
}

#[test]
fn grant_that_the_ledger_knows_lapses() {
    let mut stream = Stream::new();
    stream.ready(draft(1, "file.write"));
    assert_eq!(stream.wants(), claimed(1));
    let granted = stream.last();
    stream.ledger.take(granted);
    assert_eq!(stream.wants(), Wants::default());
    // The stream certainly does not hold the claim, so it is retried.
    stream.ledger.give_back(granted);
    assert_eq!(stream.wants(), claimed(1));
    stream.ledger.take(EventId::new(Uuid::from_u128(u128::MAX)));
    assert_eq!(stream.wants(), claimed(1));
}
