//! `health`: prints the health of a service.

use std::path::PathBuf;

use actor::Clock;
use clap::Args;
use deployment::{Dir, fleet::SIGNER};
use serde_json::json;

use super::service::ServiceName;
use crate::{Error, Output};

/// `health …`
#[derive(Debug, Args)]
#[command(after_help = "Example: contractual health policy --dir ~/contractual")]
pub(crate) struct Arguments {
    /// The service, such as policy.
    name: ServiceName,
    /// The service's state folder, such as /var/lib/contractual; by default the one in the deployment's folder.
    #[arg(long, value_name = "FOLDER")]
    state: Option<PathBuf>,
}

impl Arguments {
    /// Returns true if it reads nothing of a deployment's folder.
    pub(super) const fn needs_no_folder(&self) -> bool {
        self.state.is_some()
    }

    pub(super) fn run(self, dir: &Dir, out: &Output, clock: &Clock) -> Result<(), Error> {
        let Self { name, state } = self;
        let name = match name {
            ServiceName::Actor(name) => name,
            ServiceName::Signer => return signer(dir, out),
        };
        let state = state.unwrap_or_else(|| dir.state(name));
        let health = actor::health::read(&state, clock);
        let health = health.map_err(|error| Error::Found(format!("{name}: {error}")))?;
        out.print(&health, || format!("{name}: {}", health.state));
        Ok(())
    }
}

/// Asks the signer itself, which has no state.
fn signer(dir: &Dir, out: &Output) -> Result<(), Error> {
    let unwell =
        |error: &dyn std::error::Error| Error::Found(format!("{SIGNER}: {}", actor::chain(error)));
    let config = signer::read(&dir.signer_config()).map_err(|error| unwell(&error))?;
    signer::ask(&config).map_err(|error| unwell(&error))?;
    out.print(&json!({"state": "ready"}), || format!("{SIGNER}: ready"));
    Ok(())
}
