//! Names the models that work on a person's words, or how to add one.

use deployment::Deployment;

use super::finding::Findings;
use crate::{Error, command::tool, model::KnownModel};

/// Notes the models of the signed catalogue. Everything but dialogues works without one.
pub(super) async fn models(findings: &mut Findings, deployment: &Deployment) {
    let read = async {
        let bus = deployment.bus().await?;
        let signed = tool::signed(deployment, &bus).await?;
        Ok::<_, Error>(KnownModel::all(&signed.catalogue))
    };
    let seen = match read.await {
        Ok(models) if models.is_empty() => {
            "none, so `run` takes playbooks alone: `contractual model add` adds one".to_owned()
        }
        Ok(models) => {
            let names: Vec<&str> = models.iter().map(|model| model.tool.as_str()).collect();
            names.join(", ")
        }
        // The checks of bus and catalogue name the fix.
        Err(error) => format!("not checked: {}", actor::chain(&error)),
    };
    findings.note("models", Ok(seen));
}
