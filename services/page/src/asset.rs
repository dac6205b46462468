//! The style sheet and the script: their bytes, and paths that name them by digest.

use std::sync::LazyLock;

use bus_schema::Digest;

/// Characters of the digest in a path.
const DIGEST_CHARS: usize = 16;

/// A file that never changes under its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asset {
    /// The bytes.
    pub bytes: &'static str,
    /// The type, for `Content-Type`.
    pub kind: &'static str,
    /// The path.
    pub path: &'static str,
}

/// The style sheet.
static STYLE: LazyLock<String> = LazyLock::new(|| path(Asset::STYLE_TEXT, "css"));
/// The script.
static SCRIPT: LazyLock<String> = LazyLock::new(|| path(Asset::SCRIPT_TEXT, "js"));

impl Asset {
    const STYLE_TEXT: &'static str = include_str!("../assets/app.css");
    const SCRIPT_TEXT: &'static str = include_str!("../assets/app.js");

    /// The style sheet.
    #[must_use]
    pub fn style() -> Self {
        Self {
            bytes: Self::STYLE_TEXT,
            kind: "text/css; charset=utf-8",
            path: &STYLE,
        }
    }

    /// The script.
    #[must_use]
    pub fn script() -> Self {
        Self {
            bytes: Self::SCRIPT_TEXT,
            kind: "text/javascript; charset=utf-8",
            path: &SCRIPT,
        }
    }

    /// Returns the asset with this path, if there is one.
    #[must_use]
    pub fn at(path: &str) -> Option<Self> {
        let all = [Self::style(), Self::script()];
        all.into_iter().find(|asset| asset.path == path)
    }
}

/// The path of an asset.
fn path(text: &str, ending: &str) -> String {
    let digest = Digest::of(&[text.as_bytes()]).to_string();
    let short: String = digest.chars().take(DIGEST_CHARS).collect();
    format!("/assets/app-{short}.{ending}")
}
