//! The state directory: the paths of a deployment's identities, configurations and volumes.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use actor::Access;
use bus_schema::AuthorId;

/// The folder of one deployment.
#[derive(Debug, Clone)]
pub struct Dir {
    path: PathBuf,
    route: Option<Route>,
}

/// The addresses at which this process reaches a deployment that does not listen on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// The server's address.
    pub bus: SocketAddr,
    /// The gateway's address.
    pub gateway: SocketAddr,
}

impl Dir {
    /// The deployment in `path`, made absolute for processes with another working folder.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        // Only an empty path, or a deleted working folder, has no absolute form.
        let path = std::path::absolute(&path).unwrap_or(path);
        Self { path, route: None }
    }

    /// The same deployment, reached through `route`.
    #[must_use]
    pub fn through(self, route: Route) -> Self {
        Self {
            route: Some(route),
            ..self
        }
    }

    /// The route, if there is one.
    #[must_use]
    pub const fn route(&self) -> Option<Route> {
        self.route
    }

    /// The folder itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder of one user of the bus: an actor, `owner`, `provision`, `audit-reader`, `trigger`, `sys`.
    #[must_use]
    pub fn of(&self, user: &str) -> PathBuf {
        self.path.join(user)
    }

    /// An actor's configuration file.
    #[must_use]
    pub fn config(&self, author: AuthorId) -> PathBuf {
        self.of(author.name()).join("config.toml")
    }

    /// The signer's configuration file.
    #[must_use]
    pub fn signer_config(&self) -> PathBuf {
        self.of("signer").join("config.toml")
    }

    /// An actor's state folder.
    #[must_use]
    pub fn state(&self, author: AuthorId) -> PathBuf {
        self.of(author.name()).join("state")
    }

    /// The owner's signing key.
    #[must_use]
    pub fn owner_key(&self) -> PathBuf {
        self.of("owner").join("signing.pem")
    }

    /// The owner's public key, which remains when the key itself is offline.
    #[must_use]
    pub fn owner_public(&self) -> PathBuf {
        self.path.join("owner.pub")
    }

    /// The certificate authority's certificate.
    #[must_use]
    pub fn ca(&self) -> PathBuf {
        self.path.join("ca").join("ca.pem")
    }

    /// A copy of it in a folder of its own, which containers mount: a container that mounts a single file would
    /// keep the old content when the file is replaced.
    #[must_use]
    pub fn trusted(&self) -> PathBuf {
        self.path.join("trust").join("ca.pem")
    }

    /// The certificate authority's key.
    #[must_use]
    pub fn ca_key(&self) -> PathBuf {
        self.path.join("ca").join("ca-key.pem")
    }

    /// The server's folder.
    #[must_use]
    pub fn nats(&self) -> PathBuf {
        self.path.join("nats")
    }

    /// The log of a process that `up` runs.
    #[must_use]
    pub fn log(&self, name: &str) -> PathBuf {
        self.path.join("logs").join(format!("{name}.log"))
    }

    /// The deployment's `deployment.toml`.
    #[must_use]
    pub fn deployment(&self) -> PathBuf {
        self.path.join("deployment.toml")
    }

    /// The first roster, signed by the owner.
    #[must_use]
    pub fn roster(&self) -> PathBuf {
        self.path.join("roster.json")
    }

    /// The tool catalogue.
    #[must_use]
    pub fn catalogue(&self) -> PathBuf {
        self.path.join("tools.json")
    }

    /// The folder with the contexts of the `nats` command line (`XDG_CONFIG_HOME`).
    #[must_use]
    pub fn contexts(&self) -> PathBuf {
        self.path.join("nats-cli")
    }

    /// The folder with the agents that are attached.
    #[must_use]
    pub fn agents(&self) -> PathBuf {
        self.path.join("agents")
    }

    /// The access of `user` to the server at `url`.
    #[must_use]
    pub fn access(&self, user: &str, url: &str) -> Access {
        let folder = self.of(user);
        Access {
            user: user.to_owned(),
            url: url.to_owned(),
            ca: self.ca(),
            certificate: folder.join("cert.pem"),
            key: folder.join("key.pem"),
            nkey: folder.join("user.nk"),
        }
    }
}
