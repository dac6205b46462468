//! `deployment.toml`: the description of a deployment.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
};

use bus_schema::DeploymentId;
use serde::{Deserialize, Serialize};

use crate::{Dir, Error, dir::Route, layout, tailnet::SIGNER_PORT};

/// The content of `deployment.toml`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeploymentFile {
    /// The id, which every signed statement contains.
    pub deployment: DeploymentId,
    /// The server's listen address.
    pub bus: SocketAddr,
    /// The gateway's listen address.
    pub gateway: SocketAddr,
    /// The signer's listen address; none without a signer on this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<SocketAddr>,
    /// The workspace of the tools.
    pub workspace: PathBuf,
    /// True if the server keeps a copy of the record for the `nats` command line.
    #[serde(default = "yes")]
    pub copy: bool,
    /// The containers that it runs in; none on this machine itself.
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
    /// [`Error::NoDeployment`] if there is none, [`Error::Refused`] if an earlier version with an unreadable
    /// record created it.
    pub fn read(dir: &Dir) -> Result<Self, Error> {
        // That version had this file instead of accounts.
        if dir.nats().join("permissions.conf").exists() {
            return Err(Error::Refused(format!(
                "{} was made by an earlier version, whose record this version cannot read: run it with that version, \
                 or create a new deployment with --dir",
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

    /// The addresses at which this process reaches server and gateway.
    #[must_use]
    pub fn reached(&self) -> Route {
        self.route.unwrap_or(self.local())
    }

    /// The addresses at which processes of the same machine reach server and gateway.
    fn local(&self) -> Route {
        let of = |address: SocketAddr| SocketAddr::new(reached(address.ip()), address.port());
        Route {
            bus: of(self.bus),
            gateway: of(self.gateway),
        }
    }

    /// The server's address for this process.
    #[must_use]
    pub fn url(&self) -> String {
        format!("tls://{}", self.reached().bus)
    }

    /// The gateway's origin, as browsers see it.
    #[must_use]
    pub fn gateway_origin(&self) -> String {
        match self.name() {
            Some(name) => format!("https://{name}"),
            None => format!("http://{}", self.gateway),
        }
    }

    /// The signer's origin, as browsers see it; none without a signer that a browser can reach.
    #[must_use]
    pub fn signer_origin(&self) -> Option<String> {
        let name = self
            .name()
            .map(|name| format!("https://{name}:{SIGNER_PORT}"));
        name.or_else(|| self.signer.map(|signer| format!("http://{signer}")))
    }

    /// The signer's origin for passkeys, which browsers make for names alone; none without a signer that a browser can
    /// reach.
    #[must_use]
    pub fn passkey_origin(&self) -> Option<String> {
        let local = self
            .signer
            .map(|signer| format!("http://localhost:{}", signer.port()));
        self.name().and_then(|_| self.signer_origin()).or(local)
    }

    /// The name in the tailnet.
    pub(crate) fn name(&self) -> Option<&str> {
        self.containers.as_ref()?.name.as_deref()
    }

    /// The server's address for the services.
    pub(crate) fn service_url(&self) -> String {
        match self.containers {
            Some(_) => layout::BUS_URL.to_owned(),
            None => format!("tls://{}", self.local().bus),
        }
    }
}

/// The address at which a listener on `ip` is reached: the loopback for one that listens on every address.
pub(crate) const fn reached(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        IpAddr::V4(_) | IpAddr::V6(_) => ip,
    }
}

/// The names of a deployment's containers.
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
