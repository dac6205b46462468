//! The file tools of the shipped catalogue in one task: what one returns is what the next one takes.

use std::fs;

use contractual::example;
use harness::Deployment;
use serde_json::Value;

use crate::{
    cli::run,
    scene::{contract, playbook},
};

const RULES: &str =
    "[[allow]]\ntools = [\"file.*\", \"text.*\", \"json.*\", \"csv.*\", \"time.*\"]\n";
const STEPS: &str = r#"
[[step]]
id = "now"
tool = "time.now"
args = { zone = "Europe/Berlin" }

[[step]]
id = "find"
tool = "file.search"
args = { path = "notes", pattern = "^rent", regex = true, glob = "*.md" }

[[step]]
id = "trash"
for_each = "{find.matches}"
tool = "file.trash"
args = { path = "{item.path}" }

[[step]]
id = "back"
for_each = "{trash}"
tool = "file.move"
args = { path = "{item.to}", to = "kept/{item.path}" }

[[step]]
id = "compare"
tool = "text.diff"
args = { path = "old.txt", to = "new.txt" }

[[step]]
id = "patch"
tool = "file.patch"
args = { path = "old.txt", diff = "{compare.diff}" }

[[step]]
id = "json"
tool = "json.query"
args = { path = "a.json", pointers = ["/items/1"] }

[[step]]
id = "csv"
tool = "csv.query"
args = { path = "a.csv", equals = { city = "{json.values[0].value}" } }
"#;

#[tokio::test]
async fn what_one_file_tool_returns_is_what_the_next_one_takes() {
    let deployment = Deployment::running().await;
    let at = |name: &str| deployment.workspace().join(name);
    fs::create_dir(at("notes")).unwrap();
    for (name, text) in [
        ("notes/a.md", "# Home\nrent 900\n"),
        ("notes/b.md", "no rent here\n"),
        ("old.txt", "one\ntwo\n"),
        ("new.txt", "one\nTWO\n"),
        ("a.json", r#"{"items": ["Köln", "Bonn"]}"#),
        ("a.csv", "name,city\nAnn,Bonn\nBob,Köln\n"),
    ] {
        fs::write(at(name), text).unwrap();
    }
    let contract = deployment.sign(&contract("shelf", RULES)).await;
    let task = deployment.submit(contract, &playbook(STEPS)).await;
    let ran = deployment.follow(task, true).await;
    assert_eq!(ran.outcome(), "succeeded", "{:?}", ran.events.last());
    assert_eq!(
        fs::read_to_string(at("kept/notes/a.md")).unwrap(),
        "# Home\nrent 900\n"
    );
    assert!(!at("notes/a.md").exists() && at("notes/b.md").exists());
    assert_eq!(fs::read_to_string(at("old.txt")).unwrap(), "one\nTWO\n");
    let task = task.to_string();
    let output = |step: &str| -> Value {
        let printed = run(&deployment, &["output", &task, step]).printed;
        serde_json::from_str(&printed).unwrap()
    };
    assert_eq!(output("csv")["rows"][0]["name"], "Ann");
    assert_eq!(output("find")["matches"][0]["line"], 2);
    assert_eq!(output("time.now")["zone"], "Europe/Berlin");
    // Each tool of the shelf is in the catalogue under the name that the runner knows.
    let tools: Vec<Value> = serde_json::from_str(example::TOOLS).unwrap();
    let built_in = tools.iter().filter(|tool| tool.get("exec").is_none());
    for tool in built_in {
        let name = tool["name"].as_str().unwrap();
        let known = name == "time.now" || runner::FileTool::named(name).is_some();
        assert!(known, "{name}");
    }
}
