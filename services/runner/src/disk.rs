//! Counts the bytes and files that one call adds to the folders that it may write.
//!
//! # Alternatives
//! A quota of the file system or a separate volume would bound a call in the kernel, but both need privileges. So
//! the supervisor counts, as it counts processes. It reads the free space of each volume many times a second. It
//! counts every file several times a second, and at once if the free space shrinks by more than the call may add.
//! A file without a name counts while a process has it open. A file that only a mapping holds is not counted, but
//! it reduces the free space, which must not fall below a minimum.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, fstatvfs, openat, statat};
use rustix::io::Errno;

use crate::cage::open_path;
use crate::processes::nameless_files;
use crate::wire::{Added, CallSpec, Limits, Missing, Refusal};

/// Largest number of entries in the folders before the call.
const ENTRIES_MAX: u64 = 1_000_000;
/// Deepest folder that is counted; deeper folders count as hidden.
const DEPTH_MAX: usize = 128;
/// Free bytes that a call leaves on a volume, unless a twentieth of the volume is less.
const FREE_BYTES_MIN: u64 = 1024 * 1024 * 1024;
/// Unit of the blocks of a file, on every file system.
const BLOCK_BYTES: u64 = 512;

/// Free space on one volume.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    bytes: u64,
    bytes_all: u64,
    files: u64,
}

impl Room {
    /// Returns the free space on the volume of an open folder.
    pub(crate) fn of(folder: impl AsFd) -> rustix::io::Result<Self> {
        let volume = fstatvfs(folder)?;
        Ok(Self {
            bytes: volume.f_bavail.saturating_mul(volume.f_frsize),
            bytes_all: volume.f_blocks.saturating_mul(volume.f_frsize),
            files: volume.f_favail,
        })
    }

    /// Returns the free space on the volume of a folder.
    pub(crate) fn at(folder: &Path) -> rustix::io::Result<Self> {
        Self::of(open_path(folder, OFlags::DIRECTORY)?)
    }

    /// Returns true if at least the space that a call must leave is free.
    pub(crate) fn is_enough(self) -> bool {
        self.bytes >= self.least()
    }

    /// Returns the free bytes that a call must leave.
    fn least(self) -> u64 {
        FREE_BYTES_MIN.min(self.bytes_all / 20)
    }
}

/// A folder that the call may write.
#[derive(Debug)]
struct Folder {
    fd: OwnedFd,
    /// The free space at the last count of every file.
    room: Room,
    /// Free bytes at which the call ends.
    least: u64,
}

/// The result of reading the free space of the volumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Glance {
    /// No volume lost more than the call may add.
    Calm,
    /// A volume lost more than the call may add: every file must be counted.
    Suspect,
    /// A volume is nearly full.
    NoRoom,
}

/// The folders of one call, with their count before it.
#[derive(Debug)]
pub(crate) struct Disk {
    folders: Vec<Folder>,
    before: Tally,
    bytes_max: u64,
    files_max: u64,
}

impl Disk {
    /// Counts the folders before the call begins.
    pub(crate) fn before(call: &CallSpec, temporary: &Path) -> Result<Self, Refusal> {
        let private = open_path(temporary, OFlags::DIRECTORY | OFlags::NOFOLLOW)
            .and_then(folder)
            .map_err(Refusal::of(Missing::Temporary))?;
        let mut folders = vec![private];
        if call.writable {
            let workspace = call
                .workspace
                .open()
                .map_err(Refusal::of(Missing::Workspace))?;
            folders.push(folder(workspace).map_err(Refusal::of(Missing::Workspace))?);
        }
        let Limits {
            added_bytes_max: bytes_max,
            added_files_max: files_max,
            ..
        } = call.limits;
        let mut disk = Self {
            folders,
            before: Tally::default(),
            bytes_max,
            files_max,
        };
        let bound = Tally {
            bytes: u64::MAX,
            files: ENTRIES_MAX,
            hidden: u64::MAX,
        };
        disk.before = disk.count(bound, &[]);
        if disk.before.files > ENTRIES_MAX {
            return Err(Refusal::of(Missing::Workspace)(format!(
                "it holds more than {ENTRIES_MAX} files; move some out"
            )));
        }
        Ok(disk)
    }

    /// Reads the free space of the volumes.
    pub(crate) fn glance(&self) -> Glance {
        let mut glance = Glance::Calm;
        for folder in &self.folders {
            let Ok(now) = Room::of(&folder.fd) else {
                return Glance::Suspect;
            };
            if now.bytes < folder.least {
                return Glance::NoRoom;
            }
            if folder.room.bytes.saturating_sub(now.bytes) > self.bytes_max
                || folder.room.files.saturating_sub(now.files) > self.files_max
            {
                glance = Glance::Suspect;
            }
        }
        glance
    }

