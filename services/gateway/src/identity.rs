//! Who sent a request, by the word of the sidecar. It is written down and refuses; it never suffices for anything.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName};

use crate::{
    access::only,
    entrance::Entrance,
    problem::{Kind, Problem},
};

/// What the sidecar marks requests from the public internet with.
const FUNNEL: &str = "tailscale-funnel-request";
/// The login of the person whose device sent it; devices with tags have none.
const LOGIN: HeaderName = HeaderName::from_static("tailscale-user-login");
/// What the sidecar sets beside it, and nobody reads.
const UNREAD: [&str; 3] = [
    "tailscale-user-name",
    "tailscale-user-profile-pic",
    "tailscale-headers-info",
];
/// The device's address in the tailnet, which the sidecar sets whatever the device sent.
const DEVICE: HeaderName = HeaderName::from_static("x-forwarded-for");
const SCHEME: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// How an encoded word (RFC 2047) begins.
const ENCODED: &str = "=?";
/// Longest login.
const LOGIN_BYTES_MAX: usize = 254;

/// Who sent a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The person's login, such as `alice@example.com`.
    pub(crate) login: String,
    /// The device's address in the tailnet.
    pub(crate) device: IpAddr,
}

/// Who sent a request through `door`; nobody in particular on the loopback, where nothing may claim to know it.
pub(crate) fn identity(door: Entrance, headers: &HeaderMap) -> Result<Option<Identity>, Problem> {
    if headers.contains_key(FUNNEL) {
        return Err(Problem::new(
            Kind::Public,
            "come through the tailnet; Funnel has to stay off",
        ));
    }
    if !door.is_edge() {
        if headers.keys().any(speaks_of_the_tailnet) {
            return Err(unidentified(
                "no sidecar stands before this address; leave out every `Tailscale-…` header",
            ));
        }
        return Ok(None);
    }
    let is_known = |name: &HeaderName| *name == LOGIN || UNREAD.contains(&name.as_str());
    let strange = |name: &&HeaderName| speaks_of_the_tailnet(name) && !is_known(name);
    if let Some(name) = headers.keys().find(strange) {
        let reason = format!("{name} is no header that the sidecar sets");
        return Err(Problem::quoting(
            Kind::Unidentified,
            &reason,
            "leave it out",
        ));
    }
    for name in UNREAD {
        if headers.get_all(name).iter().count() > 1 {
            return Err(unidentified("a header of the sidecar stands there twice"));
        }
    }
    if only(headers, &SCHEME) != Ok(Some("https")) {
        return Err(unidentified(
            "it did not come to the sidecar over HTTPS; use https:// and the shipped serve.json",
        ));
    }
    let login =
        only(headers, &LOGIN).map_err(|()| unidentified("send one login in plain ASCII"))?;
    let login = login.ok_or_else(|| {
        unidentified("no person stands behind it; use a device of a person, without tags")
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

/// Whether a header is of the sidecar's kind, or looks as if it were.
fn speaks_of_the_tailnet(name: &HeaderName) -> bool {
    name.as_str().contains("tailscale")
}

fn is_login(login: &str) -> bool {
    (1..=LOGIN_BYTES_MAX).contains(&login.len())
        && login.bytes().all(|byte| byte.is_ascii_graphic())
        && !login.starts_with(ENCODED)
}
