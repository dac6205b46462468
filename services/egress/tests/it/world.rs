//! A world of the tests: an authority, a name server and a TLS server, each on a free port of this machine.

use std::io::Write as _;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU8};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use bus_schema::{Digest, Money};
use contract::{HttpTool, Reach};
use egress::{Call, Credential, Downloaded, Fault, Pieces, Proxy, Resolver, Sender, Trust};
use flate2::{Compression, write::GzEncoder};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::RwLock;
use tokio::sync::mpsc::Receiver;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::name_server::{Names, name_server};

/// The host of the tests.
pub(crate) const HOST: &str = "api.example.com";
/// An answer with the text `hello`.
pub(crate) const HELLO: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
/// Bytes of a block of zeros.
pub(crate) const BLOCK: usize = 1 << 14;
/// A time that no test reaches.
pub(crate) const WALL: Duration = Duration::from_secs(60);

/// The end of a call.
pub(crate) struct Sent {
    pub(crate) output: Result<Vec<u8>, Fault>,
    /// The tokens that the host says it used.
    pub(crate) tokens: Option<u64>,
    /// The money that it cost.
    pub(crate) spend: Option<Money>,
    /// The file that it downloaded.
    pub(crate) file: Option<Downloaded>,
    /// The pieces that came before the whole answer.
    pub(crate) pieces: Vec<(u32, String)>,
    /// True if the request was begun.
    pub(crate) begun: bool,
    /// SHA-256 of its body.
    pub(crate) body: Option<Digest>,
}

/// The requests that a server has read.
pub(crate) type Requests = Arc<Mutex<Vec<String>>>;

/// The answers of a server, one for each request; the last one is that of all later ones.
pub(crate) type Answers = Arc<Mutex<Vec<Vec<u8>>>>;

/// The end of an answer.
#[derive(Clone, Copy)]
pub(crate) enum End {
    /// Closes the connection.
    Close,
    /// Says nothing more.
    Hang,
    /// Goes on with so many blocks of zeros, and closes the connection.
    Blocks(u32),
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

    pub(crate) fn trust(&self) -> Trust {
        Trust::read([self.folder.path().join("ca.pem").as_path()]).unwrap()
    }

    /// The authority alone, as another client trusts it.
    pub(crate) fn roots(&self) -> rustls::RootCertStore {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        roots
    }

