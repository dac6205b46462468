//! Reachability between containers, host and world, tried from inside each one's network, names included. IPv6 needs no
//! test: the table of the containers shows that no interface has any.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs::File,
    io::ErrorKind,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::{
    engine::{SERVICES, docker, engine, inspect, pid},
    stack::Stack,
    table::golden,
};

/// The timeout of an attempt; a peer that answers does so at once.
const ANSWER: Duration = Duration::from_millis(1_500);
/// The ports that are open on all addresses of the host, and in the world.
const OPEN: u16 = 7_777;
const HOST: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 2);
const WORLD: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
/// The answer of the world's resolver to every question.
const SAID: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 7);
/// The engine's resolver, in every container.
const RESOLVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 11)), 53);
/// The ports of the server, its monitor, the gateway and the sidecar's health, and a closed one.
const PORTS: [u16; 5] = [4222, 8222, 8080, 9002, NOWHERE];
const NOWHERE: u16 = 1;

/// Runs a closure on a thread in the network at `path`.
fn within<T: Send>(path: &Path, job: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let inside = scope.spawn(|| {
            let network = File::open(path).unwrap();
            let kind = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(std::os::fd::AsFd::as_fd(&network), kind).unwrap();
            job()
        });
        inside.join().unwrap()
    })
}

/// Tries a connection: accepted (`open`), refused (`closed`), or timed out (`.`).
fn connect(to: SocketAddr) -> &'static str {
    match TcpStream::connect_timeout(&to, ANSWER) {
        Ok(_) => "open",
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => "closed",
        Err(_) => ".",
    }
}

/// Tries a datagram: answered, refused, or timed out. It is sent three times, since it or its answer can be lost.
fn send(to: SocketAddr) -> &'static str {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    socket.set_read_timeout(Some(ANSWER)).unwrap();
    for _ in 0..3 {
        let sent = socket.connect(to).and_then(|()| socket.send(b"?"));
        match sent.and_then(|_| socket.recv(&mut [0; 1])) {
            Ok(_) => return "open",
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => return "closed",
            Err(_) => {}
        }
    }
    "."
}

/// A possible destination, with its name in the table.
#[derive(Clone)]
struct Target {
    name: String,
    to: SocketAddr,
    by: fn(SocketAddr) -> &'static str,
}

impl Target {
    fn new(at: &str, address: Ipv4Addr, port: u16) -> Self {
        let (name, to) = (format!("{at}:{port}"), (address, port).into());
        Self {
            name,
            to,
            by: connect,
        }
    }

    fn datagrams(at: &str, address: Ipv4Addr, port: u16) -> Self {
        let (name, to) = (format!("{at}:{port}/udp"), (address, port).into());
        Self { name, to, by: send }
    }
}

/// Tries all destinations in parallel.
fn try_all(targets: &[Target]) -> Vec<&'static str> {
    thread::scope(|scope| {
        let tried = targets.iter().map(|one| scope.spawn(|| (one.by)(one.to)));
        let tried: Vec<_> = tried.collect();
        tried.into_iter().map(|one| one.join().unwrap()).collect()
    })
}

/// A question for the address of `name`.
fn question(name: &str) -> Vec<u8> {
    let mut bytes = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend(label.as_bytes());
    }
    bytes.extend([0, 0, 1, 0, 1]);
    bytes
}

/// The answer of this network's resolver: an address, `no such name`, or none.
fn resolve(name: &str) -> String {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    socket.set_read_timeout(Some(ANSWER * 2)).unwrap();
    let mut answer = [0; 512];
    let asked = socket.send_to(&question(name), RESOLVER);
    let Some(length) = asked.and_then(|_| socket.recv(&mut answer)).ok() else {
        return ".".to_owned();
    };
    let answers = u16::from_be_bytes([answer[6], answer[7]]);
    match (answer[3] & 15, answers, &answer[..length]) {
        (0, 1.., [.., a, b, c, d]) => Ipv4Addr::new(*a, *b, *c, *d).to_string(),
        _ => "no such name".to_owned(),
    }
}

/// Answers every question with one address.
fn resolver(socket: &UdpSocket) {
    let mut asked = [0; 512];
    while let Ok((length, from)) = socket.recv_from(&mut asked) {
        let end = asked[12..length]
            .iter()
            .position(|byte| *byte == 0)
            .unwrap()
            + 12
            + 5;
        let mut answer = asked[..end].to_vec();
        answer[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        answer.extend(SAID.octets());
        socket.send_to(&answer, from).ok();
    }
}

/// Echoes datagrams.
fn echo(socket: &UdpSocket) {
    let mut heard = [0; 1];
    while let Ok((_, from)) = socket.recv_from(&mut heard) {
        socket.send_to(&heard, from).ok();
    }
}

/// Listeners on the host and in the world during the test.
fn listen(folder: &Path) {
    for name in ["host", "world"] {
        let taken = within(&folder.join(name), || {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, OPEN)).unwrap()
        });
        thread::spawn(move || while taken.accept().is_ok() {});
        let heard = within(&folder.join(name), || {
            UdpSocket::bind((Ipv4Addr::UNSPECIFIED, OPEN)).unwrap()
        });
        thread::spawn(move || echo(&heard));
    }
    let socket = within(&folder.join("world"), || {
        UdpSocket::bind((WORLD, 53)).unwrap()
    });
    thread::spawn(move || resolver(&socket));
}

