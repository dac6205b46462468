//! Tests that open the service from its configuration.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use actor::{Clock, Context, Service as _, signing_key};
use audit::{Audit, AuditCore, Config};
use bus_schema::{PublicKey, Time, public_key};
use serde::Deserialize;
use tempfile::TempDir;

use crate::NOW_NS;
use crate::world::{deployment, owner};

#[derive(Deserialize)]
struct File {
    bus: actor::Config,
    service: Config,
}

#[test]
fn the_sample_is_a_configuration() {
    let file: File = toml::from_str(include_str!("../../audit.toml")).unwrap();
    assert_eq!(file.bus.signing_key, file.service.signing_key);
    assert_ne!(file.service.log, file.service.anchor);
    let more = include_str!("../../audit.toml").to_owned() + "size = 5\n";
    assert!(toml::from_str::<File>(&more).is_err(), "an unknown key");
}

fn open_with(
    folder: &Path,
    key: PublicKey,
    anchor: &str,
) -> Result<(Audit, AuditCore), actor::Error> {
    let (_stopper, stop) = tokio::sync::watch::channel(false);
    let context = Context {
        owner: owner(),
        key,
        state: folder.join("state"),
        folder: folder.to_owned(),
        clock: Clock::fake(Time::from_ns(NOW_NS)),
        stop,
    };
    let config = Config {
        deployment: deployment(),
        log: "data/log".into(),
        anchor: anchor.into(),
        signing_key: "audit.pem".into(),
    };
    Audit::open(config, &context)
}

fn folder() -> (TempDir, PublicKey) {
    let folder = TempDir::new().unwrap();
    let (key, _) = signing_key::create(&folder.path().join("audit.pem")).unwrap();
    (folder, public_key(&key))
}

#[test]
fn a_new_log_is_made_in_folders_that_nobody_else_reads_and_found_again() {
    let (folder, key) = folder();
    drop(open_with(folder.path(), key, "anchor").unwrap());
    let checkpoint = fs::read(folder.path().join("data/log/checkpoint")).unwrap();
    for made in ["data", "data/log", "anchor"] {
        let mode = fs::metadata(folder.path().join(made))
            .unwrap()
            .permissions();
        assert_eq!(mode.mode() & 0o777, 0o700, "{made}");
    }
    drop(open_with(folder.path(), key, "anchor").unwrap());
    assert_eq!(
        fs::read(folder.path().join("data/log/checkpoint")).unwrap(),
        checkpoint
    );
}

#[test]
fn a_log_that_was_lost_is_not_made_anew_while_its_anchor_is_there() {
    let (folder, key) = folder();
    drop(open_with(folder.path(), key, "anchor").unwrap());
    fs::remove_dir_all(folder.path().join("data")).unwrap();
    let error = open_with(folder.path(), key, "anchor").unwrap_err();
    let both = "put `audit/log` and `audit/anchor` back from one backup";
    assert!(error.to_string().contains(both), "{error}");
}

#[test]
fn another_signing_key_or_one_folder_for_both_is_refused() {
    let (folder, key) = folder();
    let other = PublicKey::new([5; 32]);
    let error = open_with(folder.path(), other, "anchor").unwrap_err();
    assert!(error.to_string().contains("name the same file"), "{error}");
    let error = open_with(folder.path(), key, "data/../data/log").unwrap_err();
    assert!(error.to_string().contains("another volume"), "{error}");
}
