//! An open deployment: its folder, its file, and connections to its bus.

use actor::{BusClient, Clock, signing_key};
use ed25519_dalek::SigningKey;

use crate::{DeploymentFile, Dir, Error};

/// The owner's user on the bus.
const OWNER: &str = "owner";

/// A deployment whose file was read.
#[derive(Debug, Clone)]
pub struct Deployment {
    /// Its folder.
    pub dir: Dir,
    /// The content of its `deployment.toml`.
    pub file: DeploymentFile,
    /// Time and randomness of this process.
    pub clock: Clock,
}

impl Deployment {
    /// Opens the deployment in `dir`.
    ///
    /// # Errors
    /// As [`DeploymentFile::read`].
    pub fn open(dir: &Dir, clock: &Clock) -> Result<Self, Error> {
        Ok(Self {
            file: DeploymentFile::read(dir)?,
            dir: dir.clone(),
            clock: clock.clone(),
        })
    }

    /// The owner's signing key.
    ///
    /// # Errors
    /// [`Error`] if it is offline or invalid.
    pub fn owner_key(&self) -> Result<SigningKey, Error> {
        Ok(signing_key::load(&self.dir.owner_key())?)
    }

    /// Connects to the bus as the owner.
    ///
    /// # Errors
    /// The bus's refusal.
    pub async fn bus(&self) -> Result<BusClient, Error> {
        self.bus_as(OWNER).await
    }

    /// Connects to the bus as one of its users.
    ///
    /// # Errors
    /// The bus's refusal.
    pub async fn bus_as(&self, user: &str) -> Result<BusClient, Error> {
        let access = self.dir.access(user, &self.file.url());
        Ok(BusClient::connect(&access, self.clock.clone()).await?)
    }

    /// Connects to the bus as one of its users, in one attempt.
    ///
    /// # Errors
    /// The bus's refusal.
    pub async fn bus_once(&self, user: &str) -> Result<BusClient, Error> {
        let access = self.dir.access(user, &self.file.url());
        Ok(BusClient::connect_once(&access, self.clock.clone()).await?)
    }
}
