//! `deployment.toml`: what a deployment says of itself.

use std::{net::SocketAddr, path::PathBuf};

use bus_schema::DeploymentId;
use serde::{Deserialize, Serialize};

use crate::{Dir, Error, dir::Route, layout};

/// What is the deployment's own: `deployment.toml`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeploymentFile {
    /// Its id; stands in every signed statement.
    pub deployment: DeploymentId,
    /// Where the server listens.
    pub bus: SocketAddr,
    /// Where the gateway listens.
    pub gateway: SocketAddr,
    /// The folder that tools work in.
    pub workspace: PathBuf,
    /// Whether the server keeps a copy of the record for the `nats` command line.
    #[serde(default = "yes")]
    pub copy: bool,
    /// What it runs in, if that is not this machine itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub containers: Option<Containers>,
    #[serde(skip)]
    pub(crate) route: Option<Route>,
}

const fn yes() -> bool {
    true
}

impl DeploymentFile {
    /// Reads the deployment in `dir`.
    ///
    /// # Errors
    /// [`Error::NoDeployment`] if there is none, [`Error::Refused`] if it is of a version whose record this one cannot
    /// read.
    pub fn read(dir: &Dir) -> Result<Self, Error> {
        // What that version had instead of accounts.
        if dir.nats().join("permissions.conf").exists() {
            return Err(Error::Refused(format!(
                "{} was made by an earlier version, whose record this one cannot read: run it with that version, or make \
                 a new deployment with --dir",
                dir.path().display()
            )));
        }
        let path = dir.deployment();
        let text = std::fs::read_to_string(&path)
            .map_err(|_| Error::NoDeployment(dir.path().to_owned()))?;
        let facts: Self = toml::from_str(&text)
            .map_err(|error| Error::Document(format!("{}: {error}", path.display())))?;
        Ok(Self {
            route: dir.route(),
            ..facts
        })
    }

    /// Where this process reaches server and gateway.
    #[must_use]
    pub fn reached(&self) -> Route {
        self.route.unwrap_or(Route {
            bus: self.bus,
            gateway: self.gateway,
        })
    }

    /// The server's address for this process.
    #[must_use]
    pub fn url(&self) -> String {
        format!("tls://{}", self.reached().bus)
    }

    /// The server's address for the services.
    pub(crate) fn service_url(&self) -> String {
        match self.containers {
            Some(_) => layout::BUS_URL.to_owned(),
            None => format!("tls://{}", self.bus),
        }
    }
}

/// How the containers of a deployment are found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Containers {
    /// The compose project's name.
    pub project: String,
    /// The gateway's name in the tailnet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl Containers {
    /// The name of a service's one container.
    #[must_use]
    pub fn container(&self, service: &str) -> String {
        format!("{}-{service}-1", self.project)
    }
}
