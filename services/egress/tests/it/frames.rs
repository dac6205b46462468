//! Servers that speak HTTP/2: one that answers well, and one that answers with any frames.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http_body_util::BodyExt as _;
use http_body_util::combinators::BoxBody;
use hyper::body::Incoming;
use hyper::server::conn::http2::Builder;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::world::{Authority, Requests, World};

/// Kinds of frames (RFC 9113, 6).
pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PUSH_PROMISE: u8 = 5;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;
/// Flags of frames.
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
/// The header block of the code 200, and of the code 103.
pub(crate) const OK: &[u8] = b"\x88";
pub(crate) const EARLY_HINTS: &[u8] = b"\x08\x03103";
/// The first bytes of a client.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The end of a server's frames.
#[derive(Clone)]
pub(crate) enum After {
    /// Closes the connection.
    Close,
    /// Says nothing more.
    Hang,
    /// Sends these frames again and again, until the client is gone.
    Again(Vec<u8>),
}

/// The body of an answer.
pub(crate) type Body = BoxBody<Bytes, std::convert::Infallible>;

/// A frame.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, len @ ..] = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&len[..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A frame of the only stream.
pub(crate) fn of(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    frame(kind, flags, 1, payload)
}

/// The only stream is reset with this code.
pub(crate) fn reset(code: u32) -> Vec<u8> {
    of(RST_STREAM, 0, &code.to_be_bytes())
}

/// The connection ends after this stream, with a code and a text.
pub(crate) fn goaway(last: u32, code: u32, text: &[u8]) -> Vec<u8> {
    let payload = [&last.to_be_bytes()[..], &code.to_be_bytes(), text].concat();
    frame(GOAWAY, 0, 0, &payload)
}

/// A header of a block, without indexing.
pub(crate) fn header(name: &str, value: &str) -> Vec<u8> {
    let text = |text: &str| {
        let mut coded = Vec::new();
        match u8::try_from(text.len()) {
            Ok(len) if len < 127 => coded.push(len),
            // The rest of the length, seven bits at a time.
            _ => {
                coded.push(127);
                let mut rest = text.len() - 127;
                while rest > 127 {
                    coded.push(0x80 | u8::try_from(rest & 0x7f).unwrap());
                    rest >>= 7;
                }
                coded.push(u8::try_from(rest).unwrap());
            }
        }
        coded.extend(text.as_bytes());
        coded
    };
    [vec![0], text(name), text(value)].concat()
}

/// A world whose host answers the request with frames.
pub(crate) struct Framed {
    pub(crate) world: World,
    /// The bytes that the host has sent.
    pub(crate) sent: Arc<AtomicU64>,
}

impl Framed {
    pub(crate) async fn new(answer: Vec<u8>, after: After) -> Self {
        let sent = Arc::<AtomicU64>::default();
        let counted = Arc::clone(&sent);
        let serve = move |stream, requests| {
            play(
                stream,
                requests,
                (answer.clone(), after.clone()),
                Arc::clone(&counted),
            )
        };
        let world = World::speaking(&Authority::new(), &["h2"], serve).await;
        Self { world, sent }
    }
}

/// Reads a request, and answers with the frames.
async fn play(
    mut stream: TlsStream<TcpStream>,
    requests: Requests,
    (answer, after): (Vec<u8>, After),
    sent: Arc<AtomicU64>,
) {
    // Its own, and that it has those of the client.
    let settings = [frame(SETTINGS, 0, 0, b""), frame(SETTINGS, 1, 0, b"")].concat();
    if read_frames(&mut stream, &requests).await.is_err()
        || stream.write_all(&settings).await.is_err()
    {
        return;
    }
    // The client may have gone away.
    let mut next = answer;
    loop {
        if stream.write_all(&next).await.is_err() {
            return;
        }
        sent.fetch_add(next.len() as u64, Ordering::Relaxed);
        match &after {
            After::Again(again) => next.clone_from(again),
            After::Close => {
                stream.shutdown().await.ok();
                return;
            }
            After::Hang => {
                stream.flush().await.ok();
                stream.read_to_end(&mut Vec::new()).await.ok();
                return;
            }
        }
    }
}

/// Reads frames up to the end of the request.
async fn read_frames(
    stream: &mut TlsStream<TcpStream>,
    requests: &Requests,
) -> std::io::Result<()> {
    let mut preface = [0; PREFACE.len()];
    stream.read_exact(&mut preface).await?;
    assert_eq!(preface, PREFACE);
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await?;
        let [a, b, c, kind, flags, ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        stream.read_exact(&mut payload).await?;
        if kind == HEADERS {
            let text = format!("{payload:x?}");
            requests.lock().unwrap().push(text);
        }
        if (kind == HEADERS || kind == DATA) && flags & END_STREAM != 0 {
            return Ok(());
        }
    }
}

/// A world whose host speaks both versions of HTTP well.
pub(crate) async fn answering(
    versions: &[&str],
    answer: impl Fn() -> Response<Body> + Clone + Send + Sync + 'static,
) -> World {
    let serve = move |stream: TlsStream<TcpStream>, requests: Requests| {
        let answer = answer.clone();
        let name = stream.get_ref().1.server_name().unwrap().to_owned();
        let service = service_fn(move |request| {
            let (answer, requests) = (answer.clone(), Arc::clone(&requests));
            let name = name.clone();
            async move {
                let text = text(request, &name).await;
                requests.lock().unwrap().push(text);
                Ok::<_, std::convert::Infallible>(answer())
            }
        });
        async move {
            let is_two = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            let io = TokioIo::new(stream);
            // The client may have gone away.
            if is_two {
                let server = Builder::new(TokioExecutor::new());
                server.serve_connection(io, service).await.ok();
            } else {
                let server = hyper::server::conn::http1::Builder::new();
                server.serve_connection(io, service).await.ok();
            }
        }
    };
    World::speaking(&Authority::new(), versions, serve).await
}

/// A request as a text, in the form of HTTP/1.1 with its version and its whole URI, and the name of the handshake.
async fn text(request: Request<Incoming>, name: &str) -> String {
    let (head, body) = request.into_parts();
    let mut text = format!("{} {} {:?}\n", head.method, head.uri, head.version);
    text.push_str(&format!("(handshake): {name}\n"));
    for (name, value) in &head.headers {
        text.push_str(&format!("{name}: {}\n", value.to_str().unwrap()));
    }
    let body = body.collect().await.unwrap().to_bytes();
    text.push('\n');
    text.push_str(std::str::from_utf8(&body).unwrap());
    text
}
