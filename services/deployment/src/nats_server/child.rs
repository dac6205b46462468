//! Runs one child process with limits on time and output, and kills its descendants at the end.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::OFlags;
use rustix::process::{Pid, PidfdFlags, Signal};

/// The maximum size that is kept of each output stream: its end.
const OUTPUT_BYTES_MAX: usize = 64 * 1024;
/// The maximum length of a child's output in a reason.
const REASON_CHARS_MAX: usize = 300;
/// The interval of checks for cancellation.
const CANCEL_EVERY: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 100_000_000,
};

/// The reason why a child process failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The caller cancelled it.
    Cancelled,
    /// One line that describes the failure.
    Reason(String),
}

impl Failure {
    pub(super) fn reason(text: impl Into<String>) -> Self {
        Self::Reason(text.into())
    }
}

/// Runs `command` to its end and returns its standard output.
///
/// The child has its own process group, which is killed when the child has ended, after `wall`,
/// when `cancel` becomes true, and on a panic. The caller sets the environment of `command`.
pub(super) fn run(
    mut command: Command,
    wall: Duration,
    cancel: &AtomicBool,
) -> Result<String, Failure> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    let child = command
        .spawn()
        .map_err(|e| Failure::Reason(format!("cannot start: {e}")))?;
    let mut group = Group { child };
    let (status, stdout, stderr) = group.watch(wall, cancel)?;
    if status.success() {
        return Ok(String::from_utf8_lossy(&stdout).into_owned());
    }
    let words = last_line(&stderr).or_else(|| last_line(&stdout));
    Err(Failure::Reason(match words {
        Some(words) => format!("{status}: {words}"),
        None => status.to_string(),
    }))
}

struct Group {
    child: Child,
}

impl Group {
    fn watch(
        &mut self,
        wall: Duration,
        cancel: &AtomicBool,
    ) -> Result<(ExitStatus, Vec<u8>, Vec<u8>), Failure> {
        let clock = actor::Clock::system();
        let deadline = clock.elapsed() + wall;
        let pidfd = rustix::process::pidfd_open(Pid::from_child(&self.child), PidfdFlags::empty())
            .map_err(|e| Failure::Reason(format!("cannot watch the child process: {e}")))?;
        let mut out = Pipe::of(self.child.stdout.take().map(OwnedFd::from))?;
        let mut err = Pipe::of(self.child.stderr.take().map(OwnedFd::from))?;
        let mut ended = false;
        while !ended {
            if cancel.load(Ordering::Relaxed) {
                return Err(Failure::Cancelled);
            }
            if clock.elapsed() >= deadline {
                return Err(Failure::Reason(format!(
                    "gave up after {} s",
                    wall.as_secs()
                )));
            }
            ended = readable(&pidfd, &out, &err)?;
            out.drain();
            err.drain();
        }
        self.kill();
        let status = self
            .child
            .wait()
            .map_err(|e| Failure::Reason(format!("cannot wait: {e}")))?;
        Ok((status, out.kept, err.kept))
    }

    /// Kills the group. Before `wait` the leader's id cannot be reused, so this reaches no other process.
    fn kill(&self) {
        rustix::process::kill_process_group(Pid::from_child(&self.child), Signal::KILL).ok();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            self.kill();
            self.child.wait().ok();
        }
    }
}

/// Waits for output, the child's end or the next check of the limits; returns true if the child has ended.
fn readable(pidfd: &OwnedFd, out: &Pipe, err: &Pipe) -> Result<bool, Failure> {
    let mut fds = vec![PollFd::new(pidfd, PollFlags::IN)];
    for pipe in [out, err] {
        if let Some(open) = &pipe.open {
            fds.push(PollFd::from_borrowed_fd(open.as_fd(), PollFlags::IN));
        }
    }
    match rustix::event::poll(&mut fds, Some(&CANCEL_EVERY)) {
        Ok(_) => Ok(fds.first().is_some_and(|pidfd| !pidfd.revents().is_empty())),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(Failure::Reason(format!(
            "cannot watch the child process: {error}"
        ))),
    }
}

struct Pipe {
    open: Option<File>,
    kept: Vec<u8>,
}

impl Pipe {
    fn of(fd: Option<OwnedFd>) -> Result<Self, Failure> {
        let open = fd.map(File::from);
        if let Some(file) = &open {
            rustix::fs::fcntl_setfl(file, OFlags::NONBLOCK)
                .map_err(|e| Failure::Reason(format!("cannot read the child's output: {e}")))?;
        }
        Ok(Self {
            open,
            kept: Vec::new(),
        })
    }

    /// Reads a limited part of the available output; a remainder makes the next poll return at once.
    fn drain(&mut self) {
        let Some(file) = &mut self.open else { return };
        let mut part = [0_u8; 8192];
        for _ in 0..16 {
            match file.read(&mut part) {
                Ok(0) => {
                    self.open = None;
                    return;
                }
                Ok(count) => {
                    self.kept.extend(part.iter().take(count));
                    let excess = self.kept.len().saturating_sub(OUTPUT_BYTES_MAX);
                    self.kept.drain(..excess);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_gone) => {
                    self.open = None;
                    return;
                }
            }
        }
    }
}

/// The last line that is not empty, without control characters.
fn last_line(output: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(output);
    let line = text
        .lines()
        .rev()
        .map(str::trim)
        .find(|line| !line.is_empty())?;
    Some(
        line.chars()
            .filter(|c| !c.is_control())
            .take(REASON_CHARS_MAX)
            .collect(),
    )
}
