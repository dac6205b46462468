//! The one encoding: MessagePack with field names, in exactly one form per value.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Deepest nesting that is accepted.
pub const DEPTH_MAX: usize = 32;

/// The bytes are not the canonical encoding of such a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are not the canonical encoding of the expected value")]
pub struct NotCanonical;

/// Encodes a value.
///
/// # Panics
/// Never for the types of this crate: their `Serialize` cannot fail and memory is the only writer.
#[must_use]
pub fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    rmp_serde::to_vec_named(value).expect("a value of this crate serializes into memory")
}

/// Decodes a value. Refuses every byte string except the one that [`encode`] makes of it: duplicate or
/// unknown keys, other integer widths, trailing bytes, NaN and deep nesting are invalid.
///
/// # Errors
/// [`NotCanonical`] for every invalid input.
pub fn decode<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<T, NotCanonical> {
    let value: T = peek(bytes)?;
    if encode(&value) == bytes {
        Ok(value)
    } else {
        Err(NotCanonical)
    }
}

/// Decodes a part of a value, to choose the type to [`decode`] it as; does not check the rest.
///
/// # Errors
/// [`NotCanonical`]
pub fn peek<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, NotCanonical> {
    let mut reader = rmp_serde::Deserializer::from_read_ref(bytes);
    reader.set_max_depth(DEPTH_MAX);
    T::deserialize(&mut reader).map_err(|_| NotCanonical)
}
