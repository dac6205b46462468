//! The programs of the shipped shelf in the cage, as the shelf names them, with honest and with hostile files.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use runner::{Added, ExecTool, ExecToolEntry, Finished, Outcome};
use serde_json::{Value, json};

use crate::call::{Ground, text};

/// Returns a tool of the shelf with the digests of this machine's program; `None` if the program is missing.
pub(crate) fn tool(name: &str) -> Option<ExecTool> {
    let tools: Vec<Value> = serde_json::from_str(runner::SHELF).unwrap();
    let found = tools.into_iter().find(|tool| tool["name"] == name).unwrap();
    let program = found.pointer("/exec/program").unwrap().to_string();
    match runner::pin(&json!([found]).to_string(), false) {
        Ok(pinned) => {
            let tools: Value = serde_json::from_str(&pinned.text).unwrap();
            let exec = tools.pointer("/0/exec").unwrap().clone();
            let entry: ExecToolEntry = serde_json::from_value(exec).unwrap();
            Some(ExecTool::try_from(entry).unwrap())
        }
        Err(error) => {
            let mandatory =
                std::env::var_os("CONTRACTUAL_TESTS_MANDATORY").is_some_and(|set| set == "1");
            assert!(!mandatory, "no {program} here: {error}");
            let text = format!("SKIPPED: {name}: no {program} here\n");
            std::io::stderr().write_all(text.as_bytes()).unwrap();
            None
        }
    }
}

/// Runs a tool of the shelf.
pub(crate) async fn run(ground: &Ground, tool: &ExecTool, args: Value) -> Finished {
    let ran = runner::run(&ground.cage(), tool, &args, &ground.open()).await;
    ran.unwrap_or_else(|error| panic!("{args}: {error:?}"))
}

/// Runs a tool of the shelf that has to succeed, and returns what it printed.
pub(crate) async fn good(ground: &Ground, tool: &ExecTool, args: Value) -> String {
    let ran = run(ground, tool, args).await;
    let errors = String::from_utf8_lossy(&ran.diagnostics);
    assert_eq!(ran.outcome, Outcome::Succeeded, "{errors}");
    text(&ran)
}

fn said(ran: &Finished) -> String {
    String::from_utf8_lossy(&ran.diagnostics).into_owned()
}

/// Runs a program of this machine in the workspace, without a cage.
pub(crate) fn bare(ground: &Ground, program: &str, argv: &[&str]) -> String {
    let mut command = Command::new(program);
    command.args(argv).current_dir(&ground.workspace);
    command
        .env("HOME", &ground.scratch)
        .env("GIT_CONFIG_NOSYSTEM", "1");
    let ran = command.output().unwrap();
    let text = [ran.stdout, ran.stderr].concat();
    String::from_utf8_lossy(&text).into_owned()
}

/// An entry of an archive: its name, its type, its target and its bytes.
struct Member<'a>(&'a str, u8, &'a str, &'a [u8]);

const FILE: u8 = b'0';
const HARD_LINK: u8 = b'1';
const LINK: u8 = b'2';

/// Writes a tar archive (ustar).
fn tar(members: &[Member<'_>]) -> Vec<u8> {
    let mut whole = Vec::new();
    for Member(name, kind, target, bytes) in members {
        let mut head = [0_u8; 512];
        let mut put = |at: usize, field: &[u8]| {
            head.get_mut(at..at + field.len())
                .unwrap()
                .copy_from_slice(field);
        };
        put(0, name.as_bytes());
        put(100, b"0000644\0");
        put(108, b"0000000\0");
        put(116, b"0000000\0");
        put(124, format!("{:011o}\0", bytes.len()).as_bytes());
        put(136, b"00000000000\0");
        put(148, b"        ");
        put(156, &[*kind]);
        put(157, target.as_bytes());
        put(257, b"ustar\x0000");
        let sum: u32 = head.iter().map(|byte| u32::from(*byte)).sum();
        head.get_mut(148..156)
            .unwrap()
            .copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        whole.extend(head);
        whole.extend(*bytes);
        whole.resize(whole.len().next_multiple_of(512), 0);
    }
    whole.resize(whole.len() + 1024, 0);
    whole
}

/// Returns the paths of everything beneath a folder.
fn all(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let entry = entry.unwrap();
            let path = entry.path();
            found.insert(path.strip_prefix(folder).unwrap().display().to_string());
            if entry.file_type().unwrap().is_dir() {
                open.push(path);
            }
        }
    }
    found
}

