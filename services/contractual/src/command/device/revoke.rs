//! `device revoke`: ends a device.

use bus_schema::{DeviceOnRecord, Devices, Time};
use clap::Args;
use deployment::{Deployment, devices, owner::owner};
use serde_json::json;

use crate::{Error, Output};

/// `device revoke …`
#[derive(Debug, Args)]
#[command(after_help = "Example: contractual device revoke Phone\n\n\
    Nothing that the device signs counts any more, also for questions that it answered and that are not granted yet. Its \
    sessions end within a second. A revoked device does not come back: pair it again.\n\n\
    Exit codes: 0 revoked · 1 there is no such device, or the bus refused it")]
pub(crate) struct Arguments {
    /// The name of the device, such as Phone, or its id from `contractual device list`.
    name: String,
}

impl Arguments {
    pub(super) async fn run(&self, deployment: &Deployment, out: &Output) -> Result<(), Error> {
        let bus = deployment.bus().await?;
        let key = owner(&deployment.dir)?;
        let all = devices::read(&bus, key, deployment.file.deployment).await?;
        let found = found(&all, &self.name, deployment.clock.wall())?;
        let (name, device) = (&found.endorsed.name, found.endorsed.device);
        if found.is_revoked {
            out.print(&json!({"device": device, "name": name}), || {
                format!("{name} is revoked already; nothing was signed")
            });
            return Ok(());
        }
        let seq = devices::revoke(deployment, &bus, device).await?;
        out.print(&json!({"device": device, "name": name, "seq": seq}), || {
            format!("{name}: revoked as message {seq}; nothing that it signs counts any more")
        });
        Ok(())
    }
}

/// Finds the one device of this id, or of this name among the valid ones.
fn found<'d>(all: &'d Devices, name: &str, now: Time) -> Result<&'d DeviceOnRecord, Error> {
    let by_id = |one: &&DeviceOnRecord| one.endorsed.device.to_string() == name;
    if let Some(found) = all.iter().find(by_id) {
        return Ok(found);
    }
    let named = || all.iter().filter(|one| one.endorsed.name.as_str() == name);
    let valid: Vec<_> = named().filter(|one| one.check(now).is_ok()).collect();
    match valid.as_slice() {
        [only] => Ok(only),
        [] => named().last().ok_or_else(|| {
            Error::Refused(format!(
                "there is no device {name:?}: see `contractual device list`"
            ))
        }),
        [_, _, ..] => Err(Error::Refused(format!(
            "several devices are called {name:?}: name one by its id from `contractual device list`"
        ))),
    }
}
