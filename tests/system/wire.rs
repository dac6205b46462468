//! Calls over HTTP/2 and through a proxy: the outcome of a request without an answer, and a proxy that is gone.

use std::{
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use bus_schema::AuthorId;
use harness::{Deployment, SOON, eventually, free_port};
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use serde_json::json;

use crate::{
    cli::run,
    egress::{HOST, World, call_under, deployed, failure, output, started_with, submitted_under},
    secret_kills::is_unknown,
};

/// A frame without a payload that says that the settings are the usual ones.
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
/// The only stream is reset: refused, and cancelled.
const REFUSED: &[u8] = &[0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 7];
const CANCELLED: &[u8] = &[0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 8];

/// Starts a host that answers each request of HTTP/2 with a frame; returns its port, and the number of requests.
fn framed(world: &World, frame: &'static [u8]) -> (u16, Arc<Mutex<usize>>) {
    let chain = CertificateDer::pem_file_iter(world.file("cert.pem")).unwrap();
    let chain = chain.collect::<Result<Vec<_>, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_file(world.file("key.pem")).unwrap();
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let count = Arc::<Mutex<usize>>::default();
    let counted = Arc::clone(&count);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(connection, stream);
            if read_request(&mut stream).is_ok() {
                *counted.lock().unwrap() += 1;
                stream.write_all(&[SETTINGS, frame].concat()).ok();
                stream.flush().ok();
                // Until the client is gone.
                io::copy(&mut stream, &mut io::sink()).ok();
            }
        }
    });
    (port, count)
}

/// Reads the preface, and frames up to the end of the stream.
fn read_request(stream: &mut impl Read) -> io::Result<()> {
    stream.read_exact(&mut [0; 24])?;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head)?;
        let [a, b, c, kind, flags, ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        stream.read_exact(&mut payload)?;
        if kind <= 1 && flags & 1 == 1 {
            return Ok(());
        }
    }
}

#[tokio::test]
async fn a_request_that_the_host_refused_has_failed_and_one_that_broke_off_is_unknown() {
    let Some((deployment, world)) = deployed().await else {
        return;
    };
    let (refused, refusals) = framed(&world, REFUSED);
    let (cancelled, cancellations) = framed(&world, CANCELLED);
    let tool = |name: &str, port: u16| {
        world.tool(name, |tool| {
            tool["http"]["host"] = json!(format!("{HOST}:{port}"));
            tool["http"]["method"] = json!("POST");
            tool["http"]["path"] = json!("/v2/notes");
            tool["http"]["body"] = json!({"text": {"$value": "item"}});
            tool["http"]["limits"]["wall_ms"] = json!(3_000);
        })
    };
    let tools = [
        tool("wire.refused", refused),
        tool("wire.cancelled", cancelled),
    ];
    world.add(&deployment, &tools);
    let head = |port: u16| format!("hosts = [\"{HOST}:{port}\"]\nnetworks = [\"127.0.0.0/8\"]\n");
    let ran = call_under(&deployment, (&head(refused), ""), "wire.refused", "x").await;
    assert_eq!(ran.outcomes(), ["failed"]);
    let error = failure(&deployment, &ran);
    assert!(error.contains("before it handled any of it"), "{error}");
    let head = head(cancelled);
    let task = submitted_under(&deployment, (&head, ""), "wire.cancelled", "x").await;
    is_unknown(&deployment, task).await;
    // Nothing was sent again.
    assert_eq!(*refusals.lock().unwrap(), 1);
    assert_eq!(*cancellations.lock().unwrap(), 1);
}

/// Serves a proxy; returns what it was asked.
fn proxy(port: u16) -> Arc<Mutex<Vec<String>>> {
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let kept = Arc::clone(&asked);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let kept = Arc::clone(&kept);
            thread::spawn(move || relay(stream, &kept));
        }
    });
    asked
}

/// Connects a client with the host that it asks for.
fn relay(mut client: TcpStream, asked: &Mutex<Vec<String>>) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte)?;
        head.extend(byte);
    }
    let head = String::from_utf8(head).unwrap();
    let target = head.split(' ').nth(1).unwrap();
    let mut host = TcpStream::connect(target)?;
    asked.lock().unwrap().push(head);
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
    let (mut from_host, mut to_client) = (host.try_clone()?, client.try_clone()?);
    thread::spawn(move || io::copy(&mut from_host, &mut to_client));
    io::copy(&mut client, &mut host).map(drop)
}

#[tokio::test]
async fn calls_lead_through_the_proxy_and_doctor_names_one_that_is_gone() {
    let deployment = Deployment::provisioned().await;
    let Some(world) = World::with(&deployment, &[]) else {
        return;
    };
    let port = free_port().port();
    let table = format!(
        "[service.proxy]\nurl = \"http://127.0.0.1:{port}\"\nnetworks = [\"127.0.0.0/8\"]\n"
    );
    started_with(&deployment, &world, &table).await;
    world.add(&deployment, &[world.tool("world.read", |_| ())]);
    let head = world.head();
    let call = async || call_under(&deployment, (&head, ""), "world.read", "x").await;
    let gone = format!("the proxy 127.0.0.1:{port} cannot be used: it does not answer");
    let doctor = || run(&deployment, &["doctor"]).printed;
    eventually(SOON, async || match doctor() {
        said if said.contains(&gone) => Ok(()),
        said => Err(said),
    })
    .await;
    let ran = call().await;
    assert_eq!(ran.outcomes(), ["failed"]);
    let error = failure(&deployment, &ran);
    assert!(error.starts_with("nothing was sent"), "{error}");

    let asked = proxy(port);
    let ran = call().await;
    assert_eq!(ran.outcome(), "succeeded");
    assert_eq!(output(&deployment, &ran)["price"], json!(7));
    let target = world.endpoint().replace(HOST, "127.0.0.1");
    let connect = format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n\r\n");
    assert_eq!(*asked.lock().unwrap(), [connect]);
    assert_eq!(world.requests(), ["GET /v2/items/x "]);
    deployment.stop(AuthorId::Egress).await;
    deployment.start(AuthorId::Egress).await;
    eventually(SOON, async || match doctor() {
        said if said.contains(&gone) => Err(said),
        _ => Ok(()),
    })
    .await;
}
