//! The errors of the log, each with the next step.

use std::io;
use std::path::{Path, PathBuf};

use bus_schema::DeploymentId;

use crate::limits::{MAX_ENTRY_BYTES, MAX_NOTE_BYTES, MAX_SIZE};
use crate::repair::{FIND_OUT, PUT_THE_LOG_BACK, PUT_THE_STREAM_BACK};

/// An error of the log; the `Display` text states the problem and the next step.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A directory of the log is missing.
    #[error("{path} does not exist: create or mount it, then start again")]
    Missing {
        /// The missing path.
        path: PathBuf,
    },
    /// The file system or its permissions refuse writing.
    #[error("{path} cannot be written: make it writable for this user, then start again")]
    ReadOnly {
        /// The path.
        path: PathBuf,
    },
    /// The file system or the quota is full.
    #[error("no space left to write {path}: free or add space, then start again")]
    Full {
        /// The path.
        path: PathBuf,
    },
    /// Any other failure of the file system.
    #[error("could not {action} {path}: check the volume, then start again")]
    Io {
        /// The attempted operation, as a verb.
        action: &'static str,
        /// The path.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// Another process, or another `Log` of this process, holds the lock.
    #[error("{path} is in use by another audit service: stop that one first")]
    Locked {
        /// The log directory.
        path: PathBuf,
    },
    /// Log and anchor are the same directory, so a rollback would affect both.
    #[error("log and anchor are both {path}: give the anchor a directory on another volume")]
    SamePlace {
        /// The directory.
        path: PathBuf,
    },
    /// `create` found a log.
    #[error("{path} already holds a log: open it instead of creating one")]
    Exists {
        /// The existing checkpoint.
        path: PathBuf,
    },
    /// A checkpoint is missing.
    #[error("{path} is missing, so a rollback of the log cannot be ruled out: {PUT_THE_LOG_BACK}")]
    NoCheckpoint {
        /// The path of the checkpoint.
        path: PathBuf,
    },
    /// A checkpoint does not verify.
    #[error("{path} is not a checkpoint of this log ({refused}): {PUT_THE_LOG_BACK}")]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// The reason; part of the message because it is no cause.
        refused: Refused,
    },
    /// The anchor holds a newer checkpoint than the log.
    #[error(
        "the log was rolled back: {log} entries are signed here but {anchor} in the anchor; \
         {PUT_THE_LOG_BACK}"
    )]
    RolledBack {
        /// Size of the log's checkpoint.
        log: u64,
        /// Size of the anchor's checkpoint.
        anchor: u64,
    },
    /// The log is not a continuation of the anchored checkpoint.
    #[error(
        "the log was replaced: its first {size} entries are not those the anchor signed; \
         {PUT_THE_LOG_BACK}"
    )]
    Replaced {
        /// Size of the anchored checkpoint.
        size: u64,
    },
    /// A file that the last checkpoint covers is missing or truncated.
    #[error(
        "the log is shorter than its last checkpoint of {size} entries: {path} is missing or \
         truncated; {PUT_THE_LOG_BACK}"
    )]
    Shorter {
        /// Size of the checkpoint.
        size: u64,
        /// The first such file found.
        path: PathBuf,
    },
    /// A file differs from what the last checkpoint covers.
    #[error("{path} differs from what the last checkpoint covers; {PUT_THE_LOG_BACK}")]
    Differs {
        /// The file.
        path: PathBuf,
    },
    /// A file under `tile/` is not part of the log.
    #[error("{path} is not part of a log: move it away")]
    Foreign {
        /// The file or directory.
        path: PathBuf,
    },
    /// An appended entry does not have the next index.
    #[error("entry {found} was appended but {expected} is next: read the stream from {expected}")]
    NotContiguous {
        /// The next index.
        expected: u64,
        /// The given index.
        found: u64,
    },
    /// More entries than one call accepts, or the log has its maximum size.
    #[error("{count} entries are too many for one append: give at most {max}")]
    TooMany {
        /// The number of given entries.
        count: usize,
        /// The maximum number.
        max: usize,
    },
    /// An index or size outside the log.
    #[error("{asked} is outside the log, which has {size} entries: ask for less")]
    OutOfRange {
        /// The requested index or size.
        asked: u64,
        /// The number of entries in the log.
        size: u64,
    },
    /// An earlier write failed, so the state on disk is unknown.
    #[error("an earlier write failed: open the log again")]
    Failed,
    /// The stream ends before the log.
    #[error(
        "the stream ends at sequence {stream} but the log holds {log}: the stream was rolled back; \
         {PUT_THE_STREAM_BACK}"
    )]
    StreamShorter {
        /// The last sequence number of the stream.
        stream: u64,
        /// The last index of the log.
        log: u64,
    },
    /// Log and stream hold different messages at one sequence number.
    #[error("log and stream differ at sequence {index}: one was replaced; {FIND_OUT}")]
    StreamDiffers {
        /// The first such sequence number.
        index: u64,
    },
}

