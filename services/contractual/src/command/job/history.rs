//! `job history`: lists the runs of a job.

use bus_schema::{JobName, RunCause};
use clap::Args;
use deployment::Deployment;

use super::runs::{JobRun, JobRuns};
use crate::{Error, Output};

/// `job history …`
#[derive(Debug, Args)]
#[command(after_help = "Example: contractual job history stocktake\n\n\
    `contractual task show TASK` shows a run step by step.\n\n\
    Exit codes: 0 listed · 1 there was no such job")]
pub(crate) struct Arguments {
    /// The job, such as stocktake, from `contractual job list`.
    name: JobName,
    /// The number of runs.
    #[arg(long, value_name = "NUMBER", default_value_t = 20)]
    last: usize,
}

impl Arguments {
    pub(super) async fn run(&self, deployment: &Deployment, out: &Output) -> Result<(), Error> {
        let (found, _) = JobRuns::read(deployment).await?;
        if found.jobs.get(&self.name).is_none() {
            return Err(Error::Refused(format!(
                "there was no job `{}`: see `contractual job list`",
                self.name
            )));
        }
        let runs: Vec<_> = found.of(&self.name).take(self.last).collect();
        out.print(&runs, || {
            if runs.is_empty() {
                return format!("{} had no run yet", self.name);
            }
            let lines = runs.iter().map(|run| run.text());
            lines.collect::<Vec<_>>().join("\n")
        });
        Ok(())
    }
}

impl JobRun {
    fn text(&self) -> String {
        let cause = match self.cause {
            RunCause::Slot(slot) => slot.to_string(),
            RunCause::Ordered(_) => format!("ordered {}", self.due),
            RunCause::Triggered { .. } => format!("triggered {}", self.due),
        };
        format!("{cause}  {}  {}", self.task, self.state.text())
    }
}
