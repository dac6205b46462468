//! `tool remove`: signs the catalogue without a tool.

use bus_schema::ToolName;
use clap::Args;
use deployment::Deployment;

use super::{
    change::{Change, signed},
    working_copy::Edit,
};
use crate::{Error, Output};

/// `tool remove …`
#[derive(Debug, Args)]
#[command(after_help = "Example: contractual tool remove word.count\n\n\
    Prints which contracts it suspends; on a terminal it asks before it signs. No service is restarted, and the working \
    copy loses the tool as well.\n\n\
    Exit codes: 0 signed · 1 there is no such tool, or the bus does not answer · 130 not signed")]
pub(crate) struct Arguments {
    /// The tool's name, such as word.count, from `contractual tool list`.
    name: ToolName,
    /// Sign without asking.
    #[arg(long)]
    yes: bool,
}

impl Arguments {
    pub(super) async fn run(&self, deployment: &Deployment, out: &Output) -> Result<(), Error> {
        let bus = deployment.bus().await?;
        let signed = signed(deployment, &bus).await?;
        if signed.catalogue.get(self.name.as_str()).is_none() {
            return Err(Error::Refused(format!(
                "the signed catalogue has no tool `{}`: see `contractual tool list`",
                self.name
            )));
        }
        let edit = Edit::Remove(&self.name);
        let change = Change::plan(deployment, bus, Some(signed), &edit).await?;
        change.make(&edit, self.yes, out).await
    }
}
