//! The way from one page of an answer to the next: each request goes to the same host and path as the first one.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use url::form_urlencoded;

use super::args_error::HttpArgsError;
use super::build::{HttpRequest, add_parameter};
use super::entry::HttpTool;
use super::header_text::{NoLinks, next_targets};
use super::pages::{NextPage, Pages};
use crate::reach::{Endpoint, StrictUrl, UrlError};

/// The reason that a page leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PageFault {
    /// No list where the tool says that it is.
    #[error("the answer has no list at {0:?}, where the tool has the items of a page")]
    NoList(String),
    /// A header that is not of its form.
    #[error("the header `link` of the answer is not of the form `<https://…>; rel=\"next\"`")]
    NoLinks,
    /// Two next pages.
    #[error("the answer has links to two next pages")]
    TwoLinks,
    /// A link that has the secret.
    #[error("the link to the next page repeats the secret, so nothing is sent there")]
    Secret,
    /// A URL that programs read differently, or of another scheme.
    #[error("nothing was sent to the next page: {0}")]
    Url(#[from] UrlError),
    /// Another host or port.
    #[error(
        "the next page is at {found}, and the pages of this tool are at {wanted} alone; nothing was sent there"
    )]
    Host {
        /// The tool's own.
        wanted: Endpoint,
        /// The endpoint of the link.
        found: Endpoint,
    },
    /// Another path.
    #[error(
        "the next page has the path {found:?}, and the call has {wanted:?}; nothing was sent there"
    )]
    Path {
        /// The path of the first request.
        wanted: String,
        /// The path of the link.
        found: String,
    },
    /// Another value of a parameter of the call.
    #[error(
        "the next page has another value of the parameter {0:?} than the call; nothing was sent there"
    )]
    Parameter(String),
    /// Neither a text nor a whole number.
    #[error(
        "the answer has something else than a text or a whole number at {0:?}, where the tool has the next page"
    )]
    Cursor(String),
    /// A page that was read before.
    #[error("the answer names a next page that was read before, so that the list would never end")]
    Again,
}

/// The pages of one call.
#[derive(Debug)]
pub struct PageWalk<'t> {
    pages: &'t Pages,
    first: HttpRequest,
    /// The first URL without the parameter of a counter.
    plain: StrictUrl,
    /// The names of the tool's own parameters.
    own: BTreeSet<&'t str>,
    asked: BTreeSet<String>,
}

impl<'t> PageWalk<'t> {
    /// Begins the pages of a call.
    ///
    /// # Errors
    /// The first argument that cannot be sent.
    pub fn new(
        (tool, pages): (&'t HttpTool, &'t Pages),
        args: &Map<String, Value>,
    ) -> Result<Self, HttpArgsError> {
        let first = tool.request(args)?;
        let plain = tool.request_with(args, None)?.url;
        let asked = BTreeSet::from([first.url.to_string()]);
        let own = tool.query.iter().map(|param| param.name.as_str()).collect();
        Ok(Self {
            pages,
            first,
            plain,
            own,
            asked,
        })
    }

    /// The request for the first page.
    #[must_use]
    pub const fn first(&self) -> &HttpRequest {
        &self.first
    }

    /// Takes the items of a page out of it, and returns them with the request for the next page; none if the list has ended.
    /// `links` are the values of the header `link`.
    ///
    /// # Errors
    /// [`PageFault`]
    pub fn take(
        &mut self,
        mut page: Value,
        links: &[&str],
    ) -> Result<(Vec<Value>, Option<HttpRequest>), PageFault> {
        let cursor = match &self.pages.next {
            NextPage::Cursor { at, .. } => cursor(page.pointer(at), at)?,
            NextPage::Link | NextPage::Counter { .. } => None,
        };
        let place = page.pointer_mut(&self.pages.items).map(Value::take);
        let Some(Value::Array(items)) = place else {
            return Err(PageFault::NoList(self.pages.items.clone()));
        };
        let url = match &self.pages.next {
            NextPage::Link => self.linked(links)?,
            NextPage::Cursor { query, .. } => {
                let url = cursor.map(|cursor| self.with(query, &cursor));
                url.transpose()?
            }
            NextPage::Counter { full, .. } => {
                let is_last = items.len() < full.map_or(1, |full| full as usize);
                let read = u8::try_from(self.asked.len()).unwrap_or(u8::MAX);
                let counted = self.pages.next.counted(read).filter(|_| !is_last);
                let url = counted.map(|(query, value)| self.with(query, &value));
                url.transpose()?
            }
        };
        let Some(url) = url else {
            return Ok((items, None));
        };
        if !self.asked.insert(url.to_string()) {
            return Err(PageFault::Again);
        }
        let next = HttpRequest {
            url,
            ..self.first.clone()
        };
        Ok((items, Some(next)))
    }

    /// Returns the URL of the one link to the next page: of the same host and path, and each of the tool's own parameters
    /// there has the value of the call.
    fn linked(&self, links: &[&str]) -> Result<Option<StrictUrl>, PageFault> {
        let targets = links.iter().map(|header| next_targets(header));
        let targets: Vec<Vec<&str>> = targets
            .collect::<Result<_, _>>()
            .map_err(|NoLinks| PageFault::NoLinks)?;
        let targets: BTreeSet<&str> = targets.into_iter().flatten().collect();
        let mut targets = targets.into_iter();
        let (target, other) = (targets.next(), targets.next());
        if other.is_some() {
            return Err(PageFault::TwoLinks);
        }
        let Some(target) = target else {
            return Ok(None);
        };
        let (url, first) = (self.first.url.resolve(target)?, &self.first.url);
        if url.endpoint() != first.endpoint() {
            return Err(PageFault::Host {
                wanted: first.endpoint().clone(),
                found: url.endpoint().clone(),
            });
        }
        if url.path() != first.path() {
            return Err(PageFault::Path {
                wanted: first.path().to_owned(),
                found: url.path().to_owned(),
            });
        }
        let sent: BTreeMap<String, String> = parameters(first).collect();
        for (name, value) in parameters(&url) {
            if self.own.contains(name.as_str()) && sent.get(&name) != Some(&value) {
                return Err(PageFault::Parameter(name));
            }
        }
        Ok(Some(url))
    }

    /// Returns the first URL with this parameter.
    fn with(&self, name: &str, value: &str) -> Result<StrictUrl, UrlError> {
        let mut url = self.plain.to_string();
        add_parameter(&mut url, name, value);
        StrictUrl::new(&url)
    }
}

/// Returns the parameters of a URL, decoded.
fn parameters(url: &StrictUrl) -> impl Iterator<Item = (String, String)> {
    let query = url.query().unwrap_or_default();
    form_urlencoded::parse(query.as_bytes()).into_owned()
}

/// Reads a cursor; none if the list has ended.
fn cursor(value: Option<&Value>, at: &str) -> Result<Option<String>, PageFault> {
    match value {
        None | Some(Value::Null | Value::Bool(false)) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
        Some(Value::Number(number)) if number.is_i64() || number.is_u64() => {
            Ok(Some(number.to_string()))
        }
        Some(Value::Number(_) | Value::Bool(true) | Value::Array(_) | Value::Object(_)) => {
            Err(PageFault::Cursor(at.to_owned()))
        }
    }
}
