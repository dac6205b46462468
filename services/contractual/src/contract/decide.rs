//! `contract decide`: verdicts on recorded or invented calls, with no deployment and no bus.

use std::path::Path;

use bus_schema::Time;
use policy::Contract;
use policy::batch::{Asks, Batch, BatchError};

use super::{read_catalogue, read_text};
use crate::Error;

/// Decides the calls on standard input, one line of JSON each, and writes a verdict for each to standard output, as
/// soon as it is known.
///
/// # Errors
/// [`Error::Document`] with what is wrong with the contract, the tools or a line; [`Error::Io`] if standard input or
/// output fails.
pub fn decide(contract: &Path, tools: &Path, asks: Asks, at: Time) -> Result<(), Error> {
    let text = read_text(contract)?;
    let tools = read_catalogue(tools)?;
    let contract = Contract::parse(&contract.display().to_string(), &text, &tools)
        .map_err(|problems| Error::Document(problems.to_string()))?;
    let batch = Batch::new(&contract, &tools, asks, at.ns().div_euclid(1_000_000));
    let run = batch.run(std::io::stdin().lock(), std::io::stdout().lock());
    run.map_err(|error| match error {
        BatchError::Line { .. } => Error::Document(format!("standard input, {error}")),
        BatchError::Read(source) => Error::io("read", Path::new("standard input"))(source),
        BatchError::Write(source) => Error::io("write", Path::new("standard output"))(source),
    })
}
