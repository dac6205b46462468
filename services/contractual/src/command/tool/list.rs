//! `tool list`: lists the tools of the signed catalogue.

use contract::{Effect, Risk, Tool};
use deployment::Deployment;
use serde::Serialize;

use super::change::signed;
use crate::{Error, Output};

/// The help of `tool list` after its arguments.
pub(super) const HELP: &str = "Example: contractual tool list --json\n\n\
    Exit codes: 0 listed · 1 no catalogue is signed, or the bus does not answer";

/// The signed catalogue.
#[derive(Debug, Serialize)]
struct ListedCatalogue {
    version: u32,
    tools: Vec<ListedTool>,
}

/// One tool of it.
#[derive(Debug, Serialize)]
struct ListedTool {
    name: String,
    description: String,
    /// The most outward effect of a call.
    effect: Effect,
    /// The damage if a call goes wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    risk: Option<Risk>,
    /// The program; none of a tool that the runner has built in.
    #[serde(skip_serializing_if = "Option::is_none")]
    program: Option<String>,
    /// The digest of the entry, which contracts pin.
    digest: bus_schema::Digest,
}

/// Prints the tools, one on each line.
pub(super) async fn run(deployment: &Deployment, out: &Output) -> Result<(), Error> {
    let bus = deployment.bus().await?;
    let signed = signed(deployment, &bus).await?;
    let listed = ListedCatalogue {
        version: signed.version,
        tools: signed.catalogue.tools().map(ListedTool::of).collect(),
    };
    out.print(&listed, || {
        let version = format!("version {} of the catalogue", listed.version);
        let lines = listed.tools.iter().map(ListedTool::text);
        std::iter::once(version)
            .chain(lines)
            .collect::<Vec<_>>()
            .join("\n")
    });
    Ok(())
}

impl ListedTool {
    fn of(tool: &Tool) -> Self {
        Self {
            name: tool.name().to_string(),
            description: tool.description().to_owned(),
            effect: tool.effects().most(),
            risk: tool.risk(),
            program: tool.program().map(str::to_owned),
            digest: tool.digest(),
        }
    }

    fn text(&self) -> String {
        let effect = self.effect.word();
        let risk = self.risk.map_or("", Risk::word);
        let program = self.program.as_deref().unwrap_or("built in");
        format!("{:<20} {effect:<8} {risk:<7} {program}", self.name)
    }
}
