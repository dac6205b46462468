//! Tests of the gateway's refusals and their problem documents.

use bus_schema::{DeploymentId, Sealed, Signed, Statement, TaskStatement, Time};
use ed25519_dalek::SigningKey;
use gateway::api;
use serde_json::json;
use uuid::Uuid;

use crate::{
    said,
    world::{
        Answer, NAME, World, access, approval, authorization, base64, deployment, sign,
        task_statement,
    },
};

pub(crate) fn stranger() -> SigningKey {
    SigningKey::from_bytes(&[3; 32])
}

pub(crate) fn elsewhere() -> DeploymentId {
    DeploymentId::new(Uuid::from_u128(8))
}

pub(crate) fn assert_refused(answer: &Answer, what: &str, status: u16, problem: &str) {
    assert_eq!(
        (answer.status, answer.problem().as_str()),
        (status, problem),
        "{what}: {answer:?}"
    );
    for header in [
        "cache-control: no-store",
        "content-security-policy: default-src 'none'",
        "x-content-type-options: nosniff",
        "referrer-policy: no-referrer",
    ] {
        assert!(
            answer.head.contains(header),
            "{what}: {header} is missing from {}",
            answer.head
        );
    }
    assert!(
        !answer.head.contains("access-control-"),
        "{what}: {}",
        answer.head
    );
}

#[tokio::test]
async fn requests_from_elsewhere_are_refused() {
    let world = World::start().await;
    let own = format!("Origin: http://{}", world.address);
    let host = format!("Host: {}", world.address);
    let upper = format!("Host: {}", NAME.to_uppercase());
    let named = format!("Host: {NAME}");
    let named_origin = format!("Origin: https://{NAME}");
    let absolute = format!("GET http://{}/v1/tasks", world.address);
    let cases: &[(&str, &str, &[&str], u16, &str)] = &[
        ("own address", "GET /v1/tasks", &[], 200, ""),
        ("own name", "GET /v1/tasks", &[&named], 200, ""),
        ("own name in capitals", "GET /v1/tasks", &[&upper], 200, ""),
        ("own origin", "GET /v1/tasks", &[&own], 200, ""),
        (
            "own name's origin",
            "GET /v1/tasks",
            &[&named_origin],
            200,
            "",
        ),
        ("own address in the request line", &absolute, &[], 200, ""),
        (
            "other host",
            "GET /v1/tasks",
            &["Host: evil.example"],
            421,
            "misdirected",
        ),
        (
            "other port",
            "GET /v1/tasks",
            &["Host: 127.0.0.1:1"],
            421,
            "misdirected",
        ),
        ("no host", "GET /v1/tasks", &["Host:"], 421, "misdirected"),
        (
            "two hosts",
            "GET /v1/tasks",
            &[&host, "Host: evil.example"],
            421,
            "misdirected",
        ),
        (
            "other host in the request line",
            "GET http://evil.example/v1/tasks",
            &[],
            421,
            "misdirected",
        ),
        (
            "other host's health",
            "GET /v1/health",
            &["Host: evil.example"],
            421,
            "misdirected",
        ),
        (
            "other origin",
            "GET /v1/tasks",
            &["Origin: https://evil.example"],
            403,
            "foreign-origin",
        ),
        (
            "no origin in particular",
            "GET /v1/tasks",
            &["Origin: null"],
            403,
            "foreign-origin",
        ),
        (
            "two origins",
            "GET /v1/tasks",
            &[&own, &named_origin],
            403,
            "foreign-origin",
        ),
        (
            "other scheme",
            "GET /v1/tasks",
            &["Origin: file://x"],
            403,
            "foreign-origin",
        ),
        (
            "preflight",
            "OPTIONS /v1/tasks",
            &["Origin: https://evil.example"],
            403,
            "foreign-origin",
        ),
        (
            "from the internet",
            "GET /v1/tasks",
            &["Tailscale-Funnel-Request: ?1"],
            403,
            "public",
        ),
    ];
    for (what, line, headers, status, problem) in cases {
        let access = world.access();
        let headers: Vec<_> = headers.iter().copied().chain([access.as_str()]).collect();
        let answer = world.ask(line, &headers, "").await;
        if problem.is_empty() {
            assert_eq!(answer.status, *status, "{what}: {answer:?}");
        } else {
            assert_refused(&answer, what, *status, problem);
        }
    }
}

