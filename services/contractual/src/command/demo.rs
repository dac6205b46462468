//! `demo`: the main job, end to end, on real parts: a deployment, a task under a contract, and the proof.

mod net;
mod parts;
pub(super) mod world;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use actor::Clock;
use bus_schema::TaskId;
use clap::Args;
use deployment::{
    Deployment, DeploymentFile, Dir, Lock, disk_space,
    fleet::{Fleet, Process},
    init,
};
use runner::{ListArgs, ListedFile, Listing, Workspace};
use serde::Serialize;
use tempfile::TempDir;

use self::parts::{choices, proof, signed, started};
use super::{audit::verify, context::today, up};
use crate::{
    Error, Output, example,
    follower::{Answer, Follower},
    timeline::Timeline,
};

/// `demo …`
#[derive(Debug, Args)]
#[command(
    after_help = "Example: contractual demo ~/invoices --yes\nExample: contractual demo --net"
)]
pub(crate) struct Arguments {
    /// A folder with invoices, such as ~/invoices; by default the example invoices.
    folder: Option<PathBuf>,
    /// Call a host outside instead: with a secret, over a redirect, and at a forbidden address. A local server stands for it.
    #[arg(long, conflicts_with_all = ["folder", "yes"])]
    net: bool,
    /// Approve every question; by default the answer is read from standard input, and EOF means no.
    #[arg(long)]
    yes: bool,
}

impl Arguments {
    /// Runs the demo in `dir`, or in a temporary folder if there is none.
    pub(super) async fn run(
        self,
        dir: Option<Dir>,
        out: &Output,
        clock: &Clock,
    ) -> Result<(), Error> {
        let Self { folder, net, yes } = self;
        if net {
            if dir.is_some() {
                let problem = "`demo --net` makes a deployment in a temporary folder: omit --dir";
                return Err(Error::Document(problem.to_owned()));
            }
            return Box::pin(net::run(out, clock)).await;
        }
        let job = Job {
            yes,
            out,
            clock,
            began: clock.elapsed(),
        };
        let mut report = Report::default();
        let done = job.run(dir, folder, &mut report).await;
        if report.total_ms == 0 {
            report.total_ms = job.ms();
        }
        report.error = done.as_ref().err().map(|error| actor::chain(error));
        if out.json() {
            out.print(&report, String::new);
        } else if done.is_ok() {
            out.line(&report.text());
        }
        done?;
        if report.outcome == "succeeded" && report.verified {
            Ok(())
        } else {
            Err(Error::Refused(report.verdict()))
        }
    }
}

/// Most files that the example's tool adds up in one call.
const INVOICES_MAX: usize = 1000;

/// The last line of `--json`, also after a failure.
#[derive(Debug, Default, Serialize)]
struct Report {
    /// None if no task was submitted.
    task: Option<TaskId>,
    /// Empty if the task did not end.
    outcome: String,
    granted: u32,
    asked: u32,
    refused: u32,
    events: u64,
    verified: bool,
    /// None if no action succeeded.
    first_action_ms: Option<u64>,
    total_ms: u64,
    processes: Vec<Process>,
    /// Entries of the folder that the task does not see, each with the reason. `report.md` also names the invoices
    /// without a total.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<String>,
    /// The error, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

struct Job<'a> {
    yes: bool,
    out: &'a Output,
    clock: &'a Clock,
    began: Duration,
}

impl Job<'_> {
    async fn run(
        &self,
        dir: Option<Dir>,
        folder: Option<PathBuf>,
        report: &mut Report,
    ) -> Result<(), Error> {
        // Listen before there is anything to clean up.
        let mut interrupt = up::Interrupt::listen()?;
        let scratch = TempDir::with_prefix("contractual-demo-")
            .map_err(Error::io("create", std::env::temp_dir()))?;
        // A deployment that stays keeps its invoices in its own folder.
        let own = dir.as_ref().map_or_else(
            || scratch.path().join("invoices"),
            |dir| dir.path().join("workspace"),
        );
        let dir = dir.unwrap_or_else(|| Dir::new(scratch.path().join("state")));
        let fresh = !dir.deployment().exists();
        if !fresh {
            works_on(&dir, folder.as_deref())?;
        }
        let folder = match folder {
            Some(folder) if fresh => Some(usable(folder)?),
            Some(_) | None => None,
        };
        let server = up::find_nats_server(self.out, &mut interrupt).await?;
        if fresh {
            let shipped = folder.is_none();
            let choices = choices(folder.unwrap_or(own), example::TOOLS)?;
            init::init(&dir, &choices, self.clock, today())?;
            if shipped {
                invoices(&choices.workspace)?;
            }
        }
        let deployment = Deployment::open(&dir, self.clock)?;
        self.out.line_for_people(&format!(
            "nats-server {} · state in {} · workspace {}\n",
            server.version,
            dir.path().display(),
            deployment.file.workspace.display()
        ));
        let left_out = listed(&deployment.file.workspace)?.left_out;
        report.left_out = left_out.into_iter().map(|entry| entry.text).collect();
        for text in &report.left_out {
            self.out.line_for_people(&format!("passed over  {text}"));
        }
        let _lock = Lock::take(&dir)?;
        let mut fleet = Fleet::new(dir.clone(), server.path, None);
        let gave_up = fleet.gave_up();
        let done = tokio::select! {
            biased;
            done = self.perform(&deployment, &mut fleet, report) => done,
            error = gave_up => Err(error.into()),
            () = interrupt.came() => Err(Error::Interrupted),
        };
        fleet.stop().await;
        done?;
        // Verify again with everything stopped: this needs only files and the owner's public key.
        let (checked, _) = verify::files(&deployment)?;
        self.out.line_for_people(&format!(
            "offline  all {} messages of the log verify again with every service stopped",
            checked.messages
        ));
        Ok(())
    }

    async fn perform(
        &self,
        deployment: &Deployment,
        fleet: &mut Fleet,
        report: &mut Report,
    ) -> Result<(), Error> {
        started(deployment, fleet).await?;
        let signed = signed(deployment, example::CONTRACT, self.out).await?;
        let client = crate::client(deployment)?;
        let submitted = client
            .submit(signed.contract, example::PLAYBOOK.as_bytes())
            .await?;
        report.task = Some(submitted.task);
        let started_ms = self.ms();
        let answer = if self.yes { Answer::Yes } else { Answer::Asked };
        let follower = Follower {
            deployment,
            client: &client,
            out: self.out,
            live: true,
        };
        let mut timeline = Timeline::new();
        let followed = follower.follow(submitted.task, answer, &mut timeline).await;
        let counts = timeline.counts;
        report.outcome = counts.outcome;
        report.granted = counts.granted;
        report.asked = counts.asked;
        report.refused = counts.refused;
        report.first_action_ms = timeline.first_action_ms.map(|ms| started_ms + ms);
        followed.map(drop)?;
        report.processes = fleet.processes();
        let verified = verify::running(deployment, None).await?;
        report.events = verified.events.values().sum();
        report.verified = verified.included == verified.messages
            && verified.size > verified.messages
            && verified.junk == 0;
        report.total_ms = self.ms();
        self.out.line_for_people(&proof(&verified));
        Ok(())
    }

    fn ms(&self) -> u64 {
        u64::try_from((self.clock.elapsed() - self.began).as_millis()).unwrap_or(u64::MAX)
    }
}

