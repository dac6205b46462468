//! Tests that a call executes the bytes that the owner signed, or nothing.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use runner::{Arg, ExecError, ExecTool, ExecToolEntry, Finished, Missing, PinError, ToolError};
use serde_json::json;

use crate::call::{Ground, program, text};
use crate::executable::executable;

/// Calls of one race.
const RACES: usize = 25;

fn written(path: PathBuf, text: &str) -> PathBuf {
    executable(&path, text);
    path
}

fn argument(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Returns an entry of `sh SCRIPT`.
fn sh(script: &Path) -> ExecToolEntry {
    program(Path::new("sh"), &[argument(script)])
}

fn tool(entry: ExecToolEntry) -> ExecTool {
    ExecTool::try_from(entry).unwrap()
}

async fn run(ground: &Ground, tool: &ExecTool) -> Result<Finished, ExecError> {
    runner::run(&ground.cage(), tool, &json!({}), &ground.open()).await
}

async fn is_refused(ground: &Ground, tool: &ExecTool, why: &str) {
    match run(ground, tool).await {
        Err(ExecError::Changed(refusal)) => {
            assert_eq!(refusal.missing, Missing::Signed);
            assert!(refusal.detail.contains(why), "{refusal}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_file_edited_after_signing_never_runs() {
    let ground = Ground::new();
    let script = written(
        ground.root.join("script"),
        "#!/bin/sh\necho signed \"$@\"\n",
    );
    let binary = ground.root.join("binary");
    executable(&binary, fs::read("/bin/echo").unwrap());
    let awk = written(ground.root.join("code.awk"), "BEGIN { print \"signed\" }\n");
    let flag = format!("-f{}", argument(&awk));
    for (entry, edited) in [
        (sh(&script), &script),
        (program(&script, &[]), &script),
        (program(&binary, &["signed"]), &binary),
        (program(Path::new("awk"), &["-f", argument(&awk)]), &awk),
        (program(Path::new("awk"), &[&flag]), &awk),
    ] {
        let tool = tool(entry);
        let ran = run(&ground, &tool).await.unwrap();
        assert_eq!(text(&ran).trim(), "signed", "{tool:?} {ran:?}");
        let before = fs::read(edited).unwrap();
        let mut after = before.clone();
        after.extend(b"\n# edited\n");
        executable(edited, after);
        is_refused(&ground, &tool, "is not the signed file: its SHA-256 was").await;
        executable(edited, before);
        assert_eq!(text(&run(&ground, &tool).await.unwrap()).trim(), "signed");
    }
}

#[tokio::test]
async fn an_interpreter_is_signed_with_its_script() {
    let ground = Ground::new();
    for (line, name) in [
        ("#!/bin/sh", "/bin/sh"),
        ("#! /bin/sh -e", "/bin/sh"),
        ("#!/usr/bin/env sh", "/bin/sh"),
    ] {
        let script = written(
            ground.root.join("script"),
            &format!("{line}\necho \"$1\"\n"),
        );
        let entry = program(&script, &["--", "x"]);
        let interpreter = fs::canonicalize(name).unwrap();
        let mut files: Vec<&PathBuf> = entry.sha256.keys().collect();
        files.sort();
        let mut expected = vec![&interpreter, &script];
        expected.sort();
        assert_eq!(files, expected);
        assert_eq!(
            text(&run(&ground, &tool(entry.clone())).await.unwrap()),
            "--\n"
        );
        let mut other = entry;
        other.sha256.insert(interpreter, "0".repeat(64));
        let error = ExecTool::try_from(other).unwrap_err().to_string();
        assert!(error.contains("is not the signed file"), "{error}");
    }
    for line in [
        "#!sh",
        "#!/usr/bin/env -S sh -e",
        "#!/usr/bin/env X=1",
        "#!",
    ] {
        let script = written(ground.root.join("script"), &format!("{line}\n"));
        let mut entry = sh(&script);
        (entry.program, entry.argv) = (script.clone(), Vec::new());
        assert_eq!(entry.pinned(), Err(PinError::Interpreter(script)), "{line}");
    }
}

#[tokio::test]
async fn nothing_that_tools_can_write_is_executed() {
    let ground = Ground::new();
    let folder = ground.workspace.join("tools");
    fs::create_dir(&folder).unwrap();
    let inside = written(folder.join("script"), "#!/bin/sh\necho signed\n");
    let scratch = written(ground.scratch.join("script"), "#!/bin/sh\necho signed\n");
    let mut relative = program(Path::new("sh"), &["tools/script"]);
    let where_tools_write = "where tools can write";
    for script in [&inside, &scratch] {
        is_refused(&ground, &tool(sh(script)), where_tools_write).await;
        is_refused(&ground, &tool(program(script, &[])), where_tools_write).await;
    }
    is_refused(&ground, &tool(relative.clone()), where_tools_write).await;
    relative.argv = vec![Arg::Literal("--posix=tools/script".to_owned())];
    is_refused(&ground, &tool(relative), where_tools_write).await;
}

#[tokio::test]
async fn a_link_on_the_way_is_refused() {
    let ground = Ground::new();
    let (folder, aside) = (ground.root.join("folder"), ground.root.join("aside"));
    fs::create_dir(&folder).unwrap();
    let script = written(folder.join("script"), "echo signed\n");
    let tool = tool(sh(&script));
    assert_eq!(text(&run(&ground, &tool).await.unwrap()), "signed\n");
    // The bytes are the same, and still it is not what was signed.
    fs::rename(&folder, &aside).unwrap();
    symlink(&aside, &folder).unwrap();
    is_refused(&ground, &tool, "is reached through one").await;
    fs::remove_file(&folder).unwrap();
    fs::rename(&aside, &folder).unwrap();
    let moved = folder.join("moved");
    fs::rename(&script, &moved).unwrap();
    symlink(&moved, &script).unwrap();
    is_refused(&ground, &tool, argument(&moved)).await;
    let mut entry = sh(&moved);
    entry.program = PathBuf::from("/bin/sh");
    let ToolError::Pin { problem, lines } = ExecTool::try_from(entry.clone()).unwrap_err() else {
        panic!("an entry with a link");
    };
    assert!(matches!(problem, PinError::Link { .. }), "{problem}");
    let lines: ExecToolEntry = {
        let mut whole: serde_json::Value = serde_json::to_value(&entry).unwrap();
        let lines: serde_json::Value = serde_json::from_str(&format!("{{{lines}}}")).unwrap();
        for (key, value) in lines.as_object().unwrap() {
            whole[key] = value.clone();
        }
        serde_json::from_value(whole).unwrap()
    };
    assert!(ExecTool::try_from(lines).is_ok());
}

#[tokio::test]
async fn files_without_their_digests_are_refused_with_the_line_to_write() {
    let ground = Ground::new();
    let script = written(ground.root.join("script"), "echo signed\n");
    let entry = sh(&script);
    let digest = entry.sha256[&script].clone();
    let line = format!("\"{}\":\"{digest}\"", argument(&script));
    let (mut stale, mut none, mut unused) = (entry.clone(), entry.clone(), entry);
    stale.sha256.insert(script.clone(), "0".repeat(64));
    none.sha256.clear();
    unused.argv.clear();
    for (entry, why) in [(stale, "its SHA-256 was"), (none, "has no digest of")] {
        let error = ExecTool::try_from(entry).unwrap_err().to_string();
        assert!(error.contains(why) && error.contains(&line), "{error}");
    }
    let error = ExecTool::try_from(unused).unwrap_err().to_string();
    assert!(error.contains("no file of the program now"), "{error}");
}

/// Runs a script while `change` goes on, and requires that only signed bytes ran.
async fn race(ground: &Ground, script: &Path, change: impl Fn(&[u8]) + Send + 'static) {
    let good = fs::read(script).unwrap();
    let evil = good
        .iter()
        .map(|byte| if *byte == b's' { b'e' } else { *byte });
    let evil: Vec<u8> = evil.collect();
    let tool = tool(sh(script));
    let stop = std::sync::Arc::new(AtomicBool::new(false));
    let stopped = std::sync::Arc::clone(&stop);
    let (before, after) = (good.clone(), evil);
    let changing = std::thread::spawn(move || {
        while !stopped.load(Ordering::Relaxed) {
            change(&after);
            change(&before);
        }
    });
    let (mut ran, mut refused) = (0, 0);
    for _ in 0..RACES {
        match run(ground, &tool).await {
            Ok(finished) => {
                let said = text(&finished);
                assert!(
                    said.ends_with("signed\n") && !said.contains("eigned"),
                    "{finished:?}"
                );
                ran += 1;
            }
            Err(ExecError::Changed(_)) => refused += 1,
            Err(error) => panic!("{error:?}"),
        }
    }
    stop.store(true, Ordering::Relaxed);
    changing.join().unwrap();
    assert_eq!(ran + refused, RACES);
}

#[tokio::test]
async fn a_rename_between_check_and_use_changes_nothing() {
    let ground = Ground::new();
    let script = written(ground.root.join("script"), "echo signed\n");
    let (next, to) = (ground.root.join("next"), script.clone());
    let change = move |bytes: &[u8]| {
        fs::write(&next, bytes).unwrap();
        fs::rename(&next, &to).unwrap();
    };
    race(&ground, &script, change).await;
}

#[tokio::test]
async fn a_write_into_the_file_between_check_and_use_changes_nothing() {
    let ground = Ground::new();
    // Long enough that the shell reads its end late.
    let script = format!("{}echo signed\n", ": signed\n".repeat(20_000));
    let script = written(ground.root.join("script"), &script);
    let to = script.clone();
    let change = move |bytes: &[u8]| {
        use std::os::unix::fs::FileExt;
        let file = fs::File::options().write(true).open(&to).unwrap();
        file.write_all_at(bytes, 0).unwrap();
    };
    race(&ground, &script, change).await;
}

#[tokio::test]
async fn a_script_counts_as_no_addition_and_cannot_be_written() {
    let ground = Ground::new();
    let script = format!(
        "if echo x 2>/dev/null >>\"$0\"; then echo written; fi\nsleep 0.3\necho kept\n{}",
        "#\n".repeat(500_000)
    );
    let script = written(ground.root.join("script"), &script);
    let mut entry = sh(&script);
    entry.limits.added_bytes_max = 4096;
    assert_eq!(text(&ground.run(entry).await.unwrap()), "kept\n");
}

#[tokio::test]
async fn a_name_of_its_own_is_kept() {
    let ground = Ground::new();
    let mut entry = program(Path::new("sh"), &["-c", "echo \"$0\""]);
    let real = fs::canonicalize("/bin/sh").unwrap();
    if real.file_name() != Some("sh".as_ref()) {
        assert!(entry.argv0.as_deref().unwrap().ends_with("/sh"));
    }
    entry.argv0 = Some("other".to_owned());
    assert_eq!(text(&ground.run(entry).await.unwrap()), "other\n");
}
