//! The log's files: written so that durable data survives a power failure.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use crate::layout::{ANCHOR, CHECKPOINT, LOCK, TAIL, TMP};
use crate::{Error, Places};

/// Hooks for tests to observe each durable file operation and stop the process there.
#[cfg(feature = "steps")]
pub mod steps {
    use std::path::Path;
    use std::sync::OnceLock;

    /// One durable file operation; it is reported just before it is performed.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Step {
        /// Bytes are written to a file.
        Write,
        /// A file is synced.
        SyncFile,
        /// A file appears under this path.
        Rename,
        /// A directory is created.
        MakeDir,
        /// A directory is synced.
        SyncDir,
        /// A file or directory is removed.
        Remove,
    }

    static OBSERVER: OnceLock<fn(Step, &Path)> = OnceLock::new();

    /// Sets the observer of this process; the first one stays.
    pub fn observe(observer: fn(Step, &Path)) {
        OBSERVER.get_or_init(|| observer);
    }

    pub(super) fn taken(step: Step, path: &Path) {
        if let Some(observer) = OBSERVER.get() {
            observer(step, path);
        }
    }
}

macro_rules! step {
    ($step:ident, $path:expr) => {
        #[cfg(feature = "steps")]
        steps::taken(steps::Step::$step, $path);
    };
}

/// The two directories of a log, and the lock on the first.
pub(crate) struct Disk {
    log: PathBuf,
    anchor: PathBuf,
    lock: File,
}

/// The maximum number of files that stay open until their sync.
const WAITING_MAX: usize = 64;

/// Files and directories that changed since the last round ended.
#[derive(Default)]
pub(crate) struct Round {
    files: Vec<(PathBuf, File)>,
    dirs: BTreeSet<PathBuf>,
}

/// The bundle under construction. Nothing reads it after a restart.
pub(crate) struct Tail {
    file: File,
    path: PathBuf,
}

