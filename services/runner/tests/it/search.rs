//! Tests `file.search`: what it finds, what it leaves out, and its bounds.

use std::os::unix::fs::symlink;
use std::sync::atomic::AtomicBool;

use runner::{FileError, FileTool, Workspace};
use rustix::fs::{CWD, FileType, Mode};
use serde_json::{Value, json};

use crate::call::{Ground, swapping};
use crate::files::{call, write};

const KIB: usize = 1024;

fn search(workspace: &Workspace, args: &Value) -> Value {
    serde_json::from_slice(&call(workspace, "file.search", args).unwrap()).unwrap()
}

/// Path and number of each line.
fn lines(found: &Value) -> Vec<(&str, u64)> {
    let lines = found["matches"].as_array().unwrap();
    lines
        .iter()
        .map(|line| {
            let path = line["path"].as_str().unwrap();
            (path, line["line"].as_u64().unwrap())
        })
        .collect()
}

fn left_out(found: &Value) -> Vec<(&str, &str)> {
    let entries = found["left_out"].as_array().unwrap();
    let text = |entry: &'_ Value, field: &str| entry[field].as_str().unwrap().to_owned();
    assert!(
        entries
            .iter()
            .all(|entry| text(entry, "text").starts_with(&text(entry, "path")))
    );
    entries
        .iter()
        .map(|entry| {
            let path = entry["path"].as_str().unwrap();
            (path, entry["reason"].as_str().unwrap())
        })
        .collect()
}

#[test]
fn lines_are_found_by_a_text_or_by_a_regular_expression() {
    let ground = Ground::new();
    let workspace = ground.open();
    write(&workspace, "a.txt", "one (1.5)\r\ntwo 125\nOne").unwrap();
    write(&workspace, "docs/b.md", "STRASSE straße ONE\n").unwrap();
    let found = search(&workspace, &json!({"path": ".", "pattern": "(1.5)"}));
    let matches = json!([{"path": "a.txt", "line": 1, "text": "one (1.5)"}]);
    let expected = json!({"matches": matches, "left_out": [], "note": "nothing was left out"});
    assert_eq!(found, expected);
    for (args, expected) in [
        (
            json!({"path": ".", "pattern": "1.5", "regex": true}),
            vec![("a.txt", 1), ("a.txt", 2)],
        ),
        (
            json!({"path": ".", "pattern": "^one", "regex": true, "ignore_case": true}),
            vec![("a.txt", 1), ("a.txt", 3)],
        ),
        (
            json!({"path": ".", "pattern": "one", "ignore_case": true, "glob": "**/*.md"}),
            vec![("docs/b.md", 1)],
        ),
        (
            json!({"path": "docs", "pattern": r"\p{Lu}+ \w+e", "regex": true, "glob": "*.md"}),
            vec![("docs/b.md", 1)],
        ),
        (json!({"path": ".", "pattern": "absent"}), vec![]),
    ] {
        assert_eq!(lines(&search(&workspace, &args)), expected, "{args}");
    }
}

