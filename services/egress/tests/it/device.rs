//! Tests the device login: each answer of the two endpoints, what they get, and the pauses between polls.

use std::cell::RefCell;
use std::time::Duration;

use contract::{Reach, StrictUrl};
use egress::{DeviceCode, DeviceLogin, NoLogin};
use secret::{SecretTerms, SecretValue, TokenGrant, TokenSource};
use zeroize::Zeroizing;

use crate::world::{Authority, End, HOST, World, answer};

const JSON: &str = "content-type: application/json; charset=utf-8\r\n";
const CODE: &str = r#"{"device_code": "dev+ice", "user_code": "WDJB-MJHT", "verification_uri": "https://login.example.com/device",
    "verification_uri_complete": "https://login.example.com/device?user_code=WDJB-MJHT", "expires_in": 60, "interval": 2}"#;
const TOKEN: &str =
    r#"{"access_token": "never kept", "token_type": "Bearer", "refresh_token": "re.fresh"}"#;

/// An answer, and the reason that it is for a login to fail.
type Case = (String, fn(&NoLogin) -> bool);

/// The end of a login.
struct Login {
    value: Result<String, NoLogin>,
    shown: Option<DeviceCode>,
    /// The pauses, in seconds.
    pauses: Vec<u64>,
    device: World,
    token: World,
}

fn ok(body: &str) -> String {
    answer("200 OK", JSON, body)
}

fn error(error: &str) -> String {
    answer(
        "400 Bad Request",
        JSON,
        &format!("{{\"error\": \"{error}\"}}"),
    )
}

/// Logs in at endpoints with these answers, of which the last one repeats.
async fn login(device: String, token: &[String], secret: Option<&str>) -> Login {
    let authority = Authority::new();
    let device = World::with(&authority, HOST, device, End::Close).await;
    let answers = token.iter().map(|one| one.clone().into_bytes()).collect();
    let token = World::answering(&authority, answers).await;
    let at = |world: &World| format!("https://{}/oauth", world.endpoint());
    let source = TokenSource::new(TokenGrant::RefreshToken, &at(&token), "me", Some("a b"));
    let terms = SecretTerms::new(
        "crm".parse().unwrap(),
        1,
        vec![HOST.parse().unwrap()],
        vec!["GET".parse().unwrap()],
        "header:authorization=Bearer {}".parse().unwrap(),
    );
    let terms = terms.unwrap().with_token(Some(source.unwrap()));
    let secret = secret.map(|text| SecretValue::new(Zeroizing::new(text.into())).unwrap());
    let hosts = [device.endpoint(), token.endpoint()];
    let login = DeviceLogin {
        url: &StrictUrl::new(&at(&device)).unwrap(),
        terms: &terms,
        client_secret: secret.as_ref(),
        reach: &Reach::read(&hosts, &["127.0.0.0/8".to_owned()]),
        at: "2026-01-01T00:00:00Z".parse().unwrap(),
    };
    let (pauses, mut shown) = (RefCell::new(Vec::new()), None);
    let pause = async |pause: Duration| pauses.borrow_mut().push(pause.as_secs());
    let show = |code: &DeviceCode| shown = Some(code.clone());
    let value = device.sender().login(&login, show, pause).await;
    Login {
        value: value.map(|value| value.expose().to_owned()),
        shown,
        pauses: pauses.into_inner(),
        device,
        token,
    }
}

fn has(request: &str, lines: &[&str]) {
    for line in lines {
        assert!(request.lines().any(|one| one == *line), "{request}");
    }
}

#[tokio::test]
async fn a_public_client_gets_a_refresh_token_after_the_approval() {
    let answers = [
        error("authorization_pending"),
        error("slow_down"),
        error("authorization_pending"),
        // Nothing: the connection breaks off.
        String::new(),
        ok(TOKEN),
    ];
    let ended = login(ok(CODE), &answers, None).await;
    assert_eq!(ended.value.unwrap(), "re.fresh");
    let shown = ended.shown.unwrap();
    assert_eq!(
        (
            shown.user_code.as_str(),
            shown.uri.as_str(),
            shown.expires_in
        ),
        ("WDJB-MJHT", "https://login.example.com/device", 60)
    );
    let complete = "https://login.example.com/device?user_code=WDJB-MJHT";
    assert_eq!(shown.complete.as_deref(), Some(complete));
    assert_eq!(ended.pauses, [2, 2, 7, 7, 14]);
    let asked = ended.device.request();
    has(
        &asked,
        &["POST /oauth HTTP/1.1", "client_id=me&scope=a%20b"],
    );
    let grant = "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code";
    let form = format!("grant_type={grant}&device_code=dev%2Bice&client_id=me");
    has(&ended.token.request(), &[&form]);
    assert!(!ended.token.request().contains("authorization: "));
}