#[tokio::test]
async fn an_archive_is_listed_and_extracted() {
    let (Some(list), Some(extract)) = (tool("archive.list"), tool("archive.extract")) else {
        return;
    };
    let ground = Ground::new();
    let at = |name: &str| ground.workspace.join(name);
    fs::create_dir_all(at("in/deep")).unwrap();
    fs::create_dir_all(at("out/kept")).unwrap();
    for (name, bytes) in [("in/a", "new a"), ("in/deep/b", "b"), ("out/kept/a", "old")] {
        fs::write(at(name), bytes).unwrap();
    }
    for (name, options) in [("a.tar.gz", "-czf"), ("a.zip", "-caf"), ("a.7z", "-caf")] {
        bare(&ground, "bsdtar", &[options, name, "-C", "in", "a", "deep"]);
        let listed = good(&ground, &list, json!({ "path": name })).await;
        assert!(
            listed.contains(" a\n") && listed.contains(" deep/b\n"),
            "{name}: {listed}"
        );
        let to = format!("out/{name}");
        let printed = good(&ground, &extract, json!({ "path": name, "to": to })).await;
        assert_eq!(printed, "", "{name}");
        assert_eq!(fs::read_to_string(at(&to).join("a")).unwrap(), "new a");
        assert_eq!(fs::read_to_string(at(&to).join("deep/b")).unwrap(), "b");
    }
    let args = json!({"path": "a.zip", "to": "out/kept"});
    good(&ground, &extract, args).await;
    assert_eq!(fs::read_to_string(at("out/kept/a")).unwrap(), "old");
    assert_eq!(fs::read_to_string(at("out/kept/deep/b")).unwrap(), "b");
    // The folder is a folder.
    let args = json!({"path": "a.zip", "to": "in/a"});
    let ran = runner::run(&ground.cage(), &extract, &args, &ground.open()).await;
    let error = ran.unwrap_err();
    assert!(actor::chain(&error).contains("is not a folder"), "{error}");
}

/// Returns archives that reach out of their folder, each with the entries that are extracted.
fn hostile<'a>(
    absolute: &'a str,
    folder: &'a str,
) -> Vec<(&'static str, Vec<Member<'a>>, Vec<&'static str>)> {
    vec![
        (
            "a path upwards",
            vec![
                Member("../up", FILE, "", b"evil"),
                Member("ok", FILE, "", b"ok"),
            ],
            vec!["ok"],
        ),
        (
            "an absolute path",
            vec![Member(absolute, FILE, "", b"evil")],
            Vec::new(),
        ),
        (
            "a link, and a file through it",
            vec![
                Member("l", LINK, folder, b""),
                Member("l/through", FILE, "", b"evil"),
            ],
            Vec::new(),
        ),
        (
            "a link upwards, and a file through it",
            vec![
                Member("l", LINK, "..", b""),
                Member("l/through", FILE, "", b"evil"),
            ],
            Vec::new(),
        ),
        (
            "a link over the archive's neighbour",
            vec![
                Member("secret", LINK, "../secret", b""),
                Member("secret", FILE, "", b"evil"),
            ],
            Vec::new(),
        ),
        (
            "a hard link to a neighbour",
            vec![
                Member("h", HARD_LINK, "../secret", b""),
                Member("h", FILE, "", b"evil"),
            ],
            Vec::new(),
        ),
        (
            "a hard link by an absolute path",
            vec![Member("h", HARD_LINK, "/usr/bin/env", b"")],
            Vec::new(),
        ),
    ]
}

