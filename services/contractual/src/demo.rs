//! `demo`: the main job, end to end, on real parts: a deployment, a task under a contract, and the proof.

use std::{
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use actor::Clock;
use bus_schema::TaskId;
use serde::Serialize;
use tempfile::TempDir;

use crate::{
    Dir, Error, contract,
    fleet::{Fleet, Process},
    init::{self, Choices, Facts},
    output::Output,
    provision, run,
    run::Answer,
    timeline::Timeline,
    up,
    verify::{self, Verified},
};

/// What `--json` prints last.
#[derive(Debug, Serialize)]
struct Report {
    task: TaskId,
    outcome: String,
    granted: u32,
    asked: u32,
    refused: u32,
    events: u64,
    verified: bool,
    first_action_ms: u64,
    total_ms: u64,
    processes: Vec<Process>,
}

/// Runs the demo, in `dir` if the person named one, else in a folder that is gone afterwards.
///
/// # Errors
/// Whatever was off.
pub async fn demo(
    dir: Option<Dir>,
    folder: Option<PathBuf>,
    yes: bool,
    out: &Output,
    clock: &Clock,
) -> Result<(), Error> {
    let began = clock.elapsed();
    // Before there is anything to clean up.
    let mut interrupt = up::Interrupt::listen()?;
    let scratch = TempDir::with_prefix("contractual-demo-")
        .map_err(Error::io("create", std::env::temp_dir()))?;
    let dir = dir.unwrap_or_else(|| Dir::new(scratch.path().join("state")));
    let workspace = match folder {
        Some(folder) => folder,
        None => invoices(&scratch.path().join("invoices"))?,
    };
    let server = up::find_nats_server(out, &mut interrupt).await?;
    let fresh = !dir.deployment().exists();
    if fresh {
        init::init(&dir, &choices(workspace)?, clock, today())?;
    }
    let facts = Facts::read(&dir)?;
    out.line_for_people(&format!(
        "nats-server {} · state in {} · workspace {}\n",
        server.version,
        dir.path().display(),
        facts.workspace.display()
    ));
    let mut fleet = Fleet::new(dir.clone(), server.path, None);
    let job = Job {
        dir: &dir,
        yes,
        out,
        clock,
        began,
    };
    let done = tokio::select! {
        done = job.run(&mut fleet) => done,
        () = interrupt.came() => Err(Error::Interrupted),
    };
    fleet.stop().await;
    let offline = done.and_then(|report| {
        // Once more with everything stopped: files and the owner's public key are all it takes.
        let (checked, _) = verify::files(&dir)?;
        out.line_for_people(&format!(
            "offline  {} messages of the log verify with no service running",
            checked.messages
        ));
        Ok(report)
    });
    let report = offline?;
    if out.json() {
        out.print(&report, String::new);
    } else {
        out.line(&report.text());
    }
    if report.outcome == "succeeded" && report.verified {
        Ok(())
    } else {
        Err(Error::Refused(format!(
            "the task ended as {}",
            report.outcome
        )))
    }
}

struct Job<'a> {
    dir: &'a Dir,
    yes: bool,
    out: &'a Output,
    clock: &'a Clock,
    began: Duration,
}

impl Job<'_> {
    async fn run(&self, fleet: &mut Fleet) -> Result<Report, Error> {
        let facts = Facts::read(self.dir)?;
        fleet.start_nats().await?;
        provision::provision(self.dir, &facts.url(), self.clock).await?;
        fleet.start_actors().await?;
        let contract = self.dir.path().join("contract.toml");
        if !contract.exists() {
            contract::write_new(&contract, contract::example::CONTRACT)?;
        }
        let signed = contract::sign(self.dir, &contract, self.clock).await?;
        self.out.line_for_people(&format!(
            "contract {} {}\n         signed by the owner's key, until {}\n",
            signed.name, signed.contract, signed.expires
        ));
        let client = run::client(self.dir, self.clock)?;
        let submitted = client
            .submit(signed.contract, contract::example::PLAYBOOK.as_bytes())
            .await?;
        let started_ms = self.ms();
        let answer = if self.yes {
            Answer::Yes
        } else {
            Answer::Terminal
        };
        let timeline = run::follow(&client, submitted.task, answer, self.out).await?;
        let processes = fleet.processes();
        let verified = verify::running(self.dir, None, self.clock).await?;
        self.out.line_for_people(&proof(&verified));
        Ok(self.report(submitted.task, &timeline, &verified, started_ms, processes))
    }

    fn report(
        &self,
        task: TaskId,
        timeline: &Timeline,
        verified: &Verified,
        started_ms: u64,
        processes: Vec<Process>,
    ) -> Report {
        let counts = &timeline.counts;
        Report {
            task,
            outcome: counts.outcome.clone(),
            granted: counts.granted,
            asked: counts.asked,
            refused: counts.refused,
            events: verified.events.values().sum(),
            verified: verified.included == verified.messages && verified.size > verified.messages,
            first_action_ms: started_ms + timeline.first_action_ms.unwrap_or(0),
            total_ms: self.ms(),
            processes,
        }
    }

    fn ms(&self) -> u64 {
        u64::try_from((self.clock.elapsed() - self.began).as_millis()).unwrap_or(u64::MAX)
    }
}

fn proof(verified: &Verified) -> String {
    let mut text = String::from("\nproof    every signature and every chain verifies: ");
    let authors: Vec<_> = verified
        .events
        .iter()
        .map(|(author, count)| format!("{author} {count}"))
        .collect();
    text.push_str(&authors.join(", "));
    text.push_str(&format!(
        "\n         {} of {} messages proven to be in the log, one by one; {} junk\n         \
         checkpoint {} leaves, root {}",
        verified.included, verified.messages, verified.junk, verified.size, verified.root
    ));
    text
}

impl Report {
    fn text(&self) -> String {
        let rss: u64 = self.processes.iter().map(|process| process.rss_bytes).sum();
        let pss: u64 = self.processes.iter().map(|process| process.pss_bytes).sum();
        format!(
            "\n{}: {} granted, {} asked, {} refused · {} events · first action after {} ms, all in {} ms\n\
             {} processes, {} MB RSS, {} MB PSS",
            self.outcome,
            self.granted,
            self.asked,
            self.refused,
            self.events,
            self.first_action_ms,
            self.total_ms,
            self.processes.len(),
            rss / 1_000_000,
            pss / 1_000_000
        )
    }
}

fn choices(workspace: PathBuf) -> Result<Choices, Error> {
    Ok(Choices {
        bus: free_port()?,
        gateway: free_port()?,
        workspace,
        catalogue: contract::example::TOOLS.to_owned(),
        sync: "always".to_owned(),
        containers: None,
    })
}

/// An address that nobody listens on at this moment.
fn free_port() -> Result<SocketAddr, Error> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(Error::io("listen on", "127.0.0.1"))?;
    listener
        .local_addr()
        .map_err(Error::io("listen on", "127.0.0.1"))
}

fn invoices(folder: &Path) -> Result<PathBuf, Error> {
    std::fs::create_dir(folder).map_err(Error::io("create", folder))?;
    for (name, text) in contract::example::INVOICES {
        let path = folder.join(name);
        std::fs::write(&path, text).map_err(Error::io("write", path))?;
    }
    Ok(folder.to_owned())
}

#[expect(
    clippy::disallowed_methods,
    reason = "certificates are dated by the machine's clock"
)]
fn today() -> SystemTime {
    SystemTime::now()
}
