//! Tests of the core against a stream, without a bus.

use std::{collections::BTreeSet, time::Duration};

use actor::{Core as _, Key, Outbox};
use audit::{Broken, Effect, Entry, Input, Junk, Log, Verdict, WAITING_MAX};
use bus_schema::{ChainScope, CheckpointSigned, Deployment, Digest, Draft, Verifier};

use crate::world::{Desk, World, owner};
use crate::{Home, NOW_NS, key};

const SECONDS_10: Duration = Duration::from_secs(10);

fn problem(desk: &Desk) -> String {
    assert!(desk.core.trouble().is_some());
    desk.core.trouble().unwrap().to_owned()
}

#[test]
fn a_head_speaks_of_what_is_signed_and_only_once_everything_is_read() {
    let (mut world, mut desk) = (World::new(), Desk::new());
    world.halts(4);
    desk.follow(&world);
    desk.store();
    assert_eq!(desk.core.to_say(), None);
    desk.core.caught_up();
    let head = desk.core.to_say().unwrap();
    assert_eq!((head.size, head.root), (6, Digest::new(desk.log.root())));
    assert_eq!(head.stored, world.log.messages[4].stored);
    desk.core.input(Input::Said);
    assert_eq!(desk.core.to_say(), None);
    desk.core.input(Input::Second);
    assert_eq!(desk.core.to_say(), Some(head), "said again each second");
}

#[test]
fn a_stop_stores_what_waits_so_that_the_next_start_goes_on_there() {
    let (mut world, mut desk) = (World::new(), Desk::new());
    world.halts(2);
    desk.catch_up(&world);
    let (busy, running) = (BTreeSet::new(), BTreeSet::new());
    let clock = world.clock.clone();
    let wants_store = |desk: &Desk| {
        let mut out = Outbox::new(clock.wall(), None, &busy, &running, &clock);
        desk.core.finish(&mut out);
        // The loop starts an effect only if it is not running yet.
        let mut wanted = true;
        out.effect(Key::Once("store"), || {
            wanted = false;
            let (entries, pause) = (Vec::new(), Duration::ZERO);
            Effect::Store {
                entries,
                pause,
                reading: 0,
            }
        });
        wanted
    };
    assert!(!wants_store(&desk));
    world.halts(1);
    desk.follow(&world);
    assert!(desk.core.to_store().is_none(), "not yet due");
    assert!(wants_store(&desk));
}

#[test]
fn every_message_becomes_the_entry_of_its_sequence_junk_flagged() {
    let (mut world, mut desk) = (World::new(), Desk::new());
    world.halts(2);
    world.junk();
    world.replay(2);
    desk.catch_up(&world);
    for message in &world.log.messages {
        let verdict = match message.seq {
            4 => Verdict::Junk(bus_schema::Junk::Unsigned.into()),
            5 => Verdict::Junk(bus_schema::Junk::Replayed.into()),
            _ => Verdict::Genuine,
        };
        let entry = desk.log.entry(message.seq).unwrap();
        assert_eq!(entry, Entry::of(&message.raw(), verdict));
    }
}

#[test]
fn each_kind_of_junk_has_a_code_of_its_own() {
    let mut codes: Vec<u8> = Junk::KINDS.iter().map(|(code, _)| *code).collect();
    for (code, kind) in Junk::KINDS {
        assert_eq!(
            (Junk::from(*kind).code(), Junk::from(*kind).kind()),
            (*code, Some(*kind))
        );
    }
    codes.push(Junk::CUT.code());
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes, (1..=12).collect::<Vec<u8>>());
}

#[test]
fn checkpoint_facts_do_not_cause_checkpoint_facts() {
    let (mut world, mut desk) = (World::new(), Desk::new());
    desk.catch_up(&world);
    assert_eq!(desk.say(&mut world), Some("checkpoint.signed"));
    for _ in 0..5 {
        world.clock.advance(SECONDS_10);
        desk.store();
        assert_eq!(desk.say(&mut world), None);
    }
    assert_eq!(desk.log.size(), 3, "the fact itself is logged all the same");
    world.halts(1);
    desk.follow(&world);
    assert_eq!(desk.say(&mut world), Some("checkpoint.signed"));
    world.clock.advance(Duration::from_secs(9));
    desk.store();
    assert_eq!(desk.say(&mut world), None, "at most every ten seconds");
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(desk.say(&mut world), Some("checkpoint.signed"));
    world.clock.advance(SECONDS_10);
    desk.store();
    assert_eq!(desk.say(&mut world), None);
}

#[test]
fn a_sequence_that_is_missing_in_the_stream_ends_the_heads() {
    let (mut world, mut desk) = (World::new(), Desk::new());
    world.halts(5);
    world.log.messages.remove(3);
    desk.catch_up(&world);
    assert!(
        problem(&desk).contains("disagree at 4"),
        "{}",
        problem(&desk)
    );
    assert_eq!(desk.core.to_say(), None);
    assert!(desk.core.to_store().is_none());
    assert!(desk.core.ready(), "it goes on reading");
}

#[test]
fn a_message_that_is_not_the_logs_ends_the_heads() {
    let (mut world, mut desk) = (World::new(), Desk::new());
    world.halts(700);
    desk.catch_up(&world);
    assert!(desk.core.to_say().is_some());
    let mut desk = desk.restarted();
    let mut other = world.log.messages[399].clone();
    other.stored = other.stored.plus_ms(1);
    world.log.messages[399] = other;
    desk.catch_up(&world);
    assert!(
        problem(&desk).contains("disagree at 400"),
        "{}",
        problem(&desk)
    );
    assert_eq!(desk.core.to_say(), None);
}

