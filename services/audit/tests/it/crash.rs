//! Tests that stop the process at every durable file operation and check the remaining files.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use audit::steps::Step;
use audit::{Checkpoint, Error, Log, verify_consistency};

use crate::{Home, NOW_NS, entries, files, grow, key, origin, places_in};

const PLAN: &str = "kill-at";
const TRACE: &str = "trace";
const SIGNED: &str = "signed";
const END: u64 = 800;
const SIGABRT: i32 = 6;

static LEFT: AtomicU64 = AtomicU64::new(u64::MAX);
static TAKEN: Mutex<Vec<(Step, PathBuf)>> = Mutex::new(Vec::new());

fn observe(step: Step, path: &Path) {
    if LEFT.fetch_sub(1, Ordering::Relaxed) == 1 {
        std::process::abort();
    }
    TAKEN.lock().unwrap().push((step, path.to_path_buf()));
}

fn open_or_create(dir: &Path) -> Result<Log, Error> {
    match Log::open(&places_in(dir), &origin(), key()) {
        Err(Error::NoCheckpoint { .. }) => Log::create(&places_in(dir), &origin(), key(), NOW_NS),
        result => result,
    }
}

/// Continues from the existing files to `END` entries, as the service does.
fn work(dir: &Path) {
    let mut log = open_or_create(dir).unwrap();
    for (target, sign) in [
        (3, true),
        (250, true),
        (256, true),
        (257, false),
        (300, true),
        (520, false),
        (END, true),
    ] {
        while log.size() < target {
            let to = target.min(log.size() + 200);
            log.append(&entries(log.size(), to)).unwrap();
        }
        if sign && log.signed().size() < target {
            let checkpoint = log.checkpoint(NOW_NS).unwrap();
            fs::write(dir.join(SIGNED).join(target.to_string()), checkpoint.note()).unwrap();
        }
    }
}

/// The victim: a process of its own, started in a directory with a plan.
#[test]
fn the_workload_runs_to_its_end_when_nothing_stops_it() {
    let Ok(plan) = fs::read_to_string(PLAN) else {
        let home = Home::new();
        fs::create_dir(home.dir.path().join(SIGNED)).unwrap();
        work(home.dir.path());
        assert_eq!(home.verify().unwrap().checkpoint.size(), END);
        return;
    };
    LEFT.store(plan.parse().unwrap(), Ordering::Relaxed);
    audit::steps::observe(observe);
    work(&std::env::current_dir().unwrap());
    let taken = TAKEN.lock().unwrap();
    let lines: Vec<String> = taken
        .iter()
        .map(|(step, path)| format!("{step:?} {}", path.display()))
        .collect();
    fs::write(TRACE, lines.join("\n")).unwrap();
}

/// Returns true if the workload reached its end; otherwise checks that it was stopped at that step.
fn ends_before(dir: &Path, step: u64) -> bool {
    fs::create_dir_all(dir.join(SIGNED)).unwrap();
    fs::write(dir.join(PLAN), step.to_string()).unwrap();
    let status = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "crash::the_workload_runs_to_its_end_when_nothing_stops_it",
        ])
        .current_dir(dir)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(
        status.success() || status.signal() == Some(SIGABRT),
        "{status} at step {step}"
    );
    status.success()
}

/// The checkpoints that were visible to readers.
fn seen(dir: &Path) -> Vec<Checkpoint> {
    let mut paths = files(&dir.join(SIGNED));
    paths.extend([
        dir.join("log/checkpoint"),
        dir.join("anchor/checkpoint.last"),
    ]);
    let notes = paths.iter().filter_map(|path| fs::read(path).ok());
    notes
        .map(|n| Checkpoint::parse(&n, &origin(), &key().verifying_key()).unwrap())
        .collect()
}

