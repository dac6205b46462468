//! The pages, which ui renders, and their assets, which the gateway has in its own program.

use std::sync::Arc;

use axum::{
    Extension, Router,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
    routing::get,
};
use bus_schema::{PAGE_BYTES_MAX, PATH_BYTES_MAX, ShowPage, ShownPage};
use page::{Asset, HEADERS};

use crate::{
    access, api,
    app_state::AppState,
    entrance::Entrance,
    live,
    problem::{Kind, Problem},
};

/// The paths of pages.
const PAGES: [&str; 13] = [
    "/",
    "/new",
    "/tasks",
    "/tasks/{id}",
    "/contracts",
    "/contracts/{name}",
    "/jobs",
    "/secrets",
    "/tools",
    "/models",
    "/devices",
    "/audit",
    "/settings",
];
/// The headers of an asset, whose path changes with its bytes.
const ASSET_HEADERS: [(&str, &str); 5] = [
    ("cache-control", "public, max-age=31536000, immutable"),
    ("content-security-policy", "default-src 'none'; sandbox"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// The headers of a response that replace those of the API.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OwnHeaders(pub(crate) &'static [(&'static str, &'static str)]);

/// Adds the pages, their assets and the stream of changes to a router.
pub(crate) fn add(router: Router<Arc<AppState>>) -> Router<Arc<AppState>> {
    let pages = PAGES
        .iter()
        .fold(router, |router, path| router.route(path, get(page)));
    pages
        .route("/assets/{file}", get(asset))
        .route("/live", get(live::changes))
}

async fn page(
    State(app): State<Arc<AppState>>,
    Extension(entrance): Extension<Entrance>,
    request: Request,
) -> Result<Response, Problem> {
    let signer = entrance.signer(&app.hosts);
    let (path, query) = address(request.uri())?;
    match access::reader(&app, request.headers()) {
        Ok(_) => {}
        Err(problem) if problem.status() == StatusCode::UNAUTHORIZED => {
            let mut response = html(problem.status(), page::sign_in(signer));
            let scheme = HeaderValue::from_static(api::SCHEME);
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, scheme);
            return Ok(response);
        }
        Err(problem) => return Err(problem),
    }
    let asked = ShowPage {
        path,
        query,
        known: known(request.headers()),
        signer: signer.map(ToOwned::to_owned),
    };
    let shown = app.show(asked).await;
    Ok(shown.and_then(response).unwrap_or_else(unavailable))
}

/// The path and the query of a page.
fn address(uri: &Uri) -> Result<(String, String), Problem> {
    let (path, query) = (uri.path(), uri.query().unwrap_or_default());
    if path.len() > PATH_BYTES_MAX || query.len() > PATH_BYTES_MAX {
        let next = "path and query have at most 512 bytes each; shorten them";
        return Err(Problem::new(Kind::Malformed, next));
    }
    Ok((path.to_owned(), query.to_owned()))
}

/// The validator of the page that the reader has.
fn known(headers: &HeaderMap) -> Option<String> {
    let sent = access::only(headers, &header::IF_NONE_MATCH)
        .ok()
        .flatten()?;
    let sent = sent.trim().trim_start_matches("W/").trim_matches('"');
    is_validator(sent).then(|| sent.to_owned())
}

/// Returns true for the digits of a digest.
fn is_validator(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A page of ui with the gateway's own headers; none if it is no page.
fn response(shown: ShownPage) -> Option<Response> {
    let status = match shown.status {
        200 => StatusCode::OK,
        304 => StatusCode::NOT_MODIFIED,
        400 => StatusCode::BAD_REQUEST,
        404 => StatusCode::NOT_FOUND,
        _ => return None,
    };
    if shown.body.len() > PAGE_BYTES_MAX || !is_validator(&shown.validator) {
        return None;
    }
    let validator = HeaderValue::from_str(&format!("\"{}\"", shown.validator)).ok()?;
    let mut response = html(status, shown.body);
    response.headers_mut().insert(header::ETAG, validator);
    Some(response)
}

/// The page for the time in which there is none.
fn unavailable() -> Response {
    let mut response = html(StatusCode::SERVICE_UNAVAILABLE, page::unavailable());
    let seconds = HeaderValue::from_static("5");
    response.headers_mut().insert(header::RETRY_AFTER, seconds);
    response
}

pub(crate) fn html(status: StatusCode, body: impl Into<axum::body::Body>) -> Response {
    let mut response = (status, body.into()).into_response();
    response.extensions_mut().insert(OwnHeaders(&HEADERS));
    response
}

async fn asset(uri: Uri) -> Result<Response, Problem> {
    let asset = Asset::at(uri.path());
    let asset = asset.ok_or_else(|| Problem::new(Kind::NotFound, "load the page again"))?;
    let mut response = ([(header::CONTENT_TYPE, asset.kind)], asset.bytes).into_response();
    response.extensions_mut().insert(OwnHeaders(&ASSET_HEADERS));
    Ok(response)
}
