//! Requests of the pages of signers: the answers that let a browser send them, and read what comes back.

use axum::{
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse as _, Response},
};

use crate::{api::SALT_HEADER, app_state::AppState, entrance::Entrance, headers::only};

/// The permissions of a preflight. Credentials are absent: a signer signs its own access.
const PERMITTED: [(HeaderName, &str); 3] = [
    (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"),
    (
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        "authorization, content-type",
    ),
    (header::ACCESS_CONTROL_MAX_AGE, "600"),
];

/// Returns the origin of a request, if it is a signer's.
pub(crate) fn signer(
    app: &AppState,
    entrance: Entrance,
    headers: &HeaderMap,
) -> Option<HeaderValue> {
    let origin = only(headers, &header::ORIGIN).ok().flatten()?;
    let is_signer = entrance.is_signer(origin, &app.hosts);
    is_signer
        .then(|| HeaderValue::from_str(origin).ok())
        .flatten()
}

/// Answers a preflight of a signer; none for every other request.
pub(crate) fn preflight(method: &Method, signer: Option<&HeaderValue>) -> Option<Response> {
    let asks = *method == Method::OPTIONS && signer.is_some();
    let mut response = asks.then(|| StatusCode::NO_CONTENT.into_response())?;
    for (name, value) in PERMITTED {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    Some(response)
}

/// Lets the signer read a response.
pub(crate) fn permit(signer: HeaderValue, response: &mut Response) {
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, signer);
    let exposed = HeaderValue::from_static(SALT_HEADER);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    headers.insert(header::VARY, HeaderValue::from_static("origin"));
}
