//! `secret forget`: erases the sealed values of a secret.

use bus_schema::SecretName;
use clap::Args;
use deployment::{Deployment, owner::owner, secrets};
use serde_json::json;

use super::newest::newest;
use crate::{Error, Output};

/// `secret forget …`
#[derive(Debug, Args)]
#[command(after_help = "Example: contractual secret forget crm\n\n\
    Revokes the secret, and erases the sealed values and the terms of all its versions on the server. The record goes on to \
    prove that they were signed, and when they were released. Copies of the server's files, such as backups, keep them; delete the files of values that are kept in files. \
    Revoke the key at the host as well.\n\n\
    Exit codes: 0 erased · 1 there is no such secret, or the bus refused it")]
pub(crate) struct Arguments {
    /// The name, such as crm.
    name: SecretName,
}

impl Arguments {
    pub(super) async fn run(&self, deployment: &Deployment, out: &Output) -> Result<(), Error> {
        let name = &self.name;
        let bus = deployment.bus().await?;
        let found = secrets::read(&bus, owner(&deployment.dir)?).await?;
        let newest = newest(&found, name)?;
        if !newest.is_revoked {
            let version = newest.signed.version;
            secrets::revoke(deployment, &bus, name, version).await?;
        }
        // The terms of an erased version are gone, and its file may be there.
        let terms = secrets::terms(&bus, &newest.signed).await;
        let in_file = terms.is_ok_and(|signed| signed.is_in_file);
        let versions = secrets::erase(deployment, &found, name).await?;
        let end = json!({"name": name, "versions": versions, "in_file": in_file});
        out.print(&end, || {
            let files = match in_file {
                true => format!(
                    "; delete its files `{name}.1` to `{name}.{}` as well",
                    newest.signed.version
                ),
                false => String::new(),
            };
            format!("{name}: revoked, and the values of all {versions} versions erased{files}")
        });
        Ok(())
    }
}
