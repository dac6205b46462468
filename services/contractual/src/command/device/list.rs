//! `device list`: lists the devices that the owner endorsed.

use bus_schema::{
    DeviceId, DeviceName, DeviceOnRecord, DeviceRefused, DeviceRole, PublicKey, Time,
};
use deployment::{Deployment, devices, owner::owner};
use serde::Serialize;

use crate::{Error, Output};

/// The help of `device list` after its arguments.
pub(super) const HELP: &str =
    "Example: contractual device list --json\n\nExit codes: 0 listed · 1 the bus does not answer";

/// A device.
#[derive(Debug, Serialize)]
struct ListedDevice {
    device: DeviceId,
    name: DeviceName,
    role: DeviceRole,
    key: PublicKey,
    endorsed: Time,
    expires: Time,
    state: &'static str,
}

/// Prints the devices, one on each line.
pub(super) async fn run(deployment: &Deployment, out: &Output) -> Result<(), Error> {
    let bus = deployment.bus().await?;
    let owner = owner(&deployment.dir)?;
    let devices = devices::read(&bus, owner, deployment.file.deployment).await?;
    let now = deployment.clock.wall();
    let listed: Vec<_> = devices.iter().map(|one| shown(one, now)).collect();
    out.print(&listed, || {
        if listed.is_empty() {
            return "there are no devices; pair one with `contractual pair`".to_owned();
        }
        let lines = listed.iter().map(ListedDevice::text);
        lines.collect::<Vec<_>>().join("\n")
    });
    Ok(())
}

fn shown(record: &DeviceOnRecord, now: Time) -> ListedDevice {
    let endorsed = &record.endorsed;
    let state = match record.check(now) {
        Ok(()) => "valid",
        Err(DeviceRefused::Revoked) => "revoked",
        Err(DeviceRefused::Expired) => "expired",
        Err(DeviceRefused::Role | DeviceRefused::Unverified) => "may only read",
    };
    ListedDevice {
        device: endorsed.device,
        name: endorsed.name.clone(),
        role: endorsed.role,
        key: endorsed.key.signs(),
        endorsed: record.at,
        expires: endorsed.expires,
        state,
    }
}

impl ListedDevice {
    fn text(&self) -> String {
        let Self {
            device,
            name,
            role,
            expires,
            state,
            ..
        } = self;
        let role = role.name();
        format!("{name:<20} {role:<9} {state:<8} until {expires}  {device}")
    }
}
