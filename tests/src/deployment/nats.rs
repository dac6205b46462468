//! The server of a deployment: started, stopped, killed.

use std::{path::PathBuf, process::ExitStatus};

use super::{Deployment, NATS};
use crate::nats_server;

/// The server of a deployment.
#[derive(Debug, Clone, Copy)]
pub struct Nats<'a>(pub(super) &'a Deployment);

impl Nats<'_> {
    /// Starts it and waits until it is ready.
    ///
    /// # Panics
    /// Panics with its last lines if it does not get ready.
    pub async fn start(self) {
        let config = self.0.dir.nats().join("nats.conf");
        let arguments = ["-c", config.to_str().unwrap()];
        self.0.spawn(NATS, nats_server(), &arguments, &[]);
        self.0.ready(NATS).await;
    }

    /// Asks it to stop and waits for its end.
    ///
    /// # Panics
    /// Panics if it does not run, or does not stop.
    pub async fn stop(self) -> ExitStatus {
        self.0.stop_named(NATS).await
    }

    /// Kills it without notice.
    pub fn kill(self) -> bool {
        self.0.kill_named(NATS)
    }

    /// Stops it and starts it again.
    ///
    /// # Panics
    /// Panics with its last lines if it does not get ready.
    pub async fn restart(self) {
        self.stop().await;
        self.start().await;
    }

    /// The folder of its streams.
    #[must_use]
    pub fn store(self) -> PathBuf {
        self.0.dir.nats().join("data")
    }
}
