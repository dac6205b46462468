//! `serve.json`: HTTPS for one name on one port, all requests to the gateway's edge address, and nothing else.

use std::{collections::BTreeMap, net::SocketAddr};

use serde::Deserialize;
use serde_json::Value;

use super::{Invalid, PORT};

/// The placeholder that the sidecar replaces with the name in its certificate.
pub const DOMAIN: &str = "${TS_CERT_DOMAIN}";

/// The file in the sidecar's format.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ServeFile {
    #[serde(rename = "TCP")]
    tcp: BTreeMap<String, Port>,
    web: BTreeMap<String, Site>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Port {
    #[serde(rename = "HTTPS")]
    https: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Site {
    handlers: BTreeMap<String, Handler>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Handler {
    proxy: String,
}

/// Returns the gateway's address in the text of a `serve.json`.
///
/// # Errors
/// [`Invalid`] for any other content: the sidecar accepts such a file without an error, and serves less or more than
/// intended.
pub fn target(text: &str) -> Result<SocketAddr, Invalid> {
    let wrong = |what: &str| Invalid(format!("{what}; use the shipped serve.json"));
    let file: ServeFile = serde_json::from_str(text).map_err(|error| wrong(&error.to_string()))?;
    let port = PORT.to_string();
    let is_https = |(name, served): (&String, &Port)| *name == port && served.https;
    if file.tcp.len() != 1 || !file.tcp.iter().all(is_https) {
        return Err(wrong("`TCP` is not exactly HTTPS on 443"));
    }
    let name = format!("{DOMAIN}:{PORT}");
    let site = file.web.get(&name).filter(|_| file.web.len() == 1);
    let site = site.ok_or_else(|| wrong(&format!("`Web` is not exactly {name:?}")))?;
    let handler = site.handlers.get("/").filter(|_| site.handlers.len() == 1);
    let handler = handler.ok_or_else(|| wrong("`Handlers` is not exactly \"/\""))?;
    let address = handler.proxy.strip_prefix("http://");
    address
        .and_then(|address| address.parse().ok())
        .ok_or_else(|| wrong("`Proxy` is not http:// with the gateway's edge address and port"))
}

/// Returns true if `served`, from the sidecar, equals the configuration in `text`.
#[must_use]
pub fn is_served(text: &str, domain: &str, served: &Value) -> bool {
    let wanted: Result<Value, _> = serde_json::from_str(&text.replace(DOMAIN, domain));
    wanted.is_ok_and(|wanted| wanted == *served)
}
