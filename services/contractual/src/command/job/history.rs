//! `job history`: lists the runs of a job.

use bus_schema::{JobName, JobOnRecord, RunCause};
use clap::Args;
use deployment::Deployment;
use job::Job;
use serde_json::json;

use super::{
    known,
    runs::{JobRun, JobRuns},
};
use crate::{Error, Output};

/// `job history …`
#[derive(Debug, Args)]
#[command(after_help = "Example: contractual job history stocktake\n\n\
    `contractual task show TASK` shows a run step by step. A dead letter is a run whose last attempt failed; `contractual \
    job retry TASK` runs it again.\n\n\
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
        let (found, history) = JobRuns::read(deployment).await?;
        let Some(record) = found.jobs.get(&self.name) else {
            return Err(Error::Refused(format!(
                "there was no job `{}`: see `contractual job list`",
                self.name
            )));
        };
        let document = known::document(&history.operator, record).await?;
        let job = document.as_ref().map(|(_, job)| (job, record));
        let runs: Vec<_> = found.of(&self.name).take(self.last).collect();
        let refused: Vec<_> = found.refused(&self.name).collect();
        out.print(&json!({"runs": runs, "refused": refused}), || {
            let refused = refused.iter().map(|one| one.text());
            let mut lines: Vec<_> = runs.iter().map(|run| run.text(job)).collect();
            if lines.is_empty() {
                lines.push(format!("{} had no run yet", self.name));
            }
            lines.extend(refused);
            lines.join("\n")
        });
        Ok(())
    }
}

impl JobRun {
    fn text(&self, job: Option<(&Job, &JobOnRecord)>) -> String {
        let cause = match self.cause {
            RunCause::Slot(slot) => slot.to_string(),
            RunCause::Ordered(_) => format!("ordered {}", self.due),
            RunCause::Triggered { .. } => format!("triggered {}", self.due),
            RunCause::After(task) => format!("after {task}, {}", self.due),
            RunCause::Retried(_) => format!("tried again {}", self.due),
            RunCause::Started(_) => format!("at the start {}", self.due),
        };
        format!("{cause}  {}  {}", self.task, self.said(job))
    }
}
