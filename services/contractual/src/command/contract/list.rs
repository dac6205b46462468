//! `contract list`: lists the signed contracts with their status.

use bus_schema::AuthorId;
use deployment::Deployment;

use super::{
    history::History,
    index::{ContractEntry, ContractIndex, ContractStatus},
};
use crate::{Error, Output};

/// The help of `contract list` after its arguments.
pub(super) const HELP: &str = "Example: contractual contract list --json\n\n\
    Status: offered (no verdict from policy yet) · active · suspended (changed since signing: sign it again) · superseded \
    · revoked · expired · refused\n\n\
    Exit codes: 0 listed · 1 the bus does not answer";

/// Returns every signed contract with its status, and for a suspended one the differences that policy found.
///
/// # Errors
/// Returns the bus's error.
pub(crate) async fn entries(deployment: &Deployment) -> Result<Vec<ContractEntry>, Error> {
    let history = History::read(deployment).await?;
    let mut all = ContractIndex::of(&history.facts, deployment.clock.wall()).listed();
    let suspended = |one: &&mut ContractEntry| one.state == ContractStatus::Suspended;
    for one in all.iter_mut().filter(suspended) {
        let text = match &one.found {
            Some(found) => history.text(AuthorId::Policy, found).await?,
            None => None,
        };
        let text = text.unwrap_or_else(|| "the differences were erased from the record".to_owned());
        let how = "read the differences, then sign the contract again: `contractual contract sign` shows them first";
        one.differs = Some(format!("{text}\n{how}"));
    }
    Ok(all)
}

/// Prints every signed contract with its status.
///
/// # Errors
/// Returns the bus's error.
pub(super) async fn run(deployment: &Deployment, out: &Output) -> Result<(), Error> {
    let listed = entries(deployment).await?;
    out.print(&listed, || {
        if listed.is_empty() {
            return "no contract yet: see `contractual contract sign --help`".to_owned();
        }
        let lines = listed.iter().map(ContractEntry::text);
        lines.collect::<Vec<_>>().join("\n")
    });
    Ok(())
}
