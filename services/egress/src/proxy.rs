//! A proxy of the configuration, which connects egress with hosts: it gets `CONNECT` and TLS, and nothing else.

use std::fmt;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::str::FromStr;

use actor::files;
use bytes::Bytes;
use contract::{Endpoint, EndpointError, Network, NetworkError, Reach};
use data_encoding::BASE64;
use http_body_util::Empty;
use hyper::client::conn::http1::{Builder, Connection};
use hyper::header::{HOST, HeaderValue, PROXY_AUTHORIZATION};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use secret::SecretValue;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite};
use zeroize::Zeroizing;

use crate::no_connection::NoTunnel;

/// Most headers of an answer, and most bytes of its first line and headers.
const HEADERS_MAX: usize = 100;
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// The table `[service.proxy]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProxyConfig {
    /// `http://` or `https://` with a name or an address, and a port: `http://proxy.example:3128`.
    pub url: String,
    /// Networks that are no part of the Internet, and in which the proxy may be.
    #[serde(default)]
    pub networks: Vec<String>,
    /// A file with `USER:PASSWORD`; only its owner may read it.
    pub credentials_file: Option<PathBuf>,
    /// True if the proxy resolves the names of hosts, so that egress checks no addresses of them.
    #[serde(default)]
    pub resolves: bool,
}

/// The reason that a proxy cannot be used. It repeats nothing of the URL, which may have a password.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// Another scheme.
    #[error(
        "`url` of `[service.proxy]` is not http:// or https:// with a name or an address and a port"
    )]
    Url,
    /// A user in it.
    #[error(
        "`url` of `[service.proxy]` has a user or a password; write them into a file, and name it in `credentials_file`"
    )]
    User,
    /// No name.
    #[error("`url` of `[service.proxy]` names no host: {0}")]
    Host(#[from] EndpointError),
    /// A text that is no network.
    #[error("`networks` of `[service.proxy]` has {0:?}: {1}")]
    Network(String, NetworkError),
    /// The file of the credentials cannot be read.
    #[error(transparent)]
    File(#[from] files::Error),
    /// The file has no user and password.
    #[error("{0} does not have USER:PASSWORD in one line of visible characters")]
    Credentials(PathBuf),
}

/// The place of a proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// A name and a port.
    Name(Endpoint),
    /// An address and a port.
    Address(SocketAddr),
}

/// A proxy.
#[derive(Debug)]
pub struct Proxy {
    place: Place,
    is_secure: bool,
    /// The networks in which it may be.
    reach: Reach,
    /// The header `proxy-authorization`.
    credentials: Option<SecretValue>,
    resolves: bool,
}

impl Proxy {
    /// Reads a proxy of a configuration in this folder.
    ///
    /// # Errors
    /// [`ProxyError`]
    pub fn read(config: &ProxyConfig, folder: &Path) -> Result<Self, ProxyError> {
        let (place, is_secure) = place(&config.url)?;
        for network in &config.networks {
            let read = Network::from_str(network);
            read.map_err(|why| ProxyError::Network(network.clone(), why))?;
        }
        let file = config.credentials_file.as_ref();
        let credentials = file.map(|file| credentials(&folder.join(file)));
        Ok(Self {
            place,
            is_secure,
            reach: Reach::read(&[], &config.networks),
            credentials: credentials.transpose()?,
            resolves: config.resolves,
        })
    }

    pub(crate) const fn place(&self) -> &Place {
        &self.place
    }

    /// True if TLS leads to it.
    pub(crate) const fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// The networks in which it may be.
    pub(crate) const fn reach(&self) -> &Reach {
        &self.reach
    }

    /// True if it gets the names of hosts.
    pub(crate) const fn resolves(&self) -> bool {
        self.resolves
    }

    /// Returns true if a name server is needed.
    pub(crate) const fn needs_names(&self) -> bool {
        !self.resolves || matches!(self.place, Place::Name(_))
    }

