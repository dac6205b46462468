//! A name server on a free port of this machine.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use tokio::net::UdpSocket;

use crate::world::spawn;

/// The answers of a name server, changed by the test.
pub(crate) type Names = Arc<Mutex<BTreeMap<String, Vec<IpAddr>>>>;

/// Answers queries for addresses from a table; names that are not in it do not exist.
pub(crate) async fn name_server(names: Names) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    spawn(async move {
        let mut query = [0; 1500];
        while let Ok((n, from)) = socket.recv_from(&mut query).await {
            let answer = dns_answer(&query[..n], &names.lock().unwrap());
            socket.send_to(&answer, from).await.unwrap();
        }
    });
    address
}

fn dns_answer(query: &[u8], names: &BTreeMap<String, Vec<IpAddr>>) -> Vec<u8> {
    let (mut at, mut labels) = (12, Vec::new());
    while query[at] != 0 {
        let label = &query[at + 1..=at + usize::from(query[at])];
        labels.push(String::from_utf8_lossy(label).into_owned());
        at += 1 + label.len();
    }
    let (question, kind) = (&query[12..at + 5], query[at + 2]);
    let found = names.get(&labels.join("."));
    let fits = |address: &&IpAddr| kind == if address.is_ipv6() { 28 } else { 1 };
    let of_kind: Vec<_> = found.into_iter().flatten().filter(fits).collect();
    let code = if found.is_some() { 0 } else { 3 };
    let mut answer = query[..2].to_vec();
    answer.extend([
        0x81,
        0x80 | code,
        0,
        1,
        0,
        u8::try_from(of_kind.len()).unwrap(),
        0,
        0,
        0,
        0,
    ]);
    answer.extend(question);
    for address in of_kind {
        let bytes = match address {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        answer.extend([
            0xc0,
            12,
            0,
            kind,
            0,
            1,
            0,
            0,
            0,
            0,
            0,
            u8::try_from(bytes.len()).unwrap(),
        ]);
        answer.extend(bytes);
    }
    answer
}
