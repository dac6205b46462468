//! The slots of a job: against another implementation, over both changes of clocks, and forwards as backwards.

use bus_schema::Time;
use job::{Cron, When, Zone};
use proptest::prelude::*;

/// The slots that `reference.py` found.
const REFERENCE: &str = include_str!("reference.csv");

pub(crate) fn time(text: &str) -> Time {
    text.parse().expect("a time")
}

fn cron(text: &str, zone: &str) -> When {
    When::Cron {
        cron: text.parse().expect("a cron expression"),
        zone: Zone::named(zone).expect("a zone"),
    }
}

/// The slots from `from` on, before `to`.
pub(crate) fn slots(when: &When, from: Time, to: Time) -> Vec<Time> {
    let before = Time::from_ns(from.ns() - 1);
    let next = |after: &Time| when.next(*after, Time::default());
    let all = std::iter::successors(next(&before), next);
    all.take_while(|slot| *slot < to).collect()
}

fn fnv(slots: &[Time]) -> u64 {
    let mut value = 0xcbf2_9ce4_8422_2325_u64;
    for slot in slots {
        for byte in format!("{}\n", slot.ns() / 1_000_000_000).bytes() {
            value = (value ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
    }
    value
}

/// The slots that were found are those of the reference, and the same backwards and one by one.
pub(crate) fn are_reference(
    when: &When,
    found: &[Time],
    [count, first, last, hash]: [&str; 4],
    line: &str,
) {
    let second = |slot: &Time| (slot.ns() / 1_000_000_000).to_string();
    assert_eq!(found.len().to_string(), count, "{line}");
    assert_eq!(second(&found[0]), first, "{line}");
    assert_eq!(second(found.last().unwrap()), last, "{line}");
    assert_eq!(format!("{:016x}", fnv(found)), hash, "{line}");
    for pair in found.windows(2) {
        let between = Time::from_ns(pair[1].ns() - 1);
        let latest = when.latest(between, Time::default());
        assert_eq!(latest, Some(pair[0]), "{line}");
        assert!(when.has(pair[1], Time::default()), "{line}");
        assert!(!when.has(between, Time::default()), "{line}");
    }
}

#[test]
fn two_years_of_slots_are_those_of_another_implementation() {
    let (from, to) = (time("2027-01-01T00:00:00Z"), time("2029-01-01T00:00:00Z"));
    let mut checked = 0;
    for line in REFERENCE.lines() {
        let fields: Vec<_> = line.split(';').collect();
        let [text, zone, count, first, last, hash] = fields[..] else {
            panic!("{line}");
        };
        let when = cron(text, zone);
        let found = slots(&when, from, to);
        are_reference(&when, &found, [count, first, last, hash], line);
        checked += 1;
    }
    assert_eq!(checked, 50);
}

#[test]
fn a_skipped_local_time_counts_at_the_first_moment_after_the_gap() {
    let when = cron("30 2 * * *", "Europe/Stockholm");
    let next = |after| when.next(time(after), Time::default()).unwrap();
    assert_eq!(next("2027-03-27T12:00:00Z"), time("2027-03-28T01:00:00Z"));
    assert_eq!(next("2027-03-28T01:00:00Z"), time("2027-03-29T00:30:00Z"));
    // All of a gap is one moment, and so one slot.
    let when = cron("*/5 2-3 * * *", "Europe/Stockholm");
    let found = slots(
        &when,
        time("2027-03-28T00:00:00Z"),
        time("2027-03-28T01:06:00Z"),
    );
    assert_eq!(
        found,
        [time("2027-03-28T01:00:00Z"), time("2027-03-28T01:05:00Z")]
    );
    // A whole day: on Samoa there was no 30 December 2011.
    let when = cron("0 9 30 12 *", "Pacific/Apia");
    let next = when.next(time("2011-06-01T00:00:00Z"), Time::default());
    assert_eq!(next, Some(time("2011-12-30T10:00:00Z")));
}

#[test]
fn a_local_time_that_comes_twice_counts_once_at_first() {
    let when = cron("30 2 * * *", "Europe/Stockholm");
    let next = |after| when.next(time(after), Time::default()).unwrap();
    assert_eq!(next("2027-10-30T12:00:00Z"), time("2027-10-31T00:30:00Z"));
    assert_eq!(next("2027-10-31T00:30:00Z"), time("2027-11-01T01:30:00Z"));
    // In the second pass, the last slot is still that of the first.
    let every = cron("* * * * *", "Europe/Stockholm");
    let latest = every.latest(time("2027-10-31T01:30:00Z"), Time::default());
    assert_eq!(latest, Some(time("2027-10-31T00:59:00Z")));
    assert!(!every.has(time("2027-10-31T01:30:00Z"), Time::default()));
    let next = every.next(time("2027-10-31T01:30:00Z"), Time::default());
    assert_eq!(next, Some(time("2027-10-31T02:00:00Z")));
}

#[test]
fn slots_are_shown_in_the_zone_with_the_offset() {
    let when = cron("30 9 * * *", "Europe/Stockholm");
    let shown = when.shown(time("2027-07-01T07:30:00Z"));
    assert_eq!(shown, "2027-07-01T09:30:00+02:00[Europe/Stockholm]");
}

#[test]
fn intervals_begin_with_the_signature_or_the_given_moment() {
    let signed = Time::from_ns(1_800_000_000_250_000_000);
    let of = |from| When::Every { ms: 90_000, from };
    let at = |second: i64| Time::from_ns(second * 1_000_000_000);
    let first = of(None).next(signed, signed);
    assert_eq!(first, Some(at(1_800_000_090)));
    assert_eq!(of(None).latest(signed, signed), None);
    assert!(!of(None).has(at(1_800_000_000), signed));
    assert_eq!(
        of(None).next(at(1_800_000_090), signed),
        Some(at(1_800_000_180))
    );
    let from = Some(at(1_800_000_010));
    assert_eq!(of(from).next(signed, signed), from);
    assert_eq!(
        of(from).latest(at(1_800_000_100), signed),
        Some(at(1_800_000_100))
    );
    assert_eq!(of(from).latest(at(1_800_000_099), signed), from);
    // A million intervals later it is found at once.
    let late = at(1_800_000_010 + 90_000_000);
    assert_eq!(of(from).latest(late, signed), Some(late));
}

#[test]
fn a_moment_is_one_slot() {
    let at = time("2027-03-01T09:00:00Z");
    let when = When::At(at);
    let before = Time::from_ns(at.ns() - 1);
    assert_eq!(when.next(before, Time::default()), Some(at));
    assert_eq!(when.next(at, Time::default()), None);
    assert_eq!(when.latest(before, Time::default()), None);
    assert!(when.has(at, Time::default()));
}

const ZONES: [&str; 5] = [
    "Europe/Dublin",
    "Australia/Lord_Howe",
    "America/St_Johns",
    "Africa/Casablanca",
    "UTC",
];

proptest! {
    #[test]
    fn forwards_and_backwards_are_the_same(
        zone in 0..ZONES.len(),
        minute in 0..60_u8,
        hours in prop::sample::select(vec!["*", "1", "2", "0,2", "*/3"]),
        second in prop::option::of(0..60_u8),
        at in 1_798_761_600..1_861_920_000_i64,
        part in 0..1_000_000_000_i64,
    ) {
        let seconds = second.map_or(String::new(), |second| format!("{second} "));
        let cron: Cron = format!("{seconds}{minute} {hours} * * *").parse().unwrap();
        let when = When::Cron { cron, zone: Zone::named(ZONES[zone]).unwrap() };
        let at = Time::from_ns(at * 1_000_000_000 + part);
        let next = when.next(at, Time::default()).unwrap();
        let latest = when.latest(at, Time::default()).unwrap();
        prop_assert!(latest <= at && at < next);
        prop_assert_eq!(when.next(latest, Time::default()), Some(next));
        prop_assert_eq!(when.latest(Time::from_ns(next.ns() - 1), Time::default()), Some(latest));
        prop_assert!(when.has(latest, Time::default()) && when.has(next, Time::default()));
    }
}