#[tokio::test]
async fn an_archive_changes_nothing_beside_its_folder() {
    let Some(extract) = tool("archive.extract") else {
        return;
    };
    let ground = Ground::new();
    let at = |name: &str| ground.workspace.join(name);
    let outside = ground.root.join("outside");
    let absolute = outside.display().to_string();
    let folder = ground.workspace.display().to_string();
    fs::write(at("secret"), "secret").unwrap();
    for (case, members, extracted) in hostile(&absolute, &folder) {
        fs::write(at("a.tar"), tar(&members)).unwrap();
        fs::create_dir(at("out")).unwrap();
        let ran = run(&ground, &extract, json!({"path": "a.tar", "to": "out"})).await;
        let found = all(&at("out"));
        for name in extracted {
            assert!(found.contains(name), "{case}: {}", said(&ran));
        }
        for name in &found {
            let about = fs::symlink_metadata(at("out").join(name)).unwrap();
            assert!(!about.is_symlink(), "{case}: {name}");
        }
        fs::remove_dir_all(at("out")).unwrap();
        let beside: Vec<_> = all(&ground.workspace).into_iter().collect();
        assert_eq!(beside, ["a.tar", "secret"], "{case}");
        assert_eq!(
            fs::read_to_string(at("secret")).unwrap(),
            "secret",
            "{case}"
        );
        assert!(!outside.exists(), "{case}");
    }
}

#[tokio::test]
async fn a_listed_name_has_no_control_characters() {
    let Some(list) = tool("archive.list") else {
        return;
    };
    let ground = Ground::new();
    let forged = "a\n-rw-r--r--  0 0      0           1 Jan  1  1970 forged";
    let members = [
        Member(forged, FILE, "", b""),
        Member("\u{1b}[2Jclear\r\u{7}", LINK, "to\u{1b}[31m\n", b""),
    ];
    fs::write(ground.workspace.join("a.tar"), tar(&members)).unwrap();
    let listed = good(&ground, &list, json!({ "path": "a.tar" })).await;
    assert_eq!(listed.lines().count(), 2, "{listed}");
    let odd = |char: char| char.is_control() && char != '\n';
    assert!(!listed.contains(odd), "{listed:?}");
}

#[tokio::test]
async fn an_archive_that_grows_beyond_the_bounds_is_ended() {
    let (Some(list), Some(extract)) = (tool("archive.list"), tool("archive.extract")) else {
        return;
    };
    let ground = Ground::new();
    let at = |name: &str| ground.workspace.join(name);
    let ended = async |name: &str| {
        let args = json!({"path": name, "to": format!("out-{name}")});
        run(&ground, &extract, args).await.outcome
    };
    let names: Vec<_> = (0..1100).map(|number| number.to_string()).collect();
    let members: Vec<_> = names
        .iter()
        .map(|name| Member(name, FILE, "", b""))
        .collect();
    fs::write(at("many.tar"), tar(&members)).unwrap();
    assert_eq!(
        ended("many.tar").await,
        Outcome::AddedExceeded(Added::Files)
    );

    fs::create_dir(at("big")).unwrap();
    let zeros = |name: &str, bytes: u64| {
        let file = fs::File::create(at(name)).unwrap();
        file.set_len(bytes).unwrap();
    };
    zeros("big/a", 40 << 20);
    zeros("big/b", 40 << 20);
    bare(&ground, "bsdtar", &["-caf", "two.zip", "big"]);
    assert_eq!(ended("two.zip").await, Outcome::AddedExceeded(Added::Bytes));
    zeros("big/a", 70 << 20);
    bare(&ground, "bsdtar", &["-caf", "one.zip", "big/a"]);
    // The kernel's limit of a file and the count of all are the same here; either may be first.
    let outcome = ended("one.zip").await;
    let is_ended = matches!(
        outcome,
        Outcome::Killed { signal: 25 } | Outcome::AddedExceeded(Added::Bytes)
    );
    assert!(is_ended, "{outcome:?}");
    // A list is bounded by its bytes.
    let long = "n".repeat(99);
    let members: Vec<_> = (0..9000).map(|_| Member(&long, FILE, "", b"")).collect();
    fs::write(at("long.tar"), tar(&members)).unwrap();
    let ran = run(&ground, &list, json!({ "path": "long.tar" })).await;
    assert_eq!(ran.outcome, Outcome::OutputExceeded);
    let garbage = run(&ground, &list, json!({ "path": "big/b" })).await;
    assert!(garbage.output.is_empty(), "{garbage:?}");
}

