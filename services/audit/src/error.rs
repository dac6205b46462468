//! Defines what can go wrong with the log and what its reader does about each case.

use std::io;
use std::path::{Path, PathBuf};

use bus_schema::DeploymentId;

use crate::limits::{MAX_ENTRY_BYTES, MAX_NOTE_BYTES, MAX_SIZE};
use crate::repair::{FIND_OUT, PUT_THE_LOG_BACK, PUT_THE_STREAM_BACK};

/// A failure of the log; the `Display` text says what to do next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A directory the log needs is not there.
    #[error("{path} does not exist: create or mount it, then start again")]
    Missing {
        /// What was looked for.
        path: PathBuf,
    },
    /// The file system or its permissions refuse writing.
    #[error("{path} cannot be written: make it writable for this user, then start again")]
    ReadOnly {
        /// What was to be written.
        path: PathBuf,
    },
    /// The file system or the quota is full.
    #[error("no space left to write {path}: free or add space, then start again")]
    Full {
        /// What was to be written.
        path: PathBuf,
    },
    /// Any other failure of the file system.
    #[error("could not {action} {path}: check the volume, then start again")]
    Io {
        /// What was attempted, as a verb.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// Another process, or another `Log` of this one, has the directory.
    #[error("{path} is in use by another audit service: stop that one first")]
    Locked {
        /// The log directory.
        path: PathBuf,
    },
    /// Log and anchor are the same directory, so the anchor would roll back with the log.
    #[error("log and anchor are both {path}: give the anchor a directory on another volume")]
    SamePlace {
        /// The directory.
        path: PathBuf,
    },
    /// `create` found a log.
    #[error("{path} already holds a log: open it instead of creating one")]
    Exists {
        /// The checkpoint that was found.
        path: PathBuf,
    },
    /// There is no checkpoint where one must be.
    #[error(
        "{path} is missing, so the log cannot be told from a rolled back one: {PUT_THE_LOG_BACK}"
    )]
    NoCheckpoint {
        /// Where it must be.
        path: PathBuf,
    },
    /// A checkpoint does not verify.
    #[error("{path} is not a checkpoint of this log ({refused}): {PUT_THE_LOG_BACK}")]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// Why; carried in the message because it is a reason rather than a cause.
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
    /// A file that the last checkpoint covers is gone or cut short.
    #[error(
        "the log is shorter than its last checkpoint of {size} entries: {path} is missing or cut \
         short; {PUT_THE_LOG_BACK}"
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
    /// A name under `tile/` is none of the log's.
    #[error("{path} is not part of a log: move it away")]
    Foreign {
        /// The file or directory.
        path: PathBuf,
    },
    /// An appended entry has not the next index.
    #[error("entry {found} was appended where {expected} comes next: read the stream from there")]
    NotContiguous {
        /// Index that comes next.
        expected: u64,
        /// Index given.
        found: u64,
    },
    /// More entries than one call takes, or the log is at its largest size.
    #[error("{count} entries are too many for one append: give at most {max}")]
    TooMany {
        /// Entries given.
        count: usize,
        /// Entries taken.
        max: usize,
    },
    /// An index or size outside the log.
    #[error("{asked} is outside the log, which has {size} entries: ask for less")]
    OutOfRange {
        /// What was asked for.
        asked: u64,
        /// Entries in the log.
        size: u64,
    },
    /// An earlier write failed, so what is on disk is unknown.
    #[error("an earlier write failed: open the log again")]
    Failed,
    /// The stream ends before the log does.
    #[error(
        "the stream ends at sequence {stream} but the log holds {log}: the stream was rolled back; \
         {PUT_THE_STREAM_BACK}"
    )]
    StreamShorter {
        /// Last sequence of the stream.
        stream: u64,
        /// Last index of the log.
        log: u64,
    },
    /// Log and stream hold different messages under one sequence.
    #[error("log and stream differ at sequence {index}: one was replaced; {FIND_OUT}")]
    StreamDiffers {
        /// First such sequence.
        index: u64,
    },
}

