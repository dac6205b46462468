//! `tool import`: starts an MCP server in the cage and writes an entry for each tool that it lists.

mod container;
mod entry;
mod openapi;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use runner::{InspectError, Inspected, Limits, ListedTool, McpPath, McpServerEntry};
use serde::Serialize;
use serde_json::{Map, Value, json};

use self::entry::{ImportedTool, check, open, valid, write, written};
use crate::{Error, Output, fact::summary};

/// Most characters of a description that are taken over.
const DESCRIPTION_CHARS: usize = 1000;
/// The bounds of a server, which the written file shows and a person can change.
const LIMITS: Limits = Limits {
    wall_ms: 60_000,
    cpu_ms_max: 600_000,
    output_bytes_max: 1024 * 1024,
    memory_bytes_max: 4 * 1024 * 1024 * 1024,
    processes_max: 32,
    file_bytes_max: 64 * 1024 * 1024,
    files_open_max: 256,
    added_bytes_max: 64 * 1024 * 1024,
    added_files_max: 1000,
};

/// `tool import …`
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Example: contractual tool import files --package /opt/mcp/files --write \\\n    \
    -- node /opt/mcp/files/node_modules/@modelcontextprotocol/server-filesystem/dist/index.js '{workspace}'\n\n\
    Starts the server in the cage, on an empty workspace, without a network. Writes NAME.json with one entry for each tool \
    that the server lists: its schema, the digests of all files, and a guess of effect and risk. The guess comes from \
    what the server says of itself and from --write. Read it before you sign the file with `tool add`. In arguments and \
    variables `{workspace}` stands for the path of the workspace.\n\n\
    Exit codes: 0 written · 1 the server did not start · 64 an argument is not valid"
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    of: Option<Source>,
    /// The first part of the tools' names, such as files.
    #[arg(required = true)]
    name: Option<String>,
    /// A folder of which all files belong to the server, such as the one with its node_modules.
    #[arg(long, value_name = "DIR")]
    package: Vec<PathBuf>,
    /// A variable of the server, such as MEMORY_FILE_PATH={workspace}/memory.json.
    #[arg(long, value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// A file or folder of the workspace that the server sees; all of it if left out.
    #[arg(long, value_name = "PATH")]
    path: Vec<String>,
    /// A folder outside of the workspace that the server may read.
    #[arg(long, value_name = "DIR")]
    folder: Vec<PathBuf>,
    /// The server may write what it sees of the workspace.
    #[arg(long)]
    write: bool,
    /// An image with the programs, made from that of the runner: the server starts in a container of it. `deploy/stack
    /// import` sets this.
    #[arg(long, value_name = "IMAGE")]
    image: Option<String>,
    /// The profile of system calls of that container.
    #[arg(long, value_name = "FILE", requires = "image")]
    seccomp: Option<PathBuf>,
    /// The file to write; NAME.json if left out.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace the file.
    #[arg(long)]
    force: bool,
    /// The program of the server, and its arguments.
    #[arg(last = true, required = true)]
    command: Vec<String>,
}

/// A source of tools that is no server.
#[derive(Debug, Subcommand)]
enum Source {
    /// Write an entry for each chosen operation of an OpenAPI document.
    Openapi(openapi::Arguments),
}

/// The output of the command.
#[derive(Debug, Serialize)]
struct Imported<'a> {
    file: &'a Path,
    protocol: String,
    tools: Vec<ImportedTool>,
}

impl Arguments {
    pub(super) async fn run(mut self, out: &Output) -> Result<(), Error> {
        if let Some(Source::Openapi(arguments)) = self.of.take() {
            return arguments.run(out);
        }
        let name = self.name.clone().unwrap_or_default();
        let default = PathBuf::from(format!("{name}.json"));
        let file = self.out.clone().unwrap_or(default);
        check(&file, self.force)?;
        let server = self.server()?;
        let writable = server.writable;
        let inspected = match &self.image {
            Some(image) => container::inspect(image, self.seccomp.as_deref(), &server).await?,
            None => here(server).await?,
        };
        let server = serde_json::to_value(&inspected.server).unwrap_or_default();
        let (mut entries, mut tools) = (Vec::new(), Vec::new());
        for tool in &inspected.tools {
            let (entry, row) = imported(&name, tool, &server, writable);
            entries.extend(entry);
            tools.push(row);
        }
        if entries.is_empty() {
            return Err(Error::Refused(
                "the server lists no tool that can be imported".to_owned(),
            ));
        }
        write(&file, &entries, self.force)?;
        let printed = Imported {
            file: &file,
            protocol: inspected.version,
            tools,
        };
        out.print(&printed, || text(&printed));
        Ok(())
    }

