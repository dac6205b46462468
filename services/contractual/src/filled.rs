//! The values with which a person fills the slots of a contract, from options and at the terminal.

use std::path::Path;

use contract::{Contract, SlotValues};
use deployment::{Deployment, read_text};
use diagnostic::escaped;

use crate::{
    Error,
    command::contract::document::{parse, read_catalogue},
    prompt,
};

/// Reads the values of the slots of a contract from `set`, each `<slot>=<value>`, and asks the person at the terminal for
/// those that are missing; returns canonical JSON, none for a contract without slots.
///
/// # Errors
/// [`Error::Document`] for an invalid contract, and for values that do not fill its slots.
pub(crate) async fn filled(
    deployment: &Deployment,
    file: &Path,
    set: &[String],
) -> Result<Option<Vec<u8>>, Error> {
    let text = read_text(file)?;
    let head: toml::Table = toml::from_str(&text).unwrap_or_default();
    if set.is_empty() && !head.contains_key("slots") {
        return Ok(None);
    }
    let tools = read_catalogue(&deployment.dir.catalogue())?;
    let contract = parse(&file.display().to_string(), &text, &tools)?;
    filled_in(deployment, &contract, set).await
}

/// Does the same for a contract that was read before.
///
/// # Errors
/// [`Error::Document`] for values that do not fill its slots.
pub(crate) async fn filled_in(
    deployment: &Deployment,
    contract: &Contract,
    set: &[String],
) -> Result<Option<Vec<u8>>, Error> {
    let now_ms = deployment.clock.wall().ns().div_euclid(1_000_000);
    let mut values = SlotValues::default();
    for one in set {
        let Some((name, text)) = one.split_once('=') else {
            let shown = escaped(one);
            let next = "write the name of the slot, `=` and its value";
            return Err(Error::Document(format!(
                "`--set {shown}` has no `=`; {next}"
            )));
        };
        let value = contract.typed(name, text, now_ms);
        let value = value.map_err(|error| Error::Document(error.to_string()))?;
        if values.insert(name, value).is_some() {
            let problem = format!("the slot `{name}` is set twice; remove one of the two");
            return Err(Error::Document(problem));
        }
    }
    if prompt::is_attended() {
        ask(contract, &mut values, now_ms).await;
    }
    let checked = contract.check_slots(&values, now_ms);
    checked.map_err(|error| {
        Error::Document(format!("{error}; write `--set <slot>=<value>` for each"))
    })?;
    Ok((!values.is_empty()).then(|| values.encode()))
}

/// Asks for each missing value until it fits; ends early at the end of the input.
async fn ask(contract: &Contract, values: &mut SlotValues, now_ms: i64) {
    let missing: Vec<_> = contract.unfilled(values).cloned().collect();
    for slot in missing {
        loop {
            let question = format!("  {} ({}): ", slot.name, slot.said());
            let Some(text) = prompt::value(question).await else {
                return;
            };
            match contract.typed(&slot.name, &text, now_ms) {
                Ok(value) => {
                    values.insert(slot.name, value);
                    break;
                }
                Err(error) => prompt::tell(&error.problem),
            }
        }
    }
}
