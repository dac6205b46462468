//! Tests of the offline check, on valid and tampered logs of signed events.

use std::fs;

use audit::check::{Agreement, Checked, StreamComparison, check};
use audit::{Bad, Entry, Log, Origin, Place, Problem, Refused, Verdict};
use bus_schema::{
    ActionExpired, ActionId, Audit, AuthorId, CheckpointSigned, Deployment, Digest, Draft,
    PublicKey, TaskId, Worker, public_key,
};
use ed25519_dalek::SigningKey;

use crate::world::{Desk, World, deployment, owner};
use crate::{Home, NOW_NS, key};

/// A log of 600 messages by three authors, every tenth junk, and audit's root of the first 300.
fn world_and_log() -> (World, Desk) {
    let (mut world, mut desk) = (World::new(), Desk::new());
    let tasks: Vec<TaskId> = (0..3).map(|_| TaskId::new(world.clock.uuid())).collect();
    for n in 2..=600_usize {
        if n.is_multiple_of(10) {
            world.junk();
        } else if n.is_multiple_of(3) {
            world.halts(1);
        } else {
            let action = ActionId::new(world.clock.uuid());
            world.say(&Draft::<Worker>::of(tasks[n % 3], ActionExpired { action }));
        }
        if n == 300 {
            desk.catch_up(&world);
            assert_eq!(desk.say(&mut world), Some("checkpoint.signed"));
        }
    }
    desk.catch_up(&world);
    (world, desk)
}

fn checked(home: &Home, owner: PublicKey) -> Result<Checked, Bad> {
    check(&home.places(), deployment(), owner, |_, _| {})
}

fn at(result: Result<Checked, Bad>, index: u64) -> String {
    let bad = result.unwrap_err();
    assert_eq!(bad.place, Place::Index(index), "{bad}");
    bad.to_string()
}

#[test]
fn an_honest_log_is_checked_entry_by_entry() {
    let (world, desk) = world_and_log();
    let mut seen = Vec::new();
    let checked = check(
        &desk.home.places(),
        deployment(),
        owner(),
        |entry, found| {
            assert_eq!(Verdict::from(found), entry.verdict);
            seen.push(entry.seq);
        },
    )
    .unwrap();
    assert_eq!(seen, (1..=601).collect::<Vec<u64>>());
    assert_eq!(checked.checkpoint, *desk.log.signed());
    assert_eq!((checked.anchored, checked.strangers.junk), (602, 0));
    assert_eq!(checked.key, public_key(&key()));
    let counts = |author| checked.authors[&author];
    assert_eq!(
        (
            counts(AuthorId::Audit).genuine,
            counts(AuthorId::Audit).junk
        ),
        (1, 0)
    );
    assert_eq!(
        (
            counts(AuthorId::Policy).genuine,
            counts(AuthorId::Policy).junk
        ),
        (0, 60)
    );
    let stored = |seq: usize| world.log.messages[seq - 1].stored;
    let stretch = counts(AuthorId::Policy).junk_stored;
    assert_eq!(stretch, Some((stored(10), stored(601))));
    let genuine = counts(AuthorId::Owner).genuine + counts(AuthorId::Worker).genuine;
    assert_eq!(genuine, 540);
}

/// The encoded entries of a bundle, lengths included.
fn split(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = bytes;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let len = 2 + usize::from(u16::from_be_bytes([rest[0], rest[1]]));
        found.push(rest[..len].to_vec());
        rest = &rest[len..];
    }
    found
}

fn tampered(desk: &Desk, change: impl FnOnce(&mut Vec<Vec<u8>>)) -> Result<Checked, Bad> {
    let home = Home::copy_of(&desk.home);
    let path = home.places().log.join("tile/entries/001");
    let mut entries = split(&fs::read(&path).unwrap());
    change(&mut entries);
    fs::write(&path, entries.concat()).unwrap();
    checked(&home, owner())
}

#[test]
fn a_changed_file_is_named_by_the_first_bad_entry() {
    let (_world, desk) = world_and_log();
    at(
        tampered(&desk, |entries| {
            let last = entries[44].len() - 9;
            entries[44][last] ^= 1;
        }),
        300,
    );
    at(tampered(&desk, |entries| drop(entries.remove(44))), 300);
    at(tampered(&desk, |entries| entries.swap(100, 101)), 356);
}

