//! Starts supervisors, one of them before the next call needs it.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};

use tokio::net::UnixStream;
use tokio::process::{Child, Command};

use crate::{SUPERVISOR_STAGE, WAITS};

/// A supervisor, and the socket over which it reads the call and answers; the end of the socket ends it.
pub(crate) type Supervised = (Child, UnixStream);

/// A supervisor that has started, with the stage of the cage, and waits for the call of a program.
#[derive(Debug, Default)]
pub(crate) struct Waiting(Mutex<Option<Supervised>>);

impl Waiting {
    /// Returns the one that waits, or starts one, and starts the next.
    pub(crate) fn take(&self, launcher: &Path) -> std::io::Result<Supervised> {
        let next = || start(launcher, &[WAITS], Stdio::null(), Stdio::null());
        let waiting = {
            let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *waiting, next().ok())
        };
        // One that was ended meanwhile, such as for want of memory, has run nothing.
        if let Some((mut child, socket)) = waiting
            && matches!(child.try_wait(), Ok(None))
        {
            return Ok((child, socket));
        }
        next()
    }
}

/// Starts a supervisor for a call that only it can have.
pub(crate) fn supervise(
    launcher: &Path,
    stdout: Stdio,
    stderr: Stdio,
) -> std::io::Result<Supervised> {
    start(launcher, &[], stdout, stderr)
}

fn start(
    launcher: &Path,
    words: &[&str],
    stdout: Stdio,
    stderr: Stdio,
) -> std::io::Result<Supervised> {
    let (control, theirs) = std::os::unix::net::UnixStream::pair()?;
    control.set_nonblocking(true)?;
    let supervisor = Command::new(launcher)
        .arg(SUPERVISOR_STAGE)
        .args(words)
        .env_clear()
        .current_dir("/")
        .stdin(OwnedFd::from(theirs))
        .stdout(stdout)
        .stderr(stderr)
        .spawn()?;
    Ok((supervisor, UnixStream::from_std(control)?))
}
