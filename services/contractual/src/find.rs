//! Finds the signed contract that has a given digest.

use std::fmt;

use actor::StreamReader;
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
    let mut reading = StreamReader::new(owner);
    let (mut found, mut failed) = (None, None);
    // From the start: a message is verified against all messages before it.
    bus.scan(">", 1, |stored| {
        match reading.read::<PolicyFact>(&stored) {
            Ok(Ok((_, Some(PolicyFact::ContractSigned(_, fact)))))
                if fact.contract == *contract =>
            {
                found = Some(SignedContract {
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
