//! `secret revoke`: ends all releases of a secret.

use bus_schema::SecretName;
use clap::Args;
use deployment::{Deployment, owner::owner, secrets};
use serde_json::json;

use super::newest::newest;
use crate::{Error, Output};

/// `secret revoke …`
#[derive(Debug, Args)]
#[command(after_help = "Example: contractual secret revoke crm\n\n\
    Calls that need it fail before anything is sent. A request that carries it already goes on. Revoke the key at the host as \
    well.\n\n\
    Exit codes: 0 revoked · 1 there is no such secret, or the bus refused it")]
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
        let version = newest.signed.version;
        if newest.is_revoked {
            out.print(&json!({"name": name, "version": version}), || {
                format!("{name} version {version} is revoked already; nothing was signed")
            });
            return Ok(());
        }
        let seq = secrets::revoke(deployment, &bus, name, version).await?;
        out.print(
            &json!({"name": name, "version": version, "seq": seq}),
            || {
                format!(
                    "{name} version {version}: revoked as message {seq}; it is released no more"
                )
            },
        );
        Ok(())
    }
}
