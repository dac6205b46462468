//! `health`: prints the health of a service.

use std::path::PathBuf;

use actor::Clock;
use bus_schema::AuthorId;
use clap::Args;
use deployment::Dir;

use crate::{Error, Output};

/// `health …`
#[derive(Debug, Args)]
#[command(after_help = "Example: contractual health policy --dir ~/contractual")]
pub(crate) struct Arguments {
    /// The service, such as policy.
    name: AuthorId,
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
        let state = state.unwrap_or_else(|| dir.state(name));
        let health = actor::health::read(&state, clock);
        let health = health.map_err(|error| Error::Found(format!("{name}: {error}")))?;
        out.print(&health, || format!("{name}: {}", health.state));
        Ok(())
    }
}
