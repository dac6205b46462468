//! Remembers the digests of programs that only root can write, so that a program that has not changed is read once.
//!
//! # Identity and bytes
//! A digest is kept under device, inode, size, and the times of the last change of bytes and of attributes. The kernel
//! sets the latter at every write, and no call sets it to a chosen value. Four cases remain in which a file could change
//! under the same identity, and a digest is not kept in any of them:
//! - A process that is not root writes: the file belongs to root, nobody else may write it, it has one name.
//! - A process opened it for writing, or mapped it, when it still could: the kernel refuses to execute a file that
//!   anyone has open for writing, and is asked before the file is read. A mapping that is made later changes the time
//!   when it is first written. A kernel that does not refuse is recognized by a file that is certainly open for writing.
//! - The write is so soon after the last one that both have the same time: the last one must be [`SETTLED_S`] old.
//! - The file changes while it is read: its identity is compared afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

use rustix::fs::{MemfdFlags, Stat, fstat, memfd_create};
use rustix::io::Errno;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// Seconds since the last change of a file whose digest is kept; file systems and their clocks are coarser than a
/// nanosecond, by two seconds at most.
const SETTLED_S: i64 = 10;
/// Most digests that are kept.
const KEPT_MAX: usize = 1024;
/// Length of one argument that no program can be started with: the kernel takes 32 pages, which are up to 2 MiB, of one
/// argument, and 6 MiB of all.
const ARGUMENT_BYTES_TOO_MANY: usize = 8 * 1024 * 1024;

/// The state of a file, as far as the kernel tells it without reading the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Identity {
    dev: u64,
    ino: u64,
    size: i64,
    written: (i64, u64),
    changed: (i64, u64),
}

impl Identity {
    #[cfg_attr(
        target_arch = "x86_64",
        expect(
            clippy::useless_conversion,
            reason = "the times have another width elsewhere"
        )
    )]
    pub(crate) fn of(stat: &Stat) -> Self {
        Self {
            dev: stat.st_dev,
            ino: stat.st_ino,
            size: stat.st_size,
            written: (stat.st_mtime.into(), stat.st_mtime_nsec.into()),
            changed: (stat.st_ctime.into(), stat.st_ctime_nsec.into()),
        }
    }

    const fn is_settled(&self, now_s: i64) -> bool {
        let before = now_s.saturating_sub(SETTLED_S);
        self.written.0 < before && self.changed.0 < before
    }
}

/// A digest and the file that had it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Known {
    identity: Identity,
    sha256: String,
}

/// Digests of files.
#[derive(Debug)]
pub struct DigestCache {
    kept: Mutex<BTreeMap<Identity, String>>,
    /// False if it has only what it was made of.
    keeps: bool,
}

/// The digests that this process knows.
pub static DIGESTS: DigestCache = DigestCache::new();

impl DigestCache {
    /// Creates an empty one.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            kept: Mutex::new(BTreeMap::new()),
            keeps: true,
        }
    }

    /// Creates one of these digests, which keeps no others.
    pub(crate) fn of(known: &[Known]) -> Self {
        let known = known.iter();
        let kept = known.map(|known| (known.identity, known.sha256.clone()));
        Self {
            kept: Mutex::new(kept.collect()),
            keeps: false,
        }
    }

    /// Returns the digest of an open file: the kept one, or the one that `read` returns for its bytes. Keeps that if the
    /// file cannot change unnoticed, by a clock of `now_s` seconds since 1970.
    ///
    /// # Errors
    /// Those of `read`, and of the kernel about the file.
    pub fn digest(
        &self,
        file: &mut File,
        now_s: i64,
        read: impl FnOnce(&mut File) -> io::Result<Option<String>>,
    ) -> io::Result<Option<String>> {
        let before = fstat(&*file)?;
        let identity = Identity::of(&before);
        if let Some(known) = self.recall(&identity) {
            return Ok(Some(known));
        }
        let keeps = self.keeps
            && is_roots_alone(&before)
            && identity.is_settled(now_s)
            && has_no_writer(file);
        let digest = read(file)?;
        if keeps
            && let Some(digest) = &digest
            && Identity::of(&fstat(&*file)?) == identity
        {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() >= KEPT_MAX {
                kept.clear();
            }
            kept.insert(identity, digest.clone());
        }
        Ok(digest)
    }

    fn recall(&self, identity: &Identity) -> Option<String> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(identity).cloned()
    }

    /// Returns what is kept of these digests.
    pub(crate) fn known<'a>(&self, digests: impl Iterator<Item = &'a String>) -> Vec<Known> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let digests: BTreeSet<&String> = digests.collect();
        let found = kept.iter().filter(|(_, kept)| digests.contains(kept));
        let known = found.map(|(identity, sha256)| Known {
            identity: *identity,
            sha256: sha256.clone(),
        });
        known.collect()
    }
}

impl Default for DigestCache {
    fn default() -> Self {
        Self::new()
    }
}

/// Returns true if nobody but root can change the bytes of the file, through any of its names.
pub(crate) fn is_roots_alone(stat: &Stat) -> bool {
    only_root_writes(stat) && stat.st_nlink == 1
}

/// Returns true if nobody but root can write the file or folder by this name.
pub(crate) fn only_root_writes(stat: &Stat) -> bool {
    stat.st_uid == 0 && stat.st_mode & 0o022 == 0
}

/// Returns the seconds since 1970.
pub(crate) fn now_s() -> i64 {
    clock_gettime(ClockId::Realtime).tv_sec
}

/// Returns true if no process has the file open or mapped for writing.
fn has_no_writer(file: &File) -> bool {
    refuses_writers() && refusal(file) == Some(Errno::TOOBIG)
}

/// Returns true if this kernel refuses to execute a file that is open for writing; it is asked once.
fn refuses_writers() -> bool {
    static REFUSES: OnceLock<bool> = OnceLock::new();
    if let Some(refuses) = REFUSES.get() {
        return *refuses;
    }
    let written = memfd_create("writer", MemfdFlags::CLOEXEC | MemfdFlags::EXEC);
    let Ok(written) = written.map(File::from) else {
        return false;
    };
    // Only an opened file counts as written, not one that was made.
    let writer = File::options().write(true).open(path_of(&written));
    match refusal(&written).filter(|_| writer.is_ok()) {
        Some(Errno::TXTBSY) => *REFUSES.get_or_init(|| true),
        Some(Errno::TOOBIG) => *REFUSES.get_or_init(|| false),
        // Something else was the matter; the next program asks again.
        Some(_) | None => false,
    }
}

/// Returns the error of executing the file with an argument that is too long: the kernel looks for writers first, and
/// refuses the argument before anything runs.
fn refusal(file: &File) -> Option<Errno> {
    let started = Command::new(path_of(file))
        .arg("x".repeat(ARGUMENT_BYTES_TOO_MANY))
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    match started {
        Err(error) => error.raw_os_error().map(Errno::from_raw_os_error),
        Ok(mut child) => {
            // No kernel takes such an argument; a program that nobody asked for is ended.
            drop(child.kill());
            drop(child.wait());
            None
        }
    }
}

fn path_of(file: &File) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}
