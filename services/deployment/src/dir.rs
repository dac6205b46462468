//! The state directory: where each identity, configuration and volume of a deployment lies.

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

/// Where this process reaches a deployment that does not listen on this machine itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// The server.
    pub bus: SocketAddr,
    /// The gateway.
    pub gateway: SocketAddr,
}

impl Dir {
    /// The deployment in `path`, which stays the same for processes that work in another folder.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        // Only an empty path, or a working folder that is gone, has no absolute form.
        let path = std::path::absolute(&path).unwrap_or(path);
        Self { path, route: None }
    }

    /// The same deployment, reached another way.
    #[must_use]
    pub fn through(self, route: Route) -> Self {
        Self {
            route: Some(route),
            ..self
        }
    }

    /// The other way, if there is one.
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

    /// The owner's public key, which stays when the key itself is taken offline.
    #[must_use]
    pub fn owner_public(&self) -> PathBuf {
        self.path.join("owner.pub")
    }

    /// The certificate authority's certificate.
    #[must_use]
    pub fn ca(&self) -> PathBuf {
        self.path.join("ca").join("ca.pem")
    }

    /// A copy of it in a folder that holds nothing else, which containers mount: a file that is mounted by itself would
    /// stay what it was when another takes its name.
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

    /// The deployment's own facts.
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

    /// Where the `nats` command line finds its contexts (`XDG_CONFIG_HOME`).
    #[must_use]
    pub fn contexts(&self) -> PathBuf {
        self.path.join("nats-cli")
    }

    /// How `user` reaches the server at `url`.
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
