//! A world of the tests: an authority, a name server and a TLS server, each on a free port of this machine.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use bus_schema::{Digest, Money};
use contract::{HttpTool, Reach};
use egress::{Call, Credential, Fault, Pieces, Resolver, Sender, Trust};
use flate2::{Compression, write::GzEncoder};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::RwLock;
use tokio_rustls::TlsAcceptor;

/// The host of the tests.
pub(crate) const HOST: &str = "api.example.com";
/// An answer with the text `hello`.
pub(crate) const HELLO: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
/// A time that no test reaches.
pub(crate) const WALL: Duration = Duration::from_secs(60);

/// The end of a call.
pub(crate) struct Sent {
    pub(crate) output: Result<Vec<u8>, Fault>,
    /// The tokens that the host says it used.
    pub(crate) tokens: Option<u64>,
    /// The money that it cost.
    pub(crate) spend: Option<Money>,
    /// The pieces that came before the whole answer.
    pub(crate) pieces: Vec<(u32, String)>,
    /// True if the request was begun.
    pub(crate) begun: bool,
    /// SHA-256 of its body.
    pub(crate) body: Option<Digest>,
}

/// The answers of a name server, changed by the test.
pub(crate) type Names = Arc<Mutex<BTreeMap<String, Vec<IpAddr>>>>;
/// The requests that a server has read.
pub(crate) type Requests = Arc<Mutex<Vec<String>>>;

/// The end of an answer.
#[derive(Clone, Copy)]
pub(crate) enum End {
    /// Closes the connection.
    Close,
    /// Says nothing more.
    Hang,
}

/// An authority with what it signed.
pub(crate) struct Authority {
    folder: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { folder, issuer }
    }

    fn trust(&self) -> Trust {
        Trust::read([self.folder.path().join("ca.pem").as_path()]).unwrap()
    }

    /// The authority alone, as another client trusts it.
    pub(crate) fn roots(&self) -> rustls::RootCertStore {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        roots
    }

    fn acceptor(&self, name: &str) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let signed = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![signed.der().clone()], key)
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }
}

/// Everything that a request meets.
pub(crate) struct World {
    sender: Arc<Sender>,
    /// The server answers while nobody holds it.
    pub(crate) gate: Arc<RwLock<()>>,
    pub(crate) names: Names,
    pub(crate) requests: Requests,
    pub(crate) port: u16,
}

impl World {
    /// Starts servers; the host answers each request with these bytes.
    pub(crate) async fn new(answer: impl Into<Vec<u8>>, end: End) -> Self {
        Self::with(&Authority::new(), HOST, answer, end).await
    }

    /// Starts servers; the certificate is for `name`.
    pub(crate) async fn with(
        authority: &Authority,
        name: &str,
        answer: impl Into<Vec<u8>>,
        end: End,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::listening(listener, (authority, name), answer, end).await
    }

    /// Starts servers; the host listens on each address of both families.
    pub(crate) async fn everywhere(authority: &Authority, answer: impl Into<Vec<u8>>) -> Self {
        let listener = TcpListener::bind("[::]:0").await.unwrap();
        Self::listening(listener, (authority, HOST), answer, End::Close).await
    }

    async fn listening(
        listener: TcpListener,
        (authority, name): (&Authority, &str),
        answer: impl Into<Vec<u8>>,
        end: End,
    ) -> Self {
        let port = listener.local_addr().unwrap().port();
        let names = Names::default();
        let server = name_server(Arc::clone(&names)).await;
        let requests = Requests::default();
        let gate = Arc::default();
        serve(
            (listener, authority.acceptor(name)),
            answer.into(),
            end,
            (Arc::clone(&requests), Arc::clone(&gate)),
        );
        let world = Self {
            sender: Arc::new(Sender {
                resolver: Resolver::new(&[server]),
                trust: authority.trust(),
            }),
            gate,
            names,
            requests,
            port,
        };
        world.bind(&["127.0.0.1"]);
        world
    }

    /// Has the name server say these addresses of the host.
    pub(crate) fn bind(&self, addresses: &[&str]) {
        let addresses = addresses.iter().map(|text| text.parse().unwrap());
        let mut names = self.names.lock().unwrap();
        names.insert(HOST.to_owned(), addresses.collect());
    }

    /// Trusts the authorities of another world instead of its own.
    pub(crate) fn exchange_trust(&mut self, other: &Self) {
        let sender = Arc::get_mut(&mut self.sender).unwrap();
        sender.trust = other.sender.trust.clone();
    }

    /// The sender of requests in this world.
    pub(crate) const fn sender(&self) -> &Arc<Sender> {
        &self.sender
    }

    /// The addresses of the host, as its name server says them.
    pub(crate) async fn addresses(&self) -> Vec<IpAddr> {
        self.sender.resolver.addresses(HOST).await.unwrap()
    }

    /// The endpoint of the server.
    pub(crate) fn endpoint(&self) -> String {
        format!("{HOST}:{}", self.port)
    }

    /// The reach of a contract that names the host, and this machine.
    pub(crate) fn reach(&self) -> Reach {
        Reach::read(&[self.endpoint()], &["127.0.0.0/8".to_owned()])
    }

    /// The entry `http` of a tool that reads `/v2/items`.
    pub(crate) fn entry(&self) -> Value {
        json!({
            "method": "GET", "host": self.endpoint(), "path": "/v2/items",
            "answer": {"type": "text"},
            "limits": {"wall_ms": 60_000, "request_bytes_max": 1000, "answer_bytes_max": 100_000},
        })
    }

    /// Calls the tool of an entry.
    pub(crate) async fn call_with(&self, entry: &Value, args: &Value, reach: &Reach) -> Sent {
        self.call_within(entry, args, reach, WALL).await
    }

