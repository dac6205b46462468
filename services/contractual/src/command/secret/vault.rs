//! The arguments of a value that a server of Vault or OpenBao keeps.

use clap::Args;
use secret::{VAULT_AUTH, VAULT_MOUNT, VaultPlace, VaultSource, VaultVersion};

use crate::Error;

/// The place of a value on a server of Vault or OpenBao.
#[derive(Debug, Args)]
pub(super) struct VaultArguments {
    /// The URL of a server of Vault or OpenBao that keeps the value, such as https://vault.example.com:8200.
    #[arg(
        long,
        value_name = "URL",
        requires_all = ["vault_path", "vault_field", "vault_version", "vault_role"],
        conflicts_with = "token_url"
    )]
    vault_url: Option<String>,
    /// The path of the value in the KV secrets engine (version 2), such as apps/crm.
    #[arg(long, value_name = "PATH", requires = "vault_url")]
    vault_path: Option<String>,
    /// The field of the value there, such as key.
    #[arg(long, value_name = "FIELD", requires = "vault_url")]
    vault_field: Option<String>,
    /// The version of the value there, from 1; or newest, for whatever is written there later.
    #[arg(long, value_name = "VERSION", requires = "vault_url")]
    vault_version: Option<VaultVersion>,
    /// The id of the AppRole that reads it.
    #[arg(long, value_name = "ID", requires = "vault_url")]
    vault_role: Option<String>,
    /// The path of the secrets engine.
    #[arg(long, value_name = "PATH", requires = "vault_url", default_value = VAULT_MOUNT)]
    vault_mount: String,
    /// The path of the AppRole login below `auth/`.
    #[arg(long, value_name = "PATH", requires = "vault_url", default_value = VAULT_AUTH)]
    vault_auth: String,
}

impl VaultArguments {
    /// Returns the source; none if the value itself is sealed.
    ///
    /// # Errors
    /// [`Error::Document`] for a place that is not valid.
    pub(super) fn source(self) -> Result<Option<VaultSource>, Error> {
        let found = (
            self.vault_url,
            self.vault_path,
            self.vault_field,
            self.vault_version,
            self.vault_role,
        );
        let (Some(url), Some(path), Some(field), Some(version), Some(role)) = found else {
            return Ok(None);
        };
        let place = VaultPlace {
            mount: self.vault_mount,
            path,
            field,
            version,
            auth: self.vault_auth,
            role,
        };
        let source = VaultSource::new(&url, place);
        let source = source.map_err(|error| Error::Document(error.to_string()))?;
        Ok(Some(source))
    }
}
