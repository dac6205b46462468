//! Tests values that a server of Vault or OpenBao keeps: what the server gets, what the tool's host gets, and each refusal.

use egress::{NoCredential, NoVault, Opened};
use secret::{SecretTerms, SecretValue, VaultPlace, VaultSource};
use serde_json::json;
use zeroize::Zeroizing;

use crate::world::{Authority, End, HELLO, HOST, WALL, World, answer, reach};

const SECRET_ID: &str = "the secret id of the role";
const JSON: &str = "content-type: application/json\r\n";
const LOGIN: &str = r#"{"auth": {"client_token": "hvs.token", "lease_duration": 1200}}"#;

fn ok(body: &str) -> String {
    answer("200 OK", JSON, body)
}

/// The answer with the version 3 of a secret with these fields.
fn version(fields: &str) -> String {
    ok(&format!(
        "{{\"data\": {{\"data\": {fields}, \"metadata\": {{\"version\": 3, \"deletion_time\": \"\", \"destroyed\": false}}}}}}"
    ))
}

fn opened(host: &World, server: &World, version: &str) -> Opened {
    let place = VaultPlace {
        mount: "team/kv".to_owned(),
        path: "apps/crm".to_owned(),
        field: "key".to_owned(),
        version: version.parse().unwrap(),
        auth: "approle".to_owned(),
        role: "role-1".to_owned(),
    };
    let url = format!("https://{}", server.endpoint());
    let source = VaultSource::new(&url, place).unwrap();
    let hosts = vec![host.endpoint().parse().unwrap()];
    let inject = "header:authorization=Bearer {}".parse().unwrap();
    let get = vec!["GET".parse().unwrap()];
    let terms = SecretTerms::new("crm".parse().unwrap(), 1, hosts, get, inject).unwrap();
    Opened {
        terms: terms.with_vault(Some(source)),
        value: SecretValue::new(Zeroizing::new(SECRET_ID.into())).unwrap(),
        at: "2026-01-01T00:00:00Z".parse().unwrap(),
    }
}

async fn server(authority: &Authority, answers: &[String]) -> World {
    let answers = answers.iter().map(|one| one.clone().into_bytes());
    World::answering(authority, answers.collect()).await
}

fn first_lines(world: &World) -> Vec<String> {
    let requests = world.requests.lock().unwrap();
    let lines = requests.iter().filter_map(|text| text.lines().next());
    lines.map(str::to_owned).collect()
}

