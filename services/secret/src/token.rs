//! The source of an access token: an OAuth 2 token endpoint that takes the secret, so that requests carry a token instead.

use std::str::FromStr;

use contract::{Endpoint, StrictUrl};

use crate::spelling::{TEXT_BYTES_MAX, user};

/// The value that a token endpoint takes (RFC 6749).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenGrant {
    /// The secret of the client.
    ClientCredentials,
    /// A refresh token, with the secret of the client after a space if it has one.
    RefreshToken,
}

impl TokenGrant {
    /// The name in requests and terms.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::ClientCredentials => "client_credentials",
            Self::RefreshToken => "refresh_token",
        }
    }
}

impl FromStr for TokenGrant {
    type Err = TokenSourceError;

    fn from_str(text: &str) -> Result<Self, TokenSourceError> {
        let all = [Self::ClientCredentials, Self::RefreshToken];
        let found = all.into_iter().find(|grant| grant.word() == text);
        found.ok_or(TokenSourceError::Grant)
    }
}

/// A token endpoint, with what it takes, the name of the client and the scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenSource {
    grant: TokenGrant,
    url: String,
    endpoint: Endpoint,
    client: String,
    scope: Option<String>,
}

/// The reason that texts are no source of tokens.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenSourceError {
    /// Not a URL that every program reads alike.
    #[error("the token URL is not valid: {0}")]
    Url(#[from] contract::UrlError),
    /// Another grant.
    #[error("write the grant client_credentials or refresh_token")]
    Grant,
    /// A name of a client with other characters.
    #[error("the client is not valid: write its name in visible ASCII without `:`")]
    Client,
    /// A scope with other characters.
    #[error("the scope is not valid: write names in visible ASCII, with one space between them")]
    Scope,
}

impl TokenSource {
    /// Makes one.
    ///
    /// # Errors
    /// [`TokenSourceError`]
    pub fn new(
        grant: TokenGrant,
        url: &str,
        client: &str,
        scope: Option<&str>,
    ) -> Result<Self, TokenSourceError> {
        let strict = StrictUrl::new(url)?;
        let is_plain = |c: u8| c.is_ascii_graphic() && c != b'"' && c != b'\\';
        let is_name = |name: &str| !name.is_empty() && name.bytes().all(is_plain);
        let is_scope = |scope: &str| scope.len() <= TEXT_BYTES_MAX && scope.split(' ').all(is_name);
        if !scope.is_none_or(is_scope) {
            return Err(TokenSourceError::Scope);
        }
        Ok(Self {
            grant,
            endpoint: strict.endpoint().clone(),
            url: url.to_owned(),
            client: user(client).map_err(|_| TokenSourceError::Client)?,
            scope: scope.map(str::to_owned),
        })
    }

    /// The value that it takes.
    #[must_use]
    pub const fn grant(&self) -> TokenGrant {
        self.grant
    }

    /// The URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The host and port of the URL.
    #[must_use]
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The name of the client.
    #[must_use]
    pub fn client(&self) -> &str {
        &self.client
    }

    /// The scope that is asked for.
    #[must_use]
    pub fn scope(&self) -> Option<&str> {
        self.scope.as_deref()
    }
}
