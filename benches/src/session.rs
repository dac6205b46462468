//! `session`: a call of an agent over MCP, from its request to its result, beside the gated action that it becomes.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use actor::Clock;
use serde_json::{Value, json};

use crate::{
    deployment::Deployment,
    runtime::Error,
    system::{actions, tips},
    table::{self, Row, Times},
};

/// Timed calls, and calls before them.
const CALLS: usize = 300;
const UNTIMED: usize = 20;
/// The goal: at most this much longer than the gated action, in milliseconds.
const MORE_GOAL: f64 = 2.0;

pub(crate) fn run() -> Result<(), Error> {
    let rows = crate::runtime::block_on(Box::pin(measure()))??;
    table::line(&format!("load average at the end: {}", table::load()));
    table::finish("session", &rows);
    Ok(())
}

async fn measure() -> Result<Vec<Row>, Error> {
    let mut rows = Vec::new();
    for sync in ["always", "2m"] {
        let deployment = Deployment::create(sync)?;
        let mut fleet = deployment.start_nats().await?;
        deployment.start_actors(&mut fleet).await?;
        deployment.sign_contract().await?;
        let (from, _) = tips(&deployment).await?;
        let (folder, clock) = (deployment.dir.path().to_owned(), deployment.clock.clone());
        let times = tokio::task::spawn_blocking(move || calls(&folder, &clock)).await?;
        let gated = actions(&deployment, from + 1).await;
        fleet.stop().await;
        let (times, gated) = (times?, gated?.measured(UNTIMED));
        table::line(&format!(
            "sync {sync}: seen by the agent {}; gated {}",
            times.text(),
            gated.brief()
        ));
        for percent in [50, 99] {
            let (ours, floor) = (times.percentile(percent), gated.whole.percentile(percent));
            let case = format!("sync {sync}, a call over MCP and its gated action, p{percent} ms");
            rows.push(Row::new(case, ours, Some(floor)));
            if percent == 50 {
                let case = format!("sync {sync}, more than the gated action and the goal, ms");
                rows.push(Row::new(case, ours - floor, Some(MORE_GOAL)));
            }
        }
    }
    Ok(rows)
}

/// An agent that makes the same call again and again.
struct Agent {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    id: u64,
}

impl Agent {
    fn start(folder: &Path) -> Result<Self, Error> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("mcp")
            .arg("--dir")
            .arg(folder)
            .arg("--contract")
            .arg(folder.join("contract.toml"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let to = child.stdin.take().ok_or("no standard input")?;
        let from = BufReader::new(child.stdout.take().ok_or("no standard output")?);
        Ok(Self {
            child,
            to,
            from,
            id: 0,
        })
    }

    fn call(&mut self) -> Result<(), Error> {
        self.id += 1;
        let request = json!({
            "jsonrpc": "2.0", "id": self.id, "method": "tools/call",
            "params": {"name": "file_list", "arguments": {"path": "."}, "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
                "io.modelcontextprotocol/clientCapabilities": {},
            }},
        });
        writeln!(self.to, "{request}")?;
        let mut line = String::new();
        self.from.read_line(&mut line)?;
        let answer: Value = serde_json::from_str(&line)?;
        let result = answer.get("result").ok_or_else(|| line.clone())?;
        if result.get("isError") == Some(&json!(true)) {
            return Err(line.into());
        }
        Ok(())
    }
}

fn calls(folder: &Path, clock: &Clock) -> Result<Times, Error> {
    let mut agent = Agent::start(folder)?;
    let mut times = Times::default();
    for at in 0..UNTIMED + CALLS {
        let (took, called) = timed(clock, || agent.call());
        called?;
        if at >= UNTIMED {
            times.push(took);
        }
    }
    let Agent { mut child, to, .. } = agent;
    drop(to);
    child.wait()?;
    Ok(times)
}

/// The milliseconds that something takes, and its result.
fn timed<T>(clock: &Clock, run: impl FnOnce() -> T) -> (f64, T) {
    let since = clock.elapsed();
    let done = run();
    let took = clock.elapsed().saturating_sub(since);
    (took.as_secs_f64() * 1000.0, done)
}
