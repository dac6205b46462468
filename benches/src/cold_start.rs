//! `cold-start`: the time from one command to the first finished action, and the idle memory of all processes.

use std::{process::Command, time::Duration};

use deployment::fleet::Process;
use serde::Deserialize;

use crate::{
    deployment::Deployment,
    runtime::Error,
    table::{self, Row, Times},
};

/// The number of runs of the command.
const RUNS: usize = 5;
/// Longest time to the first finished action, in milliseconds.
const FIRST_ACTION_GOAL_MS: f64 = 1_500.0;
/// Most memory of all processes together, in megabytes.
const MEMORY_GOAL_MB: f64 = 100.0;
/// The idle time before memory is measured.
const IDLE: Duration = Duration::from_secs(10);

/// The last line of `demo --json`.
#[derive(Debug, Deserialize)]
struct DemoReport {
    outcome: String,
    first_action_ms: u64,
    total_ms: u64,
    processes: Vec<Kept>,
}

#[derive(Debug, Deserialize)]
struct Kept {
    name: String,
    rss_bytes: u64,
    pss_bytes: u64,
}

/// Runs the demo a few times, then lets a deployment idle.
pub(crate) fn run() -> Result<(), Error> {
    let (mut first, mut total) = (Times::default(), Times::default());
    let mut last = Vec::new();
    for _ in 0..RUNS {
        let report = demo()?;
        first.push(milliseconds(report.first_action_ms));
        total.push(milliseconds(report.total_ms));
        last = report.processes;
    }
    table::line(&format!(
        "first finished action: {}; whole demo: {}; load average {}",
        first.text(),
        total.text(),
        table::load()
    ));
    let after = memory("at the end of the demo", &last);
    let idle = crate::runtime::block_on(Box::pin(idle()))??;
    let idle = memory("idle for 10 s", &idle);
    let memory_row = |case: &str, mb: f64| Row::new(case, mb, Some(MEMORY_GOAL_MB));
    let goal = Some(FIRST_ACTION_GOAL_MS);
    let rows = [
        Row::new(
            "first finished action: p50 ms (goal)",
            first.percentile(50),
            goal,
        ),
        Row::new(
            "first finished action: max ms (goal)",
            first.percentile(100),
            goal,
        ),
        memory_row("RSS after the demo: MB (goal)", after.0),
        memory_row("PSS after the demo: MB (goal)", after.1),
        memory_row("RSS idle for 10 s: MB (goal)", idle.0),
        memory_row("PSS idle for 10 s: MB (goal)", idle.1),
    ];
    table::finish("cold-start", &rows);
    Ok(())
}

fn demo() -> Result<DemoReport, Error> {
    let program = std::env::current_exe()?;
    let output = Command::new(program)
        .args(["demo", "--yes", "--json"])
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().last().unwrap_or_default();
    let report: DemoReport = serde_json::from_str(last)
        .map_err(|_| String::from_utf8_lossy(&output.stderr).into_owned())?;
    if output.status.success() && report.outcome == "succeeded" {
        Ok(report)
    } else {
        Err(format!("the demo ended as {}", report.outcome).into())
    }
}

/// Starts everything and measures the memory of the idle processes.
async fn idle() -> Result<Vec<Kept>, Error> {
    let deployment = Deployment::create("always")?;
    let mut fleet = deployment.start_nats().await?;
    let started = fleet.start_actors().await;
    tokio::time::sleep(IDLE).await;
    let processes = fleet.processes();
    fleet.stop().await;
    started?;
    let kept = |one: Process| Kept {
        name: one.name,
        rss_bytes: one.rss_bytes,
        pss_bytes: one.pss_bytes,
    };
    Ok(processes.into_iter().map(kept).collect())
}

/// Prints each process; returns the sums of RSS and PSS in megabytes.
fn memory(when: &str, processes: &[Kept]) -> (f64, f64) {
    table::line(&format!("\n{when:<24} {:>10} {:>10}", "RSS MB", "PSS MB"));
    let (mut rss, mut pss) = (0.0, 0.0);
    for one in processes {
        let (r, p) = (megabytes(one.rss_bytes), megabytes(one.pss_bytes));
        table::line(&format!("{:<24} {r:>10.1} {p:>10.1}", one.name));
        rss += r;
        pss += p;
    }
    table::line(&format!("{:<24} {rss:>10.1} {pss:>10.1}", "all"));
    (rss, pss)
}

fn megabytes(bytes: u64) -> f64 {
    milliseconds(bytes / 1000) / 1000.0
}

fn milliseconds(value: u64) -> f64 {
    f64::from(u32::try_from(value).unwrap_or(u32::MAX))
}
