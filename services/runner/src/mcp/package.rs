//! Digests the folder of a package, and copies it unless only root can change it.
//!
//! The digest covers the name, kind, execute bit and bytes of every file, and the target of every link. A server runs
//! from the folder itself if only root can write to all of it; otherwise from a copy that is digested while it is made,
//! so that what was compared is what runs.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags, Stat, Timespec, Timestamps, fstat,
    openat, openat2, readlinkat, statat,
};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

use crate::digest_cache::{is_roots_alone, only_root_writes};
use crate::path::is_plain;
use crate::sha256;
use crate::wire::Place;

/// Largest number of files, folders and links of a package.
const ENTRIES_MAX: usize = 100_000;
/// Largest sum of the sizes of a package's files, in bytes.
const BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;
/// Deepest folder of a package.
const DEPTH_MAX: usize = 64;

/// The reason that a package cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackageError {
    /// Relative, or with a component that is empty, `.` or `..`.
    #[error("the package folder `{}` is not a plain absolute path; write it from the root, without `.` and `..`", .0.display())]
    NotPlain(PathBuf),
    /// Missing, reached through a link, not a folder, or another error of the kernel.
    #[error("`{}` of the package cannot be read ({cause}); name the folder itself, and make it readable for the runner", path.display())]
    Unreadable {
        /// The path.
        path: PathBuf,
        /// The kernel's error.
        cause: String,
    },
    /// A device, fifo or socket, or a name that is not UTF-8.
    #[error("`{}` of the package is no plain file, folder or link; remove it", .0.display())]
    Special(PathBuf),
    /// A link that leads out of the package.
    #[error("the link `{}` leads out of the package; replace it by the file", .0.display())]
    Link(PathBuf),
    /// In a folder that tools can write, or around one.
    #[error("the package folder `{}` and {}, where tools can write, are inside one another; move the package", path.display(), folder.display())]
    Writable {
        /// The package.
        path: PathBuf,
        /// The folder.
        folder: PathBuf,
    },
    /// Too many entries or bytes, or too deep.
    #[error(
        "the package folder `{}` has more than {ENTRIES_MAX} entries or {BYTES_MAX} bytes; name the part that the server needs",
        .0.display()
    )]
    TooLarge(PathBuf),
    /// Other contents than those of the digest.
    #[error("the package `{}` is not the signed one: its SHA-256 was {signed}, is {now}", path.display())]
    Changed {
        /// The folder.
        path: PathBuf,
        /// The digest of the entry.
        signed: String,
        /// The digest now.
        now: String,
    },
}

/// A package as it was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Digested {
    /// In lower-case hexadecimal.
    pub(super) sha256: String,
    /// True if nobody but root can change it.
    pub(super) is_roots_alone: bool,
}

/// Digests a package outside of the folders that tools can write.
pub(super) fn digest(folder: &Path, kept_out: &[Place]) -> Result<Digested, PackageError> {
    walk(folder, kept_out, None)
}

/// Returns the folder to run a package from: itself, or a copy in `copies`.
pub(super) fn hold(
    folder: &Path,
    signed: &str,
    kept_out: &[Place],
    copies: &Path,
) -> Result<PathBuf, PackageError> {
    let compare = |now: String| {
        if now == signed {
            return Ok(());
        }
        Err(PackageError::Changed {
            path: folder.to_owned(),
            signed: signed.to_owned(),
            now,
        })
    };
    // A folder that others own is copied whatever it holds, and need not be read twice.
    let (_, only_root_writes) = open(folder, kept_out)?;
    if only_root_writes {
        let found = digest(folder, kept_out)?;
        compare(found.sha256)?;
        if found.is_roots_alone {
            return Ok(folder.to_owned());
        }
    }
    let copy = copies.join(signed);
    compare(walk(folder, kept_out, Some(&copy))?.sha256)?;
    Ok(copy)
}

