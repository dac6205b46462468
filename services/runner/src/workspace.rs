//! Runs the built-in file tools inside one directory and never outside it.
//!
//! # Alternatives
//! All symbolic links are refused (`RESOLVE_NO_SYMLINKS`), also those that stay inside: a link gives one
//! file two names, and then a contract's bound on paths no longer bounds the file. Files with more than
//! one hard link are refused for the same reason, and because the other name may be outside the
//! workspace.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, fsync, mkdirat, openat,
    openat2, renameat, statat, unlinkat,
};
use rustix::io::Errno;
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use crate::disk::Room;
use crate::file_messages::{Deleted, ListArgs, ListedFile, Listing, PathArgs, WriteArgs, Written};
use crate::glob::glob;
use crate::path::{PathError, WorkspacePath};
use crate::wire::Place;

/// Largest file read or written, in bytes.
pub const FILE_BYTES_MAX: usize = 1024 * 1024;
/// Largest number of files in one listing.
pub(crate) const LIST_FILES_MAX: usize = 10_000;
/// Largest number of directory entries read for one listing.
const LIST_ENTRIES_MAX: usize = 100_000;
/// Longest pattern, in bytes.
const PATTERN_BYTES_MAX: usize = 256;
/// Largest encoded arguments, in bytes: 1 MiB of text in which each byte takes six.
const ARGS_BYTES_MAX: usize = 7 * 1024 * 1024;
/// Attempts at an `openat2` that a concurrent rename interrupts.
const RESOLVE_ATTEMPTS: usize = 32;

/// A directory held open; every path is resolved beneath it by the kernel.
#[derive(Debug)]
pub struct Workspace {
    root: OwnedFd,
    path: PathBuf,
    dev: u64,
    ino: u64,
}

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
    /// A path that a listing found, or `.` where a file is needed.
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
    /// Opens `path`, which must be a directory, and holds it: renaming or replacing the path later
    /// does not move the workspace.
    ///
    /// # Errors
    /// The directory cannot be opened, or the kernel has no `openat2`.
    pub fn open(path: &Path) -> std::io::Result<Self> {
        let path = path.canonicalize()?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let root = rustix::fs::open(&path, flags, Mode::empty())?;
        let stat = fstat(&root)?;
        let workspace = Self {
            root,
            path,
            dev: stat.st_dev,
            ino: stat.st_ino,
        };
        let here = WorkspacePath::try_from(".".to_owned()).map_err(std::io::Error::other)?;
        workspace
            .directory(here.as_str())
            .map_err(std::io::Error::other)?;
        Ok(workspace)
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

    /// Lists regular files beneath a directory. Links and special files are left out.
    ///
    /// # Errors
    /// The directory cannot be reached without a link, or a bound is exceeded.
    pub fn list(&self, args: &ListArgs) -> Result<Listing, FileError> {
        if args
            .pattern
            .as_ref()
            .is_some_and(|pattern| pattern.len() > PATTERN_BYTES_MAX)
        {
            return Err(FileError::TooLarge {
                what: "the pattern",
                max: PATTERN_BYTES_MAX,
            });
        }
        let mut files = Vec::new();
        let mut seen = 0_usize;
        let mut open = vec![args.path.clone()];
        while let Some(folder) = open.pop() {
            let fd = match self.directory(folder.as_str()) {
                Err(FileError::Missing { .. }) if folder != args.path => continue,
                other => other?,
            };
            let names = entries(&fd, &folder, &mut seen)?;
            for name in names {
                let path = folder.join(&name).map_err(FileError::Path)?;
                let Ok(stat) = statat(&fd, name.as_str(), AtFlags::SYMLINK_NOFOLLOW) else {
                    continue;
                };
                let kind = FileType::from_raw_mode(stat.st_mode);
                if kind == FileType::Directory {
                    open.push(path);
                } else if regular(path.as_str(), &stat).is_ok() && selected(args, &path) {
                    let bytes = u64::try_from(stat.st_size).unwrap_or(0);
                    files.push(ListedFile { path, bytes });
                }
            }
            if files.len() > LIST_FILES_MAX {
                return Err(FileError::TooLarge {
                    what: "the listing",
                    max: LIST_FILES_MAX,
                });
            }
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Listing { files })
    }

    /// Reads a regular file of at most 1 MiB.
    ///
    /// # Errors
    /// Missing, linked, special, too large, or unreadable.
    pub fn read(&self, args: &PathArgs) -> Result<Vec<u8>, FileError> {
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
    /// returns the new content is durable.
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
        let (folder, name) = self.parent_of(&args.path, true)?;
        let mut mode = Mode::from_raw_mode(0o644);
        match statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => {
                regular(path, &stat)?;
                mode = Mode::from_raw_mode(stat.st_mode & 0o777);
            }
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(io(path, errno)),
        }
        let temporary = temporary_name().map_err(|errno| io(path, errno))?;
        let done = write_new(&folder, &temporary, mode, args.text.as_bytes())
            .and_then(|()| Ok(renameat(&folder, temporary.as_str(), &folder, name)?))
            .and_then(|()| Ok(fsync(&folder)?));
        if let Err(source) = done {
            unlinkat(&folder, temporary.as_str(), AtFlags::empty()).ok();
            return Err(FileError::Io {
                path: path.to_owned(),
                source,
            });
        }
        let sha256 = hex(&Sha256::digest(args.text.as_bytes()));
        Ok(Written {
            path: args.path.clone(),
            bytes: args.text.len(),
            sha256,
        })
    }

    /// Deletes one name of a regular file.
    ///
    /// # Errors
    /// Missing, special, or in a directory that cannot be reached without a link.
    pub fn delete(&self, args: &PathArgs) -> Result<Deleted, FileError> {
        let path = args.path.as_str();
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
        Room::of(&self.root)
    }

    /// Returns the place of the workspace, in a form that another process can open and compare.
    pub(crate) fn place(&self) -> Place {
        Place {
            path: self.path.clone(),
            dev: self.dev,
            ino: self.ino,
        }
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
            match mkdirat(&above, part, Mode::from_raw_mode(0o755)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(io(path.as_str(), errno)),
            }
            above = self.directory(folder.get(..end).unwrap_or_default())?;
            start = end + 1;
        }
        Ok((above, name))
    }

    fn directory(&self, path: &str) -> Result<OwnedFd, FileError> {
        self.resolve(path, OFlags::RDONLY | OFlags::DIRECTORY)
    }

    fn resolve(&self, path: &str, flags: OFlags) -> Result<OwnedFd, FileError> {
        let how = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_SYMLINKS;
        let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let mut last = Errno::AGAIN;
        for _ in 0..RESOLVE_ATTEMPTS {
            match openat2(self.root.as_fd(), path, flags, Mode::empty(), how) {
                Ok(fd) => return Ok(fd),
                Err(errno @ (Errno::AGAIN | Errno::INTR)) => last = errno,
                Err(errno) => return Err(io(path, errno)),
            }
        }
        Err(io(path, last))
    }
}

