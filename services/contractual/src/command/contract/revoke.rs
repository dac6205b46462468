//! `contract revoke`: revokes a contract.

use bus_schema::{ContractName, ContractRevoked, Draft};
use clap::Args;
use deployment::Deployment;
use serde_json::json;

use super::{history::History, index::ContractIndex};
use crate::{Error, Output};

/// `contract revoke …`
#[derive(Debug, Args)]
#[command(after_help = "Example: contractual contract revoke stocktake\n\n\
    Unclaimed grants are never claimed. Running actions end by themselves; `contractual halt` kills them.\n\n\
    Exit codes: 0 revoked · 1 no contract of that name is active")]
pub(crate) struct Arguments {
    /// The contract's name, such as stocktake, from `contractual contract list`.
    name: ContractName,
}

impl Arguments {
    /// Revokes every active and offered version.
    pub(super) async fn run(&self, deployment: &Deployment, out: &Output) -> Result<(), Error> {
        let name = &self.name;
        let history = History::read(deployment).await?;
        let index = ContractIndex::of(&history.facts, deployment.clock.wall());
        let live: Vec<_> = index.live(name).cloned().collect();
        if live.is_empty() {
            return Err(Error::Refused(format!(
                "no contract `{name}` is in force: see `contractual contract list`"
            )));
        }
        let key = deployment.owner_key()?;
        let mut writer = history.operator.owner(key).await?;
        for listed in live {
            let contract = listed.contract;
            let draft = Draft::of(bus_schema::Deployment, ContractRevoked { contract });
            let seq = writer.say(&history.operator, draft).await?;
            let said = json!({"name": name, "version": listed.version, "contract": contract, "seq": seq, "open": listed.open});
            out.print(&said, || {
                let running = match listed.open {
                    0 => String::new(),
                    open => format!(
                        "\nopen tasks: {open}; claimed actions run to their end; `contractual halt` kills them"
                    ),
                };
                format!(
                    "{name} version {}: revoked as message {seq}; no grants and no claims under it any more{running}",
                    listed.version
                )
            });
        }
        Ok(())
    }
}
