//! `contract show`: shows a contract in plain sentences.

use std::path::{Path, PathBuf};

use bus_schema::{AuthorId, ContractName, Digest};
use clap::Args;
use deployment::{Deployment, read_text};

use super::{
    document::{parse, read_catalogue},
    history::History,
    index::ContractIndex,
};
use crate::{Error, command::context::Context};

/// `contract show …`
#[derive(Debug, Args)]
#[command(
    after_help = "Example: contractual contract show contract.toml --tools tools.json\n\n\
    Exit codes: 0 shown · 1 no such contract is active · 64 the contract or the tools cannot be read"
)]
pub(crate) struct Arguments {
    /// The contract: a file such as contract.toml, or the name or digest of a signed contract.
    #[arg(value_name = "CONTRACT")]
    contract: String,
    /// The tool catalogue, such as tools.json; by default the deployment's.
    #[arg(long, value_name = "FILE")]
    tools: Option<PathBuf>,
}

impl Arguments {
    /// Shows the contract in a file, the active contract of a name, or the contract of a digest.
    pub(super) async fn run(&self, context: &Context) -> Result<(), Error> {
        let tools = self
            .tools
            .clone()
            .unwrap_or_else(|| context.dir.catalogue());
        let tools = read_catalogue(&tools)?;
        let path = Path::new(&self.contract);
        // A file needs no deployment.
        let text = if path.exists() {
            read_text(path)?
        } else {
            signed(&context.deployment()?, &self.contract).await?
        };
        let contract = parse(&self.contract, &text, &tools)?;
        let shown = contract::show(&contract, &tools);
        context.out.print(&shown, || shown.text());
        Ok(())
    }
}

/// The text of a contract: of a file, or of a signed contract by its name or digest.
///
/// # Errors
/// [`Error::Refused`] if there is neither, and the bus's error.
pub(crate) async fn text(deployment: &Deployment, named: &str) -> Result<String, Error> {
    let path = Path::new(named);
    if path.exists() {
        Ok(read_text(path)?)
    } else {
        signed(deployment, named).await
    }
}

/// The text of a signed contract.
async fn signed(deployment: &Deployment, named: &str) -> Result<String, Error> {
    let none = || {
        Error::Refused(format!(
            "{named} is neither a file nor a contract in force: see `contractual contract list`"
        ))
    };
    let name: Option<ContractName> = named.parse().ok();
    let digest: Option<Digest> = named.parse().ok();
    if name.is_none() && digest.is_none() {
        return Err(none());
    }
    let history = History::read(deployment).await?;
    let index = ContractIndex::of(&history.facts, deployment.clock.wall());
    let by_digest = digest.and_then(|digest| index.get(&digest));
    let by_name = || name.as_ref().and_then(|name| index.in_force(name));
    let listed = by_digest.or_else(by_name).ok_or_else(none)?;
    let text = history.text(AuthorId::Owner, &listed.document).await?;
    text.ok_or_else(|| {
        Error::Refused(format!(
            "the text of `{}` was erased: show its file instead",
            listed.name
        ))
    })
}
