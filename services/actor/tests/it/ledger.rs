//! Tests of the claim ledger: its records, crashes, and damage.

use actor::ledger::{BATCH_MAX, Damaged, KEPT, Ledger, RECORD, Write, perform};
use bus_schema::EventId;
use tempfile::TempDir;
use uuid::Uuid;

/// A grant's id of the `n`th millisecond.
fn granted(n: u64) -> EventId {
    EventId::new(Uuid::from_u128(
        u128::from(n) << 80 | 7 << 76 | 2 << 62 | u128::from(n),
    ))
}

fn file(folder: &TempDir) -> std::path::PathBuf {
    folder.path().join("claims")
}

/// Performs all waiting writes.
fn write(ledger: &mut Ledger, folder: &TempDir) -> Vec<EventId> {
    let mut durable = Vec::new();
    while let Some(write) = ledger.next_write() {
        perform(folder.path(), &write).unwrap();
        durable.extend(ledger.written(&write, true));
    }
    durable
}

/// A ledger with these grants, on disk.
fn with(grants: impl IntoIterator<Item = u64>) -> TempDir {
    let folder = TempDir::new().unwrap();
    let mut ledger = Ledger::open(folder.path()).unwrap();
    grants.into_iter().for_each(|n| ledger.take(granted(n)));
    write(&mut ledger, &folder);
    folder
}

#[test]
fn grant_that_was_taken_is_barred_also_by_the_next_process() {
    let folder = TempDir::new().unwrap();
    let mut ledger = Ledger::open(folder.path()).unwrap();
    assert!(!ledger.bars(granted(1)));
    ledger.take(granted(1));
    assert!(ledger.bars(granted(1)));
    assert!(!ledger.is_durable(granted(1)) && !ledger.is_idle());
    assert_eq!(write(&mut ledger, &folder), [granted(1)]);
    assert!(ledger.is_durable(granted(1)) && ledger.is_idle());
    let ledger = Ledger::open(folder.path()).unwrap();
    assert!(ledger.bars(granted(1)));
    assert!(!ledger.bars(granted(2)));
}

#[test]
fn nothing_is_durable_before_its_write_has_ended() {
    let mut ledger = Ledger::default();
    let first = ledger.replacement();
    ledger.written(&first, true);
    ledger.take(granted(1));
    let add = ledger.next_write().unwrap();
    ledger.take(granted(2));
    assert!(!ledger.is_durable(granted(1)));
    assert!(ledger.written(&add, true).contains(&granted(1)));
    assert!(ledger.is_durable(granted(1)));
    assert!(!ledger.is_durable(granted(2)));
}

#[test]
fn claim_that_was_surely_not_stored_is_tried_again_in_this_life_alone() {
    let folder = TempDir::new().unwrap();
    let mut ledger = Ledger::open(folder.path()).unwrap();
    ledger.take(granted(1));
    write(&mut ledger, &folder);
    ledger.give_back(granted(1));
    assert!(!ledger.bars(granted(1)));
    ledger.take(granted(1));
    assert!(ledger.bars(granted(1)) && ledger.is_durable(granted(1)));
    ledger.give_back(granted(1));
    assert!(Ledger::open(folder.path()).unwrap().bars(granted(1)));
    // A grant that was never taken cannot be given back.
    ledger.give_back(granted(2));
    ledger.take(granted(2));
    assert!(ledger.bars(granted(2)));
}

#[test]
fn failed_write_bars_everything_until_a_whole_file_was_written() {
    let folder = TempDir::new().unwrap();
    let mut ledger = Ledger::open(folder.path()).unwrap();
    ledger.take(granted(1));
    let add = ledger.next_write().unwrap();
    assert!(ledger.written(&add, false).is_empty());
    assert!(ledger.is_broken() && ledger.bars(granted(9)));
    assert!(!ledger.is_durable(granted(1)));
    assert_eq!(ledger.next_write(), None);
    let whole = ledger.replacement();
    perform(folder.path(), &whole).unwrap();
    ledger.written(&whole, true);
    assert!(!ledger.bars(granted(9)));
    assert!(ledger.bars(granted(1)) && ledger.is_durable(granted(1)));
    assert!(Ledger::open(folder.path()).unwrap().bars(granted(1)));
}

