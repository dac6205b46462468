//! Reads, writes and deletes files inside one directory and never outside it.
//!
//! # Alternatives
//! All symbolic links are refused (`RESOLVE_NO_SYMLINKS`), also those that stay inside: a link gives one
//! file two names, and then a contract's bound on paths no longer bounds the file. Files with more than
//! one hard link are refused for the same reason, and because the other name may be outside the
//! workspace.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, fsync, mkdirat, openat, openat2,
    renameat, statat, unlinkat,
};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

use crate::disk::Room;
use crate::file_error::{FileError, io, regular};
use crate::file_messages::{Deleted, NotKept, PathArgs, WriteArgs, Written};
use crate::held::{Held, Lost};
use crate::path::{PathError, WorkspacePath};
use crate::replaced::Old;
use crate::sha256::hex;
use crate::wire::Place;

/// Largest file read or written, in bytes.
pub const FILE_BYTES_MAX: usize = 1024 * 1024;
/// Rights of a new file and a new folder, of which the umask or the folder's access control list takes away.
const FILE_MODE: u32 = 0o666;
const FOLDER_MODE: u32 = 0o777;
/// Attempts at an `openat2` that a concurrent rename interrupts.
const RESOLVE_ATTEMPTS: usize = 32;

/// Folders that are only read, by name.
pub(crate) type ReadFolders = BTreeMap<String, Arc<Held>>;

/// A directory held open; every path is resolved beneath it by the kernel.
///
/// With folders that are only read, a path whose first name begins with `@` names one of them, and nothing in the
/// workspace: `@reference/a.md` is `a.md` in `reference`.
#[derive(Clone, Debug)]
pub struct Workspace {
    root: Arc<Held>,
    read: ReadFolders,
}

impl Workspace {
    /// Opens `path`, which must be a directory, and holds it. If the path leads elsewhere later, nothing is read or
    /// written any more.
    ///
    /// # Errors
    /// The directory cannot be opened, or the kernel has no `openat2`.
    pub fn open(path: &Path) -> std::io::Result<Self> {
        let workspace = Self {
            root: Arc::new(Held::open(path, "workspace")?),
            read: ReadFolders::new(),
        };
        workspace.directory(".").map_err(std::io::Error::other)?;
        Ok(workspace)
    }

    /// Returns the same workspace with folders that are only read.
    pub(crate) fn reading(&self, read: ReadFolders) -> Self {
        let root = Arc::clone(&self.root);
        Self { root, read }
    }

    /// Checks that its path, and those of the folders that are only read, still lead to what was opened, in the same
    /// mount.
    ///
    /// # Errors
    /// The loss, and the repair.
    pub fn is_in_place(&self) -> Result<(), Lost> {
        self.root.check()?;
        self.read.values().try_for_each(|held| held.check())
    }

