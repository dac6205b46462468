//! The devices that the owner endorses: those in the stream, and the next endorsement or revocation.

use actor::BusClient;
use bus_schema::{
    Deployment as Whole, DeploymentId, DeviceEndorsed, DeviceFact, DeviceId, DeviceRevoked,
    Devices, Draft, PublicKey, public_key,
};

use crate::{Deployment, Error, owner};

/// Reads the devices that the owner endorsed for `deployment`.
///
/// # Errors
/// The bus's error.
pub async fn read(
    bus: &BusClient,
    owner: PublicKey,
    deployment: DeploymentId,
) -> Result<Devices, Error> {
    let mut devices = Devices::default();
    for (meta, fact) in bus.owner_facts::<DeviceFact>(owner).await? {
        match fact {
            DeviceFact::DeviceEndorsed(_, fact) => {
                devices.endorse(Some(deployment), meta.stored, *fact);
            }
            DeviceFact::DeviceRevoked(_, fact) => {
                devices.revoke(&fact);
            }
        }
    }
    Ok(devices)
}

/// Endorses a device; returns the place of the endorsement in the stream.
///
/// # Errors
/// The bus's error, or [`Error::Refused`] if its id or its key was used before, or there are too many devices.
pub async fn endorse(of: &Deployment, bus: &BusClient, fact: DeviceEndorsed) -> Result<u64, Error> {
    let key = public_key(&of.owner_key()?);
    let device = fact.device;
    let seq = owner::say(of, bus, Draft::of(Whole, fact.clone())).await?;
    let devices = read(bus, key, of.file.deployment).await?;
    if devices
        .get(&device)
        .is_none_or(|found| found.endorsed != fact)
    {
        return Err(Error::Refused(
            "the device does not count: its key belonged to a device before, or there are 256 devices; pair it with a new \
             key, in a new browser profile if need be"
                .to_owned(),
        ));
    }
    Ok(seq)
}

/// Revokes a device; returns the place of the revocation in the stream.
///
/// # Errors
/// The bus's error.
pub async fn revoke(of: &Deployment, bus: &BusClient, device: DeviceId) -> Result<u64, Error> {
    owner::say(of, bus, Draft::of(Whole, DeviceRevoked { device })).await
}
