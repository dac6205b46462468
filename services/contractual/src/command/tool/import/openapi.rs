//! `tool import openapi`: writes an entry for each chosen operation of an OpenAPI document.

use std::path::PathBuf;

use clap::Args;
use contract::Endpoint;
use serde::Serialize;

use super::entry::{ImportedTool, check, open, rows, valid, write, written as lines};
use crate::openapi::{Document, Operation, Target};
use crate::{Error, Output};

/// Most operations that one file takes.
const TOOLS_MAX: usize = 64;

/// `tool import openapi …`
#[derive(Debug, Args)]
#[command(
    after_help = "Example: contractual tool import openapi petstore.json --host api.example.com --only listPets,getPet\n\n\
    Reads a document of OpenAPI 3.0 or 3.1 in JSON. Without --only it lists the operations. With it, it writes NAME.json \
    with one entry of kind `http` for each of them: host, path, parameters, body, answer and schemas, and a guess of effect and \
    risk. The document never chooses the host. Texts, numbers and truth values are sent in paths, queries and headers, and JSON as the body; \
    an operation that needs anything else is left out. Read the file before you sign it with `tool add`.\n\n\
    Exit codes: 0 written or listed · 1 no operation can be a tool · 64 an argument is not valid"
)]
pub(super) struct Arguments {
    /// The document.
    #[arg(value_name = "FILE")]
    document: PathBuf,
    /// The host that the tools send to, with a port if it is not 443.
    #[arg(long, value_name = "HOST", requires = "only")]
    host: Option<Endpoint>,
    /// An operation, by its `operationId` as the list shows it; several with commas.
    #[arg(
        long,
        value_name = "OPERATION",
        value_delimiter = ',',
        requires = "host"
    )]
    only: Vec<String>,
    /// The first part of the tools' names; the name of the document's file if left out.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The path before the paths of the document, such as /v2; that of the document's server if left out.
    #[arg(long, value_name = "PATH")]
    base: Option<String>,
    /// The file to write; NAME.json if left out.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace the file.
    #[arg(long)]
    force: bool,
}

/// The operations of a document, as the command prints them.
#[derive(Debug, Serialize)]
struct ListedOperations<'d> {
    servers: Vec<&'d str>,
    operations: Vec<ListedOperation<'d>>,
}

#[derive(Debug, Serialize)]
struct ListedOperation<'d> {
    operation: String,
    method: String,
    path: &'d str,
    summary: String,
}

/// The entries that were written, as the command prints them.
#[derive(Debug, Serialize)]
struct Written {
    file: PathBuf,
    tools: Vec<ImportedTool>,
}

impl Arguments {
    pub(super) fn run(self, out: &Output) -> Result<(), Error> {
        let shown = self.document.display();
        let bytes = std::fs::read(&self.document)
            .map_err(|error| Error::Document(format!("{shown}: {error}")))?;
        let document = Document::read(&bytes)
            .map_err(|problem| Error::Document(format!("{shown}: {problem}")))?;
        let operations = document.operations();
        let Some(endpoint) = self.host.clone() else {
            list(&document, &operations, out);
            return Ok(());
        };
        let chosen = self.chosen(&operations)?;
        let prefix = self.prefix()?;
        let file = self.out.clone();
        let file = file.unwrap_or_else(|| PathBuf::from(format!("{prefix}.json")));
        check(&file, self.force)?;
        let base = self.base.clone();
        let base = base.or_else(|| document.base(&endpoint));
        let target = Target {
            prefix,
            endpoint,
            base: base.unwrap_or_default().trim_end_matches('/').to_owned(),
        };
        let (mut entries, mut tools) = (Vec::new(), Vec::new());
        for operation in chosen {
            let (entry, row) = imported(&target, &document, operation);
            entries.extend(entry);
            tools.push(row);
        }
        let written = Written { file, tools };
        if entries.is_empty() {
            let rows = rows(&written.tools).join("\n");
            return Err(Error::Refused(format!(
                "none of the operations can be a tool:\n{rows}"
            )));
        }
        write(&written.file, &entries, self.force)?;
        out.print(&written, || lines(&written.tools, &written.file).join("\n"));
        Ok(())
    }

    fn chosen<'o, 'd>(
        &self,
        operations: &'o [Operation<'d>],
    ) -> Result<Vec<&'o Operation<'d>>, Error> {
        if self.only.len() > TOOLS_MAX {
            return Err(Error::Document(format!(
                "--only names more than {TOOLS_MAX} operations; choose those that the contract needs"
            )));
        }
        let find = |name: &String| {
            let found = operations.iter().find(|operation| operation.id == *name);
            found.ok_or_else(|| {
                Error::Document(format!(
                    "--only {name}: the document has no such operation; without --host and --only the command lists them"
                ))
            })
        };
        self.only.iter().map(find).collect()
    }

    fn prefix(&self) -> Result<String, Error> {
        let stem = self.document.file_stem().and_then(|stem| stem.to_str());
        let name = self.name.as_deref().or(stem).unwrap_or_default();
        let is_plain = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
        if name.is_empty() || !name.bytes().all(is_plain) {
            return Err(Error::Document(format!(
                "`{name}` cannot be the first part of a tool's name; give one with --name, such as --name crm"
            )));
        }
        Ok(name.to_owned())
    }
}

/// Makes the entry of an operation, and its row.
fn imported(
    target: &Target,
    document: &Document,
    operation: &Operation<'_>,
) -> (Option<serde_json::Value>, ImportedTool) {
    let left_out = |problem: String| ImportedTool {
        name: format!("{}.{}", target.prefix, operation.id),
        effect: "-",
        risk: None,
        because: format!("left out: {problem}"),
        imported: false,
    };
    let made = match target.make(document, operation) {
        Ok(made) => made,
        Err(problem) => return (None, left_out(problem)),
    };
    let results = made.results.as_ref().map(open);
    match valid(made.entry, results) {
        Ok(entry) => {
            let row = ImportedTool {
                name: made.name,
                effect: made.effect,
                risk: made.risk,
                because: made.because,
                imported: true,
            };
            (Some(entry), row)
        }
        Err(problem) => (None, left_out(problem)),
    }
}

fn list(document: &Document, operations: &[Operation<'_>], out: &Output) {
    let listed = ListedOperations {
        servers: document.servers(),
        operations: operations
            .iter()
            .map(|operation| ListedOperation {
                operation: operation.id.clone(),
                method: operation.method.clone(),
                path: operation.path,
                summary: operation.summary(),
            })
            .collect(),
    };
    out.print(&listed, || {
        let rows = listed.operations.iter().map(|row| {
            format!(
                "{:<40} {:<6} {} {}",
                row.operation, row.method, row.path, row.summary
            )
        });
        let mut lines: Vec<String> = rows.collect();
        lines.extend(listed.servers.iter().map(|url| format!("server {url}")));
        lines.push("next: choose operations with --only, and their host with --host".to_owned());
        lines.join("\n")
    });
}
