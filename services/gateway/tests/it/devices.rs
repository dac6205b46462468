//! Tests of devices at the gateway: sessions of browsers, signed accesses, and approvals.

use std::time::Duration;

use bus_schema::{
    AccessStatement, ApprovalCarried, ApprovalRequested, ApprovalStatement, Asked, AuthorId,
    Challenge, Deployment, DeploymentId, DeviceEndorsed, DeviceId, DeviceKey, DeviceRevoked,
    DeviceRole, Draft, DraftGrant, Owner, Policy, SignInStatement, Signed, Statement, TaskId,
    public_key, wire,
};
use data_encoding::BASE64URL_NOPAD;
use gateway::api::{CarryApproval, SessionChallenge};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use uuid::Uuid;

use crate::world::{Answer, SIGNER, World, authorization, deployment, key, owner};

/// The author whose key the device has.
const PHONE: AuthorId = AuthorId::Scheduler;
const SOON: Duration = Duration::from_secs(10);
const MINUTE: Duration = Duration::from_secs(60);

fn phone() -> DeviceId {
    DeviceId::new(Uuid::from_u128(77))
}

pub(crate) fn endorse(world: &World, role: DeviceRole) {
    let fact = DeviceEndorsed {
        deployment: deployment(),
        device: phone(),
        key: DeviceKey::Ed25519(public_key(&key(PHONE))),
        role,
        name: "Phone".parse().unwrap(),
        expires: world.clock.wall().plus_ms(86_400_000 * 30),
    };
    world.append(Draft::<Owner>::of(Deployment, fact));
}

fn revoke(world: &World) {
    world.append(Draft::<Owner>::of(
        Deployment,
        DeviceRevoked { device: phone() },
    ));
}

/// A gateway with a device that may approve.
async fn with_phone() -> World {
    let world = World::start().await;
    endorse(&world, DeviceRole::Approver);
    world
}

