//! Digests a file while it is read, and copies it on the way.

use std::fs::File;
use std::io::{self, Read as _, Write as _};

use sha2::{Digest, Sha256};

/// Bytes read at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// Reads a file to its end, into `copy` if there is one. Returns its SHA-256 and length; `None` if it is longer than `max`.
pub(crate) fn read(
    from: &mut File,
    mut copy: Option<&mut File>,
    max: u64,
) -> io::Result<Option<([u8; 32], u64)>> {
    let mut chunk = vec![0; CHUNK_BYTES];
    let (mut sha256, mut total) = (Sha256::new(), 0_u64);
    loop {
        let count = match from.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        total = total.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        if total > max {
            return Ok(None);
        }
        let bytes = chunk.get(..count).unwrap_or_default();
        sha256.update(bytes);
        if let Some(copy) = &mut copy {
            copy.write_all(bytes)?;
        }
    }
    Ok(Some((sha256.finalize().into(), total)))
}

/// Encodes bytes in lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
