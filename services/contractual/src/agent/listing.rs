//! The tools that an agent lists to its model: it is started once, with a model on loopback that only listens.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex},
    time::Duration,
};

use actor::files;
use axum::{Json, Router, body::Bytes, extract::State, http::StatusCode, routing::any};
use deployment::Dir;
use serde_json::{Value, json};
use tokio::{net::TcpListener, process::Command};

use super::known::{Agent, SEARCH};
use crate::Error;

/// The time that an agent has to start and list its tools.
const PATIENCE: Duration = Duration::from_secs(90);
/// Most bytes of a request of an agent.
const REQUEST_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Most bytes of an agent's output that are quoted.
const QUOTED_BYTES: usize = 400;

/// The tools that an agent lists.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Listing {
    /// The tools of the contract.
    pub(crate) ours: Vec<String>,
    /// All others.
    pub(crate) others: Vec<String>,
}

impl Listing {
    /// Returns true if the agent has the tools of the contract. Codex shows the tools of servers to its model only after a
    /// search, and the search only if a server has tools.
    pub(crate) fn has_ours(&self, agent: Agent) -> bool {
        let searches = self.others.iter().any(|tool| tool == SEARCH);
        !self.ours.is_empty() || (agent == Agent::Codex && searches)
    }
}

type Seen = Arc<Mutex<BTreeSet<String>>>;

/// Starts the agent in its project, without a person, and returns the tools that it sends to its model. The model
/// answers with an error, so that nothing is done.
///
/// # Errors
/// [`Error::Refused`] if the program cannot be started or asks no model.
pub(crate) async fn list(
    agent: Agent,
    (program, project): (&Path, &Path),
    dir: &Dir,
) -> Result<Listing, Error> {
    let listener = TcpListener::bind(("127.0.0.1", 0));
    let listener = listener
        .await
        .map_err(Error::io("listen on", "127.0.0.1"))?;
    let at = listener
        .local_addr()
        .map_err(Error::io("listen on", "127.0.0.1"))?;
    let seen = Seen::default();
    let routes = Router::new()
        .fallback(any(model))
        .layer(axum::extract::DefaultBodyLimit::max(REQUEST_BYTES_MAX))
        .with_state(Arc::clone(&seen));
    let scratch = scratch(agent, dir)?;
    let probe = agent.probe(&format!("http://{at}"), scratch.path());
    let child = Command::new(program)
        .args(&probe.arguments)
        .envs(probe.env)
        .env("NO_PROXY", "127.0.0.1")
        .env("no_proxy", "127.0.0.1")
        .current_dir(project)
        // Some agents read the folder from the environment.
        .env("PWD", project)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| {
            Error::Refused(format!(
                "{} does not start: {error}; install it, or name its program with --program",
                program.display()
            ))
        })?;
    let ended = tokio::select! {
        served = axum::serve(listener, routes) => {
            served.map_err(Error::io("serve on", "127.0.0.1"))?;
            None
        }
        ended = child.wait_with_output() => {
            Some(ended.map_err(Error::io("wait for", PathBuf::from(program)))?)
        }
        () = tokio::time::sleep(PATIENCE) => None,
    };
    let seen = seen.lock().map(|seen| seen.clone()).unwrap_or_default();
    if seen.is_empty() {
        let said = ended.map_or_else(
            || format!("it did not end within {} s", PATIENCE.as_secs()),
            |ended| quoted(&[ended.stdout, ended.stderr].concat()),
        );
        return Err(Error::Refused(format!(
            "{} listed no tools to its model: {said}",
            agent.title()
        )));
    }
    let (ours, others) = seen.into_iter().partition(|name| agent.is_ours(name));
    Ok(Listing { ours, others })
}

/// A private folder with the files of a probe. Agents refuse settings in a folder that others can write.
fn scratch(agent: Agent, dir: &Dir) -> Result<tempfile::TempDir, Error> {
    let agents = dir.agents();
    files::private_dir(&agents)?;
    let folder = tempfile::tempdir_in(&agents).map_err(Error::io("write in", &agents))?;
    for (name, text) in agent.scratch_files() {
        let file = folder.path().join(name);
        fs::write(&file, text).map_err(Error::io("write", &file))?;
    }
    Ok(folder)
}

/// The model: notes the tools of a request, and answers with an error.
async fn model(State(seen): State<Seen>, body: Bytes) -> (StatusCode, Json<Value>) {
    let request: Option<Value> = serde_json::from_slice(&body).ok();
    let tools = request.as_ref().and_then(|request| request.get("tools"));
    if let (Some(tools), Ok(mut seen)) = (tools.and_then(Value::as_array), seen.lock()) {
        seen.extend(tools.iter().flat_map(names));
    }
    let error = json!({"error": {
        "type": "invalid_request_error", "code": 400, "status": "INVALID_ARGUMENT",
        "message": "This model only lists tools.",
    }});
    (StatusCode::BAD_REQUEST, Json(error))
}

/// The names in an entry of `tools`, in any of the wires that agents speak.
fn names(tool: &Value) -> Vec<String> {
    let named = |value: &Value| value.get("name")?.as_str().map(str::to_owned);
    if let Some(declared) = tool.get("functionDeclarations").and_then(Value::as_array) {
        return declared.iter().filter_map(named).collect();
    }
    let function = tool.get("function").and_then(named);
    let kind = || tool.get("type")?.as_str().map(str::to_owned);
    named(tool).or(function).or_else(kind).into_iter().collect()
}

/// The end of an agent's output, on one line.
fn quoted(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let words: Vec<_> = text.split_whitespace().collect();
    let line = words.join(" ");
    let begin = line.len().saturating_sub(QUOTED_BYTES);
    let begin = (begin..line.len()).find(|at| line.is_char_boundary(*at));
    begin
        .and_then(|at| line.get(at..))
        .unwrap_or("it said nothing")
        .to_owned()
}
