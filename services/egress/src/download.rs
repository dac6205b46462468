//! Stores an answer that is a download, part by part, once its whole body has arrived.

use std::future::Future;

use actor::{Bus, chain};
use bus_schema::{Content, Download, json};
use contract::{header_parameter, is_plain_name};
use data_encoding::HEXLOWER_PERMISSIVE;
use hyper::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderName};
use serde_json::json;

use crate::connection::Received;
use crate::credential::Credential;
use crate::fault::Fault;
use crate::spool::Spool;

/// Longest media type or name, in bytes.
const TEXT_BYTES_MAX: usize = 255;

/// A download whose body is on disk.
#[derive(Debug)]
pub struct Downloaded {
    spool: Spool,
    media_type: Option<String>,
    name: Option<String>,
}

impl Downloaded {
    /// Takes the body of an answer with what its headers say of it; none of another kind of answer.
    pub(crate) fn of(received: &mut Received, credential: Option<&Credential>) -> Option<Self> {
        let spool = received.spool.take()?;
        let text = |name: HeaderName| {
            let value = received.headers.get(name)?.to_str().ok()?;
            let is_clean = credential.is_none_or(|secret| secret.scrub_text(value) == value);
            Some(value).filter(|_| is_clean)
        };
        let media = text(CONTENT_TYPE).and_then(|kind| kind.split(';').next());
        let media = media.map(|media| media.trim().to_ascii_lowercase());
        let name = text(CONTENT_DISPOSITION).and_then(name);
        Some(Self {
            spool,
            media_type: media.filter(|media| is_media_type(media)),
            name,
        })
    }

    /// Stores each part with `put`, and returns the output of the call, with the number of bytes that are stored.
    ///
    /// # Errors
    /// [`Fault::Disk`], and that of `put`.
    pub async fn store<F>(mut self, put: impl Fn(Vec<u8>) -> F) -> Result<(Vec<u8>, u64), Fault>
    where
        F: Future<Output = Result<Content, Fault>>,
    {
        let (bytes, sha256) = self.spool.rewind().await?;
        let mut parts = Vec::new();
        while let Some(part) = self.spool.part().await? {
            parts.push(put(part).await?);
        }
        let download = Download {
            bytes,
            media_type: self.media_type,
            name: self.name,
            parts,
            sha256,
        };
        Ok((json::canonical(&json!({ "download": download })), bytes))
    }
}

/// Stores one part of a download in `BLOBS`.
///
/// # Errors
/// [`Fault::Store`]
pub(crate) async fn put(
    bus: Option<&Bus<bus_schema::Egress>>,
    part: Vec<u8>,
) -> Result<Content, Fault> {
    let bus = bus.ok_or_else(|| Fault::Store("egress has no bus".to_owned()))?;
    let sealed = bus.seal(&part);
    let sealed = sealed.map_err(|error| Fault::Store(chain(&error)))?;
    drop(part);
    let stored = bus.put(&sealed).await;
    stored.map_err(|error| Fault::Store(chain(&error)))?;
    Ok(sealed.content())
}

/// Returns the name of the header `content-disposition`: `filename*` (RFC 8187) before `filename`.
fn name(header: &str) -> Option<String> {
    let is_name = |name: &String| is_plain_name(name) && name.len() <= TEXT_BYTES_MAX;
    let extended = header_parameter(header, "filename*").and_then(extended);
    let plain = || header_parameter(header, "filename").map(str::to_owned);
    let extended = extended.filter(is_name);
    extended.or_else(|| plain().filter(is_name))
}

/// Reads a text such as `UTF-8''na%C3%AFve.txt`.
fn extended(text: &str) -> Option<String> {
    let (charset, rest) = text.split_once('\'')?;
    let (_language, escaped) = rest.split_once('\'')?;
    if !charset.eq_ignore_ascii_case("utf-8") {
        return None;
    }
    let mut bytes = Vec::with_capacity(escaped.len());
    let mut parts = escaped.split('%');
    bytes.extend_from_slice(parts.next()?.as_bytes());
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        bytes.extend(HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

/// Returns true for two tokens with a slash between them.
fn is_media_type(text: &str) -> bool {
    let is_token = |text: &str| {
        let plain = |c: u8| c.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&c);
        !text.is_empty() && text.bytes().all(plain)
    };
    let parts = text.split_once('/');
    text.len() <= TEXT_BYTES_MAX
        && parts.is_some_and(|(kind, form)| is_token(kind) && is_token(form))
}
