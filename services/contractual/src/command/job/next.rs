//! `job next`: prints the coming times of a job.

use bus_schema::{JobName, Time};
use clap::Args;
use deployment::{Deployment, jobs, owner::owner};
use serde_json::json;

use super::known::{known, read};
use crate::{Error, Output};

/// Most times that are printed.
const TIMES_MAX: u16 = 1000;

/// `job next …`
#[derive(Debug, Args)]
#[command(after_help = "Example: contractual job next stocktake 10\n\n\
    A paused job has these times, but does not run at them.\n\n\
    Exit codes: 0 printed · 1 there is no such job")]
pub(crate) struct Arguments {
    /// The job, such as stocktake, from `contractual job list`.
    name: JobName,
    /// The number of times.
    #[arg(default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=i64::from(TIMES_MAX)))]
    number: u16,
}

impl Arguments {
    pub(super) async fn run(&self, deployment: &Deployment, out: &Output) -> Result<(), Error> {
        let bus = deployment.bus().await?;
        let all = jobs::read(&bus, owner(&deployment.dir)?).await?;
        let record = known(&all, &self.name)?;
        let (_, job) = read(&bus, record).await?;
        let now = deployment.clock.wall().max(record.since);
        let next = |after: &Time| job.when.next(*after, record.at);
        let times = std::iter::successors(next(&now), next);
        let times: Vec<_> = times.take(usize::from(self.number)).collect();
        out.print(&json!({"job": self.name, "next": times}), || {
            if times.is_empty() {
                return format!("{} has no more times: {}", self.name, job.when);
            }
            let shown = times.iter().map(|at| job.when.shown(*at));
            shown.collect::<Vec<_>>().join("\n")
        });
        Ok(())
    }
}
