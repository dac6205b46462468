//! Checks the `mcp` member of a tool's entry.

use contract::Tool;
use diagnostic::Diagnostic;
use runner::{McpError, McpToolEntry, ToolError};
use serde_json::{Map, Value};

use super::{
    members::{LIMITS, MCP_MEMBERS, SERVER_MEMBERS, members},
    place::Place,
    programs::{Programs, outside},
};

/// Checks the keys of `mcp` and of its server.
pub(super) fn fields(place: &Place<'_>, found: &mut Vec<Diagnostic>) {
    let has =
        |place: &Place<'_>, key: &str| place.members().is_some_and(|all| all.contains_key(key));
    let mcp = place.at(&["mcp"]);
    if !has(place, "mcp") || mcp.members().is_none() {
        return;
    }
    members(&mcp, MCP_MEMBERS, found);
    let server = mcp.at(&["server"]);
    if has(&mcp, "server") && server.members().is_some() {
        members(&server, SERVER_MEMBERS, found);
        let limits = server.at(&["limits"]);
        if has(&server, "limits") && limits.members().is_some() {
            members(&limits, LIMITS, found);
        }
    }
}

/// Checks what `mcp` means, and its files on this machine; returns the entry with digests that were missing.
pub(super) fn meaning(
    place: &Place<'_>,
    tool: &Tool,
    mcp: &Map<String, Value>,
    programs: &Programs,
    found: &mut Vec<Diagnostic>,
) -> Value {
    let mut written = tool.entry().clone();
    let entry: McpToolEntry = match serde_json::from_value(Value::Object(mcp.clone())) {
        Ok(entry) => entry,
        Err(error) => {
            let fix = "run `contractual tool import`, which writes the whole entry";
            found.push(place.at(&["mcp"]).problem(error.to_string(), fix));
            return written;
        }
    };
    let range = entry.is_listed().and_then(|()| entry.server.is_in_range());
    if let Err(error) = range {
        found.push(of_server(place, &error));
        return written;
    }
    let workspace = match programs {
        Programs::Here(workspace) => workspace.as_deref(),
        // The digests can only be compared where the files are: in the runner.
        Programs::InImage => return written,
    };
    match entry.server.clone().pinned() {
        Ok(now) if now == entry.server => {}
        Ok(now) => {
            if entry.server.lacks_digests() {
                if let Some(server) = written.pointer_mut("/mcp/server") {
                    *server = serde_json::to_value(now).unwrap_or_default();
                }
            } else {
                let problem = "the files of the server are not those of the digests";
                let fix = "if these are the files to run, run `contractual tool pin` on this file, or import the server again";
                let at = place.at(&["mcp", "server", "sha256"]);
                found.push(at.problem(problem, fix));
            }
        }
        Err(error) => found.push(of_server(place, &error)),
    }
    if let Some(workspace) = workspace {
        let (packages, files) = (entry.server.packages.keys(), entry.server.sha256.keys());
        let at = place.at(&["mcp", "server"]);
        let fix = "move the server to a folder that only you can write, and import it again";
        outside(&at, packages.chain(files), workspace, fix, found);
    }
    written
}

/// Places an error of a server at the member that it is about.
fn of_server(place: &Place<'_>, error: &McpError) -> Diagnostic {
    let (keys, fix): (&[&str], String) = match error {
        McpError::Program(ToolError::Limit { limit, min, max }) => {
            let key = if *limit == "idle_ms" {
                "idle_ms"
            } else {
                "limits"
            };
            let at = place.at(&["mcp", "server", key]).at(&[limit]);
            let problem = format!("`{limit}` is out of range");
            return at.problem(problem, format!("choose {min} to {max}"));
        }
        McpError::Program(ToolError::Template) => (
            &["argv"],
            "keep it under 256 entries without NUL".to_owned(),
        ),
        McpError::Program(ToolError::Folder(_)) => (
            &["folders"],
            "name a folder that is there, outside of the workspace".to_owned(),
        ),
        McpError::Program(_) => (
            &["program"],
            "name a file that is there and may be executed".to_owned(),
        ),
        McpError::Package(_) => (&["packages"], "name the folder of the package".to_owned()),
        McpError::Env { name } => (&["env"], format!("remove or rename `{name}`")),
        McpError::Paths => (&["paths"], "make both agree".to_owned()),
        McpError::Listed => {
            let fix = "run `contractual tool import`, which writes both";
            return place.at(&["mcp"]).problem(error.to_string(), fix);
        }
    };
    let at = place.at(&[&["mcp", "server"], keys].concat());
    at.problem(error.to_string(), fix)
}
