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
    /// True if no call can use it until its value is given again.
    stale: bool,
    /// The reason for that.
    #[serde(skip)]
    lack: Option<&'static str>,
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
            Ok(signed) => Some(ShownTerms::of(&signed.terms, signed.is_in_file)),
            Err(deployment::Error::Refused(_)) => None,
            Err(error) => return Err(error.into()),
        };
        let lack = found.lack(one);
        listed.push(ListedSecret {
            name: one.signed.name.to_string(),
            version: one.signed.version,
            revoked: one.is_revoked,
            stale: lack.is_some(),
            lack,
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
        let hosts = match (&self.terms, self.lack) {
            _ if self.revoked => "revoked".to_owned(),
            (Some(_), Some(lack)) => format!("{lack}: `contractual secret rotate {}`", self.name),
            (Some(terms), None) => terms.hosts.join(", "),
            (None, _) => "its terms were erased".to_owned(),
        };
        format!("{:<20} version {:<4} {hosts}", self.name, self.version)
    }
}
