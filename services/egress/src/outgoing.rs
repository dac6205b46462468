//! A request as a signature covers it.

use bus_schema::Time;
use contract::HttpRequest;
use secret::Outgoing;

/// The content type of a body, unless the request names another.
const JSON: &str = "application/json";
const CONTENT_TYPE: &str = "content-type";

/// Returns the header `content-type` of a request; none without a body.
pub(crate) fn content_type(request: &HttpRequest) -> Option<&str> {
    let mut headers = request.headers.iter();
    let named = headers.find(|(name, _)| name == CONTENT_TYPE);
    let named = named.map(|(_, value)| value.as_str());
    named.or_else(|| request.body.as_ref().map(|_| JSON))
}

/// Returns a request to a host as it is sent, before a secret is added.
pub(crate) fn outgoing<'r>(host: &'r str, request: &'r HttpRequest, at: Time) -> Outgoing<'r> {
    Outgoing {
        method: request.method,
        host,
        path: request.url.path(),
        query: request.url.query(),
        content_type: content_type(request),
        body: request.body.as_deref().unwrap_or_default(),
        at,
    }
}
