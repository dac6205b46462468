//! Runs the built-in file tools inside one directory and never outside it.
//!
//! # Alternatives
//! All symbolic links are refused (`RESOLVE_NO_SYMLINKS`), also those that stay inside: a link gives one
//! file two names, and then a contract's bound on paths no longer bounds the file. Files with more than
//! one hard link are refused for the same reason, and because the other name may be outside the
//! workspace.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use contract::PathGlobError;
use diagnostic::{escaped, is_hidden};
use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, fsync, mkdirat, openat, openat2,
    renameat, statat, unlinkat,
};
use rustix::io::Errno;
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use crate::disk::Room;
use crate::file_messages::{Deleted, NotKept, PathArgs, WriteArgs, Written};
use crate::held::{Held, Lost};
use crate::path::{PathError, WorkspacePath};
use crate::replaced::Old;
use crate::wire::Place;

/// Largest file read or written, in bytes.
pub const FILE_BYTES_MAX: usize = 1024 * 1024;
/// Largest encoded arguments, in bytes: 1 MiB of text in which each byte takes six.
const ARGS_BYTES_MAX: usize = 7 * 1024 * 1024;
/// Rights of a new file and a new folder, of which the umask or the folder's access control list takes away.
const FILE_MODE: u32 = 0o666;
const FOLDER_MODE: u32 = 0o777;
/// Attempts at an `openat2` that a concurrent rename interrupts.
const RESOLVE_ATTEMPTS: usize = 32;

/// A directory held open; every path is resolved beneath it by the kernel.
#[derive(Debug)]
pub struct Workspace(Held);

/// The built-in file tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileTool {
    /// `file.list`
    List,
    /// `file.read`
    Read,
    /// `file.write`
    Write,
    /// `file.delete`
    Delete,
}

impl FileTool {
    /// Returns the tool of that name, if any.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "file.list" => Some(Self::List),
            "file.read" => Some(Self::Read),
            "file.write" => Some(Self::Write),
            "file.delete" => Some(Self::Delete),
            _ => None,
        }
    }
}