    /// Has it connect to a target, an address or a name with a port; the target is at the other end of what is returned.
    pub(crate) async fn tunnel<S>(&self, stream: S, target: &str) -> Result<S, NoTunnel>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let broken = |error: hyper::Error| NoTunnel::Protocol(actor::chain(&error));
        let request = self.request(target);
        let request = request.map_err(|error| NoTunnel::Protocol(error.to_string()))?;
        let mut builder = Builder::new();
        builder
            .max_headers(HEADERS_MAX)
            .max_buf_size(HEAD_BYTES_MAX);
        let opened = builder.handshake(TokioIo::new(stream)).await;
        let (mut sender, mut connection) = opened.map_err(broken)?;
        let mut is_driven = false;
        let answer = {
            let mut answer = pin!(sender.send_request(request));
            tokio::select! {
                biased;
                answer = &mut answer => answer,
                ended = driven(&mut connection) => {
                    drop(ended);
                    is_driven = true;
                    answer.await
                }
            }
        };
        permitted(answer.map_err(broken)?.status(), target)?;
        if !is_driven {
            driven(&mut connection).await.map_err(broken)?;
        }
        let parts = connection.into_parts();
        if !parts.read_buf.is_empty() {
            return Err(NoTunnel::Early);
        }
        Ok(parts.io.into_inner())
    }

    fn request(&self, target: &str) -> Result<Request<Empty<Bytes>>, hyper::http::Error> {
        let mut request = Request::builder()
            .method(Method::CONNECT)
            .uri(target)
            .header(HOST, target);
        if let Some(credentials) = &self.credentials {
            let mut value = HeaderValue::from_str(credentials.expose())?;
            value.set_sensitive(true);
            request = request.header(PROXY_AUTHORIZATION, value);
        }
        request.body(Empty::new())
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Name(endpoint) => endpoint.fmt(f),
            Place::Address(address) => address.fmt(f),
        }
    }
}

/// Drives the connection to the proxy until it is a connection to the host.
async fn driven<S>(connection: &mut Connection<TokioIo<S>, Empty<Bytes>>) -> hyper::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    poll_fn(|cx| connection.poll_without_shutdown(cx)).await
}

/// Refuses each answer but one of success. Nothing else of it is read or repeated.
fn permitted(code: StatusCode, target: &str) -> Result<(), NoTunnel> {
    match code.as_u16() {
        200..=299 => Ok(()),
        403 => Err(NoTunnel::Forbidden(target.to_owned())),
        407 => Err(NoTunnel::Credentials),
        code @ 502..=504 => Err(NoTunnel::Gateway {
            code,
            target: target.to_owned(),
        }),
        code => Err(NoTunnel::Code(code)),
    }
}

/// Reads the place of a URL, and whether TLS leads to it.
fn place(url: &str) -> Result<(Place, bool), ProxyError> {
    if url.contains('@') {
        return Err(ProxyError::User);
    }
    let (rest, is_secure) = match (url.strip_prefix("http://"), url.strip_prefix("https://")) {
        (Some(rest), _) => (rest, false),
        (None, Some(rest)) => (rest, true),
        (None, None) => return Err(ProxyError::Url),
    };
    if let Ok(address) = rest.parse::<SocketAddr>() {
        let is_plain = address.port() > 0 && address.to_string() == rest;
        // The index of an interface is no part of an address.
        let is_whole = address == SocketAddr::new(address.ip(), address.port());
        let place = (is_plain && is_whole).then_some(Place::Address(address));
        return Ok((place.ok_or(ProxyError::Url)?, is_secure));
    }
    // No port is usual for proxies, so only that of https:// may be left out.
    if !is_secure && !rest.contains(':') {
        return Err(ProxyError::Url);
    }
    Ok((Place::Name(rest.parse()?), is_secure))
}

/// Reads the credentials of a file, as the header that has them.
fn credentials(file: &Path) -> Result<SecretValue, ProxyError> {
    let bytes = files::read_secret(file)?;
    let wrong = || ProxyError::Credentials(file.to_owned());
    let text = std::str::from_utf8(&bytes).map_err(|_| wrong())?;
    let line = text.strip_suffix('\n').unwrap_or(text);
    let is_visible = |c: char| !c.is_control() && !c.is_whitespace();
    let has_user = line
        .split_once(':')
        .is_some_and(|(user, _)| !user.is_empty());
    if !has_user || !line.chars().all(is_visible) {
        return Err(wrong());
    }
    let encoded = Zeroizing::new(BASE64.encode(line.as_bytes()));
    let header = Zeroizing::new(format!("Basic {}", *encoded).into_bytes());
    SecretValue::new(header).map_err(|_| wrong())
}