    /// Proves this name; offers these versions of HTTP.
    pub(crate) fn acceptor(&self, name: &str, versions: &[&str]) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let signed = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![signed.der().clone()], key)
            .unwrap();
        let versions = versions.iter().map(|version| version.as_bytes().to_vec());
        config.alpn_protocols = versions.collect();
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
    pub(crate) answers: Answers,
    /// The place of downloads.
    pub(crate) folder: TempDir,
    /// Most bytes of a download.
    pub(crate) granted: u64,
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
        let world = Self::around(authority, listener.local_addr().unwrap().port()).await;
        *world.answers.lock().unwrap() = vec![answer.into()];
        serve(
            (listener, authority.acceptor(name, &[])),
            Arc::clone(&world.answers),
            end,
            (Arc::clone(&world.requests), Arc::clone(&world.gate)),
        );
        world
    }

    /// Starts servers; the host gives these answers in their order, and repeats the last one.
    pub(crate) async fn answering(authority: &Authority, answers: Vec<Vec<u8>>) -> Self {
        let world = Self::with(authority, HOST, "", End::Close).await;
        *world.answers.lock().unwrap() = answers;
        world
    }

    /// Starts servers; the host offers these versions of HTTP, and serves each connection so.
    pub(crate) async fn speaking<W>(
        authority: &Authority,
        versions: &[&str],
        serve: impl Fn(TlsStream<TcpStream>, Requests) -> W + Send + 'static,
    ) -> Self
    where
        W: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let world = Self::around(authority, listener.local_addr().unwrap().port()).await;
        let acceptor = authority.acceptor(HOST, versions);
        let requests = Arc::clone(&world.requests);
        spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if let Ok(stream) = acceptor.accept(stream).await {
                    spawn(serve(stream, Arc::clone(&requests)));
                }
            }
        });
        world
    }

    /// Starts the name server of a host on this port.
    async fn around(authority: &Authority, port: u16) -> Self {
        let names = Names::default();
        let server = name_server(Arc::clone(&names)).await;
        let folder = tempfile::tempdir().unwrap();
        let world = Self {
            sender: Arc::new(Sender {
                resolver: Resolver::new(&[server]),
                trust: authority.trust(),
                proxy: None,
                folder: folder.path().to_owned(),
            }),
            gate: Arc::default(),
            names,
            requests: Requests::default(),
            answers: Answers::default(),
            folder,
            granted: u64::MAX,
            port,
        };
        world.bind(&["127.0.0.1"]);
        world
    }

    /// Has a proxy connect to hosts.
    pub(crate) fn behind(&mut self, proxy: Proxy) {
        Arc::get_mut(&mut self.sender).unwrap().proxy = Some(proxy);
    }

    /// Has the name server say these addresses of the host.
    pub(crate) fn bind(&self, addresses: &[&str]) {
        self.name(HOST, addresses);
    }

    /// Has the name server say these addresses of a name.
    pub(crate) fn name(&self, name: &str, addresses: &[&str]) {
        let addresses = addresses.iter().map(|text| text.parse().unwrap());
        let mut names = self.names.lock().unwrap();
        names.insert(name.to_owned(), addresses.collect());
    }

    /// Trusts the authorities of another world instead of its own.
    pub(crate) fn exchange_trust(&mut self, other: &Self) {
        let sender = Arc::get_mut(&mut self.sender).unwrap();
        sender.trust = other.sender.trust.clone();
    }

    /// Has downloads wait in a folder that does not exist.
    pub(crate) fn lose_folder(&mut self) {
        let sender = Arc::get_mut(&mut self.sender).unwrap();
        sender.folder.push("missing");
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
        reach(&[self])
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
            page: &AtomicU8::new(0),
            body: &body,
            granted: self.granted,
            credential,
            pieces: Some(&pieces),
        };
        let output = self.sender.call(&call, reach, wall).await;
        let used = output.as_ref().ok();
        let (tokens, spend) = used.map_or((None, None), |used| (used.tokens, used.spend));
        drop(pieces);
        let (output, file) = match output {
            Ok(output) => (Ok(output.bytes), output.download),
            Err(fault) => (Err(fault), None),
        };
        let pieces = std::iter::from_fn(|| waiting.try_recv().ok()).collect();
        Sent {
            output,
            file,
            tokens,
            spend,
            pieces,
            begun: begun.into_inner(),
            body: body.into_inner(),
        }
    }

    /// Calls the tool of an entry, while `read` takes its pieces.
    pub(crate) async fn shown<T>(
        &self,
        entry: &Value,
        read: impl AsyncFnOnce(Receiver<(u32, String)>) -> T,
    ) -> (Result<Vec<u8>, Fault>, T) {
        let tool = tool(entry);
        let (begun, body) = (AtomicBool::new(false), OnceLock::new());
        let (pieces, waiting) = Pieces::new();
        let call = Call {
            tool: &tool,
            args: &Map::new(),
            begun: &begun,
            page: &AtomicU8::new(0),
            body: &body,
            granted: self.granted,
            credential: None,
            pieces: Some(&pieces),
        };
        let reach = self.reach();
        let (output, read) = tokio::join!(self.sender.call(&call, &reach, WALL), read(waiting));
        (output.map(|output| output.bytes), read)
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

/// The reach of a contract that names these hosts, and this machine.
pub(crate) fn reach(worlds: &[&World]) -> Reach {
    let hosts: Vec<String> = worlds.iter().map(|world| world.endpoint()).collect();
    Reach::read(&hosts, &["127.0.0.0/8".to_owned()])
}

/// An answer with a body of its length.
pub(crate) fn answer(code: &str, headers: &str, body: &str) -> String {
    let len = body.len();
    format!("HTTP/1.1 {code}\r\n{headers}content-length: {len}\r\n\r\n{body}")
}

/// A chunked answer with these chunks.
pub(crate) fn chunked(head: &str, chunks: &[&[u8]]) -> Vec<u8> {
    let mut answer = format!("{head}transfer-encoding: chunked\r\n\r\n").into_bytes();
    for chunk in chunks.iter().chain([&b""[..]].iter()) {
        answer.extend(format!("{:x}\r\n", chunk.len()).as_bytes());
        answer.extend_from_slice(chunk);
        answer.extend(b"\r\n");
    }
    answer
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Reads the tool of an entry, through a catalogue.
fn tool(entry: &Value) -> HttpTool {
    let effect = entry.get("pages").map_or("outward", |_| "tell");
    let tool = json!([{
        "name": "items", "description": "Reads items.", "effect": effect, "output": "untrusted",
        "input_schema": {"type": "object", "additionalProperties": true}, "http": entry,
    }]);
    let catalogue = contract::Catalogue::parse(tool.to_string().as_bytes()).unwrap();
    let tool = catalogue.get("items").unwrap();
    tool.http().unwrap().clone()
}

/// Answers requests.
fn serve(
    (listener, acceptor): (TcpListener, TlsAcceptor),
    answers: Answers,
    end: End,
    (requests, gate): (Requests, Arc<RwLock<()>>),
) {
    spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let request = read_request(&mut stream).await;
            let answer = {
                let mut requests = requests.lock().unwrap();
                requests.push(request);
                let answers = answers.lock().unwrap();
                answers[requests.len().min(answers.len()) - 1].clone()
            };
            drop(gate.read().await);
            // The client may have gone away.
            stream.write_all(&answer).await.ok();
            stream.flush().await.ok();
            match end {
                End::Close => drop(stream.shutdown().await),
                End::Blocks(count) => {
                    for _ in 0..count {
                        stream.write_all(&[0; BLOCK]).await.ok();
                    }
                    drop(stream.shutdown().await);
                }
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

#[expect(clippy::disallowed_methods, reason = "servers of a test run beside it")]
pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(task);
}
