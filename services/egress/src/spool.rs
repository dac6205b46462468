//! A body on disk, in a file without a name, until it is known to be whole and without the secret.

use std::fmt;
use std::io::SeekFrom;
use std::path::Path;

use actor::chain;
use bus_schema::{CONTENT_BYTES_MAX, Digest};
use sha2::{Digest as _, Sha256};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};

use crate::fault::Fault;

/// A body that is being written, or read again.
pub(crate) struct Spool {
    file: File,
    hash: Sha256,
    bytes: u64,
}

impl Spool {
    /// Makes an empty one in a folder.
    ///
    /// # Errors
    /// [`Fault::Disk`]
    pub(crate) async fn new(folder: &Path) -> Result<Self, Fault> {
        let folder = folder.to_owned();
        let file = tokio::task::spawn_blocking(move || tempfile::tempfile_in(folder)).await;
        let file = file.map_err(|error| Fault::Disk(chain(&error)))?;
        Ok(Self {
            file: File::from_std(file.map_err(|error| failed(&error))?),
            hash: Sha256::new(),
            bytes: 0,
        })
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// [`Fault::Disk`]
    pub(crate) async fn add(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        let written = self.file.write_all(bytes).await;
        written.map_err(|error| failed(&error))
    }

    /// Ends the writing: returns the number of bytes and their SHA-256, and the next part is the first one.
    ///
    /// # Errors
    /// [`Fault::Disk`]
    pub(crate) async fn rewind(&mut self) -> Result<(u64, Digest), Fault> {
        let flushed = self.file.flush().await;
        flushed.map_err(|error| failed(&error))?;
        let sought = self.file.seek(SeekFrom::Start(0)).await;
        sought.map_err(|error| failed(&error))?;
        let sha256: [u8; 32] = self.hash.finalize_reset().into();
        Ok((self.bytes, Digest::new(sha256)))
    }

    /// Returns the next part, of the largest size of a content if more follow; none at the end.
    ///
    /// # Errors
    /// [`Fault::Disk`]
    pub(crate) async fn part(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        let mut part = Vec::new();
        let mut rest = (&mut self.file).take(CONTENT_BYTES_MAX as u64);
        let read = rest.read_to_end(&mut part).await;
        read.map_err(|error| failed(&error))?;
        Ok(Some(part).filter(|part| !part.is_empty()))
    }
}

fn failed(error: &std::io::Error) -> Fault {
    Fault::Disk(chain(error))
}

impl fmt::Debug for Spool {
    /// Shows the size, never the bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes on disk", self.bytes)
    }
}