    fn server(&self) -> Result<McpServerEntry, Error> {
        let mut command = self.command.iter().cloned();
        let mut env = BTreeMap::new();
        for variable in &self.env {
            let (name, value) = variable.split_once('=').ok_or_else(|| {
                Error::Document(format!("`{variable}` is no variable; write NAME=VALUE"))
            })?;
            env.insert(name.to_owned(), value.to_owned());
        }
        let mut paths = Vec::new();
        for path in &self.path {
            let path = path
                .clone()
                .try_into()
                .map_err(|error| Error::Document(format!("--path {path}: {error}")))?;
            let write = self.write;
            paths.push(McpPath { path, write });
        }
        let mut packages = BTreeMap::new();
        for folder in &self.package {
            let real = match &self.image {
                // Its paths are not those of this machine.
                Some(_) => folder.clone(),
                None => folder.canonicalize().map_err(|error| {
                    Error::Document(format!("--package {}: {error}", folder.display()))
                })?,
            };
            packages.insert(real, String::new());
        }
        let entry = McpServerEntry {
            program: PathBuf::from(command.next().unwrap_or_default()),
            argv0: None,
            sha256: BTreeMap::new(),
            packages,
            argv: command.collect(),
            env,
            paths,
            folders: self.folder.clone(),
            writable: self.write,
            limits: LIMITS,
            idle_ms: None,
        };
        Ok(entry)
    }
}

/// Inspects a server with the programs of this machine.
async fn here(server: McpServerEntry) -> Result<Inspected, Error> {
    let inspected = runner::inspect_here(server, &std::env::temp_dir()).await;
    inspected.map_err(|error| match &error {
        InspectError::Entry(_) => Error::Document(actor::chain(&error)),
        InspectError::Server(_) | InspectError::Ground(_) | InspectError::Text(_) => {
            Error::Refused(actor::chain(&error))
        }
    })
}

/// Makes the entry of a tool, and its row.
fn imported(
    prefix: &str,
    tool: &ListedTool,
    server: &Value,
    writable: bool,
) -> (Option<Value>, ImportedTool) {
    let listed = &tool.entry;
    let text = |key: &str| listed.get(key).and_then(Value::as_str).unwrap_or_default();
    let name = format!("{prefix}.{}", text("name"));
    let (effect, risk, because) = guessed(listed, writable);
    let mut entry = Map::new();
    entry.insert("name".to_owned(), json!(name));
    entry.insert(
        "description".to_owned(),
        json!(summary(text("description"), DESCRIPTION_CHARS)),
    );
    let schema = listed.get("inputSchema").cloned().unwrap_or_default();
    entry.insert("input_schema".to_owned(), schema);
    entry.insert("effect".to_owned(), json!(effect));
    if let Some(risk) = risk {
        entry.insert("risk".to_owned(), json!(risk));
    }
    if let Some(idempotent) = listed.pointer("/annotations/idempotentHint") {
        entry.insert("idempotent".to_owned(), idempotent.clone());
    }
    entry.insert("output".to_owned(), json!("untrusted"));
    let mcp = json!({"server": server, "tool": text("name"), "listed": tool.sha256});
    entry.insert("mcp".to_owned(), mcp);
    let results = results(listed.get("outputSchema"));
    let (entry, because) = match valid(entry, Some(results)) {
        Ok(entry) if entry.get("output_schema").is_some() => (Some(entry), because),
        Ok(entry) => {
            let because = format!("{because}; its output schema cannot be used");
            (Some(entry), because)
        }
        Err(problem) => (None, format!("left out: {problem}")),
    };
    let row = ImportedTool {
        name,
        effect,
        risk,
        because,
        imported: entry.is_some(),
    };
    (entry, row)
}

/// Guesses effect and risk. The cage has no network, so nothing is outward; a server that may not write only reads.
fn guessed(listed: &Value, writable: bool) -> (&'static str, Option<&'static str>, String) {
    let hint = |key: &str| {
        let hint = listed.pointer(&format!("/annotations/{key}"));
        hint.and_then(Value::as_bool)
    };
    let (effect, risk, because) = match (writable, hint("readOnlyHint"), hint("destructiveHint")) {
        (false, ..) => ("read", None, "the server may not write"),
        (true, Some(true), _) => ("read", None, "the server says that it only reads"),
        (true, _, Some(false)) => (
            "write",
            Some("medium"),
            "the server says that it destroys nothing",
        ),
        (true, _, Some(true)) => ("write", Some("high"), "the server says that it may destroy"),
        (true, _, None) => (
            "write",
            Some("high"),
            "the server does not say what it does",
        ),
    };
    (effect, risk, because.to_owned())
}

/// The schema of the results: that of the output of an MCP tool, with the server's own for what is structured.
fn results(structured: Option<&Value>) -> Value {
    let text = json!({"type": "string"});
    let item = json!({
        "type": "object", "properties": {"type": text, "text": text}, "additionalProperties": true,
    });
    let mut schema = json!({
        "type": "object",
        "properties": {"content": {"type": "array", "items": item}},
        "required": ["content"],
        "additionalProperties": true,
    });
    if let Some(structured) = structured
        && let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut)
    {
        properties.insert("structuredContent".to_owned(), open(structured));
    }
    schema
}

fn text(printed: &Imported<'_>) -> String {
    let mut lines = vec![format!("the server speaks MCP {}", printed.protocol)];
    lines.extend(written(&printed.tools, printed.file));
    lines.join("\n")
}
