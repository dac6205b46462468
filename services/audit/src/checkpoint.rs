//! The signed checkpoint: signing, parsing and verification.

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use signed_note::{Note, NoteError, Signer, Verifier, VerifierList};
use tlog_tiles::Hash;

use crate::Refused;
use crate::limits::{MAX_NOTE_BYTES, MAX_SIZE};

const MAX_DEPLOYMENT_BYTES: usize = 64;
const ED25519: u8 = 1;

/// The name of a log: `contractual/<deployment>/audit`, where the deployment is 1 to 64 ASCII
/// letters, digits and hyphens (a UUID).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

impl Origin {
    /// The name that checkpoints contain.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for Origin {
    type Error = Refused;

    fn try_from(text: &str) -> Result<Self, Refused> {
        let deployment = text
            .strip_prefix("contractual/")
            .and_then(|rest| rest.strip_suffix("/audit"))
            .ok_or(Refused::OriginForm)?;
        let fits = (1..=MAX_DEPLOYMENT_BYTES).contains(&deployment.len())
            && deployment
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(Refused::OriginForm)
        }
    }
}

/// A checkpoint that was signed or verified here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    size: u64,
    root: [u8; 32],
    time_ns: i64,
    note: Vec<u8>,
}

impl Checkpoint {
    /// Verifies a signed checkpoint: C2SP `tlog-checkpoint` with one extension line,
    /// `time <nanoseconds since the Unix epoch>`. Signatures by other keys are ignored; an invalid
    /// signature by the log's key refuses the whole note.
    ///
    /// # Errors
    ///
    /// The `Note*`, `Origin`, `Signature` and `Size` cases of [`Refused`].
    pub fn parse(note: &[u8], origin: &Origin, key: &VerifyingKey) -> Result<Self, Refused> {
        if note.len() > MAX_NOTE_BYTES {
            return Err(Refused::NoteTooLarge);
        }
        let parsed = Note::from_bytes(note).map_err(|_| {
            if has_signature(note) {
                Refused::NoteMalformed
            } else {
                Refused::Unsigned
            }
        })?;
        // Read before verification, only to distinguish another log's checkpoint from a forged one.
        let first = parsed.text().split(|b| *b == b'\n').next();
        if first != Some(origin.as_str().as_bytes()) {
            return Err(Refused::Origin);
        }
        let known: Box<dyn Verifier> = Box::new(LogKey {
            origin: origin.clone(),
            key: *key,
        });
        parsed
            .verify(&VerifierList::new(vec![known]))
            .map_err(|error| {
                if matches!(error, NoteError::MalformedNote) {
                    Refused::NoteMalformed
                } else {
                    Refused::Signature
                }
            })?;
        let body = tlog_tiles::Checkpoint::from_bytes(parsed.text())
            .map_err(|_| Refused::NoteMalformed)?;
        if !(1..=MAX_SIZE).contains(&body.size()) {
            return Err(Refused::Size);
        }
        let time_ns = parse_time(body.extension()).ok_or(Refused::NoteMalformed)?;
        Ok(Self {
            size: body.size(),
            root: body.hash().0,
            time_ns,
            note: note.to_vec(),
        })
    }

    pub(crate) fn sign(
        origin: &Origin,
        size: u64,
        root: [u8; 32],
        time_ns: i64,
        key: &SigningKey,
    ) -> Self {
        let extension = format!("time {time_ns}\n");
        let body = tlog_tiles::Checkpoint::new(origin.as_str(), size, Hash(root), &extension)
            .expect("an Origin is not empty and the extension is one line");
        let mut note = Note::new(&body.to_bytes(), &[]).expect("a checkpoint is printable text");
        note.add_sigs(&[&LogSigner { origin, key }])
            .expect("an Origin is a valid key name");
        Self {
            size,
            root,
            time_ns,
            note: note.to_bytes(),
        }
    }

    /// The number of covered entries, at least 1.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root hash of the first [`Checkpoint::size`] entries.
    #[must_use]
    pub fn root(&self) -> [u8; 32] {
        self.root
    }

    /// The signer's time, in nanoseconds since the Unix epoch.
    #[must_use]
    pub fn time_ns(&self) -> i64 {
        self.time_ns
    }

    /// The signed note, as stored.
    #[must_use]
    pub fn note(&self) -> &[u8] {
        &self.note
    }
}

/// Returns true if a line begins like a signature of a signed note.
pub(crate) fn has_signature(note: &[u8]) -> bool {
    let mut lines = note.split(|byte| *byte == b'\n');
    lines.any(|line| line.starts_with("\u{2014} ".as_bytes()))
}

fn parse_time(extension: &str) -> Option<i64> {
    let digits = extension.strip_prefix("time ")?.strip_suffix('\n')?;
    let time_ns: i64 = digits.parse().ok()?;
    (time_ns.to_string() == digits).then_some(time_ns)
}

fn key_id(origin: &Origin, key: &VerifyingKey) -> u32 {
    let mut typed = vec![ED25519];
    typed.extend_from_slice(key.as_bytes());
    signed_note::key_id(origin.as_str(), &typed)
}

struct LogKey {
    origin: Origin,
    key: VerifyingKey,
}

// The library's own verifier accepts keys of small order; this one does not.
impl Verifier for LogKey {
    fn name(&self) -> &str {
        self.origin.as_str()
    }

    fn key_id(&self) -> u32 {
        key_id(&self.origin, &self.key)
    }

    fn verify(&self, text: &[u8], signature: &[u8]) -> bool {
        Signature::from_slice(signature)
            .is_ok_and(|signature| self.key.verify_strict(text, &signature).is_ok())
    }
}

struct LogSigner<'a> {
    origin: &'a Origin,
    key: &'a SigningKey,
}

impl Signer for LogSigner<'_> {
    fn name(&self) -> &str {
        self.origin.as_str()
    }

    fn key_id(&self) -> u32 {
        key_id(self.origin, &self.key.verifying_key())
    }

    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, ed25519_dalek::SignatureError> {
        Ok(self.key.try_sign(text)?.to_bytes().to_vec())
    }
}
