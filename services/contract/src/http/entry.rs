//! Reads the entry `http` of the catalogue, strictly: each host, path, name and limit in its one form.

use std::collections::BTreeMap;

use bus_schema::{DOWNLOAD_BYTES_MAX, SecretName};
use serde::Deserialize;
use serde_json::Value;

use super::answer::{Answer, AnswerKind};
use super::body;
use super::method::Method;
use super::pages::Pages;
use super::texts::{TEXT_BYTES_MAX, is_header_name, is_header_value, is_name, is_reserved_header};
use crate::reach::{Endpoint, path_fault};

/// Most parameters of a query, and most headers.
const PARAMS_MAX: usize = 32;
/// Longest time of a call, in milliseconds: five minutes.
const WALL_MS_MAX: u64 = 300_000;
/// Largest request or answer, in bytes: that of a content.
const BYTES_MAX: u64 = bus_schema::CONTENT_BYTES_MAX as u64;
/// Most redirects that a call may follow.
const REDIRECTS_MAX: u8 = 5;

/// A tool that sends one request to one host.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpTool {
    /// True if a call may change something at the host.
    changes: bool,
    pub(super) method: Method,
    pub(super) endpoint: Endpoint,
    /// The names of the path.
    pub(super) path: Vec<PathName>,
    pub(super) query: Vec<Param>,
    pub(super) headers: Vec<Param>,
    /// The body, in which `{"$value": NAME}` stands for an argument.
    pub(super) body: Option<Value>,
    redirects: u8,
    /// The secret that each request carries.
    secret: Option<SecretName>,
    /// The name of the form in which a model takes a conversation.
    wire: Option<String>,
    answer: Answer,
    /// The further pages of an answer.
    pages: Option<Pages>,
    limits: HttpLimits,
}

/// A name of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PathName {
    /// As written.
    Literal(String),
    /// The value of an argument.
    Value(String),
}

/// A parameter of the query, or a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Param {
    pub(super) name: String,
    pub(super) value: ParamValue,
}

/// The value of a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ParamValue {
    /// As written.
    Literal(String),
    /// The value of an argument; without it the parameter is left out.
    Value(String),
}

/// The limits of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpLimits {
    /// Longest time from the resolution of the name to the end of the answer.
    pub wall_ms: u64,
    /// Most bytes of the request's body.
    pub request_bytes_max: u64,
    /// Most bytes of the answer's body, and of a download, of all its pages together, as sent and as decoded.
    pub answer_bytes_max: u64,
}

/// An entry as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenHttp {
    method: Method,
    host: String,
    path: String,
    #[serde(default)]
    query: Vec<WrittenParam>,
    #[serde(default)]
    headers: Vec<WrittenParam>,
    body: Option<Value>,
    #[serde(default)]
    redirects: u8,
    secret: Option<SecretName>,
    wire: Option<String>,
    answer: Answer,
    pages: Option<Pages>,
    limits: HttpLimits,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenParam {
    name: String,
    literal: Option<String>,
    value: Option<String>,
}

