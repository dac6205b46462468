//! Services: a core with its effects and background tasks.

use std::{future::Future, path::PathBuf, sync::Arc};

use bus_schema::{PublicKey, Version};
use serde::de::DeserializeOwned;
use tokio::{sync::mpsc, sync::watch, task::JoinSet};

use crate::{Bus, Clock, Core, Error};

/// The context of a service at its start.
#[derive(Debug, Clone)]
pub struct Context {
    /// The owner's public key.
    pub owner: PublicKey,
    /// The own signing key's public half.
    pub key: PublicKey,
    /// The folder that survives restarts.
    pub state: PathBuf,
    /// The folder of the configuration file; relative paths in it start here.
    pub folder: PathBuf,
    /// Time and randomness.
    pub clock: Clock,
    /// Becomes true when the actor is asked to stop.
    pub stop: watch::Receiver<bool>,
}

/// A service: a core with its effects and background tasks.
pub trait Service: Send + Sync + Sized + 'static {
    /// The core.
    type Core: Core;
    /// The table `[service]` of its configuration.
    type Config: DeserializeOwned;

    /// Makes the service and its core.
    ///
    /// # Errors
    /// Returns the reason if it cannot work; it does not start then.
    fn open(config: Self::Config, context: &Context) -> Result<(Self, Self::Core), Error>;

    /// Starts tasks that run until the actor stops.
    ///
    /// # Errors
    /// Returns the reason if it cannot work; it does not start then.
    fn start(_service: &Arc<Self>, _beside: &mut BackgroundTasks<Self>) -> Result<(), Error> {
        Ok(())
    }

    /// Performs an effect of the core.
    fn perform(
        service: Arc<Self>,
        effect: <Self::Core as Core>::Effect,
        bus: Bus<<Self::Core as Core>::Me>,
    ) -> impl Future<Output = <Self::Core as Core>::Input> + Send + 'static;
}

/// The background tasks that run beside the core.
#[derive(Debug)]
pub struct BackgroundTasks<S: Service> {
    /// The bus.
    pub bus: Bus<<S::Core as Core>::Me>,
    /// The sender of inputs for the core.
    pub input: mpsc::Sender<<S::Core as Core>::Input>,
    /// Becomes true when the actor is asked to stop.
    pub stop: watch::Receiver<bool>,
    pub(crate) tasks: JoinSet<Result<(), Error>>,
}

impl<S: Service> BackgroundTasks<S> {
    /// Runs a task until the actor stops; if it fails, the actor fails.
    pub fn spawn(&mut self, task: impl Future<Output = Result<(), Error>> + Send + 'static) {
        self.tasks.spawn(task);
    }
}

/// The version of this program.
///
/// # Panics
/// Never: the build's own version is a version.
#[must_use]
pub fn version() -> Version {
    env!("CARGO_PKG_VERSION")
        .parse()
        .expect("the package version is a version")
}
