//! `tools`: one call of a running MCP server, beside the same request over its pipes without a cage and a client.

use std::{
    collections::BTreeMap,
    future::pending,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use actor::Clock;
use runner::{Cage, Limits, McpServerEntry, McpTool, McpToolEntry, Servers, Workspace, inspect};
use serde_json::{Map, Value, json};

use crate::{
    runtime::Error,
    table::{self, Row, Times},
};

/// Timed calls, and calls before them.
const CALLS: usize = 2000;
const UNTIMED: usize = 100;
/// The time that a call may take beyond the bare round trip, in milliseconds.
const ADDED_MS_GOAL: f64 = 0.5;
/// The memory that a waiting server may cost beside its own, in KiB.
const MEMORY_KIB_GOAL: f64 = 1024.0;
const PYTHON: &str = "/usr/bin/python3";

/// A server of one tool, which answers as fast as Python can.
const SERVER: &str = r#"
import json, sys
ECHO = {"name": "echo", "inputSchema": {"type": "object"}}
for line in sys.stdin:
    asked = json.loads(line)
    if "id" not in asked:
        continue
    answers = {
        "initialize": {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": {"name": "e", "version": "1"}},
        "tools/list": {"tools": [ECHO]},
        "tools/call": {"content": [{"type": "text", "text": "hello"}]},
    }
    answer = {"jsonrpc": "2.0", "id": asked["id"]}
    if asked["method"] in answers:
        answer["result"] = answers[asked["method"]]
    else:
        answer["error"] = {"code": -32601, "message": "Method not found"}
    print(json.dumps(answer), flush=True)
"#;

pub(crate) async fn measure(
    cage: &Cage,
    workspace: &Workspace,
    root: &Path,
) -> Result<Vec<Row>, Error> {
    if !Path::new(PYTHON).exists() {
        table::line(&format!("{PYTHON} is not here: passed over"));
        return Ok(Vec::new());
    }
    let package = root.join("package");
    std::fs::create_dir(&package)?;
    let script = package.join("server.py");
    std::fs::write(&script, SERVER)?;
    let tool = tool(cage, workspace, &package, &script).await?;
    let servers = Servers::default();
    let mut bare = Bare::start(&script)?;
    let clock = Clock::system();
    let passed = |since| clock.elapsed().saturating_sub(since).as_secs_f64() * 1000.0;
    let (mut ours, mut alone) = (Times::default(), Times::default());
    for at in 0..UNTIMED + CALLS {
        let since = clock.elapsed();
        let wall = Duration::from_secs(20);
        servers
            .call(cage, workspace, &tool, Map::new(), wall, pending())
            .await?;
        let called = passed(since);
        let since = clock.elapsed();
        bare.call()?;
        if at >= UNTIMED {
            ours.push(called);
            alone.push(passed(since));
        }
    }
    let mut rows = Vec::new();
    for percent in [50, 99] {
        let case = format!("MCP: one call, p{percent} ms");
        let floor = alone.percentile(percent);
        rows.push(Row::new(case, ours.percentile(percent), Some(floor)));
    }
    let added = ours.percentile(50) - alone.percentile(50);
    let case = "MCP: added to a round trip, p50 ms beside the goal".to_owned();
    rows.push(Row::new(case, added, Some(ADDED_MS_GOAL)));
    if let Some(kib) = supervisor_kib() {
        let case = "MCP: memory beside a server's own, KiB beside the goal".to_owned();
        rows.push(Row::new(case, kib, Some(MEMORY_KIB_GOAL)));
    }
    servers.end().await;
    Ok(rows)
}

async fn tool(
    cage: &Cage,
    workspace: &Workspace,
    package: &Path,
    script: &Path,
) -> Result<McpTool, Error> {
    let server = McpServerEntry {
        program: PYTHON.into(),
        argv0: None,
        sha256: BTreeMap::new(),
        packages: BTreeMap::from([(package.to_owned(), String::new())]),
        argv: vec![script.display().to_string()],
        env: BTreeMap::new(),
        paths: Vec::new(),
        folders: Vec::new(),
        writable: false,
        limits: Limits {
            wall_ms: 20_000,
            cpu_ms_max: 600_000,
            output_bytes_max: 64 * 1024,
            memory_bytes_max: 512 * 1024 * 1024,
            processes_max: 4,
            file_bytes_max: 0,
            files_open_max: 64,
            added_bytes_max: 0,
            added_files_max: 0,
        },
        idle_ms: None,
    };
    let server = server.pinned()?;
    let inspected = inspect(cage, server.clone(), workspace).await?;
    let listed = inspected.tools.first().ok_or("the server lists no tool")?;
    let entry = McpToolEntry {
        server,
        tool: "echo".to_owned(),
        listed: listed.sha256.clone(),
    };
    Ok(McpTool::check(entry)?)
}

/// The unshared memory of the one supervisor that has a call, in KiB.
fn supervisor_kib() -> Option<f64> {
    let processes = std::fs::read_dir("/proc").ok()?.flatten();
    let mut folders = processes.map(|entry| entry.path());
    let supervisor = folders.find(|folder| {
        let line = std::fs::read(folder.join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line);
        // One that waits for the next program has a further argument.
        line.trim_end_matches('\0')
            .ends_with(runner::SUPERVISOR_STAGE)
    })?;
    private_kib(&supervisor)
}

fn private_kib(process: &Path) -> Option<f64> {
    let rollup = std::fs::read_to_string(process.join("smaps_rollup")).ok()?;
    let lines = rollup.lines().filter(|line| line.starts_with("Private_"));
    let kib = lines.filter_map(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
    Some(kib.sum())
}

/// The server without a cage, and its pipes.
struct Bare {
    child: Child,
    answers: BufReader<std::process::ChildStdout>,
}

impl Bare {
    fn start(script: &Path) -> Result<Self, Error> {
        let mut child = Command::new(PYTHON)
            .arg(PathBuf::from(script))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let answers = child.stdout.take().ok_or("the server has no pipe")?;
        let answers = BufReader::new(answers);
        Ok(Self { child, answers })
    }

    fn call(&mut self) -> Result<(), Error> {
        let params = json!({"name": "echo", "arguments": {}});
        let asked = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
        let to = self.child.stdin.as_mut().ok_or("the server has no pipe")?;
        writeln!(to, "{asked}")?;
        to.flush()?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        let answer: Value = serde_json::from_str(&line)?;
        let has_result = answer.get("result").is_some();
        has_result.then_some(()).ok_or_else(|| line.into())
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        // It has nothing to lose.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
