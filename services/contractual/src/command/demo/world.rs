//! The world of `demo --net`: a name server and an HTTPS server on loopback, in a process of their own.

use std::{
    fs::OpenOptions,
    io::{self, Write as _},
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{ExitCode, Stdio},
    sync::Arc,
};

use axum::{
    Json, Router,
    extract::{Request, State},
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::any,
    serve::Listener,
};
use bus_schema::Digest;
use clap::Args;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::{TcpListener, TcpStream, UdpSocket},
    process::{Child, Command},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::Error;

/// The host that answers.
pub(super) const HOST: &str = "crm.example.com";
/// A host whose name leads to the metadata of a cloud.
const INSIDE: (&str, Ipv4Addr) = ("inside.example.com", Ipv4Addr::new(169, 254, 169, 254));
/// The target of the redirect.
const ELSEWHERE: &str = "https://elsewhere.example.com/v1/customers";
/// The file of the authority of the host.
const AUTHORITY: &str = "authority.pem";
/// The file with the requests that the host has read.
const SEEN: &str = "seen";
/// Longest query of a name.
const QUERY_BYTES_MAX: usize = 512;

/// `demo-world …`
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The folder for the authority and the requests.
    folder: PathBuf,
}

/// The running world; it ends with its owner.
pub(super) struct World {
    folder: PathBuf,
    pub(super) ports: Ports,
    _process: Child,
}

/// The ports of its servers on loopback.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Ports {
    pub(super) names: u16,
    pub(super) https: u16,
}

impl World {
    /// Starts it with an empty folder.
    pub(super) async fn start(folder: PathBuf) -> Result<Self, Error> {
        let program = std::env::current_exe().map_err(Error::io("find", "this program"))?;
        let mut process = Command::new(&program)
            .arg("attached")
            .arg(std::process::id().to_string())
            .arg(&program)
            .arg("demo-world")
            .arg(&folder)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(Error::io("start", program))?;
        let mut line = String::new();
        if let Some(printed) = process.stdout.take() {
            let read = BufReader::new(printed).read_line(&mut line).await;
            read.map_err(Error::io("read", "the ports of the world"))?;
        }
        let ports = serde_json::from_str(&line).map_err(|_| {
            Error::Refused("the HTTPS server of the demo does not start".to_owned())
        })?;
        Ok(Self {
            folder,
            ports,
            _process: process,
        })
    }

    /// The lines that egress adds to its configuration.
    pub(super) fn configuration(&self) -> String {
        let authority = self.folder.join(AUTHORITY);
        format!(
            "nameservers = [\"127.0.0.1:{}\"]\nfurther_authorities = [{authority:?}]\n",
            self.ports.names
        )
    }

    /// The requests that the host has read: the path, and the SHA-256 of the header `authorization`.
    pub(super) fn seen(&self) -> Result<Vec<(String, String)>, Error> {
        let file = self.folder.join(SEEN);
        let text = std::fs::read_to_string(&file).map_err(Error::io("read", file))?;
        let pair = |line: &str| {
            let (path, digest) = line.split_once(' ')?;
            Some((path.to_owned(), digest.to_owned()))
        };
        Ok(text.lines().filter_map(pair).collect())
    }
}

impl Arguments {
    pub(crate) fn run(&self) -> ExitCode {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let served = runtime.and_then(|runtime| runtime.block_on(serve(&self.folder)));
        match served {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        }
    }
}

/// Serves names and requests, and prints the ports.
async fn serve(folder: &Path) -> io::Result<()> {
    let tls = certified(folder).map_err(io::Error::other)?;
    let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let names = UdpSocket::bind(here).await?;
    let https = TcpListener::bind(here).await?;
    let seen = folder.join(SEEN);
    std::fs::write(&seen, "")?;
    let ports = Ports {
        names: names.local_addr()?.port(),
        https: https.local_addr()?.port(),
    };
    writeln!(io::stdout(), "{}", json!(ports))?;
    let routes = Router::new()
        .fallback(any(answer))
        .with_state(Arc::new(seen));
    let served = axum::serve(OverTls { https, tls }, routes);
    tokio::select! {
        served = async { served.await } => served,
        served = answer_names(&names) => served,
    }
}

/// Makes an authority, writes its certificate, and returns a server whose host it proves. No key is written.
fn certified(folder: &Path) -> Result<TlsAcceptor, Box<dyn std::error::Error + Send + Sync>> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    std::fs::write(folder.join(AUTHORITY), issuer.pem())?;
    let key = KeyPair::generate()?;
    let signed = CertificateParams::new(vec![HOST.to_owned()])?.signed_by(&key, &issuer)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![signed.der().clone()], key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Connections whose handshake succeeded.
struct OverTls {
    https: TcpListener,
    tls: TlsAcceptor,
}

impl Listener for OverTls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let Ok((stream, peer)) = self.https.accept().await else {
                continue;
            };
            if let Ok(stream) = self.tls.accept(stream).await {
                return (stream, peer);
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.https.local_addr()
    }
}

/// Notes the request, and repeats the key that it carries, as careless hosts do.
async fn answer(State(seen): State<Arc<PathBuf>>, request: Request) -> Response {
    let key = request.headers().get(header::AUTHORIZATION);
    let key = key.map_or(&b""[..], header::HeaderValue::as_bytes);
    let path = request.uri().path();
    let line = format!("{path} {}\n", Digest::of(&[key]));
    let noted = OpenOptions::new().append(true).open(seen.as_path());
    if noted
        .and_then(|mut file| file.write_all(line.as_bytes()))
        .is_err()
    {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let key = String::from_utf8_lossy(key);
    match path {
        "/v1/customers/7" => {
            Json(json!({"name": "Nordlicht Paper", "your_key": key})).into_response()
        }
        "/v1/moved" => (StatusCode::FOUND, [(header::LOCATION, ELSEWHERE)]).into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Answers queries for addresses of version 4.
async fn answer_names(socket: &UdpSocket) -> io::Result<()> {
    let mut query = [0; QUERY_BYTES_MAX];
    loop {
        let (length, client) = socket.recv_from(&mut query).await?;
        let query = query.get(..length).unwrap_or_default();
        if let Some(answer) = named(query) {
            socket.send_to(&answer, client).await?;
        }
    }
}

/// The answer to a query (RFC 1035): the header, the question again, and at most one address.
fn named(query: &[u8]) -> Option<Vec<u8>> {
    let (id, rest) = (query.get(..2)?, query.get(12..)?);
    let (mut name, mut at) = (String::new(), 0);
    loop {
        let length = usize::from(*rest.get(at)?);
        let label = rest.get(at + 1..at + 1 + length)?;
        at += 1 + length;
        if length == 0 {
            break;
        }
        if !name.is_empty() {
            name.push('.');
        }
        name.push_str(std::str::from_utf8(label).ok()?);
    }
    let question = rest.get(..at + 4)?;
    let is_v4 = rest.get(at..at + 2)? == [0, 1];
    let known = [(HOST, Ipv4Addr::LOCALHOST), INSIDE];
    let known = known.iter().find(|(host, _)| *host == name);
    let address = known.filter(|_| is_v4).map(|(_, address)| address);
    let code = if known.is_some() { 0x80 } else { 0x83 };
    let count = u8::from(address.is_some());
    let mut answer = id.to_vec();
    answer.extend([0x81, code, 0, 1, 0, count, 0, 0, 0, 0]);
    answer.extend(question);
    if let Some(address) = address {
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
        answer.extend(address.octets());
    }
    Some(answer)
}
