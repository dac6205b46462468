//! `job list`: lists the jobs, with their last outcome and their next time.

use bus_schema::{JobName, Time};
use deployment::Deployment;
use serde::Serialize;

use super::{
    known,
    runs::{AfterFailure, JobRun, JobRuns},
};
use crate::{Error, Output};

/// The help of `job list` after its arguments.
pub(super) const HELP: &str =
    "Example: contractual job list --json\n\nExit codes: 0 listed · 1 the bus does not answer";

/// A job.
#[derive(Debug, Serialize)]
struct ListedJob {
    job: JobName,
    version: u32,
    paused: bool,
    /// The next time; none if there is none, or if it is paused.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<Time>,
    /// The same in its zone.
    #[serde(skip)]
    shown: Option<String>,
    /// The number of runs whose last attempt failed, and that were not run again.
    dead_letters: usize,
    /// The last run.
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<JobRun>,
}

/// Prints the jobs, one on each line.
pub(super) async fn run(deployment: &Deployment, out: &Output) -> Result<(), Error> {
    let (found, history) = JobRuns::read(deployment).await?;
    let now = found.now.max(deployment.clock.wall());
    let mut listed = Vec::new();
    for record in found.jobs.iter().filter(|job| !job.is_revoked) {
        let document = known::document(&history.operator, record).await?;
        let own = found.of(&record.signed.job);
        let dead = document.as_ref().map_or(0, |(_, job)| {
            let dead =
                |run: &&JobRun| run.after_failure(job, record) == Some(AfterFailure::DeadLetter);
            own.filter(dead).count()
        });
        let when = document.map(|(_, job)| job.when);
        let when = when.filter(|_| !record.is_paused);
        let next = when.as_ref().and_then(|when| when.next(now, record.at));
        let shown = when.zip(next).map(|(when, next)| when.shown(next));
        listed.push(ListedJob {
            job: record.signed.job.clone(),
            version: record.signed.version,
            paused: record.is_paused,
            next,
            shown,
            dead_letters: dead,
            last: found.of(&record.signed.job).next().cloned(),
        });
    }
    out.print(&listed, || {
        if listed.is_empty() {
            return "there are no jobs; sign one with `contractual job add`".to_owned();
        }
        let lines = listed.iter().map(ListedJob::text);
        lines.collect::<Vec<_>>().join("\n")
    });
    Ok(())
}

impl ListedJob {
    fn text(&self) -> String {
        let next = match &self.shown {
            _ if self.paused => "paused",
            Some(next) => next,
            None => "no more times",
        };
        let last = match &self.last {
            Some(run) => run.state.text(),
            None => "no run yet".to_owned(),
        };
        let Self { job, version, .. } = self;
        let dead = match self.dead_letters {
            0 => String::new(),
            1 => "  1 dead letter, see `contractual job history`".to_owned(),
            many => format!("  {many} dead letters, see `contractual job history`"),
        };
        format!("{job:<20} version {version:<4} {last:<12} next {next}{dead}")
    }
}
