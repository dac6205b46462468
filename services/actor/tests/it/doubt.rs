//! Tests of an executor's doubt, and of the messages that cause it.

use actor::doubt::Standing;
use bus_schema::{Digest, StreamDoubted};

fn digest(n: u64) -> Digest {
    Digest::of(&[&n.to_be_bytes()])
}

fn stood_at(seq: u64) -> Standing {
    let mut standing = Standing::default();
    assert!(standing.stand(seq, digest(seq)));
    standing
}

#[test]
fn place_that_was_noted_is_looked_for_until_it_is_passed() {
    let standing = stood_at(10);
    let cases = [
        // Before it: more messages come, or the stream is shorter.
        ((0, 1, digest(1), false), false),
        ((8, 9, digest(9), false), false),
        ((8, 9, digest(9), true), true),
        // At it.
        ((9, 10, digest(10), true), false),
        ((9, 10, digest(11), false), true),
        // It is missing.
        ((9, 11, digest(11), false), true),
        // After it: the message was there, or is the snapshot's own.
        ((10, 11, digest(11), false), false),
        ((10, 12, digest(12), true), false),
    ];
    for ((before, seq, digest, is_last), misses) in cases {
        let found = standing.misses(before, seq, digest, is_last);
        assert_eq!(found, misses, "{before} {seq} {is_last}");
    }
    assert!(!Standing::default().misses(0, 1, digest(1), true));
}

#[test]
fn only_what_is_further_is_noted() {
    let mut standing = stood_at(10);
    assert!(!standing.stand(9, digest(9)) && !standing.stand(10, digest(11)));
    assert!(!standing.misses(9, 10, digest(10), true));
    assert!(standing.stand(11, digest(11)));
    assert!(standing.misses(9, 10, digest(10), true));
}

#[test]
fn newest_place_that_is_known_is_what_was_lost() {
    for (noted, folded, lost) in [(10, 4, 10), (10, 12, 12)] {
        let mut standing = stood_at(noted);
        standing.lose(folded, digest(folded));
        let fact = StreamDoubted {
            lost_seq: lost,
            lost: digest(lost),
        };
        assert_eq!(standing.doubt().map(|doubt| doubt.fact()), Some(fact));
        // The old position is not searched in the new stream.
        assert!(!standing.misses(0, 1, digest(1), true));
        assert!(standing.bars(u64::MAX));
    }
}
