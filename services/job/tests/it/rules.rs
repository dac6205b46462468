//! Calendar rules: their slots against those of another implementation, and the errors with their fixes.

use bus_schema::Time;
use job::{Job, When};

use crate::{
    document::refused,
    when::{are_reference, slots, time},
};

/// The slots that `rule_reference.py` found.
const REFERENCE: &str = include_str!("rule_reference.csv");
const HEAD: &str = "job = \"j\"\npurpose = \"x\"\ncontract = \"c\"\nplaybook = \"p\"\n";

fn text(rule: &str, from: &str, zone: &str) -> String {
    format!("{HEAD}[when]\nrule = \"{rule}\"\nfrom = {from}\nzone = \"{zone}\"\n")
}

fn when(rule: &str, from: &str, zone: &str) -> When {
    let job = Job::parse("job.toml", &text(rule, from, zone));
    job.unwrap_or_else(|error| panic!("{error}")).when
}

#[test]
fn three_years_of_rules_are_those_of_another_implementation() {
    let (from, to) = (time("2027-01-01T00:00:00Z"), time("2030-01-01T00:00:00Z"));
    let mut checked = 0;
    for line in REFERENCE.lines() {
        let fields: Vec<_> = line.split('|').collect();
        let [rule, start, zone, count, first, last, hash] = fields[..] else {
            panic!("{line}");
        };
        let when = when(rule, start, zone);
        let found = slots(&when, from, to);
        are_reference(&when, &found, [count, first, last, hash], line);
        checked += 1;
    }
    assert_eq!(checked, 120);
}

#[test]
fn a_rule_begins_with_its_start_and_ends_with_its_last_slot() {
    let all = |rule| {
        let when = when(rule, "2027-01-31T09:00:00", "UTC");
        let all = slots(&when, Time::from_ns(1), time("2040-01-01T00:00:00Z"));
        let last = when.latest(time("2050-01-01T00:00:00Z"), Time::default());
        assert_eq!(last, all.last().copied());
        assert_eq!(
            when.latest(time("2027-01-31T08:59:59Z"), Time::default()),
            None
        );
        all.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let three = [
        "2027-01-31T09:00:00.000Z",
        "2027-03-31T09:00:00.000Z",
        "2027-05-31T09:00:00.000Z",
    ];
    assert_eq!(all("FREQ=MONTHLY;COUNT=3"), three);
    assert_eq!(all("RRULE:FREQ=MONTHLY;UNTIL=20270531T090000Z"), three);
    assert_eq!(all("FREQ=MONTHLY;UNTIL=20270531T085959"), three[..2]);
}

#[test]
fn a_rule_is_said_in_words_and_shown_in_its_zone() {
    let when = when(
        "FREQ=MONTHLY;BYDAY=-1FR",
        "2027-01-01T09:00:00",
        "Europe/Stockholm",
    );
    assert_eq!(
        when.to_string(),
        "rule FREQ=MONTHLY;BYDAY=-1FR from 2027-01-01T09:00:00 in Europe/Stockholm"
    );
    let shown = when.shown(time("2027-07-30T07:00:00Z"));
    assert_eq!(shown, "2027-07-30T09:00:00+02:00[Europe/Stockholm]");
}

#[test]
#[expect(
    clippy::too_many_lines,
    reason = "a table is as long as the errors that it lists"
)]
fn each_error_of_a_rule_has_its_fix() {
    let rule = |rule: &str| text(rule, "2027-01-01T09:00:00", "UTC");
    let seconds: Vec<_> = (0..60).map(|n| n.to_string()).collect();
    let often = format!(
        "FREQ=DAILY;BYMINUTE=1,2,3,4,5;BYSECOND={}",
        seconds.join(",")
    );
    let own = |lines: &str| format!("{HEAD}[when]\nrule = \"FREQ=DAILY\"\n{lines}\n");
    refused(&[
        (rule("FREQ=SECONDLY"), "comes too often", "every = "),
        (rule("FREQ=HOURLY;INTERVAL=2"), "comes too often", "BYHOUR"),
        (
            rule(&often),
            "comes 300 times a day",
            "write `every` or `cron`",
        ),
        (
            rule("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"),
            "never comes true",
            "days that its months have",
        ),
        (
            rule("FREQ=DAILY;UNTIL=20261231T000000Z"),
            "never comes true",
            "UNTIL after its start",
        ),
        (
            rule("FREQ=DAILY;UNTIL=20271231"),
            "is no moment",
            "UNTIL=20271231T225959Z",
        ),
        (
            rule("FREQ=DAILY;COUNT=2;UNTIL=20271231T000000Z"),
            "`COUNT` and `UNTIL`",
            "keep one",
        ),
        (
            rule("FREQ=DAILY;COUNT=5000"),
            "`COUNT` is more than 1000",
            "UNTIL",
        ),
        (
            rule("FREQ=DAILY;COUNT=0"),
            "`COUNT=0` has a value",
            "from 1 to",
        ),
        (
            rule("FREQ=DAILY;INTERVAL=1,2"),
            "`INTERVAL` has several",
            "one of them",
        ),
        (rule("BYDAY=MO"), "no frequency", "FREQ=YEARLY"),
        (
            rule("FREQ=DAILY;FREQ=DAILY"),
            "`FREQ` stands twice",
            "keep one",
        ),
        (
            rule("FREQ=YEARLY;BYWEEKNO=20"),
            "no `BYWEEKNO` here",
            "BYYEARDAY",
        ),
        (rule("every friday"), "is no part of a rule", "NAME=VALUE"),
        (
            rule("FREQ=WEEKLY;BYDAY=2MO"),
            "a numbered weekday",
            "FREQ=MONTHLY",
        ),
        (
            rule("FREQ=WEEKLY;BYDAY=XX"),
            "`BYDAY=XX` has a value",
            "MO, TU",
        ),
        (
            rule("FREQ=WEEKLY;BYMONTHDAY=1"),
            "no meaning in weeks",
            "FREQ=MONTHLY",
        ),
        (
            rule("FREQ=MONTHLY;BYYEARDAY=1"),
            "needs years",
            "FREQ=YEARLY",
        ),
        (
            rule("FREQ=MONTHLY;BYMONTHDAY=32"),
            "`BYMONTHDAY=32` has a value",
            "from 1 to 31, or with -",
        ),
        (
            rule("FREQ=WEEKLY;WKST=MON"),
            "`WKST` is no weekday",
            "WKST=MO",
        ),
        (
            rule(&format!("FREQ=DAILY;BYHOUR={}", "1,".repeat(999))),
            "more than 1000 characters",
            "several jobs",
        ),
        (
            text("FREQ=DAILY", "1969-01-01T09:00:00", "UTC"),
            "`from` is not from 1970",
            "at which the rule starts",
        ),
        (
            text("FREQ=DAILY", "2027-01-01T09:00:00Z", "UTC"),
            "`from` is no local time",
            "from = 2027-03-01T09:00:00",
        ),
        (own("zone = \"UTC\""), "`rule` has no start", "from = "),
        (
            own("from = 2027-01-01T09:00:00"),
            "`rule` has no zone",
            "zone = ",
        ),
    ]);
}
