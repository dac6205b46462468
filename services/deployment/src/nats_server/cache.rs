//! The cache of the fetched binary: one fetch at a time, complete before it is visible.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::error::Error;
use super::pinned::CACHE_NAME;

const LOCK_NAME: &str = "nats-server.lock";
const STAGING: &str = ".fetch-";
/// The timeout of the lock, longer than all ways of fetching together.
const LOCK_WAIT: Duration = Duration::from_secs(20 * 60);
const LOCK_AGAIN: Duration = Duration::from_millis(50);

/// The locked cache folder; the lock ends on drop or with the process.
#[derive(Debug)]
pub(super) struct Locked {
    dir: PathBuf,
    _lock: File,
}

/// A private folder for one way of fetching; removed with everything in it on drop.
#[derive(Debug)]
pub(super) struct Staging {
    pub(super) dir: PathBuf,
}

/// The path of the fetched binary, even if it does not exist.
pub(super) fn place(dir: &Path) -> PathBuf {
    dir.join(CACHE_NAME)
}

/// Returns true if a cached file is a regular file that belongs to this user and that only its owner can change.
pub(super) fn is_trusted(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| {
        found.is_file()
            && found.uid() == rustix::process::geteuid().as_raw()
            && found.mode() & 0o022 == 0
    })
}

impl Locked {
    /// Creates the folder (0700) if needed and waits for the lock, at most [`LOCK_WAIT`].
    pub(super) fn open(
        dir: &Path,
        cancel: &AtomicBool,
        progress: &mut dyn FnMut(&str),
    ) -> Result<Self, Error> {
        let failed = |source: io::Error| Error::Cache {
            path: dir.into(),
            source,
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(failed)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(dir.join(LOCK_NAME))
            .map_err(failed)?;
        let clock = actor::Clock::system();
        let deadline = clock.elapsed() + LOCK_WAIT;
        let mut told = false;
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(error)) => return Err(failed(error)),
                Err(TryLockError::WouldBlock) => {}
            }
            if cancel.load(Ordering::Relaxed) {
                return Err(Error::Cancelled);
            }
            if clock.elapsed() >= deadline {
                return Err(Error::Busy {
                    path: dir.join(LOCK_NAME),
                });
            }
            if !told {
                progress("another process is fetching nats-server; waiting for it");
                told = true;
            }
            // The kernel has no event for "this lock is free" that can also be cancelled.
            std::thread::sleep(LOCK_AGAIN);
        }
        let locked = Self {
            dir: dir.into(),
            _lock: lock,
        };
        locked.sweep();
        Ok(locked)
    }

    /// Creates a new empty folder (0700) on the file system of the cache.
    pub(super) fn stage(&self, way: &str) -> Result<Staging, Error> {
        let dir = self.dir.join(format!("{STAGING}{way}"));
        DirBuilder::new()
            .mode(0o700)
            .create(&dir)
            .map_err(|source| Error::Cache {
                path: dir.clone(),
                source,
            })?;
        Ok(Staging { dir })
    }

    /// Moves a checked binary to its place; it is durable and complete before it has its name.
    pub(super) fn install(&self, binary: &Path) -> Result<PathBuf, Error> {
        let place = place(&self.dir);
        let install = || {
            let file = File::open(binary)?;
            file.set_permissions(fs::Permissions::from_mode(0o755))?;
            file.sync_all()?;
            fs::rename(binary, &place)?;
            File::open(&self.dir)?.sync_all()
        };
        match install() {
            Ok(()) => Ok(place),
            Err(source) => Err(Error::Cache {
                path: place,
                source,
            }),
        }
    }

    /// Removes the files of an interrupted fetch; the lock excludes other fetches.
    fn sweep(&self) {
        let Ok(entries) = fs::read_dir(&self.dir) else {
            return;
        };
        for entry in entries.flatten() {
            if entry.file_name().to_string_lossy().starts_with(STAGING) {
                remove(&entry.path());
            }
        }
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        remove(&self.dir);
    }
}

/// Removes a folder; the next fetch removes any remainder.
fn remove(dir: &Path) {
    fs::remove_dir_all(dir).ok();
}
