//! Attacks by addresses, in a network of its own in which every address is this machine: each works against a client that
//! leaves the check out.

use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt as _;
use std::process::Command;

use contract::Reach;
use egress::Fault;
use serde_json::json;

use crate::left_out::{client, send};
use crate::world::{Authority, End, HELLO, HOST, World, answer};

/// No address of a host: special ones, ways to write an address of version 4 as one of version 6, and the metadata services of
/// clouds. A connection to each reaches the server of the test.
const REFUSED: &str = "127.0.0.1 127.1.2.3 0.0.0.0 10.0.0.1 172.16.0.1 192.168.0.1 100.64.0.1 100.100.100.200 169.254.169.254 \
    169.254.170.2 168.63.129.16 192.0.0.192 192.0.2.1 198.18.0.1 240.0.0.1 \
    :: ::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:169.254.169.254 ::ffff:0:127.0.0.1 ::ffff:93.184.216.34 64:ff9b::7f00:1 \
    64:ff9b::a9fe:a9fe 64:ff9b:1::1 2002:7f00:1::1 2002:a9fe:a9fe::1 2001::1 2001:db8::1 3fff::1 4000::1 5f00::1 100::1 \
    fc00::1 fd00:ec2::254 fd00:ec2::23 fd20:ce::254 fec0::1";
/// Addresses of hosts.
const ADMITTED: &str = "2606:4700:4700::1111 2a00::1 64:ff9b::808:808 93.184.216.34";

/// Returns true if every address is this machine. If not, runs `test` in a process for which that is so.
fn is_everywhere(test: &str) -> bool {
    const HERE: &str = "EGRESS_IT_EVERYWHERE";
    if std::env::var_os(HERE).is_some() {
        return true;
    }
    let script = "ip link set lo up && ip route add local 0.0.0.0/0 dev lo && \
        ip -6 route add local ::/0 dev lo && exec \"$@\"";
    let mut again = Command::new("unshare");
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        again.arg("--map-root-user");
    }
    let again = again
        .args(["--net", "sh", "-c", script, "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test])
        .env(HERE, "1")
        // No proxy of the environment counts: there is none at this port.
        .env("HTTPS_PROXY", "http://127.0.0.1:1")
        .env("ALL_PROXY", "http://127.0.0.1:1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&again.stdout);
    if !said.contains("running 1 test") {
        let why = String::from_utf8_lossy(&again.stderr);
        let mandatory = std::env::var_os("CONTRACTUAL_TESTS_MANDATORY");
        let is_mandatory = mandatory.is_some_and(|set| set == "1");
        assert!(!is_mandatory, "no network can be made here: {why}");
        let text = format!("SKIPPED: no network can be made here: {why}\n");
        std::io::stderr().write_all(text.as_bytes()).unwrap();
        return false;
    }
    assert!(again.status.success(), "{said}");
    false
}

fn addresses(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace()
}

#[tokio::test]
async fn an_address_of_no_host_is_reached_only_without_the_check_of_addresses() {
    if !is_everywhere(
        "any_address::an_address_of_no_host_is_reached_only_without_the_check_of_addresses",
    ) {
        return;
    }
    let authority = Authority::new();
    let world = World::everywhere(&authority, HELLO).await;
    let client = client(Some(&authority));
    let reach = Reach::read(&[world.endpoint()], &[]);
    for bound in addresses(REFUSED) {
        world.bind(&[bound]);
        let before = world.count();
        let found = world.addresses().await[0];
        let reached = send(&client, SocketAddr::new(found, world.port)).await;
        assert!(reached.unwrap().ends_with("hello"), "{bound}");
        assert!(world.request().contains("canary"), "{bound}");
        // Alone, and beside addresses of both families that are permitted.
        for others in [&[][..], &["2606:4700:4700::1111", "93.184.216.34"]] {
            world.bind(&[others, &[bound]].concat());
            let sent = world.call_with(&world.entry(), &json!({}), &reach).await;
            assert!(matches!(sent.output, Err(Fault::Address { .. })), "{bound}");
            assert!(!sent.begun);
        }
        assert_eq!(world.count(), before + 1, "{bound}");
    }
    for bound in addresses(ADMITTED) {
        world.bind(&[bound]);
        let before = world.count();
        let sent = world.call_with(&world.entry(), &json!({}), &reach).await;
        assert_eq!(sent.output.unwrap(), br#"{"text":"hello"}"#, "{bound}");
        assert_eq!(world.count(), before + 1);
        // The next answer of the name server is another one.
        world.bind(&["fd00:ec2::254"]);
        let sent = world.call_with(&world.entry(), &json!({}), &reach).await;
        assert!(matches!(sent.output, Err(Fault::Address { .. })));
        assert_eq!(world.count(), before + 1);
    }
}

#[tokio::test]
async fn a_contract_opens_a_network_of_version_6_and_no_metadata_service_in_it() {
    if !is_everywhere(
        "any_address::a_contract_opens_a_network_of_version_6_and_no_metadata_service_in_it",
    ) {
        return;
    }
    let world = World::everywhere(&Authority::new(), HELLO).await;
    let get = async |bound: &str, network: &str| {
        world.bind(&[bound]);
        let reach = Reach::read(&[world.endpoint()], &[network.to_owned()]);
        let sent = world.call_with(&world.entry(), &json!({}), &reach).await;
        sent.output.is_ok()
    };
    assert!(get("fd00::7", "fd00::/8").await);
    assert!(get("::1", "::1/128").await);
    assert!(!get("fc00::7", "fd00::/8").await);
    assert!(!get("fd00:ec2::254", "fd00::/8").await);
    assert!(get("fd00:ec2::254", "fd00:ec2::254/128").await);
    assert_eq!(world.count(), 3);
}

#[tokio::test]
async fn a_redirect_to_an_address_is_followed_only_without_the_strict_reading() {
    if !is_everywhere(
        "any_address::a_redirect_to_an_address_is_followed_only_without_the_strict_reading",
    ) {
        return;
    }
    let authority = Authority::new();
    let elsewhere = World::everywhere(&authority, HELLO).await;
    let client = client(Some(&authority));
    // As resolvers of C libraries read them.
    for (n, host) in [
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "127.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[fd00:ec2::254]",
    ]
    .into_iter()
    .enumerate()
    {
        let target = format!("{host}:{}", elsewhere.port);
        let to = tokio::net::lookup_host(&target).await.unwrap().next();
        send(&client, to.unwrap()).await.unwrap();
        assert_eq!(elsewhere.count(), n + 1, "{host}");
        // Plain, and behind the name of the host that the contract names.
        for target in [
            target.clone(),
            format!("{HOST}@{target}"),
            format!("{HOST}:1@{target}"),
        ] {
            let moved = answer(
                "302 Found",
                &format!("location: https://{target}/v2/items\r\n"),
                "",
            );
            let world = World::with(&authority, HOST, moved, End::Close).await;
            let mut entry = world.entry();
            entry["redirects"] = json!(1);
            let hosts = [world.endpoint(), elsewhere.endpoint()];
            let reach = Reach::read(&hosts, &["127.0.0.0/8".to_owned(), "::1/128".to_owned()]);
            let sent = world.call_with(&entry, &json!({}), &reach).await;
            assert!(
                matches!(sent.output, Err(Fault::Redirect { .. })),
                "{target}"
            );
            assert_eq!((world.count(), elsewhere.count()), (1, n + 1), "{target}");
        }
    }
}
