//! Sends one request over one connection, once, in the version of HTTP that the host chose, and reads its answer.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use contract::{Endpoint, HttpRequest, Method, StrictUrl};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1::Builder;
use hyper::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderName,
    HeaderValue, TRANSFER_ENCODING, USER_AGENT,
};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use secret::{Injected, Place};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::client::TlsStream;
use zeroize::Zeroizing;

use crate::credential::Credential;
use crate::decoded::Decoded;
use crate::fault::{Fault, Phase};
use crate::http2;
use crate::intake::Intake;
use crate::outgoing::content_type;
use crate::portions::Portions;
use crate::spool::Spool;
use crate::tls::Version;

/// Most headers of an answer.
const HEADERS_MAX: usize = 100;
/// Most bytes of the first line and the headers of an answer.
const HEAD_BYTES_MAX: u32 = 64 * 1024;
/// Most bytes that are decoded at once: a small part of a body may become a thousand times larger.
const STEP_BYTES: usize = 8 * 1024;
/// The name under which requests are sent.
const AGENT: &str = concat!("contractual/", env!("CARGO_PKG_VERSION"));

/// An answer with its whole body, decoded, and with a marker in the place of the secret.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) code: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// The body of a download instead.
    pub(crate) spool: Option<Spool>,
    /// Its bytes as sent or as decoded: the larger number.
    pub(crate) bytes: u64,
}

impl Received {
    /// Returns true if its header says that it is JSON.
    pub(crate) fn is_json(&self) -> bool {
        let kind = self.headers.get(CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok());
        let kind = kind.and_then(|kind| kind.split(';').next());
        kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
    }
}

/// Sends the request and returns the answer. The connection is used for nothing else.
///
/// # Errors
/// [`Fault`]; once `begun` is true, the host may have acted on the request.
pub(crate) async fn exchange<S>(
    stream: TlsStream<S>,
    endpoint: &Endpoint,
    (request, credential): (HttpRequest, Option<&Credential>),
    intake: &Intake<'_>,
    begun: &AtomicBool,
) -> Result<Received, Fault>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let is_head = request.method == Method::Head;
    let version = Version::of(&stream);
    let request = encoded(endpoint, request, credential, version)?;
    let broken = |error: hyper::Error| broken(endpoint, &error);
    let stream = Portions::new(stream, intake.bytes_max);
    let read = |response| read(endpoint, response, intake, (is_head, version));
    match version {
        Version::One => {
            let mut builder = Builder::new();
            builder
                .max_headers(HEADERS_MAX)
                .max_buf_size(HEAD_BYTES_MAX as usize);
            let opened = builder.handshake(TokioIo::new(stream)).await;
            let (mut sender, connection) = opened.map_err(broken)?;
            begun.store(true, Ordering::Relaxed);
            let exchanged = async {
                let response = sender.send_request(request).await.map_err(broken)?;
                read(response).await
            };
            beside(exchanged, connection).await
        }
        Version::Two => {
            let opened = http2::handshake(stream, HEAD_BYTES_MAX).await;
            let (mut sender, connection) = opened.map_err(broken)?;
            begun.store(true, Ordering::Relaxed);
            let exchanged = async {
                let response = sender.send_request(request).await.map_err(|error| {
                    http2::unhandled(endpoint, &error).unwrap_or_else(|| broken(error))
                })?;
                read(response).await
            };
            beside(exchanged, connection).await
        }
    }
}

/// Drives a connection until the answer was read; its own error is that of the exchange.
async fn beside<T>(exchanged: impl Future<Output = T>, connection: impl Future) -> T {
    let (mut exchanged, mut connection) = (pin!(exchanged), pin!(connection));
    tokio::select! {
        biased;
        exchanged = &mut exchanged => return exchanged,
        ended = &mut connection => drop(ended),
    }
    exchanged.await
}

