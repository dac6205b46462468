//! `model list`: lists the models of the signed catalogue.

use deployment::Deployment;

use crate::{Error, Output, command::tool, model::KnownModel};

/// The help of `model list` after its arguments.
pub(super) const HELP: &str = "Example: contractual model list --json\n\n\
    Exit codes: 0 listed · 1 no catalogue is signed, or the bus does not answer";

/// Prints the models, one on each line.
pub(super) async fn run(deployment: &Deployment, out: &Output) -> Result<(), Error> {
    let bus = deployment.bus().await?;
    let signed = tool::signed(deployment, &bus).await?;
    let models = KnownModel::all(&signed.catalogue);
    out.print(&models, || {
        if models.is_empty() {
            return "no model is configured: add one with `contractual model add`".to_owned();
        }
        let line = |model: &KnownModel| {
            let secret = model.secret.as_deref().unwrap_or("no secret");
            let (tool, wire) = (model.tool.as_str(), model.wire.to_string());
            format!(
                "{tool:<24} {wire:<12} {} at {}, {secret}",
                model.id, model.host
            )
        };
        models.iter().map(line).collect::<Vec<_>>().join("\n")
    });
    Ok(())
}
