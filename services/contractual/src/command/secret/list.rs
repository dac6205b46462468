//! `secret list`: lists the secrets.

use deployment::{Deployment, owner::owner, secrets};
use serde::Serialize;

use super::show::ShownTerms;
use crate::{Error, Output};

/// The help of `secret list` after its arguments.
pub(super) const HELP: &str =
    "Example: contractual secret list --json\n\nExit codes: 0 listed · 1 the bus does not answer";

/// A secret.
#[derive(Debug, Serialize)]
struct ListedSecret {
    name: String,
    version: u32,
    revoked: bool,
    /// True if it was sealed to keys that the roster does not name any more: nothing opens it.
    stale: bool,
    /// The terms; none if they were erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    terms: Option<ShownTerms>,
}

/// Prints the secrets, one on each line.
pub(super) async fn run(deployment: &Deployment, out: &Output) -> Result<(), Error> {
    let bus = deployment.bus().await?;
    let found = secrets::read(&bus, owner(&deployment.dir)?).await?;
    let mut listed = Vec::new();
    for one in found.secrets.iter() {
        let terms = match secrets::terms(&bus, &one.signed).await {
            Ok(terms) => Some(ShownTerms::of(&terms)),
            Err(deployment::Error::Refused(_)) => None,
            Err(error) => return Err(error.into()),
        };
        listed.push(ListedSecret {
            name: one.signed.name.to_string(),
            version: one.signed.version,
            revoked: one.is_revoked,
            stale: found.is_stale(one),
            terms,
        });
    }
    out.print(&listed, || {
        if listed.is_empty() {
            return "there are no secrets; give one with `contractual secret set`".to_owned();
        }
        let lines = listed.iter().map(ListedSecret::text);
        lines.collect::<Vec<_>>().join("\n")
    });
    Ok(())
}

impl ListedSecret {
    fn text(&self) -> String {
        let hosts = match &self.terms {
            _ if self.revoked => "revoked".to_owned(),
            Some(_) if self.stale => {
                format!(
                    "sealed to a replaced key: `contractual secret rotate {}`",
                    self.name
                )
            }
            Some(terms) => terms.hosts.join(", "),
            None => "its terms were erased".to_owned(),
        };
        format!("{:<20} version {:<4} {hosts}", self.name, self.version)
    }
}
