//! The context of a command.

use std::time::SystemTime;

use actor::Clock;
use deployment::{Deployment, Dir};

use crate::{Error, Output};

/// The error of a command that needs a folder and has none.
pub(super) const NO_FOLDER: &str =
    "there is no default folder, because this user has no home folder: pass --dir DIR";

/// The context that every command gets.
pub(super) struct Context {
    pub(super) dir: Dir,
    /// True if the person named the folder.
    pub(super) is_named: bool,
    pub(super) out: Output,
    pub(super) clock: Clock,
}

impl Context {
    /// Opens the deployment.
    pub(super) fn deployment(&self) -> Result<Deployment, Error> {
        Ok(Deployment::open(&self.dir, &self.clock)?)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "certificates are dated by the machine's clock"
)]
pub(super) fn today() -> SystemTime {
    SystemTime::now()
}
