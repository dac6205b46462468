//! The lock of a deployment's folder: one process at a time runs it.

use std::{
    fs::File,
    io::{Read as _, Seek as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
};

use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};

use crate::{Dir, Error};

/// The name of the file.
const NAME: &str = "up.lock";
/// Most bytes of a process id.
const PID_BYTES_MAX: u64 = 20;

/// The lock; it ends with this value, and with the process.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "its descriptor is the lock")] File);

impl Lock {
    /// Locks the folder, and writes this process's id into it.
    ///
    /// # Errors
    /// [`Error::Refused`] names the process that runs the deployment.
    pub fn take(dir: &Dir) -> Result<Self, Error> {
        let path = dir.path().join(NAME);
        let failed = || Error::io("lock", &path);
        let mut options = File::options();
        options.read(true).write(true).create(true).mode(0o600);
        let mut file = options.open(&path).map_err(failed())?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let mut pid = String::new();
                // The other process may not have written it yet.
                file.take(PID_BYTES_MAX).read_to_string(&mut pid).ok();
                return Err(Error::Refused(format!(
                    "process {} runs {} already: stop it first, or use another --dir",
                    pid.trim(),
                    dir.path().display()
                )));
            }
            Err(error) => return Err(failed()(error.into())),
        }
        file.set_len(0).map_err(failed())?;
        file.rewind().map_err(failed())?;
        writeln!(file, "{}", std::process::id()).map_err(failed())?;
        Ok(Self(file))
    }

    /// Returns true if a process runs the deployment now.
    #[must_use]
    pub fn is_held(dir: &Dir) -> bool {
        let file = File::open(dir.path().join(NAME));
        // A shared lock for this moment, which leaves the file as it is.
        file.is_ok_and(|file| {
            flock(&file, FlockOperation::NonBlockingLockShared) == Err(Errno::WOULDBLOCK)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holder_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let dir = Dir::new(folder.path().to_owned());
        assert!(!Lock::is_held(&dir));
        let lock = Lock::take(&dir).unwrap();
        assert!(Lock::is_held(&dir));
        let refused = Lock::take(&dir).unwrap_err().to_string();
        let pid = std::process::id();
        assert!(
            refused.starts_with(&format!("process {pid} runs ")),
            "{refused}"
        );
        drop(lock);
        assert!(!Lock::is_held(&dir));
        Lock::take(&dir).unwrap();
    }
}