impl Error {
    /// Maps a failure of `action` on `path` to the variant with the right next step.
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_path_buf();
        let kind = source.kind();
        if matches!(
            kind,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        ) {
            Self::Full { path }
        } else if matches!(
            kind,
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied
        ) && action != "read"
        {
            Self::ReadOnly { path }
        } else if kind == io::ErrorKind::NotFound {
            Self::Missing { path }
        } else {
            Self::Io {
                action,
                path,
                source,
            }
        }
    }
}

/// The reason why a signed checkpoint, an entry or a proof is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// An origin is not `contractual/<deployment>/audit`.
    #[error("the origin is not of the form contractual/<deployment>/audit")]
    OriginForm,
    /// The checkpoint is larger than [`MAX_NOTE_BYTES`].
    #[error("the checkpoint is larger than {} bytes", MAX_NOTE_BYTES)]
    NoteTooLarge,
    /// Not a C2SP signed note or not a C2SP checkpoint with a time.
    #[error("the checkpoint is malformed")]
    NoteMalformed,
    /// The checkpoint belongs to another log.
    #[error("the checkpoint belongs to another origin")]
    Origin,
    /// The note ends without a signature.
    #[error("the checkpoint has no signature")]
    Unsigned,
    /// No valid signature by the log's key.
    #[error("the checkpoint is not signed by the log's key")]
    Signature,
    /// The size is zero or larger than `MAX_SIZE`.
    #[error("the checkpoint's size is outside 1 to {}", MAX_SIZE)]
    Size,
    /// The entry is larger than [`MAX_ENTRY_BYTES`].
    #[error("the entry is larger than {} bytes", MAX_ENTRY_BYTES)]
    EntryTooLarge,
    /// The bytes are not the canonical encoding of an entry.
    #[error("the entry is not in its canonical encoding")]
    EntryEncoding,
    /// The entry names another index.
    #[error("the entry's sequence number differs from its index")]
    EntryIndex,
    /// The proof has too many hashes, or an index or size outside the checkpoint.
    #[error("the proof does not fit the index and the checkpoint")]
    ProofShape,
    /// The hashes do not lead to the signed root.
    #[error("the proof does not lead to the signed root")]
    Proof,
}

/// A bad place of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// An entry.
    Index(u64),
    /// A file.
    File(PathBuf),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Index(index) => write!(f, "entry {index}"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// The problem at a bad place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The file cannot be read.
    #[error("cannot be read ({0:?})")]
    Unreadable(io::ErrorKind),
    /// The file is missing.
    #[error("is missing")]
    Missing,
    /// The file is too short, too long, or has bytes after its end.
    #[error("has the wrong length")]
    Length,
    /// The file is not part of the log.
    #[error("is not part of a log")]
    Foreign,
    /// A checkpoint or an entry is refused.
    #[error("{0}")]
    Refused(Refused),
    /// The entry is not the one that the checkpoint covers.
    #[error("is not the entry that was signed")]
    Entry,
    /// The tile does not hold the hashes of the entries or tiles below it.
    #[error("does not hold the hashes of the entries")]
    Tile,
    /// The first entry does not name this deployment.
    #[error("does not name this deployment")]
    Genesis,
    /// Tiles and entries agree with each other but not with the signed root.
    #[error("signs another log than the one in this directory")]
    Root,
    /// The anchor covers more entries than the log has.
    #[error("signs {anchor} entries but the log's own checkpoint only {log}: rolled back")]
    RolledBack {
        /// Size of the log's checkpoint.
        log: u64,
        /// Size of the anchor's checkpoint.
        anchor: u64,
    },
    /// The log is not a continuation of the anchored checkpoint.
    #[error("signs other entries than the log holds: the log was replaced")]
    Replaced,
    /// A roster is not signed by the owner.
    #[error("is a roster that the given owner's key did not sign")]
    Roster,
    /// No roster names audit's key.
    #[error("is signed by an unknown key: the log holds no roster of the given owner")]
    NoRoster,
    /// The log is of another deployment.
    #[error("is a roster of the deployment {0}, not of the given one")]
    Deployment(DeploymentId),
    /// The message is missing in the stream.
    #[error("is not in the stream: the stream was truncated, restored or replaced")]
    NotInStream,
    /// The stream holds another message.
    #[error("differs from the message in the stream")]
    StreamDiffers,
    /// The caller's own check failed.
    #[error("{0}")]
    Observed(String),
}

/// The first bad place of a log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct Bad {
    /// The place.
    pub place: Place,
    /// The problem; part of the message because it is no cause.
    pub problem: Problem,
}

impl Bad {
    pub(crate) fn file(path: &Path, problem: Problem) -> Self {
        Self {
            place: Place::File(path.to_path_buf()),
            problem,
        }
    }

    pub(crate) fn entry(index: u64, problem: Problem) -> Self {
        Self {
            place: Place::Index(index),
            problem,
        }
    }
}
