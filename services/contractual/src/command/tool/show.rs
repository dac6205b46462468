//! `tool show`: shows a tool of the signed catalogue.

use bus_schema::ToolName;
use clap::Args;
use deployment::Deployment;
use serde_json::json;

use super::{change::signed, http};
use crate::{Error, Output};

/// `tool show …`
#[derive(Debug, Args)]
#[command(after_help = "Example: contractual tool show file.read\n\n\
    Exit codes: 0 shown · 1 there is no such tool, or the bus does not answer")]
pub(crate) struct Arguments {
    /// The tool's name, such as file.read, from `contractual tool list`.
    name: ToolName,
}

impl Arguments {
    pub(super) async fn run(&self, deployment: &Deployment, out: &Output) -> Result<(), Error> {
        let bus = deployment.bus().await?;
        let signed = signed(deployment, &bus).await?;
        let Some(tool) = signed.catalogue.get(self.name.as_str()) else {
            return Err(Error::Refused(format!(
                "the signed catalogue has no tool `{}`: see `contractual tool list`",
                self.name
            )));
        };
        let (version, digest) = (signed.version, tool.digest());
        let words = http::words(tool);
        let said =
            json!({"version": version, "digest": digest, "entry": tool.entry(), "words": words});
        out.print(&said, || {
            let entry = serde_json::to_string_pretty(tool.entry()).unwrap_or_default();
            let words = words.map_or_else(String::new, |words| format!("note     {words}\n"));
            format!("{entry}\n{words}digest   {digest}\ncatalogue version {version}")
        });
        Ok(())
    }
}
