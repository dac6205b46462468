//! Tests answers that go on in further pages: each way to the next one, its bounds, and the pages that lead elsewhere.

use std::time::Duration;

use contract::PageFault;
use egress::{Fault, Phase};
use serde_json::{Value, json};

use crate::secrets::{VALUE, call, credential};
use crate::world::{End, Sent, WALL, World, answer, gzip};

/// A page with these headers.
fn page(headers: &str, body: &Value) -> Vec<u8> {
    answer("200 OK", headers, &body.to_string()).into_bytes()
}

/// A page with a link to the next one.
fn linked(next: &str, items: &Value) -> Vec<u8> {
    page(&format!("link: <{next}>; rel=\"next\"\r\n"), items)
}

/// The entry of a tool that reads pages.
fn entry(world: &World, next: &Value) -> Value {
    let mut entry = world.entry();
    entry["query"] = json!([{"name": "kind", "literal": "a b"}]);
    entry["answer"] = json!({"type": "json"});
    let items = if *next == "link" { "" } else { "/data" };
    entry["pages"] = json!({"items": items, "next": next, "pages_max": 5});
    entry
}

async fn world(answers: &[Vec<u8>], end: End) -> World {
    let world = World::new("", end).await;
    *world.answers.lock().unwrap() = answers.to_vec();
    world
}

/// Calls the tool in a world with these answers; returns the first lines of the requests as well.
async fn read(next: &Value, answers: &[Vec<u8>]) -> (Sent, Vec<String>) {
    let world = world(answers, End::Close).await;
    let sent = world
        .call_with(&entry(&world, next), &json!({}), &world.reach())
        .await;
    (sent, paths(&world))
}

/// The paths and queries of the requests.
fn paths(world: &World) -> Vec<String> {
    let requests = world.requests.lock().unwrap();
    let paths = requests.iter().filter_map(|text| text.split(' ').nth(1));
    paths.map(str::to_owned).collect()
}

fn said(sent: &Sent) -> Value {
    serde_json::from_slice(sent.output.as_ref().unwrap()).unwrap()
}

/// The fault of a page, with its number.
fn fault_of(sent: Sent) -> (u8, Fault) {
    let fault = sent.output.unwrap_err();
    if let Fault::Page(page, fault) = fault {
        return (page, *fault);
    }
    (1, fault)
}

fn cursor() -> Value {
    json!({"cursor": {"at": "/next", "query": "after"}})
}

#[tokio::test]
async fn links_lead_from_page_to_page() {
    let world = world(&[], End::Close).await;
    let here = format!("https://{}/v2/items", world.endpoint());
    let first = format!(
        "</v2/items?page=9>; rel=last, <{here}?page=2>; title=\"a,\\\"b\"; REL=\"prev  next\""
    );
    *world.answers.lock().unwrap() = vec![
        page(&format!("link: {first}\r\n"), &json!([1, 2])),
        linked("/v2/items?page=3&kind=a+b", &json!([])),
        linked("?page=4&kind=a%20b", &json!([{"a": null}])),
        page("link: </v2/items?page=1>; rel=\"first\"\r\n", &json!([3])),
    ];
    let entry = entry(&world, &json!("link"));
    let sent = world.call_with(&entry, &json!({}), &world.reach()).await;
    let whole = json!({"items": [1, 2, {"a": null}, 3], "pages": 4, "more": false});
    assert_eq!(said(&sent), whole);
    assert_eq!(
        paths(&world),
        [
            "/v2/items?kind=a%20b",
            "/v2/items?page=2",
            "/v2/items?page=3&kind=a+b",
            "/v2/items?page=4&kind=a%20b"
        ]
    );
    assert_eq!((sent.tokens, sent.spend, sent.body), (None, None, None));
}

