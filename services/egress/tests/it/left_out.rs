//! Attacks that succeed against a client that leaves one check out, and fail against egress.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use contract::Reach;
use egress::Fault;
use http_body_util::{BodyExt as _, Empty};
use hyper::Request;
use hyper::client::conn::http2::Builder;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::frames::{After, DATA, END_HEADERS, Framed, HEADERS, OK, of, reset};
use crate::world::{Authority, End, HELLO, HOST, World, spawn};

const KEY: &str = "authorization: Bearer canary\r\n";

/// Takes each certificate for each name.
#[derive(Debug)]
struct AnyName;

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        _end: &CertificateDer<'_>,
        _between: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let provider = ring::default_provider();
        provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// A client that trusts this authority; without one, it leaves the proof of the name out.
pub(crate) fn client(authority: Option<&Authority>) -> TlsConnector {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap();
    let config = match authority {
        Some(authority) => builder
            .with_root_certificates(authority.roots())
            .with_no_client_auth(),
        None => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyName))
            .with_no_client_auth(),
    };
    TlsConnector::from(Arc::new(config))
}

/// Sends a request with a key to an address, whichever it is; returns the answer.
pub(crate) async fn send(client: &TlsConnector, to: SocketAddr) -> Result<String, std::io::Error> {
    let stream = TcpStream::connect(to).await?;
    let name = ServerName::try_from(HOST).unwrap();
    let mut stream = client.connect(name, stream).await?;
    let request = format!("GET /v2/items HTTP/1.1\r\nhost: {HOST}\r\n{KEY}\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[tokio::test]
async fn a_name_that_is_bound_to_this_machine_works_only_without_the_check_of_addresses() {
    let authority = Authority::new();
    let world = World::with(&authority, HOST, HELLO, End::Close).await;
    let client = client(Some(&authority));
    let reach = Reach::read(&[world.endpoint()], &[]);
    for bound in ["127.0.0.1", "::ffff:127.0.0.1"] {
        world.bind(&[bound]);
        let found = world.addresses().await[0];
        let before = world.count();
        let answer = send(&client, SocketAddr::new(found, world.port)).await;
        assert!(answer.unwrap().ends_with("hello"), "{bound}");
        assert_eq!(world.count(), before + 1);
        let sent = world.call_with(&world.entry(), &json!({}), &reach).await;
        assert!(matches!(sent.output, Err(Fault::Address { .. })), "{bound}");
        assert!(!sent.begun);
        assert_eq!(world.count(), before + 1);
    }
}

#[tokio::test]
async fn a_redirect_takes_a_key_elsewhere_only_without_the_check_of_its_host() {
    let authority = Authority::new();
    let elsewhere = World::with(&authority, HOST, HELLO, End::Close).await;
    let redirect = format!(
        "HTTP/1.1 302 Found\r\nlocation: https://{}/v2/items\r\ncontent-length: 0\r\n\r\n",
        elsewhere.endpoint()
    );
    let world = World::with(&authority, HOST, redirect, End::Close).await;
    let client = client(Some(&authority));
    let here = IpAddr::from([127, 0, 0, 1]);
    let answer = send(&client, SocketAddr::new(here, world.port))
        .await
        .unwrap();
    let port = answer
        .split(':')
        .nth(3)
        .and_then(|rest| rest.split('/').next());
    let port = port.unwrap().parse().unwrap();
    send(&client, SocketAddr::new(here, port)).await.unwrap();
    assert!(elsewhere.requests.lock().unwrap()[0].contains("canary"));
    let mut entry = world.entry();
    entry["redirects"] = json!(1);
    let sent = world.call_with(&entry, &json!({}), &world.reach()).await;
    let fault = sent.output.unwrap_err().to_string();
    assert!(
        fault.contains("the contract does not name the host"),
        "{fault}"
    );
    assert_eq!(elsewhere.count(), 1);
}

#[tokio::test]
async fn another_host_is_believed_only_without_the_proof_of_its_name() {
    let authority = Authority::new();
    let world = World::with(&authority, "other.example.com", HELLO, End::Close).await;
    let here = SocketAddr::from(([127, 0, 0, 1], world.port));
    assert!(send(&client(None), here).await.unwrap().ends_with("hello"));
    assert!(send(&client(Some(&authority)), here).await.is_err());
    assert_eq!(world.count(), 1);
    assert!(matches!(world.fault().await, Fault::Tls { .. }));
    assert_eq!(world.count(), 1);
}

#[tokio::test]
async fn an_answer_that_was_cut_off_is_whole_only_without_a_look_at_its_end() {
    let begin = [of(HEADERS, END_HEADERS, OK), of(DATA, 0, b"hel")].concat();
    // The host has no error, it says, and sends no more.
    let answer = [begin, reset(0)].concat();
    let framed = Framed::new(answer, After::Hang).await;
    let world = &framed.world;
    let here = SocketAddr::from(([127, 0, 0, 1], world.port));
    let stream = TcpStream::connect(here).await.unwrap();
    let name = ServerName::try_from(HOST).unwrap();
    let stream = client(None).connect(name, stream).await.unwrap();
    let opened = Builder::new(TokioExecutor::new())
        .handshake(TokioIo::new(stream))
        .await;
    let (mut sender, connection) = opened.unwrap();
    spawn(async move { connection.await.unwrap_or_default() });
    let request = Request::get(format!("https://{}/v2/items", world.endpoint()));
    let request = request.body(Empty::<Bytes>::new()).unwrap();
    let answer = sender.send_request(request).await.unwrap();
    let body = answer.into_body().collect().await.unwrap();
    assert_eq!(body.to_bytes(), "hel");
    let fault = world.fault().await.to_string();
    assert!(fault.contains("its answer was cut off"), "{fault}");
}
