//! Names the secrets that no call can use.

use std::collections::BTreeMap;

use actor::BusClient;
use bus_schema::AuthorId;
use deployment::{
    Deployment,
    owner::owner,
    secrets::{self, SecretsInStream},
};
use secret::FiledSeal;

use super::finding::{Fault, Findings};
use crate::Error;

/// Notes the number of secrets, and those whose value the owner has to give again.
pub(super) async fn openable(findings: &mut Findings, deployment: &Deployment) {
    let read = async {
        let bus = deployment.bus().await?;
        let found = secrets::read(&bus, owner(&deployment.dir)?).await?;
        let missing = missing(deployment, &bus, &found).await?;
        Ok::<_, Error>((found, missing))
    };
    let seen = match read.await {
        Ok((found, missing)) => {
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
            if lacks.is_empty() && missing.is_empty() {
                Ok(usable.len().to_string())
            } else if lacks.is_empty() {
                let seen = format!("their files are missing: {}", missing.join(", "));
                let fix =
                    "put each file back, or give its value again with `contractual secret set`";
                Err(Fault::new(seen, fix))
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

/// Returns the files of sealed values that are not in the broker's folder. A folder of its configuration may be inside a container,
/// so only the usual one is looked at.
async fn missing(
    deployment: &Deployment,
    bus: &BusClient,
    found: &SecretsInStream,
) -> Result<Vec<String>, Error> {
    let config = deployment.dir.config(AuthorId::Broker);
    let text = std::fs::read_to_string(&config).unwrap_or_default();
    let config: toml::Table = toml::from_str(&text).unwrap_or_default();
    let service = config.get("service");
    let elsewhere = service.and_then(|service| service.get("secret_files"));
    let folder = deployment.dir.of(AuthorId::Broker.name()).join("secrets");
    let mut missing = Vec::new();
    for one in found
        .secrets
        .iter()
        .filter(|one| !one.is_revoked && elsewhere.is_none())
    {
        let in_file = match secrets::terms(bus, &one.signed).await {
            Ok(signed) => signed.is_in_file,
            Err(deployment::Error::Refused(_)) => false,
            Err(error) => return Err(error.into()),
        };
        let file = folder.join(FiledSeal::file_name(&one.signed.name, one.signed.version));
        // A folder that cannot be looked at says nothing.
        if in_file && file.try_exists().is_ok_and(|there| !there) {
            missing.push(file.display().to_string());
        }
    }
    Ok(missing)
}