    /// Returns the folder that is only read in which a path is, with the rest of the path; `None` for a path of the
    /// workspace.
    pub(crate) fn read_folder<'p>(
        &self,
        path: &'p str,
    ) -> Result<Option<(&Held, &'p str)>, PathError> {
        let Some(named) = path.strip_prefix('@').filter(|_| !self.read.is_empty()) else {
            return Ok(None);
        };
        let (name, rest) = named.split_once('/').unwrap_or((named, "."));
        let unknown = || PathError::Folder(self.read.keys().cloned().collect());
        let held = self.read.get(name).ok_or_else(unknown)?;
        Ok(Some((held, rest)))
    }

    /// Returns true if no path reaches an entry of this name at the top of the workspace.
    pub(crate) fn hides(&self, name: &str) -> bool {
        !self.read.is_empty() && name.starts_with('@')
    }

    /// Reads a regular file of at most 1 MiB.
    ///
    /// # Errors
    /// Missing, linked, special, too large, or unreadable.
    pub fn read(&self, args: &PathArgs) -> Result<Vec<u8>, FileError> {
        self.is_in_place()?;
        let (bytes, _) = self.bytes(&args.path, FILE_BYTES_MAX)?;
        Ok(bytes)
    }

    /// Reads a regular file of at most `bytes_max` bytes; returns what it was at the beginning as well.
    pub(crate) fn bytes(
        &self,
        path: &WorkspacePath,
        bytes_max: usize,
    ) -> Result<(Vec<u8>, Stat), FileError> {
        let path = path.as_str();
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        let fd = self.resolve(path, flags)?;
        let stat = fstat(&fd).map_err(|errno| io(path, errno))?;
        regular(path, &stat)?;
        let too_large = FileError::TooLarge {
            what: "the file",
            max: bytes_max,
        };
        if usize::try_from(stat.st_size).unwrap_or(usize::MAX) > bytes_max {
            return Err(too_large);
        }
        let mut bytes = Vec::new();
        let bound = u64::try_from(bytes_max).unwrap_or(u64::MAX);
        File::from(fd)
            .take(bound.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(|source| FileError::Io {
                path: path.to_owned(),
                source,
            })?;
        if bytes.len() > bytes_max {
            Err(too_large)
        } else {
            Ok((bytes, stat))
        }
    }

    /// Reads a text of at most 1 MiB.
    pub(crate) fn text(&self, path: &WorkspacePath) -> Result<(String, Stat), FileError> {
        let (bytes, stat) = self.bytes(path, FILE_BYTES_MAX)?;
        match String::from_utf8(bytes) {
            Ok(text) if !text.contains('\0') => Ok((text, stat)),
            Ok(_) | Err(_) => {
                let problem = "is no text in UTF-8";
                Err(FileError::unfit(path, problem, "name a text file"))
            }
        }
    }

    /// Creates or replaces a file. Readers see the old content or the new, never a part; when this
    /// returns the new content is durable. It keeps owner, group, mode and attributes of the file that it replaces, as
    /// far as it may; a new file has the defaults of its folder.
    ///
    /// # Errors
    /// The existing file is linked or special, the text is too large, or the disk refuses.
    pub fn write(&self, args: &WriteArgs) -> Result<Written, FileError> {
        self.replace(args, None)
    }

    /// Does the same as [`Workspace::write`], but only if the file is still `read`, in case that is given.
    pub(crate) fn replace(
        &self,
        args: &WriteArgs,
        read: Option<&Stat>,
    ) -> Result<Written, FileError> {
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
        let old_stat = old.as_ref().map(Old::stat);
        if read.is_some_and(|read| !old_stat.is_some_and(|old| is_unchanged(read, old))) {
            return Err(FileError::Changed {
                path: path.to_owned(),
            });
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
        Room::of(self.root.root())
    }

    /// Returns the place of the workspace, in a form that another process can open and compare.
    pub(crate) fn place(&self) -> Place {
        self.root.place()
    }

    /// Opens the folder of a path, and returns the path's last name. With `create`, missing folders are created.
    pub(crate) fn parent_of<'a>(
        &self,
        path: &'a WorkspacePath,
        create: bool,
    ) -> Result<(OwnedFd, &'a str), FileError> {
        let in_read_folder = self.read_folder(path.as_str());
        if in_read_folder.map_err(FileError::Path)?.is_some() {
            return Err(FileError::Path(PathError::ReadOnly));
        }
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
        let (held, beneath) = self
            .read_folder(path)
            .map_err(FileError::Path)?
            .unwrap_or((&self.root, path));
        let mut last = Errno::AGAIN;
        for _ in 0..RESOLVE_ATTEMPTS {
            match openat2(held.root().as_fd(), beneath, flags, Mode::empty(), how) {
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
    Ok(format!(".{}.part", random_name()?))
}

/// Makes a name of 24 hexadecimal digits that nobody can guess.
pub(crate) fn random_name() -> rustix::io::Result<String> {
    let mut random = [0_u8; 12];
    rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())?;
    Ok(hex(&random))
}

/// Returns true if both are the same file with the same content, as far as the kernel tells.
fn is_unchanged(before: &Stat, now: &Stat) -> bool {
    let told = |stat: &Stat| {
        let changed = (stat.st_mtime, stat.st_mtime_nsec);
        (stat.st_dev, stat.st_ino, stat.st_size, changed)
    };
    told(before) == told(now)
}
