//! Opens the workspace paths of a call's arguments, as the file tools open theirs: beneath the workspace, through no link.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, mkdirat, openat, openat2,
    statat,
};
use rustix::io::Errno;

use crate::wire::PathArg;

/// Largest number of entries beneath one folder.
const ENTRIES_MAX: usize = 1_000_000;
/// Deepest folder beneath one folder.
const DEPTH_MAX: usize = 128;
/// Attempts at an `openat2` that a concurrent rename interrupts.
const RESOLVE_ATTEMPTS: usize = 32;

/// The reason that a path cannot be handed to a program.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ViewError {
    #[error("`{0}` leads through a link or out of the workspace; name the file directly")]
    Escapes(String),
    #[error("`{0}` does not exist; list the folder to find the right name")]
    Missing(String),
    #[error("`{0}` is neither a regular file nor a folder; name one of them")]
    Special(String),
    #[error("`{0}` is not a folder; name one")]
    NotFolder(String),
    #[error(
        "`{path}` has or contains a file with a hard link elsewhere (`{name}`); copy that file to one of its own"
    )]
    HardLinked { path: String, name: String },
    #[error("the folder `{0}` holds too many files, or is too deep; name a part of it")]
    TooLarge(String),
    #[error("`{path}` cannot be used ({cause}); check it")]
    Io { path: String, cause: Errno },
    #[error("`{0}` is in a folder that is only read; name a path of the workspace")]
    ReadOnly(String),
    #[error("the folder of `{path}` cannot be opened ({cause}); check that it was not replaced")]
    Folder { path: String, cause: std::io::Error },
}

/// An open path of the workspace.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) fd: OwnedFd,
    pub(crate) is_folder: bool,
}

/// Opens the path of an argument. A file or folder that is to be written is created if it is missing.
///
/// A file with a further name outside of the path is refused, because a rule of Landlock on its folder would reach it
/// under this name.
pub(crate) fn open(workspace: &OwnedFd, arg: &PathArg) -> Result<Opened, ViewError> {
    let path = arg.path.as_str();
    let Some((place, rest)) = &arg.beneath else {
        return open_at(workspace, arg, path);
    };
    if arg.write {
        return Err(ViewError::ReadOnly(path.to_owned()));
    }
    let folder = place.open().map_err(|cause| ViewError::Folder {
        path: path.to_owned(),
        cause,
    })?;
    open_at(&folder, arg, rest)
}

/// Does the same beneath another folder, in which the path is `at`.
fn open_at(workspace: &OwnedFd, arg: &PathArg, at: &str) -> Result<Opened, ViewError> {
    let path = arg.path.as_str();
    let fd = match resolve(workspace, at, OFlags::PATH, Mode::empty()) {
        Err(Errno::NOENT) if arg.write && arg.is_folder => make(workspace, at),
        Err(Errno::NOENT) if arg.write => {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
            resolve(workspace, at, flags, Mode::from_raw_mode(0o644))
        }
        other => other,
    }
    .map_err(|errno| io(path, errno))?;
    let stat = fstat(&fd).map_err(|errno| io(path, errno))?;
    let is_folder = match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => true,
        FileType::RegularFile if arg.is_folder => {
            return Err(ViewError::NotFolder(path.to_owned()));
        }
        FileType::RegularFile => false,
        FileType::Symlink => return Err(ViewError::Escapes(path.to_owned())),
        FileType::Fifo
        | FileType::Socket
        | FileType::CharacterDevice
        | FileType::BlockDevice
        | FileType::Unknown => return Err(ViewError::Special(path.to_owned())),
    };
    let mut names = Names {
        path,
        seen: 0,
        linked: BTreeMap::new(),
    };
    if is_folder {
        names.folder(fd.as_fd(), 0)?;
    } else {
        names.count(&stat, path);
    }
    names.none_elsewhere()?;
    Ok(Opened { fd, is_folder })
}

