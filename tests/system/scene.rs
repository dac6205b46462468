//! Shared fixtures of the tests: small contracts, playbooks and catalogues, and queries of the record.

use bus_schema::{ActionId, AuthorId, TaskId};
use contractual::example;
use harness::{Deployment, Message, Record, SOON, eventually};
use serde_json::{Value, json};

/// A contract with these rules (TOML).
pub(crate) fn contract(name: &str, rules: &str) -> String {
    format!(
        "contract = \"{name}\"\nversion = 1\npurpose = \"A test\"\nowner = \"The test\"\n\
         expires = 2036-12-31\n\n[limits]\ncalls = 500\nwall_time = \"30m\"\noutput_bytes = 16777216\n\n{rules}"
    )
}

/// A playbook with these steps (TOML).
pub(crate) fn playbook(steps: &str) -> String {
    format!("playbook = \"test\"\npurpose = \"A test.\"\n\n{steps}")
}

/// A rule that allows listing the workspace.
pub(crate) const MAY_LIST: &str =
    "[[allow]]\nname = \"list\"\ntool = \"file.list\"\nwhere.path = \".\"\n";
/// A step that lists the workspace.
pub(crate) const LIST: &str =
    "[[step]]\nid = \"list\"\ntool = \"file.list\"\nargs = { path = \".\", pattern = \"*.txt\" }\n";
/// A step that no contract here allows; the task goes on after its refusal.
pub(crate) const REFUSED: &str = "[[step]]\nid = \"delete\"\ntool = \"file.delete\"\n\
     args = { path = \"a.txt\" }\non_refusal = \"continue\"\n";

/// The example's catalogue and the tool `slow.append`, which writes a line into `ran.txt` and then takes its time.
pub(crate) fn tools_with_slow_append() -> String {
    let mut tools: Vec<Value> = serde_json::from_str(example::TOOLS).unwrap();
    tools.push(json!({
        "name": "slow.append",
        "description": "Adds a line to ran.txt and waits.",
        "input_schema": {"type": "object", "properties": {}, "additionalProperties": false},
        "effect": "write",
        "risk": "low",
        "output": "trusted",
        "exec": {
            "program": "/bin/sh",
            "argv": [{"literal": "-c"}, {"literal": "echo ran >> ran.txt; exec sleep 60"}],
            "writable": true,
            "limits": {
                "wall_ms": 3000, "cpu_ms_max": 1000, "output_bytes_max": 4096,
                "memory_bytes_max": 268_435_456, "processes_max": 4, "file_bytes_max": 4096,
                "files_open_max": 64
            }
        }
    }));
    serde_json::to_string(&tools).unwrap()
}

/// The task and action of the first event of a kind.
pub(crate) fn first(record: &Record, kind: &str) -> Result<(TaskId, ActionId), String> {
    let found = record.of(kind).next();
    found
        .and_then(|one| Some((one.task()?, one.action()?)))
        .ok_or_else(|| format!("no {kind} among {}", kinds(record)))
}

/// The kinds of all stored messages, in order.
pub(crate) fn kinds(record: &Record) -> String {
    let kinds: Vec<_> = record.messages.iter().map(short).collect();
    kinds.join(" ")
}

fn short(one: &Message) -> String {
    match one.verdict {
        Ok(meta) => format!("{}:{}", meta.by, one.kind),
        Err(junk) => format!("junk({junk})"),
    }
}

/// Waits until there are `count` valid events of a kind.
pub(crate) async fn until(deployment: &Deployment, kind: &str, count: usize) -> Record {
    eventually(SOON, async || {
        let record = deployment.record().await;
        if record.count(kind) >= count {
            Ok(record)
        } else {
            Err(format!(
                "{} {kind} among {}",
                record.count(kind),
                kinds(&record)
            ))
        }
    })
    .await
}

/// Waits until policy has read all stored messages: it refuses a proposal that came later.
pub(crate) async fn policy_has_looked(deployment: &Deployment) {
    let contract = deployment.sign(&contract("barrier", MAY_LIST)).await;
    let task = deployment.submit(contract, &playbook(REFUSED)).await;
    let ran = deployment.follow(task, false).await;
    assert_eq!(ran.count("action.refused"), 1);
}

/// Waits until a service is unhealthy, with `word` in its reason.
pub(crate) async fn troubled(deployment: &Deployment, author: AuthorId, word: &str) {
    eventually(SOON, async || match deployment.health(author) {
        Err(error) if error.to_string().contains(word) => Ok(()),
        Err(error) => Err(error.to_string()),
        Ok(health) => Err(health.state),
    })
    .await;
}
