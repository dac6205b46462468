//! The contract behind a digest, as the owner signed it on the bus.

use std::fmt;

use actor::StreamReader;
use bus_schema::{ContractName, Digest, PolicyFact, Time};

use deployment::Deployment;

use crate::Error;

/// A contract that the owner signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Its name.
    name: ContractName,
    /// Its version.
    version: u32,
    /// When it ends.
    expires: Time,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            version,
            expires,
        } = self;
        write!(f, "{name} version {version}, until {expires}")
    }
}

/// Looks for the owner's signature under a contract, from the start of the record; none if there is none.
///
/// # Errors
/// If there is no deployment, or what the bus refused.
pub(crate) async fn find(
    deployment: &Deployment,
    contract: &Digest,
) -> Result<Option<Found>, Error> {
    let owner = bus_schema::public_key(&deployment.owner_key()?);
    let bus = deployment.bus().await?;
    let mut reading = StreamReader::new(owner);
    let (mut found, mut failed) = (None, None);
    // From the start: whether a message is genuine depends on all before it.
    bus.scan(">", 1, |stored| {
        match reading.read::<PolicyFact>(&stored) {
            Ok(Ok((_, Some(PolicyFact::ContractSigned(_, fact)))))
                if fact.contract == *contract =>
            {
                found = Some(Found {
                    name: fact.name.clone(),
                    version: fact.version,
                    expires: fact.envelope.expires,
                });
            }
            Ok(Ok(_) | Err(_)) => {}
            Err(error) => failed = Some(error),
        }
        found.is_none() && failed.is_none()
    })
    .await?;
    failed.map_or(Ok(found), |error| Err(error.into()))
}