/// A forgery with audit's own key: changed entries in a log with valid hashes and a valid signature.
fn rewritten(desk: &Desk, change: impl FnOnce(&mut Vec<Entry>)) -> Result<Checked, Bad> {
    let mut entries: Vec<Entry> = (1..desk.log.size())
        .map(|index| desk.log.entry(index).unwrap())
        .collect();
    change(&mut entries);
    let home = Home::new();
    let origin = Origin::of(deployment());
    let mut log = Log::create(&home.places(), &origin, key(), NOW_NS).unwrap();
    for (seq, entry) in (1..).zip(&mut entries) {
        entry.seq = seq;
    }
    log.append(&entries).unwrap();
    log.checkpoint(NOW_NS).unwrap();
    drop(log);
    checked(&home, owner())
}

#[test]
fn a_log_that_audit_itself_rewrote_is_named_by_the_first_bad_entry() {
    let (_world, desk) = world_and_log();
    assert!(rewritten(&desk, |_| {}).is_ok());
    let said = at(
        rewritten(&desk, |entries| {
            let last = entries[399].body.len() - 1;
            entries[399].body[last] ^= 1;
        }),
        400,
    );
    assert_eq!(
        said,
        "entry 400: is recorded as genuine but is junk (wrong signature)"
    );
    // The owner signs every third message, so the next one does not continue the chain.
    let said = at(rewritten(&desk, |entries| drop(entries.remove(32))), 35);
    assert!(said.contains("does not continue its chain"), "{said}");
    at(rewritten(&desk, |entries| entries.swap(32, 35)), 33);
    let said = at(
        rewritten(&desk, |entries| {
            entries[399].verdict = Verdict::Junk(bus_schema::Junk::Chain.into());
        }),
        400,
    );
    assert!(said.contains("but is genuine"), "{said}");
    let said = at(
        rewritten(&desk, |entries| {
            entries[9].verdict = Verdict::Junk(bus_schema::Junk::Signature.into());
        }),
        10,
    );
    assert!(said.contains("but is another (no signature)"), "{said}");
    let said = at(
        rewritten(&desk, |entries| entries[19].verdict = Verdict::Genuine),
        20,
    );
    assert!(said.contains("recorded as genuine but is junk"), "{said}");
    // An entry that is recorded as too large breaks the chain after it.
    let said = at(
        rewritten(&desk, |entries| entries[32] = entries[32].cut()),
        36,
    );
    assert!(said.contains("does not continue its chain"), "{said}");
    // Only audit states the stored time; its earlier root proves it.
    let said = at(rewritten(&desk, |entries| entries[100].stored_ns += 1), 301);
    assert!(
        said.contains("another root of the first 301 entries"),
        "{said}"
    );
}

#[test]
fn a_root_that_was_said_and_is_not_the_logs_is_named() {
    let (mut world, mut desk) = (World::new(), Desk::new());
    world.halts(3);
    let lie = CheckpointSigned {
        size: 3,
        root: Digest::ZERO,
    };
    world.say(&Draft::<Audit>::of(Deployment, lie));
    desk.follow(&world);
    desk.store();
    let said = at(checked(&desk.home, owner()), 5);
    assert!(said.contains("the log was replaced"), "{said}");
}

#[test]
fn a_log_by_another_key_is_named_by_its_checkpoint() {
    let (_world, desk) = world_and_log();
    let home = Home::new();
    let origin = Origin::of(deployment());
    let thief = SigningKey::from_bytes(&[66; 32]);
    let mut log = Log::create(&home.places(), &origin, thief, NOW_NS).unwrap();
    let entries: Vec<Entry> = (1..desk.log.size())
        .map(|index| desk.log.entry(index).unwrap())
        .collect();
    log.append(&entries).unwrap();
    log.checkpoint(NOW_NS).unwrap();
    let expected = Bad {
        place: Place::File(home.places().log.join("checkpoint")),
        problem: Problem::Refused(Refused::Signature),
    };
    assert_eq!(checked(&home, owner()), Err(expected));
}

