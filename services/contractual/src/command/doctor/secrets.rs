//! Names the secrets that nothing can open.

use deployment::{Deployment, owner::owner, secrets};

use super::finding::{Fault, Findings};
use crate::Error;

/// Notes the number of secrets, and those that were sealed to keys which the roster does not name any more.
pub(super) async fn openable(findings: &mut Findings, deployment: &Deployment) {
    let read = async {
        let bus = deployment.bus().await?;
        let found = secrets::read(&bus, owner(&deployment.dir)?).await?;
        Ok::<_, Error>(found)
    };
    let seen = match read.await {
        Ok(found) => {
            let usable: Vec<_> = found.secrets.iter().filter(|one| !one.is_revoked).collect();
            let stale = usable.iter().filter(|one| found.is_stale(one));
            let stale: Vec<&str> = stale.map(|one| one.signed.name.as_str()).collect();
            if stale.is_empty() {
                Ok(usable.len().to_string())
            } else {
                let seen = format!(
                    "sealed to a key that the roster does not name any more: {}",
                    stale.join(", ")
                );
                let fix = "give each again with `contractual secret rotate NAME`";
                Err(Fault::new(seen, fix))
            }
        }
        // The checks of the bus name the fix.
        Err(error) => Ok(format!("not checked: {}", actor::chain(&error))),
    };
    findings.note("secrets", seen);
}
