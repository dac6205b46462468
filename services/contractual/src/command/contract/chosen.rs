//! Chooses the contract of a command that names none.

use deployment::Deployment;

use super::{
    index::{ContractEntry, ContractStatus},
    list::entries,
};
use crate::Error;

/// Returns the contract of this name that is in force and fits, or without a name the only one.
///
/// # Errors
/// [`Error::Refused`] with `none` if no contract fits, [`Error::Document`] if several do, and the bus's error.
pub(crate) async fn chosen(
    deployment: &Deployment,
    named: Option<&str>,
    fits: impl Fn(&ContractEntry) -> bool,
    none: impl FnOnce() -> String,
) -> Result<ContractEntry, Error> {
    let mut all = entries(deployment).await?;
    all.retain(|one| {
        one.state == ContractStatus::Active
            && named.is_none_or(|named| one.name.as_str() == named)
            && fits(one)
    });
    let names: Vec<&str> = all.iter().map(|one| one.name.as_str()).collect();
    if names.len() > 1 {
        return Err(Error::Document(format!(
            "name the contract with `--contract`, one of: {}",
            names.join(", ")
        )));
    }
    all.pop().ok_or_else(|| Error::Refused(none()))
}
