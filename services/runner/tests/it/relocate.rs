//! Tests `file.move` and `file.trash`: where files go, what is never replaced, and that nothing leaves the workspace.

use std::os::unix::fs::symlink;

use runner::{FileError, Workspace};
use rustix::fs::{CWD, FileType, Mode};
use serde_json::{Value, json};

use crate::call::{Ground, swapping};
use crate::files::{call, listed, read, write};

fn moved(workspace: &Workspace, path: &str, to: &str) -> Result<Vec<u8>, FileError> {
    call(workspace, "file.move", &json!({"path": path, "to": to}))
}

fn replaced(workspace: &Workspace, path: &str, to: &str) -> Result<Vec<u8>, FileError> {
    let args = json!({"path": path, "to": to, "overwrite": true});
    call(workspace, "file.move", &args)
}

fn trashed(workspace: &Workspace, path: &str) -> Result<Vec<u8>, FileError> {
    call(workspace, "file.trash", &json!({ "path": path }))
}

#[test]
fn a_file_moves_with_all_that_it_has() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    let ground = Ground::new();
    let workspace = ground.open();
    write(&workspace, "a.txt", "hello").unwrap();
    let at = |name: &str| ground.workspace.join(name);
    std::fs::set_permissions(at("a.txt"), std::fs::Permissions::from_mode(0o640)).unwrap();
    let before = std::fs::metadata(at("a.txt")).unwrap();
    let said = moved(&workspace, "a.txt", "new/folder/b.txt").unwrap();
    assert_eq!(said, br#"{"path":"a.txt","to":"new/folder/b.txt"}"#);
    let after = std::fs::metadata(at("new/folder/b.txt")).unwrap();
    assert_eq!((before.ino(), before.mode()), (after.ino(), after.mode()));
    assert!(!at("a.txt").exists());
    moved(&workspace, "new/folder/b.txt", "new/c.txt").unwrap();
    assert_eq!(read(&workspace, "new/c.txt").unwrap(), b"hello");
}

#[test]
fn nothing_is_replaced_unless_that_is_said() {
    let ground = Ground::new();
    let workspace = ground.open();
    write(&workspace, "a", "a").unwrap();
    write(&workspace, "b", "b").unwrap();
    let refused = moved(&workspace, "a", "b");
    assert!(matches!(refused, Err(FileError::Exists { .. })));
    let said = actor::chain(&refused.unwrap_err());
    assert!(said.contains("set `overwrite`"), "{said}");
    assert_eq!(read(&workspace, "b").unwrap(), b"b");
    replaced(&workspace, "a", "b").unwrap();
    assert_eq!(read(&workspace, "b").unwrap(), b"a");
    assert_eq!(listed(&workspace, &json!({"path": "."})), ["b"]);
    assert!(replaced(&workspace, "b", "b").is_err());
    assert!(matches!(
        moved(&workspace, "a", "c"),
        Err(FileError::Missing { .. })
    ));
    assert!(!ground.workspace.join("c").exists());
}

#[test]
fn trash_keeps_the_path_and_gives_the_file_back() {
    let ground = Ground::new();
    let workspace = ground.open();
    for text in ["first", "second"] {
        write(&workspace, "docs/a.txt", text).unwrap();
        let said: Value =
            serde_json::from_slice(&trashed(&workspace, "docs/a.txt").unwrap()).unwrap();
        let to = said["to"].as_str().unwrap();
        let parts: Vec<_> = to.split('/').collect();
        assert_eq!((parts[0], &parts[2..]), (".trash", &["docs", "a.txt"][..]));
        assert!(!ground.workspace.join("docs/a.txt").exists());
        assert!(matches!(
            trashed(&workspace, to),
            Err(FileError::Unfit { .. })
        ));
        moved(&workspace, to, "back.txt").unwrap();
        assert_eq!(read(&workspace, "back.txt").unwrap(), text.as_bytes());
        trashed(&workspace, "back.txt").unwrap();
    }
    let all = listed(&workspace, &json!({"path": ".trash"}));
    assert_eq!(all.len(), 2, "{all:?}");
    write(&workspace, ".trashed", "x").unwrap();
    trashed(&workspace, ".trashed").unwrap();
    for path in [".trash", ".", "none"] {
        assert!(trashed(&workspace, path).is_err(), "{path}");
    }
    // The path in the trash would be longer than any tool takes.
    let long = format!("{}/a", "x".repeat(250)).repeat(3) + &"/y".repeat(122);
    write(&workspace, &long, "x").unwrap();
    let refused = actor::chain(&trashed(&workspace, &long).unwrap_err());
    assert!(refused.contains("shorter path"), "{refused}");
    assert_eq!(read(&workspace, &long).unwrap(), b"x");
}

