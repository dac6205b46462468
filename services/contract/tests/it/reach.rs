//! Tests URLs, endpoints and addresses against the texts with which other programs were deceived.

use std::net::IpAddr;

use contract::{Endpoint, Network, StrictUrl, admit};
use iprfc::RFC6890;

/// The host that the contract of these tests names.
const HOST: &str = "api.example.com";

/// Returns true if `text` may be sent to: it is at the named host, below /v2/.
fn may(text: &str) -> bool {
    let named: Endpoint = HOST.parse().unwrap();
    StrictUrl::new(text).is_ok_and(|url| url.is_below(&named, "/v2/"))
}

/// Asserts that none of these may be sent to; `H` stands for the host.
fn refused(texts: &[&str]) {
    for text in texts {
        let text = text.replace('H', HOST);
        assert!(!may(&text), "{text:?}");
    }
}

/// Asserts that none of these is a strict URL at all.
fn no_urls(texts: &[&str]) {
    for text in texts {
        let text = text.replace('H', HOST);
        let read = StrictUrl::new(&text);
        assert!(read.is_err(), "{text:?}: {read:?}");
    }
}

#[test]
fn urls_in_their_one_spelling_are_taken() {
    let named: Endpoint = HOST.parse().unwrap();
    for path in [
        "/v2/",
        "/v2/x",
        "/v2/a%20b",
        "/v2/x?next=https://evil/",
        "/v2/%C3%A9",
        "/v2/x/?a=b%2fc",
    ] {
        let text = format!("https://{HOST}{path}");
        let url = StrictUrl::new(&text).unwrap();
        assert_eq!(url.to_string(), text);
        assert!(url.is_below(&named, "/v2/"), "{text}");
        assert_eq!(url.query().is_some(), path.contains('?'));
    }
    assert!(StrictUrl::new("https://api.example.com:8443/v2/").is_ok());
}

#[test]
fn schemes_and_ports_have_one_spelling() {
    no_urls(&[
        "HTTPS://api.example.com/v2/",
        "https://API.Example.COM/v2/",
        "https://H:443/v2/",
        "https://H:/v2/",
        "https://H:0443/v2/",
        "https://H:65979/v2/",
        "http://H/v2/",
        "file:///v2/",
        "ftp://H/v2/",
        "data:text/plain,v2",
    ]);
    refused(&["https://H:8443/v2/"]);
}

#[test]
fn no_other_host_is_taken_for_the_named_one() {
    refused(&[
        "https://H./v2/",
        "https://H../v2/",
        "https://H.evil.com/v2/",
        "https://evilH/v2/",
        "https://H,evil.com/v2/",
        "https://H&evil.com/v2/",
        "https://[H]/v2/",
        "https://H]/v2/",
        "https://xn--pi-7ka.example.com/v2/",
    ]);
}

#[test]
fn user_information_is_refused() {
    no_urls(&[
        "https://evil.com@H/v2/",
        "https://H@evil.com/v2/",
        "https://H:443@evil.com/v2/",
        "https://user:@H/v2/",
        "https://@H/v2/",
        "https://evil.com#@H/v2/",
        "https://user:password@H/v2/",
    ]);
    refused(&["https://H?@evil.com", "https://H/?@evil.com"]);
}

#[test]
fn escapes_and_other_alphabets_make_no_host() {
    no_urls(&[
        "https://%61pi.example.com/v2/",
        "https://api%2eexample.com/v2/",
        "https://H%40evil.com/v2/",
        "https://H\0/v2/",
        "https://H%00/v2/",
        "https://ａｐｉ.example.com/v2/",
        "https://api。example。com/v2/",
        "https://api\u{ad}.example.com/v2/",
        "https://\u{430}pi.example.com/v2/",
        "https://\u{2100}.example.com/v2/",
    ]);
    refused(&["https://xn--80ak6aa92e.com/v2/"]);
}

#[test]
fn slashes_and_white_space_have_one_reading() {
    no_urls(&[
        "https:H/v2/",
        "https:/H/v2/",
        "https:///H/v2/",
        "https:\\\\H\\v2/",
        "//H/v2/",
        "https://evil.com\\@H/v2/",
        "https://H\\@evil.com/v2/",
        "https://api.exam\tple.com/v2/",
        "ht\ntps://H/v2/",
        "https://H/v2/\r\nx",
        " https://H/v2/",
        "https://H/v2/ ",
        "",
        "https://",
        "H/v2/",
    ]);
}

