//! Tests that nothing is read from or written into a workspace whose path leads elsewhere by now.

use std::os::unix::fs::symlink;
use std::process::Command;

use runner::Workspace;
use serde_json::json;

use crate::call::{Ground, on_a_small_volume};
use crate::files::{call, read, write};

/// Checks that every tool refuses and names the change, and that nothing was changed at `old`.
fn refuses(workspace: &Workspace, words: &str) {
    let tools = [
        call(workspace, "file.list", &json!({"path": "."})),
        read(workspace, "a"),
        write(workspace, "a", "new"),
        write(workspace, "b", "new"),
        call(workspace, "file.delete", &json!({"path": "a"})),
        call(
            workspace,
            "file.search",
            &json!({"path": ".", "pattern": "o"}),
        ),
        call(workspace, "file.move", &json!({"path": "a", "to": "b"})),
        call(workspace, "file.trash", &json!({"path": "a"})),
        call(
            workspace,
            "json.query",
            &json!({"path": "a", "pointers": [""]}),
        ),
        call(workspace, "csv.query", &json!({"path": "a"})),
        call(workspace, "text.diff", &json!({"path": "a", "to": "a"})),
        call(
            workspace,
            "file.patch",
            &json!({"path": "a", "diff": "@@ -1 +1 @@\n-old\n+new\n"}),
        ),
    ];
    for refused in tools {
        let error = refused.unwrap_err();
        let said = actor::chain(&error);
        assert!(said.contains(words), "{said}");
        assert!(said.contains(runner::RESTART), "{said}");
    }
}

#[test]
fn a_workspace_that_was_replaced_is_not_used() {
    let ground = Ground::new();
    let workspace = ground.open();
    write(&workspace, "a", "old").unwrap();
    let away = ground.root.join("away");
    std::fs::rename(&ground.workspace, &away).unwrap();
    refuses(&workspace, "was removed");
    std::fs::create_dir(&ground.workspace).unwrap();
    refuses(&workspace, "was replaced");
    std::fs::remove_dir(&ground.workspace).unwrap();
    std::fs::write(&ground.workspace, "").unwrap();
    refuses(&workspace, "was replaced");
    assert_eq!(std::fs::read(away.join("a")).unwrap(), b"old");
    assert!(!away.join("b").exists());
    // The folder is put back: it is the one that was opened.
    std::fs::remove_file(&ground.workspace).unwrap();
    std::fs::rename(&away, &ground.workspace).unwrap();
    assert_eq!(read(&workspace, "a").unwrap(), b"old");
}

#[test]
fn a_workspace_that_was_removed_is_not_used() {
    let ground = Ground::new();
    let workspace = ground.open();
    std::fs::remove_dir(&ground.workspace).unwrap();
    refuses(&workspace, "was removed");
}

#[test]
fn a_configured_link_that_leads_elsewhere_is_noticed() {
    let ground = Ground::new();
    let (link, next) = (ground.root.join("link"), ground.root.join("next"));
    std::fs::create_dir(&next).unwrap();
    symlink(&ground.workspace, &link).unwrap();
    let workspace = Workspace::open(&link).unwrap();
    write(&workspace, "a", "old").unwrap();
    std::fs::remove_file(&link).unwrap();
    symlink(&next, &link).unwrap();
    refuses(&workspace, "was replaced");
    assert!(!ground.workspace.join("b").exists());
}

#[test]
fn a_file_system_mounted_over_the_workspace_is_noticed() {
    if !on_a_small_volume("watched::a_file_system_mounted_over_the_workspace_is_noticed") {
        return;
    }
    let mount = |arguments: &[&str], target: &std::path::Path| {
        let done = Command::new("mount").args(arguments).arg(target).status();
        assert!(done.unwrap().success());
    };
    let ground = Ground::new();
    let workspace = ground.open();
    write(&workspace, "a", "old").unwrap();
    mount(&["-t", "tmpfs", "tmpfs"], &ground.workspace);
    refuses(&workspace, "mounted over");
    assert!(
        Command::new("umount")
            .arg(&ground.workspace)
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(read(&workspace, "a").unwrap(), b"old");
    // The same folder again, with other options, is another mount.
    let path = ground.workspace.to_str().unwrap();
    mount(&["--bind", path], &ground.workspace);
    refuses(&workspace, "mounted over");
}

#[test]
fn a_mounted_folder_that_was_moved_at_its_source_is_noticed() {
    if !on_a_small_volume("watched::a_mounted_folder_that_was_moved_at_its_source_is_noticed") {
        return;
    }
    let ground = Ground::new();
    let (source, next) = (ground.root.join("source"), ground.root.join("next"));
    std::fs::create_dir(&source).unwrap();
    let bound = Command::new("mount")
        .arg("--bind")
        .args([&source, &ground.workspace])
        .status();
    assert!(bound.unwrap().success());
    let workspace = ground.open();
    write(&workspace, "a", "old").unwrap();
    std::fs::rename(&source, &next).unwrap();
    std::fs::create_dir(&source).unwrap();
    refuses(&workspace, "was moved");
    std::fs::remove_dir(&source).unwrap();
    std::fs::rename(&next, &source).unwrap();
    assert_eq!(read(&workspace, "a").unwrap(), b"old");
    std::fs::remove_file(source.join("a")).unwrap();
    std::fs::remove_dir(&source).unwrap();
    refuses(&workspace, "was removed");
}