impl Error {
    /// Sorts a failure of `action` on `path` by what its reader does about it.
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

/// Why a signed checkpoint, an entry or a proof is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// An origin is not `contractual/<deployment>/audit`.
    #[error("the origin is not of the form contractual/<deployment>/audit")]
    OriginForm,
    /// More bytes than a checkpoint may have.
    #[error("the checkpoint is larger than {} bytes", MAX_NOTE_BYTES)]
    NoteTooLarge,
    /// Not a C2SP signed note or not a C2SP checkpoint with a time.
    #[error("the checkpoint is malformed")]
    NoteMalformed,
    /// The checkpoint belongs to another log.
    #[error("the checkpoint belongs to another origin")]
    Origin,
    /// No valid signature by the log's key.
    #[error("the checkpoint is not signed by the log's key")]
    Signature,
    /// A size of zero or beyond `MAX_SIZE`.
    #[error("the checkpoint's size is outside 1 to {}", MAX_SIZE)]
    Size,
    /// More bytes than an entry may have.
    #[error("the entry is larger than {} bytes", MAX_ENTRY_BYTES)]
    EntryTooLarge,
    /// The bytes are not the one encoding of an entry.
    #[error("the entry is not in its canonical encoding")]
    EntryEncoding,
    /// The entry says it has another index.
    #[error("the entry carries another sequence than its index")]
    EntryIndex,
    /// More hashes than any proof needs, or an index or size the checkpoint does not reach.
    #[error("the proof does not fit the index and the checkpoint")]
    ProofShape,
    /// The hashes do not lead to the signed root.
    #[error("the proof does not lead to the signed root")]
    Proof,
}

/// Where a log is bad.
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

/// What is wrong there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The file cannot be read.
    #[error("cannot be read ({0:?})")]
    Unreadable(io::ErrorKind),
    /// The file is not there.
    #[error("is missing")]
    Missing,
    /// The file has another length than its place asks for, or holds bytes after its end.
    #[error("has the wrong length")]
    Length,
    /// The name is none of the log's.
    #[error("is not part of a log")]
    Foreign,
    /// A checkpoint or an entry is refused.
    #[error("{0}")]
    Refused(Refused),
    /// The entry is not what the checkpoint covers.
    #[error("is not the entry that was signed")]
    Entry,
    /// The tile does not hold the hashes of what lies below it.
    #[error("does not hold the hashes of the entries")]
    Tile,
    /// The first entry does not name this deployment.
    #[error("does not name this deployment")]
    Genesis,
    /// Tiles and entries agree with each other but not with the signed root.
    #[error("signs another log than the one in this directory")]
    Root,
    /// The anchor signed more entries than the log has.
    #[error("signs {anchor} entries but the log's own checkpoint only {log}: rolled back")]
    RolledBack {
        /// Size of the log's checkpoint.
        log: u64,
        /// Size of the anchor's checkpoint.
        anchor: u64,
    },
    /// The log is not a continuation of what the anchor signed.
    #[error("signs other entries than the log holds: the log was replaced")]
    Replaced,
    /// A roster is not the owner's.
    #[error("is a roster that the given owner's key did not sign")]
    Roster,
    /// No roster names audit's key.
    #[error(
        "is signed by a key that nobody vouches for: the log holds no roster of the given owner"
    )]
    NoRoster,
    /// The log is of another deployment.
    #[error("is a roster of the deployment {0}, not of the one that is asked for")]
    Deployment(DeploymentId),
    /// The stream lacks the message.
    #[error("is not in the stream: the stream was cut, restored or replaced")]
    NotInStream,
    /// The stream holds another message.
    #[error("is not what the stream holds there")]
    StreamDiffers,
    /// The caller's own check failed.
    #[error("{0}")]
    Observed(String),
}

/// The first bad place of a log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct Bad {
    /// Where.
    pub place: Place,
    /// What; part of the message because it is a finding rather than a cause.
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
