//! The programs under test: the real nats-server, and `contractual` as built with the tests.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{OnceLock, atomic::AtomicBool},
    time::SystemTime,
};

use deployment::nats_server::{Places, find};

/// The sources of `contractual`.
const SOURCES: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "bus-schema/Cargo.toml",
    "bus-schema/src",
    "deploy/examples",
    "nats",
    "services",
];

/// The nats-server that `contractual` uses here.
///
/// # Panics
/// Panics with the fix if there is none and none can be fetched.
#[must_use]
pub fn nats_server() -> &'static Path {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| {
        let found = find(&Places::from_env(), &AtomicBool::new(false), &mut |_| {});
        found.unwrap_or_else(|error| panic!("{error}")).path
    })
}

/// The program `contractual`, built from the present sources.
///
/// # Panics
/// Panics if it cannot be built.
#[must_use]
pub fn contractual() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let test = std::env::current_exe().unwrap();
        let profile = test.ancestors().nth(2).unwrap();
        let program = profile.join("contractual");
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let built = fs::metadata(&program).and_then(|found| found.modified());
        let newest = SOURCES.iter().filter_map(|path| newest(&root.join(path)));
        if built.ok() < newest.max() {
            build(root, profile);
        }
        assert!(program.exists(), "{} was not built", program.display());
        program
    })
}

fn build(root: &Path, profile: &Path) {
    let name = profile.file_name().unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["build", "--quiet", "--package", "contractual"])
        .current_dir(root)
        .arg("--target-dir")
        .arg(profile.parent().unwrap());
    if name != "debug" {
        cargo.arg("--profile").arg(name);
    }
    // The processes of one machine wait for each other in cargo's own lock.
    let status = cargo.status().unwrap();
    assert!(status.success(), "contractual cannot be built: {status}");
}

/// The time of the newest change below `path`; tests are no part of the program.
fn newest(path: &Path) -> Option<SystemTime> {
    if path.file_name().is_some_and(|name| name == "tests") {
        return None;
    }
    let found = fs::metadata(path).ok()?;
    if !found.is_dir() {
        return found.modified().ok();
    }
    let entries = fs::read_dir(path).ok()?;
    entries
        .filter_map(|entry| newest(&entry.ok()?.path()))
        .max()
}