#[tokio::test]
async fn a_value_of_a_vault_stands_in_one_request_and_its_login_ends() {
    let authority = Authority::new();
    let host = World::with(&authority, HOST, HELLO.to_owned(), End::Close).await;
    let value = version(r#"{"other": 1, "key": "the kept value"}"#);
    let ended = answer("204 No Content", "", "");
    let server = server(&authority, &[ok(LOGIN), value, ended]).await;
    let reach = reach(&[&host, &server]);
    let opened = opened(&host, &server, "3");
    let source = opened.terms.vault().unwrap();
    let credential = host.sender().credential_of_vault(source, &opened, &reach);
    let credential = credential.await.unwrap();
    let lines = [
        "POST /v1/auth/approle/login HTTP/1.1",
        "GET /v1/team/kv/data/apps/crm?version=3 HTTP/1.1",
        "POST /v1/auth/token/revoke-self HTTP/1.1",
    ];
    assert_eq!(first_lines(&server), lines);
    let requests = server.requests.lock().unwrap().clone();
    let body = format!("{{\"role_id\":\"role-1\",\"secret_id\":\"{SECRET_ID}\"}}");
    assert!(requests[0].ends_with(&body), "{}", requests[0]);
    for request in &requests[1..] {
        assert!(
            request.contains("x-vault-token: hvs.token\r\n"),
            "{request}"
        );
        assert!(!request.contains(SECRET_ID), "{request}");
    }
    let mut entry = host.entry();
    entry["secret"] = json!("crm");
    let sent = host
        .call_as(&entry, &json!({}), (&reach, WALL), Some(&credential))
        .await;
    assert!(sent.output.is_ok());
    let request = host.request();
    let line = "authorization: Bearer the kept value";
    assert!(request.lines().any(|one| one == line), "{request}");
    assert!(!request.contains("hvs") && !request.contains(SECRET_ID));
    assert_eq!(
        credential.scrub_text("it has the kept value"),
        "it has [secret crm]"
    );
}

#[tokio::test]
async fn a_version_that_is_to_be_deleted_later_is_read_until_then() {
    let authority = Authority::new();
    let later = r#"{"data": {"data": {"key": "v"}, "metadata": {"version": 3, "deletion_time": "2036-01-01T00:00:00Z"}}}"#;
    let server = server(&authority, &[ok(LOGIN), ok(later)]).await;
    let opened = opened(&server, &server, "3");
    let source = opened.terms.vault().unwrap();
    let reach = reach(&[&server]);
    let found = server.sender().credential_of_vault(source, &opened, &reach);
    assert!(found.await.is_ok());
}

#[tokio::test]
async fn the_newest_version_is_read_only_where_the_owner_says_so() {
    let authority = Authority::new();
    let answers = [ok(LOGIN), version(r#"{"key": "v"}"#)];
    let server = server(&authority, &answers).await;
    let opened = opened(&server, &server, "newest");
    let source = opened.terms.vault().unwrap();
    let reach = reach(&[&server]);
    let found = server.sender().credential_of_vault(source, &opened, &reach);
    // The last answer repeats, and what becomes of the login changes nothing.
    assert!(found.await.is_ok());
    assert_eq!(
        first_lines(&server)[1],
        "GET /v1/team/kv/data/apps/crm HTTP/1.1"
    );
}

/// The answers of a server, and the reason that they lead to.
type Case = (Vec<String>, fn(&NoVault) -> bool);

/// The reasons at the login.
fn logins() -> Vec<Case> {
    let code = |code: &str| {
        vec![answer(
            code,
            JSON,
            r#"{"errors": ["the secret id of the role"]}"#,
        )]
    };
    vec![
        (code("400 Bad Request"), |why| {
            matches!(why, NoVault::Login(_))
        }),
        (code("403 Forbidden"), |why| {
            matches!(why, NoVault::Login(_))
        }),
        (code("404 Not Found"), |why| {
            matches!(why, NoVault::NoLogin(..))
        }),
        (code("307 Elsewhere"), |why| {
            matches!(why, NoVault::Standby(_))
        }),
        (code("473 Standby"), |why| {
            matches!(why, NoVault::Standby(_))
        }),
        (code("429 Too Many"), |why| matches!(why, NoVault::Busy(_))),
        (code("503 Sealed"), |why| matches!(why, NoVault::Sealed(_))),
        (code("500 Fault"), |why| {
            matches!(why, NoVault::Refused(_, 500))
        }),
        (vec![ok("no json")], |why| matches!(why, NoVault::Answer(_))),
        (vec![ok("{}")], |why| matches!(why, NoVault::Answer(_))),
        (vec![ok(r#"{"auth": null}"#)], |why| {
            matches!(why, NoVault::Answer(_))
        }),
        (vec![ok(r#"{"auth": {"client_token": ""}}"#)], |why| {
            matches!(why, NoVault::Answer(_))
        }),
        (vec![ok(r#"{"auth": {"client_token": "a\nb"}}"#)], |why| {
            matches!(why, NoVault::Answer(_))
        }),
        (
            vec![ok(r#"{"auth": {"client_token": "caf\u00e9"}}"#)],
            |why| matches!(why, NoVault::Answer(_)),
        ),
        (
            vec![answer("200 OK", "content-type: text/html\r\n", LOGIN)],
            |why| matches!(why, NoVault::Answer(_)),
        ),
        (vec![ok(&"x".repeat(70_000))], |why| {
            matches!(why, NoVault::Unreached(..))
        }),
    ]
}

/// The reasons after the login.
fn reads() -> Vec<Case> {
    let then = |answer: String| vec![ok(LOGIN), answer];
    let code = |code: &str| then(answer(code, JSON, r#"{"errors": []}"#));
    let gone = r#"{"data": {"data": null, "metadata": {"version": 3, "deletion_time": "2026-01-01T00:00:00Z"}}}"#;
    let destroyed = r#"{"data": {"data": null, "metadata": {"version": 3, "deletion_time": "", "destroyed": true}}}"#;
    let other = r#"{"data": {"data": {"key": "v"}, "metadata": {"version": 4}}}"#;
    let unversioned = r#"{"data": {"key": "the value of version 1 of the engine"}}"#;
    let long = format!(r#"{{"key": "{}"}}"#, "x".repeat(8193));
    vec![
        (
            code("403 Forbidden"),
            |why| matches!(why, NoVault::Denied(_, at) if at == "team/kv/apps/crm"),
        ),
        (code("404 Not Found"), |why| {
            matches!(why, NoVault::Missing(..))
        }),
        (then(answer("404 Not Found", "", "nothing")), |why| {
            matches!(why, NoVault::Missing(..))
        }),
        (then(answer("404 Gone", JSON, gone)), |why| {
            matches!(why, NoVault::Deleted(..))
        }),
        (then(answer("404 Gone", JSON, destroyed)), |why| {
            matches!(why, NoVault::Deleted(..))
        }),
        (then(ok(gone)), |why| matches!(why, NoVault::Deleted(..))),
        (code("503 Sealed"), |why| matches!(why, NoVault::Sealed(_))),
        (code("302 Found"), |why| matches!(why, NoVault::Standby(_))),
        (code("400 Bad"), |why| {
            matches!(why, NoVault::Refused(_, 400))
        }),
        (then(ok(other)), |why| {
            matches!(why, NoVault::Version(_, _, 3))
        }),
        (then(ok(unversioned)), |why| {
            matches!(why, NoVault::Answer(_))
        }),
        (then(ok("[]")), |why| matches!(why, NoVault::Answer(_))),
        (then(answer("200 OK", "", LOGIN)), |why| {
            matches!(why, NoVault::Answer(_))
        }),
        (then(version("{}")), |why| matches!(why, NoVault::Field(..))),
        (then(version("null")), |why| {
            matches!(why, NoVault::Field(..))
        }),
        (then(version(r#"{"key": 7}"#)), |why| {
            matches!(why, NoVault::Field(..))
        }),
        (then(version(r#"{"key": {"a": "b"}}"#)), |why| {
            matches!(why, NoVault::Field(..))
        }),
        (then(version(r#"{"Key": "v"}"#)), |why| {
            matches!(why, NoVault::Field(..))
        }),
        (then(version(r#"{"key": ""}"#)), |why| {
            matches!(why, NoVault::Value(..))
        }),
        (then(version(r#"{"key": "a\u0000b"}"#)), |why| {
            matches!(why, NoVault::Value(..))
        }),
        (then(version(&long)), |why| {
            matches!(why, NoVault::Value(..))
        }),
    ]
}

#[tokio::test]
async fn without_a_value_of_a_vault_there_is_one_reason() {
    let authority = Authority::new();
    for (answers, fits) in logins().into_iter().chain(reads()) {
        let server = server(&authority, &answers).await;
        let opened = opened(&server, &server, "3");
        let source = opened.terms.vault().unwrap();
        let reach = reach(&[&server]);
        let found = server.sender().credential_of_vault(source, &opened, &reach);
        let Err(NoCredential::Vault(why)) = found.await else {
            panic!("{answers:?}");
        };
        assert!(fits(&why), "{answers:?}: {why:?}");
        let text = why.to_string();
        assert!(!text.contains(SECRET_ID) && !text.contains("hvs"), "{text}");
        // One login, and a login that was made is ended.
        let count = if answers.len() == 1 { 1 } else { 3 };
        assert_eq!(server.count(), count, "{answers:?}");
    }
}

#[tokio::test]
async fn a_vault_that_the_contract_does_not_name_gets_nothing() {
    let server = World::new(ok(LOGIN), End::Close).await;
    let host = World::new(HELLO, End::Close).await;
    let opened = opened(&host, &server, "3");
    let source = opened.terms.vault().unwrap();
    let reach = reach(&[&host]);
    let found = host.sender().credential_of_vault(source, &opened, &reach);
    let why = found.await.unwrap_err();
    assert!(
        matches!(why, NoCredential::Vault(NoVault::Host(_))),
        "{why:?}"
    );
    assert_eq!(server.count(), 0);
}

#[tokio::test]
async fn a_kept_value_that_has_no_place_in_the_request_is_refused() {
    let authority = Authority::new();
    let server = server(&authority, &[ok(LOGIN), version(r#"{"key": "caf\u00e9"}"#)]).await;
    let opened = opened(&server, &server, "3");
    let source = opened.terms.vault().unwrap();
    let reach = reach(&[&server]);
    let found = server.sender().credential_of_vault(source, &opened, &reach);
    assert!(matches!(found.await, Err(NoCredential::Unfit(_))));
}
