//! Reads a secret text: from standard input, or from a terminal without showing it. Never from arguments or the environment,
//! which other processes can read.

use std::io::{IsTerminal as _, Write as _};
use std::os::fd::AsFd as _;

use rustix::io::Errno;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::Error;

/// Reads a text of `most` bytes, or up to three more if it is longer. A line break at its end does not count.
///
/// # Errors
/// [`Error::Io`].
pub(crate) async fn line(most: usize) -> Result<Zeroizing<Vec<u8>>, Error> {
    let failed = Error::io("read", "standard input");
    let reading = tokio::task::spawn_blocking(move || {
        if std::io::stdin().is_terminal() {
            typed(most)
        } else {
            bytes(most, usize::MAX)
        }
    });
    let bytes = reading.await.unwrap_or_else(|_| Ok(Zeroizing::default()));
    let bytes = bytes.map_err(failed)?;
    let line = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    Ok(Zeroizing::new(line.to_vec()))
}

/// Reads bytes up to the end, or up to the end of a number of lines. Byte by byte, so that no buffer keeps them.
fn bytes(most: usize, lines: usize) -> std::io::Result<Zeroizing<Vec<u8>>> {
    // One more than is valid, so that what is too long is not cut off; reserved, so that no copy stays behind.
    let most = most.saturating_add(3);
    let mut all = Zeroizing::new(Vec::with_capacity(most));
    let stdin = std::io::stdin();
    let mut byte = Zeroizing::new([0]);
    let mut left = lines;
    while all.len() < most && left > 0 {
        match rustix::io::read(stdin.as_fd(), &mut byte[..]) {
            Ok(0) => break,
            Ok(_) => {
                all.extend_from_slice(&byte[..]);
                left -= usize::from(*byte == *b"\n");
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(all)
}

/// Reads a line from the terminal, which shows nothing of it.
fn typed(most: usize) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let hidden = Hidden::new()?;
    let mut terminal = std::io::stderr();
    write!(terminal, "the value (it is not shown): ")?;
    terminal.flush()?;
    let line = bytes(most, 1);
    drop(hidden);
    writeln!(terminal)?;
    line
}

/// A terminal that does not show what is typed; dropped, it does again.
struct Hidden(Termios);

impl Hidden {
    fn new() -> std::io::Result<Self> {
        let stdin = std::io::stdin();
        let before = tcgetattr(stdin.as_fd())?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        // A signal would end the program before the terminal shows again.
        hidden.local_modes.remove(LocalModes::ISIG);
        tcsetattr(stdin.as_fd(), OptionalActions::Flush, &hidden)?;
        Ok(Self(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // A closed terminal shows nothing either.
        tcsetattr(std::io::stdin().as_fd(), OptionalActions::Now, &self.0).ok();
    }
}