/// Writes a PDF file of one page with this text.
pub(crate) fn pdf(text: &str) -> String {
    let content = format!("BT /F1 18 Tf 20 100 Td ({text}) Tj ET");
    let objects = [
        "<</Type/Catalog/Pages 2 0 R/OpenAction<</S/Launch/F(/bin/sh)>>>>".to_owned(),
        "<</Type/Pages/Kids[3 0 R]/Count 1>>".to_owned(),
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 200]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>"
            .to_owned(),
        format!("<</Length {}>>stream\n{content}\nendstream", content.len()),
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>".to_owned(),
    ];
    let mut whole = "%PDF-1.4\n".to_owned();
    let mut places = String::new();
    for (object, number) in objects.iter().zip(1..) {
        places.push_str(&format!("{:010} 00000 n \n", whole.len()));
        whole.push_str(&format!("{number} 0 obj\n{object}\nendobj\n"));
    }
    let start = whole.len();
    whole.push_str(&format!("xref\n0 6\n0000000000 65535 f \n{places}"));
    whole.push_str(&format!(
        "trailer<</Size 6/Root 1 0 R>>\nstartxref\n{start}\n%%EOF\n"
    ));
    whole
}

#[tokio::test]
async fn the_text_of_a_pdf_file_is_read() {
    let Some(read) = tool("pdf.text") else {
        return;
    };
    let ground = Ground::new();
    let written = |name: &str, text: &str| fs::write(ground.workspace.join(name), text).unwrap();
    written("a.pdf", &pdf("Invoice 42"));
    let printed = good(&ground, &read, json!({ "path": "a.pdf" })).await;
    assert_eq!(printed.trim(), "Invoice 42");
    assert!(printed.ends_with('\u{c}'), "{printed:?}");
    let pages = "3 0 R ".repeat(100_000);
    let flood = pdf("x")
        .replace("3 0 R", &pages)
        .replace("Count 1", "Count 100000");
    written("flood.pdf", &flood);
    let ran = run(&ground, &read, json!({ "path": "flood.pdf" })).await;
    assert_ne!(ran.outcome, Outcome::Succeeded);
    assert!(ran.output.len() <= 1 << 20);
    // A page tree that leads to itself, and what is no PDF file.
    written("loop.pdf", &pdf("x").replace("Kids[3 0 R]", "Kids[2 0 R]"));
    written("cut.pdf", &pdf("Invoice 42")[..120]);
    written("no.pdf", "Invoice 42");
    for name in ["loop.pdf", "cut.pdf", "no.pdf"] {
        let ran = run(&ground, &read, json!({ "path": name })).await;
        assert!(!text(&ran).contains("Invoice"), "{name}: {ran:?}");
    }
}

