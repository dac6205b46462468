//! The sender of a request, as the sidecar states it. It is logged and checked, but never grants anything.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName, Request};

use crate::{
    entrance::Entrance,
    headers::only,
    problem::{Kind, Problem},
};

/// The header that the sidecar sets on requests from the public internet.
const FUNNEL: &str = "tailscale-funnel-request";
/// The header with the login of the device's user; devices with tags have none.
const LOGIN: HeaderName = HeaderName::from_static("tailscale-user-login");
/// Other headers of the sidecar, which are not read.
const UNREAD: [&str; 3] = [
    "tailscale-user-name",
    "tailscale-user-profile-pic",
    "tailscale-headers-info",
];
/// The header with the device's address in the tailnet; the sidecar overwrites the device's own value.
const DEVICE: HeaderName = HeaderName::from_static("x-forwarded-for");
const SCHEME: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// The prefix of an encoded word (RFC 2047).
const ENCODED: &str = "=?";
/// The maximum length of a login.
const LOGIN_BYTES_MAX: usize = 254;

/// The sender of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The user's login, such as `alice@example.com`.
    pub(crate) login: String,
    /// The device's address in the tailnet.
    pub(crate) device: IpAddr,
}

impl Identity {
    /// Logs the sender, method and path of a request; none of them holds a secret.
    pub(crate) fn log<B>(&self, request: &Request<B>) {
        let Self { login, device } = self;
        let (method, path) = (request.method(), request.uri().path());
        tracing::info!(login, %device, %method, path, "request through the tailnet");
    }
}

/// The sender of a request through `entrance`; none on the loopback, where such headers are refused.
pub(crate) fn identity(
    entrance: Entrance,
    headers: &HeaderMap,
) -> Result<Option<Identity>, Problem> {
    if headers.contains_key(FUNNEL) {
        return Err(Problem::new(
            Kind::Public,
            "connect through the tailnet; keep Funnel off",
        ));
    }
    if !entrance.is_edge() {
        if headers.keys().any(speaks_of_the_tailnet) {
            return Err(unidentified(
                "this address has no sidecar; leave out every `Tailscale-…` header",
            ));
        }
        return Ok(None);
    }
    let is_known = |name: &HeaderName| *name == LOGIN || UNREAD.contains(&name.as_str());
    let strange = |name: &&HeaderName| speaks_of_the_tailnet(name) && !is_known(name);
    if let Some(name) = headers.keys().find(strange) {
        let reason = format!("{name} is not a header of the sidecar");
        return Err(Problem::quoting(
            Kind::Unidentified,
            &reason,
            "leave it out",
        ));
    }
    for name in UNREAD {
        if headers.get_all(name).iter().count() > 1 {
            return Err(unidentified("a header of the sidecar occurs twice"));
        }
    }
    if only(headers, &SCHEME) != Ok(Some("https")) {
        return Err(unidentified(
            "the request did not reach the sidecar over HTTPS; use https:// and the shipped serve.json",
        ));
    }
    let login =
        only(headers, &LOGIN).map_err(|()| unidentified("send one login in plain ASCII"))?;
    let login = login.ok_or_else(|| {
        unidentified("the device has no user; use a device of a user, without tags")
    })?;
    if !is_login(login) {
        return Err(unidentified("the login is not plain; use another account"));
    }
    let device = only(headers, &DEVICE).ok().flatten();
    let device = device.and_then(|device| device.parse().ok());
    let device = device.ok_or_else(|| unidentified("the sidecar does not name one device"))?;
    Ok(Some(Identity {
        login: login.to_owned(),
        device,
    }))
}

fn unidentified(next: &str) -> Problem {
    Problem::new(Kind::Unidentified, next)
}

/// Returns true if a header is one of the sidecar's, or looks like one.
fn speaks_of_the_tailnet(name: &HeaderName) -> bool {
    name.as_str().contains("tailscale")
}

fn is_login(login: &str) -> bool {
    (1..=LOGIN_BYTES_MAX).contains(&login.len())
        && login.bytes().all(|byte| byte.is_ascii_graphic())
        && !login.starts_with(ENCODED)
}
