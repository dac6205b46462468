//! Tests that a program reaches no other path of the workspace than those of its arguments, as the file tools.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use runner::{
    Arg, ArgsError, ExecError, ExecTool, ExecToolEntry, Finished, Kind, Missing, Outcome, ToolError,
};
use serde_json::json;

use crate::call::{Ground, program, text};

/// Calls of one race.
const RACES: usize = 40;
const SECRET: &str = "EUR 999.00\n";

/// Returns a workspace with `inbox`, which may be named, and `private`, which may not.
fn ground() -> Ground {
    let ground = Ground::new();
    for folder in ["inbox/deep", "private"] {
        fs::create_dir_all(ground.workspace.join(folder)).unwrap();
    }
    fs::write(ground.workspace.join("inbox/a.txt"), "EUR 10.00\n").unwrap();
    fs::write(ground.workspace.join("inbox/deep/b.txt"), "EUR 20.00\n").unwrap();
    fs::write(ground.workspace.join("private/salary.txt"), SECRET).unwrap();
    ground
}

/// Returns an entry that hands paths to a program.
fn entry(name: &str, argv: &[&str], write: bool) -> ExecToolEntry {
    let mut entry = program(Path::new(name), argv);
    entry.argv.push(Arg::Value {
        name: "paths".to_owned(),
        kind: Kind::Paths,
        prefix: "./".to_owned(),
        write,
    });
    entry.writable = write;
    entry
}

async fn call(
    ground: &Ground,
    entry: ExecToolEntry,
    paths: &[&str],
) -> Result<Finished, ExecError> {
    let tool = ExecTool::try_from(entry).unwrap();
    let args = json!({ "paths": paths });
    runner::run(&ground.cage(), &tool, &args, &ground.open()).await
}

async fn cat(ground: &Ground, path: &str) -> Result<Finished, ExecError> {
    call(ground, entry("cat", &[], false), &[path]).await
}

#[track_caller]
fn is_refused(ran: Result<Finished, ExecError>, why: &str) {
    match ran {
        Err(ExecError::Path(refusal)) => {
            assert_eq!(refusal.missing, Missing::Path);
            assert!(refusal.detail.contains(why), "{refusal}");
        }
        other => panic!("{other:?}"),
    }
}

/// Checks that a script, whose argument is the folder `inbox`, ends with its exit code 3 and prints nothing.
async fn reads_nothing(ground: &Ground, script: &str) {
    let sh = entry("sh", &["-c", script, "sh"], false);
    let ran = call(ground, sh, &["inbox"]).await.unwrap();
    assert_eq!(ran.outcome, Outcome::Failed { code: 3 }, "{script}");
    assert!(ran.output.is_empty(), "{script}: {}", text(&ran));
}

#[tokio::test]
async fn common_programs_use_the_files_and_folders_of_their_arguments() {
    let ground = ground();
    let script = ground.root.join("sum.py");
    fs::write(&script, "import os, sys\nfor top in sys.argv[1:]:\n    for at, _, names in sorted(os.walk(top)):\n        for name in sorted(names): print(open(os.path.join(at, name)).read().strip())\n").unwrap();
    let script = script.to_str().unwrap();
    for (name, argv, path, expected) in [
        ("cat", vec![], "inbox/a.txt", "EUR 10.00\n"),
        ("wc", vec!["-l"], "inbox/a.txt", "1 ./inbox/a.txt\n"),
        ("grep", vec!["EUR"], "inbox/a.txt", "EUR 10.00\n"),
        (
            "grep",
            vec!["-rc", "20"],
            "inbox/deep",
            "./inbox/deep/b.txt:1\n",
        ),
        ("awk", vec!["{ print $2 }"], "inbox/a.txt", "10.00\n"),
        ("ls", vec![], "inbox", "a.txt\ndeep\n"),
        (
            "find",
            vec!["--"],
            "inbox/deep",
            "./inbox/deep\n./inbox/deep/b.txt\n",
        ),
        (
            "sh",
            vec!["-c", "cat \"$1\"", "sh"],
            "inbox/a.txt",
            "EUR 10.00\n",
        ),
        ("python3", vec![script], "inbox", "EUR 10.00\nEUR 20.00\n"),
    ] {
        if !Path::new("/usr/bin").join(name).exists() {
            continue;
        }
        let entry = entry(name, &argv, false);
        let ran = call(&ground, entry, &[path]).await.unwrap();
        let said = String::from_utf8_lossy(&ran.diagnostics).into_owned();
        assert_eq!(text(&ran), expected, "{name}: {ran:?} {said}");
        assert_eq!(ran.outcome, Outcome::Succeeded, "{name}: {said}");
    }
}

#[tokio::test]
async fn no_link_leads_a_program_out_of_its_arguments() {
    let ground = ground();
    let at = |name: &str| ground.workspace.join(name);
    symlink("../private/salary.txt", at("inbox/file")).unwrap();
    symlink("../private", at("inbox/folder")).unwrap();
    symlink("/etc/passwd", at("inbox/outside")).unwrap();
    symlink("a.txt", at("inbox/within")).unwrap();
    for path in [
        "inbox/file",
        "inbox/folder",
        "inbox/folder/salary.txt",
        "inbox/outside",
        "inbox/within",
    ] {
        is_refused(cat(&ground, path).await, "leads through a link");
    }
    is_refused(cat(&ground, "inbox/none").await, "does not exist");
    // Beneath a folder links can be met, and lead nowhere.
    for name in ["file", "folder/salary.txt", "outside"] {
        let code = format!("cat \"$1/{name}\" || exit 3");
        reads_nothing(&ground, &code).await;
    }
}

