//! `secret rotate`: seals another value under the terms of before.

use bus_schema::SecretName;
use clap::Args;
use deployment::{Deployment, owner::owner, secrets};

use super::{newest::newest, place::PlaceArguments, value};
use crate::{Error, Output};

/// `secret rotate …`
#[derive(Debug, Args)]
#[command(after_help = "Example: contractual secret rotate crm <new-key.txt\n\n\
    Hosts, methods and place stay as they are; `secret set` changes them. Later calls use the new value.\n\n\
    Exit codes: 0 signed · 1 there is no such secret, or the bus refused it · 64 the value is not valid")]
pub(crate) struct Arguments {
    /// The name, such as crm.
    name: SecretName,
    #[command(flatten)]
    place: PlaceArguments,
}

impl Arguments {
    pub(super) async fn run(&self, deployment: &Deployment, out: &Output) -> Result<(), Error> {
        let value = value::read(out).await?;
        let bus = deployment.bus().await?;
        let found = secrets::read(&bus, owner(&deployment.dir)?).await?;
        let before = secrets::terms(&bus, &newest(&found, &self.name)?.signed).await?;
        self.place.stays(&self.name, before.is_in_file)?;
        let terms = before.terms.with_version(found.next_version(&self.name));
        let terms = terms.map_err(|error| Error::Document(error.to_string()))?;
        value::fits(&terms, &value)?;
        self.place
            .sign((&terms, &value), (deployment, &bus, &found), out)
            .await
    }
}