#[test]
fn torn_end_is_dropped_and_written_over() {
    for cut in 1..RECORD {
        let folder = with(1..=5);
        let bytes = std::fs::read(file(&folder)).unwrap();
        std::fs::write(file(&folder), &bytes[..bytes.len() - cut]).unwrap();
        let mut ledger = Ledger::open(folder.path()).unwrap();
        assert!(ledger.bars(granted(4)) && !ledger.bars(granted(5)));
        ledger.take(granted(6));
        write(&mut ledger, &folder);
        let ledger = Ledger::open(folder.path()).unwrap();
        assert!([4, 6].iter().all(|n| ledger.bars(granted(*n))));
        assert_eq!(std::fs::read(file(&folder)).unwrap().len(), 6 * RECORD);
    }
}

#[test]
fn any_flipped_bit_before_the_end_is_refused_with_what_to_do() {
    let count = BATCH_MAX as u64 + 2;
    let folder = with(1..=count);
    let bytes = std::fs::read(file(&folder)).unwrap();
    for at in 0..3 * RECORD {
        let mut wrong = bytes.clone();
        wrong[at] ^= 1;
        let damaged = match at / RECORD {
            0 => Damaged::Header,
            n => Damaged::Record(n),
        };
        assert_eq!(Ledger::parse(&wrong).unwrap_err(), damaged, "{at}");
    }
    let mut last = bytes.clone();
    *last.last_mut().unwrap() ^= 1;
    assert!(Ledger::parse(&last).unwrap().1);
    for wrong in [Vec::new(), bytes[..RECORD - 1].to_vec()] {
        assert_eq!(Ledger::parse(&wrong).unwrap_err(), Damaged::Header);
    }
    let mut wrong = bytes;
    wrong[RECORD] ^= 1;
    std::fs::write(file(&folder), wrong).unwrap();
    let said = Ledger::open(folder.path()).unwrap_err().to_string();
    assert!(
        said.contains("record 1") && said.contains("backup"),
        "{said}"
    );
}

#[test]
fn oldest_are_dropped_and_refused_all_the_same() {
    let folder = TempDir::new().unwrap();
    let (kept, most) = (KEPT as u64, (KEPT + KEPT / 10) as u64);
    let mut ledger = Ledger::default();
    (1..=kept).for_each(|n| ledger.take(granted(n)));
    let whole = ledger.replacement();
    ledger.written(&whole, true);
    // In memory, because ten thousand syncs take long.
    for n in kept + 1..=most {
        ledger.take(granted(n));
        let add = ledger.next_write().unwrap();
        assert!(matches!(add, Write::Add { .. }), "{n}");
        ledger.written(&add, true);
    }
    assert!(!ledger.bars(granted(0)));
    ledger.take(granted(most + 1));
    let whole = ledger.next_write().unwrap();
    perform(folder.path(), &whole).unwrap();
    assert_eq!(
        ledger.written(&whole, true).into_iter().collect::<Vec<_>>(),
        [granted(most + 1)]
    );
    let length = std::fs::read(file(&folder)).unwrap().len();
    assert_eq!(length, (KEPT + 1) * RECORD);
    for ledger in [ledger, Ledger::open(folder.path()).unwrap()] {
        // Also a grant that it never saw, if it is as old as the dropped ones.
        for n in [0, 1, most + 1 - kept, most, most + 1] {
            assert!(ledger.bars(granted(n)), "{n}");
        }
        assert!(!ledger.bars(granted(most + 2)));
    }
}

#[test]
fn folder_that_cannot_be_written_is_no_ledger() {
    let folder = TempDir::new().unwrap();
    let missing = folder.path().join("missing");
    assert!(Ledger::open(&missing).is_err());
    let mut ledger = Ledger::open(folder.path()).unwrap();
    ledger.take(granted(1));
    std::fs::remove_file(file(&folder)).unwrap();
    // A removed file is not created again by a write in the middle.
    assert!(perform(folder.path(), &ledger.next_write().unwrap()).is_err());
}
