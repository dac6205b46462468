//! The texts that stand in a request or name a part of it; what a secret adds to a request has the same rules.

/// Longest text of an entry, in bytes.
pub(super) const TEXT_BYTES_MAX: usize = 2048;

/// Headers that the executor writes itself, or that would give a call another meaning.
const RESERVED_HEADERS: [&str; 16] = [
    "accept-encoding",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
];

/// Returns true for a name of an argument or a field.
pub(super) fn is_name(text: &str) -> bool {
    let plain = |c: u8| c.is_ascii_alphanumeric() || c == b'_' || c == b'-';
    !text.is_empty() && text.len() <= 64 && text.bytes().all(plain)
}

/// Returns true for a JSON Pointer (RFC 6901).
pub(super) fn is_pointer(text: &str) -> bool {
    let mut escapes = text.split('~').skip(1);
    text.len() <= TEXT_BYTES_MAX
        && (text.is_empty() || text.starts_with('/'))
        && escapes.all(|rest| rest.starts_with(['0', '1']))
}

/// Returns true for lower-case letters, digits and `-`.
#[must_use]
pub fn is_header_name(text: &str) -> bool {
    let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    text.bytes().all(plain)
}

/// Returns true for a header that neither a tool nor a secret can set.
#[must_use]
pub fn is_reserved_header(name: &str) -> bool {
    RESERVED_HEADERS.contains(&name)
}

/// Returns true for visible ASCII with inner spaces.
#[must_use]
pub fn is_header_value(text: &str) -> bool {
    text.bytes().all(|c| c.is_ascii_graphic() || c == b' ') && text.trim() == text
}

/// Escapes every byte but letters, digits, `-`, `.`, `_` and `~`. The text is made in one piece of the largest size, so that
/// its caller can erase all of it.
#[must_use]
pub fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(3 * text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}