#[tokio::test]
async fn the_secret_of_a_client_stands_in_the_header_and_in_the_value() {
    let ended = login(ok(CODE), &[ok(TOKEN)], Some("s3cret")).await;
    assert_eq!(ended.value.unwrap(), "re.fresh s3cret");
    for request in [ended.device.request(), ended.token.request()] {
        // `me:s3cret`
        has(&request, &["authorization: Basic bWU6czNjcmV0"]);
        assert!(!request.contains("s3cret"), "{request}");
    }
}

#[tokio::test]
async fn the_pauses_end_with_the_code() {
    let pending = [error("authorization_pending")];
    let ended = login(ok(CODE), &pending, None).await;
    assert_eq!(ended.value.unwrap_err(), NoLogin::Expired);
    assert_eq!(ended.pauses, [2; 29]);
    // Without an interval it is five seconds; one of zero is not obeyed.
    for (interval, count) in [("", 11), (", \"interval\": 0", 59)] {
        let code = CODE.replace(", \"interval\": 2", interval);
        let ended = login(ok(&code), &pending, None).await;
        assert_eq!(ended.value.unwrap_err(), NoLogin::Expired);
        assert_eq!(ended.token.count(), count);
    }
}

#[tokio::test]
async fn each_answer_of_the_token_endpoint_that_ends_a_login_has_its_reason() {
    let large = format!("{{\"access_token\": \"{}\"}}", "x".repeat(10 << 20));
    let cases: [Case; 11] = [
        (error("access_denied"), |why| *why == NoLogin::Denied),
        (error("expired_token"), |why| *why == NoLogin::Expired),
        (
            error("invalid_grant"),
            |why| matches!(why, NoLogin::Refused(_, 400, said) if said == " and invalid_grant"),
        ),
        (
            error("dev+ice is wrong"),
            |why| matches!(why, NoLogin::Refused(_, 400, said) if said == " and another error"),
        ),
        (
            answer("302 Found", "location: https://other.example.com/\r\n", ""),
            |why| matches!(why, NoLogin::Refused(_, 302, _)),
        ),
        (answer("500 Broken", JSON, "x"), |why| {
            matches!(why, NoLogin::Refused(_, 500, _))
        }),
        (ok("no json"), |why| matches!(why, NoLogin::TokenAnswer(_))),
        (ok(r#"{"refresh_token": "alone"}"#), |why| {
            matches!(why, NoLogin::TokenAnswer(_))
        }),
        (ok(r#"{"access_token": "alone"}"#), |why| {
            matches!(why, NoLogin::NoRefresh(_))
        }),
        (
            answer("200 OK", "content-type: text/html\r\n", TOKEN),
            |why| matches!(why, NoLogin::Kind(_)),
        ),
        (
            ok(&large),
            |why| matches!(why, NoLogin::Unreached(_, said) if said.contains("more than 65536 bytes")),
        ),
    ];
    for (n, (given, is_right)) in cases.into_iter().enumerate() {
        let ended = login(ok(CODE), &[given], None).await;
        let why = ended.value.unwrap_err();
        assert!(is_right(&why), "case {n}: {why}");
        assert_eq!(ended.token.count(), 1, "case {n}");
        assert!(!why.to_string().contains("dev+ice"), "{why}");
    }
}

#[tokio::test]
async fn an_answer_of_the_device_endpoint_that_cannot_be_shown_ends_the_login() {
    let changed = |from: &str, to: &str| {
        assert!(CODE.contains(from), "{from}");
        ok(&CODE.replace(from, to))
    };
    let page = "\"https://login.example.com/device\"";
    let large = format!("\"{}\"", "x".repeat(10 << 20));
    let cases: [Case; 10] = [
        (changed("WDJB-MJHT\", \"ver", "\\u001b[2J\", \"ver"), wrong),
        (changed("\"user_code\": \"WDJB-MJHT\",", ""), wrong),
        (changed("dev+ice", ""), wrong),
        (changed(page, "\"http://login.example.com/device\""), wrong),
        (
            changed(page, "\"https://login.example.com/\\u202e\""),
            wrong,
        ),
        (changed("\"expires_in\": 60", "\"expires_in\": 0"), wrong),
        (ok("[]"), wrong),
        (answer("200 OK", "", CODE), |why| {
            matches!(why, NoLogin::Kind(_))
        }),
        (
            error("unauthorized_client"),
            |why| matches!(why, NoLogin::Refused(_, 400, said) if said == " and unauthorized_client"),
        ),
        (ok(&large), |why| matches!(why, NoLogin::Unreached(..))),
    ];
    for (n, (given, is_right)) in cases.into_iter().enumerate() {
        let ended = login(given, &[ok(TOKEN)], None).await;
        let why = ended.value.unwrap_err();
        assert!(is_right(&why), "case {n}: {why}");
        assert!(ended.shown.is_none(), "case {n}");
        assert_eq!(ended.token.count(), 0, "case {n}");
    }
}

const fn wrong(why: &NoLogin) -> bool {
    matches!(why, NoLogin::DeviceAnswer(_))
}
