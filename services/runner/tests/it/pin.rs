//! Tests the stage that fills digests into a catalogue inside the image of the runner.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

/// Runs the stage with options on a catalogue.
fn pinned(options: &[&str], catalogue: &Value) -> Value {
    let mut stage = Command::new(env!("CARGO_BIN_EXE_runner"))
        .arg(runner::PIN_STAGE)
        .args(options)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut to = stage.stdin.take().unwrap();
    to.write_all(catalogue.to_string().as_bytes()).unwrap();
    drop(to);
    let output = stage.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Two tools: one with a digest that is not that of the file, one without, whose results have a field of that name.
fn catalogue() -> Value {
    let tool = |name: &str| {
        json!({
            "name": name, "description": "A shell.", "effect": "read", "output": "untrusted",
            "input_schema": {"type": "object", "properties": {}},
            "output_schema": {"type": "object", "properties": {"sha256": {"type": "string"}}},
            "exec": {
                "program": "sh", "argv": [{"literal": "-c"}, {"literal": "echo"}], "writable": false,
                "limits": {
                    "wall_ms": 1000, "cpu_ms_max": 1000, "output_bytes_max": 1000, "processes_max": 1,
                    "memory_bytes_max": 100_000_000, "file_bytes_max": 0, "files_open_max": 16,
                },
            },
        })
    };
    let (mut pinned, open) = (tool("pinned"), tool("open"));
    let exec = pinned.pointer_mut("/exec").unwrap();
    let exec = exec.as_object_mut().unwrap();
    exec.insert("program".to_owned(), json!("/usr/bin/other"));
    let files = json!({"/usr/bin/other": "0".repeat(64)});
    exec.insert("sha256".to_owned(), files);
    json!([pinned, open])
}

#[test]
fn only_missing_digests_are_filled_in() {
    let before = catalogue();
    let after = pinned(&[], &before);
    assert_eq!(after[0], before[0]);
    let files = after[1]["exec"]["sha256"].as_object().unwrap();
    assert!(
        files
            .values()
            .all(|digest| digest.as_str().unwrap().len() == 64)
    );
    assert!(!files.is_empty());
    assert_eq!(pinned(&[], &after), after);
}

#[test]
fn all_digests_are_replaced_on_demand() {
    let mut before = catalogue();
    before[0]["exec"]["program"] = json!("sh");
    let after = pinned(&["--again"], &before);
    let sha256 = |tool: usize| after[tool]["exec"]["sha256"].clone();
    assert_eq!(sha256(0), sha256(1));
}