#[test]
fn only_plain_files_move_and_only_through_folders() {
    let ground = Ground::new();
    let at = |name: &str| ground.workspace.join(name);
    std::fs::write(ground.root.join("key"), "secret").unwrap();
    std::fs::create_dir(at("folder")).unwrap();
    symlink("../key", at("link")).unwrap();
    symlink("..", at("up")).unwrap();
    symlink("folder", at("near")).unwrap();
    std::fs::hard_link(ground.root.join("key"), at("hard")).unwrap();
    rustix::fs::mknodat(
        CWD,
        at("fifo"),
        FileType::Fifo,
        Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    let workspace = ground.open();
    write(&workspace, "plain", "x").unwrap();
    for path in [
        "folder", "link", "near", "up", "hard", "fifo", "up/key", "near/x",
    ] {
        assert!(moved(&workspace, path, "new").is_err(), "{path}");
        assert!(trashed(&workspace, path).is_err(), "{path}");
        assert!(moved(&workspace, "plain", path).is_err(), "{path}");
        assert!(replaced(&workspace, "plain", path).is_err(), "{path}");
    }
    for path in ["../key", "/etc/passwd", "a/../b", "", "a//b", "./a", "a\0b"] {
        for (from, to) in [(path, "new"), ("plain", path)] {
            let refused = replaced(&workspace, from, to);
            assert!(matches!(refused, Err(FileError::Args(_))), "{from} {to}");
        }
        assert!(matches!(trashed(&workspace, path), Err(FileError::Args(_))));
    }
    assert!(moved(&workspace, "plain", ".").is_err());
    // A trash that leads elsewhere is not used.
    symlink("..", at(".trash")).unwrap();
    assert!(matches!(
        trashed(&workspace, "plain"),
        Err(FileError::Escapes { .. })
    ));
    assert_eq!(read(&workspace, "plain").unwrap(), b"x");
    assert_eq!(std::fs::read(ground.root.join("key")).unwrap(), b"secret");
    assert!(std::fs::symlink_metadata(at("link")).unwrap().is_symlink());
    assert_eq!(std::fs::read_dir(&ground.root).unwrap().count(), 3);
}

#[test]
fn a_folder_swapped_for_a_link_during_the_move_does_not_help() {
    let ground = Ground::new();
    let (inside, link) = (
        ground.workspace.join("folder"),
        ground.workspace.join("link"),
    );
    let outside = ground.root.join("outside");
    for folder in [&inside, &outside] {
        std::fs::create_dir(folder).unwrap();
    }
    std::fs::write(outside.join("theirs"), "outside").unwrap();
    symlink(&outside, &link).unwrap();
    let workspace = ground.open();
    let (mut moves, mut refusals) = (0, 0);
    swapping(&inside, &link, Result::unwrap, || {
        while moves < 200 || refusals < 200 {
            write(&workspace, "mine", "x").unwrap();
            match replaced(&workspace, "mine", "folder/mine") {
                Ok(_) => moves += 1,
                Err(_) => refusals += 1,
            }
            assert!(moved(&workspace, "folder/theirs", "theirs").is_err());
        }
    });
    let left: Vec<_> = std::fs::read_dir(&outside).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(!ground.workspace.join("theirs").exists());
}

#[test]
fn a_file_swapped_for_another_during_the_move_is_noticed() {
    let ground = Ground::new();
    let (file, link) = (ground.workspace.join("file"), ground.workspace.join("link"));
    std::fs::write(&file, "x").unwrap();
    symlink("../key", &link).unwrap();
    let workspace = ground.open();
    // While the file is at its new place, there is nothing to exchange.
    swapping(&file, &link, drop, || {
        for _ in 0..2_000 {
            let Ok(_) = moved(&workspace, "file", "to") else {
                continue;
            };
            let found = std::fs::symlink_metadata(ground.workspace.join("to")).unwrap();
            assert!(found.is_file(), "what was moved is no file");
            // Not by the tool: nothing swaps a name that is missing, so this restores both names.
            std::fs::rename(ground.workspace.join("to"), &file).unwrap();
        }
    });
}
