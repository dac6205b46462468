//! `serve.json`: HTTPS for one name, on one port for the gateway's edge address, on another for the signer's, and nothing else.

use std::{collections::BTreeMap, net::SocketAddr};

use serde::Deserialize;
use serde_json::Value;

use super::{Invalid, PORT, PORTS, SIGNER_PORT};

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

/// The addresses that `serve.json` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Targets {
    /// The gateway's.
    pub gateway: SocketAddr,
    /// The signer's.
    pub signer: SocketAddr,
}

/// Returns the addresses in the text of a `serve.json`.
///
/// # Errors
/// [`Invalid`] for any other content: the sidecar accepts such a file without an error, and serves less or more than
/// intended.
pub fn targets(text: &str) -> Result<Targets, Invalid> {
    let file: ServeFile = serde_json::from_str(text).map_err(|error| wrong(&error.to_string()))?;
    let is_https = |port: u16| {
        let served = file.tcp.get(&port.to_string());
        served.is_some_and(|served| served.https)
    };
    if file.tcp.len() != PORTS.len() || !PORTS.into_iter().all(is_https) {
        return Err(wrong("`TCP` is not exactly HTTPS on 443 and 8443"));
    }
    if file.web.len() != PORTS.len() {
        return Err(wrong("`Web` is not exactly one name on 443 and 8443"));
    }
    let targets = Targets {
        gateway: file.target(PORT)?,
        signer: file.target(SIGNER_PORT)?,
    };
    if targets.gateway == targets.signer {
        return Err(wrong("`Proxy` is the same address on both ports"));
    }
    Ok(targets)
}

impl ServeFile {
    /// Returns the address to which all requests on a port go.
    fn target(&self, port: u16) -> Result<SocketAddr, Invalid> {
        let name = format!("{DOMAIN}:{port}");
        let site = self.web.get(&name);
        let site = site.ok_or_else(|| wrong(&format!("`Web` has no {name:?}")))?;
        let handler = site.handlers.get("/").filter(|_| site.handlers.len() == 1);
        let handler = handler.ok_or_else(|| wrong("`Handlers` is not exactly \"/\""))?;
        let address = handler.proxy.strip_prefix("http://");
        let address = address.and_then(|address| address.parse().ok());
        address.ok_or_else(|| wrong("`Proxy` is not http:// with an address and a port"))
    }
}

fn wrong(what: &str) -> Invalid {
    Invalid(format!("{what}; use the shipped serve.json"))
}

/// Returns true if `served`, from the sidecar, equals the configuration in `text`.
#[must_use]
pub fn is_served(text: &str, domain: &str, served: &Value) -> bool {
    let wanted: Result<Value, _> = serde_json::from_str(&text.replace(DOMAIN, domain));
    wanted.is_ok_and(|wanted| wanted == *served)
}
