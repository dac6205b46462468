//! Tests tokens of OAuth 2: what the token endpoint gets, what the tool's host gets, and each refusal.

use std::task::Poll;

use egress::{NoCredential, NoToken, Opened, Tokens};
use secret::{SecretTerms, SecretValue, TokenGrant, TokenSource};
use serde_json::json;
use zeroize::Zeroizing;

use crate::world::{Authority, End, HELLO, HOST, WALL, World, answer, reach};

const VALUE: &str = "the secret of the client";

fn given(expires: &str) -> String {
    let body = format!("{{\"access_token\": \"tok en\", \"token_type\": \"bearer\"{expires}}}");
    answer("200 OK", "", &body)
}

/// An open secret of the client `me`, for a host, with a token endpoint.
fn opened(host: &World, source: &World, at: &str) -> Opened {
    of(TokenGrant::ClientCredentials, VALUE, (host, source), at)
}

fn of(grant: TokenGrant, value: &str, (host, source): (&World, &World), at: &str) -> Opened {
    let url = format!("https://{}/token", source.endpoint());
    let source = TokenSource::new(grant, &url, "me", Some("a b")).unwrap();
    let hosts = vec![host.endpoint().parse().unwrap()];
    let inject = "header:authorization=Bearer {}".parse().unwrap();
    let name = "crm".parse().unwrap();
    let get = vec!["GET".parse().unwrap()];
    let terms = SecretTerms::new(name, 1, hosts, get, inject).unwrap();
    Opened {
        terms: terms.with_token(Some(source)),
        value: SecretValue::new(Zeroizing::new(value.as_bytes().to_vec())).unwrap(),
        at: at.parse().unwrap(),
    }
}

/// Stores nothing, because nothing is to be stored.
async fn nothing(_: SecretTerms, _: SecretValue) -> Result<(), String> {
    panic!("there is no next refresh token")
}

#[tokio::test]
async fn a_token_stands_where_the_secret_would() {
    let authority = Authority::new();
    let with = async |answer| World::with(&authority, HOST, answer, End::Close).await;
    let (host, source) = (
        with(HELLO.to_owned()).await,
        with(given(", \"expires_in\": \"3600\"")).await,
    );
    let reach = reach(&[&host, &source]);
    let tokens = Tokens::default();
    let get = async |at| {
        let opened = opened(&host, &source, at);
        tokens
            .credential(host.sender(), opened, &reach, nothing)
            .await
            .unwrap()
    };
    let credential = get("2026-01-01T00:00:00Z").await;
    let asked = source.request();
    // `me:the%20secret%20of%20the%20client`
    for line in [
        "POST /token HTTP/1.1",
        "authorization: Basic bWU6dGhlJTIwc2VjcmV0JTIwb2YlMjB0aGUlMjBjbGllbnQ=",
        "content-type: application/x-www-form-urlencoded",
        "grant_type=client_credentials&scope=a%20b",
    ] {
        assert!(asked.lines().any(|one| one == line), "{asked}");
    }
    let mut entry = host.entry();
    entry["secret"] = json!("crm");
    let sent = host
        .call_as(&entry, &json!({}), (&reach, WALL), Some(&credential))
        .await;
    assert!(sent.output.is_ok());
    let request = host.request();
    assert!(
        request
            .lines()
            .any(|line| line == "authorization: Bearer tok en"),
        "{request}"
    );
    assert!(!request.contains("secret"), "{request}");
    // It is kept until shortly before its end, unless a host does not take it.
    for (at, count) in [("2026-01-01T00:59:00Z", 1), ("2026-01-01T00:59:30Z", 2)] {
        drop(get(at).await);
        assert_eq!(source.count(), count, "{at}");
    }
    tokens.forget(&"crm".parse().unwrap());
    drop(get("2026-01-01T00:59:31Z").await);
    assert_eq!(source.count(), 3);
}

#[tokio::test]
async fn a_token_without_a_lifetime_is_used_once() {
    let authority = Authority::new();
    let source = World::with(&authority, HOST, given(""), End::Close).await;
    let tokens = Tokens::default();
    for count in [1, 2] {
        let opened = opened(&source, &source, "2026-01-01T00:00:00Z");
        let found = tokens
            .credential(source.sender(), opened, &reach(&[&source]), nothing)
            .await;
        assert!(found.is_ok());
        assert_eq!(source.count(), count);
    }
}

/// An answer of a token endpoint, and the reason that it leads to.
type NoTokenCase = (String, fn(&NoToken) -> bool);

