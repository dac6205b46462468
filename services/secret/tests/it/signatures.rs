//! Tests signatures of requests: those of AWS against its published test suite, and HMAC against RFC 4231 and recomputation.

use bus_schema::Digest;
use data_encoding::{BASE64, HEXLOWER};
use hmac::{Hmac, Mac as _};
use secret::{Injected, Injection, Outgoing, Place, SigV4};
use sha2::Sha256;

use crate::given::{get, value};

/// The key of AWS's test suite.
const KEY: &str = "AKIDEXAMPLE:wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const DATE: (&str, &str) = ("x-amz-date", "20150830T123600Z");
const HOST: (&str, &str) = ("host", "example.amazonaws.com");

fn header<'i>(injected: &'i [Injected], name: &str) -> &'i str {
    let place = Place::Header(name.to_owned());
    let mut found = injected.iter().filter(|one| one.place == place);
    let text = found.next().unwrap().text.as_str();
    assert!(found.next().is_none());
    text
}

fn applied(rule: &str, text: &str, request: &Outgoing<'_>) -> Vec<Injected> {
    let rule: Injection = rule.parse().unwrap();
    rule.apply(&value(text), request).unwrap()
}

/// `aws-c-auth`, `tests/aws-signing-test-suite/v4`, by the names of its folders.
#[test]
fn signatures_are_those_of_the_test_suite_of_aws() {
    let signer: SigV4 = "us-east-1/service".parse().unwrap();
    let unreserved = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    for (name, path, expected) in [
        (
            "get-vanilla",
            "/".to_owned(),
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
        ),
        (
            "get-unreserved",
            format!("/{unreserved}"),
            "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
        ),
        (
            "get-utf8",
            "/\u{1234}".to_owned(),
            "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85",
        ),
        (
            "get-space-normalized",
            "/example space/".to_owned(),
            "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741",
        ),
        (
            "get-vanilla-query-order-key-case",
            "/?Param2=value2&Param1=value1".to_owned(),
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        (
            "get-vanilla-query-order-encoded",
            "/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1".to_owned(),
            "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac",
        ),
        (
            "get-vanilla-query-unreserved",
            format!("/?{unreserved}={unreserved}"),
            "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197",
        ),
        (
            "get-vanilla-utf8-query",
            "/?\u{1234}=bar".to_owned(),
            "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04",
        ),
    ] {
        let signature = signer.signature(&value(KEY), &get(&path), &[HOST, DATE]);
        assert_eq!(signature.as_deref(), Ok(expected), "{name}");
    }
    let token = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267";
    let key = value(&format!("{KEY}:{token}"));
    let headers = [HOST, DATE, ("x-amz-security-token", token)];
    let signature = signer.signature(&key, &get("/"), &headers);
    let expected = "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8";
    assert_eq!(signature.as_deref(), Ok(expected));
    let post = Outgoing {
        method: "POST".parse().unwrap(),
        body: b"Param1=value1",
        ..get("/")
    };
    let body = Digest::of(&[post.body]).to_string();
    let headers = [
        ("content-length", "13"),
        ("content-type", "application/x-www-form-urlencoded"),
        HOST,
        ("x-amz-content-sha256", &body),
        DATE,
    ];
    let signature = signer.signature(&value(KEY), &post, &headers);
    let expected = "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b";
    assert_eq!(signature.as_deref(), Ok(expected));
}

#[test]
fn a_request_to_aws_has_its_key_nowhere() {
    let rule = "sigv4:us-east-1/service";
    let post = Outgoing {
        method: "POST".parse().unwrap(),
        content_type: Some("application/json"),
        body: b"{}",
        ..get("/a%20b")
    };
    let injected = applied(rule, &format!("{KEY}:token"), &post);
    let body = Digest::of(&[b"{}"]).to_string();
    assert_eq!(header(&injected, "x-amz-content-sha256"), body);
    assert_eq!(header(&injected, "x-amz-date"), DATE.1);
    assert_eq!(header(&injected, "x-amz-security-token"), "token");
    let said = header(&injected, "authorization");
    let start = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
                 SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date;x-amz-security-token, Signature=";
    assert!(said.starts_with(start), "{said}");
    assert!(injected.iter().all(|one| !one.text.contains("wJalr")));
    // Everything that is sent is covered.
    for other in [
        Outgoing {
            method: "PUT".parse().unwrap(),
            ..post
        },
        Outgoing {
            host: "other.amazonaws.com",
            ..post
        },
        Outgoing {
            path: "/a%20c",
            ..post
        },
        Outgoing {
            query: Some("a=b"),
            ..post
        },
        Outgoing {
            content_type: Some("text/plain"),
            ..post
        },
        Outgoing {
            body: b"{ }",
            ..post
        },
        Outgoing {
            at: post.at.plus_ms(1000),
            ..post
        },
    ] {
        let injected = applied(rule, &format!("{KEY}:token"), &other);
        assert_ne!(header(&injected, "authorization"), said, "{other:?}");
    }
}

/// A path is escaped once for S3, and twice for all others.
#[test]
fn paths_of_s3_are_escaped_once() {
    let once: SigV4 = "us-east-1/s3".parse().unwrap();
    let sign = |path: &str| {
        once.signature(&value(KEY), &get(path), &[HOST, DATE])
            .unwrap()
    };
    assert_eq!(sign("/a b:c"), sign("/a%20b%3Ac"));
    assert_ne!(sign("/a b:c"), sign("/a%2520b%253Ac"));
}

fn hmac(key: &str, text: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

#[test]
fn a_signed_text_has_the_parts_of_the_request() {
    // RFC 4231, test case 2.
    let request = Outgoing {
        method: "POST".parse().unwrap(),
        body: b"what do ya want for nothing?",
        ..get("/v1/a?b=c")
    };
    let injected = applied("hmac:x-sig=sha256={hex};{body}", "Jefe", &request);
    let expected = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    assert_eq!(header(&injected, "x-sig"), expected);
    let rule = "hmac:x-sig=v0={base64};v0:{time}{line}{method} {host}{path}:{body};x-time";
    let injected = applied(rule, "Jefe", &request);
    assert_eq!(header(&injected, "x-time"), "1440938160");
    let text = "v0:1440938160\nPOST example.amazonaws.com/v1/a?b=c:what do ya want for nothing?";
    let expected = BASE64.encode(&hmac("Jefe", text.as_bytes()));
    assert_eq!(header(&injected, "x-sig"), format!("v0={expected}"));
    let injected = applied(
        "hmac:x-sig=t={time},v1={hex};{time}.{body}",
        "Jefe",
        &request,
    );
    let text = b"1440938160.what do ya want for nothing?";
    let expected = HEXLOWER.encode(&hmac("Jefe", text));
    let expected = format!("t=1440938160,v1={expected}");
    assert_eq!(header(&injected, "x-sig"), expected);
}

#[test]
fn rules_of_signatures_have_one_spelling() {
    for rule in [
        "hmac:x-sig={hex};{body}",
        "hmac:x-sig=v0={base64};v0:{time}{line}{method} {host}{path}:{body};x-time",
        "sigv4:eu-central-1/s3",
    ] {
        let read: Injection = rule.parse().unwrap();
        assert_eq!(read.to_string(), rule);
    }
}
