//! Sends one request over one connection, once, and reads its answer.

use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use contract::{Endpoint, HttpRequest, Method, StrictUrl};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::Builder;
use hyper::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderName,
    HeaderValue, TRANSFER_ENCODING, USER_AGENT,
};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use secret::{Injected, Place};
use tokio::io::{AsyncRead, AsyncWrite};
use zeroize::Zeroizing;

use crate::credential::Credential;
use crate::decoded::Decoded;
use crate::fault::{Fault, Phase};
use crate::intake::Intake;
use crate::outgoing::content_type;

/// Most headers of an answer.
const HEADERS_MAX: usize = 100;
/// Most bytes of the first line and the headers of an answer.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// The name under which requests are sent.
const AGENT: &str = concat!("contractual/", env!("CARGO_PKG_VERSION"));

/// An answer with its whole body, decoded, and with a marker in the place of the secret.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) code: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// Sends the request and returns the answer. The connection is used for nothing else.
///
/// # Errors
/// [`Fault`]; once `begun` is true, the host may have acted on the request.
pub(crate) async fn exchange<S>(
    stream: S,
    endpoint: &Endpoint,
    (request, credential): (HttpRequest, Option<&Credential>),
    intake: &Intake<'_>,
    begun: &AtomicBool,
) -> Result<Received, Fault>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let is_head = request.method == Method::Head;
    let request = encoded(endpoint, request, credential)?;
    let broken = |error: hyper::Error| broken(endpoint, &error);
    let mut builder = Builder::new();
    builder
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX);
    let (mut sender, connection) = builder
        .handshake(TokioIo::new(stream))
        .await
        .map_err(broken)?;
    begun.store(true, Ordering::Relaxed);
    let exchanged = async {
        let response = sender.send_request(request).await.map_err(broken)?;
        read(endpoint, response, intake, is_head).await
    };
    // The connection is driven until the answer was read; its own error is that of the exchange.
    tokio::pin!(exchanged, connection);
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
    let mut built = Request::builder()
        .method(method.to_string().as_str())
        .uri(target.as_str())
        .header(HOST, endpoint.to_string())
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
    is_head: bool,
) -> Result<Received, Fault> {
    let (head, mut body) = response.into_parts();
    if head.headers.contains_key(CONTENT_LENGTH) && head.headers.contains_key(TRANSFER_ENCODING) {
        return Err(Fault::TwoLengths);
    }
    let code = head.status.as_u16();
    let encoding = head.headers.get(CONTENT_ENCODING);
    let encoding =
        encoding.map(|name| String::from_utf8_lossy(name.as_bytes()).to_ascii_lowercase());
    let has_body = !is_head && code != 204;
    let encoding = encoding.as_deref().filter(|_| has_body);
    let mut decoded = Decoded::new(encoding, intake.bytes_max)?;
    let mut taken = intake.begin(code);
    loop {
        let part = tokio::time::timeout(intake.part, body.frame()).await;
        let late = |_| Fault::Late {
            phase: Phase::Body,
            ms: u64::try_from(intake.part.as_millis()).unwrap_or(u64::MAX),
        };
        match part.map_err(late)? {
            Some(Ok(frame)) => {
                if let Some(bytes) = frame.data_ref() {
                    decoded.add(bytes)?;
                    taken.add(&decoded.take());
                }
            }
            Some(Err(error)) => return Err(broken(endpoint, &error)),
            None => break,
        }
    }
    if has_body {
        taken.add(&decoded.end()?);
    }
    Ok(Received {
        code,
        headers: head.headers,
        body: taken.end(),
    })
}

fn broken(endpoint: &Endpoint, error: &hyper::Error) -> Fault {
    Fault::Protocol(endpoint.clone(), actor::chain(error))
}