impl HttpTool {
    /// Reads the entry of a tool; `tells` says that its calls change nothing at the host.
    ///
    /// # Errors
    /// The first problem, beginning with the member that it is about.
    pub(crate) fn read(written: &Value, tells: bool) -> Result<Self, String> {
        let written = WrittenHttp::deserialize(written).map_err(|error| error.to_string())?;
        let endpoint: Endpoint = (written.host.parse())
            .map_err(|error| format!("`host` is {:?}: {error}", written.host))?;
        let path = path(&written.path).map_err(|problem| format!("`path` {problem}"))?;
        let query =
            params(written.query, |_| Ok(())).map_err(|problem| format!("`query` {problem}"))?;
        let headers =
            params(written.headers, header).map_err(|problem| format!("`headers` {problem}"))?;
        let takes_body = match written.method {
            Method::Get | Method::Head | Method::Delete => false,
            Method::Post | Method::Put | Method::Patch => true,
        };
        if let Some(body) = &written.body {
            if !takes_body {
                return Err(format!(
                    "`body` is not sent with {}; leave it out",
                    written.method
                ));
            }
            body::check(body).map_err(|problem| format!("`body` {problem}"))?;
        }
        let reads = matches!(written.method, Method::Get | Method::Head);
        if written.redirects > if reads { REDIRECTS_MAX } else { 0 } {
            return Err(format!(
                "`redirects` is {}; choose 0 to {REDIRECTS_MAX} for GET and HEAD, and 0 for all others",
                written.redirects
            ));
        }
        if let Some(wire) = written.wire.as_deref().filter(|wire| !is_name(wire)) {
            return Err(format!(
                "`wire` is {wire:?}; write such as \"openai-chat\", or leave it out if no model answers"
            ));
        }
        let checked = written.answer.check(written.method);
        checked.map_err(|problem| format!("`answer` {problem}"))?;
        let own: Vec<&str> = query.iter().map(|param| param.name.as_str()).collect();
        let asks = (written.method, written.redirects);
        let pages = written.pages.as_ref();
        if let Some(problem) = pages.and_then(|pages| pages.fault(asks, &written.answer, &own)) {
            return Err(format!("`pages` {problem}"));
        }
        limits(&written.limits, written.answer.kind)
            .map_err(|problem| format!("`limits` {problem}"))?;
        Ok(Self {
            changes: !reads && !tells,
            method: written.method,
            endpoint,
            path,
            query,
            headers,
            body: written.body,
            redirects: written.redirects,
            secret: written.secret,
            wire: written.wire,
            answer: written.answer,
            pages: written.pages,
            limits: written.limits,
        })
    }

    /// Returns true if a call may change something at the host.
    #[must_use]
    pub const fn changes(&self) -> bool {
        self.changes
    }

    /// The method.
    #[must_use]
    pub const fn method(&self) -> Method {
        self.method
    }

    /// The host and the port that requests go to.
    #[must_use]
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The part of an answer that comes back.
    #[must_use]
    pub const fn answer(&self) -> &Answer {
        &self.answer
    }

    /// Most bytes of the file that a call stores; none if it stores none.
    #[must_use]
    pub fn file_bytes_max(&self) -> Option<u64> {
        let is_download = self.answer.kind == AnswerKind::Download;
        is_download.then_some(self.limits.answer_bytes_max)
    }

    /// The way in which a call reads all pages of an answer; none if an answer has one.
    #[must_use]
    pub const fn pages(&self) -> Option<&Pages> {
        self.pages.as_ref()
    }

    /// Most redirects that a call follows, to hosts that the contract names.
    #[must_use]
    pub const fn redirects(&self) -> u8 {
        self.redirects
    }

    /// The secret that each request to its own host carries.
    #[must_use]
    pub const fn secret(&self) -> Option<&SecretName> {
        self.secret.as_ref()
    }

    /// The name of the form in which a model takes a conversation; none if no model answers.
    #[must_use]
    pub fn wire(&self) -> Option<&str> {
        self.wire.as_deref()
    }

    /// The limits of a call.
    #[must_use]
    pub const fn limits(&self) -> &HttpLimits {
        &self.limits
    }

    /// The arguments that a request sends; true for those that every call needs.
    #[must_use]
    pub fn sent(&self) -> BTreeMap<&str, bool> {
        let in_path = self.path.iter().filter_map(|name| match name {
            PathName::Value(name) => Some((name.as_str(), true)),
            PathName::Literal(_) => None,
        });
        let params = self.query.iter().chain(&self.headers);
        let in_params = params.filter_map(|param| match &param.value {
            ParamValue::Value(name) => Some((name.as_str(), false)),
            ParamValue::Literal(_) => None,
        });
        let in_body = self.body.iter().flat_map(body::values);
        let mut sent = BTreeMap::new();
        for (name, is_needed) in in_path.chain(in_params).chain(in_body) {
            *sent.entry(name).or_default() |= is_needed;
        }
        sent
    }
}