fn encoded(
    endpoint: &Endpoint,
    request: HttpRequest,
    credential: Option<&Credential>,
    version: Version,
) -> Result<Request<Full<Bytes>>, Fault> {
    let wrong = |error: String| Fault::Protocol(endpoint.clone(), error);
    // What is signed here is what is sent.
    let added = credential.map(|credential| credential.added(endpoint, &request));
    let added = added.transpose().map_err(|why| wrong(why.to_string()))?;
    let added = added.unwrap_or_default();
    let kind = content_type(&request).map(str::to_owned);
    let HttpRequest {
        method,
        url,
        headers,
        body,
    } = request;
    let target = target(&url, &added);
    let mut built = Request::builder().method(method.to_string().as_str());
    built = match version {
        Version::One => built
            .uri(target.as_str())
            .header(HOST, endpoint.to_string()),
        // The host stands in `:authority` alone.
        Version::Two => {
            let whole = Zeroizing::new(format!("https://{endpoint}{}", *target));
            built.uri(whole.as_str())
        }
    };
    built = built
        .header(USER_AGENT, AGENT)
        .header(ACCEPT_ENCODING, "identity");
    if let Some(kind) = kind {
        built = built.header(CONTENT_TYPE, kind);
    }
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes());
        let name = name.map_err(|error| wrong(error.to_string()))?;
        if let Some(sent) = built.headers_mut() {
            let value = value.parse();
            sent.insert(
                name,
                value.map_err(|_| wrong("a header is invalid".to_owned()))?,
            );
        }
    }
    for Injected { place, text } in &added {
        let (Some(sent), Place::Header(name)) = (built.headers_mut(), place) else {
            continue;
        };
        let name = HeaderName::from_bytes(name.as_bytes());
        let value = HeaderValue::from_str(text);
        let (Ok(name), Ok(mut value)) = (name, value) else {
            return Err(wrong("the secret cannot stand in a header".to_owned()));
        };
        value.set_sensitive(true);
        sent.insert(name, value);
    }
    let built = built.body(Full::from(body.unwrap_or_default()));
    built.map_err(|error| wrong(error.to_string()))
}

/// Returns path and query, with what a secret adds to the query.
fn target(url: &StrictUrl, added: &[Injected]) -> Zeroizing<String> {
    let mut target = Zeroizing::new(url.path().to_owned());
    if let Some(query) = url.query() {
        target.push_str(&format!("?{query}"));
    }
    let sign = if url.query().is_some() { '&' } else { '?' };
    for Injected { place, text } in added {
        if let Place::Query(name) = place {
            target.push_str(&Zeroizing::new(format!("{sign}{name}={}", **text)));
        }
    }
    target
}

async fn read(
    endpoint: &Endpoint,
    response: Response<Incoming>,
    intake: &Intake<'_>,
    (is_head, version): (bool, Version),
) -> Result<Received, Fault> {
    let (head, mut body) = response.into_parts();
    let cut_off = |why: &str| Fault::Protocol(endpoint.clone(), why.to_owned());
    if head.headers.len() > HEADERS_MAX {
        return Err(cut_off("its answer has more than 100 headers"));
    }
    if head.headers.contains_key(CONTENT_LENGTH) && head.headers.contains_key(TRANSFER_ENCODING) {
        return Err(Fault::TwoLengths);
    }
    let code = head.status.as_u16();
    let encoding = head.headers.get(CONTENT_ENCODING);
    let encoding =
        encoding.map(|name| String::from_utf8_lossy(name.as_bytes()).to_ascii_lowercase());
    let has_body = !is_head && code != 204;
    let encoding = encoding.as_deref().filter(|_| has_body);
    let mut decoded = Decoded::new(encoding, intake.bytes_max_of(code))?;
    let mut taken = intake.begin(code).await?;
    loop {
        let part = tokio::time::timeout(intake.part, body.frame()).await;
        let late = |_| Fault::Late {
            phase: Phase::Body,
            ms: u64::try_from(intake.part.as_millis()).unwrap_or(u64::MAX),
        };
        match part.map_err(late)? {
            Some(Ok(frame)) => {
                let bytes = frame.data_ref().map_or(&[][..], |bytes| bytes);
                for step in bytes.chunks(STEP_BYTES) {
                    decoded.add(step)?;
                    taken.add(&decoded.take()).await?;
                }
            }
            Some(Err(error)) => return Err(broken(endpoint, &error)),
            None => break,
        }
    }
    // A reset without an error ends a body as well.
    if version == Version::Two && !body.is_end_stream() {
        return Err(cut_off("its answer was cut off"));
    }
    if has_body {
        taken.add(&decoded.end()?).await?;
    }
    let (body, spool) = taken.end().await?;
    Ok(Received {
        code,
        headers: head.headers,
        body,
        spool,
        bytes: decoded.bytes(),
    })
}

fn broken(endpoint: &Endpoint, error: &hyper::Error) -> Fault {
    let why = http2::reason(error).unwrap_or_else(|| actor::chain(error));
    Fault::Protocol(endpoint.clone(), why)
}
