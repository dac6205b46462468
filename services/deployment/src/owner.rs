//! The owner: the public key, and facts that the owner signs.

use std::path::Path;

use actor::{BusClient, files, signing_key};
use bus_schema::{AuthorId, Draft, Owner, PublicKey, public_key};

use crate::{Deployment, Dir, Error};

/// The owner's public key, even if the signing key is offline.
///
/// # Errors
/// [`Error`] if no file holds it.
pub fn owner(dir: &Dir) -> Result<PublicKey, Error> {
    if dir.owner_key().exists() {
        return Ok(public_key(&signing_key::load(&dir.owner_key())?));
    }
    if dir.owner_public().exists() {
        return read_owner(&dir.owner_public());
    }
    // Old deployments do not have that file.
    let read = actor::config::read::<toml::Table>(&dir.config(AuthorId::Policy));
    Ok(read?.0.owner)
}

/// Appends a fact as the owner; returns its place in the stream.
///
/// # Errors
/// The bus's error, or [`Error`] without the owner's signing key.
pub(crate) async fn say(
    of: &Deployment,
    bus: &BusClient,
    draft: Draft<Owner>,
) -> Result<u64, Error> {
    let mut pen = bus.owner(of.owner_key()?).await?;
    let seq = pen.say(bus, draft).await?;
    bus.flush().await;
    Ok(seq)
}

pub(crate) fn read_owner(path: &Path) -> Result<PublicKey, Error> {
    let bytes = files::read_public(path)?;
    let text = String::from_utf8_lossy(&bytes);
    text.trim()
        .parse()
        .map_err(|_| Error::Document(format!("{} is not the owner's public key", path.display())))
}
