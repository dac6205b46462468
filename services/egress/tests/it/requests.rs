//! Tests what is sent, to whom, and what comes back.

use bus_schema::Digest;
use contract::Reach;
use egress::Fault;
use serde_json::{Value, json};

use crate::world::{Authority, End, HELLO, HOST, World, answer};

fn said(output: Result<Vec<u8>, Fault>) -> Value {
    serde_json::from_slice(&output.unwrap()).unwrap()
}

#[tokio::test]
async fn a_request_is_sent_once_and_its_answer_comes_back() {
    let world = World::new(HELLO, End::Close).await;
    let sent = world.get().await;
    assert!(sent.begun);
    assert_eq!(said(sent.output), json!({"text": "hello"}));
    let requests = world.requests.lock().unwrap().clone();
    let [request] = requests.as_slice() else {
        panic!("{requests:?}");
    };
    let lines: Vec<&str> = request.lines().collect();
    assert_eq!(lines[0], "GET /v2/items HTTP/1.1");
    let host = format!("host: {}", world.endpoint());
    assert!(lines.contains(&host.as_str()), "{request}");
    assert!(lines.contains(&"accept-encoding: identity"), "{request}");
    assert_eq!(sent.body, None);
}

#[tokio::test]
async fn arguments_stand_where_the_template_says() {
    let answer = answer(
        "201 Created",
        "",
        r#"{"data": {"id": 7, "name": "x", "secret": "y"}}"#,
    );
    let world = World::new(answer, End::Close).await;
    let mut entry = world.entry();
    let changes = json!({
        "method": "POST", "path": "/v2/customers/{customer}/notes",
        "query": [{"name": "by", "value": "by"}, {"name": "left", "value": "out"}, {"name": "n", "literal": "a b"}],
        "headers": [{"name": "x-kind", "value": "kind"}],
        "body": {"text": {"$value": "text"}, "tags": ["a", {"$value": "tag"}], "left": {"$value": "out"}},
        "answer": {"status": [201], "type": "json", "fields": {"id": "/data/id", "none": "/data/none"}},
    });
    for (key, value) in changes.as_object().unwrap() {
        entry[key] = value.clone();
    }
    let args = json!({
        "customer": "J\u{f6}rg & Co", "by": "a/b?c=d&e", "kind": "short", "text": "hi \"there\"", "tag": 3,
    });
    let sent = world.call_with(&entry, &args, &world.reach()).await;
    assert_eq!(said(sent.output), json!({"id": 7, "none": null}));
    let requests = world.requests.lock().unwrap().clone();
    let (head, body) = requests[0].split_once("\r\n\r\n").unwrap();
    let target =
        "POST /v2/customers/J%C3%B6rg%20%26%20Co/notes?by=a%2Fb%3Fc%3Dd%26e&n=a%20b HTTP/1.1";
    assert_eq!(head.lines().next().unwrap(), target);
    assert!(head.contains("\r\nx-kind: short"), "{head}");
    assert!(
        head.contains("\r\ncontent-type: application/json"),
        "{head}"
    );
    assert_eq!(sent.body, Some(Digest::of(&[body.as_bytes()])));
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!(body, json!({"text": "hi \"there\"", "tags": ["a", 3]}));
    assert!(sent.begun);
}