/// Reads a template such as `/v2/items/{item}`.
fn path(text: &str) -> Result<Vec<PathName>, String> {
    let names = text
        .strip_prefix('/')
        .filter(|_| text.len() <= TEXT_BYTES_MAX)
        .ok_or("does not begin with a slash; write such as \"/v2/items/{item}\"")?;
    let value = |name: &str| {
        let inner = name.strip_prefix('{')?.strip_suffix('}')?;
        is_name(inner).then(|| inner.to_owned())
    };
    // A value stands for a plain name in the check of the whole.
    let plain: Vec<&str> = names
        .split('/')
        .map(|name| value(name).map_or(name, |_| "x"))
        .collect();
    path_fault(&format!("/{}", plain.join("/"))).map_err(|fault| {
        format!("{fault}; a value is a whole name between slashes, such as {{item}}")
    })?;
    let names = names.split('/').map(|name| match value(name) {
        Some(name) => PathName::Value(name),
        None => PathName::Literal(name.to_owned()),
    });
    Ok(names.collect())
}

fn params(
    written: Vec<WrittenParam>,
    check: impl Fn(&Param) -> Result<(), String>,
) -> Result<Vec<Param>, String> {
    if written.len() > PARAMS_MAX {
        return Err(format!(
            "has more than {PARAMS_MAX} entries; leave some out"
        ));
    }
    let mut params: Vec<Param> = Vec::new();
    for WrittenParam {
        name,
        literal,
        value,
    } in written
    {
        let value = match (literal, value) {
            (Some(literal), None) if literal.len() <= TEXT_BYTES_MAX => {
                ParamValue::Literal(literal)
            }
            (None, Some(value)) if is_name(&value) => ParamValue::Value(value),
            (Some(_), _) | (None, _) => {
                return Err(format!(
                    "has an entry {name:?} without its value; write {{\"name\": {name:?}, \"literal\": \"…\"}}, or \
                     \"value\" with the name of an argument"
                ));
            }
        };
        if name.is_empty() || name.len() > TEXT_BYTES_MAX {
            return Err("has an entry without a name; write it".to_owned());
        }
        if params.iter().any(|param| param.name == name) {
            return Err(format!("has {name:?} twice; leave one out"));
        }
        let param = Param { name, value };
        check(&param)?;
        params.push(param);
    }
    Ok(params)
}

fn header(param: &Param) -> Result<(), String> {
    let name = param.name.as_str();
    if !is_header_name(name) {
        return Err(format!(
            "has {name:?}; write its lower-case letters, digits and `-`"
        ));
    }
    // Only a secret sets this one.
    if is_reserved_header(name) || name == "authorization" {
        return Err(format!(
            "has `{name}`, which the executor writes itself or does not send; leave it out"
        ));
    }
    match &param.value {
        ParamValue::Literal(text) if !is_header_value(text) => Err(format!(
            "has a value of `{name}` that is not visible ASCII; write such a text"
        )),
        ParamValue::Literal(_) | ParamValue::Value(_) => Ok(()),
    }
}

fn limits(limits: &HttpLimits, kind: AnswerKind) -> Result<(), String> {
    let answer_max = match kind {
        AnswerKind::Download => DOWNLOAD_BYTES_MAX,
        AnswerKind::Json | AnswerKind::Text | AnswerKind::Nothing | AnswerKind::Events => BYTES_MAX,
    };
    for (name, value, max) in [
        ("wall_ms", limits.wall_ms, WALL_MS_MAX),
        ("request_bytes_max", limits.request_bytes_max, BYTES_MAX),
        ("answer_bytes_max", limits.answer_bytes_max, answer_max),
    ] {
        let min = u64::from(name == "wall_ms");
        if !(min..=max).contains(&value) {
            return Err(format!(
                "has `{name}` out of its range; choose {min} to {max}"
            ));
        }
    }
    Ok(())
}
