//! The commands that read, compare, replay and write contracts.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use bus_schema::{AuthorId, Content, TaskId};
use contractual::example;
use harness::{Deployment, Record};
use serde_json::{Value, json};

use crate::cli::{Ended, end, program, run};

fn written(deployment: &Deployment, name: &str, text: &str) -> String {
    let path = deployment.scratch().join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The verdicts of `contract decide` on calls.
fn decided(contract: &str, tools: &str, calls: &[(&str, Value)]) -> Vec<String> {
    let mut command = program(
        None,
        &[
            "contract",
            "decide",
            "--contract",
            contract,
            "--tools",
            tools,
        ],
    );
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    for (at, (tool, args)) in calls.iter().enumerate() {
        let line = json!({"task": format!("t{at}"), "call": at, "tool": tool, "args": args});
        writeln!(input, "{line}").unwrap();
    }
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let said = String::from_utf8(output.stdout).unwrap();
    let word = |line: &str| {
        let said: Value = serde_json::from_str(line).unwrap();
        said["verdict"].as_str().unwrap().to_owned()
    };
    said.lines().map(word).collect()
}

#[test]
fn show_diff_and_new_need_no_deployment() {
    let scratch = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = scratch.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (tools, old) = (
        file("tools.json", example::TOOLS),
        file("old.toml", example::CONTRACT),
    );
    let wider = example::CONTRACT.replace(
        "where.path = { path = \"*.txt\" }",
        "where.path = { path = \"**/*.txt\" }",
    );
    let test = "\n[[test]]\ncall = { tool = \"file.read\", args = { path = \"sub/a.txt\" } }\nexpect = \"allow\"\n";
    let new = file("new.toml", &format!("{wider}{test}"));
    let nowhere = scratch.path().join("nowhere");
    let say = |arguments: &[&str]| -> Ended { end(&mut program(Some(&nowhere), arguments)) };

    let shown = say(&["contract", "show", &old, "--tools", &tools]);
    assert_eq!(shown.code, Some(0), "{}", shown.said);
    for rule in [
        "list-the-folder",
        "read-invoices",
        "add-up-invoices",
        "write-the-report",
    ] {
        assert!(shown.printed.contains(rule), "{}", shown.printed);
    }
    let same = say(&["contract", "diff", &old, &old, "--tools", &tools]);
    assert_eq!((same.code, same.said.as_str()), (Some(0), ""));
    let differs = say(&["contract", "diff", &old, &new, "--tools", &tools]);
    assert_eq!(differs.code, Some(2), "{}", differs.said);
    assert!(
        differs.printed.contains("becomes allowed: file.read"),
        "{}",
        differs.printed
    );
    let broken = file("broken.toml", "contract = 1");
    let broken = say(&["contract", "diff", &old, &broken, "--tools", &tools]);
    assert_eq!(broken.code, Some(64));
    assert!(broken.said.contains("broken.toml"), "{}", broken.said);

    let made = scratch.path().join("made.toml");
    let made = made.to_str().unwrap();
    let new = [
        "contract",
        "new",
        "--task-text",
        "Add up my invoices",
        "--tools",
        &tools,
        "--out",
        made,
    ];
    let first = say(&new);
    assert_eq!(first.code, Some(0), "{}", first.said);
    let checked = say(&["contract", "check", made, "--tools", &tools]);
    assert_eq!(checked.code, Some(0), "{}", checked.said);
    // An existing file is not overwritten.
    assert_ne!(say(&new).code, Some(0));
    // The draft is only for this text, and the calls have none.
    let calls = [("file.read", json!({"path": "a.txt"}))];
    assert_eq!(decided(made, &tools, &calls), ["refused"]);
}

#[tokio::test]
async fn recorded_task_is_replayed_and_made_into_a_contract_of_its_own() {
    let deployment = Deployment::running().await;
    let ran = deployment.run_demo_task().await;
    let record = deployment.record().await;
    let verdicts = ["action.granted", "action.refused", "approval.requested"];
    let verdicts: usize = verdicts.iter().map(|kind| record.count(kind)).sum();
    let shown = run(&deployment, &["contract", "show", "stocktake"]);
    assert_eq!(shown.code, Some(0), "{}", shown.said);
    assert!(shown.printed.contains("read-invoices"), "{}", shown.printed);

    let again = run(&deployment, &["contract", "replay", "--json"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    let lines: Vec<Value> = again
        .printed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let (counts, each) = lines.split_last().unwrap();
    assert_eq!(each.len(), verdicts);
    assert_eq!(counts["identical"], verdicts);

    other_contract(&deployment, ran.task);
    made_from(&deployment, ran.task);
    erased(&deployment, &record, verdicts).await;
}

/// Under another contract, only the verdicts differ that it changes.
fn other_contract(deployment: &Deployment, task: TaskId) {
    let stricter = example::CONTRACT.replace(
        "where.path = { path = \"*.txt\" }",
        "where.path = { path = \"*-10-*.txt\" }",
    );
    let stricter = stricter.split("[[test]]").next().unwrap().to_owned();
    let stricter = written(deployment, "stricter.toml", &stricter);
    let task = task.to_string();
    let other = run(
        deployment,
        &[
            "contract",
            "replay",
            "--contract",
            &stricter,
            "--task",
            &task,
        ],
    );
    assert_eq!(other.code, Some(2), "{other:?}");
    let differing: Vec<&str> = other
        .printed
        .lines()
        .filter(|line| line.starts_with("message"))
        .collect();
    assert_eq!(differing.len(), 3, "{}", other.printed);
    let all = differing
        .iter()
        .all(|line| line.contains("file.read") && line.contains("now refused by `default`"));
    assert!(all, "{}", other.printed);
}

/// A contract from a recorded task permits the calls of the task, and no others.
fn made_from(deployment: &Deployment, task: TaskId) {
    let (made, task) = (deployment.scratch().join("made.toml"), task.to_string());
    let made = made.to_str().unwrap();
    let new = run(
        deployment,
        &["contract", "new", "--from", &task, "--yes", "--out", made],
    );
    assert_eq!(new.code, Some(0), "{}", new.said);
    let checked = run(deployment, &["contract", "check", made]);
    assert_eq!(checked.code, Some(0), "{}", checked.said);
    let tools = written(deployment, "tools.json", example::TOOLS);
    let (mut calls, mut expected) = (Vec::new(), Vec::new());
    for name in ["2026-09-kessel-heating.txt", "2026-10-lindgren-coffee.txt"] {
        // The listing that named these files is untrusted.
        calls.push(("file.read", json!({"path": name})));
        expected.push("ask");
        calls.push(("file.read", json!({"path": format!("other-{name}")})));
        expected.push("refused");
    }
    calls.push(("file.list", json!({"path": ".", "pattern": "*.txt"})));
    expected.push("granted");
    calls.push(("file.list", json!({"path": "."})));
    expected.push("refused");
    calls.push(("file.list", json!({"path": "invoices", "pattern": "*.txt"})));
    expected.push("refused");
    calls.push(("file.delete", json!({"path": "report.md"})));
    expected.push("refused");
    assert_eq!(decided(made, &tools, &calls), expected);
}

/// Replay reports a verdict that it cannot decide again, because content was erased.
async fn erased(deployment: &Deployment, record: &Record, verdicts: usize) {
    let proposed = record.of("action.proposed").next().unwrap();
    let args: Content = serde_json::from_value(proposed.fact["args"].clone()).unwrap();
    let subject = args.subject(AuthorId::Worker, 0);
    let provision = deployment.client("provision").await;
    let purged = provision
        .api("STREAM.PURGE.BLOBS", &json!({"filter": subject}))
        .await
        .unwrap();
    assert_eq!(purged["purged"], json!(1), "{purged}");
    let erased = run(deployment, &["contract", "replay"]);
    assert_eq!(erased.code, Some(0), "{erased:?}");
    assert!(
        erased
            .printed
            .contains("on record, erased\n  the arguments were erased"),
        "{}",
        erased.printed
    );
    let summary = format!(
        "{} verdicts are identical, 0 differ, 1 depend on bytes that were erased",
        verdicts - 1
    );
    assert!(erased.printed.contains(&summary), "{}", erased.printed);
}