/// Each container's addresses, by service and network.
fn addresses() -> BTreeMap<(&'static str, String), Ipv4Addr> {
    let mut found = BTreeMap::new();
    for (service, _) in SERVICES {
        let networks = inspect(service)["NetworkSettings"]["Networks"].clone();
        for (name, at) in networks.as_object().unwrap() {
            let name = name.trim_start_matches("contractual_").to_owned();
            found.insert(
                (service, name),
                at["IPAddress"].as_str().unwrap().parse().unwrap(),
            );
        }
    }
    found
}

/// All possible destinations: each address of each container, the host and the world.
fn targets() -> Vec<Target> {
    let mut targets = Vec::new();
    for ((service, network), address) in addresses() {
        let at = format!("{service}@{network}");
        targets.extend(PORTS.map(|port| Target::new(&at, address, port)));
        targets.push(Target::datagrams(&at, address, NOWHERE));
    }
    let networks = docker(&[
        "network",
        "ls",
        "--quiet",
        "--filter",
        "label=com.docker.compose.project=contractual",
    ]);
    let mut outside = vec![("host".to_owned(), HOST), ("world".to_owned(), WORLD)];
    for id in networks.split_whitespace() {
        let said = docker(&[
            "network",
            "inspect",
            "--format",
            "{{.Name}} {{range .IPAM.Config}}{{.Subnet}}{{end}}",
            id,
        ]);
        let (name, subnet) = said.trim().split_once(' ').unwrap();
        let base: Ipv4Addr = subnet.split('/').next().unwrap().parse().unwrap();
        // The host takes the first address of a network, where it takes one.
        let first = Ipv4Addr::from(u32::from(base) + 1);
        let name = name.trim_start_matches("contractual_");
        outside.push((format!("host@{name}"), first));
    }
    for (at, address) in outside {
        targets.push(Target::new(&at, address, OPEN));
        targets.push(Target::datagrams(&at, address, OPEN));
    }
    targets.sort_by(|one, other| one.name.cmp(&other.name));
    targets
}

fn sources(folder: &Path) -> Vec<(&'static str, PathBuf)> {
    let of = |service| PathBuf::from(format!("/proc/{}/ns/net", pid(service)));
    let containers = SERVICES.iter().map(|(service, _)| (*service, of(service)));
    let outside = ["host", "world"].map(|name| (name, folder.join(name)));
    containers.chain(outside).collect()
}

/// The table of answers. Destinations that are not listed timed out from everywhere.
#[tokio::test]
async fn only_the_designed_edges_answer() {
    let Some(_stack) = Stack::up().await else {
        return;
    };
    let folder = engine().unwrap();
    listen(&folder);
    let (targets, addresses) = (targets(), addresses());
    let mut text =
        "# Connections and datagrams: who reaches what. Each other pair of the matrix came to nothing.\n"
            .to_owned();
    let mut tried = 0;
    for (source, network) in sources(&folder) {
        let own: Vec<_> = addresses
            .iter()
            .filter(|((of, _), _)| *of == source)
            .map(|(_, at)| IpAddr::V4(*at))
            .collect();
        // A container itself is not a destination.
        let others: Vec<_> = targets
            .iter()
            .filter(|one| !own.contains(&one.to.ip()) && !one.name.starts_with(source))
            .cloned()
            .collect();
        let answers = within(&network, || try_all(&others));
        tried += answers.len();
        for (Target { name, .. }, answer) in others.iter().zip(answers) {
            if answer != "." {
                writeln!(text, "{source:10} {name:28} {answer}").unwrap();
            }
        }
    }
    text.push_str("\n# Names: what the resolver of each container's network says.\n");
    let outside = ["host.docker.internal", "example.com"];
    for (source, network) in sources(&folder).into_iter().take(SERVICES.len()) {
        let names = SERVICES.iter().map(|(name, _)| *name).chain(outside);
        // The resolver may return any of its own addresses.
        for name in names.filter(|name| *name != source) {
            let said = within(&network, || resolve(name));
            let known = addresses.iter().find(|(_, at)| at.to_string() == said);
            let said = known.map_or(said.clone(), |((service, network), _)| {
                format!("{service}@{network}")
            });
            if said != "." && said != "no such name" {
                writeln!(text, "{source:10} {name:28} {said}").unwrap();
            }
        }
    }
    println!("{tried} connections tried");
    golden("reach.txt", &text);
}
