//! Tests that a listing names everything that it leaves out, and that its patterns are those of contracts.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};

use runner::{FileError, Workspace};
use rustix::fs::{CWD, FileType, Mode};
use serde_json::{Value, json};

use crate::call::Ground;
use crate::files::{call, listed, write};

fn listing(workspace: &Workspace, args: &Value) -> Value {
    serde_json::from_slice(&call(workspace, "file.list", args).unwrap()).unwrap()
}

/// Path and reason of everything that was left out.
fn left_out(listing: &Value) -> Vec<(&str, &str)> {
    let entries = listing["left_out"].as_array().unwrap();
    entries
        .iter()
        .map(|entry| {
            let text = |field: &str| entry[field].as_str().unwrap();
            assert!(text("text").starts_with(text("path")), "{entry}");
            (text("path"), text("reason"))
        })
        .collect()
}

#[test]
fn a_listing_names_everything_that_it_leaves_out() {
    let ground = Ground::new();
    let at = |name: &str| ground.workspace.join(name);
    for name in ["good.txt", "a\nb.txt", "back\\slash.txt", "\u{202e}txt.exe"] {
        std::fs::write(at(name), "x").unwrap();
    }
    let odd = ground.workspace.join(OsStr::from_bytes(b"caf\xe9.txt"));
    std::fs::write(odd, "x").unwrap();
    let odd_folder = ground.workspace.join(OsStr::from_bytes(b"\xff"));
    std::fs::create_dir(odd_folder).unwrap();
    symlink("good.txt", at("link.txt")).unwrap();
    std::fs::write(ground.root.join("outside"), "x").unwrap();
    std::fs::hard_link(ground.root.join("outside"), at("twice.txt")).unwrap();
    rustix::fs::mknodat(
        CWD,
        at("fifo"),
        FileType::Fifo,
        Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    let listing = listing(&ground.open(), &json!({"path": "."}));
    assert_eq!(listing["files"], json!([{"path": "good.txt", "bytes": 1}]));
    assert_eq!(
        left_out(&listing),
        [
            (r"\u{202e}txt.exe", "odd_name"),
            (r"\xff", "odd_name"),
            (r"a\u{a}b.txt", "odd_name"),
            (r"back\\slash.txt", "odd_name"),
            (r"caf\xe9.txt", "odd_name"),
            ("fifo", "special"),
            ("link.txt", "link"),
            ("twice.txt", "hard_links"),
        ]
    );
    assert_eq!(
        listing["note"],
        "8 entries were left out: 1 link, 1 file with several hard links, 1 special file, 5 odd names"
    );
}

#[test]
fn a_pattern_also_selects_what_a_listing_says_it_left_out() {
    let ground = Ground::new();
    for folder in ["sub", "sub\n"] {
        std::fs::create_dir(ground.workspace.join(folder)).unwrap();
    }
    symlink("/etc", ground.workspace.join("etc")).unwrap();
    symlink("/etc/passwd", ground.workspace.join("x.md")).unwrap();
    std::fs::write(ground.workspace.join("odd\n.txt"), "").unwrap();
    let workspace = ground.open();
    write(&workspace, "sub/a.txt", "").unwrap();
    for (pattern, expected) in [
        ("*.txt", vec![(r"odd\u{a}.txt", "odd_name")]),
        ("*.md", vec![("x.md", "link")]),
        ("sub/*", vec![]),
        (
            "**/*.csv",
            vec![(r"sub\u{a}", "odd_name"), ("etc", "link"), ("x.md", "link")],
        ),
    ] {
        let listing = listing(&workspace, &json!({"path": ".", "pattern": pattern}));
        let mut expected = expected;
        expected.sort_unstable();
        assert_eq!(left_out(&listing), expected, "{pattern}");
    }
}

#[test]
fn one_unreadable_folder_does_not_fail_the_rest() {
    if rustix::process::geteuid().is_root() {
        // Root reads every folder. The test runs again without privileges.
        return;
    }
    let ground = Ground::new();
    let workspace = ground.open();
    for path in ["a.txt", "closed/b.txt", "names/c.txt"] {
        write(&workspace, path, "x").unwrap();
    }
    let set = |name: &str, mode| {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(ground.workspace.join(name), mode).unwrap();
    };
    set("closed", 0);
    set("names", 0o400);
    let found = listing(&workspace, &json!({"path": "."}));
    assert_eq!(found["files"], json!([{"path": "a.txt", "bytes": 1}]));
    assert_eq!(
        left_out(&found),
        [("closed", "unreadable"), ("names", "unreadable")]
    );
    // No file in a folder can match.
    let found = listing(&workspace, &json!({"path": ".", "pattern": "*.txt"}));
    assert_eq!(left_out(&found), []);
    let asked = call(&workspace, "file.list", &json!({"path": "closed"}));
    assert!(matches!(asked, Err(FileError::Io { .. })));
    set("closed", 0o700);
    set("names", 0o700);
}

#[test]
fn a_path_that_no_tool_takes_is_left_out() {
    let ground = Ground::new();
    let mut deep = ground.workspace.clone();
    for _ in 0..5 {
        deep.push("x".repeat(250));
    }
    std::fs::create_dir_all(&deep).unwrap();
    std::fs::write(ground.workspace.join("a"), "").unwrap();
    let listing = listing(&ground.open(), &json!({"path": "."}));
    assert_eq!(listing["files"].as_array().unwrap().len(), 1);
    let left_out = left_out(&listing);
    assert_eq!(left_out.len(), 1);
    assert_eq!(left_out[0].1, "long_path");
}

#[test]
fn a_pattern_selects_as_in_a_contract() {
    let ground = Ground::new();
    let workspace = ground.open();
    for path in ["a.txt", "top.md", "d/a.txt", "d/e/a.txt", "d/e/b.md"] {
        write(&workspace, path, "x").unwrap();
    }
    for (folder, pattern, expected) in [
        (".", "*.txt", vec!["a.txt"]),
        (".", "**/*.md", vec!["d/e/b.md", "top.md"]),
        (".", "**/a.txt", vec!["a.txt", "d/a.txt", "d/e/a.txt"]),
        (".", "*/a.txt", vec!["d/a.txt"]),
        (".", "d/**", vec!["d/a.txt", "d/e/a.txt", "d/e/b.md"]),
        ("d", "*.txt", vec!["d/a.txt"]),
        ("d", "**/*.txt", vec!["d/a.txt", "d/e/a.txt"]),
        (
            ".",
            "**",
            vec!["a.txt", "d/a.txt", "d/e/a.txt", "d/e/b.md", "top.md"],
        ),
    ] {
        let args = json!({"path": folder, "pattern": pattern});
        assert_eq!(listed(&workspace, &args), expected, "{pattern}");
    }
}

#[test]
fn a_pattern_that_cannot_be_meant_is_refused_and_says_what_to_write() {
    let ground = Ground::new();
    let workspace = ground.open();
    write(&workspace, "a.txt", "x").unwrap();
    for (pattern, advice) in [
        ("*.{txt,md}", "once for each"),
        ("[ab].txt", "once for each"),
        ("?.txt", "write `*`"),
        ("!a.txt", "write `*`"),
        ("a\\*.txt", "write `*`"),
        ("./*.txt", "without `.`"),
        ("../*.txt", "without `.`"),
        ("d/./a", "without `.`"),
        ("d//a", "without `.`"),
        ("d/", "`docs/**`"),
        ("", "`**`"),
        ("/a.txt", "first `/`"),
        ("a\n.txt", "invisible"),
        ("**.txt", "`**/*.txt`"),
        (&"x".repeat(1025), "shorten"),
    ] {
        let args = json!({"path": ".", "pattern": pattern});
        let refused = call(&workspace, "file.list", &args).unwrap_err();
        let said = actor::chain(&refused);
        assert!(said.contains(advice), "{pattern}: {said}");
    }
}
