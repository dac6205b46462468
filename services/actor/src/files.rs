//! Identity files: writes each once, and reads secrets only from files that others cannot read.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, OFlags, RenameFlags};
use rustix::io::Errno;
use zeroize::Zeroizing;

/// Largest identity file that is read or written, in bytes.
pub const FILE_BYTES_MAX: u64 = 256 << 10;

const FILE_MODE: u32 = 0o600;
const DIR_MODE: u32 = 0o700;
const OTHERS: u32 = 0o077;

/// The result of creating a file or folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It was created; its bytes and its name are durable.
    Created,
    /// It existed, was checked, and was left as it is.
    Kept,
}

/// An identity file could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file does not exist.
    #[error("{} does not exist; make it with `contractual init`", path.display())]
    Missing {
        /// The file that was asked for.
        path: PathBuf,
    },
    /// The last part of the path is a symbolic link.
    #[error("{} is a symbolic link; put the file itself there", path.display())]
    Symlink {
        /// The link.
        path: PathBuf,
    },
    /// The path is not of the kind that is needed.
    #[error("{} is not a {wanted}; move it away and try again", path.display())]
    WrongKind {
        /// The path.
        path: PathBuf,
        /// The kind that is needed.
        wanted: &'static str,
    },
    /// Group or others have rights on it.
    #[error("{} can be used by others (mode {mode:04o}); run `chmod {fix:o} {}`", path.display(), quoted(path))]
    Exposed {
        /// The file or folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// The bits it should have.
        fix: u32,
    },
    /// It is larger than [`FILE_BYTES_MAX`].
    #[error("{} is larger than {FILE_BYTES_MAX} bytes; name another one", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The file to be created exists.
    #[error("{} exists and is never overwritten; move it away to make a new one", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The operating system refused; the source says why.
    #[error("cannot {action} {}; make sure the folder exists, is writable and has space", path.display())]
    Io {
        /// The attempted action.
        action: &'static str,
        /// The path.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
}

/// Makes the folder `path` with mode 0700 from its first moment; parents must exist.
///
/// A folder that exists is kept if it is a real folder without rights for group and others.
///
/// # Errors
/// [`Error::Symlink`], [`Error::WrongKind`] or [`Error::Exposed`] for an existing path, else [`Error::Io`].
pub fn private_dir(path: &Path) -> Result<Written, Error> {
    match DirBuilder::new().mode(DIR_MODE).create(path) {
        Ok(()) => {
            sync_parent(path)?;
            Ok(Written::Created)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let found = fs::symlink_metadata(path).map_err(|e| failed("look at", path, e))?;
            if found.is_symlink() {
                return Err(Error::Symlink { path: path.into() });
            }
            if !found.is_dir() {
                return Err(Error::WrongKind {
                    path: path.into(),
                    wanted: "folder",
                });
            }
            refuse_exposed(path, found.mode(), DIR_MODE)?;
            Ok(Written::Kept)
        }
        Err(error) => Err(failed("create the folder", path, error)),
    }
}

/// Writes a new file with mode 0600 that appears whole or not at all, and never replaces one.
///
/// Returns once bytes and name are durable. An interrupted call can leave a hidden 0600 file with
/// the ending `.tmp` in the folder, which nothing reads.
///
/// # Errors
/// [`Error::Exists`] when something has that name, [`Error::TooLarge`], else [`Error::Io`].
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > FILE_BYTES_MAX {
        return Err(Error::TooLarge { path: path.into() });
    }
    let staged = Staged::write(path, bytes)?;
    match rename_new(&staged.path, path) {
        Ok(()) => sync_parent(path),
        Err(Errno::EXIST) => Err(Error::Exists { path: path.into() }),
        Err(error) => Err(failed("create", path, error.into())),
    }
}

/// Replaces a file as a whole or not at all, and keeps its owner and mode; a new file has mode 0600 and the owner of
/// the folder.
///
/// # Errors
/// As [`write_new`], without [`Error::Exists`]; [`Error::Symlink`] and [`Error::WrongKind`] for an existing path.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > FILE_BYTES_MAX {
        return Err(Error::TooLarge { path: path.into() });
    }
    let (like, mode) = match open_regular(path) {
        Ok((_file, mode)) => (path, mode & 0o7777),
        Err(Error::Missing { .. }) => (parent(path), FILE_MODE),
        Err(error) => return Err(error),
    };
    let staged = Staged::write(path, bytes)?;
    let owner = owner_of(like)?;
    if owner != owner_of(&staged.path)? {
        std::os::unix::fs::chown(&staged.path, Some(owner.0), Some(owner.1))
            .map_err(|e| failed("give away", path, e))?;
    }
    fs::set_permissions(&staged.path, fs::Permissions::from_mode(mode))
        .map_err(|e| failed("set the mode of", path, e))?;
    fs::rename(&staged.path, path).map_err(|e| failed("replace", path, e))?;
    sync_parent(path)
}

fn owner_of(path: &Path) -> Result<(u32, u32), Error> {
    let found = fs::metadata(path).map_err(|e| failed("look at", path, e))?;
    Ok((found.uid(), found.gid()))
}