#[test]
fn addresses_are_no_hosts() {
    no_urls(&[
        "https://2130706433/v2/",
        "https://0x7f000001/v2/",
        "https://0177.0.0.1/v2/",
        "https://127.1/v2/",
        "https://127.0.0.1./v2/",
        "https://127.0.0.1/v2/",
        "https://1.2.3.4.5/v2/",
        "https://１２７.0.0.1/v2/",
        "https://①②⑦.0.0.1/v2/",
        "https://[::1]/v2/",
        "https://[::ffff:169.254.169.254]/v2/",
        "https://[::ffff:a9fe:a9fe]/v2/",
        "https://[fe80::1%25eth0]/v2/",
    ]);
    for text in [
        "127.0.0.1",
        "[::1]",
        "a.0x7f",
        "a.127",
        "localhost.",
        "a..b",
        "-a.b",
        "a_b.c",
    ] {
        assert!(text.parse::<Endpoint>().is_err(), "{text}");
    }
}

#[test]
fn paths_have_one_reading() {
    no_urls(&[
        "https://H/v2/../v1",
        "https://H/v2/%2e%2e/v1",
        "https://H/v2/./x",
        "https://H/v2/..\\v1",
        "https://H/v2/..%2fv1",
        "https://H/v2/..%2Fv1",
        "https://H/v2/..%5cv1",
        "https://H/v2/..%5Cv1",
        "https://H/v2/%252e%252e/v1",
        "https://H/v2/%c0%ae/v1",
        "https://H/v2/%C0%AE/v1",
        "https://H/v2/..;/v1",
        "https://H/v2;x/y",
        "https://H//v2/x",
        "https://H/v2//x",
        "https://H/%76%32/x",
        "https://H/v2/%00",
        "https://H/v2/%zz",
        "https://H/v2/%2",
        "https://H/v2/x%3Fq",
        "https://H/v2/x#f",
        "https://H/v2/x y",
        "https://H/v2/é",
        "https://H/v2/x?%zz",
    ]);
    refused(&[
        "https://H/v2",
        "https://H/v2evil",
        "https://H/V2/x",
        "https://H/",
    ]);
    let long = format!("https://{HOST}/v2/{}", "x".repeat(8192));
    assert!(!may(&long));
}

#[test]
fn refusals_say_what_to_write() {
    let error = |text: &str| StrictUrl::new(text).unwrap_err().to_string();
    let upper = error("https://API.example.com/");
    assert!(
        upper.contains("write \"https://api.example.com/\""),
        "{upper}"
    );
    assert!(error("http://api.example.com/").contains("only https://"));
    assert!(error("https://api.example.com/a//b").contains("empty name"));
    assert!(error("https://[::1]/").contains("an address, and not a name"));
}

