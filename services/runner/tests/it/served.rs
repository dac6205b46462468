//! The cage of an MCP server: the programs of other tests once more, as children of a server.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use actor::Places;
use bus_schema::{ActionOutcome, json::canonical};
use executor::Done;
use runner::{Added, Arg, ExecToolEntry, Finished, McpServerEntry, Outcome, inspect, read_tools};
use serde_json::{Value, json};

use crate::call::{AS_SERVERS, Ground};
use crate::executable::executable;
use crate::execution::execution;
use crate::stream::draft;
use crate::unprivileged::BOMB;

/// A server of one tool, which runs the program of its arguments and says how that ended.
const SERVER: &str = include_str!("program_server.py");

/// Runs the program of an entry as the child of a server in a cage of the same bounds.
pub(crate) async fn run(ground: &Ground, entry: ExecToolEntry) -> Finished {
    let server = server(ground, &entry);
    let found = inspect(&ground.cage(), server.clone(), &ground.open()).await;
    let found = found.unwrap_or_else(|error| panic!("{}", actor::chain(&error)));
    let [tool] = found.tools.as_slice() else {
        panic!("{found:?}");
    };
    let catalogue = json!([{
        "name": "x.run", "description": "Runs a program.", "effect": "write", "risk": "low",
        "output": "untrusted", "input_schema": tool.entry["inputSchema"],
        "mcp": {"server": server, "tool": "run", "listed": tool.sha256},
    }]);
    let installed = read_tools(Some(&canonical(&catalogue)));
    assert_eq!(installed.trouble(), None);
    let mut draft = draft(1, "x.run");
    draft.tool_digest = installed.digest(&draft.tool).unwrap();
    draft.output_bytes_max = 1 << 20;
    draft.wall_ms = u32::try_from(entry.limits.wall_ms).unwrap();
    let (execution, _gate, _stop) = execution(ground, Arc::new(installed));
    let done = execution.perform(&draft, &Places::default(), b"{}").await;
    execution.execute.servers.end().await;
    finished(&done.unwrap())
}

fn server(ground: &Ground, entry: &ExecToolEntry) -> McpServerEntry {
    let package = ground.root.join("package");
    std::fs::create_dir_all(&package).unwrap();
    let script = package.join("program_server.py");
    std::fs::write(&script, SERVER).unwrap();
    // A file that an argument names by its path is only read, so programs of the system are found by their names.
    let mut program = PathBuf::from(entry.program.file_name().unwrap());
    if let Ok(name) = entry.program.strip_prefix(&ground.root) {
        program = package.join(name);
        executable(&program, std::fs::read(&entry.program).unwrap());
    }
    let literals = entry.argv.iter().map(|arg| match arg {
        Arg::Literal(literal) => literal.clone(),
        Arg::Value { .. } => panic!("only literals can be handed on"),
    });
    let own = Path::new(entry.argv0.as_deref().unwrap_or("program"));
    let words = [&script, &program, Path::new(own.file_name().unwrap())];
    let words = words.map(|word: &Path| word.to_str().unwrap().to_owned());
    let mut limits = entry.limits;
    limits.output_bytes_max = 1 << 20;
    let entry = McpServerEntry {
        program: PathBuf::from("python3"),
        argv0: None,
        sha256: BTreeMap::new(),
        packages: BTreeMap::from([(package, String::new())]),
        argv: words.into_iter().chain(literals).collect(),
        env: BTreeMap::new(),
        paths: Vec::new(),
        folders: entry.folders.clone(),
        writable: entry.writable,
        limits,
        idle_ms: None,
    };
    entry.pinned().unwrap()
}

/// The end of the program, or of the server with it.
fn finished(done: &Done) -> Finished {
    let said: Value = serde_json::from_slice(&done.output).unwrap();
    let mut finished = Finished {
        outcome: Outcome::Succeeded,
        output: Vec::new(),
        diagnostics: Vec::new(),
        truncated: false,
        wall_ms: 0,
        cpu_ms: 0,
    };
    if let Some(error) = said.get("error") {
        let error = error.as_str().unwrap();
        finished.diagnostics = error.as_bytes().to_vec();
        finished.outcome = if done.outcome == ActionOutcome::TimedOut {
            Outcome::TimedOut
        } else if error.contains("`processes_max`") {
            Outcome::ProcessesExceeded
        } else if error.contains("`added_bytes_max`") {
            Outcome::AddedExceeded(Added::Bytes)
        } else if error.contains("`added_files_max`") {
            Outcome::AddedExceeded(Added::Files)
        } else if error.contains("nearly full") {
            Outcome::NoRoom
        } else {
            panic!("{error}");
        };
        return finished;
    }
    let ended = &said["structuredContent"];
    let bytes = |name: &str| serde_json::from_value(ended[name].clone()).unwrap();
    (finished.output, finished.diagnostics) = (bytes("out"), bytes("err"));
    let code = i32::try_from(ended["code"].as_i64().unwrap()).unwrap();
    finished.outcome = match code {
        0 => Outcome::Succeeded,
        code if code < 0 => Outcome::Killed { signal: -code },
        code => Outcome::Failed { code },
    };
    finished
}

/// The tests of the cage, once more with a server in the place of each call.
#[test]
fn the_cage_of_a_server_holds_what_the_cage_of_a_call_holds() {
    if std::env::var_os(AS_SERVERS).is_some() {
        return;
    }
    let again = Command::new(std::env::current_exe().unwrap())
        .args(["escape::", "disk::", "common::"])
        .args([
            "typical_programs_run",
            "python_runs_with_threads",
            "orphans_that_end",
        ])
        .args(rustix::process::geteuid().is_root().then_some(BOMB))
        // The bound of a server is that of its life, and what its child printed before the end is lost with it.
        .args(["--skip", "quicker_than_the_watch"])
        .args(["--skip", "adds_too_many_bytes"])
        .args(["--test-threads", "2"])
        .current_dir("/")
        .env(AS_SERVERS, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&again.stdout);
    assert!(again.status.success(), "{said}");
    let ran = said.matches(" ... ok\n").count();
    assert!(ran > 24, "{said}");
}