#[tokio::test]
async fn a_cursor_leads_from_page_to_page() {
    for last in [json!(null), json!(""), json!(false)] {
        let answers = [
            page("", &json!({"data": [1], "next": "a/b&kind=c é"})),
            page("", &json!({"data": [2], "next": 7})),
            page("", &json!({"data": [3], "next": last})),
        ];
        let (sent, paths) = read(&cursor(), &answers).await;
        assert_eq!(
            said(&sent),
            json!({"items": [1, 2, 3], "pages": 3, "more": false})
        );
        assert_eq!(
            paths,
            [
                "/v2/items?kind=a%20b",
                "/v2/items?kind=a%20b&after=a%2Fb%26kind%3Dc%20%C3%A9",
                "/v2/items?kind=a%20b&after=7",
            ]
        );
    }
    let (sent, paths) = read(&cursor(), &[page("", &json!({"data": []}))]).await;
    assert_eq!(said(&sent), json!({"items": [], "pages": 1, "more": false}));
    assert_eq!(paths.len(), 1);
    let (sent, _) = read(&cursor(), &[page("", &json!({"data": [], "next": {}}))]).await;
    assert!(matches!(
        fault_of(sent),
        (1, Fault::Pages(PageFault::Cursor(_)))
    ));
}

#[tokio::test]
async fn a_counter_leads_from_page_to_page() {
    let list = |items: Value| page("", &json!({ "data": items }));
    let counter = json!({"counter": {"query": "page", "start": 1, "step": 1}});
    let (sent, paths) = read(
        &counter,
        &[list(json!([1, 2])), list(json!([3])), list(json!([]))],
    )
    .await;
    assert_eq!(
        said(&sent),
        json!({"items": [1, 2, 3], "pages": 3, "more": false})
    );
    let sent_paths = |numbers: &[u8], name: &str| -> Vec<String> {
        let paths = numbers
            .iter()
            .map(|n| format!("/v2/items?kind=a%20b&{name}={n}"));
        paths.collect()
    };
    assert_eq!(paths, sent_paths(&[1, 2, 3], "page"));
    let offset = json!({"counter": {"query": "offset", "start": 0, "step": 2, "full": 2}});
    let (sent, paths) = read(&offset, &[list(json!([1, 2])), list(json!([3]))]).await;
    assert_eq!(
        said(&sent),
        json!({"items": [1, 2, 3], "pages": 2, "more": false})
    );
    assert_eq!(paths, sent_paths(&[0, 2], "offset"));
}

#[tokio::test]
async fn a_list_without_an_end_ends_with_the_last_page_that_is_read() {
    let full = page("", &json!({"data": [1], "next": "x"}));
    let counter = json!({"counter": {"query": "page", "start": 1, "step": 1}});
    let (sent, paths) = read(&counter, std::slice::from_ref(&full)).await;
    assert_eq!(
        said(&sent),
        json!({"items": [1, 1, 1, 1, 1], "pages": 5, "more": true})
    );
    assert_eq!(paths.len(), 5);
    // A cursor that comes again would be the same page again, for ever.
    let (sent, paths) = read(&cursor(), &[full]).await;
    let (page, fault) = fault_of(sent);
    assert!(matches!(fault, Fault::Pages(PageFault::Again)), "{fault}");
    assert_eq!((page, paths.len()), (2, 2));
    let around = ["/v2/items?page=2", "/v2/items?page=1", "/v2/items?page=2"];
    let around = around.map(|next| linked(next, &json!([1])));
    let (sent, paths) = read(&json!("link"), &around).await;
    let (page, fault) = fault_of(sent);
    assert!(matches!(fault, Fault::Pages(PageFault::Again)), "{fault}");
    assert_eq!((page, paths.len()), (3, 3));
}

