//! Tests `text.diff` and `file.patch`: a difference applies exactly, to the file that it is about, or not at all.

use std::os::unix::fs::symlink;

use runner::{FileError, Workspace};
use serde_json::{Value, json};

use crate::call::Ground;
use crate::files::{call, read, write};

const OLD: &str = "title\n\none\ntwo\nthree\nfour\nfive\nsix\n";
const NEW: &str = "title\n\none\nTWO\nthree\nfour\nfive\nsix\nseven\n";
const DIFF: &str = "--- a.txt\n+++ b.txt\n@@ -1,7 +1,7 @@\n title\n \n one\n-two\n+TWO\n three\n four\n five\n\
                    @@ -6,3 +6,4 @@\n four\n five\n six\n+seven\n";

fn diff(workspace: &Workspace, path: &str, to: &str) -> Result<Value, FileError> {
    let output = call(workspace, "text.diff", &json!({"path": path, "to": to}))?;
    Ok(serde_json::from_slice(&output).unwrap())
}

fn patch(workspace: &Workspace, path: &str, diff: &str) -> Result<Vec<u8>, FileError> {
    call(
        workspace,
        "file.patch",
        &json!({"path": path, "diff": diff}),
    )
}

#[test]
fn a_difference_turns_the_old_text_into_the_new_one() {
    let ground = Ground::new();
    let workspace = ground.open();
    write(&workspace, "a.txt", OLD).unwrap();
    write(&workspace, "b.txt", NEW).unwrap();
    let found = diff(&workspace, "a.txt", "b.txt").unwrap();
    assert_eq!((&found["added"], &found["removed"]), (&json!(2), &json!(1)));
    let text = found["diff"].as_str().unwrap();
    assert!(text.starts_with("--- a.txt\n+++ b.txt\n@@ "), "{text}");
    let written = patch(&workspace, "a.txt", text).unwrap();
    let written: Value = serde_json::from_slice(&written).unwrap();
    assert_eq!(written["bytes"], NEW.len());
    assert_eq!(written["not_kept"], json!([]));
    assert_eq!(read(&workspace, "a.txt").unwrap(), NEW.as_bytes());
    let same = diff(&workspace, "a.txt", "b.txt").unwrap();
    assert_eq!(same, json!({"diff": "", "added": 0, "removed": 0}));
}

#[test]
fn a_difference_that_does_not_fit_exactly_changes_nothing() {
    let ground = Ground::new();
    let workspace = ground.open();
    write(&workspace, "a.txt", OLD).unwrap();
    let plain = "@@ -4 +4 @@\n-two\n+TWO\n";
    let moved = plain.replace("-4 +4", "-5 +5");
    let blank = "@@ -4 +4 @@\n-two \n+TWO\n";
    let beyond = "@@ -9 +9 @@\n-nine\n+NINE\n";
    for (text, words) in [
        (moved.as_str(), "at line 5"),
        (blank, "at line 4"),
        (beyond, "at line 9"),
        (
            "@@ -18446744073709551615 +1 @@\n-a\n+b\n",
            "was not changed",
        ),
        ("@@ -4,2 +4,1 @@\n-two\n+TWO\n", "was not changed"),
        ("two\nTWO\n", "no `@@`"),
        ("", "no `@@`"),
        (
            "--- other.txt\n+++ a.txt\n@@ -4 +4 @@\n-two\n+TWO\n",
            "another file",
        ),
        (
            "--- /dev/null\n+++ b/a.txt\n@@ -0,0 +1 @@\n+x\n",
            "another file",
        ),
        (
            "--- a/a.txt\n+++ b/a.txt\n@@ -4 +4 @@\n-two\n+TWO\n--- a/b.txt\n+++ b/b.txt\n@@ -1 +1 @@\n-a\n+b\n",
            "was not changed",
        ),
    ] {
        let refused = actor::chain(&patch(&workspace, "a.txt", text).unwrap_err());
        assert!(refused.contains(words), "{text}: {refused}");
        // What the file contains is not in the error, which has the labels of a trusted output.
        assert!(!refused.contains("title"), "{refused}");
        assert_eq!(read(&workspace, "a.txt").unwrap(), OLD.as_bytes(), "{text}");
    }
    let named = format!("diff --git a/a.txt b/a.txt\n--- a/a.txt\n+++ b/a.txt\n{plain}");
    patch(&workspace, "a.txt", &named).unwrap();
    let now = OLD.replace("two", "TWO");
    assert_eq!(read(&workspace, "a.txt").unwrap(), now.as_bytes());
    // It is no longer the file that the difference was made for.
    assert!(patch(&workspace, "a.txt", &named).is_err());
}

#[test]
fn hunks_that_overlap_are_refused() {
    let ground = Ground::new();
    let workspace = ground.open();
    write(&workspace, "a.txt", OLD).unwrap();
    assert!(patch(&workspace, "a.txt", DIFF).is_err());
    assert_eq!(read(&workspace, "a.txt").unwrap(), OLD.as_bytes());
}

#[test]
fn only_plain_text_files_are_compared_and_patched() {
    let ground = Ground::new();
    let at = |name: &str| ground.workspace.join(name);
    std::fs::write(ground.root.join("key"), "two\n").unwrap();
    symlink("../key", at("link")).unwrap();
    std::fs::hard_link(ground.root.join("key"), at("hard")).unwrap();
    std::fs::write(at("binary"), b"two\n\0").unwrap();
    std::fs::write(at("latin"), b"\xe9\n").unwrap();
    std::fs::create_dir(at("folder")).unwrap();
    let workspace = ground.open();
    write(&workspace, "plain", "two\n").unwrap();
    let text = "@@ -1 +1 @@\n-two\n+TWO\n";
    for path in [
        "link", "hard", "binary", "latin", "folder", "none", "up/key", ".",
    ] {
        assert!(diff(&workspace, path, "plain").is_err(), "{path}");
        assert!(diff(&workspace, "plain", path).is_err(), "{path}");
        assert!(patch(&workspace, path, text).is_err(), "{path}");
    }
    for path in ["../key", "/etc/passwd", "", "a//b"] {
        let refused = patch(&workspace, path, text);
        assert!(matches!(refused, Err(FileError::Args(_))), "{path}");
        let refused = diff(&workspace, "plain", path);
        assert!(matches!(refused, Err(FileError::Args(_))), "{path}");
    }
    assert_eq!(std::fs::read(ground.root.join("key")).unwrap(), b"two\n");
}

#[test]
fn bounds_of_differences_hold() {
    let ground = Ground::new();
    let workspace = ground.open();
    write(&workspace, "most", &"a\n".repeat(10_000)).unwrap();
    write(&workspace, "over", &"a\n".repeat(10_001)).unwrap();
    assert!(diff(&workspace, "most", "most").is_ok());
    let refused = actor::chain(&diff(&workspace, "most", "over").unwrap_err());
    assert!(refused.contains("10001 lines"), "{refused}");
    let large = format!("@@ -0,0 +1 @@\n+{}\n", "x".repeat(1024 * 1024));
    assert!(matches!(
        patch(&workspace, "most", &large),
        Err(FileError::TooLarge { .. })
    ));
    // The result is a file that `file.write` would refuse.
    write(&workspace, "full", &"x".repeat(1024 * 1024 - 1)).unwrap();
    let more = "@@ -0,0 +1 @@\n+more\n";
    assert!(matches!(
        patch(&workspace, "full", more),
        Err(FileError::TooLarge { .. })
    ));
}
