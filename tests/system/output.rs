//! `contractual output`: what an action returned, byte for byte, from the verified record, and never raw on a terminal.

use std::{fs, os::unix::fs::PermissionsExt as _, process::Command};

use async_nats::HeaderMap;
use bus_schema::{AuthorId, Content, Digest};
use harness::Deployment;
use serde_json::{Value, json};

use crate::{
    cli::{Ended, one_sentence, program, run},
    main_job::has,
    scene::{contract, playbook, until},
    terminal::Terminal,
};

const TEXT: &[u8] = b"plain\n\x1b[2Jcleared\xc2\x9b31m\r\n";
const BINARY: &[u8] = b"\xff\x00\x01";
const STDERR: &[u8] = b"\x1b[31mbad\n";
/// The name of each tool, and its script.
const SCRIPTS: [(&str, &str); 6] = [
    ("text", r"printf 'plain\n\033[2Jcleared\302\23331m\r\n'"),
    ("binary", r"printf '\377\000\001'"),
    (
        "large",
        "i=0; while [ $i -lt 7000 ]; do printf 0123456789; i=$((i+1)); done",
    ),
    ("fail", r"echo half; printf '\033[31mbad\n' >&2; exit 3"),
    ("denied", "exit 0"),
    ("slow", "exec sleep 60"),
];

/// A catalogue with these scripts.
fn tools() -> String {
    let tool = |(name, script): (&str, &str)| {
        json!({
            "name": format!("show.{name}"), "description": "Prints.", "effect": "read", "output": "trusted",
            "input_schema": {"type": "object", "properties": {}, "additionalProperties": false},
            "exec": {
                "program": "sh", "argv": [{"literal": "-c"}, {"literal": script}], "writable": false,
                "limits": {"wall_ms": 60_000, "cpu_ms_max": 10_000, "output_bytes_max": 131_072,
                    "memory_bytes_max": 268_435_456, "processes_max": 8, "file_bytes_max": 0, "files_open_max": 64},
            },
        })
    };
    Value::from_iter(SCRIPTS.map(tool)).to_string()
}

/// A playbook with a step for each of these tools.
fn steps(names: &[&str]) -> String {
    let step = |name: &&str| {
        format!(
            "[[step]]\nid = \"{name}\"\ntool = \"show.{name}\"\non_failure = \"continue\"\non_refusal = \"continue\"\n"
        )
    };
    playbook(&names.iter().map(step).collect::<String>())
}

/// The exact bytes on the standard output of a command, which is no terminal.
fn bytes(deployment: &Deployment, words: &[&str]) -> Vec<u8> {
    let output = program(Some(deployment.dir().path()), words)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{words:?}: {said}");
    assert_eq!(said, "", "{words:?}");
    output.stdout
}

/// The exit code of a command, and all that a terminal shows of it.
async fn screen(command: &mut Command, last: &str) -> (Option<i32>, String) {
    let mut terminal = Terminal::start(command, "");
    terminal.shows(last, 1).await;
    terminal.ended().await
}

fn refused(ended: &Ended, words: &[&str]) {
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(ended.printed, "");
    one_sentence(&ended.said, words);
}

#[tokio::test]
async fn outputs_are_exact_and_checked_and_never_reach_a_terminal_raw() {
    let deployment = Deployment::with(|choices| choices.catalogue = tools());
    deployment.nats().start().await;
    deployment.provision().await;
    deployment.start_all().await;
    let allowed = ["text", "binary", "large", "fail", "slow"];
    let rules = allowed.map(|name| format!("[[allow]]\ntool = \"show.{name}\"\n"));
    let contract = deployment.sign(&contract("show", &rules.concat())).await;
    let names = ["text", "binary", "large", "fail", "denied"];
    let task = deployment.submit(contract, &steps(&names)).await;
    deployment.follow(task, false).await;
    let task = task.to_string();
    let output = |more: &[&str]| run(&deployment, &[&["output", &task], more].concat());

    listed(&output(&[]), &output(&["--json"]));
    exact(&deployment, &task);
    on_a_terminal(&deployment, &task).await;
    in_a_file(&deployment, &task);
    without_output(&deployment, &task, contract).await;
    erased(&deployment, &task).await;
}

fn listed(text: &Ended, json: &Ended) {
    assert_eq!((text.code, json.code), (Some(0), Some(0)), "{text:?}");
    let lines: Vec<_> = text.printed.lines().collect();
    assert_eq!(lines.len(), 5, "{text:?}");
    has(
        lines[0],
        &["   1  ", "text: show.text  succeeded, 24 bytes"],
    );
    has(lines[3], &["   4  ", "fail: show.fail  failed, "]);
    assert!(lines[4].ends_with("denied: show.denied  refused"));
    let json: Value = serde_json::from_str(&json.printed).unwrap();
    assert_eq!(json[1]["bytes"], 3);
    assert_eq!(json[4]["bytes"], Value::Null);
}

