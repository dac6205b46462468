//! The parts that every import has: entries for a catalogue, and a row for each tool.

use std::{io::Write as _, path::Path};

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::Error;

/// One tool, as the command prints it.
#[derive(Debug, Serialize)]
pub(super) struct ImportedTool {
    pub(super) name: String,
    pub(super) effect: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) risk: Option<&'static str>,
    /// The reason for the guess, or for leaving the tool out.
    pub(super) because: String,
    /// False if its schema is one that contracts cannot bound.
    pub(super) imported: bool,
}

/// Returns the entry with the schema of its results, or without it if it cannot be used.
pub(super) fn valid(entry: Map<String, Value>, results: Option<Value>) -> Result<Value, String> {
    if let Some(results) = results {
        let mut with_results = entry.clone();
        with_results.insert("output_schema".to_owned(), results);
        let with_results = Value::Object(with_results);
        if is_valid(&with_results).is_ok() {
            return Ok(with_results);
        }
    }
    let entry = Value::Object(entry);
    is_valid(&entry).map(|()| entry)
}

/// Says in words what JSON Schema means without them: an object may have further properties. In a catalogue it may not.
pub(super) fn open(schema: &Value) -> Value {
    match schema {
        Value::Object(members) => {
            let mut opened: Map<String, Value> = members
                .iter()
                .map(|(key, value)| match key.as_str() {
                    // These hold values, not schemas.
                    "const" | "enum" | "default" | "examples" => (key.clone(), value.clone()),
                    _ => (key.clone(), open(value)),
                })
                .collect();
            if members.get("type").is_some_and(|kind| kind == "object") {
                opened
                    .entry("additionalProperties")
                    .or_insert(Value::Bool(true));
            }
            Value::Object(opened)
        }
        Value::Array(values) => values.iter().map(open).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => schema.clone(),
    }
}

fn is_valid(entry: &Value) -> Result<(), String> {
    let text = json!([entry]).to_string();
    let parsed = contract::Catalogue::parse(text.as_bytes());
    parsed.map(drop).map_err(|error| error.to_string())
}

pub(super) fn write(file: &Path, entries: &[Value], force: bool) -> Result<(), Error> {
    let text = serde_json::to_string_pretty(entries).unwrap_or_default();
    let mut options = std::fs::File::options();
    options.write(true).truncate(true);
    if force {
        options.create(true);
    } else {
        options.create_new(true);
    }
    let written = options.open(file).and_then(|mut to| writeln!(to, "{text}"));
    written.map_err(|error| Error::Refused(format!("{}: {error}", file.display())))
}

/// Checks that the file to write does not exist, unless it may be replaced.
pub(super) fn check(file: &Path, force: bool) -> Result<(), Error> {
    if file.exists() && !force {
        let file = file.display();
        return Err(Error::Document(format!(
            "{file} exists; name another file with --out, or replace it with --force"
        )));
    }
    Ok(())
}

/// The lines about the tools, and what to do with the written file.
pub(super) fn written(tools: &[ImportedTool], file: &Path) -> Vec<String> {
    let file = file.display();
    let mut lines = rows(tools);
    lines.push(format!(
        "{file}: effect and risk are guesses; read them, and correct the file"
    ));
    lines.push(format!(
        "next: `contractual tool add {file}` signs the tools"
    ));
    lines
}

pub(super) fn rows(tools: &[ImportedTool]) -> Vec<String> {
    let row = |tool: &ImportedTool| {
        let risk = tool.risk.unwrap_or("");
        let effect = if tool.imported { tool.effect } else { "-" };
        let (name, because) = (&tool.name, &tool.because);
        format!("{name:<32} {effect:<7} {risk:<7} {because}")
    };
    tools.iter().map(row).collect()
}
