//! Tests where a secret stands in requests, and that nothing of it comes back.

use contract::Reach;
use data_encoding::{BASE64, BASE64URL_NOPAD};
use egress::{Credential, Fault};
use secret::{SecretTerms, SecretValue};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::world::{Authority, End, HOST, Sent, WALL, World, answer, chunked, gzip};

pub(crate) const VALUE: &str = "me:a canary \"that\" nobody/may see";

pub(crate) fn credential(hosts: &[String], inject: &str) -> Credential {
    of(VALUE, hosts, inject)
}

fn of(value: &str, hosts: &[String], inject: &str) -> Credential {
    let hosts = hosts.iter().map(|host| host.parse().unwrap()).collect();
    let get = ["GET", "POST"]
        .map(|method| method.parse().unwrap())
        .to_vec();
    let name = "crm".parse().unwrap();
    let terms = SecretTerms::new(name, 1, hosts, get, inject.parse().unwrap()).unwrap();
    let value = SecretValue::new(Zeroizing::new(value.as_bytes().to_vec())).unwrap();
    Credential::new(terms, value, "2015-08-30T12:36:00Z".parse().unwrap()).unwrap()
}

fn entry(world: &World) -> Value {
    let mut entry = world.entry();
    entry["secret"] = json!("crm");
    entry
}

pub(crate) async fn call(world: &World, entry: &Value, credential: &Credential) -> Sent {
    let reach = (&world.reach(), WALL);
    world
        .call_as(entry, &json!({}), reach, Some(credential))
        .await
}

#[tokio::test]
async fn a_secret_stands_where_its_terms_say() {
    let world = World::new(answer("200 OK", "", "hello"), End::Close).await;
    let hosts = [world.endpoint()];
    for (inject, line) in [
        (
            "header:authorization=Bearer {}",
            format!("authorization: Bearer {VALUE}"),
        ),
        ("header:x-api-key", format!("x-api-key: {VALUE}")),
        (
            "basic",
            "authorization: Basic bWU6YSBjYW5hcnkgInRoYXQiIG5vYm9keS9tYXkgc2Vl".to_owned(),
        ),
    ] {
        let sent = call(&world, &entry(&world), &credential(&hosts, inject)).await;
        assert!(sent.output.is_ok(), "{inject}");
        let request = world.request();
        assert!(request.lines().any(|one| one == line), "{request}");
    }
    let mut entry = entry(&world);
    for (query, line) in [
        (
            json!([]),
            "GET /v2/items?key=me%3Aa%20canary%20%22that%22%20nobody%2Fmay%20see HTTP/1.1",
        ),
        (
            json!([{"name": "a", "literal": "b"}]),
            "GET /v2/items?a=b&key=me%3Aa%20canary%20%22that%22%20nobody%2Fmay%20see HTTP/1.1",
        ),
    ] {
        entry["query"] = query;
        let sent = call(&world, &entry, &credential(&hosts, "query:key")).await;
        assert!(sent.output.is_ok());
        assert_eq!(world.request().lines().next(), Some(line));
    }
}

#[tokio::test]
async fn the_tool_itself_sends_nothing_in_its_place() {
    let world = World::new(answer("200 OK", "", "hello"), End::Close).await;
    let hosts = [world.endpoint()];
    let mut entry = entry(&world);
    entry["headers"] = json!([{"name": "x-api-key", "literal": "mine"}]);
    entry["query"] = json!([{"name": "key", "literal": "mine"}]);
    for inject in ["header:x-api-key", "query:key"] {
        let sent = call(&world, &entry, &credential(&hosts, inject)).await;
        let fault = sent.output.unwrap_err();
        assert!(!sent.begun);
        assert!(matches!(fault, Fault::Secret { .. }), "{fault}");
    }
    assert_eq!(world.count(), 0);
}

#[tokio::test]
async fn nothing_of_it_comes_back() {
    let escaped = serde_json::to_string(VALUE).unwrap();
    let hex: String = VALUE.bytes().map(|byte| format!("{byte:02X}")).collect();
    let body = format!(
        "{{\"a\": {escaped}, \"b\": \"bWU6YSBjYW5hcnkgInRoYXQiIG5vYm9keS9tYXkgc2Vl\", \"c\": \"{hex}\", \"d\": 1}}"
    );
    let world = World::new(answer("200 OK", "", &body), End::Close).await;
    let secret = credential(&[world.endpoint()], "header:x-key");
    let mut entry = entry(&world);
    entry["answer"] = json!({"type": "json"});
    let sent = call(&world, &entry, &secret).await;
    let output: Value = serde_json::from_slice(&sent.output.unwrap()).unwrap();
    let mark = "[secret crm]";
    assert_eq!(output, json!({"a": mark, "b": mark, "c": mark, "d": 1}));
    assert_eq!(secret.hits(), 3);

    // An error repeats the beginning of an answer, and is cut off after the secret was taken out.
    let long = format!("{}{VALUE}", "x".repeat(490));
    let world = World::new(answer("401 No", "", &long), End::Close).await;
    let secret = credential(&[world.endpoint()], "header:x-key");
    let sent = call(&world, &self::entry(&world), &secret).await;
    let fault = sent.output.unwrap_err().to_string();
    assert!(fault.contains("xxx[secret c"), "{fault}");
    assert!(!fault.contains("me:"), "{fault}");
}