/// The reason that a file tool failed without an effect.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The arguments do not decode.
    #[error("the arguments do not fit the tool; compare them with its schema")]
    Args(#[source] serde_json::Error),
    /// Arguments, text, file, pattern or listing over its bound.
    #[error("{what} is larger than {max}; ask for less")]
    TooLarge {
        /// The part that is too large.
        what: &'static str,
        /// The bound.
        max: usize,
    },
    /// The pattern of a listing is none of contracts.
    #[error("the pattern `{}` cannot be used; {}", escaped(pattern), advice(pattern, *source))]
    Pattern {
        /// The pattern.
        pattern: String,
        /// The rule it breaks.
        source: PathGlobError,
    },
    /// The workspace is not the one that was opened.
    #[error(transparent)]
    Lost(#[from] Lost),
    /// `.` where a file is needed.
    #[error("the path cannot be used here; name a file inside the workspace")]
    Path(#[source] PathError),
    /// Resolution met a symbolic link, a magic link, or left the workspace.
    #[error("`{path}` leads through a link or out of the workspace; name the file directly")]
    Escapes {
        /// The path asked for.
        path: String,
    },
    /// A directory, device, fifo, socket or link.
    #[error("`{path}` is not a regular file; name a regular file")]
    NotRegular {
        /// The path asked for.
        path: String,
    },
    /// More than one hard link.
    #[error("`{path}` has {links} hard links; copy it to a file of its own")]
    HardLinked {
        /// The path asked for.
        path: String,
        /// Links counted.
        links: u64,
    },
    /// Nothing there.
    #[error("`{path}` does not exist; list the folder to find the right name")]
    Missing {
        /// The path asked for.
        path: String,
    },
    /// Any other error of the kernel.
    #[error("`{path}` could not be used; see the cause")]
    Io {
        /// The path asked for.
        path: String,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
}

impl Workspace {
    /// Opens `path`, which must be a directory, and holds it. If the path leads elsewhere later, nothing is read or
    /// written any more.
    ///
    /// # Errors
    /// The directory cannot be opened, or the kernel has no `openat2`.
    pub fn open(path: &Path) -> std::io::Result<Self> {
        let workspace = Self(Held::open(path)?);
        workspace.directory(".").map_err(std::io::Error::other)?;
        Ok(workspace)
    }

    /// Checks that its path still leads to the folder that was opened, in the same mount.
    ///
    /// # Errors
    /// What happened to it, and the repair.
    pub fn is_in_place(&self) -> Result<(), Lost> {
        self.0.check()
    }

    /// Decodes `args` (canonical JSON), performs `tool` and returns its output bytes.
    ///
    /// # Errors
    /// As the single tools.
    pub fn call(&self, tool: FileTool, args: &[u8]) -> Result<Vec<u8>, FileError> {
        match tool {
            FileTool::List => encode(&self.list(&decode(args)?)?),
            FileTool::Read => self.read(&decode(args)?),
            FileTool::Write => encode(&self.write(&decode(args)?)?),
            FileTool::Delete => encode(&self.delete(&decode(args)?)?),
        }
    }

    /// Reads a regular file of at most 1 MiB.
    ///
    /// # Errors
    /// Missing, linked, special, too large, or unreadable.
    pub fn read(&self, args: &PathArgs) -> Result<Vec<u8>, FileError> {
        self.is_in_place()?;
        let path = args.path.as_str();
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        let fd = self.resolve(path, flags)?;
        let stat = fstat(&fd).map_err(|errno| io(path, errno))?;
        regular(path, &stat)?;
        let too_large = FileError::TooLarge {
            what: "the file",
            max: FILE_BYTES_MAX,
        };
        if usize::try_from(stat.st_size).unwrap_or(usize::MAX) > FILE_BYTES_MAX {
            return Err(too_large);
        }
        let mut bytes = Vec::new();
        let bound = u64::try_from(FILE_BYTES_MAX).unwrap_or(0) + 1;
        File::from(fd)
            .take(bound)
            .read_to_end(&mut bytes)
            .map_err(|source| FileError::Io {
                path: path.to_owned(),
                source,
            })?;
        if bytes.len() > FILE_BYTES_MAX {
            Err(too_large)
        } else {
            Ok(bytes)
        }
    }

    /// Creates or replaces a file. Readers see the old content or the new, never a part; when this
    /// returns the new content is durable. It keeps owner, group, mode and attributes of the file that it replaces, as
    /// far as it may; a new file has the defaults of its folder.
    ///
    /// # Errors
    /// The existing file is linked or special, the text is too large, or the disk refuses.
    pub fn write(&self, args: &WriteArgs) -> Result<Written, FileError> {
        let path = args.path.as_str();
        if args.text.len() > FILE_BYTES_MAX {
            return Err(FileError::TooLarge {
                what: "the text",
                max: FILE_BYTES_MAX,
            });
        }
        self.is_in_place()?;
        let (folder, name) = self.parent_of(&args.path, true)?;
        let old = Old::at(&folder, name).map_err(|errno| io(path, errno))?;
        if let Some(old) = &old {
            regular(path, old.stat())?;
        }
        let temporary = temporary_name().map_err(|errno| io(path, errno))?;
        let done = write_new(&folder, &temporary, old.as_ref(), args.text.as_bytes()).and_then(
            |not_kept| {
                renameat(&folder, temporary.as_str(), &folder, name)?;
                fsync(&folder)?;
                Ok(not_kept)
            },
        );
        let not_kept = done.map_err(|source| {
            unlinkat(&folder, temporary.as_str(), AtFlags::empty()).ok();
            FileError::Io {
                path: path.to_owned(),
                source,
            }
        })?;
        let sha256 = hex(&Sha256::digest(args.text.as_bytes()));
        Ok(Written {
            path: args.path.clone(),
            bytes: args.text.len(),
            sha256,
            not_kept,
        })
    }

    /// Deletes one name of a regular file.
    ///
    /// # Errors
    /// Missing, special, or in a directory that cannot be reached without a link.
    pub fn delete(&self, args: &PathArgs) -> Result<Deleted, FileError> {
        let path = args.path.as_str();
        self.is_in_place()?;
        let (folder, name) = self.parent_of(&args.path, false)?;
        let stat = statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW).map_err(|e| io(path, e))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(FileError::NotRegular {
                path: path.to_owned(),
            });
        }
        unlinkat(&folder, name, AtFlags::empty()).map_err(|errno| io(path, errno))?;
        fsync(&folder).map_err(|errno| io(path, errno))?;
        Ok(Deleted {
            path: args.path.clone(),
        })
    }

    /// Returns the free space on its volume.
    pub(crate) fn room(&self) -> rustix::io::Result<Room> {
        Room::of(self.0.root())
    }

    /// Returns the place of the workspace, in a form that another process can open and compare.
    pub(crate) fn place(&self) -> Place {
        self.0.place()
    }

    fn parent_of<'a>(
        &self,
        path: &'a WorkspacePath,
        create: bool,
    ) -> Result<(OwnedFd, &'a str), FileError> {
        if path.is_root() {
            return Err(FileError::Path(PathError::Component));
        }
        let (folder, name) = path.split();
        match self.directory(folder) {
            Err(FileError::Missing { .. }) if create => {}
            other => return Ok((other?, name)),
        }
        let ends = folder
            .match_indices('/')
            .map(|(at, _)| at)
            .chain([folder.len()]);
        let mut above = self.directory(".")?;
        let mut start = 0;
        for end in ends {
            let part = folder.get(start..end).unwrap_or_default();
            match mkdirat(&above, part, Mode::from_raw_mode(FOLDER_MODE)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(io(path.as_str(), errno)),
            }
            above = self.directory(folder.get(..end).unwrap_or_default())?;
            start = end + 1;
        }
        Ok((above, name))
    }

    pub(crate) fn directory(&self, path: &str) -> Result<OwnedFd, FileError> {
        self.resolve(path, OFlags::RDONLY | OFlags::DIRECTORY)
    }

    fn resolve(&self, path: &str, flags: OFlags) -> Result<OwnedFd, FileError> {
        let how = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_SYMLINKS;
        let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let mut last = Errno::AGAIN;
        for _ in 0..RESOLVE_ATTEMPTS {
            match openat2(self.0.root().as_fd(), path, flags, Mode::empty(), how) {
                Ok(fd) => return Ok(fd),
                Err(errno @ (Errno::AGAIN | Errno::INTR)) => last = errno,
                Err(errno) => return Err(io(path, errno)),
            }
        }
        Err(io(path, last))
    }
}

