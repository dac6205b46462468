//! The terms of a secret: where it may be sent, with which methods, and how. They stand in the open, and both seals hold
//! only with exactly them.

use bus_schema::{Digest, SecretName, SecretSigned, json};
use contract::{Endpoint, Method};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::injection::Injection;
use crate::outgoing::Unfit;
use crate::token::TokenSource;
use crate::value::SecretValue;
use crate::vault::{VAULT_AUTH, VaultPlace, VaultSource, VaultVersion};

/// Most hosts of a secret.
const HOSTS_MAX: usize = 16;
/// Most bytes of the encoded terms.
pub(crate) const TERMS_BYTES_MAX: usize = 16 << 10;

/// The terms of one version of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretTerms {
    name: SecretName,
    version: u32,
    hosts: Vec<Endpoint>,
    methods: Vec<Method>,
    inject: Injection,
    /// The place where the value leads to the one that requests carry.
    source: Option<SecretSource>,
}

/// A place that takes the sealed value, and gives the one that requests carry.
#[derive(Debug, Clone, PartialEq, Eq)]
enum SecretSource {
    /// An endpoint that gives a token.
    Token(TokenSource),
    /// A server that keeps a value.
    Vault(Box<VaultSource>),
}

/// The reason that terms are not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TermsError {
    /// No host, or too many.
    #[error("a secret needs 1 to {HOSTS_MAX} hosts; name those that it is for")]
    Hosts,
    /// No method.
    #[error("a secret needs a method; name one such as GET, or leave `--method` out for all")]
    Methods,
    /// Version 0.
    #[error("the versions of a secret begin at 1")]
    Version,
    /// Not the canonical encoding of terms.
    #[error("the bytes are not the terms of a secret in their one form")]
    Encoding,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenTerms {
    name: SecretName,
    version: u32,
    hosts: Vec<String>,
    methods: Vec<String>,
    inject: String,
    #[serde(default)]
    token: Option<WrittenSource>,
    #[serde(default)]
    vault: Option<WrittenVault>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSource {
    url: String,
    client: String,
    grant: String,
    #[serde(default)]
    scope: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenVault {
    url: String,
    mount: String,
    path: String,
    field: String,
    #[serde(default)]
    version: Option<u32>,
    #[serde(default)]
    auth: Option<String>,
    role: String,
}

impl SecretTerms {
    /// Returns true if these are the terms that the owner signed.
    #[must_use]
    pub fn are_of(&self, signed: &SecretSigned) -> bool {
        self.digest() == signed.terms && self.name == signed.name && self.version == signed.version
    }

    /// Makes terms; hosts and methods are sorted, each once.
    ///
    /// # Errors
    /// [`TermsError`]
    pub fn new(
        name: SecretName,
        version: u32,
        mut hosts: Vec<Endpoint>,
        mut methods: Vec<Method>,
        inject: Injection,
    ) -> Result<Self, TermsError> {
        hosts.sort();
        hosts.dedup();
        methods.sort();
        methods.dedup();
        if hosts.is_empty() || hosts.len() > HOSTS_MAX {
            return Err(TermsError::Hosts);
        }
        if methods.is_empty() {
            return Err(TermsError::Methods);
        }
        if version == 0 {
            return Err(TermsError::Version);
        }
        Ok(Self {
            name,
            version,
            hosts,
            methods,
            inject,
            source: None,
        })
    }

    /// The same terms with a source of tokens.
    #[must_use]
    pub fn with_token(self, token: Option<TokenSource>) -> Self {
        let source = token.map(SecretSource::Token);
        Self { source, ..self }
    }

    /// The same terms with a server that keeps the value.
    #[must_use]
    pub fn with_vault(self, vault: Option<VaultSource>) -> Self {
        let source = vault.map(Box::new).map(SecretSource::Vault);
        Self { source, ..self }
    }

    /// The same terms for another version.
    ///
    /// # Errors
    /// [`TermsError::Version`]
    pub fn with_version(self, version: u32) -> Result<Self, TermsError> {
        let Self {
            name,
            hosts,
            methods,
            inject,
            source,
            ..
        } = self;
        let terms = Self::new(name, version, hosts, methods, inject)?;
        Ok(Self { source, ..terms })
    }

    /// The name.
    #[must_use]
    pub const fn name(&self) -> &SecretName {
        &self.name
    }

    /// The version, counted from 1.
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// The hosts that it may be sent to, sorted.
    #[must_use]
    pub fn hosts(&self) -> &[Endpoint] {
        &self.hosts
    }

    /// The methods of the requests that it may stand in, sorted.
    #[must_use]
    pub fn methods(&self) -> &[Method] {
        &self.methods
    }

    /// The rule by which it is put into a request.
    #[must_use]
    pub const fn inject(&self) -> &Injection {
        &self.inject
    }

    /// The source of tokens, if the value is exchanged for one.
    #[must_use]
    pub const fn token(&self) -> Option<&TokenSource> {
        match &self.source {
            Some(SecretSource::Token(token)) => Some(token),
            Some(SecretSource::Vault(_)) | None => None,
        }
    }

    /// The server that keeps the value, if the sealed one only logs in there.
    #[must_use]
    pub fn vault(&self) -> Option<&VaultSource> {
        match &self.source {
            Some(SecretSource::Vault(vault)) => Some(vault),
            Some(SecretSource::Token(_)) | None => None,
        }
    }

    /// Returns true if a request with this method to this host may carry it.
    #[must_use]
    pub fn permit(&self, host: &Endpoint, method: Method) -> bool {
        self.hosts.contains(host) && self.methods.contains(&method)
    }

    /// Checks that the value can be put where the terms say.
    ///
    /// # Errors
    /// [`Unfit`]
    pub fn fits(&self, value: &SecretValue) -> Result<(), Unfit> {
        match self.source {
            // The other value takes the place, whatever it will be.
            Some(_) => Ok(()),
            None => self.inject.fits(value),
        }
    }

    /// Returns the one encoding: canonical JSON. Both seals hold only with exactly these bytes.
    #[must_use]
    pub fn encoded(&self) -> Vec<u8> {
        json::canonical(&self.value())
    }

    /// Returns the encoding as a JSON value.
    pub(crate) fn value(&self) -> Value {
        let hosts: Vec<String> = self.hosts.iter().map(ToString::to_string).collect();
        let methods: Vec<String> = self.methods.iter().map(ToString::to_string).collect();
        let mut terms = json!({
            "name": self.name,
            "version": self.version,
            "hosts": hosts,
            "methods": methods,
            "inject": self.inject.to_string(),
        });
        let source = match &self.source {
            Some(SecretSource::Token(token)) => Some(("token", written_token(token))),
            Some(SecretSource::Vault(vault)) => Some(("vault", written_vault(vault))),
            None => None,
        };
        if let (Some((name, source)), Some(terms)) = (source, terms.as_object_mut()) {
            terms.insert(name.to_owned(), source);
        }
        terms
    }

    /// SHA-256 of the encoding.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&[&self.encoded()])
    }

    /// Reads the encoding.
    ///
    /// # Errors
    /// [`TermsError`] for every other text.
    pub fn read(bytes: &[u8]) -> Result<Self, TermsError> {
        let wrong = TermsError::Encoding;
        let written = json::parse_canonical(bytes, TERMS_BYTES_MAX).map_err(|_| wrong)?;
        let written = WrittenTerms::deserialize(written).map_err(|_| wrong)?;
        let hosts = written.hosts.iter().map(|host| host.parse().ok());
        let methods = written.methods.iter().map(|method| method.parse().ok());
        let terms = Self::new(
            written.name,
            written.version,
            hosts.collect::<Option<_>>().ok_or(wrong)?,
            methods.collect::<Option<_>>().ok_or(wrong)?,
            written.inject.parse().map_err(|_| wrong)?,
        )?;
        let token = written.token.map(|token| {
            let grant = token.grant.parse()?;
            TokenSource::new(grant, &token.url, &token.client, token.scope.as_deref())
        });
        let terms = terms.with_token(token.transpose().map_err(|_| wrong)?);
        let terms = match written.vault {
            // Terms have one source; those with two are not what they encode to.
            Some(vault) => terms.with_vault(Some(read_vault(vault).ok_or(wrong)?)),
            None => terms,
        };
        if terms.encoded() == bytes {
            Ok(terms)
        } else {
            Err(wrong)
        }
    }
}

fn written_token(token: &TokenSource) -> Value {
    let mut source = json!({
        "url": token.url(),
        "client": token.client(),
        "grant": token.grant().word(),
    });
    if let (Some(scope), Some(source)) = (token.scope(), source.as_object_mut()) {
        source.insert("scope".to_owned(), json!(scope));
    }
    source
}

fn written_vault(vault: &VaultSource) -> Value {
    let place = vault.place();
    let mut source = json!({
        "url": vault.url(),
        "mount": place.mount,
        "path": place.path,
        "field": place.field,
        "role": place.role,
    });
    if let Some(source) = source.as_object_mut() {
        if let Some(version) = place.version.pinned() {
            source.insert("version".to_owned(), json!(version));
        }
        if place.auth != VAULT_AUTH {
            source.insert("auth".to_owned(), json!(place.auth));
        }
    }
    source
}

fn read_vault(written: WrittenVault) -> Option<VaultSource> {
    let version = written.version;
    let place = VaultPlace {
        mount: written.mount,
        path: written.path,
        field: written.field,
        version: version.map_or(VaultVersion::Newest, VaultVersion::Pinned),
        auth: written.auth.unwrap_or_else(|| VAULT_AUTH.to_owned()),
        role: written.role,
    };
    VaultSource::new(&written.url, place).ok()
}
