//! A sealed secret as the broker reads it: from the record, or from a file that the record names by digest.

use std::path::PathBuf;
use std::sync::Arc;

use actor::{chain, files};
use bus_schema::NotReleased;
use secret::{FiledSeal, OuterSeal, SecretTerms, SignedSeal};

/// A sealed secret with its terms.
#[derive(Debug)]
pub struct SealedSecret {
    /// The seal that the broker takes off.
    pub outer: OuterSeal,
    /// The terms that stand in it.
    pub terms: SecretTerms,
    /// True if it was read from a file, which may be removed at any time.
    pub is_in_file: bool,
}

/// A sealed secret; the error is the reason that it cannot be used.
pub type Stored = Result<Arc<SealedSecret>, NotReleased>;

/// The folder with the files of sealed secrets.
#[derive(Debug, Clone)]
pub(crate) struct SecretFiles(pub(crate) PathBuf);

/// Reads a sealed secret; no bytes if it was erased. `file` reads the file that the owner signed in its place.
///
/// # Errors
/// [`NotReleased::Erased`], [`NotReleased::Seal`], [`NotReleased::OtherFile`], or the error of `file`.
pub fn stored(
    bytes: Option<&[u8]>,
    file: impl FnOnce(&FiledSeal) -> Result<Vec<u8>, NotReleased>,
) -> Stored {
    let signed = SignedSeal::read(bytes.ok_or(NotReleased::Erased)?);
    let (outer, is_in_file) = match signed.map_err(|_| NotReleased::Seal)? {
        SignedSeal::Record(outer) => (outer, false),
        SignedSeal::File(filed) => {
            let bytes = file(&filed)?;
            let outer = filed.open(&bytes).map_err(|_| NotReleased::OtherFile)?;
            (outer, true)
        }
    };
    let terms = outer.terms().map_err(|_| NotReleased::Seal)?;
    Ok(Arc::new(SealedSecret {
        outer,
        terms,
        is_in_file,
    }))
}

impl SecretFiles {
    /// Reads the file of a sealed secret.
    ///
    /// # Errors
    /// [`NotReleased::NoFile`] or [`NotReleased::FileUnread`].
    pub(crate) fn read(&self, filed: &FiledSeal) -> Result<Vec<u8>, NotReleased> {
        let terms = filed.terms();
        let Self(folder) = self;
        let path = folder.join(FiledSeal::file_name(terms.name(), terms.version()));
        // The bytes are sealed, and checked against the record: the mode of the file gives nothing away.
        files::read_public(&path).map_err(|error| {
            tracing::warn!(error = chain(&error), "a sealed secret is not in its file");
            match error {
                files::Error::Missing { .. } => NotReleased::NoFile,
                files::Error::Symlink { .. }
                | files::Error::WrongKind { .. }
                | files::Error::Exposed { .. }
                | files::Error::TooLarge { .. }
                | files::Error::Exists { .. }
                | files::Error::Io { .. } => NotReleased::FileUnread,
            }
        })
    }
}
