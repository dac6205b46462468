//! Reads tools from a file and checks them fully: each problem with its place and its repair.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use bus_schema::{ToolName, json};
use contract::{CATALOGUE_BYTES_MAX, Catalogue, CatalogueError, Effect, Tool};
use diagnostic::{Diagnostic, Diagnostics, nearest};
use runner::{Arg, ExecTool, ExecToolEntry, ToolError};
use serde_json::Value;

use super::{
    http, mcp,
    members::{EXEC_MEMBERS, LIMITS, MEMBERS, members},
    place::Place,
    programs::{Programs, outside},
    shelf::missing_program,
    uses::Uses,
};

/// A checked tool.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// Its name.
    pub(super) name: ToolName,
    /// Its entry in the catalogue.
    pub(super) value: Value,
    /// A sentence about what its calls do; none for most tools.
    pub(super) words: Option<String>,
    /// True if the digests of its program were missing and were filled in.
    pub(super) is_pinned: bool,
}

/// Reads one tool, or a list of tools; of them only those with these names, if there are any. Entries for which
/// `is_known` returns true are not checked again.
///
/// # Errors
/// All problems, each with its place.
pub(super) fn read(
    file: &str,
    text: &str,
    names: &[String],
    programs: &Programs,
    is_known: &dyn Fn(&Value) -> bool,
) -> Result<Vec<Entry>, Diagnostics> {
    if let Err(error) = json::parse(text.as_bytes(), CATALOGUE_BYTES_MAX) {
        return Err(malformed(file, text, &error).into());
    }
    let whole = Place::of(file, text);
    let tools = whole.and_then(|whole| match whole.members() {
        Some(_) => Some(vec![whole]),
        None => whole.items(),
    });
    let Some(tools) = tools else {
        let (problem, fix) = (
            "this is neither a tool nor a list of tools",
            "write `{…}` or `[{…}]`",
        );
        return Err(Diagnostic::at(file, text, 0..1, problem, fix).into());
    };
    let (mut entries, mut found) = (Vec::new(), Vec::new());
    let tools = named(file, text, tools, names, &mut found);
    let mut names = BTreeSet::new();
    for place in tools {
        let before = found.len();
        let Some(tool) = fields(&place, &mut found) else {
            continue;
        };
        let name = tool.name().clone();
        if !names.insert(name.as_str().to_lowercase()) {
            let problem = format!("`{name}` is there twice");
            found.push(
                place
                    .at(&["name"])
                    .problem(problem, "rename or remove one of them"),
            );
        }
        let value = if is_known(tool.entry()) {
            tool.entry().clone()
        } else {
            meaning(&place, &tool, programs, &mut found)
        };
        if found.len() == before {
            let is_pinned = value != *tool.entry();
            entries.push(Entry {
                name,
                value,
                words: http::words(&tool),
                is_pinned,
            });
        }
    }
    Diagnostics::none_in(found)?;
    Ok(entries)
}

/// Returns the tools with these names; all, if there are none.
fn named<'t>(
    file: &str,
    text: &str,
    tools: Vec<Place<'t>>,
    names: &[String],
    found: &mut Vec<Diagnostic>,
) -> Vec<Place<'t>> {
    if names.is_empty() {
        return tools;
    }
    let name_of = |tool: &Place<'_>| -> String {
        serde_json::from_str(tool.at(&["name"]).json()).unwrap_or_default()
    };
    let all: Vec<String> = tools.iter().map(name_of).collect();
    for name in names.iter().filter(|name| !all.contains(name)) {
        let similar = nearest(name, all.iter().map(String::as_str));
        let fix = similar.map_or_else(
            || format!("name one of {}", all.join(", ")),
            |similar| format!("did you mean `{similar}`?"),
        );
        let problem = format!("there is no tool `{name}` here");
        found.push(Diagnostic::at(file, text, 0..1, problem, fix));
    }
    let mut tools = tools;
    tools.retain(|tool| names.contains(&name_of(tool)));
    tools
}

fn malformed(file: &str, text: &str, error: &json::Error) -> Diagnostic {
    let (place, problem) = match error {
        json::Error::Malformed {
            line,
            column,
            problem,
        } => {
            let before = text.split_inclusive('\n').take(line.saturating_sub(1));
            let before: usize = before.map(str::len).sum();
            (before + column.saturating_sub(1), problem.clone())
        }
        json::Error::TooLong { .. } | json::Error::NotCanonical { .. } => (0, error.to_string()),
    };
    Diagnostic::at(
        file,
        text,
        place..place + 1,
        problem,
        "correct the JSON text there",
    )
}

