//! Free ports of the loopback.

use std::net::{SocketAddr, TcpListener};

use crate::runtime::Error;

/// A free loopback address.
pub(crate) fn free_port() -> Result<SocketAddr, Error> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
