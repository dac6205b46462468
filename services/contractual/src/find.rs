//! Finds the signed contract that has a given digest.

use std::fmt;

use bus_schema::{ContractName, Digest, PolicyFact, Time};

use deployment::Deployment;

use crate::Error;

/// A signed contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SignedContract {
    /// Its name.
    name: ContractName,
    /// Its version.
    version: u32,
    /// The time at which it expires.
    expires: Time,
}

impl fmt::Display for SignedContract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            version,
            expires,
        } = self;
        write!(f, "{name} version {version}, until {expires}")
    }
}

/// Finds the owner's signature of a contract in the record; returns none if there is none.
///
/// # Errors
/// Returns an error if there is no deployment or the bus refused a request.
pub(crate) async fn find(
    deployment: &Deployment,
    contract: &Digest,
) -> Result<Option<SignedContract>, Error> {
    let owner = bus_schema::public_key(&deployment.owner_key()?);
    let bus = deployment.bus().await?;
    let mut found = None;
    bus.each_fact(owner, |fact: PolicyFact| {
        if let PolicyFact::ContractSigned(_, fact) = fact
            && fact.contract == *contract
        {
            found = Some(SignedContract {
                name: fact.name,
                version: fact.version,
                expires: fact.envelope.expires,
            });
        }
        found.is_none()
    })
    .await?;
    Ok(found)
}
