//! Tests with directories that are missing, locked, read-only or full.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use audit::{Entry, Error, Log, Places};
use rustix::io::Errno;
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_change, mount_remount, unmount,
};

use crate::{Home, NOW_NS, entry, grow, key, origin};

#[test]
fn a_missing_directory_is_said() {
    for missing in ["log", "anchor"] {
        let home = Home::new();
        fs::remove_dir(home.dir.path().join(missing)).unwrap();
        let error = Log::create(&home.places(), &origin(), key(), NOW_NS).unwrap_err();
        let path = home.dir.path().join(missing);
        assert_eq!(
            error.to_string(),
            format!(
                "{} does not exist: create or mount it, then start again",
                path.display()
            )
        );
    }
}

#[test]
fn a_directory_without_a_log_is_not_opened() {
    let error = Home::new().open().unwrap_err();
    assert!(matches!(error, Error::NoCheckpoint { path } if path.ends_with("log/checkpoint")));
}

#[test]
fn a_log_is_not_created_twice_nor_without_its_lost_directory() {
    let home = Home::new();
    drop(home.create());
    let again = Log::create(&home.places(), &origin(), key(), NOW_NS);
    assert!(matches!(again, Err(Error::Exists { .. })));
    fs::remove_dir_all(home.dir.path().join("log")).unwrap();
    fs::create_dir(home.dir.path().join("log")).unwrap();
    let again = Log::create(&home.places(), &origin(), key(), NOW_NS);
    assert!(matches!(again, Err(Error::Exists { path }) if path.ends_with("checkpoint.last")));
}

#[test]
fn a_second_opener_is_refused_until_the_first_is_gone() {
    let home = Home::new();
    let log = home.create();
    let error = home.open().unwrap_err();
    assert!(matches!(&error, Error::Locked { .. }));
    assert!(
        error
            .to_string()
            .contains("in use by another audit service")
    );
    drop(log);
    home.open().unwrap();
}

#[test]
fn an_anchor_beside_the_log_is_refused() {
    let home = Home::new();
    let log = home.places().log;
    let places = Places {
        anchor: log.join("../log"),
        log,
    };
    let error = Log::create(&places, &origin(), key(), NOW_NS).unwrap_err();
    assert!(matches!(error, Error::SamePlace { .. }));
}

/// A tmpfs, unmounted on drop.
struct Tmpfs(PathBuf);

impl Tmpfs {
    /// Mounts a tmpfs; prints a note and returns `None` without permission, or fails if no test may be skipped.
    fn mount(at: &Path, options: &std::ffi::CStr) -> Option<Self> {
        match mount("none", at, "tmpfs", MountFlags::empty(), options) {
            Ok(()) => {
                mount_change(at, MountPropagationFlags::PRIVATE).unwrap();
                Some(Self(at.to_path_buf()))
            }
            Err(error) => {
                let mandatory =
                    std::env::var_os("CONTRACTUAL_TESTS_MANDATORY").is_some_and(|set| set == "1");
                assert!(
                    !mandatory,
                    "cannot mount a tmpfs here ({error}): run it as root"
                );
                let text = format!("SKIPPED: cannot mount a tmpfs here ({error})\n");
                std::io::stderr().write_all(text.as_bytes()).unwrap();
                None
            }
        }
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        unmount(&self.0, UnmountFlags::DETACH).unwrap();
    }
}

#[test]
fn a_full_disk_is_said_and_nothing_signed_is_lost() {
    let home = Home::new();
    let Some(_disk) = Tmpfs::mount(&home.places().log, c"size=512k") else {
        return;
    };
    let mut log = home.create();
    let large = |seq| Entry {
        body: vec![1; 4_000],
        ..entry(seq)
    };
    let mut signed = log.signed().clone();
    let error = loop {
        let seq = log.size();
        let step = log.append(&[large(seq), large(seq + 1), large(seq + 2)]);
        match step.and_then(|()| log.checkpoint(NOW_NS)) {
            Ok(checkpoint) => signed = checkpoint,
            Err(error) => break error,
        }
    };
    assert!(
        error.to_string().starts_with("no space left to write "),
        "{error}"
    );
    assert!(signed.size() > 1);
    let next = [large(log.size())];
    assert!(matches!(log.append(&next), Err(Error::Failed)));
    assert!(matches!(log.checkpoint(NOW_NS), Err(Error::Failed)));
    drop(log);
    assert_eq!(home.verify().unwrap().checkpoint, signed);
    mount_remount(&home.places().log, MountFlags::empty(), "size=4m").unwrap();
    let mut log = home.open().unwrap();
    assert_eq!(log.signed(), &signed);
    log.append(&[large(log.size())]).unwrap();
    log.checkpoint(NOW_NS).unwrap();
    home.verify().unwrap();
}

#[test]
fn a_read_only_directory_is_said() {
    let home = Home::new();
    let Some(_disk) = Tmpfs::mount(&home.places().log, c"size=4m") else {
        return;
    };
    let mut log = home.create();
    grow(&mut log, 10);
    log.checkpoint(NOW_NS).unwrap();
    drop(log);
    // The child of another test has copies of all descriptors until it executes its program.
    while let Err(errno) = mount_remount(&home.places().log, MountFlags::RDONLY, "") {
        assert_eq!(errno, Errno::BUSY);
        std::thread::yield_now();
    }
    let error = home.open().unwrap_err();
    assert!(matches!(&error, Error::ReadOnly { .. }), "{error}");
    assert!(
        error
            .to_string()
            .ends_with("make it writable for this user, then start again")
    );
    assert_eq!(home.verify().unwrap().checkpoint.size(), 10);
}
