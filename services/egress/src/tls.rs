//! TLS to a host by its name, with the authorities of files; the host chooses the version of HTTP.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::fault::Fault;

/// HTTP/2 and HTTP/1.1 as ALPN names them.
const TWO: &[u8] = b"h2";
const ONE: &[u8] = b"http/1.1";

/// A version of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    /// HTTP/1.1.
    One,
    /// HTTP/2.
    Two,
}

impl Version {
    /// The version that the other end of a connection has chosen.
    pub(crate) fn of<S>(stream: &TlsStream<S>) -> Self {
        let (_, connection) = stream.get_ref();
        match connection.alpn_protocol() {
            Some(TWO) => Self::Two,
            Some(_) | None => Self::One,
        }
    }
}

/// The authorities that a host's certificate is checked against.
#[derive(Clone)]
pub struct Trust {
    /// Offers both versions of HTTP.
    hosts: TlsConnector,
    /// Offers HTTP/1.1 alone, in which proxies are asked.
    proxies: TlsConnector,
    authorities: usize,
}

impl std::fmt::Debug for Trust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} authorities", self.authorities)
    }
}

/// The reason that authorities cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// A file cannot be read, or is no PEM.
    #[error("the authorities in {path} cannot be read ({why}); name a file of certificates in PEM")]
    File {
        /// The file.
        path: PathBuf,
        /// The reason.
        why: String,
    },
    /// TLS cannot be set up.
    #[error("TLS cannot be set up")]
    Tls(#[from] rustls::Error),
}

impl Trust {
    /// Reads the authorities of these files.
    ///
    /// # Errors
    /// Returns the file that cannot be used.
    pub fn read<'p>(files: impl IntoIterator<Item = &'p Path>) -> Result<Self, TrustError> {
        let mut roots = RootCertStore::empty();
        for path in files {
            let failed = |why: String| TrustError::File {
                path: path.to_owned(),
                why,
            };
            let found = CertificateDer::pem_file_iter(path);
            let found = found.and_then(Iterator::collect::<Result<Vec<_>, _>>);
            let found = found.map_err(|error| failed(error.to_string()))?;
            // A bundle may have authorities that this program cannot read; they are not trusted then.
            let (added, _) = roots.add_parsable_certificates(found);
            if added == 0 {
                return Err(failed("it has no certificate that can be used".to_owned()));
            }
        }
        let authorities = roots.len();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![TWO.to_vec(), ONE.to_vec()];
        let hosts = TlsConnector::from(Arc::new(config.clone()));
        config.alpn_protocols = vec![ONE.to_vec()];
        Ok(Self {
            hosts,
            proxies: TlsConnector::from(Arc::new(config)),
            authorities,
        })
    }

    /// The number of authorities.
    #[must_use]
    pub const fn authorities(&self) -> usize {
        self.authorities
    }

    /// Makes a TLS connection of a connection, to the host of that name.
    pub(crate) async fn handshake<S>(&self, host: &str, stream: S) -> Result<TlsStream<S>, Fault>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let proved = proved(&self.hosts, host, stream).await;
        proved.map_err(|why| Fault::Tls {
            host: host.to_owned(),
            why,
        })
    }

    /// Makes a TLS connection of a connection, to the proxy of that name or address; the error is the reason.
    pub(crate) async fn proxy_handshake<S>(
        &self,
        proxy: &str,
        stream: S,
    ) -> Result<TlsStream<S>, String>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        proved(&self.proxies, proxy, stream).await
    }
}

async fn proved<S>(connector: &TlsConnector, name: &str, stream: S) -> Result<TlsStream<S>, String>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let name = ServerName::try_from(name.to_owned());
    let name = name.map_err(|error| error.to_string())?;
    let stream = connector.connect(name, stream).await;
    stream.map_err(|error| error.to_string())
}