fn entries(
    fd: &OwnedFd,
    folder: &WorkspacePath,
    seen: &mut usize,
) -> Result<Vec<String>, FileError> {
    let mut names = Vec::new();
    for entry in Dir::read_from(fd).map_err(|errno| io(folder.as_str(), errno))? {
        let entry = entry.map_err(|errno| io(folder.as_str(), errno))?;
        *seen += 1;
        if *seen > LIST_ENTRIES_MAX {
            return Err(FileError::TooLarge {
                what: "the folder",
                max: LIST_ENTRIES_MAX,
            });
        }
        // No tool can request a name that is not UTF-8, so it is not listed.
        if let Ok(name) = entry.file_name().to_str()
            && !matches!(name, "." | "..")
        {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

fn write_new(folder: &OwnedFd, name: &str, mode: Mode, bytes: &[u8]) -> std::io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(openat(folder, name, flags, mode)?);
    file.write_all(bytes)?;
    file.sync_all()
}

fn temporary_name() -> rustix::io::Result<String> {
    let mut random = [0_u8; 12];
    rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())?;
    Ok(format!(".{}.part", hex(&random)))
}

fn regular(path: &str, stat: &Stat) -> Result<(), FileError> {
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

fn io(path: &str, errno: Errno) -> FileError {
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

fn selected(args: &ListArgs, path: &WorkspacePath) -> bool {
    let Some(pattern) = &args.pattern else {
        return true;
    };
    let prefix = if args.path.is_root() {
        0
    } else {
        args.path.as_str().len() + 1
    };
    let text = path.as_str().get(prefix..).unwrap_or_default();
    glob(pattern, text)
}
