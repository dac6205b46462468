//! `job run`, `pause`, `resume` and `remove`: the owner's words about a signed job.

use bus_schema::{JobName, JobPaused, JobResumed, JobRevoked, RunOrdered};
use clap::Args;
use deployment::{Deployment, jobs, owner::owner};
use serde_json::json;

use super::known::known;
use crate::{Error, Output};

/// `job run …`, `job pause …`, `job resume …`, `job remove …`
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The job, such as stocktake, from `contractual job list`.
    name: JobName,
}

/// The change.
#[derive(Debug, Clone, Copy)]
pub(super) enum JobChange {
    /// One run now.
    Run,
    /// No more runs for a time.
    Pause,
    /// Runs again.
    Resume,
    /// No more runs.
    Remove,
}

impl Arguments {
    pub(super) async fn run(
        &self,
        change: JobChange,
        deployment: &Deployment,
        out: &Output,
    ) -> Result<(), Error> {
        let bus = deployment.bus().await?;
        let all = jobs::read(&bus, owner(&deployment.dir)?).await?;
        let record = known(&all, &self.name)?;
        let (job, version) = (self.name.clone(), record.signed.version);
        let paused = record.is_paused;
        let (seq, text) = match change {
            JobChange::Run if paused => {
                return Err(Error::Refused(format!(
                    "the job `{job}` is paused: `contractual job resume {job}` lets it run again"
                )));
            }
            JobChange::Pause if paused => (None, "is paused already; nothing was signed"),
            JobChange::Resume if !paused => (None, "is not paused; nothing was signed"),
            JobChange::Run => {
                let seq = jobs::say(
                    deployment,
                    &bus,
                    RunOrdered {
                        job,
                        version,
                        again: None,
                    },
                )
                .await?;
                (
                    Some(seq),
                    "one run is ordered; `contractual job history` shows it",
                )
            }
            JobChange::Pause => {
                let seq = jobs::say(deployment, &bus, JobPaused { job }).await?;
                (Some(seq), "is paused; it starts no more runs")
            }
            JobChange::Resume => {
                let seq = jobs::say(deployment, &bus, JobResumed { job }).await?;
                (Some(seq), "runs again, from its next time on")
            }
            JobChange::Remove => {
                let seq = jobs::say(deployment, &bus, JobRevoked { job, version }).await?;
                (Some(seq), "is revoked; it starts no more runs")
            }
        };
        let name = &self.name;
        let said = json!({"job": name, "version": version, "seq": seq});
        out.print(&said, || match seq {
            Some(seq) => format!("{name} version {version}: {text} (message {seq})"),
            None => format!("{name} version {version}: {text}"),
        });
        Ok(())
    }
}
