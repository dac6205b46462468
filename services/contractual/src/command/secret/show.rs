//! `secret show`: shows the terms of a secret, never its value.

use bus_schema::{SecretName, Time};
use clap::Args;
use deployment::{Deployment, owner::owner, secrets};
use secret::{FiledSeal, SecretTerms, VaultSource};
use serde::Serialize;

use super::newest::newest;
use crate::{Error, Output};

/// `secret show …`
#[derive(Debug, Args)]
#[command(after_help = "Example: contractual secret show crm\n\n\
    Exit codes: 0 shown · 1 there is no such secret, or its terms were erased")]
pub(crate) struct Arguments {
    /// The name, such as crm.
    name: SecretName,
}

/// The terms of a secret.
#[derive(Debug, Serialize)]
pub(super) struct ShownTerms {
    /// The hosts that it may be sent to.
    pub(super) hosts: Vec<String>,
    /// The methods of requests that may carry it.
    methods: Vec<String>,
    /// The place in the request.
    inject: String,
    /// The token endpoint, with its client and scope.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<ShownSource>,
    /// The place of the value on a server of Vault or OpenBao.
    #[serde(skip_serializing_if = "Option::is_none")]
    vault: Option<ShownVault>,
    /// The file of the sealed value, in the broker's folder; none if the record has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
}

/// A token endpoint.
#[derive(Debug, Serialize)]
struct ShownSource {
    grant: &'static str,
    url: String,
    client: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
}

/// A place of a value on a server of Vault or OpenBao.
#[derive(Debug, Serialize)]
struct ShownVault {
    url: String,
    mount: String,
    path: String,
    field: String,
    version: String,
    auth: String,
    role: String,
}

/// A secret without its value.
#[derive(Debug, Serialize)]
struct ShownSecret {
    name: String,
    version: u32,
    /// The time of the signature, in bus time.
    #[serde(skip_serializing_if = "Option::is_none")]
    signed: Option<Time>,
    revoked: bool,
    #[serde(flatten)]
    terms: ShownTerms,
}

impl ShownTerms {
    pub(super) fn of(terms: &SecretTerms, is_in_file: bool) -> Self {
        let file = || FiledSeal::file_name(terms.name(), terms.version());
        Self {
            hosts: terms.hosts().iter().map(ToString::to_string).collect(),
            methods: terms.methods().iter().map(ToString::to_string).collect(),
            inject: terms.inject().to_string(),
            token: terms.token().map(|token| ShownSource {
                grant: token.grant().word(),
                url: token.url().to_owned(),
                client: token.client().to_owned(),
                scope: token.scope().map(str::to_owned),
            }),
            vault: terms.vault().map(ShownVault::of),
            file: is_in_file.then(file),
        }
    }

    pub(super) fn text(&self) -> String {
        let token = self.token.as_ref().map(|token| {
            let scope = token.scope.as_ref();
            let scope = scope.map(|scope| format!(", scope {scope}"));
            let scope = scope.unwrap_or_default();
            format!(
                "\ntoken    from {} for {} of {}{scope}",
                token.url, token.grant, token.client
            )
        });
        let vault = self.vault.as_ref().map(ShownVault::text);
        let file = self.file.as_ref();
        let file = file.map(|file| format!("\nfile     {file} in the broker's folder"));
        format!(
            "hosts    {}\nmethods  {}\nplace    {}{}{}{}",
            self.hosts.join(", "),
            self.methods.join(", "),
            self.inject,
            token.unwrap_or_default(),
            vault.unwrap_or_default(),
            file.unwrap_or_default()
        )
    }
}

impl ShownVault {
    fn of(source: &VaultSource) -> Self {
        let place = source.place().clone();
        Self {
            url: source.url().to_owned(),
            mount: place.mount,
            path: place.path,
            field: place.field,
            version: place.version.to_string(),
            auth: place.auth,
            role: place.role,
        }
    }

    fn text(&self) -> String {
        format!(
            "\nvault    {} of {}/{} on {}, version {}, as the role {} of auth/{}",
            self.field, self.mount, self.path, self.url, self.version, self.role, self.auth
        )
    }
}

impl Arguments {
    pub(super) async fn run(&self, deployment: &Deployment, out: &Output) -> Result<(), Error> {
        let bus = deployment.bus().await?;
        let found = secrets::read(&bus, owner(&deployment.dir)?).await?;
        let newest = newest(&found, &self.name)?;
        let version = newest.signed.version;
        let signed = secrets::terms(&bus, &newest.signed).await?;
        let shown = ShownSecret {
            name: self.name.to_string(),
            version,
            signed: found.time(&self.name, version),
            revoked: newest.is_revoked,
            terms: ShownTerms::of(&signed.terms, signed.is_in_file),
        };
        out.print(&shown, || {
            let revoked = if shown.revoked { ", revoked" } else { "" };
            let time = shown.signed.map(|time| format!(", signed {time}"));
            format!(
                "{} version {version}{}{revoked}\n{}",
                shown.name,
                time.unwrap_or_default(),
                shown.terms.text()
            )
        });
        Ok(())
    }
}