impl Disk {
    /// Locks the directory, which must exist, for this process.
    pub(crate) fn open(places: &Places) -> Result<Self, Error> {
        let canonical = |path: &Path| {
            let real = fs::canonicalize(path).map_err(|e| Error::io("find", path, e))?;
            if real.is_dir() {
                Ok(real)
            } else {
                Err(Error::Missing {
                    path: path.to_path_buf(),
                })
            }
        };
        let log = canonical(&places.log)?;
        let anchor = canonical(&places.anchor)?;
        if log == anchor {
            return Err(Error::SamePlace { path: log });
        }
        let path = log.join(LOCK);
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|e| Error::io("open", &path, e))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::Locked { path: log }),
            Err(TryLockError::Error(e)) => return Err(Error::io("lock", &path, e)),
        }
        let disk = Self { log, anchor, lock };
        disk.clear_tmp()?;
        Ok(disk)
    }

    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    pub(crate) fn checkpoint_path(&self) -> PathBuf {
        self.log.join(CHECKPOINT)
    }

    pub(crate) fn anchor_path(&self) -> PathBuf {
        self.anchor.join(ANCHOR)
    }

    /// Creates a file at `below` the log directory. It is durable, name and bytes, once the round is
    /// finished; until then no checkpoint covers it and opening the log removes it.
    pub(crate) fn place(&self, below: &Path, bytes: &[u8], round: &mut Round) -> Result<(), Error> {
        let path = self.log.join(below);
        make_dirs(path.parent().unwrap_or(&self.log), round)?;
        step!(Write, &path);
        let mut file = create_new(&path)?;
        file.write_all(bytes)
            .map_err(|e| Error::io("write", &path, e))?;
        round.file(path, file)
    }

    /// Replaces the checkpoint in the log directory, then the one in the anchor. Both are durable
    /// on return; after a crash in between the anchor is older, never newer.
    pub(crate) fn sign_off(&self, note: &[u8]) -> Result<(), Error> {
        let tmp = self.log.join(TMP).join("next");
        self.replace(&tmp, &self.checkpoint_path(), note)?;
        self.sign_off_anchor(note)
    }

    /// Replaces the checkpoint in the anchor.
    pub(crate) fn sign_off_anchor(&self, note: &[u8]) -> Result<(), Error> {
        let path = self.anchor_path();
        let tmp = path.with_extension("next");
        remove_file(&tmp)?;
        self.replace(&tmp, &path, note)
    }

    /// Replaces a file atomically: writes and syncs the bytes under another name first.
    fn replace(&self, tmp: &Path, path: &Path, bytes: &[u8]) -> Result<(), Error> {
        write_synced(tmp, bytes)?;
        let mut round = Round::default();
        self.rename(tmp, path, &mut round)?;
        round.finish()
    }

    /// Starts a bundle with the given bytes.
    pub(crate) fn tail(&self, bytes: &[u8]) -> Result<Tail, Error> {
        let path = self.log.join(TAIL);
        remove_file(&path)?;
        let file = create_new(&path)?;
        let mut tail = Tail { file, path };
        tail.write(bytes)?;
        Ok(tail)
    }

    /// Turns the bundle under construction into a full bundle at `below`, and starts the next.
    /// The bundle is durable once the round is finished.
    pub(crate) fn adopt(
        &self,
        tail: &mut Tail,
        below: &Path,
        round: &mut Round,
    ) -> Result<(), Error> {
        let path = self.log.join(below);
        self.rename(&tail.path, &path, round)?;
        let full = std::mem::replace(tail, self.tail(&[])?);
        round.file(path, full.file)
    }

    /// Removes a tile and, if that empties it, the directory of its partial widths.
    pub(crate) fn remove(&self, path: &Path) -> Result<(), Error> {
        remove_file(path)?;
        let Some(parent) = path
            .parent()
            .filter(|p| p.extension().is_some_and(|e| e == "p"))
        else {
            return Ok(());
        };
        step!(Remove, parent);
        match fs::remove_dir(parent) {
            Err(e) if !matches!(e.kind(), ErrorKind::DirectoryNotEmpty | ErrorKind::NotFound) => {
                Err(Error::io("remove", parent, e))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn rename(&self, from: &Path, to: &Path, round: &mut Round) -> Result<(), Error> {
        let parent = to.parent().unwrap_or(&self.log);
        make_dirs(parent, round)?;
        step!(Rename, to);
        fs::rename(from, to).map_err(|e| Error::io("rename", to, e))?;
        round.dirs.insert(parent.to_path_buf());
        Ok(())
    }

    // After a power failure a file here can be a second name of a placed one: it is unlinked, never
    // truncated.
    fn clear_tmp(&self) -> Result<(), Error> {
        let dir = self.log.join(TMP);
        make_dirs(&dir, &mut Round::default())?;
        remove_file(&dir.join("next"))
    }
}

impl Drop for Disk {
    // A forked process may still have the file open, so closing would not unlock it.
    fn drop(&mut self) {
        self.lock.unlock().ok();
    }
}

impl Round {
    /// Records a written file. It stays open, so that its sync reports a failed write.
    fn file(&mut self, path: PathBuf, file: File) -> Result<(), Error> {
        let parent = path.parent().map(Path::to_path_buf);
        self.dirs.extend(parent);
        self.files.push((path, file));
        if self.files.len() < WAITING_MAX {
            return Ok(());
        }
        self.sync_files()
    }

    fn sync_files(&mut self) -> Result<(), Error> {
        for (path, file) in self.files.drain(..) {
            step!(SyncFile, &path);
            file.sync_data().map_err(|e| Error::io("sync", &path, e))?;
        }
        Ok(())
    }

    /// Syncs each changed file, then each changed directory.
    pub(crate) fn finish(mut self) -> Result<(), Error> {
        self.sync_files()?;
        for dir in self.dirs {
            step!(SyncDir, &dir);
            File::open(&dir)
                .and_then(|file| file.sync_all())
                .map_err(|e| Error::io("sync", &dir, e))?;
        }
        Ok(())
    }
}

impl Tail {
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        step!(Write, &self.path);
        self.file
            .write_all(bytes)
            .map_err(|e| Error::io("write", &self.path, e))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// Reads a file of at most `max` bytes; reads one byte more to detect a longer file.
pub(crate) fn read(path: &Path, max: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let max = u64::try_from(max).unwrap_or(u64::MAX);
    File::open(path)?
        .take(max.saturating_add(1))
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn create_new(path: &Path) -> Result<File, Error> {
    OpenOptions::new()
        .create_new(true)
        .write(true)
        .open(path)
        .map_err(|e| Error::io("create", path, e))
}

fn write_synced(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    step!(Write, path);
    let mut file = create_new(path)?;
    file.write_all(bytes)
        .map_err(|e| Error::io("write", path, e))?;
    step!(SyncFile, path);
    file.sync_all().map_err(|e| Error::io("sync", path, e))
}

fn remove_file(path: &Path) -> Result<(), Error> {
    step!(Remove, path);
    match fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(Error::io("remove", path, e)),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn make_dirs(dir: &Path, round: &mut Round) -> Result<(), Error> {
    if dir.is_dir() {
        return Ok(());
    }
    if let Some(parent) = dir.parent() {
        make_dirs(parent, round)?;
        step!(MakeDir, dir);
        fs::create_dir(dir).map_err(|e| Error::io("create", dir, e))?;
        round.dirs.insert(parent.to_path_buf());
    }
    Ok(())
}
