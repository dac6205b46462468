//! `job retry`: runs a failed run of a job again.

use bus_schema::{RunOrdered, TaskId};
use clap::Args;
use deployment::{Deployment, jobs};
use serde_json::json;

use super::{
    known::known,
    runs::{JobRuns, RunState},
};
use crate::{Error, Output};

/// `job retry …`
#[derive(Debug, Args)]
#[command(
    after_help = "Example: contractual job retry 4b4f1a1e-9c1f-8d3e-a1b2-c3d4e5f60718\n\n\
    The run gets a new task, and all attempts of its job. A run that a message started gets the same message.\n\n\
    Exit codes: 0 ordered · 1 there is no such run, it did not fail, or its job is removed or paused"
)]
pub(crate) struct Arguments {
    /// The task of the run, from `contractual job history`.
    task: TaskId,
}

impl Arguments {
    pub(super) async fn run(&self, deployment: &Deployment, out: &Output) -> Result<(), Error> {
        let (found, history) = JobRuns::read(deployment).await?;
        let task = self.task;
        let Some(run) = found.run(task) else {
            return Err(Error::Refused(format!(
                "there is no run {task}: see `contractual job history JOB`"
            )));
        };
        let no = |why: String| Err(Error::Refused(why));
        if let Some(again) = run.again {
            return no(format!("the run {task} was run again already, as {again}"));
        }
        match run.state {
            RunState::Due | RunState::Running => {
                return no(format!(
                    "the run {task} has not ended: `contractual task cancel {task}` ends it"
                ));
            }
            RunState::Ended {
                outcome: bus_schema::TaskOutcome::Succeeded,
                ..
            } => {
                return no(format!(
                    "the run {task} succeeded: `contractual job run {}` orders another run",
                    run.job
                ));
            }
            RunState::Ended { .. } | RunState::Rejected { .. } => {}
        }
        let record = known(&found.jobs, &run.job)?;
        let job = run.job.clone();
        if record.is_paused {
            return no(format!(
                "the job `{job}` is paused: `contractual job resume {job}` lets it run again"
            ));
        }
        let version = record.signed.version;
        let fact = RunOrdered {
            job: job.clone(),
            version,
            again: Some(task),
        };
        let seq = jobs::say(deployment, &history.operator, fact).await?;
        out.print(
            &json!({"job": job, "version": version, "again": task, "seq": seq}),
            || {
                format!(
                    "{job} version {version}: the run {task} is ordered again; `contractual job history {job}` shows it \
                     (message {seq})"
                )
            },
        );
        Ok(())
    }
}
