//! Errors for folders that are missing, read-only or full, and for a server that is too old: one sentence each.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Stdio},
};

use harness::{Deployment, can_contain, contractual, nats_server};

use crate::cli::{Ended, end, one_sentence, program};

/// The program as a user to whom file modes apply, also if the test runs as root.
fn plain(arguments: &[&str]) -> Ended {
    let mut command = Command::new("setpriv");
    command
        .args(["--bounding-set", "-dac_override", "--"])
        .arg(contractual())
        .args(arguments)
        .stdin(Stdio::null())
        .env("NATS_SERVER", nats_server());
    end(&mut command)
}

fn read_only(folder: &Path) {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o555)).unwrap();
}

#[test]
fn a_read_only_folder_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    read_only(folder.path());
    let demo = plain(&["demo", path, "--yes"]);
    assert_eq!(demo.code, Some(1), "{demo:?}");
    one_sentence(
        &demo.said,
        &[path, "Permission denied", "a writable folder"],
    );
    let state = format!("{path}/state");
    let init = plain(&["init", "--dir", &state]);
    assert_eq!(init.code, Some(64), "{init:?}");
    one_sentence(&init.said, &[path, "Permission denied"]);
    let deployment = Deployment::new();
    read_only(deployment.dir().path());
    let dir = deployment.dir().path().to_str().unwrap();
    let up = plain(&["up", "--dir", dir]);
    assert_eq!(up.code, Some(1), "{up:?}");
    one_sentence(&up.said, &[dir, "Permission denied", "a writable folder"]);
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn a_folder_that_is_not_there_is_said_and_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    let path = missing.to_str().unwrap();
    let demo = end(&mut program(None, &["demo", path, "--yes"]));
    assert_eq!(demo.code, Some(64), "{demo:?}");
    one_sentence(&demo.said, &[path, "is not a folder"]);
    assert!(!missing.exists());
}

#[test]
fn a_folder_without_an_invoice_is_refused_before_anything_starts() {
    let (empty, long) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(empty.path().join("notes.md"), "Total: EUR 1.00").unwrap();
    fs::create_dir(empty.path().join("2026.txt")).unwrap();
    let text = " ".repeat(runner::FILE_BYTES_MAX + 1);
    fs::write(long.path().join("long.txt"), text).unwrap();
    for (folder, words) in [
        (&empty, ["has no file *.txt", "Total: EUR"]),
        (&long, ["long.txt is longer", "1024 KiB"]),
    ] {
        let path = folder.path().to_str().unwrap();
        let mut command = program(None, &["demo", path, "--yes"]);
        let demo = end(command.env("NATS_SERVER", "/nonexistent"));
        assert_eq!(demo.code, Some(64), "{demo:?}");
        one_sentence(&demo.said, &[path, words[0], words[1]]);
    }
}

/// Runs a shell script in which `$1` is an empty disk of this size and `$2` is the program.
fn on_disk(size: &str, script: &str) -> Ended {
    let folder = tempfile::tempdir().unwrap();
    let script = format!("mount -t tmpfs -o size={size} none \"$1\" || exit 99\n{script}");
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "sh", "-c", &script, "sh"])
        .arg(folder.path())
        .arg(contractual())
        .stdin(Stdio::null())
        .env("NATS_SERVER", nats_server());
    end(&mut command)
}

#[test]
fn a_full_disk_is_said() {
    if !can_contain() {
        return;
    }
    let said = "No space left on device";
    let init = on_disk(
        "16k",
        "exec \"$2\" --dir \"$1/state\" init --workspace /tmp",
    );
    assert!(matches!(init.code, Some(1 | 64)), "{init:?}");
    one_sentence(&init.said, &[said]);
    let demo = on_disk("16k", "TMPDIR=\"$1\" exec \"$2\" demo --yes");
    assert!(matches!(demo.code, Some(1 | 64)), "{demo:?}");
    one_sentence(&demo.said, &[said]);
    let demo = on_disk("16k", "exec \"$2\" demo \"$1\" --yes");
    assert_eq!(demo.code, Some(1), "{demo:?}");
    one_sentence(&demo.said, &[said, "with free space"]);
    let up = on_disk(
        "4m",
        "\"$2\" --dir \"$1/state\" init --workspace \"$1/work\" >/dev/null || exit 98\n\
         dd if=/dev/zero of=\"$1/fill\" 2>/dev/null\n\
         exec \"$2\" --dir \"$1/state\" up",
    );
    assert_eq!(up.code, Some(1), "{up:?}");
    one_sentence(&up.said, &[said, "with free space"]);
}

#[test]
fn the_demo_says_that_a_server_is_too_old() {
    let folder = tempfile::tempdir().unwrap();
    let old = folder.path().join("nats-server");
    fs::write(&old, "#!/bin/sh\necho 'nats-server: v2.10.4'\n").unwrap();
    fs::set_permissions(&old, fs::Permissions::from_mode(0o755)).unwrap();
    let demo = end(program(None, &["demo", "--yes"]).env("NATS_SERVER", &old));
    assert_eq!(demo.code, Some(1), "{demo:?}");
    one_sentence(&demo.said, &["2.10.4", "too old", "2.15.1 or newer"]);
}