/// Makes a folder in one that is there, and opens it.
fn make(workspace: &OwnedFd, path: &str) -> Result<OwnedFd, Errno> {
    let (above, name) = path.rsplit_once('/').unwrap_or((".", path));
    let above = resolve(
        workspace,
        above,
        OFlags::PATH | OFlags::DIRECTORY,
        Mode::empty(),
    )?;
    match mkdirat(&above, name, Mode::from_raw_mode(0o755)) {
        Ok(()) | Err(Errno::EXIST) => resolve(workspace, path, OFlags::PATH, Mode::empty()),
        Err(errno) => Err(errno),
    }
}

fn resolve(workspace: &OwnedFd, path: &str, flags: OFlags, mode: Mode) -> Result<OwnedFd, Errno> {
    let how = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_SYMLINKS;
    let mut last = Errno::AGAIN;
    for _ in 0..RESOLVE_ATTEMPTS {
        match openat2(workspace, path, flags | OFlags::CLOEXEC, mode, how) {
            Err(errno @ (Errno::AGAIN | Errno::INTR)) => last = errno,
            other => return other,
        }
    }
    Err(last)
}

/// The names of files beneath a path.
struct Names<'a> {
    path: &'a str,
    seen: usize,
    /// Files with several names: one of them, the number of all, and how many were seen.
    linked: BTreeMap<(u64, u64), (String, u64, u64)>,
}

impl Names<'_> {
    fn folder(&mut self, folder: impl AsFd, depth: usize) -> Result<(), ViewError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let failed = |errno| io(self.path, errno);
        let folder = match openat(folder, c".", flags, Mode::empty()) {
            Ok(folder) => folder,
            // The program has the same rights, so it sees nothing there either.
            Err(Errno::ACCESS) => return Ok(()),
            Err(errno) => return Err(failed(errno)),
        };
        for entry in Dir::read_from(&folder).map_err(failed)? {
            let entry = entry.map_err(|errno| io(self.path, errno))?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            self.seen += 1;
            if self.seen > ENTRIES_MAX || depth > DEPTH_MAX {
                return Err(ViewError::TooLarge(self.path.to_owned()));
            }
            let about = match statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(about) => about,
                Err(Errno::NOENT) => continue,
                Err(errno) => return Err(io(self.path, errno)),
            };
            if FileType::from_raw_mode(about.st_mode) != FileType::Directory {
                self.count(&about, &name.to_string_lossy());
                continue;
            }
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            match openat(&folder, name, flags, Mode::empty()) {
                Ok(below) => self.folder(&below, depth + 1)?,
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
                Err(errno) => return Err(io(self.path, errno)),
            }
        }
        Ok(())
    }

    #[cfg_attr(
        target_arch = "x86_64",
        expect(
            clippy::useless_conversion,
            reason = "the link count has another width elsewhere"
        )
    )]
    fn count(&mut self, about: &Stat, name: &str) {
        let all = u64::from(about.st_nlink);
        if FileType::from_raw_mode(about.st_mode) == FileType::RegularFile && all != 1 {
            let key = (about.st_dev, about.st_ino);
            let first = || (name.to_owned(), all, 0);
            self.linked.entry(key).or_insert_with(first).2 += 1;
        }
    }

    fn none_elsewhere(self) -> Result<(), ViewError> {
        let mut linked = self.linked.into_values();
        match linked.find(|(_, all, seen)| all != seen) {
            Some((name, _, _)) => Err(ViewError::HardLinked {
                path: self.path.to_owned(),
                name,
            }),
            None => Ok(()),
        }
    }
}

fn io(path: &str, cause: Errno) -> ViewError {
    let path = path.to_owned();
    match cause {
        Errno::NOENT | Errno::NOTDIR => ViewError::Missing(path),
        Errno::LOOP | Errno::XDEV => ViewError::Escapes(path),
        _ => ViewError::Io { path, cause },
    }
}
