//! `contract list` and `contract revoke`: where the contracts of a deployment stand, and the owner's word against one.

use actor::{Clock, signing_key};
use bus_schema::{AuthorId, ContractName, ContractRevoked, Deployment, Draft};
use serde_json::json;

use super::{
    history::History,
    ledger::{Ledger, Listed, Standing},
};
use crate::{Dir, Error, output::Output};

/// Every contract that was ever signed, with where it stands, and of those that are suspended what differs from what was
/// signed, as policy found it.
///
/// # Errors
/// What the bus refused.
pub(crate) async fn listed(dir: &Dir, clock: &Clock) -> Result<Vec<Listed>, Error> {
    let history = History::read(dir, clock).await?;
    let mut all = Ledger::of(&history.facts, clock.wall()).listed();
    let suspended = |one: &&mut Listed| one.state == Standing::Suspended;
    for one in all.iter_mut().filter(suspended) {
        let text = match &one.found {
            Some(found) => history.text(AuthorId::Policy, found).await?,
            None => None,
        };
        let text = text.unwrap_or_else(|| "what differs is on record no more".to_owned());
        let how = "read it, and sign the contract again: `contractual contract sign` shows it and signs it";
        one.differs = Some(format!("{text}\n{how}"));
    }
    Ok(all)
}

/// Prints every contract that was ever signed, with where it stands.
///
/// # Errors
/// What the bus refused.
pub async fn list(dir: &Dir, out: &Output, clock: &Clock) -> Result<(), Error> {
    let listed = listed(dir, clock).await?;
    out.print(&listed, || {
        if listed.is_empty() {
            return "no contract yet: see `contractual contract sign --help`".to_owned();
        }
        let lines = listed.iter().map(Listed::text);
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
