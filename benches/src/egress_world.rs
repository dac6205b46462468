//! The world of the benchmark of egress: a name server and an HTTPS server on loopback, in threads of their own.

use std::{
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use actor::Clock;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
    crypto::ring,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, ServerName},
};

use crate::runtime::Error;

/// The host.
pub(crate) const HOST: &str = "api.example.com";
/// Bytes of the large answer.
pub(crate) const LARGE_BYTES: usize = 3 << 20;
/// Bytes of the file.
pub(crate) const FILE_BYTES: usize = 1 << 30;
/// Bytes of it that are written at once.
const FILE_PART_BYTES: usize = 1 << 20;
/// Events of the answer that arrives in parts, and the pause before each.
pub(crate) const EVENTS: usize = 200;
const PAUSE: Duration = Duration::from_millis(5);
/// Longest query of a name, and longest head of a request.
const QUERY_BYTES_MAX: usize = 512;
const HEAD_BYTES_MAX: usize = 16 << 10;
const ITEM: &str = r#"{"price":7}"#;

/// The running servers; they end with the process.
pub(crate) struct World {
    pub(crate) names: SocketAddr,
    pub(crate) https: SocketAddr,
    /// The file of the authority that the host proves its name with.
    pub(crate) authority: PathBuf,
    /// The moments at which the events of the last answer were written.
    pub(crate) written: Arc<Mutex<Vec<Duration>>>,
    bare: Arc<ClientConfig>,
}

impl World {
    /// Starts the servers, and writes the certificate of their authority into a folder.
    pub(crate) fn start(folder: &Path, clock: &Clock) -> Result<Self, Error> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let authority = folder.join("authority.pem");
        std::fs::write(&authority, issuer.pem())?;
        let key = KeyPair::generate()?;
        let signed = CertificateParams::new(vec![HOST.to_owned()])?.signed_by(&key, &issuer)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(ring::default_provider());
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![signed.der().clone()], key)?;
        let mut roots = RootCertStore::empty();
        roots.add(issuer.der().clone())?;
        let bare = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let (socket, listener) = (UdpSocket::bind(here)?, TcpListener::bind(here)?);
        let world = Self {
            names: socket.local_addr()?,
            https: listener.local_addr()?,
            authority,
            written: Arc::default(),
            bare: Arc::new(bare),
        };
        thread::spawn(move || answer_names(&socket));
        let (clock, written) = (clock.clone(), Arc::clone(&world.written));
        let server = Arc::new(server);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (server, clock) = (Arc::clone(&server), clock.clone());
                let written = Arc::clone(&written);
                // A client that goes away ends only its own thread.
                thread::spawn(move || answer(stream, server, &clock, &written).ok());
            }
        });
        Ok(world)
    }

    /// The host with its port.
    pub(crate) fn endpoint(&self) -> String {
        format!("{HOST}:{}", self.https.port())
    }

    /// Reads a path with TLS alone; returns the number of bytes of the answer.
    pub(crate) fn bare(&self, path: &str) -> Result<usize, Error> {
        let name = ServerName::try_from(HOST)?;
        let tls = ClientConnection::new(Arc::clone(&self.bare), name)?;
        let stream = TcpStream::connect(self.https)?;
        stream.set_nodelay(true)?;
        let mut stream = StreamOwned::new(tls, stream);
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {HOST}\r\n\r\n")?;
        stream.flush()?;
        let mut answer = Vec::with_capacity(LARGE_BYTES);
        Ok(stream.read_to_end(&mut answer)?)
    }
}

/// Answers one request.
fn answer(
    stream: TcpStream,
    server: Arc<ServerConfig>,
    clock: &Clock,
    written: &Mutex<Vec<Duration>>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let tls = ServerConnection::new(server).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(tls, stream);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && head.len() < HEAD_BYTES_MAX {
        let mut part = [0; 1024];
        let n = stream.read(&mut part)?;
        head.extend_from_slice(
            part.get(..n)
                .filter(|part| !part.is_empty())
                .ok_or_else(|| io::Error::other("the request ended early"))?,
        );
    }
    let head = String::from_utf8_lossy(&head);
    match head.split(' ').nth(1).unwrap_or_default() {
        "/large" => {
            let head = format!("content-type: text/plain\r\ncontent-length: {LARGE_BYTES}");
            write!(stream, "HTTP/1.1 200 OK\r\n{head}\r\n\r\n")?;
            stream.write_all(&vec![b'x'; LARGE_BYTES])?;
        }
        "/file" => {
            let head =
                format!("content-type: application/octet-stream\r\ncontent-length: {FILE_BYTES}");
            write!(stream, "HTTP/1.1 200 OK\r\n{head}\r\n\r\n")?;
            let part = vec![b'x'; FILE_PART_BYTES];
            for _ in 0..FILE_BYTES / FILE_PART_BYTES {
                stream.write_all(&part)?;
            }
        }
        "/events" => {
            let head = "content-type: text/event-stream\r\nconnection: close";
            write!(stream, "HTTP/1.1 200 OK\r\n{head}\r\n\r\n")?;
            for _ in 0..EVENTS {
                thread::sleep(PAUSE);
                let mut written = written.lock().unwrap_or_else(PoisonError::into_inner);
                written.push(clock.elapsed());
                drop(written);
                stream.write_all(b"data: word\n\n")?;
                stream.flush()?;
            }
        }
        _ => {
            let head = format!(
                "content-type: application/json\r\ncontent-length: {}",
                ITEM.len()
            );
            write!(stream, "HTTP/1.1 200 OK\r\n{head}\r\n\r\n{ITEM}")?;
        }
    }
    stream.conn.send_close_notify();
    stream.flush()
}

/// Answers each query for an address of version 4 with this machine.
fn answer_names(socket: &UdpSocket) -> io::Result<()> {
    let mut query = [0; QUERY_BYTES_MAX];
    loop {
        let (length, client) = socket.recv_from(&mut query)?;
        let query = query.get(..length).unwrap_or_default();
        if let Some(answer) = named(query) {
            socket.send_to(&answer, client)?;
        }
    }
}

/// The answer to a query (RFC 1035): the header, the question again, and at most one address.
fn named(query: &[u8]) -> Option<Vec<u8>> {
    let rest = query.get(12..)?;
    let mut at = 0;
    loop {
        let length = usize::from(*rest.get(at)?);
        at += 1 + length;
        if length == 0 {
            break;
        }
    }
    let question = rest.get(..at + 4)?;
    let is_v4 = rest.get(at..at + 2)? == [0, 1];
    let mut answer = query.get(..2)?.to_vec();
    answer.extend([0x81, 0x80, 0, 1, 0, u8::from(is_v4), 0, 0, 0, 0]);
    answer.extend(question);
    if is_v4 {
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
        answer.extend(Ipv4Addr::LOCALHOST.octets());
    }
    Some(answer)
}
