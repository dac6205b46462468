//! Reads all pages of an answer, one after the other, and joins their items into one output.

use std::sync::atomic::Ordering;

use bus_schema::json;
use contract::{HttpRequest, PageFault, PageWalk, Pages, Reach};
use hyper::header::LINK;
use serde_json::{Value, json};

use crate::answer::{self, Output};
use crate::connection::Received;
use crate::credential::Credential;
use crate::fault::Fault;
use crate::intake::Intake;
use crate::send::{Call, Sender};

/// The items of the pages that were read.
#[derive(Debug, Default)]
struct Joined {
    items: Vec<Value>,
    pages: u8,
    /// Bytes of all pages.
    bytes: u64,
}

impl Sender {
    /// Calls a tool whose answer has pages.
    ///
    /// # Errors
    /// [`Fault`]; `call.page` says of which page.
    pub(crate) async fn paged(
        &self,
        (call, pages): (&Call<'_>, &Pages),
        reach: &Reach,
        intake: &Intake<'_>,
    ) -> Result<Output, Fault> {
        let mut walk = PageWalk::new((call.tool, pages), call.args)?;
        let mut request = walk.first().clone();
        let mut joined = Joined::default();
        loop {
            joined.pages += 1;
            call.page.store(joined.pages, Ordering::Relaxed);
            let left = intake.after(joined.bytes);
            let received = self.answered(call, request, reach, &left).await;
            let is_large = matches!(received, Err(Fault::Large(_)));
            let received = received.map_err(|fault| {
                if is_large {
                    Fault::Large(call.tool.limits().answer_bytes_max)
                } else {
                    fault
                }
            })?;
            joined.bytes += received.bytes;
            let next = joined.add(call, &received, &mut walk)?;
            match next {
                Some(next) if joined.pages < pages.pages_max => request = next,
                more => return Ok(joined.output(more.is_some())),
            }
        }
    }
}

impl Joined {
    /// Adds the items of a page, and returns the request for the next one.
    fn add(
        &mut self,
        call: &Call<'_>,
        received: &Received,
        walk: &mut PageWalk<'_>,
    ) -> Result<Option<HttpRequest>, Fault> {
        let wanted = call.tool.answer();
        let read = answer::json(wanted, received)?;
        let links = links(received, call.credential)?;
        let links: Vec<&str> = links.iter().map(String::as_str).collect();
        let (items, next) = walk.take(read, &links)?;
        let items = items.into_iter().map(|item| answer::fields(wanted, item));
        self.items.extend(items);
        Ok(next)
    }

    fn output(self, more: bool) -> Output {
        let output = json!({ "items": self.items, "pages": self.pages, "more": more });
        Output {
            bytes: json::canonical(&output),
            tokens: None,
            spend: None,
            download: None,
        }
    }
}

/// Returns the values of the header `link`, none of which repeats the secret.
fn links(received: &Received, credential: Option<&Credential>) -> Result<Vec<String>, PageFault> {
    let values = received.headers.get_all(LINK).iter();
    let texts = values.map(|value| {
        let text = value.to_str().map_err(|_| PageFault::NoLinks)?;
        let is_clean = credential.is_none_or(|secret| secret.scrub_text(text) == text);
        is_clean.then(|| text.to_owned()).ok_or(PageFault::Secret)
    });
    texts.collect()
}
