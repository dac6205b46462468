//! Opens the folders outside of the workspace that a tool's program may read.
//!
//! # Alternatives
//! The entry has no digest of what such a folder holds: data changes, and a digest of a large folder at each call would
//! cost more than the call. So no tool may write there, and nothing in it is executed.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags, Stat, fstat, openat2, statat};
use rustix::io::Errno;

use crate::path;
use crate::wire::{KeptOut, Place};

/// Largest number of folders of one tool.
const FOLDERS_MAX: usize = 16;
/// Folders of the kernel; to read them is to read other processes and devices.
const KERNEL_FOLDERS: [&str; 3] = ["/dev", "/proc", "/sys"];

/// The reason that a program may not read a folder.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum FolderError {
    /// More than 16.
    #[error("a tool may read at most {FOLDERS_MAX} folders; name the folder above them")]
    TooMany,
    /// Relative, or with a component that is empty, `.` or `..`.
    #[error("the folder `{}` is not a plain absolute path; write it from the root, without `.` and `..`", .0.display())]
    NotPlain(PathBuf),
    /// The root, or a folder of the kernel.
    #[error("the folder `{}` shows the whole machine or its processes; name the folder with the data", .0.display())]
    TooWide(PathBuf),
    /// A component of the path is a symbolic link.
    #[error("the folder `{}` is a link or is reached through one; name the folder itself", .0.display())]
    Link(PathBuf),
    /// Missing, no folder, not permitted, or another error of the kernel.
    #[error("the folder `{}` cannot be read ({cause}); put it there, and let the runner read it", path.display())]
    Unreadable {
        /// The path.
        path: PathBuf,
        /// The kernel's error.
        cause: String,
    },
    /// One of the two folders is the other one or lies in it.
    #[error("the folder `{}` overlaps with {}, which the runner uses or tools can write; name another", path.display(), other.display())]
    Overlaps {
        /// The path.
        path: PathBuf,
        /// The folder of the runner.
        other: PathBuf,
    },
}

/// Checks the paths, but not what is there.
pub(crate) fn are_plain(folders: &[PathBuf]) -> Result<(), FolderError> {
    if folders.len() > FOLDERS_MAX {
        return Err(FolderError::TooMany);
    }
    folders.iter().try_for_each(|path| is_usable(path))
}

fn is_usable(path: &Path) -> Result<(), FolderError> {
    if !path::is_plain(path) {
        return Err(FolderError::NotPlain(path.to_owned()));
    }
    let is_kernel = KERNEL_FOLDERS.iter().any(|kernel| path.starts_with(kernel));
    if is_kernel || path.parent().is_none() {
        return Err(FolderError::TooWide(path.to_owned()));
    }
    Ok(())
}

/// Opens a folder through no link, if it is apart from every folder that tools can write and from the runner's own.
pub(crate) fn open(path: &Path, kept_out: &KeptOut) -> Result<OwnedFd, FolderError> {
    is_usable(path)?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let how = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let folder = match openat2(CWD, path, flags, Mode::empty(), how) {
        Ok(folder) => folder,
        Err(Errno::LOOP) => return Err(FolderError::Link(path.to_owned())),
        Err(errno) => return Err(unreadable(path, errno)),
    };
    let stat = fstat(&folder).map_err(|errno| unreadable(path, errno))?;
    for place in kept_out.written.iter().chain(&kept_out.own) {
        if is_within(place, path)? || is_above(path, &stat, place) {
            return Err(FolderError::Overlaps {
                path: path.to_owned(),
                other: place.path.clone(),
            });
        }
    }
    Ok(folder)
}

/// Returns true if the path is the place, or leads through it.
fn is_within(place: &Place, path: &Path) -> Result<bool, FolderError> {
    for above in path.ancestors() {
        let about = statat(CWD, above, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|errno| unreadable(above, errno))?;
        if place.is(&about) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns true if the place lies in the folder. What cannot be looked at counts by its path alone.
fn is_above(path: &Path, folder: &Stat, place: &Place) -> bool {
    place.path.starts_with(path)
        || place.path.ancestors().any(|above| {
            let about = statat(CWD, above, AtFlags::SYMLINK_NOFOLLOW);
            about.is_ok_and(|about| (about.st_dev, about.st_ino) == (folder.st_dev, folder.st_ino))
        })
}

fn unreadable(path: &Path, errno: Errno) -> FolderError {
    FolderError::Unreadable {
        path: path.to_owned(),
        cause: errno.to_string(),
    }
}
