//! Tests of the configuration: the sample is valid, and values that open the gateway to everybody are invalid.

use std::path::Path;

use gateway::{
    Config,
    config::{EdgeListener, Hosts, Invalid, Listen},
};

#[test]
fn sample_configuration_is_valid() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("gateway.toml");
    let (bus, config) = actor::config::read::<Config>(&path).unwrap();
    assert_eq!(bus.url, "tls://nats:4222");
    assert_eq!(config.listen.address().to_string(), "127.0.0.1:8080");
    assert!(config.hosts.contains("contractual.example.ts.net"));
    let edge = config.edge.unwrap();
    assert_eq!(edge.address().to_string(), "10.89.1.2:8080");
    assert_eq!(edge.sidecar().to_string(), "10.89.1.3");
}

#[test]
fn only_one_address_is_listened_on() {
    let listen = |text: &str| Listen::try_from(text.to_owned());
    for text in ["127.0.0.1:8080", "127.1.2.3:80", "[::1]:8080"] {
        assert_eq!(listen(text).unwrap().address().to_string(), text);
    }
    for text in ["10.0.0.1:80", "[fd00::1]:80", "[::ffff:127.0.0.1]:80"] {
        let refused = listen(text);
        assert!(matches!(refused, Err(Invalid::NotLoopback(_))), "{text}");
    }
    for text in [
        "0.0.0.0:80",
        "[::]:80",
        "[::ffff:0.0.0.0]:80",
        "255.255.255.255:80",
        "224.0.0.1:80",
    ] {
        assert!(
            matches!(listen(text), Err(Invalid::Everywhere(_))),
            "{text}"
        );
    }
    for text in [
        "",
        "80",
        ":80",
        "localhost:80",
        "127.0.0.1",
        "127.0.0.1:65536",
    ] {
        assert!(matches!(listen(text), Err(Invalid::Address(_))), "{text}");
    }
    assert_eq!(listen("127.0.0.1:0"), Err(Invalid::NoPort));
}

#[test]
fn edge_is_between_two_addresses_of_one_network() {
    let edge = |listen: &str, sidecar: &str| {
        EdgeListener::new(listen.to_owned(), sidecar.parse().unwrap()).map(EdgeListener::address)
    };
    for (listen, sidecar) in [("10.0.0.2:80", "10.0.0.3"), ("[fd00::2]:80", "fd00::3")] {
        assert_eq!(edge(listen, sidecar).unwrap().to_string(), listen);
    }
    for (listen, sidecar) in [
        ("127.0.0.1:80", "10.0.0.3"),
        ("[::1]:80", "fd00::3"),
        ("[::ffff:127.0.0.1]:80", "fd00::3"),
        ("10.0.0.2:80", "127.0.0.1"),
    ] {
        let refused = edge(listen, sidecar);
        assert!(
            matches!(refused, Err(Invalid::Loopback(_))),
            "{listen} {sidecar}"
        );
    }
    for (listen, sidecar) in [
        ("10.0.0.2:80", "10.0.0.2"),
        ("10.0.0.2:80", "0.0.0.0"),
        ("10.0.0.2:80", "255.255.255.255"),
        ("10.0.0.2:80", "fd00::3"),
        ("10.0.0.2:80", "::ffff:10.0.0.3"),
    ] {
        let refused = edge(listen, sidecar);
        assert!(
            matches!(refused, Err(Invalid::Sidecar(_))),
            "{listen} {sidecar}"
        );
    }
    for listen in ["0.0.0.0:80", "[::]:80"] {
        let refused = edge(listen, "10.0.0.3");
        assert!(matches!(refused, Err(Invalid::Everywhere(_))), "{listen}");
    }
    assert_eq!(edge("10.0.0.2:0", "10.0.0.3"), Err(Invalid::NoPort));
    assert!(matches!(
        edge("gateway:80", "10.0.0.3"),
        Err(Invalid::Address(_))
    ));
}

#[test]
fn hosts_are_names() {
    let hosts = |name: &str| Hosts::try_from(vec![name.to_owned()]);
    for name in ["a", "a.b", "gateway.example.ts.net:8443", "10.0.0.1:80"] {
        assert!(
            hosts(name).unwrap().contains(&name.to_uppercase()),
            "{name}"
        );
    }
    for name in [
        "",
        "*",
        "*.example.com",
        "A",
        "a..b",
        "a:",
        "a:0",
        "a:b",
        "a/b",
        "https://a",
        "a b",
    ] {
        assert!(matches!(hosts(name), Err(Invalid::Host(_))), "{name}");
    }
    let many = vec!["a".to_owned(); 17];
    assert_eq!(Hosts::try_from(many), Err(Invalid::TooManyHosts(17)));
}
