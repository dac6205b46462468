//! `port-forward`: forwards loopback ports of this machine to a deployment in containers.

use clap::Args;
use deployment::{Deployment, Route, layout};

use super::up::Interrupt;
use crate::{Error, Output};

/// `port-forward …`
#[derive(Debug, Args)]
#[command(after_help = "Example: contractual port-forward --dir ~/contractual")]
pub(crate) struct Arguments {
    /// The local port for the bus; 0 takes a free port.
    #[arg(long, default_value_t = layout::RELAYED, value_name = "PORT")]
    bus: u16,
    /// The local port for the gateway; 0 takes a free port.
    #[arg(long, default_value_t = 0, value_name = "PORT")]
    gateway: u16,
}

impl Arguments {
    /// The ports for bus and gateway.
    pub(super) const fn ports(&self) -> (u16, u16) {
        (self.bus, self.gateway)
    }

    pub(super) async fn run(&self, deployment: &Deployment, out: &Output) -> Result<(), Error> {
        let mut interrupt = Interrupt::listen()?;
        let Some(Route { bus, gateway }) = deployment.dir.route() else {
            return Err(Error::Refused(
                "this deployment is not in containers: use its addresses, which are in deployment.toml"
                    .to_owned(),
            ));
        };
        out.print(&serde_json::json!({"bus": bus, "gateway": gateway}), || {
            format!("bus at {bus}, gateway at {gateway}, until Ctrl-C")
        });
        interrupt.came().await;
        Ok(())
    }
}