/// Loads the file at `path`, or makes it first if there is none.
///
/// `load` checks a kept file and a new one alike, so the returned value is always the one on disk.
/// Two processes can do this at once: one creates the file and the other keeps it.
///
/// # Errors
/// The errors of `load`, `make` and [`write_new`]. A file that `load` refuses is reported, never replaced.
pub fn keep_or_create<T, E: From<Error>>(
    path: &Path,
    load: impl Fn(&Path) -> Result<T, E>,
    make: impl FnOnce() -> Result<Zeroizing<Vec<u8>>, E>,
) -> Result<(T, Written), E> {
    let there = fs::symlink_metadata(path);
    if let Err(error) = there {
        if error.kind() != io::ErrorKind::NotFound {
            return Err(failed("look at", path, error).into());
        }
        match write_new(path, &make()?) {
            Ok(()) => return Ok((load(path)?, Written::Created)),
            Err(Error::Exists { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok((load(path)?, Written::Kept))
}

/// Reads a secret of at most [`FILE_BYTES_MAX`] bytes from a regular file that only its owner can use.
///
/// The checks are made on the opened file, so it cannot be swapped between check and read.
/// The exception for secrets that a container runtime mounts is not made here.
///
/// # Errors
/// [`Error::Missing`], [`Error::Symlink`], [`Error::WrongKind`], [`Error::Exposed`],
/// [`Error::TooLarge`], else [`Error::Io`].
pub fn read_secret(path: &Path) -> Result<Zeroizing<Vec<u8>>, Error> {
    let (file, mode) = open_regular(path)?;
    refuse_exposed(path, mode, FILE_MODE)?;
    read_bounded(path, file)
}

/// Reads a public identity file, such as a certificate, with the same checks except for its mode.
///
/// # Errors
/// As [`read_secret`], without [`Error::Exposed`].
pub fn read_public(path: &Path) -> Result<Vec<u8>, Error> {
    let (file, _mode) = open_regular(path)?;
    read_bounded(path, file).map(|mut bytes| std::mem::take(&mut *bytes))
}

fn open_regular(path: &Path) -> Result<(File, u32), Error> {
    // Without NONBLOCK a named pipe would block the caller until a writer opens it.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::RDONLY;
    let file: File = match rustix::fs::open(path, flags, rustix::fs::Mode::empty()) {
        Ok(fd) => fd.into(),
        Err(Errno::NOENT) => return Err(Error::Missing { path: path.into() }),
        Err(Errno::LOOP) => return Err(Error::Symlink { path: path.into() }),
        Err(error) => return Err(failed("open", path, error.into())),
    };
    let found = file.metadata().map_err(|e| failed("look at", path, e))?;
    if !found.is_file() {
        return Err(Error::WrongKind {
            path: path.into(),
            wanted: "file",
        });
    }
    Ok((file, found.mode()))
}

fn read_bounded(path: &Path, file: File) -> Result<Zeroizing<Vec<u8>>, Error> {
    // Reserved in advance: a vector that grows leaves copies of the secret in memory.
    let capacity = usize::try_from(FILE_BYTES_MAX + 1).unwrap_or(usize::MAX);
    let mut bytes = Zeroizing::new(Vec::with_capacity(capacity));
    file.take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| failed("read", path, e))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > FILE_BYTES_MAX {
        return Err(Error::TooLarge { path: path.into() });
    }
    Ok(bytes)
}

fn refuse_exposed(path: &Path, mode: u32, fix: u32) -> Result<(), Error> {
    if mode & OTHERS == 0 {
        return Ok(());
    }
    Err(Error::Exposed {
        path: path.into(),
        mode: mode & 0o7777,
        fix,
    })
}

fn rename_new(from: &Path, to: &Path) -> Result<(), Errno> {
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Some file systems lack the flag; a hard link refuses an existing name as well.
        Err(Errno::INVAL | Errno::NOSYS) => rustix::fs::link(from, to),
        answer => answer,
    }
}

/// A complete, synced file beside its destination; its name is removed on drop.
struct Staged {
    path: PathBuf,
}

impl Staged {
    fn write(destination: &Path, bytes: &[u8]) -> Result<Self, Error> {
        let Some(name) = destination.file_name() else {
            return Err(Error::WrongKind {
                path: destination.into(),
                wanted: "file",
            });
        };
        let mut random = [0_u8; 8];
        rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())
            .map_err(|e| failed("create", destination, e.into()))?;
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{:016x}.tmp", u64::from_le_bytes(random)));
        let path = destination.with_file_name(hidden);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(FILE_MODE)
            .open(&path)
            .map_err(|e| failed("create", destination, e))?;
        let staged = Self { path };
        file.write_all(bytes)
            .map_err(|e| failed("write", destination, e))?;
        // The process's umask may have removed rights of the owner.
        file.set_permissions(fs::Permissions::from_mode(FILE_MODE))
            .map_err(|e| failed("set the mode of", destination, e))?;
        file.sync_all()
            .map_err(|e| failed("write", destination, e))?;
        Ok(staged)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // After a rename the name is gone and there is nothing to remove.
        fs::remove_file(&self.path).ok();
    }
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    }
}

fn sync_parent(path: &Path) -> Result<(), Error> {
    let parent = parent(path);
    File::open(parent)
        .and_then(|dir| dir.sync_all())
        .map_err(|e| failed("sync", parent, e))
}

fn failed(action: &'static str, path: &Path, source: io::Error) -> Error {
    Error::Io {
        action,
        path: path.into(),
        source,
    }
}

/// The path as one word of a POSIX shell.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}
