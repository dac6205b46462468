//! Sealed values in files: in the broker's own folder, and as a secret of Docker.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    os::unix::fs::chown,
    path::Path,
    process::{Command, Stdio},
};

use harness::contractual;
use serde_json::{Value, json};

use crate::{engine::text, stack::Stack};

const BROKER: u32 = 10_005;
/// A name that has no address anywhere, so a call fails after its secret was released.
const HOST: &str = "sealed.invalid";
const CONTRACT: &str = "contract = \"sealed\"\nversion = 1\npurpose = \"A test\"\nowner = \"The test\"\nexpires = 2036-12-31\n\
     hosts = [\"sealed.invalid\"]\n[[allow]]\ntool = \"sealed.read\"\nsecrets = [\"crm\"]\n";
const PLAYBOOK: &str = "playbook = \"sealed\"\npurpose = \"A test.\"\n[[step]]\nid = \"read\"\ntool = \"sealed.read\"\n\
     on_failure = \"continue\"\n";

fn tool() -> Value {
    json!([{
        "name": "sealed.read", "description": "Reads from a host.", "effect": "read", "output": "untrusted",
        "input_schema": {"type": "object", "additionalProperties": false},
        "http": {
            "method": "GET", "host": HOST, "path": "/", "secret": "crm", "answer": {"type": "text"},
            "limits": {"wall_ms": 10_000, "request_bytes_max": 0, "answer_bytes_max": 1000},
        },
    }])
}

/// Makes a folder of the broker's user.
fn folder(path: &Path) {
    fs::create_dir(path).unwrap();
    chown(path, Some(BROKER), Some(BROKER)).unwrap();
}

/// Gives a value, sealed into a file of the folder.
fn give(stack: &Stack, words: &[&str], folder: &Path) {
    let mut command = Command::new(contractual())
        .arg("--dir")
        .arg(stack.deployment.dir().path())
        .args(words)
        .arg("--folder")
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = command.stdin.take().unwrap();
    writeln!(input, "a value that only egress sees").unwrap();
    drop(input);
    let ended = command.wait_with_output().unwrap();
    assert!(ended.status.success(), "{words:?}: {}", text(&ended));
}

/// Calls the tool, which fails; returns its error.
fn failure(stack: &Stack, contract: &str, playbook: &str) -> String {
    let output = stack.output((contract, playbook), "read");
    output["error"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_broker_reads_sealed_values_from_its_folder_and_from_a_secret_of_docker() {
    let Some(stack) = Stack::files().await else {
        return;
    };
    let dir = stack.deployment.dir().path().to_owned();
    let own = dir.join("broker/secrets");
    folder(&own);
    stack.script(&["start"]);
    let tools = stack.document("tools.json", &tool().to_string());
    stack.said(&["tool", "add", &tools, "--yes"]);
    let inject = "header:authorization=Bearer {}";
    let set = ["secret", "set", "crm", "--host", HOST, "--inject", inject];
    give(&stack, &set, &own);
    let contract = stack.document("contract.toml", CONTRACT);
    let playbook = stack.document("playbook.toml", PLAYBOOK);
    stack.said(&["contract", "sign", &contract]);

    let error = failure(&stack, &contract, &playbook);
    assert!(!error.contains("secret"), "{error}");
    let released = stack.deployment.record().await.count("secret.released");
    assert_eq!(released, 1);
    fs::remove_file(own.join("crm.1")).unwrap();
    let error = failure(&stack, &contract, &playbook);
    assert!(error.contains("not in the broker's folder"), "{error}");

    // As the documents say it.
    let sealed = stack.deployment.scratch().join("sealed");
    folder(&sealed);
    give(&stack, &["secret", "rotate", "crm"], &sealed);
    let mut config = OpenOptions::new()
        .append(true)
        .open(dir.join("broker/config.toml"))
        .unwrap();
    writeln!(config, "secret_files = \"/run/secrets\"").unwrap();
    let file = sealed.join("crm.2");
    let services = format!(
        "services:\n  broker:\n    secrets: [crm.2]\nsecrets:\n  crm.2: {{file: {}}}\n",
        file.display()
    );
    fs::write(dir.join("folders.yml"), services).unwrap();
    stack.script(&["start"]);
    let error = failure(&stack, &contract, &playbook);
    assert!(!error.contains("secret"), "{error}");
    let released = stack.deployment.record().await.count("secret.released");
    assert_eq!(released, 2);
}
