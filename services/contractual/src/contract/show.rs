//! `contract show`: what a contract means, in plain sentences or as policies of Cedar.

use std::path::Path;

use actor::Clock;
use bus_schema::{AuthorId, ContractName, Digest};

use super::{history::History, ledger::Ledger, parse, read_catalogue, read_text};
use crate::{Dir, Error, args::ShowArguments, output::Output};

/// Shows a contract: that of a file, the one of a name that is in force, or the one of a digest.
///
/// # Errors
/// [`Error::Document`] with what is wrong with the contract or the tools; [`Error::Refused`] if there is no such
/// contract.
pub async fn show(
    dir: &Dir,
    arguments: &ShowArguments,
    out: &Output,
    clock: &Clock,
) -> Result<(), Error> {
    let tools = arguments.tools.clone().unwrap_or_else(|| dir.catalogue());
    let tools = read_catalogue(&tools)?;
    let path = Path::new(&arguments.contract);
    let text = if path.exists() {
        read_text(path)?
    } else {
        signed(dir, &arguments.contract, clock).await?
    };
    let contract = parse(&arguments.contract, &text, &tools)?;
    if arguments.cedar {
        let lowered = policy::lower(&contract, &tools);
        out.print(&lowered, || lowered.cedar.trim_end().to_owned());
    } else {
        let shown = policy::show(&contract, &tools);
        out.print(&shown, || shown.text());
    }
    Ok(())
}

/// The text of a contract that was signed.
async fn signed(dir: &Dir, named: &str, clock: &Clock) -> Result<String, Error> {
    let none = || {
        Error::Refused(format!(
            "there is no file {named}, and no such contract is in force: see `contractual contract list`"
        ))
    };
    let name: Option<ContractName> = named.parse().ok();
    let digest: Option<Digest> = named.parse().ok();
    if name.is_none() && digest.is_none() {
        return Err(none());
    }
    let history = History::read(dir, clock).await?;
    let ledger = Ledger::of(&history.facts, clock.wall());
    let by_digest = digest.and_then(|digest| ledger.get(&digest));
    let by_name = || name.as_ref().and_then(|name| ledger.in_force(name));
    let listed = by_digest.or_else(by_name).ok_or_else(none)?;
    let text = history.text(AuthorId::Owner, &listed.document).await?;
    text.ok_or_else(|| Error::Refused(format!("the text of `{}` was erased", listed.name)))
}
