//! Contracts and catalogues as documents: read and checked.

use std::path::Path;

use actor::Clock;
use bus_schema::{Digest, Time};
use contract::{Catalogue, Contract};
use deployment::read_text;
use serde::Serialize;

use crate::Error;

/// A contract that was checked.
#[derive(Debug)]
pub struct Checked {
    /// The exact text.
    pub text: String,
    /// What it says.
    pub contract: Contract,
    /// The tools it was read with.
    pub tools: Catalogue,
    /// What it allows at most.
    pub envelope: bus_schema::Envelope,
}

/// What `contract check` and `contract sign` print.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// The contract's name.
    pub name: String,
    /// SHA-256 of its document: its identity.
    pub contract: Digest,
    /// When it ends.
    pub expires: Time,
    /// The tools that it names.
    pub tools: Vec<String>,
    /// Its place in the stream, once it was signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
}

impl Summary {
    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        let said = self.seq.map_or_else(
            || "good".to_owned(),
            |seq| format!("signed as message {seq}"),
        );
        format!(
            "{}: {said}\ncontract {}\nexpires  {}\ntools    {}",
            self.name,
            self.contract,
            self.expires,
            self.tools.join(", ")
        )
    }
}

impl Checked {
    /// In one line each.
    #[must_use]
    pub fn summary(&self) -> Summary {
        Summary {
            name: self.contract.name().to_string(),
            contract: self.contract.digest(),
            expires: self.envelope.expires,
            tools: self
                .envelope
                .tools
                .iter()
                .map(|tool| tool.name.to_string())
                .collect(),
            seq: None,
        }
    }
}

/// Reads the tool catalogue.
///
/// # Errors
/// [`Error::Document`] with what is wrong.
pub(crate) fn read_catalogue(path: &Path) -> Result<Catalogue, Error> {
    let text = std::fs::read(path).map_err(Error::io("read", path))?;
    Catalogue::parse(&text)
        .map_err(|error| Error::Document(format!("{}: {}", path.display(), actor::chain(&error))))
}

/// Reads a contract against a catalogue and its own tests, whether it is in force or not.
///
/// # Errors
/// [`Error::Document`] with every problem's line, column and fix.
pub(super) fn parse(name: &str, text: &str, catalogue: &Catalogue) -> Result<Contract, Error> {
    Contract::parse(name, text, catalogue).map_err(|problems| Error::Document(problems.to_string()))
}

/// Checks a contract against a catalogue, its own tests and the clock.
///
/// # Errors
/// [`Error::Document`] with every problem's line, column and fix.
pub fn check(file: &Path, catalogue: &Path, clock: &Clock) -> Result<Checked, Error> {
    let text = read_text(file)?;
    let catalogue = read_catalogue(catalogue)?;
    let name = file.display().to_string();
    let wrong = |problems: diagnostic::Diagnostics| Error::Document(problems.to_string());
    let contract = Contract::parse(&name, &text, &catalogue).map_err(wrong)?;
    contract
        .in_force(&name, &text, clock.wall().ns() / 1_000_000)
        .map_err(wrong)?;
    let envelope = contract::envelope(&contract, &catalogue);
    Ok(Checked {
        text,
        contract,
        tools: catalogue,
        envelope,
    })
}

/// The digest of a contract's document: what tasks and grants name it by.
///
/// # Errors
/// As [`read_text`].
pub fn digest(file: &Path) -> Result<Digest, Error> {
    Ok(Digest::of(&[read_text(file)?.as_bytes()]))
}
