//! Pages, as a browser with the owner's signed access gets them.

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{HeaderMap, body::Bytes, header};

use super::{Client, Error, REQUEST_TIMEOUT};

/// Most bytes of a page or of an asset.
const BYTES_MAX: usize = 1 << 20;

/// A response, whatever its status.
#[derive(Debug, Clone)]
pub struct PageResponse {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: String,
}

impl Client {
    /// Fetches a page; `known` is the `ETag` of the one that the caller has.
    ///
    /// # Errors
    /// [`Error`] if the gateway does not answer.
    pub async fn page(&self, path: &str, known: Option<&str>) -> Result<PageResponse, Error> {
        let mut request = self.get(path);
        if let Some(known) = known {
            request = request.header(header::IF_NONE_MATCH, known);
        }
        let request = request.body(Full::<Bytes>::default());
        let request = request.map_err(|_| Error::Url(self.base.clone()))?;
        let silent = |_| Error::Silent(self.base.clone());
        let sent = tokio::time::timeout(REQUEST_TIMEOUT, self.http.request(request)).await;
        let response = sent.map_err(silent)?.map_err(|source| Error::Unreachable {
            url: self.base.clone(),
            source,
        })?;
        let (head, body) = response.into_parts();
        let read = Limited::new(body, BYTES_MAX).collect();
        let read = tokio::time::timeout(REQUEST_TIMEOUT, read).await;
        let bytes = read.map_err(silent)?.map_err(|_| Error::BrokeOff)?;
        Ok(PageResponse {
            status: head.status.as_u16(),
            headers: head.headers,
            body: String::from_utf8_lossy(&bytes.to_bytes()).into_owned(),
        })
    }
}
