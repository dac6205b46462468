//! The texts of an entry that stand in a request or name a part of it.

/// Returns true for a name of an argument or a field.
pub(super) fn is_name(text: &str) -> bool {
    let plain = |c: u8| c.is_ascii_alphanumeric() || c == b'_' || c == b'-';
    !text.is_empty() && text.len() <= 64 && text.bytes().all(plain)
}

/// Returns true for visible ASCII with inner spaces.
pub(super) fn is_header_value(text: &str) -> bool {
    text.bytes().all(|c| c.is_ascii_graphic() || c == b' ') && text.trim() == text
}
