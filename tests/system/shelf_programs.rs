//! The programs of the shipped shelf: listed, checked, signed by name, and used by a task.

use std::{fs, process::Command};

use harness::Deployment;
use serde_json::Value;

use crate::{
    cli::{end, program, run},
    scene::{contract, playbook},
};

const RULES: &str = r#"
[[allow]]
tool = "archive.list"
where.path = { path = "inbox/**" }

[[allow]]
tool = "git.log"
where.path = { path = "inbox/**" }

[[allow]]
tool = "sqlite.query"
where.path = { path = "inbox/**" }

[[ask]]
tool = "archive.extract"
reason = "Writes files"
where.path = { path = "inbox/**" }
where.to = { path = "inbox/**" }
"#;
const STEPS: &str = r#"
[[step]]
id = "list"
tool = "archive.list"
args = { path = "inbox/a.zip" }

[[step]]
id = "extract"
tool = "archive.extract"
args = { path = "inbox/a.zip", to = "inbox/a" }

[[step]]
id = "log"
tool = "git.log"
args = { path = "inbox/a/r", revision = "HEAD", count = 3 }

[[step]]
id = "rows"
tool = "sqlite.query"
args = { path = "inbox/a/d.db", sql = "select name from t order by name" }
"#;
const MAKE: &str = "git init -q r && git -C r -c user.name=n -c user.email=n@x.example commit -q --allow-empty -m first \
    && sqlite3 d.db \"create table t(name); insert into t values ('Bob'), ('Ann')\" && bsdtar -caf a.zip r d.db \
    && rm -r r d.db";

/// Returns true if the program of every tool of the shelf is here.
fn are_here() -> bool {
    let listed = end(&mut program(None, &["tool", "shelf"]));
    assert_eq!(listed.code, Some(0), "{listed:?}");
    if listed.printed.contains("is missing") {
        harness::missing(&listed.printed);
        return false;
    }
    true
}

fn shelf() -> Vec<Value> {
    let listed = end(&mut program(None, &["tool", "shelf", "--json"]));
    serde_json::from_str(&listed.printed).unwrap()
}

#[test]
fn every_tool_of_the_shelf_is_good_and_can_be_named_alone() {
    let here = are_here();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shelf.json");
    let checked = |text: &str, names: &[&str]| {
        fs::write(&file, text).unwrap();
        let words = ["tool", "check", file.to_str().unwrap()];
        end(&mut program(None, &[&words, names].concat()))
    };
    let text = serde_json::to_string_pretty(&shelf()).unwrap();
    let names: Vec<_> = shelf()
        .iter()
        .map(|tool| tool["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names.len(), 9, "{names:?}");
    if here {
        let all = checked(&text, &[]);
        assert_eq!(all.code, Some(0), "{all:?}");
        for name in &names {
            assert!(all.printed.contains(name), "{all:?}");
        }
    }
    // A tool that is not named is not looked at.
    let other = text.replace("\"pdftotext\"", "\"/nonexistent/pdftotext\"");
    if here {
        let one = checked(&other, &["git.log"]);
        assert_eq!(one.code, Some(0), "{one:?}");
        assert!(one.printed.starts_with("good: git.log\n"), "{one:?}");
    }
    for (names, said) in [
        (["pdf.text"], "`apt install poppler-utils` on Debian"),
        (["git.lgo"], "there is no tool `git.lgo` here"),
        (["git.lgo"], "did you mean `git.log`?"),
    ] {
        let refused = checked(&other, &names);
        assert_eq!(refused.code, Some(64), "{refused:?}");
        assert!(refused.said.contains(said), "{refused:?}");
    }
}

#[test]
fn the_readme_has_a_row_for_every_tool_of_the_shelf() {
    let readme = include_str!("../../services/runner/README.md");
    for tool in shelf() {
        let name = tool["name"].as_str().unwrap();
        let row = format!("| `{name}` |");
        let row = readme.lines().find(|line| line.starts_with(&row));
        let row = row.unwrap_or_else(|| panic!("{name} is in no row"));
        // The example has the arguments of the tool.
        let example = row.split('`').find(|part| part.starts_with("{ "));
        let example = example.unwrap_or_else(|| panic!("{name} has no example"));
        let table: toml::Table = toml::from_str(&format!("args = {example}")).unwrap();
        let mut found: Vec<_> = table["args"].as_table().unwrap().keys().collect();
        found.sort();
        let mut wanted: Vec<_> = tool["input_schema"]["properties"]
            .as_object()
            .unwrap()
            .keys()
            .collect();
        wanted.sort();
        assert_eq!(found, wanted, "{name}");
    }
}

#[tokio::test]
async fn a_task_uses_tools_of_the_shelf() {
    if !are_here() {
        return;
    }
    let deployment = Deployment::running().await;
    let inbox = deployment.workspace().join("inbox");
    fs::create_dir(&inbox).unwrap();
    let mut make = Command::new("sh");
    let made = make.args(["-ec", MAKE]).current_dir(&inbox).output();
    let made = made.unwrap();
    assert!(made.status.success(), "{made:?}");
    let names = ["archive.list", "archive.extract", "git.log", "sqlite.query"];
    let words = [&["tool", "add", "--shelf"], &names[..]].concat();
    let added = run(&deployment, &words);
    assert_eq!(added.code, Some(0), "{added:?}");
    assert!(added.printed.contains("were filled in"), "{added:?}");
    let list = run(&deployment, &["tool", "list"]).printed;
    assert!(names.iter().all(|name| list.contains(name)), "{list}");
    assert!(!list.contains("pdf.text"), "{list}");

    let contract = deployment.sign(&contract("programs", RULES)).await;
    let task = deployment.submit(contract, &playbook(STEPS)).await;
    let ran = deployment.follow(task, true).await;
    assert_eq!(ran.outcome(), "succeeded", "{:?}", ran.events.last());
    // One question: the list, the log and the query were granted by the contract alone.
    assert_eq!(ran.count("action.granted"), 4, "{:?}", ran.events);
    assert_eq!(ran.count("approval.requested"), 1, "{:?}", ran.events);
    let task = task.to_string();
    let output = |step: &str| run(&deployment, &["output", &task, step]).printed;
    assert!(output("list").contains(" d.db\n"), "{}", output("list"));
    assert!(output("log").ends_with("\tn <n@x.example>\tfirst\n"));
    let rows: Value = serde_json::from_str(&output("rows")).unwrap();
    assert_eq!(rows, serde_json::json!([{"name": "Ann"}, {"name": "Bob"}]));
    assert_eq!(output("extract"), "");
}
