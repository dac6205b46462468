//! The pipes of a caged program: what it writes is read without waiting and up to a bound.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::process::Stdio;

/// Bytes read at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// The reading end of a pipe, with the bytes read.
pub(crate) struct Stream {
    pub(crate) from: Option<File>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) bytes_max: usize,
    /// True if the last bytes are kept instead of the first.
    pub(crate) keeps_end: bool,
    pub(crate) truncated: bool,
}

impl Stream {
    pub(crate) fn new(from: Option<OwnedFd>, bytes_max: usize) -> io::Result<Self> {
        if let Some(from) = &from {
            let flags = rustix::fs::fcntl_getfl(from)?;
            rustix::fs::fcntl_setfl(from, flags | rustix::fs::OFlags::NONBLOCK)?;
        }
        Ok(Self {
            from: from.map(File::from),
            bytes: Vec::new(),
            bytes_max,
            keeps_end: false,
            truncated: false,
        })
    }

    /// Reads one chunk; false if no bytes are available, or at EOF.
    pub(crate) fn read(&mut self) -> bool {
        let Some(from) = &mut self.from else {
            return false;
        };
        let mut chunk = [0_u8; CHUNK_BYTES];
        match from.read(&mut chunk) {
            Ok(0) => self.from = None,
            Ok(count) => {
                if self.keeps_end {
                    let excess = (self.bytes.len() + count).saturating_sub(self.bytes_max);
                    self.bytes.drain(..excess.min(self.bytes.len()));
                }
                let keep = count.min(self.bytes_max - self.bytes.len());
                self.truncated |= keep < count;
                self.bytes.extend(chunk.iter().take(keep));
                return true;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return true,
            Err(_) => self.from = None,
        }
        false
    }
}

/// The ends of the pipes on the program's standard input and output.
pub(crate) struct Ends {
    /// Inherited by the cage, which puts it in place.
    pub(crate) stdin: Option<OwnedFd>,
    pub(crate) stdout: Stdio,
    /// The other end of standard output, unless it is the runner's.
    pub(crate) from: Option<OwnedFd>,
}

impl Ends {
    /// Makes a pipe for the output of a call. A program that serves gets the two pipes of the runner, of which this
    /// process then keeps none, so that each side sees the end of the other.
    pub(crate) fn of(serves: bool) -> io::Result<Self> {
        if !serves {
            let (from, stdout) = io::pipe()?;
            return Ok(Self {
                stdin: None,
                stdout: stdout.into(),
                from: Some(from.into()),
            });
        }
        let stdin = rustix::io::dup(rustix::stdio::stderr())?;
        let stdout = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3)?;
        let null = File::options().read(true).write(true).open("/dev/null")?;
        rustix::stdio::dup2_stdout(&null)?;
        rustix::stdio::dup2_stderr(&null)?;
        Ok(Self {
            stdin: Some(stdin),
            stdout: stdout.into(),
            from: None,
        })
    }
}
