//! Tests the file tools and that they never leave the workspace.

use std::os::unix::fs::symlink;

use runner::{FileError, FileTool, Workspace};
use rustix::fs::{CWD, FileType, Mode};
use serde_json::{Value, json};

use crate::call::{Ground, swapping};

pub(crate) fn call(workspace: &Workspace, tool: &str, args: &Value) -> Result<Vec<u8>, FileError> {
    workspace.call(FileTool::named(tool).unwrap(), args.to_string().as_bytes())
}

pub(crate) fn read(workspace: &Workspace, path: &str) -> Result<Vec<u8>, FileError> {
    call(workspace, "file.read", &json!({ "path": path }))
}

pub(crate) fn write(workspace: &Workspace, path: &str, text: &str) -> Result<Vec<u8>, FileError> {
    call(
        workspace,
        "file.write",
        &json!({"path": path, "text": text}),
    )
}

pub(crate) fn listed(workspace: &Workspace, args: &Value) -> Vec<String> {
    let listing: Value =
        serde_json::from_slice(&call(workspace, "file.list", args).unwrap()).unwrap();
    let files = listing.get("files").unwrap().as_array().unwrap();
    files
        .iter()
        .map(|file| file["path"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn files_are_written_read_listed_and_deleted() {
    let ground = Ground::new();
    let workspace = ground.open();
    let written = write(&workspace, "a/b/c.txt", "hello").unwrap();
    assert_eq!(
        String::from_utf8(written).unwrap(),
        r#"{"path":"a/b/c.txt","bytes":5,"sha256":"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824","not_kept":[]}"#
    );
    write(&workspace, "z.md", "").unwrap();
    assert_eq!(read(&workspace, "a/b/c.txt").unwrap(), b"hello");
    let list = call(&workspace, "file.list", &json!({"path": "."})).unwrap();
    let expected = r#"{"files":[{"path":"a/b/c.txt","bytes":5},{"path":"z.md","bytes":0}],"left_out":[],"note":"nothing was left out"}"#;
    assert_eq!(String::from_utf8(list).unwrap(), expected);
    let deleted = call(&workspace, "file.delete", &json!({"path": "a/b/c.txt"})).unwrap();
    assert_eq!(deleted, br#"{"path":"a/b/c.txt"}"#);
    assert!(matches!(
        read(&workspace, "a/b/c.txt"),
        Err(FileError::Missing { .. })
    ));
}

#[test]
fn paths_that_are_not_plain_are_refused() {
    let ground = Ground::new();
    std::fs::write(ground.root.join("key"), "secret").unwrap();
    let workspace = ground.open();
    let long = "a/".repeat(600) + "a";
    for path in [
        "../key",
        "a/../../key",
        "/etc/passwd",
        "/proc/self/root/etc/passwd",
        "",
        "a//b",
        "a/",
        "./a",
        "a\0b",
        &long,
    ] {
        assert!(
            matches!(read(&workspace, path), Err(FileError::Args(_))),
            "{path:?}"
        );
        assert!(
            matches!(write(&workspace, path, "x"), Err(FileError::Args(_))),
            "{path:?}"
        );
    }
    assert!(matches!(
        write(&workspace, ".", "x"),
        Err(FileError::Path(_))
    ));
    let extra = call(&workspace, "file.read", &json!({"path": "a", "root": "/"}));
    assert!(matches!(extra, Err(FileError::Args(_))));
    let twice = workspace.call(FileTool::Read, br#"{"path":"a","path":"b"}"#);
    assert!(matches!(twice, Err(FileError::Args(_))));
}

#[test]
fn links_are_refused_in_every_place() {
    let ground = Ground::new();
    std::fs::write(ground.root.join("key"), "secret").unwrap();
    std::fs::write(ground.workspace.join("inside"), "x").unwrap();
    symlink("../key", ground.workspace.join("file")).unwrap();
    symlink("inside", ground.workspace.join("near")).unwrap();
    symlink("..", ground.workspace.join("up")).unwrap();
    symlink("/proc/self/root", ground.workspace.join("root")).unwrap();
    std::fs::hard_link(ground.root.join("key"), ground.workspace.join("hard")).unwrap();
    let workspace = ground.open();
    for path in ["file", "near", "up/key", "root/etc/passwd"] {
        assert!(
            matches!(read(&workspace, path), Err(FileError::Escapes { .. })),
            "{path}"
        );
        assert!(write(&workspace, path, "x").is_err(), "{path}");
        assert!(
            call(&workspace, "file.delete", &json!({ "path": path })).is_err(),
            "{path}"
        );
    }
    assert!(matches!(
        read(&workspace, "hard"),
        Err(FileError::HardLinked { links: 2, .. })
    ));
    assert!(matches!(
        write(&workspace, "hard", "x"),
        Err(FileError::HardLinked { .. })
    ));
    assert!(write(&workspace, "up/new", "x").is_err());
    assert!(call(&workspace, "file.list", &json!({"path": "up"})).is_err());
    assert_eq!(listed(&workspace, &json!({"path": "."})), ["inside"]);
    assert_eq!(std::fs::read(ground.root.join("key")).unwrap(), b"secret");
}

#[test]
fn special_files_and_folders_are_refused_without_waiting() {
    let ground = Ground::new();
    let fifo = ground.workspace.join("fifo");
    rustix::fs::mknodat(CWD, &fifo, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    std::fs::create_dir(ground.workspace.join("folder")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(ground.workspace.join("socket")).unwrap();
    let workspace = ground.open();
    for path in ["fifo", "folder", "socket"] {
        assert!(
            matches!(read(&workspace, path), Err(FileError::NotRegular { .. })),
            "{path}"
        );
        assert!(
            matches!(
                write(&workspace, path, "x"),
                Err(FileError::NotRegular { .. })
            ),
            "{path}"
        );
    }
}

#[test]
fn bounds_hold_at_their_edge() {
    let ground = Ground::new();
    let workspace = ground.open();
    let most = "x".repeat(1024 * 1024);
    write(&workspace, "most", &most).unwrap();
    assert_eq!(read(&workspace, "most").unwrap().len(), most.len());
    let over = most + "x";
    assert!(matches!(
        write(&workspace, "over", &over),
        Err(FileError::TooLarge { .. })
    ));
    std::fs::write(ground.workspace.join("over"), &over).unwrap();
    assert!(matches!(
        read(&workspace, "over"),
        Err(FileError::TooLarge { .. })
    ));
    std::fs::create_dir(ground.workspace.join("many")).unwrap();
    for number in 0..10_000 {
        std::fs::write(ground.workspace.join(format!("many/{number}")), "").unwrap();
    }
    assert_eq!(listed(&workspace, &json!({"path": "many"})).len(), 10_000);
    std::fs::write(ground.workspace.join("many/more"), "").unwrap();
    let listing = call(&workspace, "file.list", &json!({"path": "many"})).unwrap();
    let listing: Value = serde_json::from_slice(&listing).unwrap();
    assert_eq!(listing["files"].as_array().unwrap().len(), 10_000);
    let left_out = json!([{
        "path": "many",
        "reason": "too_many",
        "text": "many: 1 more of its files; at most 10000 are listed, so list a folder inside or use a pattern"
    }]);
    assert_eq!(listing["left_out"], left_out);
}

#[test]
fn a_folder_swapped_for_a_link_during_the_call_does_not_help() {
    let ground = Ground::new();
    let (inside, link) = (
        ground.workspace.join("folder"),
        ground.workspace.join("link"),
    );
    let outside = ground.root.join("outside");
    for folder in [&inside, &outside] {
        std::fs::create_dir(folder).unwrap();
    }
    std::fs::write(inside.join("file"), "inside").unwrap();
    std::fs::write(outside.join("file"), "outside").unwrap();
    symlink(&outside, &link).unwrap();
    let workspace = ground.open();
    let (mut reads, mut refusals) = (0, 0);
    swapping(&inside, &link, Result::unwrap, || {
        while reads < 200 || refusals < 200 {
            match read(&workspace, "folder/file") {
                Ok(bytes) => {
                    assert_eq!(bytes, b"inside");
                    reads += 1;
                }
                Err(_) => refusals += 1,
            }
            write(&workspace, "folder/new", "x").ok();
        }
    });
    assert!(!outside.join("new").exists());
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 1);
}