/// Writes a new file with the properties of `old`, or the defaults of its folder.
fn write_new(
    folder: &OwnedFd,
    name: &str,
    old: Option<&Old>,
    bytes: &[u8],
) -> std::io::Result<BTreeSet<NotKept>> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    // Nobody may read the new content before it has the rights of the old one.
    let mode = if old.is_some() { 0o600 } else { FILE_MODE };
    let mut file = File::from(openat(folder, name, flags, Mode::from_raw_mode(mode))?);
    file.write_all(bytes)?;
    let not_kept = match old {
        Some(old) => old.give(&file)?,
        None => BTreeSet::new(),
    };
    file.sync_all()?;
    Ok(not_kept)
}

fn temporary_name() -> rustix::io::Result<String> {
    let mut random = [0_u8; 12];
    rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())?;
    Ok(format!(".{}.part", hex(&random)))
}

pub(crate) fn regular(path: &str, stat: &Stat) -> Result<(), FileError> {
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(FileError::NotRegular {
            path: path.to_owned(),
        });
    }
    #[cfg_attr(
        target_arch = "x86_64",
        expect(
            clippy::useless_conversion,
            reason = "the link count has another width elsewhere"
        )
    )]
    let links = u64::from(stat.st_nlink);
    if links == 1 {
        Ok(())
    } else {
        Err(FileError::HardLinked {
            path: path.to_owned(),
            links,
        })
    }
}

pub(crate) fn io(path: &str, errno: Errno) -> FileError {
    let path = path.to_owned();
    match errno {
        Errno::NOENT | Errno::NOTDIR => FileError::Missing { path },
        Errno::LOOP | Errno::XDEV => FileError::Escapes { path },
        Errno::ISDIR | Errno::NXIO | Errno::NODEV => FileError::NotRegular { path },
        _ => FileError::Io {
            path,
            source: errno.into(),
        },
    }
}

fn decode<T: DeserializeOwned>(args: &[u8]) -> Result<T, FileError> {
    if args.len() > ARGS_BYTES_MAX {
        return Err(FileError::TooLarge {
            what: "the arguments",
            max: ARGS_BYTES_MAX,
        });
    }
    serde_json::from_slice(args).map_err(FileError::Args)
}

fn encode<T: Serialize>(output: &T) -> Result<Vec<u8>, FileError> {
    serde_json::to_vec(output).map_err(FileError::Args)
}

/// Encodes bytes in lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the sentence that says how to write a pattern instead.
fn advice(pattern: &str, error: PathGlobError) -> &'static str {
    match error {
        PathGlobError::TooLong => "shorten it to 1024 bytes",
        PathGlobError::Absolute => {
            "leave out the first `/`: it starts at the folder that is listed"
        }
        PathGlobError::Joined => {
            "write `**/*.txt` for the texts of all folders: `**` is a name of its own"
        }
        PathGlobError::Unsupported if pattern.contains(['{', '[']) => {
            "list once for each of `*.txt` and `*.md`, or write `*` for any characters"
        }
        PathGlobError::Unsupported => "write `*` for any characters of a name",
        PathGlobError::NotNormal if pattern.is_empty() => {
            "leave it out, or write `**`, to list everything"
        }
        PathGlobError::NotNormal if pattern.chars().any(is_hidden) => {
            "write `*` for the invisible character"
        }
        PathGlobError::NotNormal if pattern.ends_with('/') => {
            "write `docs/**` for everything below `docs`"
        }
        PathGlobError::NotNormal => {
            "write it without `.`, `..` and empty names, such as `docs/*.md`"
        }
    }
}
