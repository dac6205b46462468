//! The document of a job: what it says, and the errors with their fixes.

use bus_schema::Time;
use job::{DOCUMENT_BYTES_MAX, Job, Misfire, Overlap, When};

const HEAD: &str = "job = \"stocktake\"\npurpose = \"Take stock.\"\ncontract = \"invoice-stocktake\"\nplaybook = \"stocktake.toml\"\n";
const WHEN: &str = "[when]\ncron = \"30 9 * * mon-fri\"\nzone = \"Europe/Stockholm\"\n";

fn read(text: &str) -> Job {
    Job::parse("job.toml", text).unwrap_or_else(|error| panic!("{error}"))
}

fn time(text: &str) -> Time {
    text.parse().expect("a time")
}

#[test]
fn a_job_is_read_with_its_defaults() {
    let job = read(&format!("{HEAD}{WHEN}"));
    assert_eq!(job.name.as_str(), "stocktake");
    assert_eq!(job.contract.as_str(), "invoice-stocktake");
    assert_eq!((job.misfire, job.overlap), (Misfire::Once, Overlap::Skip));
    assert_eq!(
        job.when.to_string(),
        "cron 30 9 * * mon-fri in Europe/Stockholm"
    );
    assert!(job.slots.is_empty());
}

#[test]
fn every_value_is_read() {
    let more = "misfire = { all = 10 }\noverlap = \"queue\"\n";
    let slots = "[slots]\nmonth = \"2027-03\"\ncount = 3\nday = 2027-03-01\n";
    let job = read(&format!(
        "{HEAD}{more}[when]\nevery = \"15m\"\nfrom = 2027-03-01T09:00:00+01:00\n{slots}"
    ));
    assert_eq!(
        (job.misfire, job.overlap),
        (Misfire::All(10), Overlap::Queue(100))
    );
    let from = Some(time("2027-03-01T08:00:00Z"));
    assert_eq!(job.when, When::Every { ms: 900_000, from });
    let slots: Vec<_> = job
        .slots
        .iter()
        .map(|(name, text)| format!("{name}={text}"))
        .collect();
    assert_eq!(slots, ["count=3", "day=2027-03-01", "month=2027-03"]);
}

#[test]
fn inputs_keep_their_types() {
    let inputs =
        "[inputs]\nfolder = \"2027\"\ndays = 7\nshare = 0.5\ndry = true\nfiles = [\"a\", \"b\"]\n";
    let job = read(&format!("{HEAD}{WHEN}{inputs}"));
    let inputs = serde_json::to_string(&job.inputs).expect("JSON");
    assert_eq!(
        inputs,
        r#"{"days":7,"dry":true,"files":["a","b"],"folder":"2027","share":0.5}"#
    );
    let long = format!("files = [{}]", "1, ".repeat(65));
    for (line, problem) in [
        (
            "day = 2027-03-01",
            "`day` is no text, number, true, false or list",
        ),
        ("more = { a = 1 }", "`more` is no text"),
        ("nested = [[1]]", "`nested` is no text"),
        (long.as_str(), "`files` is no text"),
    ] {
        let wrong = Job::parse("job.toml", &format!("{HEAD}{WHEN}[inputs]\n{line}\n"));
        let said = wrong.expect_err(line).to_string();
        assert!(said.contains(problem), "{said}");
    }
    let wrong = Job::parse("job.toml", &format!("inputs = 1\n{HEAD}{WHEN}"));
    let said = wrong.expect_err("no table").to_string();
    assert!(
        said.contains("`inputs` is not a table of at most 64 values"),
        "{said}"
    );
}

#[test]
fn a_trigger_has_no_slots() {
    let job = read(&format!("{HEAD}[when]\ntrigger = \"cli.build\"\n"));
    assert_eq!(job.when.trigger(), Some("cli.build"));
    let now = time("2027-03-01T08:00:00Z");
    assert_eq!(
        (job.when.next(now, now), job.when.latest(now, now)),
        (None, None)
    );
    assert!(!job.when.has(now, now));
}

#[test]
fn a_job_runs_after_another_one() {
    for (outcome, said) in [
        ("", "after each run of other that succeeds"),
        (
            ", outcome = \"failed\"",
            "after each run of other that fails",
        ),
        (", outcome = \"ended\"", "after each run of other that ends"),
    ] {
        let job = read(&format!(
            "{HEAD}[when]\nafter = {{ job = \"other\"{outcome} }}\n"
        ));
        assert_eq!(job.when.to_string(), said);
        let now = time("2027-03-01T08:00:00Z");
        assert_eq!((job.when.next(now, now), job.when.trigger()), (None, None));
    }
    let when = |when: &str| format!("{HEAD}[when]\n{when}\n");
    refused(&[
        (
            when("after = \"other\""),
            "`after` is not a table",
            "outcome = ",
        ),
        (
            when("after = { job = \"A b\" }"),
            "`job` is no such name",
            "stocktake",
        ),
        (
            when("after = { job = \"other\", outcome = \"done\" }"),
            "`outcome` is none of its words",
            "\"ended\"",
        ),
        (
            when("after = { job = \"other\" }\nevery = \"1h\""),
            "more than one of its ways: `every` and `after`",
            "keep one",
        ),
    ]);
}

