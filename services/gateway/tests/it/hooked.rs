//! Tests of webhooks: a request that a key signed becomes one message, and no other request does.

use actor::files;
use gateway::{HandedIn, hooks::HOOKS_FILE};
use ring::hmac;

use crate::world::{Answer, World};

const KEY: &str = "the key of the sender";

async fn world() -> World {
    let world = World::start().await;
    let text = format!("[github]\nsignature = \"github\"\nkey = \"{KEY}\"\n");
    files::replace(&world.state.join(HOOKS_FILE), text.as_bytes()).unwrap();
    world
}

fn signature(body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, KEY.as_bytes());
    let tag = hmac::sign(&key, body.as_bytes());
    let hex = data_encoding::HEXLOWER.encode(tag.as_ref());
    format!("X-Hub-Signature-256: sha256={hex}")
}

async fn post(world: &World, name: &str, headers: &[&str], body: &str) -> Answer {
    let line = format!("POST /hooks/{name}");
    world.ask(&line, headers, body).await
}

#[tokio::test]
async fn a_signed_request_is_handed_in_with_an_id_of_its_own() {
    let world = world().await;
    let json = "Content-Type: application/json; charset=utf-8";
    for body in [r#"{"n":1}"#, r#"{"n":1}"#, r#"{"n":2}"#] {
        let answer = post(&world, "github", &[json, &signature(body)], body).await;
        assert_eq!(answer.status, 202, "{answer:?}");
    }
    let handed_in = world.stream().handed_in.clone();
    let of = |n: usize| -> &HandedIn { &handed_in[n] };
    assert_eq!(handed_in.len(), 3);
    assert_eq!(of(0).hook.as_str(), "github");
    assert_eq!(of(0).body, br#"{"n":1}"#);
    assert_eq!(of(0).id, of(1).id);
    assert_ne!(of(0).id, of(2).id);
}

#[tokio::test]
async fn a_request_without_the_right_signature_is_refused_as_one_of_an_unknown_webhook_is() {
    let world = world().await;
    let json = "Content-Type: application/json";
    let (body, other) = (r#"{"n":1}"#, r#"{"n":2}"#);
    let unknown = post(&world, "gitea", &[json, &signature(body)], body).await;
    let unsigned = post(&world, "github", &[json], body).await;
    let wrong = post(&world, "github", &[json, &signature(other)], body).await;
    let no_name = post(&world, "..%2Fkeys", &[json, &signature(body)], body).await;
    for answer in [&unknown, &unsigned, &wrong, &no_name] {
        assert_eq!(answer.status, 401, "{answer:?}");
        assert_eq!(answer.body, unknown.body);
    }
    // A page cannot send one, not even of a host of the gateway.
    let page = [json, &signature(body), "Origin: https://other.example"];
    assert_eq!(post(&world, "github", &page, body).await.status, 403);
    assert!(world.stream().handed_in.is_empty());
}

#[tokio::test]
async fn a_signed_request_that_is_no_small_json_is_refused_with_what_to_do() {
    let world = world().await;
    let json = "Content-Type: application/json";
    let large = format!("\"{}\"", "x".repeat(60 << 10));
    for (kind, body, status, words) in [
        (
            "Content-Type: application/x-www-form-urlencoded",
            "payload=1",
            415,
            "application/json",
        ),
        (json, large.as_str(), 413, "60 KiB"),
        (json, "{\"n\":", 400, "send JSON"),
    ] {
        let answer = post(&world, "github", &[kind, &signature(body)], body).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(answer.body.contains(words), "{answer:?}");
    }
    assert!(world.stream().handed_in.is_empty());
}

#[tokio::test]
async fn a_file_that_others_can_read_or_that_is_not_valid_refuses_all() {
    use std::os::unix::fs::PermissionsExt;
    let world = world().await;
    let path = world.state.join(HOOKS_FILE);
    let (json, body) = ("Content-Type: application/json", "{}");
    let ask = async || post(&world, "github", &[json, &signature(body)], body).await;
    assert_eq!(ask().await.status, 202);
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
    assert_eq!(ask().await.status, 503);
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    files::replace(&path, format!("{KEY} = 1").as_bytes()).unwrap();
    let refused = ask().await;
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(!refused.body.contains(KEY), "{refused:?}");
    std::fs::remove_file(&path).unwrap();
    assert_eq!(ask().await.status, 401);
}
