//! `job show`: shows a signed job.

use bus_schema::JobName;
use clap::Args;
use deployment::{Deployment, jobs, owner::owner};
use serde_json::json;

use super::known::{known, read};
use crate::{Error, Output};

/// `job show …`
#[derive(Debug, Args)]
#[command(after_help = "Example: contractual job show stocktake\n\n\
    Exit codes: 0 shown · 1 there is no such job, or its document was erased")]
pub(crate) struct Arguments {
    /// The job, such as stocktake, from `contractual job list`.
    name: JobName,
}

impl Arguments {
    pub(super) async fn run(&self, deployment: &Deployment, out: &Output) -> Result<(), Error> {
        let bus = deployment.bus().await?;
        let all = jobs::read(&bus, owner(&deployment.dir)?).await?;
        let record = known(&all, &self.name)?;
        let (text, job) = read(&bus, record).await?;
        let signed = &record.signed;
        let said = json!({
            "job": self.name, "version": signed.version, "contract": signed.contract, "signed": record.at,
            "paused": record.is_paused, "when": job.when.to_string(), "document": text,
        });
        out.print(&said, || {
            let paused = if record.is_paused { ", paused" } else { "" };
            format!(
                "{} version {}, signed {}{paused}\nwhen      {}\ncontract  {} ({})\n\n{}",
                self.name,
                signed.version,
                record.at,
                job.when,
                job.contract,
                signed.contract,
                text.trim_end()
            )
        });
        Ok(())
    }
}
