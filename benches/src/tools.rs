//! `tools`: one call of a program in the cage, beside the same program started bare.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use actor::Clock;
use futures::future::try_join_all;
use runner::{Arg, Cage, ExecTool, ExecToolEntry, Finished, Limits, Outcome, Workspace};
use serde_json::json;

use crate::{
    runtime::Error,
    served,
    table::{self, Row, Times},
};

/// Timed calls of each program, and calls before them.
const CALLS: usize = 300;
const UNTIMED: usize = 20;
/// Calls at once.
const AT_ONCE: usize = 64;
/// The time of a call beside the bare program that is the goal.
const RATIO_GOAL: f64 = 1.3;

/// The programs: one that ends at once, one that starts an interpreter, one that also does something.
const PROGRAMS: [(&str, &str, &[&str]); 3] = [
    ("true", "/usr/bin/true", &[]),
    ("python3", "/usr/bin/python3", &["-c", "print(1)"]),
    (
        "python3 with modules",
        "/usr/bin/python3",
        &["-c", "import csv, json, sqlite3, subprocess, tempfile"],
    ),
];

pub(crate) fn run() -> Result<(), Error> {
    let rows = crate::runtime::block_on(measure())??;
    table::line(&format!("load average at the end: {}", table::load()));
    table::finish("tools", &rows);
    Ok(())
}

async fn measure() -> Result<Vec<Row>, Error> {
    let folder = tempfile::tempdir()?;
    let root = folder.path().canonicalize()?;
    let (workspace, scratch) = (root.join("workspace"), root.join("scratch"));
    std::fs::create_dir(&workspace)?;
    std::fs::create_dir(&scratch)?;
    let cage = Cage::new(std::env::current_exe()?).scratch(scratch);
    let workspace = Workspace::open(&workspace)?;
    let clock = Clock::system();
    let passed = |since| clock.elapsed().saturating_sub(since).as_secs_f64() * 1000.0;
    let mut rows = Vec::new();
    for (name, program, argv) in PROGRAMS {
        if !Path::new(program).exists() {
            table::line(&format!("{program} is not here: passed over"));
            continue;
        }
        let tool = tool(program, argv)?;
        let (mut caged, mut bare) = (Times::default(), Times::default());
        let (mut caged_ms, mut bare_ms) = (0, 0);
        for at in 0..UNTIMED + CALLS {
            let (since, used) = (clock.elapsed(), children_cpu_ms()?);
            call(&cage, &tool, &workspace).await?;
            let (ours, ours_used) = (passed(since), children_cpu_ms()?.saturating_sub(used));
            let (since, used) = (clock.elapsed(), children_cpu_ms()?);
            start(program, argv)?;
            let (alone, alone_used) = (passed(since), children_cpu_ms()?.saturating_sub(used));
            if at >= UNTIMED {
                caged.push(ours);
                bare.push(alone);
                caged_ms += ours_used;
                bare_ms += alone_used;
            }
        }
        for percent in [50, 99] {
            let (ours, floor) = (caged.percentile(percent), bare.percentile(percent));
            let case = format!("{name}: one call, p{percent} ms");
            rows.push(Row::new(case, ours, Some(floor)));
        }
        let goal = bare.percentile(50) * RATIO_GOAL;
        let case = format!("{name}: one call, p50 ms beside the goal");
        rows.push(Row::new(case, caged.percentile(50), Some(goal)));
        let each = |all: u64| f64::from(u32::try_from(all).unwrap_or(u32::MAX)) / CALLS as f64;
        let case = format!("{name}: processor time of one call, ms");
        rows.push(Row::new(case, each(caged_ms), Some(each(bare_ms))));
        let since = clock.elapsed();
        try_join_all((0..AT_ONCE).map(|_| call(&cage, &tool, &workspace))).await?;
        let ours = passed(since);
        let since = clock.elapsed();
        let all: Result<Vec<_>, _> = (0..AT_ONCE)
            .map(|_| bare_command(program, argv).spawn())
            .collect();
        for mut child in all? {
            child.wait()?;
        }
        let alone = passed(since);
        let case = format!("{name}: {AT_ONCE} calls at once, ms in all");
        rows.push(Row::new(case, ours, Some(alone)));
    }
    rows.extend(served::measure(&cage, &workspace, &root).await?);
    Ok(rows)
}

/// Returns the processor time of all children that have ended; the kernel tells it in steps of 10 ms, so only the sum
/// of many calls has a meaning. Other work on the machine does not change it.
fn children_cpu_ms() -> Result<u64, Error> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, rest) = stat.rsplit_once(')').ok_or("no fields")?;
    let ticks = rest.split_ascii_whitespace().skip(13).take(2);
    let ticks: Result<Vec<u64>, _> = ticks.map(str::parse).collect();
    Ok(ticks?.iter().sum::<u64>() * 10)
}

async fn call(cage: &Cage, tool: &ExecTool, workspace: &Workspace) -> Result<Finished, Error> {
    let finished = runner::run(cage, tool, &json!({}), workspace).await?;
    if finished.outcome != Outcome::Succeeded {
        return Err(format!("the program did not succeed: {finished:?}").into());
    }
    Ok(finished)
}

fn bare_command(program: &str, argv: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(argv).env_clear().stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

fn start(program: &str, argv: &[&str]) -> Result<(), Error> {
    let output = bare_command(program, argv).output()?;
    if output.status.success() {
        Ok(())
    } else {
        Err(format!("{program} did not succeed").into())
    }
}

fn tool(program: &str, argv: &[&str]) -> Result<ExecTool, Error> {
    let entry = ExecToolEntry {
        program: program.into(),
        argv0: None,
        sha256: std::collections::BTreeMap::new(),
        argv: argv
            .iter()
            .map(|arg| Arg::Literal((*arg).to_owned()))
            .collect(),
        writable: false,
        folders: Vec::new(),
        limits: Limits {
            wall_ms: 20_000,
            cpu_ms_max: 10_000,
            output_bytes_max: 64 * 1024,
            memory_bytes_max: 512 * 1024 * 1024,
            processes_max: 32,
            file_bytes_max: 4 * 1024 * 1024,
            files_open_max: 64,
            added_bytes_max: 16 * 1024 * 1024,
            added_files_max: 100,
        },
    };
    Ok(ExecTool::try_from(entry.pinned()?)?)
}
