//! The state directory: where each identity, configuration and volume of a deployment lies.

use std::path::{Path, PathBuf};

use actor::Access;
use bus_schema::AuthorId;

/// The folder of one deployment.
#[derive(Debug, Clone)]
pub struct Dir(PathBuf);

impl Dir {
    /// The deployment in `path`, which stays the same for processes that work in another folder.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        // Only an empty path, or a working folder that is gone, has no absolute form.
        Self(std::path::absolute(&path).unwrap_or(path))
    }

    /// The folder itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The folder of one user of the bus: an actor, `owner`, `provision`, `audit-reader`, `trigger`, `sys`.
    #[must_use]
    pub fn of(&self, user: &str) -> PathBuf {
        self.0.join(user)
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

    /// The certificate authority's certificate.
    #[must_use]
    pub fn ca(&self) -> PathBuf {
        self.0.join("ca").join("ca.pem")
    }

    /// The certificate authority's key.
    #[must_use]
    pub fn ca_key(&self) -> PathBuf {
        self.0.join("ca").join("ca-key.pem")
    }

    /// The server's folder.
    #[must_use]
    pub fn nats(&self) -> PathBuf {
        self.0.join("nats")
    }

    /// The deployment's own facts.
    #[must_use]
    pub fn deployment(&self) -> PathBuf {
        self.0.join("deployment.toml")
    }

    /// The first roster, signed by the owner.
    #[must_use]
    pub fn roster(&self) -> PathBuf {
        self.0.join("roster.json")
    }

    /// The tool catalogue.
    #[must_use]
    pub fn catalogue(&self) -> PathBuf {
        self.0.join("tools.json")
    }

    /// Where the `nats` command line finds its contexts (`XDG_CONFIG_HOME`).
    #[must_use]
    pub fn contexts(&self) -> PathBuf {
        self.0.join("nats-cli")
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