/// Checks the members of an entry and reads it.
fn fields(place: &Place<'_>, found: &mut Vec<Diagnostic>) -> Option<Tool> {
    let before = found.len();
    members(place, MEMBERS, found);
    let exec = place.at(&["exec"]);
    if exec.members().is_some() && place.members().is_some_and(|all| all.contains_key("exec")) {
        members(&exec, EXEC_MEMBERS, found);
        let limits = place.at(&["exec", "limits"]);
        if exec.members().is_some_and(|all| all.contains_key("limits")) {
            members(&limits, LIMITS, found);
        }
    }
    mcp::fields(place, found);
    http::fields(place, found);
    if found.len() > before {
        return None;
    }
    match Catalogue::parse(format!("[{}]", place.json()).as_bytes()) {
        Ok(catalogue) => catalogue.into_tools().next(),
        Err(error) => {
            found.push(of_catalogue(place, &error));
            None
        }
    }
}

/// Places an error of the catalogue at the member that it is about.
fn of_catalogue(place: &Place<'_>, error: &CatalogueError) -> Diagnostic {
    if let CatalogueError::WrittenTool { problem, .. } = error
        && let Some(placed) = http::problem(place, problem)
    {
        return placed;
    }
    let (problem, key) = match error {
        CatalogueError::Schema { problem, .. } => (problem.clone(), "input_schema"),
        CatalogueError::WrittenTool { problem, .. } => (problem.clone(), key_of(problem)),
        CatalogueError::Json(_) | CatalogueError::NoList | CatalogueError::Twice { .. } => {
            (error.to_string(), "")
        }
    };
    let known = MEMBERS.iter().find(|(name, ..)| *name == key);
    let fix = known.map_or("correct this entry", |(_, _, _, fix)| *fix);
    place
        .at(&[key])
        .problem(problem, fix.replacen("add ", "write ", 1))
}

/// Returns the member that a problem of the catalogue is about.
fn key_of(problem: &str) -> &'static str {
    let begins = [
        ("the effect of", "effect"),
        ("`effect` is", "effect"),
        ("the output schema of", "output_schema"),
        ("the output of", "output"),
        ("`output` is", "output"),
        ("unknown variant", "risk"),
    ];
    let found = begins.iter().find(|(begin, _)| problem.starts_with(begin));
    found.map_or("name", |(_, key)| *key)
}

/// Checks that a tool which may change or send something says how hard a wrong call is to undo.
fn rated(place: &Place<'_>, tool: &Tool, found: &mut Vec<Diagnostic>) {
    let name = tool.name();
    if tool.effects().most() != Effect::Read && tool.written_risk().is_none() {
        let problem = format!("`{name}` may change or send something, and has no `risk`");
        let fix = "add `\"risk\": \"low\"`, \"medium\" or \"high\": how hard it is to undo a wrong call; without it, \
                   \"high\" is assumed";
        found.push(place.at(&["effect"]).problem(problem, fix));
    }
}

/// Checks what an entry means; returns it with the digests of its program.
fn meaning(
    place: &Place<'_>,
    tool: &Tool,
    programs: &Programs,
    found: &mut Vec<Diagnostic>,
) -> Value {
    let name = tool.name();
    rated(place, tool, found);
    if let Some(entry) = tool.mcp() {
        return mcp::meaning(place, tool, entry, programs, found);
    }
    let written = tool.entry().clone();
    if let Some(entry) = tool.http() {
        http::meaning(place, tool, entry, found);
        return written;
    }
    let Some(exec) = tool.exec() else {
        if runner::Tool::built_in(name.as_str()).is_none() {
            let problem = format!(
                "`{name}` has neither `exec` nor `http`, and is no tool that the runner has built in"
            );
            let names: Vec<&str> = runner::Tool::built_in_names().collect();
            let fix = format!(
                "add one of them, or use the name of a built-in tool: {}",
                names.join(", ")
            );
            found.push(place.at(&["name"]).problem(problem, fix));
        }
        return written;
    };
    let exec: ExecToolEntry = match serde_json::from_value(Value::Object(exec.clone())) {
        Ok(exec) => exec,
        Err(error) if texts(exec.get("folders")).is_none() => {
            let fix = "write `[\"/srv/data\"]`, the absolute path of each folder";
            let at = place.at(&["exec", "folders"]);
            found.push(at.problem(error.to_string(), fix));
            return written;
        }
        Err(error) => {
            let fix = "write `{\"literal\": \"…\"}` or `{\"value\": {\"name\": \"…\", \"kind\": \"text\"}}`; kinds are text, \
                       integer, list, path, paths and folder";
            found.push(place.at(&["exec", "argv"]).problem(error.to_string(), fix));
            return written;
        }
    };
    if let Err(error) = exec.is_in_range() {
        found.push(of_program(place, &error));
        return written;
    }
    template(place, tool, &exec, found);
    match programs {
        Programs::Here(workspace) => {
            readable(place, &exec.folders, workspace.as_deref(), found);
            let value = here(place, exec, written, found);
            if let Some(workspace) = workspace {
                let files = value.pointer("/exec/sha256").and_then(Value::as_object);
                let files = files.into_iter().flat_map(|files| files.keys());
                let at = place.at(&["exec", "program"]);
                let fix = "move it to a folder that only you can write, and name it there";
                outside(&at, files, workspace, fix, found);
            }
            value
        }
        Programs::InImage => {
            if exec.sha256.is_empty() {
                let problem = "the digests of the program's files are missing";
                let fix = "write the tool into the deployment's tools.json and run `deploy/stack pin`: it digests the files in \
                           the image of the runner, and signs";
                found.push(place.at(&["exec", "program"]).problem(problem, fix));
            }
            written
        }
    }
}

