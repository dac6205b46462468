//! Values that a server of Vault or OpenBao keeps: logs in with an AppRole, reads one field of the KV secrets engine (version 2)
//! within the call, and ends the login.

use std::sync::atomic::AtomicBool;

use contract::{HttpRequest, Method, Reach, StrictUrl};
use secret::{Injection, SecretTerms, SecretValue, VaultSource};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use crate::connection::Received;
use crate::credential::Credential;
use crate::no_vault::NoVault;
use crate::release::{NoCredential, Opened};
use crate::send::Sender;

/// The header of a token.
const TOKEN: &str = "x-vault-token";

#[derive(Deserialize)]
struct LoginAnswer {
    auth: Option<LoginAuth>,
}

#[derive(Deserialize)]
struct LoginAuth {
    client_token: Option<String>,
}

#[derive(Deserialize)]
struct ReadAnswer {
    data: Option<VersionData>,
}

#[derive(Deserialize)]
struct VersionData {
    data: Option<Map<String, Value>>,
    metadata: Option<VersionMetadata>,
}

#[derive(Deserialize)]
struct VersionMetadata {
    version: Option<u32>,
    deletion_time: Option<String>,
    destroyed: Option<bool>,
}

impl VersionMetadata {
    fn is_deleted(&self) -> bool {
        let deleted = self.deletion_time.as_ref();
        self.destroyed == Some(true) || deleted.is_some_and(|time| !time.is_empty())
    }
}

impl Sender {
    /// Makes the credential of a call from the value that the server keeps. Nothing is kept after the call.
    ///
    /// # Errors
    /// [`NoCredential`]; nothing was sent to the tool's host then.
    pub async fn credential_of_vault(
        &self,
        source: &VaultSource,
        opened: &Opened,
        reach: &Reach,
    ) -> Result<Credential, NoCredential> {
        let endpoint = source.endpoint();
        if !reach.hosts.contains(endpoint) {
            return Err(NoVault::Host(endpoint.clone()).into());
        }
        let token = self.login_at_vault(source, &opened.value, reach).await?;
        let token = of_token(source, token, opened)?;
        let value = self.value_of_vault(source, &token, reach).await;
        // It also ends by itself; a server that does not answer now costs the call nothing.
        let request = request(source, Method::Post, "auth/token/revoke-self", None)?;
        let ended = self.of_vault(source, (request, Some(&token)), reach).await;
        if let Err(error) = ended {
            tracing::warn!(error = actor::chain(&error), "a login was not ended");
        }
        Ok(Credential::new(opened.terms.clone(), value?, opened.at)?)
    }

    async fn login_at_vault(
        &self,
        source: &VaultSource,
        secret_id: &SecretValue,
        reach: &Reach,
    ) -> Result<SecretValue, NoVault> {
        let (endpoint, place) = (source.endpoint(), source.place());
        let path = format!("auth/{}/login", place.auth);
        let body = json!({"role_id": place.role, "secret_id": secret_id.expose()});
        let body = body.to_string().into_bytes();
        let request = request(source, Method::Post, &path, Some(body))?;
        let received = self.of_vault(source, (request, None), reach).await?;
        match received.code {
            200 => {}
            400 | 401 | 403 => return Err(NoVault::Login(endpoint.clone())),
            404 => return Err(NoVault::NoLogin(endpoint.clone(), place.auth.clone())),
            other => return Err(refused(source, other)),
        }
        let answer: LoginAnswer = read(source, received)?;
        let token = answer.auth.and_then(|auth| auth.client_token);
        let token = token.map(|token| SecretValue::new(Zeroizing::new(token.into_bytes())));
        let token = token.and_then(Result::ok);
        token.ok_or_else(|| NoVault::Answer(endpoint.clone()))
    }