#[tokio::test]
async fn reads_without_the_owners_fresh_access_are_refused() {
    let world = World::start().await;
    let task = world.submitted();
    let now = world.clock.wall();
    let ms = |ms: i64| Time::from_ns(now.ns() + ms * 1_000_000);
    let signed =
        |statement: &Statement, key: &SigningKey| authorization(&Signed::new(statement, key));
    let good = access(deployment(), ms(120_000));
    let other_statement = {
        let playbook = Sealed::new(world.clock.salt(), b"x").unwrap();
        sign(&task_statement(deployment(), task, &playbook))
    };
    let stranger_access = {
        let until = ms(1_000);
        let said = Statement::Access(bus_schema::AccessStatement {
            deployment: deployment(),
            until,
        });
        signed(&said, &stranger())
    };
    let cases = [
        ("none", String::new()),
        (
            "other scheme",
            format!("Authorization: Bearer {}", base64(&good)),
        ),
        ("no base64", "Authorization: Contractual ***".to_owned()),
        ("no statement", "Authorization: Contractual AAAA".to_owned()),
        (
            "too long",
            format!("Authorization: Contractual {}", "A".repeat(5_000)),
        ),
        ("over", authorization(&access(deployment(), ms(-1)))),
        (
            "too far ahead",
            authorization(&access(deployment(), ms(120_001))),
        ),
        (
            "another deployment",
            authorization(&access(elsewhere(), ms(1_000))),
        ),
        ("another key", stranger_access),
        ("no access", authorization(&other_statement)),
        (
            "two",
            format!("{}\r\n{}", authorization(&good), authorization(&good)),
        ),
    ];
    let paths = [
        "/v1/tasks".to_owned(),
        format!("/v1/tasks/{task}"),
        format!("/v1/tasks/{task}/events"),
        format!("/v1/contents/owner/{}/1", "0".repeat(64)),
    ];
    for path in &paths {
        for (what, header) in &cases {
            let headers: &[&str] = if header.is_empty() { &[] } else { &[header] };
            let answer = world.ask(&format!("GET {path}"), headers, "").await;
            assert_refused(&answer, what, 401, "no-access");
            assert!(
                answer.head.contains("www-authenticate: contractual"),
                "{what}"
            );
        }
    }
    let answer = world
        .ask("GET /v1/tasks", &[&authorization(&good)], "")
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn slots_and_dialogues_that_are_not_the_signed_ones_are_refused() {
    parts_are_refused("slots", "slots-differ").await;
    parts_are_refused("dialogue", "playbook-differs").await;
}

/// Sends tasks whose part `member` is not the signed one, and then one with the signed part.
async fn parts_are_refused(member: &str, differs: &str) {
    let world = World::start().await;
    let ready = world.task();
    let seal = |bytes: &[u8]| Sealed::new(world.clock.salt(), bytes).unwrap();
    let (slots, other) = (seal(br#"{"to":"ann@x.example"}"#), seal(b"{}"));
    let large = seal(&vec![b' '; bus_schema::SLOTS_BYTES_MAX + 1]);
    let signing = |slots: Option<&Sealed>| {
        let statement = task_statement(deployment(), ready.task, &ready.playbook);
        let Statement::Task(said) = statement else {
            panic!("{statement:?}");
        };
        let part = slots.map(Sealed::content);
        let said = match member {
            "slots" => TaskStatement {
                slots: part,
                ..said
            },
            _ => TaskStatement {
                dialogue: part,
                ..said
            },
        };
        sign(&Statement::Task(said))
    };
    let body = |signed: &Signed, slots: Option<&Sealed>| {
        let base64_of = |sealed: &Sealed| data_encoding::BASE64.encode(sealed.stored());
        let mut body = json!({ "signed": base64(signed), "playbook": base64_of(&ready.playbook) });
        if let Some(slots) = slots {
            let members = body.as_object_mut().unwrap();
            members.insert(member.to_owned(), base64_of(slots).into());
        }
        body.to_string()
    };
    let seq = world.stream().log.seq;
    for (what, body, status, problem) in [
        (
            "slots that nobody signed",
            body(&signing(None), Some(&slots)),
            400,
            differs,
        ),
        (
            "other slots",
            body(&signing(Some(&slots)), Some(&other)),
            400,
            differs,
        ),
        ("no slots", body(&signing(Some(&slots)), None), 400, differs),
        (
            "large slots",
            body(&signing(Some(&large)), Some(&large)),
            413,
            "too-large",
        ),
    ] {
        let answer = world.post("/v1/tasks", &body).await;
        assert_refused(&answer, what, status, problem);
    }
    assert_eq!(world.stream().log.seq, seq, "nothing reaches the bus");
    let signed = signing(Some(&slots));
    let answer = world.post("/v1/tasks", &body(&signed, Some(&slots))).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
}

#[tokio::test]
async fn tasks_that_are_not_whole_or_not_the_owners_are_refused() {
    let world = World::start().await;
    let ready = world.task();
    let used = world.submitted();
    let seq = world.stream().log.seq;
    let body = |signed: &Signed, playbook: &Sealed| {
        json!({ "signed": base64(signed), "playbook": data_encoding::BASE64.encode(playbook.stored()) })
            .to_string()
    };
    let with = |statement: &Statement| body(&sign(statement), &ready.playbook);
    let statement = task_statement(deployment(), ready.task, &ready.playbook);
    let other = Sealed::new(world.clock.salt(), b"another playbook").unwrap();
    let large = Sealed::new(world.clock.salt(), &vec![b'#'; api::PLAYBOOK_BYTES_MAX + 1]).unwrap();
    let forged = {
        let mut bytes = bus_schema::wire::encode(&ready.signed);
        *bytes.last_mut().unwrap() ^= 1;
        let playbook = data_encoding::BASE64.encode(ready.playbook.stored());
        json!({ "signed": data_encoding::BASE64.encode(&bytes), "playbook": playbook }).to_string()
    };
    let stray = approval(&world.draft(used));
    let ask = Statement::Access(bus_schema::AccessStatement {
        deployment: deployment(),
        until: Time::from_ns(1),
    });
    let cases = [
        ("no JSON", "{".to_owned(), 400, "malformed"),
        ("nothing", "{}".to_owned(), 400, "malformed"),
        (
            "no base64",
            json!({ "signed": "*", "playbook": "AAAA" }).to_string(),
            400,
            "malformed",
        ),
        (
            "no salt",
            json!({ "signed": base64(&ready.signed), "playbook": "AAAA" }).to_string(),
            400,
            "malformed",
        ),
        (
            "a field too many",
            ready.json().replacen('{', r#"{"also":1,"#, 1),
            400,
            "malformed",
        ),
        (
            "something behind it",
            format!("{} {{}}", ready.json()),
            400,
            "malformed",
        ),
        (
            "an approval",
            body(&stray, &ready.playbook),
            400,
            "malformed",
        ),
        ("an access", with(&ask), 400, "malformed"),
        (
            "another playbook",
            body(&ready.signed, &other),
            400,
            "playbook-differs",
        ),
        (
            "another key",
            body(&Signed::new(&statement, &stranger()), &ready.playbook),
            403,
            "not-signed",
        ),
        ("a forged signature", forged, 403, "not-signed"),
        (
            "another deployment",
            with(&task_statement(elsewhere(), ready.task, &ready.playbook)),
            403,
            "not-signed",
        ),
        (
            "a used id",
            with(&task_statement(deployment(), used, &ready.playbook)),
            409,
            "used",
        ),
        (
            "a large playbook",
            body(
                &sign(&task_statement(deployment(), ready.task, &large)),
                &large,
            ),
            413,
            "too-large",
        ),
        (
            "a large body",
            " ".repeat(api::BODY_BYTES_MAX + 1),
            413,
            "too-large",
        ),
    ];
    for (what, body, status, problem) in &cases {
        assert_refused(&world.post("/v1/tasks", body).await, what, *status, problem);
    }
    let unnamed = world.ask("POST /v1/tasks", &[], &ready.json()).await;
    assert_refused(&unnamed, "no content type", 415, "not-json");
    let form = ["Content-Type: text/plain"];
    let form = world.ask("POST /v1/tasks", &form, &ready.json()).await;
    assert_refused(&form, "another content type", 415, "not-json");
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x1_0000)).repeat(9);
    let head = format!(
        "POST /v1/tasks HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
        world.address
    );
    let chunked = world
        .raw(format!("{head}{chunk}0\r\n\r\n").as_bytes())
        .await;
    assert_refused(&chunked, "a large body without a length", 413, "too-large");
    assert_eq!(world.stream().log.seq, seq, "something was appended");
    assert_eq!(world.post("/v1/tasks", &ready.json()).await.status, 202);
    assert_refused(
        &world.post("/v1/tasks", &ready.json()).await,
        "replayed",
        409,
        "used",
    );
    assert_eq!(world.stream().log.seq, seq + 1);
}

#[tokio::test]
async fn what_is_not_there_is_said_so() {
    let world = World::start().await;
    let task = world.submitted();
    world.append(said::admitted(task));
    let digest = "0".repeat(64);
    for (line, status, problem) in [
        ("GET /v2".to_owned(), 404, "not-found"),
        ("GET /v2/tasks".to_owned(), 404, "not-found"),
        ("DELETE /v1/tasks".to_owned(), 405, "wrong-method"),
        ("POST /v1/health".to_owned(), 405, "wrong-method"),
        ("GET /v1/tasks/1".to_owned(), 400, "malformed"),
        ("GET /v1/tasks/%ff".to_owned(), 400, "malformed"),
        (
            format!("GET /v1/tasks/{}", world.task().task),
            404,
            "not-found",
        ),
        (
            format!("GET /v1/tasks/{}/events", world.task().task),
            404,
            "not-found",
        ),
        (
            format!("GET /v1/contents/nobody/{digest}/1"),
            400,
            "malformed",
        ),
        ("GET /v1/contents/owner/00/1".to_owned(), 400, "malformed"),
        (
            format!("GET /v1/contents/owner/{digest}/-1"),
            400,
            "malformed",
        ),
        (
            format!("GET /v1/contents/owner/{digest}/4194305"),
            400,
            "malformed",
        ),
        (
            format!("GET /v1/contents/audit/{digest}/1"),
            404,
            "not-found",
        ),
        (format!("GET /v1/contents/owner/{digest}/1"), 410, "erased"),
        ("GET /v1/health".to_owned(), 503, "not-ready"),
    ] {
        let access = world.access();
        assert_refused(
            &world.ask(&line, &[&access], "").await,
            &line,
            status,
            problem,
        );
    }
    let access = world.access();
    let path = format!("GET /v1/tasks/{task}/events");
    let wrong = world.ask(&path, &[&access, "Last-Event-ID: x"], "").await;
    assert_refused(&wrong, "last event", 400, "malformed");
}