/// Checks that the log opens, continues every visible checkpoint, and can be continued to its end.
fn assert_recovers(home: &Home, context: &str) {
    let seen = seen(home.dir.path());
    let mut log = open_or_create(home.dir.path()).unwrap_or_else(|e| panic!("{context}: {e}"));
    let newest = log.signed().clone();
    assert_eq!(
        log.size(),
        newest.size(),
        "{context}: only what is signed is kept"
    );
    for old in &seen {
        let proof = log
            .prove_consistency(old.size(), log.size())
            .expect(context);
        assert_eq!(
            verify_consistency(old, &newest, &proof),
            Ok(()),
            "{context}"
        );
    }
    let report = home
        .verify()
        .unwrap_or_else(|bad| panic!("{context}: {bad}"));
    assert_eq!(
        (report.beyond, report.anchored),
        (0, log.size()),
        "{context}"
    );
    grow(&mut log, END);
    log.checkpoint(NOW_NS).unwrap();
    assert_eq!(home.verify().expect(context).checkpoint.size(), END);
}

#[test]
fn a_process_stopped_at_any_step_leaves_a_log_that_continues_every_checkpoint() {
    let mut step = 0;
    loop {
        step += 1;
        let home = Home::new();
        if ends_before(home.dir.path(), step) {
            break;
        }
        assert_recovers(&home, &format!("stopped at step {step}"));
    }
    assert!(step > 100, "only {step} steps were seen");
}

#[test]
fn a_process_stopped_again_while_it_recovers_loses_nothing() {
    for step in (5..150).step_by(14) {
        for again in [1, 3, 5, 8, 12] {
            let home = Home::new();
            assert!(!ends_before(home.dir.path(), step));
            assert!(!ends_before(home.dir.path(), again) || step > 120);
            assert_recovers(&home, &format!("stopped at step {step}, then at {again}"));
        }
    }
}

/// A power failure: it can lose or tear unsynced data.
#[test]
fn whatever_lies_beyond_the_checkpoint_may_be_garbage() {
    for step in (20..150).step_by(7) {
        let home = Home::new();
        assert!(!ends_before(home.dir.path(), step));
        let Ok(note) = fs::read(home.dir.path().join("log/checkpoint")) else {
            continue;
        };
        let signed = Checkpoint::parse(&note, &origin(), &key().verifying_key()).unwrap();
        // A healthy copy shows the files that the checkpoint covers.
        let healthy = Home::copy_of(&home);
        drop(open_or_create(healthy.dir.path()).unwrap());
        for path in files(&home.dir.path().join("log")) {
            let below = path.strip_prefix(home.dir.path()).unwrap();
            let covered = healthy.dir.path().join(below).exists();
            if !covered || below.ends_with("tail") {
                fs::write(&path, b"torn").unwrap();
            }
        }
        assert_recovers(
            &home,
            &format!("garbage beyond {} at step {step}", signed.size()),
        );
    }
}

#[test]
fn a_checkpoint_is_signed_only_after_everything_it_covers_was_synced() {
    let home = Home::new();
    assert!(ends_before(home.dir.path(), u64::MAX));
    let trace = fs::read_to_string(home.dir.path().join(TRACE)).unwrap();
    let (mut unsynced, mut unsynced_dirs) = (BTreeSet::new(), BTreeSet::new());
    let mut checkpoints = 0;
    for line in trace.lines() {
        let (step, path) = line.split_once(' ').unwrap();
        let path = Path::new(path);
        let parent = path.parent().unwrap();
        match step {
            "Write" => {
                unsynced.insert(path);
                // It is written under its final name, so the name is new, too.
                if path.components().any(|part| part.as_os_str() == "tile") {
                    unsynced_dirs.insert(parent);
                }
            }
            "SyncFile" => drop(unsynced.remove(path)),
            "SyncDir" => drop(unsynced_dirs.remove(path)),
            "MakeDir" if !path.ends_with("tmp") => drop(unsynced_dirs.insert(parent)),
            "Rename" => {
                if path.ends_with("checkpoint") || path.ends_with("checkpoint.last") {
                    // Opening reads the bundle under construction from its partial copy.
                    unsynced.retain(|file| !file.ends_with("tail"));
                    assert_eq!(unsynced, BTreeSet::new(), "{line}");
                    assert_eq!(unsynced_dirs, BTreeSet::new(), "{line}");
                    checkpoints += 1;
                } else {
                    unsynced.retain(|file| !file.ends_with("tail"));
                    unsynced.insert(path);
                }
                unsynced_dirs.insert(parent);
            }
            _ => {}
        }
    }
    assert_eq!(checkpoints, 12, "six checkpoints in two places");
    assert_eq!(unsynced_dirs, BTreeSet::new());
}
