//! The value of a secret: checked once, never shown, erased from memory when it is dropped.

use std::fmt;

use zeroize::Zeroizing;

/// Most bytes of a value.
pub const VALUE_BYTES_MAX: usize = 8192;
/// Bytes below which a value is found by chance in answers, and easily guessed.
pub const SHORT_BYTES: usize = 16;

/// The value of a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretValue(Zeroizing<String>);

/// The reason that bytes are no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// No byte.
    #[error("the value is empty; give it on standard input")]
    Empty,
    /// More bytes than [`VALUE_BYTES_MAX`].
    #[error("the value has more than {VALUE_BYTES_MAX} bytes; give a shorter one")]
    Large,
    /// No UTF-8.
    #[error("the value is not UTF-8; give it as text, such as base64")]
    Text,
    /// A line break.
    #[error("the value has a line break inside; give one line")]
    Line,
    /// A zero byte.
    #[error("the value has a zero byte; give it as text, such as base64")]
    Zero,
    /// Another control character.
    #[error("the value has a control character; give it as text, such as base64")]
    Control,
}

impl SecretValue {
    /// Checks a value: 1 to [`VALUE_BYTES_MAX`] bytes of UTF-8 without control characters.
    ///
    /// # Errors
    /// [`ValueError`], which never has a part of the value.
    pub fn new(bytes: Zeroizing<Vec<u8>>) -> Result<Self, ValueError> {
        if bytes.is_empty() {
            return Err(ValueError::Empty);
        }
        if bytes.len() > VALUE_BYTES_MAX {
            return Err(ValueError::Large);
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| ValueError::Text)?;
        let control = text.chars().find(|c| c.is_control());
        if let Some(c) = control {
            return Err(match c {
                '\n' | '\r' => ValueError::Line,
                '\0' => ValueError::Zero,
                _ => ValueError::Control,
            });
        }
        // Of the exact size, so that no copy stays behind.
        Ok(Self(Zeroizing::new(text.to_owned())))
    }

    /// The value.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Returns true for fewer than [`SHORT_BYTES`] bytes.
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.0.len() < SHORT_BYTES
    }
}

impl fmt::Debug for SecretValue {
    /// Shows the number of bytes, never the bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}
