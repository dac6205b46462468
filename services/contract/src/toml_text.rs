//! Writes texts, keys and lists as TOML.

use std::fmt;

use diagnostic::is_hidden;
use serde_json::Value;

/// Writes a text as a TOML basic string on one line.
pub(crate) fn quoted(text: &str) -> String {
    // Every escape of JSON is valid in TOML. Invisible characters are escaped as well.
    let mut toml = String::new();
    for c in Value::from(text).to_string().chars() {
        match u32::from(c) {
            _ if !is_hidden(c) => toml.push(c),
            code @ ..=0xffff => toml.push_str(&format!("\\u{code:04X}")),
            code => toml.push_str(&format!("\\U{code:08X}")),
        }
    }
    toml
}

/// Writes a TOML key.
pub(crate) fn key(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(bare) {
        name.to_owned()
    } else {
        quoted(name)
    }
}

/// Writes one value as itself, several as a list.
pub(crate) fn one_or_list<T: fmt::Display>(each: &[T]) -> String {
    let texts: Vec<String> = each.iter().map(T::to_string).collect();
    match texts.as_slice() {
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    }
}

/// Writes one text as itself, several as a list.
pub(crate) fn quoted_list<T: fmt::Display>(each: &[T]) -> String {
    one_or_list(
        &each
            .iter()
            .map(|one| quoted(&one.to_string()))
            .collect::<Vec<_>>(),
    )
}
