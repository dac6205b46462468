//! The configuration: the sample is one, and what would open the gateway to everybody is none.

use std::path::Path;

use gateway::{
    Config,
    config::{Hosts, Invalid, Listen},
};

#[test]
fn sample_configuration_is_valid() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("gateway.toml");
    let (bus, config) = actor::config::read::<Config>(&path).unwrap();
    assert_eq!(bus.url, "tls://nats:4222");
    assert_eq!(config.listen.address().to_string(), "127.0.0.1:8080");
    assert!(config.hosts.contains("contractual.example.ts.net"));
}

#[test]
fn only_one_address_is_listened_on() {
    let listen = |text: &str| Listen::try_from(text.to_owned());
    for text in [
        "127.0.0.1:8080",
        "[::1]:8080",
        "10.0.0.1:80",
        "[fd00::1]:80",
    ] {
        assert_eq!(listen(text).unwrap().address().to_string(), text);
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