fn exact(deployment: &Deployment, task: &str) {
    let json = run(deployment, &["output", task, "binary", "--json"]);
    let json: Value = serde_json::from_str(&json.printed).unwrap();
    assert_eq!(json["base64"], "/wAB");
    assert_eq!((&json["text"], &json["number"]), (&Value::Null, &json!(2)));
    let action = json["action"].as_str().unwrap();
    for (step, expected) in [
        ("1", TEXT),
        ("text", TEXT),
        ("show.text", TEXT),
        ("2", BINARY),
        (&action[..35], BINARY),
    ] {
        assert_eq!(
            bytes(deployment, &["output", task, step]),
            expected,
            "{step}"
        );
    }
    let large = bytes(deployment, &["output", &task[..35], "3"]);
    assert_eq!(large, b"0123456789".repeat(7000));
    assert_eq!(
        bytes(deployment, &["output", task, "4", "--stderr"]),
        STDERR
    );
    let whole = bytes(deployment, &["output", task, "4"]);
    let whole: Value = serde_json::from_slice(&whole).unwrap();
    assert_eq!(whole["code"], 3);
    let json = run(deployment, &["output", task, "fail", "--stderr", "--json"]);
    assert!(!json.printed.contains('\x1b'), "{json:?}");
    let json: Value = serde_json::from_str(&json.printed).unwrap();
    assert_eq!(json["text"], "\x1b[31mbad\n");
    assert_eq!(json["part"], "stderr");
}

async fn on_a_terminal(deployment: &Deployment, task: &str) {
    let dir = deployment.dir().path().to_owned();
    let shown = async |more: &[&str], last: &str| {
        let words = [&["output", task], more].concat();
        screen(&mut program(Some(&dir), &words), last).await
    };
    let (code, text) = shown(&["1"], "\\u{d}").await;
    assert_eq!(code, Some(0), "{text}");
    assert!(!text.contains(['\x1b', '\u{9b}']), "{text:?}");
    has(&text, &["plain\r\n\\u{1b}[2Jcleared\\u{9b}31m\\u{d}"]);
    let (code, text) = shown(&["4", "--stderr"], "bad").await;
    assert_eq!((code, text.contains('\x1b')), (Some(0), false), "{text:?}");
    for (step, words) in [
        ("2", &["3 bytes", "no text", "--file FILE"][..]),
        ("3", &["70000 bytes", "at most 65536", "--file FILE"]),
    ] {
        let (code, text) = shown(&[step], "--file FILE").await;
        assert_eq!(code, Some(1), "{text}");
        has(&text, words);
    }
}

fn in_a_file(deployment: &Deployment, task: &str) {
    let file = deployment.scratch().join("out");
    let path = file.to_str().unwrap();
    let words = ["output", task, "binary", "--file", path];
    let written = run(deployment, &words);
    assert_eq!(written.code, Some(0), "{written:?}");
    has(&written.printed, &[path, "3 bytes written"]);
    assert_eq!(fs::read(&file).unwrap(), BINARY);
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    fs::write(&file, "mine").unwrap();
    refused(&run(deployment, &words), &[path, "name a new file"]);
    assert_eq!(fs::read(&file).unwrap(), b"mine");
}

async fn without_output(deployment: &Deployment, task: &str, contract: Digest) {
    let output = |task: &str, more: &[&str]| run(deployment, &[&["output", task], more].concat());
    refused(
        &output(task, &["5"]),
        &["action 5 (denied: show.denied) has no output", "refused"],
    );
    refused(&output(task, &["1", "--stderr"]), &["it succeeded"]);
    refused(&output(task, &["6"]), &["5 actions, no 6"]);
    refused(&output("ffffffff", &["1"]), &["no task ffffffff"]);
    let ended = output(task, &["nothing"]);
    assert_eq!(ended.code, Some(64), "{ended:?}");
    let slow = deployment.submit(contract, &steps(&["slow"])).await;
    until(deployment, "action.started", 5).await;
    let slow = slow.to_string();
    refused(&output(&slow, &["1"]), &["has no output", "it is running"]);
    let cancelled = run(deployment, &["task", "cancel", &slow]);
    assert_eq!(cancelled.code, Some(0), "{cancelled:?}");
    let killed = output(&slow, &["1"]);
    has(&killed.printed, &["it was killed"]);
}

/// Bytes that were erased, or exchanged in the store, are not shown.
async fn erased(deployment: &Deployment, task: &str) {
    let record = deployment.record().await;
    let provision = deployment.client("provision").await;
    let outputs = record.of("action.finished").take(2).map(|finished| {
        let output = finished.fact["output"].clone();
        serde_json::from_value::<Content>(output).unwrap()
    });
    let subjects: Vec<_> = outputs
        .map(|output| output.subject(AuthorId::Runner, 0))
        .collect();
    for subject in &subjects {
        let purge = json!({ "filter": subject });
        let purged = provision.api("STREAM.PURGE.BLOBS", &purge).await.unwrap();
        assert_eq!(purged["purged"], json!(1), "{purged}");
    }
    let runner = deployment.client("runner").await;
    let forged = [&[0; 32][..], b"forged"].concat();
    let stored = runner.store(&subjects[1], HeaderMap::new(), &forged).await;
    assert!(stored.is_ok(), "{stored:?}");
    for step in ["1", "2"] {
        let ended = run(deployment, &["output", task, step]);
        refused(&ended, &["is not stored any more", "still proves"]);
    }
    // The gateway is not needed.
    deployment.stop(AuthorId::Gateway).await;
    assert_eq!(
        bytes(deployment, &["output", task, "4", "--stderr"]),
        STDERR
    );
}