/// Compares the template with the schema of the arguments: each call fills every name of the template, and nothing else.
fn template(place: &Place<'_>, tool: &Tool, exec: &ExecToolEntry, found: &mut Vec<Diagnostic>) {
    let names = exec.argv.iter().filter_map(|arg| match arg {
        Arg::Value { name, .. } => Some((name.as_str(), true)),
        Arg::Literal(_) => None,
    });
    let uses = Uses {
        part: "argv",
        verb: "takes",
        at: &["exec", "argv"],
        names: names.collect(),
        unused: |name| {
            format!(
                "add `{{\"value\": {{\"name\": \"{name}\", \"kind\": \"text\"}}}}` to `argv`, or remove it here"
            )
        },
    };
    uses.compare(place, tool, found);
}

/// Compares the program's files with their digests, or fills the digests in.
fn here(
    place: &Place<'_>,
    exec: ExecToolEntry,
    written: Value,
    found: &mut Vec<Diagnostic>,
) -> Value {
    if !exec.sha256.is_empty() {
        if let Err(error) = ExecTool::try_from(exec) {
            found.push(of_program(place, &error));
        }
        return written;
    }
    match runner::pin(&format!("[{}]", place.json()), false) {
        Ok(pinned) => {
            let entries: Vec<Value> = serde_json::from_str(&pinned.text).unwrap_or_default();
            entries.into_iter().next().unwrap_or(written)
        }
        Err(error) => {
            let at = place.at(&["exec", "program"]);
            found.push(at.problem(actor::chain(&error), missing_program(at.json())));
            written
        }
    }
}

/// Returns the texts of a list, which is empty if it is left out; `None` for anything else.
fn texts(list: Option<&Value>) -> Option<Vec<&str>> {
    list.map_or(Some(Vec::new()), |list| {
        list.as_array()?.iter().map(Value::as_str).collect()
    })
}

/// Refuses folders that are not there, or that tools can write.
fn readable(
    place: &Place<'_>,
    folders: &[PathBuf],
    workspace: Option<&Path>,
    found: &mut Vec<Diagnostic>,
) {
    for folder in folders {
        let shown = folder.display();
        let overlaps = |other: &Path| folder.starts_with(other) || other.starts_with(folder);
        let problem = if !folder.is_dir() {
            format!("`{shown}` is no folder of this machine")
        } else if workspace.is_some_and(overlaps) {
            format!("`{shown}` overlaps with the workspace, which tools can write")
        } else {
            continue;
        };
        let fix = "name the folder with the data, outside of the workspace";
        found.push(place.at(&["exec", "folders"]).problem(problem, fix));
    }
}

/// Places an error of a program at the member that it is about.
fn of_program(place: &Place<'_>, error: &ToolError) -> Diagnostic {
    let (keys, problem, fix) = match error {
        ToolError::File(problem) => {
            let fix = "name a file that is there and may be executed";
            (vec!["program"], problem.to_string(), fix.to_owned())
        }
        ToolError::Pin { problem, lines } => {
            let fix = format!("if these are the files to run, write {lines}");
            (vec!["sha256"], problem.to_string(), fix)
        }
        ToolError::Write => {
            let fix = "write `\"writable\": true`, and `\"write\": true` at the paths that the program may change; or neither";
            (
                vec!["writable"],
                "`writable` and `write` differ".to_owned(),
                fix.to_owned(),
            )
        }
        ToolError::Folder(problem) => {
            let fix = "name folders with data, each by its absolute path without links";
            (vec!["folders"], problem.to_string(), fix.to_owned())
        }
        ToolError::Template => {
            let fix = "keep it under 256 entries without NUL";
            (
                vec!["argv"],
                "the template is not usable".to_owned(),
                fix.to_owned(),
            )
        }
        ToolError::Kinds { name } => {
            let fix = "give it one type";
            (
                vec!["argv"],
                format!("the argument `{name}` has two types"),
                fix.to_owned(),
            )
        }
        ToolError::Limit { limit, min, max } => {
            let fix = format!("choose {min} to {max}");
            (
                vec!["limits", *limit],
                format!("`{limit}` is out of range"),
                fix,
            )
        }
    };
    let keys = [vec!["exec"], keys].concat();
    place.at(&keys).problem(problem, fix)
}