    /// Counts every file and returns the exceeded bound, if any. A count of files that change meanwhile is only a
    /// suspicion, and so are more than `entries_max` entries of `/proc`.
    pub(crate) fn excess(&mut self, entries_max: usize) -> Option<Added> {
        self.excess_with(nameless_files(entries_max).as_deref())
    }

    /// Does the same once no process of the call is left: then no file without a name is open.
    pub(crate) fn excess_at_the_end(&mut self) -> Option<Added> {
        self.excess_with(Some(&[]))
    }

    fn excess_with(&mut self, nameless: Option<&[Stat]>) -> Option<Added> {
        for folder in &mut self.folders {
            if let Ok(now) = Room::of(&folder.fd) {
                folder.room = now;
            }
        }
        let bound = Tally {
            bytes: self.before.bytes.saturating_add(self.bytes_max),
            files: self.before.files.saturating_add(self.files_max),
            hidden: self.before.hidden,
        };
        let found = self.count(bound, nameless.unwrap_or_default());
        if found.bytes > bound.bytes || found.hidden > bound.hidden || nameless.is_none() {
            Some(Added::Bytes)
        } else if found.files > bound.files {
            Some(Added::Files)
        } else {
            None
        }
    }

    /// Counts until `bound` is exceeded.
    fn count(&self, bound: Tally, nameless: &[Stat]) -> Tally {
        let mut count = Count {
            found: Tally::default(),
            bound,
            seen: BTreeSet::new(),
        };
        for file in nameless {
            count.add_bytes(file);
        }
        for folder in &self.folders {
            count.folder(&folder.fd, 0);
        }
        count.found
    }
}

fn folder(place: OwnedFd) -> rustix::io::Result<Folder> {
    let fd = open_folder(&place, c".")?;
    let room = Room::of(&fd)?;
    // A volume that is already full does not end the call: a call that could write is not started on a full volume.
    let least = if room.is_enough() { room.least() } else { 0 };
    Ok(Folder { fd, room, least })
}

fn open_folder(above: impl AsFd, name: &std::ffi::CStr) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(above, name, flags, Mode::empty())
}

/// The counted amounts.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    bytes: u64,
    files: u64,
    /// Unreadable folders.
    hidden: u64,
}

/// A count in progress.
struct Count {
    found: Tally,
    bound: Tally,
    /// Files that the count may meet again.
    seen: BTreeSet<(u64, u64)>,
}

impl Count {
    fn exceeds(&self) -> bool {
        let (found, bound) = (&self.found, &self.bound);
        found.bytes > bound.bytes || found.files > bound.files || found.hidden > bound.hidden
    }

    fn folder(&mut self, folder: &OwnedFd, depth: usize) {
        let Ok(entries) = Dir::read_from(folder) else {
            self.found.hidden += 1;
            return;
        };
        for entry in entries {
            if self.exceeds() {
                return;
            }
            let Ok(entry) = entry else {
                self.found.hidden += 1;
                return;
            };
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            // An entry that was removed meanwhile takes no disk space.
            let about = match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(about) => about,
                Err(Errno::NOENT) => continue,
                Err(_) => {
                    self.found.hidden += 1;
                    continue;
                }
            };
            self.found.files += 1;
            self.add_bytes(&about);
            if FileType::from_raw_mode(about.st_mode) == FileType::Directory {
                match open_folder(folder, name) {
                    Ok(below) if depth < DEPTH_MAX => self.folder(&below, depth + 1),
                    Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
                    Ok(_) | Err(_) => self.found.hidden += 1,
                }
            }
        }
    }

    /// Adds the larger of a file's allocated and apparent size, because a program can turn one into the other.
    fn add_bytes(&mut self, about: &Stat) {
        let is_folder = FileType::from_raw_mode(about.st_mode) == FileType::Directory;
        if about.st_nlink != 1 && !is_folder && !self.seen.insert((about.st_dev, about.st_ino)) {
            return;
        }
        let blocks = u64::try_from(about.st_blocks).unwrap_or(0);
        let size = u64::try_from(about.st_size).unwrap_or(0);
        let bytes = size.max(blocks.saturating_mul(BLOCK_BYTES));
        self.found.bytes = self.found.bytes.saturating_add(bytes);
    }
}
