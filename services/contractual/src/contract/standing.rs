//! `contract list` and `contract revoke`: where the contracts of a deployment stand, and the owner's word against one.

use actor::{Clock, signing_key};
use bus_schema::{ContractName, ContractRevoked, Deployment, Draft};
use serde_json::json;

use super::{history::History, ledger::Ledger};
use crate::{Dir, Error, output::Output};

/// Prints every contract that was ever signed, with where it stands.
///
/// # Errors
/// What the bus refused.
pub async fn list(dir: &Dir, out: &Output, clock: &Clock) -> Result<(), Error> {
    let history = History::read(dir, clock).await?;
    let ledger = Ledger::of(&history.facts, clock.wall());
    let listed = ledger.listed();
    out.print(&listed, || {
        if listed.is_empty() {
            return "no contract yet: see `contractual contract sign --help`".to_owned();
        }
        let lines = listed.iter().map(|one| one.text());
        lines.collect::<Vec<_>>().join("\n")
    });
    Ok(())
}

/// Says as the owner that nothing more is granted or claimed under the contract of a name.
///
/// # Errors
/// [`Error::Refused`] if no contract of that name is in force or offered, and what the bus refused.
pub async fn revoke(
    dir: &Dir,
    name: &ContractName,
    out: &Output,
    clock: &Clock,
) -> Result<(), Error> {
    let history = History::read(dir, clock).await?;
    let ledger = Ledger::of(&history.facts, clock.wall());
    let live: Vec<_> = ledger.live(name).cloned().collect();
    if live.is_empty() {
        return Err(Error::Refused(format!(
            "no contract `{name}` is in force: see `contractual contract list`"
        )));
    }
    let key = signing_key::load(&dir.owner_key())?;
    let mut pen = history.operator.owner(key).await?;
    for listed in live {
        let contract = listed.contract;
        let draft = Draft::of(Deployment, ContractRevoked { contract });
        let seq = pen.say(&history.operator, draft).await?;
        let said = json!({"name": name, "version": listed.version, "contract": contract, "seq": seq, "open": listed.open});
        out.print(&said, || {
            let running = match listed.open {
                0 => String::new(),
                open => format!(
                    "\n{open} running under it: what is claimed already runs to its end; `contractual halt` kills it"
                ),
            };
            format!(
                "{name} version {}: revoked as message {seq}; nothing more is granted or claimed under it{running}",
                listed.version
            )
        });
    }
    Ok(())
}
