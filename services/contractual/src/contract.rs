//! `contract …`: reads a contract as policy does, and puts the owner's signature under it.

mod decide;
mod diff;
mod explain;
mod history;
mod ledger;
mod lines;
mod new;
mod replay;
mod show;
mod sign;
mod standing;

use std::path::Path;

use actor::{Clock, files};
use bus_schema::{Digest, Time};
use policy::{Catalogue, Contract};
use serde::Serialize;

pub use self::decide::decide;
pub use self::diff::diff;
pub use self::explain::explain;
pub use self::ledger::{Listed, Standing};
pub use self::new::new;
pub use self::replay::replay;
pub use self::show::show;
pub use self::sign::{Said, command as sign_and_wait, sign};
pub(crate) use self::standing::listed;
pub use self::standing::{list, revoke};
use crate::Error;

/// Largest document that is read: 256 KiB.
const DOCUMENT_BYTES_MAX: u64 = 256 << 10;

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

/// Reads a text file of bounded size.
///
/// # Errors
/// [`Error::Io`], or [`Error::Document`] if it is too large or not UTF-8.
pub fn read_text(path: &Path) -> Result<String, Error> {
    let size = std::fs::metadata(path)
        .map_err(Error::io("read", path))?
        .len();
    if size > DOCUMENT_BYTES_MAX {
        return Err(Error::Document(format!(
            "{} is larger than {DOCUMENT_BYTES_MAX} bytes",
            path.display()
        )));
    }
    let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
    String::from_utf8(bytes)
        .map_err(|_| Error::Document(format!("{} is not UTF-8 text", path.display())))
}

/// Reads the tool catalogue.
///
/// # Errors
/// [`Error::Document`] with what is wrong.
pub fn read_catalogue(path: &Path) -> Result<Catalogue, Error> {
    let text = std::fs::read(path).map_err(Error::io("read", path))?;
    Catalogue::parse(&text)
        .map_err(|error| Error::Document(format!("{}: {}", path.display(), actor::chain(&error))))
}

/// Reads a contract against a catalogue and its own tests, whether it is in force or not.
///
/// # Errors
/// [`Error::Document`] with every problem's line, column and fix.
fn parse(name: &str, text: &str, catalogue: &Catalogue) -> Result<Contract, Error> {
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
    let wrong = |problems: actor::diagnostic::Diagnostics| Error::Document(problems.to_string());
    let contract = Contract::parse(&name, &text, &catalogue).map_err(wrong)?;
    contract
        .in_force(&name, &text, clock.wall().ns() / 1_000_000)
        .map_err(wrong)?;
    let envelope = policy::envelope(&contract, &catalogue);
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

/// The catalogue and contract that ship as the example, for `init` without a choice of one's own.
pub mod example {
    /// `deploy/examples/stocktake/tools.json`.
    pub const TOOLS: &str = include_str!("../../../deploy/examples/stocktake/tools.json");
    /// `deploy/examples/stocktake/contract.toml`.
    pub const CONTRACT: &str = include_str!("../../../deploy/examples/stocktake/contract.toml");
    /// `deploy/examples/stocktake/playbook.toml`.
    pub const PLAYBOOK: &str = include_str!("../../../deploy/examples/stocktake/playbook.toml");
    /// `deploy/examples/stocktake/invoices`: names and texts.
    pub const INVOICES: &[(&str, &str)] = &[
        (
            "2026-09-brandt-printing.txt",
            include_str!("../../../deploy/examples/stocktake/invoices/2026-09-brandt-printing.txt"),
        ),
        (
            "2026-09-kessel-heating.txt",
            include_str!("../../../deploy/examples/stocktake/invoices/2026-09-kessel-heating.txt"),
        ),
        (
            "2026-09-nordlicht-paper.txt",
            include_str!("../../../deploy/examples/stocktake/invoices/2026-09-nordlicht-paper.txt"),
        ),
        (
            "2026-10-baltic-hosting.txt",
            include_str!("../../../deploy/examples/stocktake/invoices/2026-10-baltic-hosting.txt"),
        ),
        (
            "2026-10-hofmann-translations.txt",
            include_str!(
                "../../../deploy/examples/stocktake/invoices/2026-10-hofmann-translations.txt"
            ),
        ),
        (
            "2026-10-lindgren-coffee.txt",
            include_str!("../../../deploy/examples/stocktake/invoices/2026-10-lindgren-coffee.txt"),
        ),
    ];
}

/// Writes a private file that must not exist.
///
/// # Errors
/// As [`files::write_new`].
pub(crate) fn write_new(path: &Path, text: &str) -> Result<(), Error> {
    Ok(files::write_new(path, text.as_bytes())?)
}
