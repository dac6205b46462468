//! The cookie of a browser's session, and the requests that may use it.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use bus_schema::{Digest, Salt};

use crate::{
    app_state::AppState,
    entrance::Entrance,
    headers::only,
    problem::{Kind, Problem},
    reader::{ReadBy, Reader},
    sessions::SessionName,
};

/// The name of the cookie behind HTTPS: browsers take it only with `Secure`, for this host alone.
const NAME: &str = "__Host-contractual";
/// The headers with which a browser says where a request comes from, what it is, and what for.
const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
const SCHEME: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Returns the permission of the session whose cookie a request has, and renews the session; none without a cookie.
pub(super) fn session(app: &AppState, headers: &HeaderMap) -> Result<Option<Reader>, Problem> {
    let Some(name) = sent(headers) else {
        return Ok(None);
    };
    let refused = |next: &str| Problem::new(Kind::ForeignOrigin, next);
    if !is_of_own_page(app, headers) {
        return Err(refused("only pages of this gateway use its sessions"));
    }
    let over = || Problem::new(Kind::NoAccess, "the session has ended; sign in again");
    let open = app.sessions.get(&name, app.clock.wall());
    let device = open.ok_or_else(over)?.device;
    if let Err(problem) = app.device(&device) {
        app.sessions.end(&name);
        return Err(problem);
    }
    let open = app
        .sessions
        .renew(&name, app.clock.wall())
        .ok_or_else(over)?;
    Ok(Some(Reader {
        until: open.until,
        by: ReadBy::Session(name, device),
    }))
}

/// Returns true if a page of the gateway itself sent the request, or a person who followed a link.
fn is_of_own_page(app: &AppState, headers: &HeaderMap) -> bool {
    let text = |name| only(headers, &name).ok().flatten();
    let is_signers = text(header::ORIGIN).is_some_and(|origin| app.hosts.is_signer(origin));
    let is_here = match text(SITE) {
        None => !headers.contains_key(SITE),
        Some("same-origin" | "none") => true,
        Some(_) => text(MODE) == Some("navigate") && text(DEST) == Some("document"),
    };
    is_here && !is_signers
}

/// Returns the name of the session in the cookie; none if it occurs twice, because another host may have set the second.
fn sent(headers: &HeaderMap) -> Option<SessionName> {
    let wanted = if headers.contains_key(&SCHEME) {
        NAME.to_owned()
    } else {
        let host = only(headers, &header::HOST).ok().flatten()?;
        plain_name(host)
    };
    let lines = headers.get_all(header::COOKIE).iter();
    let texts = lines.filter_map(|line| line.to_str().ok());
    let pairs = texts.flat_map(|line| line.split(';'));
    let mut found = pairs.filter_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == wanted).then_some(value)
    });
    let (first, second) = (found.next()?, found.next());
    let secret: Salt = first.parse().ok().filter(|_| second.is_none())?;
    Some(Digest::of(&[secret.as_bytes()]))
}

/// Returns the name of the cookie on plain loopback, where browsers send one to every port of a host.
fn plain_name(host: &str) -> String {
    let port = host.rsplit(':').next().unwrap_or_default();
    let port: String = port.chars().filter(char::is_ascii_digit).collect();
    format!("contractual-{port}")
}

/// Returns the cookie that holds `secret`, and the name of its session.
pub(crate) fn new_cookie(
    entrance: Entrance,
    headers: &HeaderMap,
    secret: Salt,
) -> (SessionName, Option<HeaderValue>) {
    let value = cookie(entrance, headers, &secret.to_string(), "");
    (Digest::of(&[secret.as_bytes()]), value)
}

/// Returns the cookie that removes the one before.
pub(crate) fn ended_cookie(entrance: Entrance, headers: &HeaderMap) -> Option<HeaderValue> {
    cookie(entrance, headers, "", "; Max-Age=0")
}

fn cookie(entrance: Entrance, headers: &HeaderMap, value: &str, end: &str) -> Option<HeaderValue> {
    let (name, secure) = if entrance.is_edge() {
        (NAME.to_owned(), "; Secure")
    } else {
        (plain_name(only(headers, &header::HOST).ok().flatten()?), "")
    };
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict{secure}{end}");
    HeaderValue::from_str(&text).ok()
}