#[test]
fn a_stream_that_ends_before_the_log_ends_the_heads() {
    let (mut world, mut desk) = (World::new(), Desk::new());
    world.halts(20);
    desk.catch_up(&world);
    let mut desk = desk.restarted();
    world.log.messages.truncate(11);
    desk.catch_up(&world);
    let expected = Broken::StreamShorter {
        stream: 11,
        log: 21,
    };
    assert_eq!(problem(&desk), expected.to_string());
    assert_eq!(desk.core.to_say(), None);
}

#[test]
fn a_projection_ahead_of_the_log_is_rebuilt_and_one_within_it_is_gone_on_from() {
    let (mut world, mut desk) = (World::new(), Desk::new());
    world.halts(9);
    desk.catch_up(&world);
    let (within, verifier) = (desk.core.state().clone(), desk.verifier.clone());
    world.halts(5);
    desk.follow(&world);
    assert!(!desk.core.accepts(15), "10 messages are in the log");
    assert!(desk.core.accepts(10));
    // At the stop these are read but not yet stored.
    let mut desk = desk.restarted();
    assert!(!desk.core.accepts(15));
    desk.core.restore(within);
    (desk.verifier, desk.read) = (verifier, 10);
    desk.catch_up(&world);
    assert_eq!((desk.core.trouble(), desk.log.size()), (None, 16));
    assert_eq!(desk.core.to_say().unwrap().size, 16);
}

#[test]
fn a_failed_write_ends_the_heads_until_a_later_one_succeeds() {
    let (mut world, mut desk) = (World::new(), Desk::new());
    desk.catch_up(&world);
    world.halts(1);
    desk.follow(&world);
    desk.core.input(Input::Second);
    let mut pauses = Vec::new();
    for _ in 0..9 {
        desk.core
            .input(Input::Failed("no space left: free some".into()));
        let Some(Effect::Store { pause, entries, .. }) = desk.core.to_store() else {
            panic!("it tries again");
        };
        assert_eq!(entries.len(), 1);
        pauses.push(pause.as_millis());
    }
    assert_eq!(
        pauses,
        [
            500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000
        ]
    );
    assert_eq!(problem(&desk), "no space left: free some");
    assert_eq!(desk.core.to_say(), None);
    desk.store();
    assert_eq!(
        (desk.core.trouble(), desk.core.to_say().unwrap().size),
        (None, 3)
    );
}

#[test]
fn no_more_is_read_while_too_much_waits() {
    let (mut world, mut desk) = (World::new(), Desk::new());
    let max = u64::try_from(WAITING_MAX).unwrap();
    world.halts(max);
    for message in &world.log.messages[..WAITING_MAX - 1] {
        desk.take(message);
    }
    assert!(desk.core.ready());
    desk.take(&world.log.messages[WAITING_MAX - 1]);
    assert!(!desk.core.ready());
    // No second has passed, and not everything is read.
    let Some(Effect::Store { entries, .. }) = desk.core.to_store() else {
        panic!("it stores");
    };
    assert_eq!(entries.len(), WAITING_MAX);
    desk.store();
    assert!(desk.core.ready());
    assert_eq!(desk.log.size(), max + 1);
}

#[test]
fn the_stream_of_another_deployment_is_not_logged() {
    let (mut world, mut desk) = (World::empty(), Desk::new());
    let other = "0198c3f0-0000-7000-8000-00000000000f".parse().unwrap();
    world.roster(other);
    desk.catch_up(&world);
    assert_eq!(problem(&desk), Broken::Deployment(other).to_string());
    assert_eq!(desk.log.size(), 1);
    // A projection keeps it.
    let kept = desk.core.state().clone();
    let mut desk = desk.restarted();
    desk.core.restore(kept);
    assert_eq!(problem(&desk), Broken::Deployment(other).to_string());
}

#[test]
fn a_shorter_stream_that_takes_the_place_of_the_one_being_read_ends_the_heads() {
    let (mut world, mut desk) = (World::new(), Desk::new());
    world.halts(9);
    desk.catch_up(&world);
    assert!(desk.core.to_say().is_some());
    // The loop reads again, without a second call of `caught_up`.
    desk.core.restore(audit::State::default());
    desk.verifier = Verifier::new(owner(), ChainScope::Everything);
    world.log.messages.truncate(5);
    for message in &world.log.messages {
        desk.take(message);
    }
    assert_eq!(desk.core.to_say(), None);
    assert!(
        desk.core
            .trouble()
            .unwrap()
            .contains("shorter than the log")
    );
}

#[test]
fn a_log_made_anew_is_not_the_one_that_was_signed_in_the_stream() {
    let (mut world, mut desk) = (World::new(), Desk::new());
    desk.catch_up(&world);
    assert_eq!(desk.say(&mut world), Some("checkpoint.signed"));
    let origin = audit::Origin::of(crate::world::deployment());
    let home = Home::new();
    drop(Log::create(&home.places(), &origin, key(), NOW_NS + 1).unwrap());
    let mut desk = Desk::at(home, key());
    desk.catch_up(&world);
    assert_eq!(problem(&desk), Broken::LogReplaced(2).to_string());
    assert_eq!(desk.core.to_say(), None);
}

#[test]
fn a_root_that_audit_said_of_a_larger_log_is_waited_for() {
    let (mut world, mut desk) = (World::new(), Desk::new());
    world.halts(3);
    desk.catch_up(&world);
    let lie = CheckpointSigned {
        size: 6,
        root: Digest::ZERO,
    };
    world.say(&Draft::<bus_schema::Audit>::of(Deployment, lie));
    desk.follow(&world);
    desk.core.input(Input::Second);
    assert_eq!(desk.core.to_say(), None, "nobody knows yet");
    desk.store();
    assert_eq!(problem(&desk), Broken::LogReplaced(6).to_string());
}