    async fn value_of_vault(
        &self,
        source: &VaultSource,
        token: &Credential,
        reach: &Reach,
    ) -> Result<SecretValue, NoVault> {
        let (endpoint, place) = (source.endpoint().clone(), source.place());
        let mut path = format!("{}/data/{}", place.mount, place.path);
        if let Some(version) = place.version.pinned() {
            path.push_str(&format!("?version={version}"));
        }
        let request = request(source, Method::Get, &path, None)?;
        let received = self.of_vault(source, (request, Some(token)), reach).await?;
        let at = || format!("{}/{}", place.mount, place.path);
        let code = received.code;
        let found: Result<ReadAnswer, NoVault> = match code {
            200 | 404 => read(source, received),
            403 => return Err(NoVault::Denied(endpoint, at())),
            other => return Err(refused(source, other)),
        };
        let version = place.version.to_string();
        let found = match found {
            // The answer of a version that is gone has its metadata; that of a path without one has none.
            Err(_) if code == 404 => return Err(NoVault::Missing(endpoint, at(), version)),
            found => found?.data,
        };
        let metadata = found.as_ref().and_then(|found| found.metadata.as_ref());
        // A version that is to be deleted later has that time as well, beside its data.
        let is_empty = found.as_ref().is_some_and(|found| found.data.is_none());
        if is_empty && metadata.is_some_and(VersionMetadata::is_deleted) {
            return Err(NoVault::Deleted(endpoint, at(), version));
        }
        if code == 404 {
            return Err(NoVault::Missing(endpoint, at(), version));
        }
        let answered = metadata.and_then(|metadata| metadata.version);
        let answered = answered.ok_or_else(|| NoVault::Answer(endpoint.clone()))?;
        if let Some(pinned) = place.version.pinned().filter(|pinned| *pinned != answered) {
            return Err(NoVault::Version(endpoint, at(), pinned));
        }
        let mut fields = found.and_then(|found| found.data).unwrap_or_default();
        let Some(Value::String(text)) = fields.remove(&place.field) else {
            return Err(NoVault::Field(endpoint, at(), place.field.clone()));
        };
        let value = SecretValue::new(Zeroizing::new(text.into_bytes()));
        value.map_err(|_| NoVault::Value(endpoint, place.field.clone()))
    }

    async fn of_vault(
        &self,
        source: &VaultSource,
        asked: (HttpRequest, Option<&Credential>),
        reach: &Reach,
    ) -> Result<Received, NoVault> {
        let received = self.asked(asked, reach, &AtomicBool::new(false)).await;
        received.map_err(|(_, why)| NoVault::Unreached(source.endpoint().clone(), why))
    }
}

fn request(
    source: &VaultSource,
    method: Method,
    path: &str,
    body: Option<Vec<u8>>,
) -> Result<HttpRequest, NoVault> {
    let url = StrictUrl::new(&format!("{}/v1/{path}", source.url()));
    let header = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    let mut headers = vec![
        header("accept", "application/json"),
        // An agent between them may ask for it, so that no browser is led there.
        header("x-vault-request", "true"),
    ];
    if body.is_some() {
        headers.push(header("content-type", "application/json"));
    }
    Ok(HttpRequest {
        method,
        url: url.map_err(|_| NoVault::Url)?,
        headers,
        body,
    })
}

/// Makes the credential of a login, which is sent to the server alone.
fn of_token(
    source: &VaultSource,
    token: SecretValue,
    opened: &Opened,
) -> Result<Credential, NoCredential> {
    let (hosts, methods) = (vec![source.endpoint().clone()], Method::ALL.to_vec());
    let inject: Injection = format!("header:{TOKEN}={{}}")
        .parse()
        .map_err(|_| NoVault::Url)?;
    let of = &opened.terms;
    let terms = SecretTerms::new(of.name().clone(), of.version(), hosts, methods, inject);
    let terms = terms.map_err(|_| NoVault::Url)?;
    let wrong = |_| NoVault::Answer(source.endpoint().clone()).into();
    Credential::new(terms, token, opened.at).map_err(wrong)
}

fn read<T: DeserializeOwned>(source: &VaultSource, received: Received) -> Result<T, NoVault> {
    let is_json = received.is_json();
    let body = Zeroizing::new(received.body);
    let read = serde_json::from_slice(&body).ok().filter(|_| is_json);
    read.ok_or_else(|| NoVault::Answer(source.endpoint().clone()))
}

fn refused(source: &VaultSource, code: u16) -> NoVault {
    let endpoint = source.endpoint().clone();
    match code {
        300..400 | 472 | 473 => NoVault::Standby(endpoint),
        429 => NoVault::Busy(endpoint),
        503 => NoVault::Sealed(endpoint),
        other => NoVault::Refused(endpoint, other),
    }
}
