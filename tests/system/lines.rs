//! A small MCP server, as a fixture.

use std::{
    fs,
    path::{Path, PathBuf},
};

use harness::Deployment;
use serde_json::{Value, json};

use crate::cli::{add_tools, end, program};

const SERVER: &str = include_str!("lines_server.py");

/// Imports the server into a file below `folder`.
pub(super) fn import(folder: &Path) -> PathBuf {
    let package = folder.join("lines");
    fs::create_dir(&package).unwrap();
    let script = package.join("server.py");
    fs::write(&script, SERVER).unwrap();
    let file = folder.join("lines.json");
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let command = ["--", "/usr/bin/python3"].map(str::to_owned);
    let mut words: Vec<String> = ["tool", "import", "line", "--write", "--out"]
        .map(str::to_owned)
        .to_vec();
    words.extend([text(&file), "--package".to_owned(), text(&package)]);
    words.extend(command);
    words.push(text(&script));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let imported = end(&mut program(None, &words));
    assert_eq!(imported.code, Some(0), "{}", imported.said);
    file
}

/// Corrects the guesses of an import: the lines are the test's own, and a call ends soon.
fn correct(file: &Path) {
    let text = fs::read_to_string(file).unwrap();
    let mut entries: Value = serde_json::from_str(&text).unwrap();
    let entry = &mut entries[0];
    entry["risk"] = json!("low");
    entry["output"] = json!("trusted");
    entry["mcp"]["server"]["limits"]["wall_ms"] = json!(8_000);
    fs::write(file, entries.to_string()).unwrap();
}

/// Signs the tool `line.note` of the server, which adds a line to ran.log.
pub(super) fn sign_lines(deployment: &Deployment) {
    let file = import(deployment.scratch());
    correct(&file);
    add_tools(deployment, &file);
}
