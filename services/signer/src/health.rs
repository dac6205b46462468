//! The health check: a request to the signer that runs, because the system accepts connections for a process that hangs.

use std::{
    io::{self, Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use crate::Config;

/// The timeout of each step.
const ANSWER: Duration = Duration::from_secs(2);
const START: &[u8; 9] = b"HTTP/1.1 ";

/// Asks the signer that runs with this configuration for an answer, whichever it is.
///
/// # Errors
/// The error of the connection, or of an answer that does not come.
pub fn ask(config: &Config) -> io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&config.listen, ANSWER)?;
    stream.set_read_timeout(Some(ANSWER))?;
    stream.set_write_timeout(Some(ANSWER))?;
    let request = format!(
        "HEAD / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
        config.listen
    );
    stream.write_all(request.as_bytes())?;
    let mut start = [0; START.len()];
    stream.read_exact(&mut start)?;
    if start == *START {
        Ok(())
    } else {
        Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "another program listens there",
        ))
    }
}
