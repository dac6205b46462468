//! The question to the person at the terminal.

use std::{
    io::{IsTerminal as _, Write as _},
    os::fd::{AsFd as _, OwnedFd},
    sync::Arc,
};

use rustix::{
    event::{EventfdFlags, PollFd, PollFlags, eventfd, poll},
    io::{Errno, read, write},
    termios::{QueueSelector, tcflush},
};

/// Most bytes of an answer that are kept; none is as long.
const ANSWER_BYTES_MAX: usize = 64;
/// Most bytes of a value that are kept; every value that a slot takes is shorter.
const VALUE_BYTES_MAX: usize = 32 << 10;
const PROMPT: &str = "  sign it? [yes/no] ";

/// Asks until the answer is exactly `yes` or `no`; returns none at EOF. A dropped future stops reading.
pub(crate) async fn sign_it() -> Option<bool> {
    let stop = Stop(Arc::new(eventfd(0, EventfdFlags::CLOEXEC).ok()?));
    let stopped = Arc::clone(&stop.0);
    let asking = tokio::task::spawn_blocking(move || ask(&stopped));
    asking.await.unwrap_or_default()
}

/// Asks for a value on one line; returns none at EOF. A dropped future stops reading.
pub(crate) async fn value(question: String) -> Option<String> {
    let stop = Stop(Arc::new(eventfd(0, EventfdFlags::CLOEXEC).ok()?));
    let stopped = Arc::clone(&stop.0);
    let asking = tokio::task::spawn_blocking(move || {
        flush_typed()?;
        let mut terminal = std::io::stderr();
        write!(terminal, "{question}").ok()?;
        terminal.flush().ok()?;
        let line = line(&stopped, VALUE_BYTES_MAX)?;
        Some(String::from_utf8_lossy(&line).into_owned())
    });
    asking.await.unwrap_or_default()
}

/// Says why a value does not fit, before the question is asked again.
pub(crate) fn tell(problem: &str) {
    // Only lost if the terminal is closed, which the reader of the answer finds.
    writeln!(std::io::stderr(), "  {problem}").ok();
}

/// Returns true if a person can answer here: standard input is a terminal.
pub(crate) fn is_attended() -> bool {
    std::io::stdin().is_terminal()
}

/// Leaves the line of the prompt, for other lines.
pub(crate) fn leave() {
    // Only lost if the terminal is closed, which the reader of the answer finds.
    writeln!(std::io::stderr()).ok();
}

/// Shows the prompt of a question again.
pub(crate) fn show() {
    show_again(PROMPT);
}

/// Shows a prompt again, whose answer is still read.
pub(crate) fn show_again(prompt: &str) {
    let mut terminal = std::io::stderr();
    // As above.
    write!(terminal, "{prompt}")
        .and_then(|()| terminal.flush())
        .ok();
}

/// Tells the reader of an answer to stop, when the question is dropped.
struct Stop(Arc<OwnedFd>);

impl Drop for Stop {
    fn drop(&mut self) {
        // Fails only if it was told before.
        write(&*self.0, &1_u64.to_ne_bytes()).ok();
    }
}

fn ask(stop: &OwnedFd) -> Option<bool> {
    let mut terminal = std::io::stderr();
    flush_typed()?;
    loop {
        write!(terminal, "{PROMPT}").ok()?;
        terminal.flush().ok()?;
        match line(stop, ANSWER_BYTES_MAX)?.as_slice() {
            b"yes" => return Some(true),
            b"no" => return Some(false),
            _ => writeln!(terminal, "  answer with the whole word yes or no").ok()?,
        }
    }
}

/// Drops the lines that were typed before the question, because they do not answer it.
fn flush_typed() -> Option<()> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        tcflush(&stdin, QueueSelector::IFlush).ok()?;
    }
    Some(())
}

/// Reads one whole line, byte by byte, so that the next line stays unread, and keeps at most `most` bytes of it; returns
/// none at EOF and if told to stop.
fn line(stop: &OwnedFd, most: usize) -> Option<Vec<u8>> {
    let stdin = std::io::stdin();
    let mut line = Vec::new();
    loop {
        let mut waiting = [
            PollFd::new(&stdin, PollFlags::IN),
            PollFd::new(stop, PollFlags::IN),
        ];
        match poll(&mut waiting, None) {
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(_) => return None,
        }
        let [_, stopped] = &waiting;
        if !stopped.revents().is_empty() {
            return None;
        }
        let mut byte = [0];
        match read(stdin.as_fd(), &mut byte) {
            Ok(0) => return None,
            Ok(_) if byte == *b"\n" => return Some(line),
            Ok(_) if line.len() < most => line.extend(byte),
            Ok(_) | Err(Errno::INTR | Errno::AGAIN) => {}
            Err(_) => return None,
        }
    }
}
