//! Fills the paths and digests of programs into a catalogue.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use contract::{CATALOGUE_BYTES_MAX, Catalogue};
use serde_json::{Map, Value};

use crate::installed::InstalledError;
use crate::mcp::McpServerEntry;
use crate::tool::ExecToolEntry;

/// A catalogue whose programs have their paths and digests.
#[derive(Debug, PartialEq, Eq)]
pub struct Pinned {
    /// Its text: the given one if nothing changed.
    pub text: String,
    /// Its programs.
    pub tools: Vec<PinnedTool>,
}

/// A tool that runs a program.
#[derive(Debug, PartialEq, Eq)]
pub struct PinnedTool {
    /// The tool.
    pub name: String,
    /// Its files, each with its SHA-256.
    pub files: Vec<(PathBuf, String)>,
    /// True if the entry was another one.
    pub is_changed: bool,
}

/// Returns the catalogue with the path of each program and the digest of each of its files, as they are on this machine
/// now. `again` replaces digests that are there.
///
/// # Errors
/// The catalogue is invalid, or a file cannot be found, read or pinned.
pub fn pin(text: &str, again: bool) -> Result<Pinned, InstalledError> {
    let catalogue = Catalogue::parse(text.as_bytes())?;
    let mut tools = Vec::new();
    let mut entries = Vec::new();
    let text_of_json = text.trim_start_matches('\u{feff}');
    let whole: Value = serde_json::from_str(text_of_json).unwrap_or_default();
    for mut entry in whole.as_array().cloned().unwrap_or_default() {
        let name = entry
            .get("name")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let (name, exec) = (name.to_owned(), entry.get_mut("exec"));
        if let Some(exec) = exec.and_then(Value::as_object_mut) {
            tools.push(pin_exec(&name, exec, again)?);
        }
        if let Some(server) = entry.pointer_mut("/mcp/server") {
            tools.push(pin_server(&name, server, again)?);
        }
        entries.push(entry);
    }
    debug_assert_eq!(entries.len(), catalogue.tools().count());
    let text = if tools.iter().any(|tool| tool.is_changed) {
        let text = serde_json::to_string_pretty(&entries).unwrap_or_default();
        format!("{text}\n")
    } else {
        text.to_owned()
    };
    Ok(Pinned { text, tools })
}

fn pin_exec(
    name: &str,
    exec: &mut Map<String, Value>,
    again: bool,
) -> Result<PinnedTool, InstalledError> {
    let before: ExecToolEntry =
        serde_json::from_value(Value::Object(exec.clone())).map_err(|error| {
            InstalledError::Entry {
                name: name.to_owned(),
                problem: error.to_string(),
            }
        })?;
    let pinned = if again || before.sha256.is_empty() {
        let pinned = before.clone().pinned();
        pinned.map_err(|source| InstalledError::Exec {
            name: name.to_owned(),
            source: source.into(),
        })?
    } else {
        before.clone()
    };
    let is_changed = pinned != before;
    if is_changed {
        let mut after = Map::new();
        let mut add = |key: &str, value: Value| after.insert(key.to_owned(), value);
        add(
            "program",
            serde_json::to_value(&pinned.program).unwrap_or_default(),
        );
        if let Some(argv0) = &pinned.argv0 {
            add("argv0", Value::from(argv0.as_str()));
        }
        add(
            "sha256",
            serde_json::to_value(&pinned.sha256).unwrap_or_default(),
        );
        for (key, value) in exec.iter() {
            after.entry(key).or_insert_with(|| value.clone());
        }
        *exec = after;
    }
    Ok(PinnedTool {
        name: name.to_owned(),
        files: pinned.sha256.into_iter().collect(),
        is_changed,
    })
}

fn pin_server(name: &str, server: &mut Value, again: bool) -> Result<PinnedTool, InstalledError> {
    let before = serde_json::from_value::<McpServerEntry>(server.clone());
    let before = before.map_err(|error| InstalledError::Entry {
        name: name.to_owned(),
        problem: error.to_string(),
    })?;
    let pinned = if again || before.lacks_digests() {
        let pinned = before.clone().pinned();
        pinned.map_err(|source| InstalledError::Mcp {
            name: name.to_owned(),
            source,
        })?
    } else {
        before.clone()
    };
    let is_changed = pinned != before;
    if is_changed {
        *server = serde_json::to_value(&pinned).unwrap_or_default();
    }
    Ok(PinnedTool {
        name: name.to_owned(),
        files: pinned.sha256.into_iter().chain(pinned.packages).collect(),
        is_changed,
    })
}

/// Pins the catalogue on standard input and writes it to standard output. Without `again`, digests that are there stay.
pub(crate) fn pin_main(again: bool) -> ExitCode {
    let mut text = String::new();
    let read = std::io::stdin()
        .lock()
        .take(CATALOGUE_BYTES_MAX as u64 + 1)
        .read_to_string(&mut text);
    let pinned = read
        .map_err(|error| error.to_string())
        .and_then(|_| pin(&text, again).map_err(|error| actor::chain(&error)));
    let written = match &pinned {
        Ok(pinned) => std::io::stdout().lock().write_all(pinned.text.as_bytes()),
        Err(problem) => writeln!(std::io::stderr().lock(), "error: {problem}"),
    };
    if pinned.is_ok() && written.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