#[test]
fn a_job_runs_at_each_start_of_the_deployment() {
    let when = |when: &str| format!("{HEAD}[when]\n{when}\n");
    let job = read(&when("start = true"));
    assert_eq!(job.when.to_string(), "at each start of the deployment");
    let now = time("2027-03-01T08:00:00Z");
    assert_eq!(
        (job.when.next(now, now), job.when.latest(now, now)),
        (None, None)
    );
    refused(&[
        (when("start = false"), "`start` is not true", "start = true"),
        (
            when("start = \"now\""),
            "`start` is not true",
            "start = true",
        ),
        (
            when("start = true\nfrom = 2027-03-01T08:00:00Z"),
            "`start` needs no from",
            "remove",
        ),
        (
            format!("{HEAD}jitter = \"1m\"\n[when]\nstart = true\n"),
            "`jitter` spreads times, and the job has none",
            "remove it",
        ),
    ]);
}

#[test]
fn a_moment_has_an_offset_or_a_zone() {
    for when in [
        "at = 2027-03-28T03:00:00+02:00",
        "at = \"2027-03-28T01:00:00Z\"",
        // Skipped there: the first moment after the gap.
        "at = 2027-03-28T02:30:00\nzone = \"Europe/Stockholm\"",
    ] {
        let job = read(&format!("{HEAD}[when]\n{when}\n"));
        assert_eq!(job.when, When::At(time("2027-03-28T01:00:00Z")), "{when}");
    }
}

/// Checks that each text is refused with this problem and this fix.
pub(crate) fn refused(cases: &[(String, &str, &str)]) {
    for (text, problem, fix) in cases {
        let said = Job::parse("job.toml", text)
            .expect_err("a problem")
            .to_string();
        assert!(
            said.contains(problem) && said.contains(fix),
            "{text}\n{said}"
        );
    }
}

#[test]
fn each_error_has_its_place_and_its_fix() {
    let with = |line: &str| format!("{HEAD}{line}\n{WHEN}");
    let long = format!("# {}\n{HEAD}{WHEN}", "x".repeat(DOCUMENT_BYTES_MAX));
    let name = HEAD.replace("stocktake\"\np", "Stock Take\"\np") + WHEN;
    let (misfire, all) = ("`misfire` is none of its values", "{ all = 10 }");
    refused(&[
        (
            format!("{HEAD}{WHEN}x ="),
            "job.toml:8:",
            "correct the TOML",
        ),
        (long, "at most 16384", "shorten"),
        (
            WHEN.to_owned(),
            "`job` is missing",
            "job = \"weekly-report\"",
        ),
        (
            with("overlp = 1"),
            "a job has no `overlp`",
            "write `overlap`",
        ),
        (
            with("overlap = \"all\""),
            "`overlap` is none of its values",
            "\"queue\"",
        ),
        (with("misfire = \"all\""), misfire, all),
        (
            with("misfire = { all = 0 }"),
            "`all` is not from 1 to 100",
            all,
        ),
        (name, "`job` is no such name", "lower-case"),
        (HEAD.to_owned(), "`[when]` is missing", "cron = "),
        (
            format!("{HEAD}{WHEN}[slots]\nx = [1]\n"),
            "`x` is no text or number",
            "[slots]",
        ),
    ]);
}

#[test]
fn each_error_of_the_times_has_its_fix() {
    let when = |when: &str| format!("{HEAD}[when]\n{when}\n");
    let zone = |zone: &str| when(&format!("cron = \"0 9 * * *\"\nzone = \"{zone}\""));
    let near = "write Europe/Stockholm";
    refused(&[
        (when(""), "says no time", "cron = "),
        (
            when("cron = \"0 9 * * *\""),
            "`cron` has no zone",
            "zone = \"Europe/Stockholm\"",
        ),
        (
            zone("Europe/Stokholm"),
            "no time zone `Europe/Stokholm`",
            near,
        ),
        (
            zone("europe/stockholm"),
            "no time zone `europe/stockholm`",
            near,
        ),
        (zone("+02:00"), "no time zone `+02:00`", "IANA name"),
        (
            when("cron = \"0 0 30 2 *\"\nzone = \"UTC\""),
            "never comes true",
            "a day that the months have",
        ),
    ]);
}

#[test]
fn each_error_of_intervals_and_moments_has_its_fix() {
    let when = |when: &str| format!("{HEAD}[when]\n{when}\n");
    let offset = "with an offset";
    refused(&[
        (
            when("every = \"500ms\""),
            "`500ms` is no interval",
            "1s to 366d",
        ),
        (when("every = \"0s\""), "`0s` is no interval", "1s to 366d"),
        (
            when("every = \"367d\""),
            "`367d` is no interval",
            "1s to 366d",
        ),
        (
            when("every = \"1h\"\nzone = \"UTC\""),
            "`every` needs no zone",
            "remove it",
        ),
        (
            when("every = \"1h\"\nat = 2027-03-01T09:00:00Z"),
            "more than one",
            "keep one",
        ),
        (
            when("at = 2027-02-30T09:00:00Z"),
            "job.toml:6:",
            "correct the TOML",
        ),
        (
            when("at = \"2027-02-30T09:00:00Z\""),
            "it is no moment",
            offset,
        ),
        (when("at = 2027-03-01T09:00:00"), "it is no moment", offset),
        (
            when("at = 2027-03-01T09:00:00Z\nzone = \"UTC\""),
            "needs no zone",
            "remove",
        ),
        (when("at = 9"), "it is no moment", offset),
        (
            when("trigger = \"build\""),
            "`build` names no messages",
            "cli.build",
        ),
        (
            when("trigger = \"cli.*\""),
            "`cli.*` names no messages",
            "cli.build",
        ),
        (
            when("trigger = \"cli.build\"\nevery = \"1h\""),
            "`every` and `trigger`",
            "keep one",
        ),
    ]);
}
