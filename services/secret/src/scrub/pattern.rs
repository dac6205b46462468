//! One encoding of a value: the bytes that it accepts, one after the other.

use zeroize::Zeroizing;

use super::form;
use super::found::Found;

/// An encoding of a value.
pub(super) enum Pattern {
    /// Each character plain or escaped, freely mixed.
    Escaped(Zeroizing<String>),
    /// The digits of hexadecimal, in either case.
    Hex(Zeroizing<Vec<u8>>),
    /// The digits of base64 at one alignment: each a set of values, because the bytes around count as well.
    Base64(Zeroizing<Vec<u64>>),
}

impl Pattern {
    /// Returns all encodings of a text.
    pub(super) fn all(text: &str) -> Vec<Self> {
        let bytes = text.as_bytes();
        let mut hex = Zeroizing::new(Vec::with_capacity(2 * bytes.len()));
        for byte in bytes {
            hex.extend([byte >> 4, byte & 15]);
        }
        let base64 = (0..3).map(|before| Self::Base64(base64(bytes, before)));
        let others = [
            Self::Escaped(Zeroizing::new(text.to_owned())),
            Self::Hex(hex),
        ];
        others.into_iter().chain(base64).collect()
    }

    /// Returns true if a find can begin with the byte.
    pub(super) fn begins(&self, byte: u8) -> bool {
        self.at(&[byte]) != Found::No
    }

    /// Looks at the beginning of a text.
    pub(super) fn at(&self, text: &[u8]) -> Found {
        match self {
            Self::Escaped(value) => form::escaped(value, text),
            Self::Hex(digits) => each(digits, text, |digit, byte| {
                char::from(byte).to_digit(16) == Some(u32::from(*digit))
            }),
            Self::Base64(sets) => each(sets, text, |set, byte| {
                value64(byte).is_some_and(|value| set >> value & 1 == 1)
            }),
        }
    }
}

/// Compares each byte with its place in the pattern.
fn each<T>(pattern: &[T], text: &[u8], fits: impl Fn(&T, u8) -> bool) -> Found {
    for (n, place) in pattern.iter().enumerate() {
        match text.get(n) {
            None => return Found::More,
            Some(byte) if fits(place, *byte) => {}
            Some(_) => return Found::No,
        }
    }
    Found::Bytes(pattern.len())
}

/// Returns the value of a digit of base64, in the standard or the URL alphabet.
fn value64(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

/// Returns the digits that encode the bytes after `before` others, each as the set of values that it can have.
fn base64(bytes: &[u8], before: usize) -> Zeroizing<Vec<u64>> {
    let bit = |at: usize| {
        let byte = at
            .checked_sub(8 * before)
            .and_then(|at| bytes.get(at / 8))?;
        Some(byte >> (7 - at % 8) & 1)
    };
    let first = 8 * before / 6;
    let last = (8 * (before + bytes.len())).div_ceil(6);
    let set = |digit: usize| {
        let fits = |value: &u8| {
            (0..6).all(|n| bit(6 * digit + n).is_none_or(|bit| value >> (5 - n) & 1 == bit))
        };
        (0_u8..64)
            .filter(fits)
            .fold(0, |set, value| set | 1 << value)
    };
    Zeroizing::new((first..last).map(set).collect())
}