#[tokio::test]
async fn an_echo_is_taken_out_however_it_is_sent() {
    let escaped = serde_json::to_string(VALUE).unwrap();
    let hex: String = VALUE.bytes().map(|byte| format!("{byte:02x}")).collect();
    let unicode: String = VALUE.bytes().map(|byte| format!("\\u{byte:04x}")).collect();
    let mut echoes = vec![
        VALUE.to_owned(),
        escaped.trim_matches('"').to_owned(),
        hex,
        unicode,
        // Some of its characters are escaped, others are not.
        VALUE.replace(' ', "%20").replace('a', "%61"),
        VALUE.replace('"', "%22").replace('/', "%252F"),
    ];
    for before in 0..3 {
        let text = format!("{}{VALUE}", "x".repeat(before));
        echoes.push(BASE64.encode(text.as_bytes()));
        echoes.push(BASE64URL_NOPAD.encode(text.as_bytes()));
    }
    for echo in echoes {
        let body = format!("<a>{echo}</a>").into_bytes();
        let gzipped = gzip(&body);
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
            gzipped.len()
        );
        let bytes: Vec<&[u8]> = body.chunks(1).collect();
        for sent in [
            answer("200 OK", "", std::str::from_utf8(&body).unwrap()).into_bytes(),
            [head.as_bytes(), &gzipped].concat(),
            chunked("HTTP/1.1 200 OK\r\n", &bytes),
        ] {
            let world = World::new(sent, End::Close).await;
            let secret = credential(&[world.endpoint()], "header:x-key");
            let output = call(&world, &entry(&world), &secret).await.output.unwrap();
            let output = String::from_utf8(output).unwrap();
            assert!(output.contains("[secret crm]"), "{echo}: {output}");
            assert_eq!(secret.hits(), 1, "{echo}");
            assert!(!output.contains("canary"), "{echo}: {output}");
        }
    }
}

#[tokio::test]
async fn a_redirect_leads_the_secret_nowhere_else() {
    let authority = Authority::new();
    let hello = answer("200 OK", "", "hello");
    let elsewhere = World::with(&authority, HOST, hello, End::Close).await;
    let follow = async |to: &str, inject: &str| {
        let headers = format!("location: {to}\r\n");
        let redirect = answer("302 Found", &headers, "");
        let world = World::with(&authority, HOST, redirect, End::Close).await;
        let mut entry = entry(&world);
        entry["redirects"] = json!(1);
        let hosts = [world.endpoint(), elsewhere.endpoint()];
        let reach = Reach::read(&hosts, &["127.0.0.0/8".to_owned()]);
        // Even if the secret is for both hosts.
        let secret = credential(&hosts, inject);
        let sent = world
            .call_as(&entry, &json!({}), (&reach, WALL), Some(&secret))
            .await;
        (sent.output, world.requests.lock().unwrap().clone())
    };
    for inject in ["header:authorization=Bearer {}", "query:key"] {
        let to = format!("https://{}/v2/moved", elsewhere.endpoint());
        let (output, requests) = follow(&to, inject).await;
        assert!(output.is_ok());
        assert!(requests[0].contains("canary"), "{requests:?}");
        assert!(!elsewhere.request().contains("canary"));
    }
    let count = elsewhere.count();
    let to = format!(
        "https://{}/?key=me%3Aa+canary+%22that%22%20nobody%2Fmay%20see",
        elsewhere.endpoint()
    );
    let (output, _) = follow(&to, "query:key").await;
    let fault = output.unwrap_err().to_string();
    assert!(fault.contains("it repeats the secret"), "{fault}");
    assert!(fault.contains("[secret crm]"), "{fault}");
    assert_eq!(elsewhere.count(), count);
}

#[tokio::test]
async fn a_secret_goes_only_to_its_hosts() {
    let world = World::new(answer("200 OK", "", "hello"), End::Close).await;
    let secret = credential(&["other.example.com".to_owned()], "header:x-key");
    let sent = call(&world, &entry(&world), &secret).await;
    assert!(sent.output.is_ok());
    assert!(!world.request().contains("canary"));
}
