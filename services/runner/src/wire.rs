//! Defines the messages that pass a call's specification to the stages of the cage and the report back.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, Stat, fstat};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::asked::AskedCall;
use crate::digest_cache::Known;

/// Largest JSON frame, in bytes.
pub(crate) const FRAME_BYTES_MAX: u32 = 1024 * 1024;
/// Largest number of stored bytes of standard error; the rest is read and dropped.
pub(crate) const STDERR_BYTES_MAX: usize = 64 * 1024;

/// Bounds of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Wall clock, 1 to 3,600,000 ms.
    pub wall_ms: u64,
    /// Processor time of each process, rounded up to whole seconds.
    pub cpu_ms_max: u64,
    /// Standard output, up to 16 MiB; one byte more ends the call.
    pub output_bytes_max: usize,
    /// Address space of each process.
    pub memory_bytes_max: u64,
    /// Processes alive at once, counted over the whole tree twenty times a second.
    pub processes_max: u64,
    /// Size of each file written.
    pub file_bytes_max: u64,
    /// Descriptors open at once in each process.
    pub files_open_max: u64,
    /// Bytes by which the folders that the call may write grow; 64 MiB if left out.
    #[serde(default = "added_bytes_max")]
    pub added_bytes_max: u64,
    /// Files and folders by which they grow; 1,000 if left out.
    #[serde(default = "added_files_max")]
    pub added_files_max: u64,
}

const fn added_bytes_max() -> u64 {
    64 * 1024 * 1024
}

const fn added_files_max() -> u64 {
    1000
}

/// A directory by path and identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Place {
    pub(crate) path: PathBuf,
    pub(crate) dev: u64,
    pub(crate) ino: u64,
}

impl Place {
    /// Returns the place of an existing directory.
    pub(crate) fn at(path: &Path) -> io::Result<Self> {
        let path = path.canonicalize()?;
        let about = std::fs::metadata(&path)?;
        Ok(Self {
            path,
            dev: about.dev(),
            ino: about.ino(),
        })
    }

    /// Opens the directory for inspection, if it is still the same.
    pub(crate) fn open(&self) -> io::Result<OwnedFd> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::open(&self.path, flags, Mode::empty())?;
        if self.is(&fstat(&fd)?) {
            Ok(fd)
        } else {
            Err(io::Error::other("another directory is at its path"))
        }
    }

    /// Returns true if this is the same directory.
    pub(crate) const fn is(&self, about: &Stat) -> bool {
        self.dev == about.st_dev && self.ino == about.st_ino
    }
}

/// The folders with which the files of a tool do not overlap.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeptOut {
    /// Folders that tools can write.
    pub(crate) written: Vec<Place>,
    /// The runner's state and configuration.
    pub(crate) own: Vec<Place>,
}

/// The program of a call, with the SHA-256 of each of its files.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Signed {
    pub(crate) program: PathBuf,
    pub(crate) argv0: Option<String>,
    pub(crate) sha256: BTreeMap<PathBuf, String>,
    /// Files that had one of these digests when they were read, and cannot have changed unnoticed.
    pub(crate) known: Vec<Known>,
}

/// One argument of a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Word {
    /// From the catalogue.
    Fixed(String),
    /// From the call.
    Given(String),
}

impl Word {
    pub(crate) fn into_text(self) -> String {
        match self {
            Self::Fixed(text) | Self::Given(text) => text,
        }
    }
}

/// A path of the workspace that the program of a call may use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PathArg {
    pub(crate) path: String,
    pub(crate) write: bool,
    /// True if it has to be a folder.
    pub(crate) is_folder: bool,
    /// The folder outside of the workspace in which it is, and the rest of the path there.
    pub(crate) beneath: Option<(Place, String)>,
}

/// The call that the supervisor runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CallSpec {
    pub(crate) scratch: PathBuf,
    pub(crate) workspace: Place,
    pub(crate) writable: bool,
    /// Folders outside of the workspace that the program may read.
    pub(crate) folders: Vec<PathBuf>,
    pub(crate) kept_out: KeptOut,
    /// The launcher itself if left out.
    pub(crate) signed: Option<Signed>,
    pub(crate) argv: Vec<Word>,
    /// The part of the workspace that the program sees; all of it if left out.
    pub(crate) paths: Option<Vec<PathArg>>,
    /// Folders that the program is made of besides its files.
    pub(crate) packages: Vec<PathBuf>,
    /// Variables besides those of every program.
    pub(crate) env: BTreeMap<String, String>,
    /// True for a program that answers requests until it is stopped: its standard input and output are those of the
    /// supervisor.
    pub(crate) serves: bool,
    pub(crate) limits: Limits,
    /// True if the calls that the cage refuses are recorded. Only `trial` sets it, which no service uses.
    #[serde(default)]
    pub(crate) trial: bool,
}