    /// Calls the tool of an entry within a time.
    pub(crate) async fn call_within(
        &self,
        entry: &Value,
        args: &Value,
        reach: &Reach,
        wall: Duration,
    ) -> Sent {
        self.call_as(entry, args, (reach, wall), None).await
    }

    /// Calls the tool of an entry with a secret.
    pub(crate) async fn call_as(
        &self,
        entry: &Value,
        args: &Value,
        (reach, wall): (&Reach, Duration),
        credential: Option<&Credential>,
    ) -> Sent {
        let tool = tool(entry);
        let args = args.as_object().unwrap();
        let (begun, body) = (AtomicBool::new(false), OnceLock::new());
        let (pieces, mut waiting) = Pieces::new();
        let call = Call {
            tool: &tool,
            args,
            begun: &begun,
            body: &body,
            credential,
            pieces: Some(&pieces),
        };
        let output = self.sender.call(&call, reach, wall).await;
        let used = output.as_ref().ok();
        let (tokens, spend) = used.map_or((None, None), |used| (used.tokens, used.spend));
        drop(pieces);
        let pieces = std::iter::from_fn(|| waiting.try_recv().ok()).collect();
        Sent {
            output: output.map(|output| output.bytes),
            tokens,
            spend,
            pieces,
            begun: begun.into_inner(),
            body: body.into_inner(),
        }
    }

    /// Reads `/v2/items`.
    pub(crate) async fn get(&self) -> Sent {
        self.call_with(&self.entry(), &json!({}), &self.reach())
            .await
    }

    /// Returns the error of reading `/v2/items`.
    pub(crate) async fn fault(&self) -> Fault {
        self.get().await.output.unwrap_err()
    }

    /// The last request that the server has read.
    pub(crate) fn request(&self) -> String {
        self.requests.lock().unwrap().last().unwrap().clone()
    }

    /// Returns the number of requests that the server has read.
    pub(crate) fn count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }
}

/// An answer with a body of its length.
pub(crate) fn answer(code: &str, headers: &str, body: &str) -> String {
    let len = body.len();
    format!("HTTP/1.1 {code}\r\n{headers}content-length: {len}\r\n\r\n{body}")
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Reads the tool of an entry, through a catalogue.
fn tool(entry: &Value) -> HttpTool {
    let tool = json!([{
        "name": "items", "description": "Reads items.", "effect": "outward", "output": "untrusted",
        "input_schema": {"type": "object", "additionalProperties": true}, "http": entry,
    }]);
    let catalogue = contract::Catalogue::parse(tool.to_string().as_bytes()).unwrap();
    let tool = catalogue.get("items").unwrap();
    tool.http().unwrap().clone()
}

/// Answers requests with the same bytes.
fn serve(
    (listener, acceptor): (TcpListener, TlsAcceptor),
    answer: Vec<u8>,
    end: End,
    (requests, gate): (Requests, Arc<RwLock<()>>),
) {
    spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let request = read_request(&mut stream).await;
            requests.lock().unwrap().push(request);
            drop(gate.read().await);
            // The client may have gone away.
            stream.write_all(&answer).await.ok();
            stream.flush().await.ok();
            match end {
                End::Close => drop(stream.shutdown().await),
                End::Hang => spawn(async move {
                    let mut rest = Vec::new();
                    stream.read_to_end(&mut rest).await.ok();
                }),
            }
        }
    });
}

async fn read_request(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> String {
    let mut read = Vec::new();
    loop {
        let mut part = [0; 4096];
        let n = stream.read(&mut part).await.unwrap_or(0);
        read.extend_from_slice(&part[..n]);
        let text = String::from_utf8_lossy(&read).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            assert!(n > 0, "the request ended early: {text}");
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        if n == 0 || body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
            return text;
        }
    }
}

/// Answers queries for addresses from a table; names that are not in it do not exist.
async fn name_server(names: Names) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    spawn(async move {
        let mut query = [0; 1500];
        while let Ok((n, from)) = socket.recv_from(&mut query).await {
            let answer = dns_answer(&query[..n], &names.lock().unwrap());
            socket.send_to(&answer, from).await.unwrap();
        }
    });
    address
}

fn dns_answer(query: &[u8], names: &BTreeMap<String, Vec<IpAddr>>) -> Vec<u8> {
    let (mut at, mut labels) = (12, Vec::new());
    while query[at] != 0 {
        let label = &query[at + 1..=at + usize::from(query[at])];
        labels.push(String::from_utf8_lossy(label).into_owned());
        at += 1 + label.len();
    }
    let (question, kind) = (&query[12..at + 5], query[at + 2]);
    let found = names.get(&labels.join("."));
    let fits = |address: &&IpAddr| kind == if address.is_ipv6() { 28 } else { 1 };
    let of_kind: Vec<_> = found.into_iter().flatten().filter(fits).collect();
    let code = if found.is_some() { 0 } else { 3 };
    let mut answer = query[..2].to_vec();
    answer.extend([
        0x81,
        0x80 | code,
        0,
        1,
        0,
        u8::try_from(of_kind.len()).unwrap(),
        0,
        0,
        0,
        0,
    ]);
    answer.extend(question);
    for address in of_kind {
        let bytes = match address {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        answer.extend([
            0xc0,
            12,
            0,
            kind,
            0,
            1,
            0,
            0,
            0,
            0,
            0,
            u8::try_from(bytes.len()).unwrap(),
        ]);
        answer.extend(bytes);
    }
    answer
}

#[expect(clippy::disallowed_methods, reason = "servers of a test run beside it")]
fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(task);
}