async fn challenge(world: &World) -> Challenge {
    let body = format!(r#"{{"device":"{}"}}"#, phone());
    let headers = [
        "Content-Type: application/json",
        &format!("Origin: {SIGNER}"),
    ];
    let answer = world
        .ask("POST /v1/session/challenge", &headers, &body)
        .await;
    assert_eq!(answer.status, 201, "{answer:?}");
    serde_json::from_str::<SessionChallenge>(&answer.body)
        .unwrap()
        .challenge
}

fn statement(world: &World, challenge: Challenge) -> SignInStatement {
    SignInStatement {
        deployment: deployment(),
        device: phone(),
        challenge,
        origin: format!("http://{}", world.address),
    }
}

/// Sends the form as the signer's page does.
async fn post_form(world: &World, statement: SignInStatement, by: AuthorId) -> Answer {
    let signed = Signed::new(&Statement::SignIn(statement), &key(by));
    let body = format!("signed={}", BASE64URL_NOPAD.encode(&wire::encode(&signed)));
    let headers = [
        "Content-Type: application/x-www-form-urlencoded",
        &format!("Origin: {SIGNER}"),
    ];
    world.ask("POST /v1/session", &headers, &body).await
}

/// Signs in; returns the header with the cookie.
async fn sign_in(world: &World) -> String {
    let challenge = challenge(world).await;
    let answer = post_form(world, statement(world, challenge), PHONE).await;
    assert_eq!(answer.status, 303, "{answer:?}");
    cookie(&answer)
}

fn cookie(answer: &Answer) -> String {
    let line = answer.head.lines();
    let mut line = line.filter_map(|line| line.strip_prefix("set-cookie: "));
    let pair = line.next().unwrap().split(';').next().unwrap();
    format!("Cookie: {pair}")
}

async fn read(world: &World, headers: &[&str]) -> Answer {
    world.ask("GET /v1/tasks", headers, "").await
}

#[tokio::test]
async fn a_device_signs_in_and_its_browser_reads() {
    let world = with_phone().await;
    let challenge = challenge(&world).await;
    let answer = post_form(&world, statement(&world, challenge), PHONE).await;
    assert!(answer.head.contains("location: /\r\n"), "{answer:?}");
    let port = world.address.port();
    assert!(
        answer
            .head
            .contains(&format!("set-cookie: contractual-{port}="))
    );
    assert!(answer.head.contains("; path=/; httponly; samesite=strict"));
    let cookie = cookie(&answer);
    assert_eq!(read(&world, &[&cookie]).await.status, 200);
    let session = world.ask("GET /v1/session", &[&cookie], "").await;
    assert!(session.body.contains(r#""name":"Phone","role":"approver""#));
    assert_eq!(read(&world, &[]).await.status, 401);
    let other = format!("Cookie: contractual-{port}={}", "0".repeat(64));
    assert_eq!(read(&world, &[&other]).await.status, 401);
}

#[tokio::test]
async fn nobody_signs_in_with_a_statement_for_something_else() {
    type Change = fn(&mut SignInStatement);
    let changes: [Change; 4] = [
        |said| said.deployment = DeploymentId::new(Uuid::from_u128(78)),
        |said| said.device = DeviceId::new(Uuid::from_u128(79)),
        |said| said.challenge = Challenge::new([9; 32]),
        |said| said.origin = "http://127.0.0.1:9".to_owned(),
    ];
    for change in changes {
        let world = with_phone().await;
        let mut said = statement(&world, challenge(&world).await);
        change(&mut said);
        let answer = post_form(&world, said, PHONE).await;
        assert!([401, 403].contains(&answer.status), "{answer:?}");
    }
    let world = with_phone().await;
    let said = statement(&world, challenge(&world).await);
    assert_eq!(
        post_form(&world, said.clone(), AuthorId::Owner)
            .await
            .status,
        401
    );
    world.clock.advance(MINUTE + MINUTE);
    assert_eq!(post_form(&world, said, PHONE).await.status, 401);
    let said = statement(&world, challenge(&world).await);
    assert_eq!(post_form(&world, said.clone(), PHONE).await.status, 303);
    assert_eq!(post_form(&world, said, PHONE).await.status, 401);
    let said = statement(&world, challenge(&world).await);
    revoke(&world);
    assert_eq!(post_form(&world, said, PHONE).await.status, 401);
}

/// An open stream whose response has begun.
struct Streaming(TcpStream);

impl Streaming {
    async fn open(world: &World, path: &str, cookie: &str) -> Self {
        let mut to = TcpStream::connect(world.address).await.unwrap();
        let host = world.address;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{cookie}\r\n\r\n");
        to.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(timeout(SOON, to.read_u8()).await.unwrap().unwrap());
        }
        assert!(
            head.starts_with(b"HTTP/1.1 200 "),
            "{}",
            head.escape_ascii()
        );
        Self(to)
    }

    /// Reads until the whole response has arrived.
    async fn ends(mut self) {
        let mut body = Vec::new();
        while !body.ends_with(b"0\r\n\r\n") {
            body.push(timeout(SOON, self.0.read_u8()).await.unwrap().unwrap());
        }
    }
}

/// The streams that a reader of this task can have.
fn streams(task: TaskId) -> [String; 2] {
    [
        format!("/v1/tasks/{task}/events"),
        "/live?after=0".to_owned(),
    ]
}

#[tokio::test]
async fn a_revoked_device_has_no_session_and_no_stream() {
    let world = with_phone().await;
    let task = world.submitted();
    let cookie = sign_in(&world).await;
    let mut open = Vec::new();
    for path in streams(task) {
        open.push(Streaming::open(&world, &path, &cookie).await);
    }
    revoke(&world);
    for stream in open {
        stream.ends().await;
    }
    assert_eq!(read(&world, &[&cookie]).await.status, 401);
    let access = authorization(&access(&world));
    assert_eq!(read(&world, &[&access]).await.status, 401);
}

#[tokio::test]
async fn the_streams_of_a_session_end_when_it_is_signed_out() {
    let world = with_phone().await;
    let task = world.submitted();
    let cookie = sign_in(&world).await;
    let own = format!("Origin: http://{}", world.address);
    let mut open = Vec::new();
    for path in streams(task) {
        open.push(Streaming::open(&world, &path, &cookie).await);
    }
    let both = [cookie.as_str(), own.as_str()];
    let ended = world.ask("DELETE /v1/session", &both, "").await;
    for stream in open {
        stream.ends().await;
    }
    assert_eq!(ended.status, 204);
    assert!(ended.head.contains("max-age=0"), "{ended:?}");
    assert_eq!(read(&world, &[&cookie]).await.status, 401);
}

#[tokio::test]
async fn a_session_ends_when_it_is_not_used_and_at_the_latest_after_twelve_hours() {
    let world = with_phone().await;
    let idle = sign_in(&world).await;
    world.clock.advance(15 * MINUTE + MINUTE);
    assert_eq!(read(&world, &[&idle]).await.status, 401);
    let used = sign_in(&world).await;
    for _ in 0..51 {
        world.clock.advance(14 * MINUTE);
        assert_eq!(read(&world, &[&used]).await.status, 200);
    }
    world.clock.advance(14 * MINUTE);
    assert_eq!(read(&world, &[&used]).await.status, 401);
}

#[tokio::test]
async fn only_pages_of_the_gateway_use_a_session() {
    let world = with_phone().await;
    let cookie = sign_in(&world).await;
    for (headers, status) in [
        (vec!["Sec-Fetch-Site: same-origin"], 200),
        (vec!["Sec-Fetch-Site: none"], 200),
        (vec!["Sec-Fetch-Site: same-site"], 403),
        (
            vec!["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors"],
            403,
        ),
        (
            vec![
                "Sec-Fetch-Site: same-site",
                "Sec-Fetch-Mode: navigate",
                "Sec-Fetch-Dest: document",
            ],
            200,
        ),
        (
            vec![
                "Sec-Fetch-Site: same-site",
                "Sec-Fetch-Mode: navigate",
                "Sec-Fetch-Dest: iframe",
            ],
            403,
        ),
        (vec!["Origin: http://127.0.0.1:8081"], 403),
        (vec!["Origin: http://127.0.0.1:9"], 403),
    ] {
        let all: Vec<_> = headers.iter().copied().chain([cookie.as_str()]).collect();
        assert_eq!(read(&world, &all).await.status, status, "{headers:?}");
    }
    // A second cookie of the name may be another host's.
    let twice = format!("{cookie}; {}", cookie.strip_prefix("Cookie: ").unwrap());
    assert_eq!(read(&world, &[&twice]).await.status, 401);
    // What changes something names its page.
    let end = world.ask("DELETE /v1/session", &[&cookie], "").await;
    assert_eq!(end.problem(), "foreign-origin");
    let signers = format!("Origin: {SIGNER}");
    let end = world
        .ask("DELETE /v1/session", &[&cookie, &signers], "")
        .await;
    assert_eq!(end.problem(), "foreign-origin");
    assert_eq!(read(&world, &[&cookie]).await.status, 200);
}

fn access(world: &World) -> Signed {
    let said = AccessStatement {
        deployment: deployment(),
        until: world.clock.wall().plus_ms(60_000),
    };
    Signed::new(&Statement::Access(said), &key(PHONE))
}

#[tokio::test]
async fn pages_of_the_signer_read_with_an_access_of_the_device_and_without_credentials() {
    let world = with_phone().await;
    let origin = format!("Origin: {SIGNER}");
    let preflight = [
        origin.as_str(),
        "Access-Control-Request-Method: GET",
        "Access-Control-Request-Headers: authorization",
    ];
    let allowed = world.ask("OPTIONS /v1/tasks", &preflight, "").await;
    assert_eq!(allowed.status, 204, "{allowed:?}");
    let wanted = format!("access-control-allow-origin: {SIGNER}\r\n");
    assert!(allowed.head.contains(&wanted));
    let access = authorization(&access(&world));
    let answer = read(&world, &[&origin, &access]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.head.contains(&wanted));
    assert!(!answer.head.contains("allow-credentials"), "{answer:?}");
    for other in ["http://127.0.0.1:8082", "http://localhost:8081", "null"] {
        let origin = format!("Origin: {other}");
        let refused = read(&world, &[&origin, &access]).await;
        assert_eq!(refused.problem(), "foreign-origin");
        assert!(!refused.head.contains("access-control"), "{refused:?}");
        let refused = world.ask("OPTIONS /v1/tasks", &[&origin], "").await;
        assert_eq!(refused.problem(), "foreign-origin");
    }
    let own = format!("Origin: http://{}", world.address);
    let answer = read(&world, &[&own, &access]).await;
    assert!(!answer.head.contains("access-control"), "{answer:?}");
}

fn question(world: &World) -> DraftGrant {
    let task = world.submitted();
    let mut draft = world.draft(task);
    draft.asked = Some(Asked {
        approvers: vec![owner()],
        quorum: 1,
        until: world.clock.wall().plus_ms(60_000),
        escalation: None,
        attended: false,
        verified: false,
    });
    let fact = ApprovalRequested {
        draft: draft.clone(),
        reason: None,
    };
    world.append(Draft::<Policy>::of(task, fact));
    draft
}

async fn approve(world: &World, draft: &DraftGrant) -> Answer {
    let said = ApprovalStatement {
        deployment: draft.deployment,
        task: draft.task,
        action: draft.action,
        contract: draft.contract,
        draft: draft.digest(),
        approve: true,
        at: world.clock.wall(),
    };
    let signed = Signed::new(&Statement::Approval(said), &key(PHONE));
    let body = serde_json::to_string(&CarryApproval { signed }).unwrap();
    world.post("/v1/approvals", &body).await
}

#[tokio::test]
async fn approvals_of_devices_that_may_approve_are_carried() {
    let world = with_phone().await;
    let draft = question(&world);
    let answer = approve(&world, &draft).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    {
        let stored = world.stream();
        let last = stored.log.messages.last().unwrap();
        assert!(last.subject.ends_with("approval.carried"));
        assert!(wire::peek::<bus_schema::Body<ApprovalCarried>>(&last.body).is_ok());
    }
    let draft = question(&world);
    revoke(&world);
    assert_eq!(approve(&world, &draft).await.problem(), "not-signed");
    let world = World::start().await;
    let draft = question(&world);
    assert_eq!(approve(&world, &draft).await.problem(), "not-signed");
    endorse(&world, DeviceRole::Viewer);
    assert_eq!(approve(&world, &draft).await.problem(), "not-signed");
}

#[tokio::test]
async fn a_question_is_shown_as_the_bytes_that_an_approval_names() {
    let world = with_phone().await;
    let draft = question(&world);
    let path = format!("/v1/tasks/{}/questions/{}", draft.task, draft.action);
    let access = authorization(&access(&world));
    let answer = world.ask(&format!("GET {path}"), &[&access], "").await;
    let shown: gateway::api::QuestionShown = serde_json::from_str(&answer.body).unwrap();
    let bytes = data_encoding::BASE64
        .decode(shown.draft.as_bytes())
        .unwrap();
    assert_eq!(bytes, wire::encode(&draft));
    assert_eq!(shown.owner, owner());
    let unknown = format!("/v1/tasks/{}/questions/{}", draft.task, phone());
    assert_eq!(world.get(&unknown).await.problem(), "not-found");
}

#[tokio::test]
async fn a_browser_is_told_on_a_page_why_it_is_not_signed_in() {
    let world = with_phone().await;
    let said = statement(&world, Challenge::new([9; 32]));
    let signed = Signed::new(&Statement::SignIn(said), &key(PHONE));
    let body = format!("signed={}", BASE64URL_NOPAD.encode(&wire::encode(&signed)));
    let headers = [
        "Content-Type: application/x-www-form-urlencoded",
        "Accept: text/html,application/xhtml+xml",
        &format!("Origin: {SIGNER}"),
    ];
    let answer = world.ask("POST /v1/session", &headers, &body).await;
    assert_eq!(answer.status, 401);
    assert!(
        answer.head.contains("content-type: text/html"),
        "{answer:?}"
    );
    assert!(!answer.head.contains("set-cookie"), "{answer:?}");
    for words in ["Not signed in", "the challenge is unknown", SIGNER] {
        assert!(answer.body.contains(words), "{words}: {answer:?}");
    }
}

#[tokio::test]
async fn the_form_of_a_page_ends_the_session() {
    let world = with_phone().await;
    let cookie = sign_in(&world).await;
    let own = format!("Origin: http://{}", world.address);
    let other = world.ask("POST /v1/session/end", &[&cookie], "").await;
    assert_eq!(other.status, 403, "{other:?}");
    let answer = world
        .ask("POST /v1/session/end", &[&cookie, &own], "")
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.body.contains("Signed out"), "{answer:?}");
    assert!(answer.head.contains("max-age=0"), "{answer:?}");
    assert_eq!(read(&world, &[&cookie]).await.status, 401);
}