#[tokio::test]
async fn the_host_says_how_many_tokens_were_used() {
    for (usage, tokens) in [
        (r#"{"in": 5, "out": 7}"#, Some(12)),
        (r#"{"in": 5}"#, None),
        (r#"{"in": 5, "out": -7}"#, None),
    ] {
        let body = format!("{{\"usage\": {usage}, \"text\": \"x\"}}");
        let world = World::new(answer("200 OK", "", &body), End::Close).await;
        let mut entry = world.entry();
        entry["answer"] = json!({
            "type": "json", "fields": {"text": "/text"}, "tokens": ["/usage/in", "/usage/out"],
        });
        let sent = world.call_with(&entry, &json!({}), &world.reach()).await;
        assert_eq!(sent.tokens, tokens, "{usage}");
        assert_eq!(said(sent.output), json!({"text": "x"}));
    }
}

#[tokio::test]
async fn no_value_leaves_its_place() {
    let world = World::new(HELLO, End::Close).await;
    let mut entry = world.entry();
    entry["path"] = json!("/v2/{item}/x");
    entry["headers"] = json!([{"name": "x-kind", "value": "kind"}]);
    let refused = async |args: Value| {
        let sent = world.call_with(&entry, &args, &world.reach()).await;
        assert!(!sent.begun, "{args}");
        sent.output.unwrap_err().to_string()
    };
    for odd in [
        "", ".", "..", "a/b", "a\\b", "%2e", "a;b", "a?b", "a#b", "a\nb", "a\0",
    ] {
        let error = refused(json!({"item": odd})).await;
        assert!(error.contains("one name of a path"), "{odd:?}: {error}");
    }
    for odd in ["a\r\nx: y", "\u{e9}", " a", "a\0"] {
        let error = refused(json!({"item": "a", "kind": odd})).await;
        assert!(error.contains("visible ASCII"), "{odd:?}: {error}");
    }
    assert!(refused(json!({})).await.contains("`item` is missing"));
    assert!(
        refused(json!({"item": "a", "b": 1}))
            .await
            .contains("not sent")
    );
    assert!(refused(json!({"item": ["a"]})).await.contains("no text"));
    assert_eq!(world.count(), 0);
}

#[tokio::test]
async fn a_host_outside_of_the_contract_is_not_even_resolved() {
    let world = World::new(HELLO, End::Close).await;
    world.names.lock().unwrap().clear();
    let networks = ["127.0.0.0/8".to_owned()];
    for host in ["api.example.com", "example.com", "other.example.com:1"] {
        let reach = Reach::read(&[host.to_owned()], &networks);
        let sent = world.call_with(&world.entry(), &json!({}), &reach).await;
        assert!(
            matches!(sent.output, Err(Fault::Host(_))),
            "{:?}",
            sent.output
        );
        assert!(!sent.begun);
    }
    // With the host, the name server is asked.
    assert!(matches!(world.fault().await, Fault::NoAddress(_)));
    assert_eq!(world.count(), 0);
}

#[tokio::test]
async fn one_forbidden_address_refuses_the_call() {
    let world = World::new(HELLO, End::Close).await;
    let reach = Reach::read(&[world.endpoint()], &[]);
    let refused = async |found: &[&str], reach: &Reach| {
        world.bind(found);
        let sent = world.call_with(&world.entry(), &json!({}), reach).await;
        assert!(!sent.begun);
        sent.output.unwrap_err().to_string()
    };
    for found in [
        ["127.0.0.1"].as_slice(),
        &["93.184.216.34", "10.0.0.1"],
        &["93.184.216.34", "::1"],
        &["169.254.169.254"],
        &["64:ff9b::7f00:1"],
        &["::ffff:127.0.0.1"],
    ] {
        let error = refused(found, &reach).await;
        assert!(
            error.contains("nothing was sent to api.example.com"),
            "{error}"
        );
    }
    // The network of this machine opens no other one.
    let error = refused(&["127.0.0.1", "10.0.0.1"], &world.reach()).await;
    assert!(error.contains("the address 10.0.0.1 is private"), "{error}");
    assert_eq!(world.count(), 0);
    // Without the forbidden one the same call is sent.
    world.bind(&["127.0.0.1"]);
    world.get().await.output.unwrap();
    assert_eq!(world.count(), 1);
}

#[tokio::test]
async fn a_name_that_is_bound_again_is_checked_again() {
    let world = World::new(HELLO, End::Close).await;
    world.get().await.output.unwrap();
    world.bind(&["192.168.0.1"]);
    assert!(matches!(world.fault().await, Fault::Address { .. }));
    assert_eq!(world.count(), 1);
}

#[tokio::test]
async fn a_redirect_is_named_and_not_followed() {
    for code in [301, 302, 303, 307, 308] {
        let answer = answer(
            &format!("{code} Found"),
            "location: https://evil.example/x\r\n",
            "",
        );
        let world = World::new(answer, End::Close).await;
        let fault = world.fault().await.to_string();
        let text = format!(
            "the host answered with the code {code} and points to \"https://evil.example/x\"; no redirect is followed"
        );
        assert_eq!(fault, text);
        assert_eq!(world.count(), 1);
    }
}

#[tokio::test]
async fn a_host_must_prove_its_name_to_a_trusted_authority() {
    let authority = Authority::new();
    let other = World::with(&authority, "other.example.com", HELLO, End::Close).await;
    let fault = other.fault().await;
    assert!(matches!(fault, Fault::Tls { .. }), "{fault}");
    assert_eq!(other.count(), 0);
    // The same name, signed by an authority that is not trusted.
    let mut stranger = World::with(&Authority::new(), HOST, HELLO, End::Close).await;
    let trusting = World::new(HELLO, End::Close).await;
    stranger.exchange_trust(&trusting);
    let fault = stranger.fault().await;
    assert!(matches!(fault, Fault::Tls { .. }), "{fault}");
    assert_eq!(stranger.count(), 0);
}

#[tokio::test]
async fn a_redirect_leads_only_to_hosts_of_the_contract() {
    let authority = Authority::new();
    let here = World::with(&authority, HOST, HELLO, End::Close).await;
    let follow = async |to: &str, redirects: u8| {
        let answer = answer("302 Found", &format!("location: {to}\r\n"), "");
        let world = World::with(&authority, HOST, answer, End::Close).await;
        let mut entry = world.entry();
        entry["redirects"] = json!(redirects);
        entry["headers"] = json!([{"name": "x-kind", "literal": "k"}]);
        let hosts = [world.endpoint(), here.endpoint()];
        let reach = Reach::read(&hosts, &["127.0.0.0/8".to_owned()]);
        let sent = world.call_with(&entry, &json!({}), &reach).await;
        (sent.output, world.count())
    };
    let to = format!("https://{}/v2/moved", here.endpoint());
    let (output, count) = follow(&to, 1).await;
    assert_eq!((said(output), count), (json!({"text": "hello"}), 1));
    let requests = here.requests.lock().unwrap().clone();
    assert!(requests[0].starts_with("GET /v2/moved "), "{requests:?}");
    assert!(!requests[0].contains("x-kind"), "{requests:?}");
    for (to, why, counted) in [
        (
            "https://evil.example/",
            "does not name the host evil.example",
            1,
        ),
        (
            "https://api.example.com/",
            "does not name the host api.example.com",
            1,
        ),
        ("http://api.example.com/", "only https://", 1),
        ("//evil.example/", "is no URL", 1),
        ("https://user@evil.example/", "a user or a password", 1),
        ("https://API.example.com/", "another spelling", 1),
        ("/v2/../v1", "another spelling", 1),
        // Itself, until it has followed as often as the tool says.
        ("/v2/items", "no redirect is followed", 3),
    ] {
        let (output, count) = follow(to, 2).await;
        let error = output.unwrap_err().to_string();
        assert!(error.contains(why), "{to}: {error}");
        assert_eq!(count, counted, "{to}");
    }
    assert_eq!(here.count(), 1);
}
