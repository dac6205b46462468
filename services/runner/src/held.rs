//! Holds a folder open, and compares it with the folder that its path leads to.

use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, Statx, StatxAttributes, StatxFlags, fstat, statx};
use rustix::io::Errno;

use crate::wire::Place;

/// Longest table of mounts that is read, in bytes.
const MOUNTS_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// The last resort in every text of [`Lost`].
pub const RESTART: &str = "restart the runner to use what is there now";

/// The folder, as it was when the runner started.
#[derive(Debug)]
pub(crate) struct Held {
    root: OwnedFd,
    /// The word for it in errors.
    what: &'static str,
    /// The path of the configuration, which may lead through links.
    configured: PathBuf,
    /// The path without links.
    path: PathBuf,
    dev: u64,
    ino: u64,
    mount: Mount,
}

/// The mount that a folder is in.
#[derive(Debug, PartialEq, Eq)]
struct Mount {
    id: u64,
    /// The place in its file system, if the folder is itself the root of the mount.
    source: Option<String>,
}

/// The reason that a folder cannot be used any more; each names it, such as `workspace /srv/work`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// Nothing is at its path, or the folder has no path.
    #[error("the {0} was removed or moved away; put the folder back, or {RESTART}", RESTART = RESTART)]
    Removed(String),
    /// Another file or folder is at its path.
    #[error("the {0} was replaced by something else; put the old folder back, or {RESTART}", RESTART = RESTART)]
    Replaced(String),
    /// Another mount is at its path.
    #[error("something was mounted over the {0}, or its volume was unmounted; undo that, or {RESTART}", RESTART = RESTART)]
    MountedOver(String),
    /// The mounted folder was moved on its own file system: in a container, on the host.
    #[error("the folder that is mounted as the {0} was moved or removed at its source; put it back, or {RESTART}", RESTART = RESTART)]
    Moved(String),
    /// It cannot be looked at.
    #[error("the {path} cannot be looked at ({problem}); make it readable again, or {RESTART}", RESTART = RESTART)]
    Unknown {
        /// The word for it, and its path.
        path: String,
        /// The kernel's error.
        problem: String,
    },
}

impl Held {
    /// Opens `path`, which must be a directory; `what` is the word for it in errors.
    pub(crate) fn open(path: &Path, what: &'static str) -> std::io::Result<Self> {
        let configured = std::path::absolute(path)?;
        let path = configured.canonicalize()?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let root = rustix::fs::open(&path, flags, Mode::empty())?;
        let stat = fstat(&root)?;
        let mount = mount(&root)?;
        Ok(Self {
            root,
            what,
            configured,
            path,
            dev: stat.st_dev,
            ino: stat.st_ino,
            mount,
        })
    }

    pub(crate) const fn root(&self) -> &OwnedFd {
        &self.root
    }

    /// Returns its place in a form that another process can open and compare.
    pub(crate) fn place(&self) -> Place {
        Place {
            path: self.path.clone(),
            dev: self.dev,
            ino: self.ino,
        }
    }

    /// Checks that its path still leads to it.
    pub(crate) fn check(&self) -> Result<(), Lost> {
        let shown = || format!("{} {}", self.what, self.configured.display());
        let unknown = |problem: &dyn std::fmt::Display| Lost::Unknown {
            path: shown(),
            problem: problem.to_string(),
        };
        let stat = fstat(&self.root).map_err(|errno| unknown(&errno))?;
        if stat.st_nlink == 0 {
            return Err(Lost::Removed(shown()));
        }
        // As at the start, the path of the configuration may lead through links.
        let there = match statx(CWD, &self.configured, AtFlags::empty(), about()) {
            Ok(there) => there,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Err(Lost::Removed(shown())),
            Err(errno) => return Err(unknown(&errno)),
        };
        let dev = rustix::fs::makedev(there.stx_dev_major, there.stx_dev_minor);
        let is_same = (dev, there.stx_ino) == (self.dev, self.ino);
        if there.stx_mnt_id != self.mount.id {
            return Err(Lost::MountedOver(shown()));
        }
        if !is_same {
            return Err(Lost::Replaced(shown()));
        }
        if self.mount.source.is_some() {
            let now = mount(&self.root).map_err(|error| unknown(&error))?;
            if now != self.mount {
                return Err(Lost::Moved(shown()));
            }
        }
        Ok(())
    }
}

fn about() -> StatxFlags {
    StatxFlags::BASIC_STATS | StatxFlags::MNT_ID
}

fn mount(root: &OwnedFd) -> std::io::Result<Mount> {
    let here: Statx = statx(root.as_fd(), "", AtFlags::EMPTY_PATH, about())?;
    let id = here.stx_mnt_id;
    let source = if here.stx_attributes.contains(StatxAttributes::MOUNT_ROOT) {
        source(id)?
    } else {
        None
    };
    Ok(Mount { id, source })
}

/// Returns the place of a mount's root in its file system; none if the table of mounts does not name it.
fn source(id: u64) -> std::io::Result<Option<String>> {
    use std::io::Read as _;
    let mut table = String::new();
    std::fs::File::open("/proc/self/mountinfo")?
        .take(MOUNTS_BYTES_MAX)
        .read_to_string(&mut table)?;
    // Fields: id, parent's id, device, place.
    let found = table.lines().find_map(|line| {
        let mut fields = line.split(' ');
        (fields.next()?.parse() == Ok(id)).then_some(fields.nth(2)?)
    });
    Ok(found.map(str::to_owned))
}
