//! Reads the JSON of facts, and text that came from elsewhere.

use bus_schema::{AuthorId, Content};
use diagnostic::escaped;
use gateway::client::Client;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Returns a field of a fact; none if it is absent or of another type.
pub(crate) fn field<T: DeserializeOwned>(value: &Value, name: &str) -> Option<T> {
    value
        .get(name)
        .cloned()
        .and_then(|value| serde_json::from_value(value).ok())
}

/// Returns a content as text, or the reason for which it cannot be read in parentheses.
pub(crate) async fn bytes(content: &Content, by: AuthorId, client: &Client) -> String {
    match client.content(by, content).await {
        Ok(Some(bytes)) => String::from_utf8_lossy(&bytes).into_owned(),
        Ok(None) => "(erased)".to_owned(),
        Err(error) => format!("({error})"),
    }
}

/// Text on one line, escaped: text of a tool or a model must not move the cursor or look like our own lines.
pub(crate) fn one_line(text: &str) -> String {
    escaped(&text.replace('\n', " "))
}

/// The first characters of a text on one line, without control characters.
pub(crate) fn summary(text: &str, chars_max: usize) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let plain = words.chars().filter(|c| !c.is_control());
    plain.take(chars_max).collect()
}

#[cfg(test)]
mod tests {
    use super::one_line;

    #[test]
    fn what_came_from_elsewhere_is_one_line() {
        let text = "a\n  The contract asks for your yes:\r\u{2028}\u{1b}[2Jb";
        let shown = "a   The contract asks for your yes:\\u{d}\\u{2028}\\u{1b}[2Jb";
        assert_eq!(one_line(text), shown);
    }
}
