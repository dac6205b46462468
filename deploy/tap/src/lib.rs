#![doc = include_str!("../README.md")]

use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    thread,
    time::Duration,
};

/// The timeout of a connection and of an answer.
const TIMEOUT: Duration = Duration::from_secs(2);
/// The maximum size of an answer that is read.
const ANSWER_BYTES_MAX: u64 = 4 << 10;
/// The number of bytes that are copied at a time.
const CHUNK_BYTES: usize = 64 << 10;

/// Connects standard input and output with a TCP connection, until the other side closes it.
///
/// EOF of standard input closes the sending direction; later answers still reach standard output.
///
/// # Errors
/// [`io::Error`] if the connection fails, or standard output is closed.
pub fn join(address: SocketAddr) -> io::Result<()> {
    let mut incoming = TcpStream::connect_timeout(&address, TIMEOUT)?;
    incoming.set_nodelay(true)?;
    let mut outgoing = incoming.try_clone()?;
    thread::spawn(move || {
        // After EOF or an error there is no more input.
        copy(&mut io::stdin().lock(), &mut outgoing).ok();
        outgoing.shutdown(Shutdown::Write).ok();
    });
    copy(&mut incoming, &mut io::stdout().lock())
}

/// Copies until EOF, without buffering.
fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let bytes = match from.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        to.write_all(chunk.get(..bytes).unwrap_or_default())?;
        to.flush()?;
    }
}

/// Requests `path` from `address` over HTTP, and returns the body of an answer with status 200.
///
/// # Errors
/// [`io::Error`] after a timeout, or with the text of an answer with another status.
pub fn health(address: SocketAddr, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    let read = stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer);
    read.map_err(|error| {
        if error.kind() == io::ErrorKind::WouldBlock {
            io::Error::other(format!("no answer within {TIMEOUT:?}: the server hangs"))
        } else {
            error
        }
    })?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let mut status = head.split(' ');
    if status.next() == Some("HTTP/1.1") && status.next() == Some("200") {
        return Ok(body.trim().to_owned());
    }
    let said = if body.trim().is_empty() { head } else { body };
    Err(io::Error::other(said.trim().to_owned()))
}
