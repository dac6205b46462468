//! The member `pages` of an entry: an answer that goes on in further ones, which a call reads one after the other.

use std::fmt;

use serde::Deserialize;

use super::answer::{Answer, AnswerKind};
use super::method::Method;
use super::texts::{TEXT_BYTES_MAX, is_pointer};

/// Most pages that a call can read.
const PAGES_MAX: u8 = 100;

/// The way in which a call reads all pages of a list.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pages {
    /// The place of the list in each page, by JSON Pointer.
    pub items: String,
    /// The way to the next page.
    pub next: NextPage,
    /// Most pages that a call reads: 1 to 100.
    pub pages_max: u8,
}

/// The way from one page to the next.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum NextPage {
    /// The target of the header `link` with `rel="next"` (RFC 8288); without one the list has ended.
    Link,
    /// A text or a whole number in the page, sent in a parameter of the query; the list has ended if it is missing, `null`,
    /// `false` or empty.
    Cursor {
        /// Its place in the page, by JSON Pointer.
        at: String,
        /// The name of the parameter.
        query: String,
    },
    /// A number that grows with each page, sent in a parameter of the query; the list has ended with an empty page.
    Counter {
        /// The name of the parameter.
        query: String,
        /// Its value in the first request.
        start: u32,
        /// The value that each further request adds.
        step: u32,
        /// The number of items of a full page; a page with fewer ends the list.
        full: Option<u32>,
    },
}

impl Pages {
    /// Returns the first problem, beginning with a verb; `own` are the names of the tool's own parameters of the query.
    pub(super) fn fault(
        &self,
        (method, redirects): (Method, u8),
        answer: &Answer,
        own: &[&str],
    ) -> Option<String> {
        if method != Method::Get {
            return Some(format!(
                "are read with GET alone, and not with {method}; leave them out"
            ));
        }
        if redirects > 0 {
            return Some(
                "are all read from the tool's own host, so none of their requests follows a redirect; leave `redirects` out"
                    .to_owned(),
            );
        }
        if answer.kind != AnswerKind::Json || !answer.tokens.is_empty() || answer.prices.is_some() {
            return Some(
                "need an answer of the type \"json\" without `tokens` and `prices`; write such an `answer`".to_owned(),
            );
        }
        if !(1..=PAGES_MAX).contains(&self.pages_max) {
            return Some(format!(
                "have `pages_max` out of its range; choose 1 to {PAGES_MAX}"
            ));
        }
        let places = [Some(self.items.as_str()), self.next.place()];
        if let Some(place) = places
            .into_iter()
            .flatten()
            .find(|place| !is_pointer(place))
        {
            return Some(format!(
                "have the place {place:?}; write a JSON Pointer such as \"/data\""
            ));
        }
        if let Some(name) = self.next.parameter() {
            if name.is_empty() || name.len() > TEXT_BYTES_MAX {
                return Some(
                    "have a parameter without a name in `next`; write such as \"page\"".to_owned(),
                );
            }
            if own.contains(&name) {
                return Some(format!(
                    "have the parameter {name:?} in `next`, which `query` has as well; leave it out there"
                ));
            }
        }
        match self.next {
            NextPage::Counter { step: 0, .. } => {
                Some("have a counter with the `step` 0; choose 1 or more".to_owned())
            }
            NextPage::Counter { full: Some(0), .. } => Some(
                "have a counter with 0 items in a `full` page; choose 1 or more, or leave it out"
                    .to_owned(),
            ),
            NextPage::Link | NextPage::Cursor { .. } | NextPage::Counter { .. } => None,
        }
    }
}

impl NextPage {
    /// The place in a page that it reads.
    fn place(&self) -> Option<&str> {
        match self {
            Self::Cursor { at, .. } => Some(at),
            Self::Link | Self::Counter { .. } => None,
        }
    }

    /// The parameter of the query that it sends.
    fn parameter(&self) -> Option<&str> {
        match self {
            Self::Cursor { query, .. } | Self::Counter { query, .. } => Some(query),
            Self::Link => None,
        }
    }

    /// Returns the parameter of the request for a page, counted from 0, which needs no earlier one.
    pub(super) fn counted(&self, page: u8) -> Option<(&str, String)> {
        match self {
            Self::Counter {
                query, start, step, ..
            } => {
                let value = u64::from(*start) + u64::from(*step) * u64::from(page);
                Some((query, value.to_string()))
            }
            Self::Link | Self::Cursor { .. } => None,
        }
    }
}

impl fmt::Display for Pages {
    /// Says it in a sentence without its subject and its end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let most = match self.pages_max {
            1 => "1 page".to_owned(),
            max => format!("{max} pages"),
        };
        let place = match self.items.as_str() {
            "" => "the whole page".to_owned(),
            place => format!("{place:?} of each page"),
        };
        write!(
            f,
            "reads up to {most}, each with one request, and returns the list at {place} as one; the next page is "
        )?;
        match &self.next {
            NextPage::Link => f.write_str("at the link with the relation \"next\""),
            NextPage::Cursor { at, query } => {
                write!(
                    f,
                    "asked for with the value at {at:?} as the parameter {query:?}"
                )
            }
            NextPage::Counter {
                query,
                start,
                step,
                full,
            } => {
                write!(
                    f,
                    "asked for with the parameter {query:?}, from {start} in steps of {step}, until a page is empty"
                )?;
                match full {
                    Some(full) => write!(f, " or has fewer than {full} items"),
                    None => Ok(()),
                }
            }
        }
    }
}