#[tokio::test]
async fn a_link_leads_to_no_other_host_scheme_port_or_path() {
    let world = world(&[], End::Close).await;
    let here = world.endpoint();
    let entry = entry(&world, &json!("link"));
    let asked = async |next: &str| {
        *world.answers.lock().unwrap() = vec![linked(next, &json!([1]))];
        world.requests.lock().unwrap().clear();
        let sent = world.call_with(&entry, &json!({}), &world.reach()).await;
        (fault_of(sent), world.count())
    };
    for (next, part) in [
        (
            "https://evil.example/v2/items?page=2".to_owned(),
            "is at evil.example, and",
        ),
        (
            format!("https://{here}.evil.example/v2/items"),
            "nothing was sent",
        ),
        (
            "https://api.example.com/v2/items?page=2".to_owned(),
            "is at api.example.com, and",
        ),
        (
            format!("http://{here}/v2/items?page=2"),
            "only https:// is sent to",
        ),
        ("//evil.example/v2/items".to_owned(), "is no URL"),
        (
            format!("https://me:pass@{here}/v2/items"),
            "a user or a password",
        ),
        (
            format!("https://{here}/v2/items/../admin"),
            "another spelling",
        ),
        (format!("https://{here}/v2/%69tems"), "escapes a byte"),
        (
            "/v2/admin?page=2".to_owned(),
            "has the path \"/v2/admin\", and the call has \"/v2/items\"",
        ),
        ("/v2/items/7".to_owned(), "has the path"),
        ("/v2/items?page=2#x".to_owned(), "behind `#`"),
        (
            "?page=2&kind=c".to_owned(),
            "another value of the parameter \"kind\"",
        ),
        (
            "?page=2&kind=a+b&%6bind=c".to_owned(),
            "another value of the parameter \"kind\"",
        ),
        ("items?page=2".to_owned(), "is no URL"),
        (String::new(), "is no URL"),
    ] {
        let ((page, fault), count) = asked(&next).await;
        assert!(matches!(fault, Fault::Pages(_)), "{next}: {fault}");
        assert!(fault.to_string().contains(part), "{next}: {fault}");
        // Nothing followed the first request.
        assert_eq!((page, count), (1, 1), "{next}");
    }
    // The same link, at home, is followed.
    let ((page, _), count) = asked(&format!("https://{here}/v2/items?page=2")).await;
    assert_eq!((page, count), (2, 2));
}

#[tokio::test]
async fn a_header_of_another_form_names_no_page() {
    for headers in [
        "link: </v2/items?page=2>; rel=next, </v2/items?page=3>; rel=next\r\n",
        "link: </v2/items?page=2>; rel=next\r\nlink: </v2/items?page=3>; rel=next\r\n",
        "link: </v2/items?page=2; rel=next\r\n",
        "link: /v2/items?page=2; rel=next\r\n",
        "link: </v2/items?page=2>; rel=\"next\r\n",
        "link: </v2/items?page=2>, \r\n",
    ] {
        let (sent, paths) = read(&json!("link"), &[page_of(headers)]).await;
        let (_, fault) = fault_of(sent);
        let is_typed = matches!(
            fault,
            Fault::Pages(PageFault::NoLinks | PageFault::TwoLinks)
        );
        assert!(is_typed, "{headers}: {fault}");
        assert_eq!(paths.len(), 1);
    }
    // A link about something else is none.
    let other = page_of("link: </v2/items?page=2>; rel=next; anchor=\"/v2/others\"\r\n");
    let (sent, _) = read(&json!("link"), &[other]).await;
    assert_eq!(said(&sent)["more"], false);
}

fn page_of(headers: &str) -> Vec<u8> {
    page(headers, &json!([1]))
}

