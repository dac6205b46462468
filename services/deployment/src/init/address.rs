//! The addresses of a new deployment: each must be one on which this machine can listen, and stay the same.

use std::{
    io::ErrorKind,
    net::{IpAddr, SocketAddr, TcpListener},
};

use crate::Error;

/// Checks the addresses of server and gateway.
///
/// # Errors
/// [`Error::Document`] names the first address that cannot be used.
pub(super) fn check(bus: SocketAddr, gateway: SocketAddr) -> Result<(), Error> {
    for (flag, address) in [("--bus", bus), ("--gateway", gateway)] {
        if let Some(problem) = problem(address) {
            return Err(Error::Document(format!("{flag} {address} {problem}")));
        }
    }
    if gateway.ip().is_unspecified() {
        return Err(Error::Document(format!(
            "--gateway {gateway} is every address of this machine: name one of them"
        )));
    }
    let same = bus.ip() == gateway.ip() || bus.ip().is_unspecified();
    if same && bus.port() == gateway.port() {
        return Err(Error::Document(format!(
            "--bus {bus} and --gateway {gateway} are the same address: name two ports"
        )));
    }
    Ok(())
}

/// The problem of an address and its fix.
fn problem(address: SocketAddr) -> Option<String> {
    let ip = address.ip();
    let broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
    if address.port() == 0 {
        return Some("has port 0, another port at each start: name a port such as 4222".to_owned());
    }
    if ip.to_canonical() != ip {
        let plain = SocketAddr::new(ip.to_canonical(), address.port());
        return Some(format!(
            "is an IPv4 address in IPv6 form: write it as {plain}"
        ));
    }
    if matches!(address, SocketAddr::V6(address) if address.scope_id() != 0) {
        return Some("names a network interface: name an address without one".to_owned());
    }
    if ip.is_multicast() || broadcast {
        return Some("is no address of one machine: name an address of this one".to_owned());
    }
    match TcpListener::bind(address) {
        Ok(_) => None,
        // The deployment itself may run already.
        Err(error) if error.kind() == ErrorKind::AddrInUse => None,
        Err(error) => Some(format!(
            "cannot be listened on ({error}): name an address of this machine, and a port that this user may use"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    fn said(bus: &str, gateway: &str) -> String {
        let checked = check(bus.parse().unwrap(), gateway.parse().unwrap());
        checked.map_or_else(|error| error.to_string(), |()| "ok".to_owned())
    }

    #[test]
    fn address_that_stays_and_is_of_this_machine_is_accepted() {
        for bus in ["127.0.0.1:28471", "127.0.0.2:28471", "0.0.0.0:28471"] {
            assert_eq!(said(bus, "127.0.0.1:28472"), "ok");
        }
    }

    #[test]
    fn every_other_address_is_refused_with_its_reason() {
        for (bus, gateway, words) in [
            (
                "127.0.0.1:0",
                "127.0.0.1:28472",
                "--bus 127.0.0.1:0 has port 0",
            ),
            (
                "127.0.0.1:28471",
                "127.0.0.1:0",
                "--gateway 127.0.0.1:0 has port 0",
            ),
            (
                "[::ffff:127.0.0.1]:28471",
                "127.0.0.1:28472",
                "as 127.0.0.1:28471",
            ),
            (
                "[fe80::1%2]:28471",
                "127.0.0.1:28472",
                "names a network interface",
            ),
            (
                "224.0.0.1:28471",
                "127.0.0.1:28472",
                "no address of one machine",
            ),
            (
                "255.255.255.255:28471",
                "127.0.0.1:28472",
                "no address of one machine",
            ),
            (
                "192.0.2.1:28471",
                "127.0.0.1:28472",
                "cannot be listened on",
            ),
            ("127.0.0.1:28471", "127.0.0.1:28471", "are the same address"),
            ("0.0.0.0:28471", "127.0.0.1:28471", "are the same address"),
            (
                "127.0.0.1:28471",
                "0.0.0.0:28472",
                "every address of this machine",
            ),
        ] {
            let said = said(bus, gateway);
            assert!(said.contains(words), "{bus} {gateway}: {said}");
        }
    }
}
