//! Tests of clocks that go back: the server's, audit's, and the machine's.

use std::time::Duration;

use actor::{
    BusClock, Clock, Health,
    health::{self, Unhealthy},
    live::{Heads, Numbers},
};
use bus_schema::{Digest, Head, Time};

const START: Time = Time::from_ns(1_700_000_000_000_000_000);

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn bus_time_follows_a_server_whose_clock_was_set_back() {
    let server = Clock::fake(START);
    let mut bus = BusClock::default();
    assert_eq!(bus.now(server.elapsed()), None);
    assert_eq!(bus.saw(server.wall(), server.elapsed(), true), None);
    server.advance(s(600));
    server.set_back(s(60));
    // The change is unknown until the next message.
    assert_eq!(bus.now(server.elapsed()), Some(START.plus_ms(600_000)));
    assert_eq!(bus.saw(server.wall(), server.elapsed(), true), Some(s(60)));
    assert_eq!(bus.now(server.elapsed()), Some(server.wall()));
    server.advance(s(5));
    assert_eq!(bus.now(server.elapsed()), Some(server.wall()));
}

#[test]
fn old_messages_and_a_little_lateness_do_not_set_bus_time_back() {
    let mut bus = BusClock::default();
    bus.saw(START, s(10), true);
    // Messages that are read again after a reconnect are old.
    assert_eq!(bus.saw(START, s(100), false), None);
    assert_eq!(bus.saw(START.plus_ms(1_000), s(12), true), None);
    assert_eq!(bus.now(s(100)), Some(START.plus_ms(90_000)));
}

#[test]
fn a_message_that_was_held_up_sets_bus_time_back_only_until_the_next_one() {
    let mut bus = BusClock::default();
    bus.saw(START, s(0), true);
    assert_eq!(bus.saw(START.plus_ms(1_000), s(5), true), Some(s(4)));
    assert_eq!(bus.saw(START.plus_ms(6_000), s(6), true), None);
    assert_eq!(bus.now(s(6)), Some(START.plus_ms(6_000)));
}

fn head(size: u64) -> Head {
    Head {
        size,
        root: Digest::ZERO,
        stored: START,
    }
}

#[test]
fn heads_of_an_audit_that_started_again_with_an_earlier_clock_are_heard() {
    let mut heads = Heads::default();
    let first = Numbers::default();
    first.begin(7);
    let said: Vec<_> = (0..1_000).map(|_| first.draw()).collect();
    for number in &said {
        heads.hear(head(20), *number, Some(9), s(1));
    }
    // Numbers depend only on the place of the process's first event in the stream, and on no clock.
    let again = Numbers::default();
    heads.hear(head(30), again.draw(), Some(9), s(2));
    assert_eq!(heads.newest(s(2)).unwrap().age, s(1));
    again.begin(25);
    heads.hear(head(31), again.draw(), Some(9), s(3));
    assert_eq!(heads.newest(s(3)).unwrap().head, head(31));
    // Heads of the first process are old now.
    for number in said {
        heads.hear(head(99), number, Some(9), s(4));
    }
    assert_eq!(heads.newest(s(4)).unwrap().age, s(1));
}

#[test]
fn a_head_that_does_not_know_of_this_process_is_not_heard() {
    let mut heads = Heads::default();
    heads.hear(head(9), 1, Some(9), s(1));
    heads.hear(head(9), 2, None, s(1));
    assert_eq!(heads.newest(s(1)), None);
}

#[test]
fn a_service_that_hangs_is_not_fresh_because_the_clock_went_back() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::fake(START);
    let said = Health {
        at: clock.wall(),
        ok: true,
        state: "ready".to_owned(),
        seq: 1,
        junk: 0,
    };
    let file = folder.path().join("health.json");
    std::fs::write(file, serde_json::to_vec(&said).unwrap()).unwrap();
    assert_eq!(health::read(folder.path(), &clock), Ok(said));
    clock.set_back(s(3600));
    let found = health::read(folder.path(), &clock);
    assert_eq!(found, Err(Unhealthy::Ahead(3_600_000)));
    assert!(
        found
            .unwrap_err()
            .to_string()
            .contains("the clock went back")
    );
    clock.advance(s(3606));
    let found = health::read(folder.path(), &clock);
    assert_eq!(found, Err(Unhealthy::Stale(6_000)));
}
