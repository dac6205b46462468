//! Tests that a written file keeps what the file in its place had, and that a new one has the folder's defaults.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;

use runner::Workspace;
use rustix::fs::XattrFlags;
use rustix::io::Errno;
use serde_json::{Value, json};

use crate::call::Ground;
use crate::files::write;

const ACL: &str = "system.posix_acl_access";
const DEFAULT_ACL: &str = "system.posix_acl_default";

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().mode() & 0o7777
}

/// Writes and returns what was not kept.
fn not_kept(workspace: &Workspace, path: &str) -> Value {
    let written = write(workspace, path, "new").unwrap();
    let mut written: Value = serde_json::from_slice(&written).unwrap();
    written.get_mut("not_kept").unwrap().take()
}

/// An access control list that also gives uid 7 the rights `named`, with the mask `mask`.
fn acl(named: u16, mask: u16) -> Vec<u8> {
    let mut bytes = 2_u32.to_le_bytes().to_vec();
    for (tag, rights, id) in [
        (0x01, 6, u32::MAX),
        (0x02, named, 7),
        (0x04, 4, u32::MAX),
        (0x10, mask, u32::MAX),
        (0x20, 0, u32::MAX),
    ] {
        bytes.extend(u16::to_le_bytes(tag));
        bytes.extend(u16::to_le_bytes(rights));
        bytes.extend(u32::to_le_bytes(id));
    }
    bytes
}

/// Sets an extended attribute. False if the file system has none.
fn set(path: &Path, name: &str, value: &[u8]) -> bool {
    match rustix::fs::setxattr(path, name, value, XattrFlags::empty()) {
        Ok(()) => true,
        Err(Errno::OPNOTSUPP) => false,
        Err(errno) => panic!("{errno}"),
    }
}

fn get(path: &Path, name: &str) -> Option<Vec<u8>> {
    let mut value = Vec::with_capacity(4096);
    let spare = rustix::buffer::spare_capacity(&mut value);
    rustix::fs::getxattr(path, name, spare).ok().map(|_| value)
}

#[test]
fn replacing_keeps_the_mode_and_leaves_no_other_file() {
    let ground = Ground::new();
    let workspace = ground.open();
    let file = ground.workspace.join("a");
    for kept in [0o600, 0o640, 0o755, 0o664, 0o666, 0o400] {
        std::fs::write(&file, "one").unwrap();
        set_mode(&file, kept);
        assert_eq!(not_kept(&workspace, "a"), json!([]), "{kept:o}");
        assert_eq!(mode(&file), kept, "{kept:o}");
        assert_eq!(std::fs::read_dir(&ground.workspace).unwrap().count(), 1);
        std::fs::remove_file(&file).unwrap();
    }
    std::fs::write(&file, "one").unwrap();
    set_mode(&file, 0o4755);
    assert_eq!(not_kept(&workspace, "a"), json!(["mode"]));
    assert_eq!(mode(&file), 0o755);
}

#[test]
fn replacing_keeps_owner_and_group_or_says_so() {
    let ground = Ground::new();
    let workspace = ground.open();
    let file = ground.workspace.join("a");
    if rustix::process::geteuid().is_root() {
        std::fs::write(&file, "one").unwrap();
        chown(&file, Some(10_777), Some(10_778)).unwrap();
        set_mode(&file, 0o640);
        assert_eq!(not_kept(&workspace, "a"), json!([]));
        let found = std::fs::metadata(&file).unwrap();
        assert_eq!((found.uid(), found.gid()), (10_777, 10_778));
        assert_eq!(mode(&file), 0o640);
        strangers_file(&ground);
        return;
    }
    // Run again by root's process: the file is there, and belongs to someone else.
    let Some(folder) = std::env::var_os("RUNNER_IT_STRANGER") else {
        return;
    };
    let workspace = Workspace::open(Path::new(&folder)).unwrap();
    assert_eq!(not_kept(&workspace, "theirs"), json!(["owner"]));
    assert_eq!(
        not_kept(&workspace, "foreign"),
        json!(["owner", "group", "mode"])
    );
}

