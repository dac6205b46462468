//! Names the secrets that no call can use.

use std::collections::BTreeMap;

use deployment::{Deployment, owner::owner, secrets};

use super::finding::{Fault, Findings};
use crate::Error;

/// Notes the number of secrets, and those whose value the owner has to give again.
pub(super) async fn openable(findings: &mut Findings, deployment: &Deployment) {
    let read = async {
        let bus = deployment.bus().await?;
        let found = secrets::read(&bus, owner(&deployment.dir)?).await?;
        Ok::<_, Error>(found)
    };
    let seen = match read.await {
        Ok(found) => {
            let usable: Vec<_> = found.secrets.iter().filter(|one| !one.is_revoked).collect();
            let mut lacks: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
            for one in &usable {
                if let Some(lack) = found.lack(one) {
                    lacks
                        .entry(lack)
                        .or_default()
                        .push(one.signed.name.as_str());
                }
            }
            if lacks.is_empty() {
                Ok(usable.len().to_string())
            } else {
                let lacks = lacks.iter();
                let lacks = lacks.map(|(lack, names)| format!("{lack}: {}", names.join(", ")));
                let seen = lacks.collect::<Vec<_>>().join("; ");
                let fix = "give each again with `contractual secret rotate NAME`";
                Err(Fault::new(seen, fix))
            }
        }
        // The checks of the bus name the fix.
        Err(error) => Ok(format!("not checked: {}", actor::chain(&error))),
    };
    findings.note("secrets", seen);
}
