//! Reads and checks contracts and tool catalogues.

use std::path::Path;

use actor::{BusClient, Clock};
use bus_schema::{Digest, Time};
use contract::{Catalogue, Contract};
use deployment::{Deployment, owner::owner, read_text};
use serde::Serialize;

use crate::Error;

/// A checked contract.
#[derive(Debug)]
pub struct Checked {
    /// Its exact text.
    pub text: String,
    /// The parsed contract.
    pub contract: Contract,
    /// The tool catalogue that it was checked with.
    pub tools: Catalogue,
    /// The envelope: the most that it allows.
    pub envelope: bus_schema::Envelope,
}

/// The output of `contract check` and `contract sign`.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// The contract's name.
    pub name: String,
    /// The SHA-256 of its document, which identifies it.
    pub contract: Digest,
    /// The time at which it expires.
    pub expires: Time,
    /// The names of its tools.
    pub tools: Vec<String>,
    /// The sequence number of its signature, if it is signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
}

impl Summary {
    /// Returns the text for people.
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
    /// Returns its summary, which is not signed yet.
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
/// [`Error::Document`] with the problem.
pub(crate) fn read_catalogue(path: &Path) -> Result<Catalogue, Error> {
    let text = std::fs::read(path).map_err(Error::io("read", path))?;
    Catalogue::parse(&text)
        .map_err(|error| Error::Document(format!("{}: {}", path.display(), actor::chain(&error))))
}

/// Parses a contract and checks it against a catalogue and its own tests, but not against the clock.
///
/// # Errors
/// [`Error::Document`] with every problem's line, column and fix.
pub(crate) fn parse(name: &str, text: &str, catalogue: &Catalogue) -> Result<Contract, Error> {
    Contract::parse(name, text, catalogue).map_err(|problems| Error::Document(problems.to_string()))
}

/// Checks a contract against a catalogue, its own tests and the clock.
///
/// # Errors
/// [`Error::Document`] with every problem's line, column and fix.
pub fn check(file: &Path, catalogue: &Path, clock: &Clock) -> Result<Checked, Error> {
    let text = read_text(file)?;
    let name = file.display().to_string();
    check_text((&name, &text), read_catalogue(catalogue)?, clock)
}

/// Checks a contract as [`check`] does, against the catalogue that the owner signed.
///
/// # Errors
/// As [`check`]; [`Error::Refused`] if no catalogue is signed.
pub(super) async fn check_signed(
    file: &Path,
    deployment: &Deployment,
    bus: &BusClient,
) -> Result<Checked, Error> {
    let text = read_text(file)?;
    check_signed_text((&file.display().to_string(), &text), deployment, bus).await
}

/// Checks the text of a contract as [`check_signed`] does; the name is shown in errors.
///
/// # Errors
/// As [`check_signed`].
pub(crate) async fn check_signed_text(
    (name, text): (&str, &str),
    deployment: &Deployment,
    bus: &BusClient,
) -> Result<Checked, Error> {
    let signed = signed_tools(deployment, bus).await?;
    let digest = signed.digest();
    let checked = check_text((name, text), signed, &deployment.clock);
    let copy = deployment.dir.catalogue();
    let is_edited = || read_catalogue(&copy).is_ok_and(|copy| copy.digest() != digest);
    if let Err(Error::Document(problems)) = &checked
        && is_edited()
    {
        let copy = copy.display();
        return Err(Error::Document(format!(
            "{problems}\n\nIt was read with the signed catalogue, and {copy} differs from that: see `contractual tool diff`"
        )));
    }
    checked
}

/// Returns the newest catalogue that the owner signed.
///
/// # Errors
/// The bus's error; [`Error::Refused`] if no catalogue is signed.
pub(crate) async fn signed_tools(
    deployment: &Deployment,
    bus: &BusClient,
) -> Result<Catalogue, Error> {
    let newest = deployment::catalogue::newest(bus, owner(&deployment.dir)?).await?;
    let signed = newest.ok_or_else(|| Error::Refused(contract::UNSIGNED.to_owned()))?;
    Ok(signed.catalogue)
}

fn check_text(
    (name, text): (&str, &str),
    catalogue: Catalogue,
    clock: &Clock,
) -> Result<Checked, Error> {
    let wrong = |problems: diagnostic::Diagnostics| Error::Document(problems.to_string());
    let contract = Contract::parse(name, text, &catalogue).map_err(wrong)?;
    contract
        .in_force(name, text, clock.wall().ns() / 1_000_000)
        .map_err(wrong)?;
    let envelope = contract::envelope(&contract, &catalogue);
    Ok(Checked {
        text: text.to_owned(),
        contract,
        tools: catalogue,
        envelope,
    })
}

/// The digest of a contract's document, by which tasks and grants name it.
///
/// # Errors
/// As [`read_text`].
pub fn digest(file: &Path) -> Result<Digest, Error> {
    Ok(Digest::of(&[read_text(file)?.as_bytes()]))
}
