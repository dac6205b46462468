//! The attempts of a job after a failure, and the moments at which its slots are due.

use bus_schema::{Content, Digest, JobName, JobOnRecord, JobSigned, Jobs, Salt, Sealed, Time};
use job::{Job, Misfire, Overlap, Retry};

use crate::document::refused;

const HEAD: &str = "job = \"j\"\npurpose = \"x\"\ncontract = \"c\"\nplaybook = \"p\"\n";
const EVERY: &str = "[when]\nevery = \"10m\"\n";

fn text(lines: &str) -> String {
    format!("{HEAD}{lines}\n{EVERY}")
}

fn read(lines: &str) -> Job {
    Job::parse("job.toml", &text(lines)).unwrap_or_else(|error| panic!("{error}"))
}

fn at(second: u64) -> Time {
    Time::from_ns(1_800_000_000_000_000_000).plus_ms(second * 1_000)
}

fn content() -> Content {
    let sealed = Sealed::new(Salt::new([1; 32]), b"x").expect("a small content");
    sealed.content()
}

/// The record of a version that was signed at the start.
fn record(version: u32) -> JobOnRecord {
    let job: JobName = "j".parse().expect("a name");
    let mut jobs = Jobs::default();
    let signed = JobSigned {
        job: job.clone(),
        version,
        contract: Digest::ZERO,
        document: content(),
        playbook: content(),
        slots: None,
    };
    assert!(jobs.sign(at(0), signed));
    jobs.get(&job).expect("the job").clone()
}

#[test]
fn the_policies_of_a_job_are_read() {
    let job = read("");
    assert_eq!((job.retry, job.deadline_ms, job.jitter_ms), (None, None, 0));
    let job = read(
        "overlap = { queue = 5 }\nretry = { attempts = 3 }\ndeadline = \"30m\"\njitter = \"5m\"",
    );
    let retry = Retry {
        attempts: 3,
        backoff_ms: 60_000,
        cap_ms: 3_600_000,
    };
    assert_eq!((job.overlap, job.retry), (Overlap::Queue(5), Some(retry)));
    assert_eq!((job.deadline_ms, job.jitter_ms), (Some(1_800_000), 300_000));
    let job = read("overlap = \"cancel\"\nmisfire = \"skip\"");
    assert_eq!((job.overlap, job.misfire), (Overlap::Cancel, Misfire::Skip));
}

#[test]
fn each_wrong_policy_has_its_fix() {
    let cases = [
        (
            "overlap = { queue = 0 }",
            "`queue` is not from 1 to 100",
            "{ queue = 10 }",
        ),
        (
            "overlap = \"cancel\"\nmisfire = { all = 3 }",
            "stop the one before",
            "\"once\"",
        ),
        ("retry = 3", "`retry` is not a table", "attempts = 3"),
        (
            "retry = { attempts = 1 }",
            "not from 2 to 10",
            "attempts = 3",
        ),
        (
            "retry = { attempts = 3, wait = \"1m\" }",
            "has no `wait`",
            "backoff",
        ),
        (
            "retry = { attempts = 3, backoff = \"2h\", cap = \"1h\" }",
            "shorter than",
            "longer cap",
        ),
        (
            "retry = { attempts = 3, backoff = \"8d\" }",
            "no such time",
            "1s to 7d",
        ),
        (
            "deadline = \"0s\"",
            "`deadline` is no such time",
            "1s to 7d",
        ),
        ("jitter = \"2h\"", "`jitter` is no such time", "1s to 1h"),
    ];
    refused(&cases.map(|(lines, problem, fix)| (text(lines), problem, fix)));
    let elsewhere = format!("{HEAD}jitter = \"1m\"\n[when]\ntrigger = \"cli.build\"\n");
    refused(&[(elsewhere, "the job has none", "remove it")]);
}

#[test]
fn each_further_attempt_waits_twice_as_long_up_to_the_cap() {
    let retry = read("retry = { attempts = 5, backoff = \"10m\", cap = \"30m\" }").retry;
    let retry = retry.expect("attempts");
    let next = |attempt| retry.next(attempt, at(0));
    assert_eq!(next(1), Some(at(600)));
    assert_eq!(next(2), Some(at(1_200)));
    assert_eq!((next(3), next(4)), (Some(at(1_800)), Some(at(1_800))));
    assert_eq!((next(5), next(255)), (None, None));
}

#[test]
fn jitter_spreads_slots_alike_for_every_reader_and_keeps_their_order() {
    let (job, record) = (read("jitter = \"1h\""), record(1));
    let mut spread = std::collections::BTreeSet::new();
    let mut last = at(0);
    for n in 1..200 {
        let slot = at(n * 600);
        let due = job.due(slot, &record);
        assert_eq!(due, job.due(slot, &record));
        assert!(slot <= due && due < at((n + 1) * 600), "{slot} {due}");
        assert_eq!(job.latest_due(due, &record), Some(slot));
        let before = Time::from_ns(due.ns() - 1);
        assert_ne!(job.latest_due(before, &record), Some(slot));
        assert_eq!(job.next_due(last, &record), Some(due));
        last = due;
        spread.insert(due.ms_since(slot));
    }
    assert!(spread.len() > 10, "{spread:?}");
    let plain = read("");
    assert_eq!(plain.due(at(600), &record), at(600));
    // Another version has other moments.
    let other = self::record(2);
    assert!((1..200).any(|n| job.due(at(n * 600), &record) != job.due(at(n * 600), &other)));
}
