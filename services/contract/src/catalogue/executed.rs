//! The part of a tool's entry that says what is executed.

use bus_schema::SecretName;
use serde_json::{Map, Value};

use super::Tool;
use crate::http::HttpTool;
use crate::limits::CALL_OUTPUT_BYTES_MAX;

impl Tool {
    /// The tool's own timeout in milliseconds; `None` if it has none.
    #[must_use]
    pub fn wall_ms_max(&self) -> u64 {
        if let Some(http) = &self.http {
            return http.limits().wall_ms;
        }
        let limits = self.run().and_then(|run| run.get("limits"));
        let wall_ms = limits.and_then(|limits| limits.get("wall_ms"));
        wall_ms.and_then(Value::as_u64).unwrap_or(u64::MAX)
    }

    /// Most bytes that a call brings back: its output, and the file of a download.
    #[must_use]
    pub(crate) fn output_bytes_max(&self) -> u64 {
        let file = self.http().and_then(HttpTool::file_bytes_max);
        CALL_OUTPUT_BYTES_MAX.saturating_add(file.unwrap_or_default())
    }

    /// The runner's configuration of the tool; `None` for built-in tools.
    #[must_use]
    pub fn exec(&self) -> Option<&Map<String, Value>> {
        self.entry.exec.as_ref()
    }

    /// The runner's configuration of a tool of an MCP server; `None` for all others.
    #[must_use]
    pub fn mcp(&self) -> Option<&Map<String, Value>> {
        self.entry.mcp.as_ref()
    }

    /// The request that egress sends; `None` for tools of the runner.
    #[must_use]
    pub fn http(&self) -> Option<&HttpTool> {
        self.http.as_ref()
    }

    /// The secret that each call uses.
    #[must_use]
    pub fn secret(&self) -> Option<&SecretName> {
        self.http().and_then(HttpTool::secret)
    }

    /// The entry of the program that the runner starts: `exec`, or `server` of `mcp`.
    fn run(&self) -> Option<&Map<String, Value>> {
        let server = || self.mcp()?.get("server")?.as_object();
        self.exec().or_else(server)
    }

    /// The program that the runner executes; `None` for built-in tools.
    #[must_use]
    pub fn program(&self) -> Option<&str> {
        self.run()?.get("program")?.as_str()
    }

    /// The files and package folders that a call of the tool executes, each with its SHA-256 as the catalogue has it.
    /// The runner executes no file without one.
    pub fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        let run = self.run();
        let keys = ["sha256", "packages"].into_iter();
        let files = keys.filter_map(move |key| run?.get(key)?.as_object());
        files
            .flatten()
            .filter_map(|(path, digest)| Some((path.as_str(), digest.as_str()?)))
    }

    /// Returns true if the tool hands this argument to its program or server as plain text, so that a path in it may lead through
    /// links. A name with dots is a path into objects.
    pub(crate) fn hands_over_as_text(&self, name: &str) -> bool {
        if self.mcp().is_some() {
            return true;
        }
        let name = name.split('.').next().unwrap_or(name);
        let argv = self.exec().and_then(|exec| exec.get("argv"));
        let argv = argv.and_then(Value::as_array).into_iter().flatten();
        argv.filter_map(|arg| arg.get("value")).any(|value| {
            let kind = value.get("kind").and_then(Value::as_str);
            value.get("name").and_then(Value::as_str) == Some(name)
                && !matches!(kind, Some("path" | "paths" | "folder"))
        })
    }
}
