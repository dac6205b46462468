//! Makes the output of a call of an answer: the fields that the tool names, and nothing else.

use bus_schema::{CONTENT_BYTES_MAX, Money, json};
use contract::{Answer, AnswerKind};
use hyper::header::{CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER};
use serde_json::{Map, Value, json};

use crate::connection::Received;
use crate::credential::Credential;
use crate::download::Downloaded;
use crate::events::{self, ServerEvent};
use crate::fault::Fault;

/// Most characters of an answer or a target that an error repeats.
const CHARS_MAX: usize = 500;

/// The output of a call.
#[derive(Debug)]
pub struct Output {
    /// Canonical JSON; empty before a download is stored.
    pub bytes: Vec<u8>,
    /// The file that the answer was.
    pub download: Option<Downloaded>,
    /// The tokens that the host says the call used; none if the tool does not name their places, or they are not there.
    pub tokens: Option<u64>,
    /// The money that the call cost by the tool's prices; none if the tool has none, or the host does not say what was used.
    pub spend: Option<Money>,
}

/// Returns the output.
///
/// # Errors
/// [`Fault`] for a code that is not one of success, and for a content that the tool does not expect.
pub(crate) fn output(
    wanted: &Answer,
    mut received: Received,
    credential: Option<&Credential>,
) -> Result<Output, Fault> {
    let received = &mut received;
    succeeded(wanted, received)?;
    let (mut tokens, mut spend) = (None, None);
    let mut used = |number: &dyn Fn(&str) -> Option<u64>| {
        tokens = wanted.used_tokens(number);
        spend = wanted.prices.as_ref().and_then(|prices| prices.of(number));
    };
    let output = match wanted.kind {
        AnswerKind::Download => {
            let none = || Fault::Content("no file".to_owned());
            let file = Downloaded::of(received, credential).ok_or_else(none)?;
            return Ok(Output {
                bytes: Vec::new(),
                download: Some(file),
                tokens: None,
                spend: None,
            });
        }
        AnswerKind::Nothing => json!({ "status": received.code }),
        AnswerKind::Text => {
            let text = std::str::from_utf8(&received.body);
            let text = text.map_err(|_| Fault::Content("no UTF-8".to_owned()))?;
            json!({ "text": text })
        }
        AnswerKind::Json => {
            let read = json(wanted, received)?;
            used(&|place| read.pointer(place)?.as_u64());
            fields(wanted, read)
        }
        AnswerKind::Events => {
            stream(received)?;
            let events = events::read(&received.body)?;
            let data: Vec<Value> = events.iter().filter_map(data_of).collect();
            // Counts of a stream grow, so its last word counts.
            let last = |place: &str| {
                let mut found = data.iter().rev().filter_map(|data| data.pointer(place));
                found.find_map(Value::as_u64)
            };
            used(&last);
            json!({ "events": events })
        }
    };
    let bytes = json::canonical(&output);
    Ok(Output {
        bytes,
        download: None,
        tokens,
        spend,
    })
}

/// Returns the body of an answer as JSON.
///
/// # Errors
/// [`Fault`] for a code that is not one of success, and for a body that is no strict JSON.
pub(crate) fn json(wanted: &Answer, received: &Received) -> Result<Value, Fault> {
    succeeded(wanted, received)?;
    let read = json::parse(&received.body, CONTENT_BYTES_MAX);
    read.map_err(|error| Fault::Content(format!("no strict JSON: {error}")))
}

/// Refuses a code that is not one of success.
fn succeeded(wanted: &Answer, received: &Received) -> Result<(), Fault> {
    let code = received.code;
    if wanted.status.contains(&code) {
        return Ok(());
    }
    let text = match received.body.as_slice() {
        [] => String::new(),
        body => format!(", and its answer begins with {}", quoted(body)),
    };
    let retry_after = retry_after(received);
    Err(Fault::Code {
        code,
        text,
        retry_after,
    })
}

/// The data of an event as JSON; none if it is none.
fn data_of(event: &ServerEvent) -> Option<Value> {
    json::parse(event.data.as_bytes(), CONTENT_BYTES_MAX).ok()
}

/// Refuses an answer that does not say that it is a stream of events.
fn stream(received: &Received) -> Result<(), Fault> {
    let kind = received.headers.get(CONTENT_TYPE);
    let kind = kind.map_or(&b""[..], HeaderValue::as_bytes);
    let kind = String::from_utf8_lossy(kind).to_ascii_lowercase();
    let media = kind.split(';').next().unwrap_or_default().trim();
    if media == "text/event-stream" {
        return Ok(());
    }
    // A type of the host's own may repeat the secret.
    let mut known = ["application/json", "text/html", "text/plain"].into_iter();
    let named = known.find(|known| *known == media);
    let named = named.map_or_else(
        || "of another type".to_owned(),
        |known| format!("of the type {known:?}"),
    );
    Err(Fault::Content(format!(
        "{named}, and no stream of events (text/event-stream)"
    )))
}

/// Picks the fields that come back; a field that is not there is `null`.
pub(crate) fn fields(wanted: &Answer, read: Value) -> Value {
    if wanted.fields.is_empty() {
        return read;
    }
    let fields = wanted.fields.iter().map(|(name, pointer)| {
        let value = read.pointer(pointer).cloned();
        (name.clone(), value.unwrap_or_default())
    });
    Value::Object(fields.collect::<Map<_, _>>())
}

/// Returns the seconds after which the host says to ask again; none for a date.
fn retry_after(received: &Received) -> Option<u32> {
    let text = received.headers.get(RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok()
}

/// Returns the target of a redirect; none for any other answer.
pub(crate) fn target(received: &Received) -> Option<&[u8]> {
    let is_redirect = matches!(received.code, 301 | 302 | 303 | 307 | 308);
    let to = received.headers.get(LOCATION).filter(|_| is_redirect);
    to.map(HeaderValue::as_bytes)
}

/// Returns the beginning of a text of the host, in quotes.
pub(crate) fn quoted(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let short: String = text.chars().take(CHARS_MAX).collect();
    format!("{short:?}")
}