#[test]
fn what_is_no_readable_text_is_named_and_never_read() {
    let ground = Ground::new();
    let at = |name: &str| ground.workspace.join(name);
    std::fs::write(ground.root.join("key"), "secret").unwrap();
    std::fs::write(at("binary"), b"secret\0").unwrap();
    std::fs::write(at("latin"), b"secret \xe9").unwrap();
    std::fs::write(at("large"), "secret\n".repeat(KIB * KIB)).unwrap();
    std::fs::write(at("odd\n"), "secret").unwrap();
    std::fs::hard_link(ground.root.join("key"), at("hard")).unwrap();
    symlink("../key", at("link")).unwrap();
    symlink("..", at("up")).unwrap();
    rustix::fs::mknodat(
        CWD,
        at("fifo"),
        FileType::Fifo,
        Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    std::fs::write(at("text"), "the secret").unwrap();
    let workspace = ground.open();
    let found = search(&workspace, &json!({"path": ".", "pattern": "secret"}));
    assert_eq!(lines(&found), [("text", 1)]);
    assert_eq!(
        left_out(&found),
        [
            ("binary", "not_text"),
            ("fifo", "special"),
            ("hard", "hard_links"),
            ("large", "too_large"),
            ("latin", "not_text"),
            ("link", "link"),
            (r"odd\u{a}", "odd_name"),
            ("up", "link"),
        ]
    );
    let note = "8 entries were left out: 2 links, 1 file with several hard links, 1 special file, 1 odd name, \
                2 files that are no text, 1 file that is too large";
    assert_eq!(found["note"], note);
    for path in ["up", "link", "none", "text"] {
        let args = json!({"path": path, "pattern": "secret"});
        assert!(call(&workspace, "file.search", &args).is_err(), "{path}");
    }
    for path in ["..", "/etc", "a/../..", ""] {
        let args = json!({"path": path, "pattern": "secret"});
        let refused = call(&workspace, "file.search", &args);
        assert!(matches!(refused, Err(FileError::Args(_))), "{path}");
    }
}

#[test]
fn bounds_end_a_search_and_say_where() {
    let ground = Ground::new();
    let workspace = ground.open();
    write(&workspace, "a", &"x\n".repeat(999)).unwrap();
    write(&workspace, "b", "x\nx\nx\n").unwrap();
    write(&workspace, "c", "x\n").unwrap();
    let found = search(&workspace, &json!({"path": ".", "pattern": "x"}));
    let all = lines(&found);
    assert_eq!((all.len(), all[999]), (1_000, ("b", 1)));
    assert_eq!(left_out(&found), [("b", "not_searched")]);
    let text = found["left_out"][0]["text"].as_str().unwrap();
    assert!(text.starts_with("b: neither its line 2 nor"), "{text}");
    // Long lines are cut around the match, and all of them together are bounded.
    let long = format!("{}é{}\n", "y".repeat(2_000), "z".repeat(2_000));
    write(&workspace, "long/a", &long.repeat(250)).unwrap();
    let found = search(
        &workspace,
        &json!({"path": "long", "pattern": "é", "glob": "a"}),
    );
    let text = found["matches"][0]["text"].as_str().unwrap();
    let expected = format!("{}é{}", "y".repeat(100), "z".repeat(399));
    assert_eq!(text, expected);
    assert_eq!(lines(&found).len(), 250);
    let line = format!("{}\n", "x".repeat(490));
    for name in ["a", "b"] {
        write(&workspace, &format!("many/{name}"), &line.repeat(900)).unwrap();
    }
    let found = search(
        &workspace,
        &json!({"path": "many", "pattern": "é|x", "regex": true}),
    );
    assert_eq!(lines(&found).len(), 1_000);
    let wide = format!("{}\n", "\u{1F600}".repeat(490));
    write(&workspace, "wide/a", &wide.repeat(400)).unwrap();
    let found = search(&workspace, &json!({"path": "wide", "pattern": "\u{1F600}"}));
    assert_eq!(lines(&found).len(), 512 * KIB / (490 * 4));
    assert_eq!(left_out(&found), [("wide/a", "not_searched")]);
}

#[test]
fn a_search_reads_so_many_bytes_and_no_more() {
    let ground = Ground::new();
    let workspace = ground.open();
    let folder = ground.workspace.join("big");
    std::fs::create_dir(&folder).unwrap();
    for number in 10..27 {
        let text = format!("{}\nfound\n", "x".repeat(4 * KIB * KIB - 7));
        std::fs::write(folder.join(number.to_string()), text).unwrap();
    }
    let found = search(&workspace, &json!({"path": "big", "pattern": "found"}));
    assert_eq!(lines(&found).len(), 16);
    assert_eq!(left_out(&found), [("big/26", "not_searched")]);
    assert_eq!(
        found["note"],
        "1 entry was left out: 1 place where the search ended"
    );
}

#[test]
fn patterns_that_cannot_be_meant_or_cost_too_much_are_refused() {
    let ground = Ground::new();
    let workspace = ground.open();
    write(&workspace, "a.txt", "x").unwrap();
    let long = "x".repeat(1_025);
    for (args, advice) in [
        (json!({"path": ".", "pattern": ""}), "name a text"),
        (json!({"path": ".", "pattern": "a\nb"}), "one line"),
        (json!({"path": ".", "pattern": "a\u{0}"}), "one line"),
        (json!({"path": ".", "pattern": long}), "ask for less"),
        (
            json!({"path": ".", "pattern": "(", "regex": true}),
            "correct it",
        ),
        (
            json!({"path": ".", "pattern": "(a)\\1", "regex": true}),
            "backreferences",
        ),
        (
            json!({"path": ".", "pattern": "(\\w{200}){200}", "regex": true}),
            "size limit",
        ),
        (
            json!({"path": ".", "pattern": "x", "glob": "*.{a,b}"}),
            "once for each",
        ),
        (json!({"path": ".", "pattern": "x", "more": 1}), "schema"),
    ] {
        let refused = call(&workspace, "file.search", &args).unwrap_err();
        let said = actor::chain(&refused);
        assert!(said.contains(advice), "{args}: {said}");
    }
}

#[test]
fn a_search_whose_time_is_over_ends() {
    let ground = Ground::new();
    let workspace = ground.open();
    write(&workspace, "a.txt", "x").unwrap();
    let args = json!({"path": ".", "pattern": "x"}).to_string();
    let late = AtomicBool::new(true);
    let ended = workspace.call_until(FileTool::Search, args.as_bytes(), &late);
    assert!(matches!(ended, Err(FileError::Late)), "{ended:?}");
}

#[test]
fn a_file_swapped_for_a_link_during_the_search_is_not_followed() {
    let ground = Ground::new();
    let (file, link) = (ground.workspace.join("file"), ground.workspace.join("link"));
    std::fs::write(ground.root.join("key"), "the key\n").unwrap();
    std::fs::write(&file, "a file\n").unwrap();
    symlink("../key", &link).unwrap();
    let workspace = ground.open();
    swapping(&file, &link, Result::unwrap, || {
        for _ in 0..500 {
            let found = search(&workspace, &json!({"path": ".", "pattern": " "}));
            for line in found["matches"].as_array().unwrap() {
                assert_eq!(line["text"], "a file");
            }
        }
    });
}