#[tokio::test]
async fn a_file_with_a_name_elsewhere_is_refused() {
    let ground = ground();
    let at = |name: &str| ground.workspace.join(name);
    fs::hard_link(at("private/salary.txt"), at("inbox/deep/hard")).unwrap();
    for path in ["inbox/deep/hard", "inbox/deep", "inbox"] {
        is_refused(cat(&ground, path).await, "hard link elsewhere");
    }
    // All names are beneath the folder.
    fs::remove_file(at("inbox/deep/hard")).unwrap();
    fs::hard_link(at("inbox/a.txt"), at("inbox/deep/a.txt")).unwrap();
    let listed = call(&ground, entry("ls", &[], false), &["inbox"]).await;
    assert_eq!(listed.unwrap().outcome, Outcome::Succeeded);
}

#[tokio::test]
async fn other_paths_of_the_workspace_are_out_of_reach() {
    let ground = ground();
    for code in [
        "cat private/salary.txt",
        "cat \"$1/../private/salary.txt\"",
        "ls .",
        "ls private",
        "echo x > \"$1/new\"",
        "echo x > new",
    ] {
        let code = format!("{{ {code}; }} || exit 3");
        reads_nothing(&ground, &code).await;
    }
    let none = call(&ground, entry("sh", &["-c", "cat inbox/a.txt"], false), &[]).await;
    assert_ne!(none.unwrap().outcome, Outcome::Succeeded);
}

#[tokio::test]
async fn a_program_writes_only_paths_that_are_for_writing() {
    let ground = ground();
    let write = "echo new > \"$1\" || exit 3";
    let written =
        async |path: &str| call(&ground, entry("sh", &["-c", write, "sh"], true), &[path]).await;
    for path in ["inbox/a.txt", "inbox/new.txt"] {
        let ran = written(path).await.unwrap();
        assert_eq!(ran.outcome, Outcome::Succeeded, "{path}");
        assert_eq!(
            fs::read_to_string(ground.workspace.join(path)).unwrap(),
            "new\n"
        );
    }
    symlink("../private/salary.txt", ground.workspace.join("inbox/link")).unwrap();
    is_refused(written("inbox/link").await, "leads through a link");
    is_refused(written("none/new.txt").await, "does not exist");
    // A second path of the same call, which is only read, stays as it is.
    let mut both = entry("sh", &["-c", "echo new > \"$2\" || exit 3", "sh"], true);
    both.argv.push(Arg::Value {
        name: "from".to_owned(),
        kind: Kind::Path,
        prefix: "./".to_owned(),
        write: false,
    });
    let tool = ExecTool::try_from(both).unwrap();
    let args = json!({"paths": ["inbox/a.txt"], "from": "inbox/deep/b.txt"});
    let ran = runner::run(&ground.cage(), &tool, &args, &ground.open()).await;
    assert_eq!(ran.unwrap().outcome, Outcome::Failed { code: 3 });
    assert_eq!(
        fs::read_to_string(ground.workspace.join("private/salary.txt")).unwrap(),
        SECRET
    );
}

#[tokio::test]
async fn a_path_that_is_exchanged_meanwhile_leads_to_nothing_else() {
    let ground = ground();
    let at = |name: &str| ground.workspace.join(name);
    fs::create_dir(at("aside")).unwrap();
    symlink("private", at("link")).unwrap();
    fs::write(at("inbox/deep/salary.txt"), "EUR 30.00\n").unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let (stopped, workspace) = (Arc::clone(&stop), ground.workspace.clone());
    let exchanging = std::thread::spawn(move || {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        let (folder, link) = (workspace.join("inbox/deep"), workspace.join("link"));
        while !stopped.load(Ordering::Relaxed) {
            renameat_with(CWD, &folder, CWD, &link, RenameFlags::EXCHANGE).unwrap();
        }
    });
    let code = "for i in 1 2 3 4 5 6 7 8 9; do cat \"$1\" 2>/dev/null; done; exit 0";
    for _ in 0..RACES {
        let entry = entry("sh", &["-c", code, "sh"], false);
        match call(&ground, entry, &["inbox/deep/salary.txt"]).await {
            Ok(ran) => assert!(!text(&ran).contains("999"), "{}", text(&ran)),
            Err(ExecError::Path(_)) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    stop.store(true, Ordering::Relaxed);
    exchanging.join().unwrap();
}

#[test]
fn paths_are_relative_and_plain() {
    let tool = ExecTool::try_from(entry("cat", &[], false)).unwrap();
    for path in [
        "/etc/passwd",
        "../a",
        "inbox/../private",
        "inbox//a",
        "",
        "./a",
    ] {
        let filled = tool.argv(&json!({ "paths": [path] }));
        assert!(
            matches!(filled, Err(ArgsError::Path { .. })),
            "{path}: {filled:?}"
        );
    }
    assert_eq!(
        tool.argv(&json!({ "paths": ["a", "."] })).unwrap(),
        ["./a", "./."]
    );
}

#[test]
fn rights_to_write_are_where_the_tool_says() {
    let with = |kind: Kind, write: bool, writable: bool| {
        let mut entry = entry("cat", &[], false);
        entry.writable = writable;
        entry.argv = vec![Arg::Value {
            name: "paths".to_owned(),
            kind,
            prefix: String::new(),
            write,
        }];
        entry
    };
    let nowhere = with(Kind::Paths, false, true);
    let unwritable = with(Kind::Paths, true, false);
    let text = with(Kind::List, true, true);
    for entry in [nowhere, unwritable, text] {
        assert_eq!(ExecTool::try_from(entry), Err(ToolError::Write));
    }
}
