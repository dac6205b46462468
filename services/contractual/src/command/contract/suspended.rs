//! The contracts in force that another catalogue suspends.

use std::fmt;

use bus_schema::{AuthorId, ContractFact, ContractName};
use contract::Catalogue;
use deployment::Deployment;
use serde::Serialize;

use super::{
    document::parse,
    history::History,
    index::{ContractIndex, ContractStatus},
    sign::drift,
};
use crate::Error;

/// A contract that a catalogue suspends.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Suspended {
    name: ContractName,
    version: u32,
    /// The tools that differ from the signed ones.
    differs: String,
}

impl fmt::Display for Suspended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            version,
            differs,
        } = self;
        write!(f, "`{name}` version {version}: {differs}")
    }
}

/// Returns the contracts in force that policy suspends once it decides with `tools`.
///
/// # Errors
/// The bus's error.
pub(crate) async fn suspended(
    deployment: &Deployment,
    tools: &Catalogue,
) -> Result<Vec<Suspended>, Error> {
    let history = History::<ContractFact>::read(deployment).await?;
    let index = ContractIndex::of(&history.facts, deployment.clock.wall());
    let mut found = Vec::new();
    for entry in index.listed() {
        if entry.state != ContractStatus::Active {
            continue;
        }
        let text = history.text(AuthorId::Owner, &entry.document).await?;
        let read = match text {
            Some(text) => {
                parse(entry.name.as_str(), &text, tools).map_err(|error| error.to_string())
            }
            None => Err("its text was erased".to_owned()),
        };
        if let Some(drift) = drift(&history, &entry, read.as_ref(), tools).await? {
            found.push(Suspended {
                name: entry.name,
                version: entry.version,
                differs: drift.summary(),
            });
        }
    }
    Ok(found)
}
