//! The configuration that every actor has: its connection to the bus and its identity.

use std::path::{Path, PathBuf};

use bus_schema::PublicKey;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{Error, hardening};

/// The first part of every service's configuration file (TOML). Paths are relative to the file's folder.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The server, such as `tls://nats:4222`; there is no other scheme.
    pub url: String,
    /// The certificate authority (PEM).
    pub ca: PathBuf,
    /// The own certificate (PEM).
    pub certificate: PathBuf,
    /// The own certificate's key (PEM, PKCS#8).
    pub key: PathBuf,
    /// The NKey seed with which this actor logs in.
    pub nkey: PathBuf,
    /// The key that signs this actor's events (PEM, PKCS#8, Ed25519).
    pub signing_key: PathBuf,
    /// The owner's public key: the root of all trust.
    pub owner: PublicKey,
    /// The folder of the projection and the health file.
    pub state: PathBuf,
    /// The file's table `[hardening]`.
    #[serde(skip)]
    pub hardening: hardening::HardeningConfig,
}

impl Config {
    fn resolve(mut self, folder: &Path) -> Self {
        for path in [
            &mut self.ca,
            &mut self.certificate,
            &mut self.key,
            &mut self.nkey,
            &mut self.signing_key,
            &mut self.state,
        ] {
            *path = folder.join(&*path);
        }
        self
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File<S> {
    bus: Config,
    #[serde(default)]
    hardening: hardening::HardeningConfig,
    service: S,
}

/// Reads a configuration file: a table `[bus]`, which is [`Config`], perhaps a table `[hardening]`, and a table
/// `[service]`.
///
/// # Errors
/// Names the file, and line and column of the error.
pub fn read<S: DeserializeOwned>(path: &Path) -> Result<(Config, S), Error> {
    let text = std::fs::read_to_string(path).map_err(|source| Error::ReadConfig {
        path: path.to_owned(),
        source,
    })?;
    let file: File<S> = toml::from_str(&text).map_err(|source| Error::ParseConfig {
        path: path.to_owned(),
        source: Box::new(source),
    })?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let bus = Config {
        hardening: file.hardening.resolve(folder),
        ..file.bus.resolve(folder)
    };
    Ok((bus, file.service))
}