/// Has a process without privileges, which is a member of the group 10778, replace files of others.
fn strangers_file(ground: &Ground) {
    let folder = ground.root.join("shared");
    std::fs::create_dir(&folder).unwrap();
    set_mode(&folder, 0o777);
    for (name, group) in [("theirs", 10_778), ("foreign", 10_779)] {
        let file = folder.join(name);
        std::fs::write(&file, "one").unwrap();
        chown(&file, Some(10_777), Some(group)).unwrap();
        set_mode(&file, 0o664);
    }
    let again = std::process::Command::new("setpriv")
        .args(["--reuid", "10004", "--regid", "10004", "--groups", "10778"])
        .arg(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "replaced::replacing_keeps_owner_and_group_or_says_so",
        ])
        .current_dir("/")
        .env("RUNNER_IT_STRANGER", &folder)
        .env_remove("CONTRACTUAL_TESTS_MANDATORY")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&again.stdout);
    assert!(
        again.status.success() && said.contains("1 passed"),
        "{said}"
    );
    let found = std::fs::metadata(folder.join("theirs")).unwrap();
    assert_eq!(
        (found.uid(), found.gid(), found.mode() & 0o777),
        (10_004, 10_778, 0o664)
    );
    // The rights of a group are not given to another group.
    let found = std::fs::metadata(folder.join("foreign")).unwrap();
    assert_eq!(
        (found.uid(), found.gid(), found.mode() & 0o777),
        (10_004, 10_004, 0o644)
    );
}

#[test]
fn replacing_keeps_attributes_and_access_lists() {
    let ground = Ground::new();
    let workspace = ground.open();
    let file = ground.workspace.join("a");
    std::fs::write(&file, "one").unwrap();
    if !set(&file, "user.origin", b"scanner") {
        return;
    }
    assert!(set(&file, ACL, &acl(4, 6)));
    assert_eq!(not_kept(&workspace, "a"), json!([]));
    assert_eq!(get(&file, "user.origin").unwrap(), b"scanner");
    assert_eq!(get(&file, ACL).unwrap(), acl(4, 6));
    assert_eq!(mode(&file), 0o660);
    // A file without a list does not get the folder's default when it is replaced; a new file does.
    std::fs::write(ground.workspace.join("plain"), "one").unwrap();
    set_mode(&ground.workspace.join("plain"), 0o644);
    assert!(set(&ground.workspace, DEFAULT_ACL, &acl(6, 6)));
    assert_eq!(not_kept(&workspace, "plain"), json!([]));
    assert_eq!(get(&ground.workspace.join("plain"), ACL), None);
    assert_eq!(mode(&ground.workspace.join("plain")), 0o644);
    assert_eq!(not_kept(&workspace, "fresh"), json!([]));
    assert_eq!(
        get(&ground.workspace.join("fresh"), ACL).unwrap(),
        acl(6, 6)
    );
}

#[test]
fn a_new_file_has_the_defaults_of_its_folder() {
    let ground = Ground::new();
    let workspace = ground.open();
    let expected = ground.root.join("expected");
    std::fs::write(&expected, "").unwrap();
    assert_eq!(not_kept(&workspace, "d/a"), json!([]));
    assert_eq!(mode(&ground.workspace.join("d/a")), mode(&expected));
    std::fs::create_dir(ground.root.join("folder")).unwrap();
    assert_eq!(
        mode(&ground.workspace.join("d")),
        mode(&ground.root.join("folder"))
    );
    // With another umask, which belongs to the whole process.
    if std::env::var_os("RUNNER_IT_UMASK").is_some() {
        assert_eq!(mode(&ground.workspace.join("d/a")), 0o660);
        return;
    }
    let again = std::process::Command::new("sh")
        .args(["-c", "umask 007; exec \"$@\"", "sh"])
        .arg(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "replaced::a_new_file_has_the_defaults_of_its_folder",
        ])
        .env("RUNNER_IT_UMASK", "1")
        .output()
        .unwrap();
    assert!(
        again.status.success(),
        "{}",
        String::from_utf8_lossy(&again.stdout)
    );
    if rustix::process::geteuid().is_root() {
        let shared = ground.workspace.join("shared");
        std::fs::create_dir(&shared).unwrap();
        chown(&shared, None, Some(10_778)).unwrap();
        set_mode(&shared, 0o2775);
        write(&workspace, "shared/a", "x").unwrap();
        assert_eq!(std::fs::metadata(shared.join("a")).unwrap().gid(), 10_778);
    }
}
