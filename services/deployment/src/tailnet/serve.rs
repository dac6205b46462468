//! `serve.json`: one name, HTTPS on one port, everything to the gateway's edge address, and nothing else.

use std::{collections::BTreeMap, net::SocketAddr};

use serde::Deserialize;
use serde_json::Value;

use super::{Invalid, PORT};

/// What the sidecar replaces by the name that its certificate is for.
pub const DOMAIN: &str = "${TS_CERT_DOMAIN}";

/// The file, in the sidecar's own words.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct File {
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

/// The gateway's address in the text of a `serve.json`.
///
/// # Errors
/// If it is not exactly what the gateway is reached through: the sidecar itself reads such a file without a word and
/// serves less, or more, than was meant.
pub fn target(text: &str) -> Result<SocketAddr, Invalid> {
    let wrong = |what: &str| Invalid(format!("{what}; take the serve.json that ships"));
    let file: File = serde_json::from_str(text).map_err(|error| wrong(&error.to_string()))?;
    let port = PORT.to_string();
    let is_https = |(name, served): (&String, &Port)| *name == port && served.https;
    if file.tcp.len() != 1 || !file.tcp.iter().all(is_https) {
        return Err(wrong("`TCP` is not HTTPS on 443 and that alone"));
    }
    let name = format!("{DOMAIN}:{PORT}");
    let site = file.web.get(&name).filter(|_| file.web.len() == 1);
    let site = site.ok_or_else(|| wrong(&format!("`Web` is not {name:?} and that alone")))?;
    let handler = site.handlers.get("/").filter(|_| site.handlers.len() == 1);
    let handler = handler.ok_or_else(|| wrong("`Handlers` is not \"/\" and that alone"))?;
    let address = handler.proxy.strip_prefix("http://");
    address
        .and_then(|address| address.parse().ok())
        .ok_or_else(|| wrong("`Proxy` is not http:// and the gateway's edge address with its port"))
}

/// Whether what the sidecar says it serves is what the text asks for.
#[must_use]
pub fn is_served(text: &str, domain: &str, served: &Value) -> bool {
    let wanted: Result<Value, _> = serde_json::from_str(&text.replace(DOMAIN, domain));
    wanted.is_ok_and(|wanted| wanted == *served)
}