/// Checks a folder of the person: it must exist and hold invoices, and the report is written into it.
fn usable(folder: PathBuf) -> Result<PathBuf, Error> {
    let shown = folder.display();
    if !folder.is_dir() {
        return Err(Error::Document(format!(
            "{shown} is not a folder: name an existing folder"
        )));
    }
    disk_space::check(&folder)?;
    let Listing { files, note, .. } = listed(&folder)?;
    let too_long = |file: &&ListedFile| file.bytes > runner::FILE_BYTES_MAX as u64;
    if let Some(file) = files.iter().find(too_long) {
        return Err(Error::Document(format!(
            "{} is longer than {} KiB, the most that the demo reads of a file: move it out of the folder",
            folder.join(file.path.as_str()).display(),
            runner::FILE_BYTES_MAX >> 10
        )));
    }
    match files.len() {
        1..=INVOICES_MAX => Ok(folder),
        0 => Err(Error::Document(format!(
            "{shown} has no file *.txt that the demo can use ({note}): the demo adds up invoices, text files with a \
             line such as `Total: EUR 1204.50`; add one, or omit the folder"
        ))),
        invoices => Err(Error::Document(format!(
            "{shown} has {invoices} files *.txt, but the demo adds up at most {INVOICES_MAX}: name another folder"
        ))),
    }
}

/// The invoices in a folder, as the playbook's first step lists them.
fn listed(folder: &Path) -> Result<Listing, Error> {
    let unread = |error: &dyn std::error::Error| {
        let (shown, error) = (folder.display(), actor::chain(error));
        Error::Document(format!("{shown} cannot be listed: {error}"))
    };
    let args = ListArgs {
        path: ".".to_owned().try_into().map_err(|error| unread(&error))?,
        pattern: Some("*.txt".to_owned()),
    };
    let workspace = Workspace::open(folder).map_err(|error| unread(&error))?;
    workspace.list(&args).map_err(|error| unread(&error))
}

/// Refuses a folder that is not the workspace of an existing deployment.
fn works_on(dir: &Dir, folder: Option<&Path>) -> Result<(), Error> {
    let Some(folder) = folder else { return Ok(()) };
    let workspace = DeploymentFile::read(dir)?.workspace;
    let same = match (folder.canonicalize(), workspace.canonicalize()) {
        (Ok(folder), Ok(workspace)) => folder == workspace,
        _ => false,
    };
    if same {
        return Ok(());
    }
    Err(Error::Document(format!(
        "the deployment in {} uses the workspace {}, not {}: omit the folder, or pass another --dir",
        dir.path().display(),
        workspace.display(),
        folder.display()
    )))
}

impl Report {
    /// The reason for which the demo failed.
    fn verdict(&self) -> String {
        if self.outcome == "succeeded" {
            "some messages are not valid events, or are not proven to be in the log".to_owned()
        } else {
            format!("the task ended as {}", self.outcome)
        }
    }

    fn text(&self) -> String {
        let rss: u64 = self.processes.iter().map(|process| process.rss_bytes).sum();
        let pss: u64 = self.processes.iter().map(|process| process.pss_bytes).sum();
        format!(
            "\n{}: {} granted, {} asked, {} refused · {} events · first action {}, all in {} ms\n\
             {} processes, {} MB RSS, {} MB PSS",
            self.outcome,
            self.granted,
            self.asked,
            self.refused,
            self.events,
            self.first_action_ms
                .map_or_else(|| "none".to_owned(), |ms| format!("after {ms} ms")),
            self.total_ms,
            self.processes.len(),
            rss / 1_000_000,
            pss / 1_000_000
        )
    }
}

fn invoices(folder: &Path) -> Result<(), Error> {
    for (name, text) in example::INVOICES {
        let path = folder.join(name);
        std::fs::write(&path, text).map_err(Error::io("write", path))?;
    }
    Ok(())
}
