//! The check code of a pairing: short enough to type, and too slow to search for another key with the same one.

use std::{fmt, num::NonZeroU32, str::FromStr};

use bus_schema::{PairingId, PublicKey};
use ring::pbkdf2::{PBKDF2_HMAC_SHA256, derive};

/// The rounds of PBKDF2.
pub const ROUNDS: u32 = 600_000;
/// The number of characters, 5 bits each.
const LETTERS: usize = 8;
/// Crockford's letters: none looks like another.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The first 40 bits of PBKDF2 over the owner's key, the device's key and the pairing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckCode(u64);

/// The text is no check code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a code has eight letters and digits, such as 7K3M-9QXD")]
pub struct NoCode;

impl CheckCode {
    /// Computes the code, which takes about a tenth of a second.
    #[must_use]
    pub fn of(owner: &PublicKey, device: &PublicKey, pairing: &PairingId) -> Self {
        let secret = [*owner.as_bytes(), *device.as_bytes()].concat();
        let rounds = NonZeroU32::new(ROUNDS).unwrap_or(NonZeroU32::MAX);
        let mut bytes = [0; 5];
        derive(
            PBKDF2_HMAC_SHA256,
            rounds,
            pairing.as_bytes(),
            &secret,
            &mut bytes,
        );
        let value = bytes
            .iter()
            .fold(0, |value, byte| value << 8 | u64::from(*byte));
        Self(value)
    }
}

impl fmt::Display for CheckCode {
    /// Writes it as two groups of four.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for place in 0..LETTERS {
            if place == LETTERS / 2 {
                f.write_str("-")?;
            }
            let shift = 5 * (LETTERS - 1 - place);
            let letter = usize::try_from(self.0 >> shift & 31).ok();
            let letter = letter
                .and_then(|at| ALPHABET.get(at))
                .copied()
                .unwrap_or(b'0');
            write!(f, "{}", char::from(letter))?;
        }
        Ok(())
    }
}

impl FromStr for CheckCode {
    type Err = NoCode;
    /// Reads it in any case, with or without separators, and takes letters for the digits that they look like.
    fn from_str(text: &str) -> Result<Self, NoCode> {
        let letters = text.bytes().filter(|byte| !b" -\t\r\n".contains(byte));
        let mut value = 0;
        let mut count = 0;
        for letter in letters {
            let letter = match letter.to_ascii_uppercase() {
                b'O' => b'0',
                b'I' | b'L' => b'1',
                other => other,
            };
            let at = ALPHABET
                .iter()
                .position(|one| *one == letter)
                .ok_or(NoCode)?;
            value = value << 5 | u64::try_from(at).map_err(|_| NoCode)?;
            count += 1;
            if count > LETTERS {
                return Err(NoCode);
            }
        }
        if count == LETTERS {
            Ok(Self(value))
        } else {
            Err(NoCode)
        }
    }
}