/// Opens the folder of a package outside of the folders that tools can write. Returns true with it if nobody but root can
/// replace it.
pub(super) fn open(folder: &Path, kept_out: &[Place]) -> Result<(OwnedFd, bool), PackageError> {
    if !is_plain(folder) {
        return Err(PackageError::NotPlain(folder.to_owned()));
    }
    let unreadable = |errno: Errno| unreadable(folder, &errno.into());
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let how = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let opened = openat2(CWD, folder, flags, Mode::empty(), how).map_err(unreadable)?;
    let mut roots_alone = true;
    for above in folder.ancestors() {
        let about = statat(CWD, above, AtFlags::SYMLINK_NOFOLLOW).map_err(unreadable)?;
        let is_sticky = about.st_mode & 0o1000 != 0 && above != folder;
        roots_alone &= only_root_writes(&about) || (about.st_uid == 0 && is_sticky);
        let inside = kept_out.iter().find(|place| place.is(&about));
        let around = || kept_out.iter().find(|place| place.path.starts_with(folder));
        if let Some(place) = inside.or_else(around) {
            return Err(PackageError::Writable {
                path: folder.to_owned(),
                folder: place.path.clone(),
            });
        }
    }
    Ok((opened, roots_alone))
}

fn walk(folder: &Path, kept_out: &[Place], copy: Option<&Path>) -> Result<Digested, PackageError> {
    let (opened, roots_alone) = open(folder, kept_out)?;
    let mut walk = PackageWalk {
        folder,
        sha256: Sha256::new(),
        entries: 0,
        bytes: 0,
        roots_alone,
    };
    if let Some(copy) = copy {
        make_folder(copy).map_err(|error| self::unreadable(copy, &error))?;
    }
    walk.folder(&opened, Path::new(""), copy, 0)?;
    Ok(Digested {
        sha256: sha256::hex(&walk.sha256.finalize()),
        is_roots_alone: walk.roots_alone,
    })
}

struct PackageWalk<'a> {
    folder: &'a Path,
    sha256: Sha256,
    entries: usize,
    bytes: u64,
    roots_alone: bool,
}