/// The program that the cage executes, with its confinement.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CageSpec {
    pub(crate) supervisor: i32,
    /// Tasks on the machine before the call.
    pub(crate) tasks: u64,
    pub(crate) temporary: PathBuf,
    /// The descriptor that becomes standard input; nothing can be read there if it is left out.
    pub(crate) input: Option<i32>,
    pub(crate) call: CallSpec,
}

/// The outcome of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Outcome {
    /// Exit code 0.
    Succeeded,
    /// Any other exit code.
    Failed {
        /// The code.
        code: i32,
    },
    /// It timed out.
    TimedOut,
    /// Ended by a signal that the supervisor did not send: 31 is a forbidden architecture, 24 the
    /// processor time, 25 the file size.
    Killed {
        /// The signal.
        signal: i32,
    },
    /// Ended because it wrote more standard output than allowed.
    OutputExceeded,
    /// Ended because it had more processes than allowed.
    ProcessesExceeded,
    /// The folders that it may write grew by more than allowed, or their contents became unreadable. It was ended,
    /// unless it had exited before the count.
    AddedExceeded(Added),
    /// Ended because the volume that it may write was nearly full.
    NoRoom,
}

/// The unit of a call's additions to the folders that it may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Added {
    /// Bytes.
    Bytes,
    /// Files and folders.
    Files,
}

/// The view of a program that a trial has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Observed {
    /// The system calls that the cage did not make, in the order in which they were first asked for.
    pub calls: Vec<AskedCall>,
    /// True if a real-time signal was lost, which a real call delivers.
    pub lost_signal: bool,
}

/// The report of the supervisor; standard output and error follow it as raw bytes.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Report {
    Ran {
        outcome: Outcome,
        truncated: bool,
        wall_ms: u64,
        cpu_ms: u64,
        stdout_bytes: usize,
        stderr_bytes: usize,
        /// None of a real call, and of a trial that could not be traced.
        #[serde(default)]
        observed: Option<Observed>,
    },
    Refused(Refusal),
}

/// The part of the cage that could not be set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// The stages could not be started or could not talk to each other.
    Stage,
    /// Landlock of ABI 6 or later.
    Landlock,
    /// The system call filter.
    Seccomp,
    /// Resource limits and process attributes.
    Limits,
    /// The workspace directory, unchanged since it was opened.
    Workspace,
    /// The private temporary directory.
    Temporary,
    /// The program of the tool.
    Program,
    /// The files of the program, as the owner signed them.
    Signed,
    /// A path of the arguments.
    Path,
    /// A folder that the program may read.
    Folder,
}

impl Missing {
    /// Returns the missing part and the fix.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stage => {
                "the cage could not start its stages; check that the launcher is this binary"
            }
            Self::Landlock => {
                "the cage could not enforce Landlock ABI 6; use Linux 6.12 or later with Landlock on"
            }
            Self::Seccomp => {
                "the cage could not install its system call filter; allow seccomp in the container profile"
            }
            Self::Limits => {
                "the cage could not set its resource limits; raise the hard limits of the service"
            }
            Self::Workspace => {
                "the cage could not open the workspace it was given; check that it was not replaced"
            }
            Self::Temporary => {
                "the cage could not use its temporary directory; check the scratch directory"
            }
            Self::Program => {
                "the cage could not execute the program; check that it exists and may be executed"
            }
            Self::Signed => "the files of the program are not those that were signed",
            Self::Path => "the program may not use a path of the arguments",
            Self::Folder => "the program may not read a folder of its entry",
        }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Nothing ran, because a part of the cage could not be set up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{missing} ({detail})")]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// The part.
    pub missing: Missing,
    /// The kernel's error.
    pub detail: String,
}

impl Refusal {
    /// Turns any error into a refusal that names `missing`.
    pub(crate) fn of<E: fmt::Display>(missing: Missing) -> impl Fn(E) -> Self {
        move |error| Self {
            missing,
            detail: error.to_string(),
        }
    }
}

/// Encodes a value after its length (32 bits, little endian).
pub(crate) fn frame<T: Serialize>(value: &T) -> io::Result<Vec<u8>> {
    let json = serde_json::to_vec(value)?;
    let length = u32::try_from(json.len())
        .ok()
        .filter(|length| *length <= FRAME_BYTES_MAX);
    let length = length.ok_or_else(|| io::Error::other("the frame exceeds 1 MiB"))?;
    let mut bytes = length.to_le_bytes().to_vec();
    bytes.extend(json);
    Ok(bytes)
}

/// Writes one frame.
pub(crate) fn write_frame<T: Serialize>(to: &mut impl Write, value: &T) -> io::Result<()> {
    to.write_all(&frame(value)?)?;
    to.flush()
}

/// Reads exactly one frame.
pub(crate) fn read_frame<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<T> {
    let mut length = [0_u8; 4];
    from.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length);
    if length > FRAME_BYTES_MAX {
        return Err(io::Error::other("the frame exceeds 1 MiB"));
    }
    let mut json = Vec::new();
    from.take(u64::from(length)).read_to_end(&mut json)?;
    Ok(serde_json::from_slice(&json)?)
}