#[tokio::test]
async fn the_text_of_an_html_file_is_read() {
    let Some(read) = tool("html.text") else {
        return;
    };
    let ground = Ground::new();
    let secret = ground.workspace.join("secret.html");
    fs::write(&secret, "<p>private words").unwrap();
    let page = format!(
        "<!doctype html><meta charset=utf-8><title>T</title><style>b{{x:y}}</style>\
         <script>document.write('script words')</script><h1>M\u{fc}ller &amp; S\u{f6}hne</h1><p>Rent \
         <a href=\"https://x.example/\">here</a> &#27;[31m\u{1b}[31mred<iframe src=\"file://{0}\"></iframe>\
         <object data=\"secret.html\"></object><img src=\"secret.html\"><meta http-equiv=refresh content=\"0;url=secret.html\">\
         <frameset><frame src=\"secret.html\"><frame src=\"file:///cgi-bin/sh\"></frameset>",
        secret.display()
    );
    fs::write(ground.workspace.join("a.html"), page).unwrap();
    let printed = good(&ground, &read, json!({ "path": "a.html" })).await;
    assert!(printed.contains("M\u{fc}ller & S\u{f6}hne"), "{printed}");
    assert!(printed.contains("Rent here"), "{printed}");
    for absent in ["private words", "script words", "\u{1b}"] {
        assert!(!printed.contains(absent), "{printed:?}");
    }
    let deep = "<table><tr><td>".repeat(20_000);
    fs::write(ground.workspace.join("deep.html"), deep).unwrap();
    let ran = run(&ground, &read, json!({ "path": "deep.html" })).await;
    assert!(ran.output.len() <= 1 << 20, "{:?}", ran.outcome);
}

#[tokio::test]
async fn a_database_is_read_and_nothing_else() {
    let Some(query) = tool("sqlite.query") else {
        return;
    };
    let ground = Ground::new();
    let at = |name: &str| ground.workspace.join(name);
    let made = "create table t(a, b); insert into t values(1, 'x\u{1b}'), (2, null)";
    bare(&ground, "sqlite3", &["a.db", made]);
    fs::write(at("secret"), "private words").unwrap();
    let ask = async |sql: &str| {
        let args = json!({"path": "a.db", "sql": sql});
        run(&ground, &query, args).await
    };
    let rows: Value = serde_json::from_str(&text(&ask("select * from t").await)).unwrap();
    assert_eq!(rows, json!([{"a": 1, "b": "x\u{1b}"}, {"a": 2, "b": null}]));
    assert_eq!(text(&ask("select * from t where a > 2").await), "");
    let before = fs::read(at("a.db")).unwrap();
    for refused in [
        "insert into t values(3, 3)",
        "delete from t",
        "drop table t",
        "pragma user_version = 7; select * from u",
        "attach 'b.db' as b",
        "vacuum into 'b.db'",
        "select load_extension('/usr/lib/x')",
        "select readfile('secret')",
        "select writefile('b.db', 'x')",
        "select edit('x')",
        ".shell echo private words",
        ".system echo private words",
        ".open b.db",
        ".import secret t",
        ".read secret",
        ".output b.db",
        ".once |cat",
        ".backup b.db",
        ".load x",
        ".archive --create b.db secret",
    ] {
        let ran = ask(refused).await;
        assert!(
            matches!(ran.outcome, Outcome::Failed { .. }),
            "{refused}: {ran:?}"
        );
        assert!(!text(&ran).contains("private words"), "{refused}: {ran:?}");
    }
    // The cage hides what the program would read.
    let ran = ask("select data from fsdir('secret')").await;
    assert!(!text(&ran).contains("private words"), "{ran:?}");
    assert_eq!(fs::read(at("a.db")).unwrap(), before);
    let names: Vec<_> = all(&ground.workspace).into_iter().collect();
    assert_eq!(names, ["a.db", "secret"]);
    // A query that does not end, and a file that is no database.
    let endless = "with recursive c(x) as (select 1 union all select x + 1 from c) select x from c";
    assert_eq!(ask(endless).await.outcome, Outcome::OutputExceeded);
    fs::write(at("a.db"), "no database, but long enough to look like one").unwrap();
    let ran = ask("select * from t").await;
    assert!(matches!(ran.outcome, Outcome::Failed { .. }), "{ran:?}");
}
