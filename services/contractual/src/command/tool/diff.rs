//! `tool diff`: compares the working copy with the signed catalogue.

use std::path::PathBuf;

use clap::Args;
use contract::{Drifted, catalogue_changes};
use deployment::Deployment;
use serde_json::json;

use super::change::signed;
use crate::{Error, Output, command::contract::document::read_catalogue};

/// `tool diff …`
#[derive(Debug, Args)]
#[command(after_help = "Example: contractual tool diff\n\n\
    `tool add` signs what is new or changed, `tool remove` what is gone.\n\n\
    Exit codes: 0 no difference · 2 a difference · 64 the file cannot be read · 1 no catalogue is signed, or the bus does \
    not answer")]
pub(crate) struct Arguments {
    /// Another catalogue, such as tools.json; by default the working copy in the deployment's folder.
    file: Option<PathBuf>,
}

impl Arguments {
    pub(super) async fn run(&self, deployment: &Deployment, out: &Output) -> Result<(), Error> {
        let path = self.file.clone();
        let path = path.unwrap_or_else(|| deployment.dir.catalogue());
        let copy = read_catalogue(&path)?;
        let bus = deployment.bus().await?;
        let signed = signed(deployment, &bus).await?;
        let changes = catalogue_changes(&signed.catalogue, &copy);
        let said = json!({"version": signed.version, "changes": changes});
        let shown = path.display();
        out.print(&said, || {
            if changes.is_empty() {
                return format!("{shown} has the tools of version {}", signed.version);
            }
            let lines = changes.iter().map(Drifted::to_string);
            lines.collect::<Vec<_>>().join("\n")
        });
        if changes.is_empty() {
            return Ok(());
        }
        Err(Error::Found(format!(
            "{shown} differs from version {} of the catalogue, and nothing of it is signed",
            signed.version
        )))
    }
}
