//! The page: fixed bytes with the gateway's origin, and the policy that permits exactly them.

use data_encoding::BASE64;
use sha2::{Digest as _, Sha256};

const HTML: &str = include_str!("page/index.html");
const SCRIPT: &str = include_str!("page/signer.js");
const STYLE: &str = include_str!("page/signer.css");

/// The page of one deployment.
#[derive(Debug, Clone)]
pub struct Page {
    /// The HTML, with its one script and its one style.
    pub html: String,
    /// The value of `Content-Security-Policy`.
    pub policy: String,
}

impl Page {
    /// Makes the page that talks to the gateway at `origin`, which was checked.
    #[must_use]
    pub fn of(origin: &str) -> Self {
        let html = HTML
            .replace("{GATEWAY}", origin)
            .replace("{STYLE}", STYLE)
            .replace("{SCRIPT}", SCRIPT);
        let policy = format!(
            "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; connect-src {origin}; form-action {origin}; \
             base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
            digest(SCRIPT),
            digest(STYLE),
        );
        Self { html, policy }
    }
}

fn digest(text: &str) -> String {
    BASE64.encode(&Sha256::digest(text.as_bytes()))
}