impl PackageWalk<'_> {
    fn folder(
        &mut self,
        folder: &OwnedFd,
        below: &Path,
        copy: Option<&Path>,
        depth: usize,
    ) -> Result<(), PackageError> {
        if depth > DEPTH_MAX {
            return Err(PackageError::TooLarge(self.folder.to_owned()));
        }
        for name in self.names(folder, below)? {
            let path = below.join(&name);
            let copy = copy.map(|copy| copy.join(&name));
            let about = statat(folder, &name, AtFlags::SYMLINK_NOFOLLOW)
                .map_err(|errno| self.unreadable(&path, &errno.into()))?;
            match FileType::from_raw_mode(about.st_mode) {
                FileType::Directory => {
                    self.roots_alone &= only_root_writes(&about);
                    self.name(b'd', &path);
                    if let Some(copy) = &copy {
                        make_folder(copy).map_err(|error| self.unreadable(&path, &error))?;
                    }
                    let flags =
                        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                    let inner = openat(folder, &name, flags, Mode::empty())
                        .map_err(|errno| self.unreadable(&path, &errno.into()))?;
                    self.folder(&inner, &path, copy.as_deref(), depth + 1)?;
                }
                FileType::RegularFile => self.file(folder, &name, &path, copy.as_deref())?,
                FileType::Symlink => self.link(folder, &name, &path, copy.as_deref())?,
                FileType::Fifo
                | FileType::Socket
                | FileType::CharacterDevice
                | FileType::BlockDevice
                | FileType::Unknown => {
                    return Err(PackageError::Special(self.folder.join(&path)));
                }
            }
        }
        Ok(())
    }

    /// Returns the names in a folder, sorted.
    fn names(&mut self, folder: &OwnedFd, below: &Path) -> Result<Vec<String>, PackageError> {
        let failed = |errno: Errno| self.unreadable(below, &errno.into());
        let mut names = Vec::new();
        for entry in Dir::read_from(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let Ok(name) = entry.file_name().to_str() else {
                return Err(PackageError::Special(self.folder.join(below)));
            };
            if !matches!(name, "." | "..") {
                names.push(name.to_owned());
            }
            if self.entries + names.len() > ENTRIES_MAX {
                return Err(PackageError::TooLarge(self.folder.to_owned()));
            }
        }
        self.entries += names.len();
        names.sort_unstable();
        Ok(names)
    }

    fn file(
        &mut self,
        folder: &OwnedFd,
        name: &str,
        path: &Path,
        copy: Option<&Path>,
    ) -> Result<(), PackageError> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let failed = |error: io::Error| self.unreadable(path, &error);
        let file = openat(folder, name, flags, Mode::empty()).map_err(|e| failed(e.into()))?;
        let about = fstat(&file).map_err(|errno| failed(errno.into()))?;
        if FileType::from_raw_mode(about.st_mode) != FileType::RegularFile {
            return Err(PackageError::Special(self.folder.join(path)));
        }
        let is_program = about.st_mode & 0o111 != 0;
        let mut to = copy
            .map(|copy| make_file(copy, is_program))
            .transpose()
            .map_err(failed)?;
        let left = BYTES_MAX.saturating_sub(self.bytes);
        let read = sha256::read(&mut File::from(file), to.as_mut(), left);
        let Some((digest, bytes)) = read.map_err(|error| self.unreadable(path, &error))? else {
            return Err(PackageError::TooLarge(self.folder.to_owned()));
        };
        if let Some(to) = to {
            // Interpreters compare a compiled file with the time of its source.
            keep_time(&to, &about).map_err(|error| self.unreadable(path, &error))?;
        }
        self.bytes += bytes;
        self.roots_alone &= is_roots_alone(&about);
        self.name(if is_program { b'x' } else { b'f' }, path);
        self.sha256.update(digest);
        Ok(())
    }

    fn link(
        &mut self,
        folder: &OwnedFd,
        name: &str,
        path: &Path,
        copy: Option<&Path>,
    ) -> Result<(), PackageError> {
        let target = readlinkat(folder, name, Vec::new())
            .map_err(|errno| self.unreadable(path, &errno.into()))?;
        let wrong = || PackageError::Link(self.folder.join(path));
        let target = target.to_str().map_err(|_| wrong())?.to_owned();
        if !stays(path, Path::new(&target)) {
            return Err(wrong());
        }
        if let Some(copy) = copy {
            std::os::unix::fs::symlink(&target, copy)
                .map_err(|error| self.unreadable(path, &error))?;
        }
        self.name(b'l', path);
        self.name(b'>', Path::new(&target));
        Ok(())
    }

    /// Adds a kind and a name to the digest, with the name's length.
    fn name(&mut self, kind: u8, path: &Path) {
        let path = path.as_os_str().as_encoded_bytes();
        let length = u64::try_from(path.len()).unwrap_or(u64::MAX);
        self.sha256.update([kind]);
        self.sha256.update(length.to_le_bytes());
        self.sha256.update(path);
    }

    fn unreadable(&self, path: &Path, cause: &io::Error) -> PackageError {
        unreadable(&self.folder.join(path), cause)
    }
}

fn unreadable(path: &Path, cause: &io::Error) -> PackageError {
    PackageError::Unreadable {
        path: path.to_owned(),
        cause: cause.to_string(),
    }
}

/// Returns true if the link at `path` leads to something beneath the package.
fn stays(path: &Path, target: &Path) -> bool {
    let mut depth = path.components().count().saturating_sub(1);
    for part in target.components() {
        match part {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir if depth > 0 => depth -= 1,
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return false,
        }
    }
    true
}

fn make_folder(path: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().mode(0o700).create(path)
}

fn make_file(path: &Path, is_program: bool) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mode = if is_program { 0o500 } else { 0o400 };
    File::options()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
}

fn keep_time(file: impl AsFd, about: &Stat) -> io::Result<()> {
    let time = Timespec {
        tv_sec: about.st_mtime,
        tv_nsec: i64::try_from(about.st_mtime_nsec).unwrap_or(0),
    };
    let times = Timestamps {
        last_access: time,
        last_modification: time,
    };
    Ok(rustix::fs::futimens(file, &times)?)
}
