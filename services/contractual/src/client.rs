//! The owner's client of a deployment's gateway.

use deployment::Deployment;
use gateway::client::Client;

use crate::Error;

/// The client that signs with the owner's key.
///
/// # Errors
/// Returns an error if the owner's key cannot be used.
pub fn client(deployment: &Deployment) -> Result<Client, Error> {
    let file = &deployment.file;
    let url = format!("http://{}", file.reached().gateway);
    let key = deployment.owner_key()?;
    let client = Client::new(&url, key, file.deployment, deployment.clock.clone())?;
    Ok(client.known_as(&file.gateway.to_string()))
}