#[test]
fn a_log_put_in_the_place_of_a_longer_one_is_named_by_the_anchor() {
    let (_world, desk) = world_and_log();
    let home = Home::new();
    let mut short = Desk::at(home, key());
    short.catch_up(&World::new());
    let anchor = "anchor/checkpoint.last";
    fs::copy(
        desk.home.dir.path().join(anchor),
        short.home.dir.path().join(anchor),
    )
    .unwrap();
    let problem = checked(&short.home, owner()).unwrap_err().problem;
    assert!(
        matches!(
            problem,
            Problem::RolledBack {
                log: 2,
                anchor: 602
            }
        ),
        "{problem}"
    );
}

#[test]
fn another_owner_or_deployment_finds_nobody_to_believe() {
    let (_world, desk) = world_and_log();
    let stranger = public_key(&SigningKey::from_bytes(&[9; 32]));
    let said = at(checked(&desk.home, stranger), 1);
    assert_eq!(
        said,
        "entry 1: is a roster that the given owner's key did not sign"
    );
    let other = "0198c3f0-0000-7000-8000-00000000000f".parse().unwrap();
    let said = at(check(&desk.home.places(), other, owner(), |_, _| {}), 1);
    assert!(said.contains("a roster of the deployment"), "{said}");
    let empty = Home::new();
    drop(Log::create(&empty.places(), &Origin::of(deployment()), key(), NOW_NS).unwrap());
    let problem = checked(&empty, owner()).unwrap_err().problem;
    assert_eq!(problem, Problem::NoRoster);
}

#[test]
fn a_key_that_a_later_roster_replaced_signs_no_log_that_goes_on() {
    let (mut world, mut desk) = (World::new(), Desk::new());
    world.halts(2);
    let new = SigningKey::from_bytes(&[70; 32]);
    world.log.keys.insert(AuthorId::Audit, new.clone());
    world.roster(deployment());
    desk.follow(&world);
    desk.store();
    assert_eq!(
        checked(&desk.home, owner()).unwrap().key,
        public_key(&key())
    );
    world.halts(1);
    desk.follow(&world);
    desk.store();
    let problem = checked(&desk.home, owner()).unwrap_err().problem;
    assert_eq!(problem, Problem::Refused(Refused::Signature));
    let mut entries: Vec<Entry> = (1..6).map(|index| desk.log.entry(index).unwrap()).collect();
    let home = Home::new();
    let mut log = Log::create(
        &home.places(),
        &Origin::of(deployment()),
        new.clone(),
        NOW_NS,
    )
    .unwrap();
    log.append(&entries).unwrap();
    log.checkpoint(NOW_NS).unwrap();
    assert_eq!(checked(&home, owner()).unwrap().key, public_key(&new));
    // Without the owner's previous message, the second roster is invalid.
    let home = Home::new();
    let mut log = Log::create(&home.places(), &Origin::of(deployment()), new, NOW_NS).unwrap();
    entries[2].body[20] ^= 1;
    log.append(&entries).unwrap();
    log.checkpoint(NOW_NS).unwrap();
    at(checked(&home, owner()), 3);
}

#[test]
fn the_stream_is_held_against_the_log() {
    let (mut world, desk) = world_and_log();
    let (places, checked) = (desk.home.places(), checked(&desk.home, owner()).unwrap());
    let held = |world: &World| {
        let mut comparison = StreamComparison::new(&places, &checked);
        let mut same = 0;
        for message in &world.log.messages {
            if comparison.message(&message.raw())? == Agreement::Same {
                same += 1;
            }
        }
        Ok::<_, Bad>((same, comparison.end()?))
    };
    assert_eq!(held(&world), Ok((601, 0)));
    world.halts(2);
    assert_eq!(held(&world), Ok((601, 2)));
    for seq in [77_usize, 590] {
        let whole = world.log.messages.clone();
        world.log.messages[seq - 1].body.push(0);
        let bad = Bad {
            place: Place::Index(u64::try_from(seq).unwrap()),
            problem: Problem::StreamDiffers,
        };
        assert_eq!(held(&world), Err(bad.clone()));
        world.log.messages.remove(seq - 1);
        let missing = Bad {
            problem: Problem::NotInStream,
            ..bad
        };
        assert_eq!(held(&world), Err(missing.clone()));
        world.log.messages.truncate(seq - 1);
        assert_eq!(held(&world), Err(missing));
        world.log.messages = whole;
    }
}