#[test]
fn endpoints_are_what_they_were_parsed_from() {
    for text in [HOST, "vault", "a-b.c1:8443", "xn--bcher-kva.example", "x:1"] {
        let endpoint: Endpoint = text.parse().unwrap();
        assert_eq!(endpoint.to_string(), text);
    }
    for text in [
        "H:443", "a:0", "a:+1", "a:01", "a:65536", "a:", "a:1:2", "A.b", "", "a.b.", "é.com",
    ] {
        assert!(text.parse::<Endpoint>().is_err(), "{text}");
    }
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Addresses that no host of the Internet has.
const CLOSED: &str = "
    0.0.0.0 10.1.2.3 100.64.0.1 100.100.100.200 127.0.0.1 127.255.255.255 169.254.169.254 169.254.170.2
    169.254.170.23 172.16.0.1 172.31.255.255 192.0.0.1 192.0.0.192 192.0.2.1 192.31.196.1 192.52.193.1
    192.88.99.1 192.168.1.1 192.175.48.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1
    239.255.255.255 240.0.0.1 255.255.255.255 168.63.129.16 :: ::1 ::127.0.0.1 ::ffff:127.0.0.1
    ::ffff:8.8.8.8 ::ffff:0:8.8.8.8 64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b:1::1 100::1 100:0:0:1::1
    2001::1 2001:1ff::1 2001:db8::1 2002:7f00:1::1 2620:4f:8000::1 3ffe::1 3fff::1 4000::1 5f00::1
    fc00::1 fd00:ec2::254 fd00:ec2::23 fd20:ce::254 fe80::1 fec0::1 ff02::1
";
/// Addresses right beside them, and others of the Internet.
const OPEN: &str = "
    1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0
    172.15.255.255 172.32.0.0 192.0.1.0 198.17.255.255 198.20.0.0 223.255.255.255 168.63.129.17
    2606:4700:4700::1111 2a00::1 2001:200::1 64:ff9b::808:808
";

#[test]
fn addresses_without_hosts_of_the_internet_are_refused() {
    for text in CLOSED.split_whitespace() {
        assert!(admit(address(text), &[]).is_err(), "{text}");
    }
    for text in OPEN.split_whitespace() {
        assert_eq!(admit(address(text), &[]), Ok(()), "{text}");
    }
}

#[test]
fn nothing_that_the_registries_call_special_is_admitted() {
    // Every block of the first three bytes of IPv4, and of the first 16 bits of IPv6 with several ends.
    let v4 = (0..=0x00ff_ffff_u32)
        .step_by(7)
        .map(|n| IpAddr::V4((n << 8 | 1).into()));
    let v6 = (0..=u128::from(u16::MAX)).flat_map(|first| {
        [0, 1, 0xdb8 << 96, 0x1ff << 96, 0x7f00_0001]
            .map(|rest| IpAddr::V6((first << 112 | rest).into()))
    });
    let mut compared = 0;
    for one in v4.chain(v6) {
        // The translator's network is special; here its inner address decides.
        let is_translated =
            matches!(one, IpAddr::V6(six) if six.octets().starts_with(&[0, 0x64, 0xff, 0x9b]));
        if RFC6890.contains(&one) && !is_translated {
            compared += 1;
            assert!(admit(one, &[]).is_err(), "{one}");
        }
    }
    assert!(compared > 100_000, "{compared}");
}

#[test]
fn a_contract_opens_networks_by_name() {
    let open: Network = "10.1.0.0/16".parse().unwrap();
    assert_eq!(admit(address("10.1.2.3"), &[open]), Ok(()));
    assert!(admit(address("10.2.0.1"), &[open]).is_err());
    let refused = admit(address("127.0.0.1"), &[open]).unwrap_err();
    let text = "the address 127.0.0.1 is this machine, and the contract does not name its network in `networks`";
    assert_eq!(refused.to_string(), text);
    // Metadata only by the very address.
    for (wide, single, one) in [
        ("169.254.0.0/16", "169.254.169.254/32", "169.254.169.254"),
        ("fd00::/8", "fd00:ec2::254/128", "fd00:ec2::254"),
        ("100.64.0.0/10", "100.100.100.200/32", "100.100.100.200"),
    ] {
        assert!(
            admit(address(one), &[wide.parse().unwrap()]).is_err(),
            "{one}"
        );
        assert_eq!(admit(address(one), &[single.parse().unwrap()]), Ok(()));
    }
    // A mapped address is another address than the one inside of it.
    let here: Network = "127.0.0.0/8".parse().unwrap();
    assert!(admit(address("::ffff:127.0.0.1"), &[here]).is_err());
}

#[test]
fn networks_have_one_spelling_and_a_use() {
    for text in [
        "10.1.0.0/16",
        "127.0.0.1/32",
        "fd12::/48",
        "::1/128",
        "203.0.0.0/8",
        "::ffff:7f00:0/104",
    ] {
        match text.parse::<Network>() {
            Ok(network) => assert_eq!(network.to_string(), text),
            Err(error) => assert!(text.starts_with("::ffff"), "{text}: {error}"),
        }
    }
    for text in [
        "10.1.0.1/16",
        "10.0.0.0/7",
        "0.0.0.0/0",
        "::/0",
        "10.1.0.0",
        "10.1.0.0/33",
        "8.8.8.0/24",
        "2606:4700::/32",
        "FD12::/48",
        "fd12:0::/48",
        "010.0.0.0/8",
        "",
    ] {
        assert!(text.parse::<Network>().is_err(), "{text}");
    }
}