#[tokio::test]
async fn without_a_token_there_is_one_reason() {
    let long = "x".repeat(70_000);
    let cases: [NoTokenCase; 9] = [
        (
            answer("400 Bad", "", r#"{"error": "invalid_grant"}"#),
            |why| matches!(why, NoToken::Dead(..)),
        ),
        (
            answer("401 No", "", r#"{"error": "invalid_client"}"#),
            |why| matches!(why, NoToken::Dead(..)),
        ),
        // Some endpoints say so with the code of success.
        (
            answer("200 OK", "", r#"{"error": "invalid_grant"}"#),
            |why| matches!(why, NoToken::Dead(..)),
        ),
        (
            answer("400 Bad", "", r#"{"error": "invalid_scope"}"#),
            |why| matches!(why, NoToken::Refused(_, 400, said) if said == " and invalid_scope"),
        ),
        (
            answer("400 Bad", "", r#"{"error": "the_secret_of_the_client"}"#),
            |why| matches!(why, NoToken::Refused(_, 400, said) if said == " and another error"),
        ),
        (answer("503 Later", "", ""), |why| {
            matches!(why, NoToken::Refused(_, 503, _))
        }),
        (answer("200 OK", "", "no json"), |why| {
            matches!(why, NoToken::Answer(_))
        }),
        (
            answer(
                "200 OK",
                "",
                r#"{"access_token": "a", "token_type": "mac"}"#,
            ),
            |why| matches!(why, NoToken::Answer(_)),
        ),
        (answer("200 OK", "", &long), |why| {
            matches!(why, NoToken::Unreached(..))
        }),
    ];
    for (said, fits) in cases {
        let source = World::new(said.clone(), End::Close).await;
        let opened = opened(&source, &source, "2026-01-01T00:00:00Z");
        let found = Tokens::default();
        let found = found
            .credential(source.sender(), opened, &reach(&[&source]), nothing)
            .await;
        let Err(NoCredential::Token(why)) = found else {
            panic!("{said}: {found:?}");
        };
        assert!(fits(&why), "{said}: {why:?}");
        assert!(!why.to_string().contains(VALUE), "{why}");
        assert_eq!(source.count(), 1);
    }
    // A host that the contract does not name gets nothing.
    let source = World::new(given(""), End::Close).await;
    let host = World::new(HELLO, End::Close).await;
    let opened = opened(&host, &source, "2026-01-01T00:00:00Z");
    let tokens = Tokens::default();
    let found = tokens
        .credential(host.sender(), opened, &reach(&[&host]), nothing)
        .await;
    assert!(
        matches!(found, Err(NoCredential::Token(NoToken::Host(_)))),
        "{found:?}"
    );
    assert_eq!(source.count(), 0);
}

/// Exchanges a refresh token at an endpoint that answers so; returns the values that were to be stored, and the end.
async fn refreshed(
    value: &str,
    said: &str,
    stores: bool,
) -> (World, Vec<String>, Result<(), NoCredential>) {
    let source = World::new(answer("200 OK", "", said), End::Close).await;
    let opened = of(
        TokenGrant::RefreshToken,
        value,
        (&source, &source),
        "2026-01-01T00:00:00Z",
    );
    let tokens = Tokens::default();
    let (store, stored) = std::sync::mpsc::channel();
    let keep = move |_, value: SecretValue| {
        store.send(value.expose().to_owned()).unwrap();
        std::future::ready(
            stores
                .then_some(())
                .ok_or_else(|| "the bus is gone".to_owned()),
        )
    };
    let reach = reach(&[&source]);
    let found = tokens
        .credential(source.sender(), opened, &reach, keep)
        .await;
    (source, stored.try_iter().collect(), found.map(drop))
}

#[tokio::test]
async fn a_next_refresh_token_is_stored_before_its_access_token_is_used() {
    let next = r#"{"access_token": "a", "token_type": "bearer", "refresh_token": "next"}"#;
    // With the secret of the client, and without one.
    let (source, stored, found) = refreshed("first s", next, true).await;
    assert!(found.is_ok());
    assert_eq!(stored, ["next s"]);
    let asked = source.request();
    for line in [
        "authorization: Basic bWU6cw==",
        "grant_type=refresh_token&refresh_token=first&scope=a%20b",
    ] {
        assert!(asked.lines().any(|one| one == line), "{asked}");
    }
    let (source, stored, found) = refreshed("first", next, true).await;
    assert!(found.is_ok());
    assert_eq!(stored, ["next"]);
    let asked = source.request();
    let form = "grant_type=refresh_token&refresh_token=first&client_id=me&scope=a%20b";
    assert!(
        asked.ends_with(form) && !asked.contains("authorization"),
        "{asked}"
    );
    // What cannot be stored is not used.
    let (_, _, found) = refreshed("first", next, false).await;
    assert!(
        matches!(found, Err(NoCredential::Token(NoToken::Unkept(..)))),
        "{found:?}"
    );
    // The same one, or none, stays.
    for said in [
        r#"{"access_token": "a", "refresh_token": "first"}"#,
        r#"{"access_token": "a"}"#,
    ] {
        let (_, stored, found) = refreshed("first", said, false).await;
        assert!(found.is_ok() && stored.is_empty(), "{found:?}");
    }
}

#[tokio::test]
async fn a_call_that_is_dropped_during_an_exchange_loses_no_refresh_token() {
    let said = r#"{"access_token": "a", "refresh_token": "next", "expires_in": 3600}"#;
    let source = World::new(answer("200 OK", "", said), End::Close).await;
    let (tokens, reach) = (Tokens::default(), reach(&[&source]));
    let first = || {
        let at = "2026-01-01T00:00:00Z";
        of(TokenGrant::RefreshToken, "first", (&source, &source), at)
    };
    let (store, mut stored) = tokio::sync::mpsc::unbounded_channel();
    let keep = move |_, value: SecretValue| {
        let sent = store.send(value.expose().to_owned());
        std::future::ready(sent.map_err(|error| error.to_string()))
    };
    // The endpoint has the request, and says nothing yet.
    let held = source.gate.write().await;
    let call = tokens.credential(source.sender(), first(), &reach, keep);
    let asked = async {
        while source.count() == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        ended = call => panic!("{ended:?}"),
        () = asked => {}
    }
    drop(held);
    assert_eq!(stored.recv().await.as_deref(), Some("next"));
    // The next call has the token of that exchange.
    let found = tokens.credential(source.sender(), first(), &reach, nothing);
    assert!(found.await.is_ok());
    assert_eq!(source.count(), 1);
}

#[tokio::test]
async fn a_call_that_is_dropped_before_its_exchange_sends_nothing() {
    let source = World::new(given(""), End::Close).await;
    let (tokens, reach) = (Tokens::default(), reach(&[&source]));
    let opened = || opened(&source, &source, "2026-01-01T00:00:00Z");
    let call = tokens.credential(source.sender(), opened(), &reach, nothing);
    let mut call = Box::pin(call);
    let polled = std::future::poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx).is_pending()));
    assert!(polled.await);
    drop(call);
    // The next exchange begins after that one is over.
    let found = tokens.credential(source.sender(), opened(), &reach, nothing);
    assert!(found.await.is_ok());
    assert_eq!(source.count(), 1);
}

#[tokio::test]
async fn a_value_that_another_call_exchanged_is_not_sent_again() {
    let said = r#"{"access_token": "a", "refresh_token": "next"}"#;
    let source = World::new(answer("200 OK", "", said), End::Close).await;
    let tokens = Tokens::default();
    for sent in ["first", "next", "next"] {
        let opened = of(
            TokenGrant::RefreshToken,
            "first",
            (&source, &source),
            "2026-01-01T00:00:00Z",
        );
        let keep = |_, _| std::future::ready(Ok(()));
        let reach = reach(&[&source]);
        let found = tokens
            .credential(source.sender(), opened, &reach, keep)
            .await;
        assert!(found.is_ok());
        let asked = source.request();
        assert!(
            asked.contains(&format!("&refresh_token={sent}&")),
            "{asked}"
        );
    }
}

#[tokio::test]
async fn only_a_dead_refresh_token_is_not_tried_again() {
    for (code, said, count) in [
        ("400 Bad", r#"{"error": "invalid_grant"}"#, 1),
        ("400 Bad", r#"{"error": "temporarily_unavailable"}"#, 2),
        ("429 Later", "", 2),
        ("403 No", "", 2),
    ] {
        let source = World::new(answer(code, "", said), End::Close).await;
        let tokens = Tokens::default();
        let ask = async |value| {
            let at = "2026-01-01T00:00:00Z";
            let opened = of(TokenGrant::RefreshToken, value, (&source, &source), at);
            let reach = reach(&[&source]);
            tokens
                .credential(source.sender(), opened, &reach, nothing)
                .await
        };
        assert!(ask("first").await.is_err());
        assert!(ask("first").await.is_err());
        assert_eq!(source.count(), count, "{code} {said}");
        assert!(ask("another").await.is_err());
        assert_eq!(source.count(), count + 1);
    }
}