#[tokio::test]
async fn a_page_that_fails_ends_the_call_and_is_named() {
    let first = page("", &json!({"data": [1], "next": "x"}));
    for (second, part) in [
        (
            answer("500 No", "retry-after: 3\r\n", "oh"),
            "the code 500, and its answer begins with \"oh\"",
        ),
        (
            answer("302 Found", "location: /v2/items\r\n", ""),
            "no redirect is followed",
        ),
        (answer("200 OK", "", "no JSON"), "no strict JSON"),
        (
            answer("200 OK", "", "{\"data\": {}}"),
            "has no list at \"/data\"",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n[1".to_owned(),
            "broke the connection off",
        ),
    ] {
        let (sent, paths) = read(&cursor(), &[first.clone(), second.into_bytes()]).await;
        let fault = sent.output.unwrap_err();
        assert!(matches!(fault, Fault::Page(2, _)), "{fault}");
        let text = fault.to_string();
        assert!(text.starts_with("page 2 was not read"), "{text}");
        assert!(text.contains(part), "{part}: {text}");
        assert_eq!(paths.len(), 2);
    }
    // The time of the call is that of all pages.
    let world = world(&[first, Vec::new()], End::Hang).await;
    let entry = entry(&world, &cursor());
    let wall = Duration::from_secs(3);
    let sent = world
        .call_within(&entry, &json!({}), &world.reach(), wall)
        .await;
    let (page, fault) = fault_of(sent);
    let is_late = matches!(
        fault,
        Fault::Late {
            phase: Phase::Whole,
            ms: 3000
        }
    );
    assert!(is_late, "{fault}");
    assert_eq!(page, 2);
}

#[tokio::test]
async fn a_secret_stands_in_each_request_and_in_no_page() {
    let escaped = format!("{} here", VALUE.replace('"', "\\\""));
    let world = world(
        &[
            page("", &json!({"data": [1], "next": "x"})),
            page("", &json!({"data": [2], "next": "y"})),
            page("", &json!({"data": [VALUE, escaped], "next": null})),
        ],
        End::Close,
    )
    .await;
    let secret = credential(&[world.endpoint()], "header:x-key");
    let mut entry = entry(&world, &cursor());
    entry["secret"] = json!("crm");
    let sent = call(&world, &entry, &secret).await;
    let whole = String::from_utf8(sent.output.unwrap()).unwrap();
    assert!(
        whole.contains("\"[secret crm]\"") && !whole.contains("canary"),
        "{whole}"
    );
    assert!(secret.hits() >= 1);
    let requests = world.requests.lock().unwrap().clone();
    let carried = requests
        .iter()
        .filter(|text| text.contains(&format!("x-key: {VALUE}\r\n")));
    assert_eq!(carried.count(), 3, "{requests:?}");
}

#[tokio::test]
async fn a_link_that_repeats_the_secret_is_not_followed() {
    let encoded = "me%3Aa%20canary%20%22that%22%20nobody%2Fmay%20see";
    for (next, is_taken) in [
        (format!("?page=2&key={encoded}"), false),
        ("?page=2&key=mine".to_owned(), true),
    ] {
        let world = world(&[linked(&next, &json!([1]))], End::Close).await;
        let secret = credential(&[world.endpoint()], "query:key");
        let mut entry = entry(&world, &json!("link"));
        entry["secret"] = json!("crm");
        let sent = call(&world, &entry, &secret).await;
        let (_, fault) = fault_of(sent);
        let is_typed = if is_taken {
            matches!(fault, Fault::Secret { .. })
        } else {
            matches!(fault, Fault::Pages(PageFault::Secret))
        };
        assert!(is_typed, "{next}: {fault}");
        assert!(!fault.to_string().contains("canary"));
        assert_eq!(world.count(), 1);
    }
}

#[tokio::test]
async fn the_size_of_all_pages_has_a_bound() {
    let text = "x".repeat(400);
    let whole = |n: u8| json!({"data": [text], "next": n});
    let plain = |n: u8| page("", &whole(n));
    let small = |n: u8| {
        let body = gzip(whole(n).to_string().as_bytes());
        assert!(body.len() < 100);
        let head = answer("200 OK", "content-encoding: gzip\r\n", "");
        let head = head.replace("length: 0", &format!("length: {}", body.len()));
        [head.as_bytes(), &body].concat()
    };
    for answers in [
        [plain(1), plain(2), plain(3)],
        [small(1), small(2), small(3)],
    ] {
        for (max, fits) in [(1000, false), (2000, true)] {
            let world = world(&answers, End::Close).await;
            let mut entry = entry(&world, &cursor());
            entry["limits"]["answer_bytes_max"] = json!(max);
            entry["pages"]["pages_max"] = json!(3);
            let reach = world.reach();
            let sent = world
                .call_as(&entry, &json!({}), (&reach, WALL), None)
                .await;
            if fits {
                assert_eq!(said(&sent)["pages"], 3);
                continue;
            }
            let (page, fault) = fault_of(sent);
            assert!(matches!(fault, Fault::Large(1000)), "{fault}");
            assert_eq!(page, 3);
        }
    }
}

#[tokio::test]
async fn the_fields_are_those_of_each_item() {
    let answers = [page(
        "",
        &json!([{"id": 1, "more": {"name": "a"}, "hidden": true}, 7]),
    )];
    let world = world(&answers, End::Close).await;
    let mut entry = entry(&world, &json!("link"));
    entry["answer"]["fields"] = json!({"id": "/id", "name": "/more/name"});
    let sent = world.call_with(&entry, &json!({}), &world.reach()).await;
    let items = json!([{"id": 1, "name": "a"}, {"id": null, "name": null}]);
    assert_eq!(
        said(&sent),
        json!({"items": items, "pages": 1, "more": false})
    );
}
