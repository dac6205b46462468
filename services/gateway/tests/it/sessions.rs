//! Calls of sessions at the gateway: signed with the session's key, each once, and within their bounds.

use bus_schema::{
    CallStatement, Digest, Draft, EndStatement, Policy, Sealed, Signed, Statement, TaskAdmitted,
    TaskId, public_key,
};
use ed25519_dalek::SigningKey;
use gateway::api::{ARGS_BYTES_MAX, CarryCall, CarryEnd};

use crate::{
    refused::{assert_refused, elsewhere, stranger},
    said,
    world::{World, content, deployment},
};

fn session_key() -> SigningKey {
    SigningKey::from_bytes(&[21; 32])
}

/// A world with an admitted session.
async fn session() -> (World, TaskId) {
    let world = World::start().await;
    let task = world.submitted();
    let fact = TaskAdmitted {
        job: None,
        session: Some(public_key(&session_key())),
        contract: Digest::of(&[b"contract"]),
        playbook: content(b"playbook"),
        slots: None,
        dialogue: None,
        of_message: false,
    };
    world.append(Draft::<Policy>::of(task, fact));
    (world, task)
}

/// A call as it is sent.
struct Call {
    statement: CallStatement,
    args: Sealed,
}

impl Call {
    fn new(world: &World, task: TaskId, args: &[u8]) -> Self {
        let args = Sealed::new(world.clock.salt(), args).unwrap();
        let statement = CallStatement {
            deployment: deployment(),
            task,
            number: 0,
            tool: "file.read".parse().unwrap(),
            args: args.content(),
        };
        Self { statement, args }
    }

    fn json(self, task: TaskId, key: &SigningKey) -> String {
        let signed = Signed::new(&Statement::Call(self.statement), key);
        let args = self.args;
        serde_json::to_string(&CarryCall { task, signed, args }).unwrap()
    }
}

fn end(task: TaskId, of: TaskId, key: &SigningKey) -> String {
    let said = EndStatement {
        deployment: deployment(),
        task: of,
    };
    let signed = Signed::new(&Statement::End(said), key);
    serde_json::to_string(&CarryEnd { task, signed }).unwrap()
}

#[tokio::test]
async fn the_gateway_reads_at_once_while_an_agent_waits() {
    let (world, task) = session().await;
    let hurries = || actor::Core::hurries(&world.stream().core);
    assert!(!hurries());
    let call = Call::new(&world, task, b"{}").json(task, &session_key());
    assert_eq!(world.post("/v1/calls", &call).await.status, 202);
    assert!(hurries());
    let draft = world.draft(task);
    world.append(said::granted(&draft));
    world.append(said::started(task, draft.action));
    assert!(hurries());
    world.append(said::finished(task, draft.action));
    assert!(!hurries());
}

#[tokio::test]
async fn a_call_is_stored_once_with_its_arguments() {
    let (world, task) = session().await;
    let call = Call::new(&world, task, b"{}");
    let json = call.json(task, &session_key());
    let stored = world.post("/v1/calls", &json).await;
    assert_eq!(stored.status, 202, "{stored:?}");
    let again = world.post("/v1/calls", &json).await;
    assert_refused(&again, "the same call", 409, "used");
    // Another call with the same number.
    let other = Call::new(&world, task, b"{\"path\":\"a\"}").json(task, &session_key());
    let again = world.post("/v1/calls", &other).await;
    assert_refused(&again, "the same number", 409, "used");
    let ended = world
        .post("/v1/ends", &end(task, task, &session_key()))
        .await;
    assert_eq!(ended.status, 202, "{ended:?}");
}

#[tokio::test]
async fn a_call_that_the_session_did_not_sign_is_refused() {
    let (world, task) = session().await;
    let key = session_key();
    let call = |args: &[u8]| Call::new(&world, task, args);
    let refused = async |json: String, what: &str, status, problem| {
        let answer = world.post("/v1/calls", &json).await;
        assert_refused(&answer, what, status, problem);
    };
    refused(
        call(b"{}").json(task, &stranger()),
        "a stranger's key",
        403,
        "not-signed",
    )
    .await;

    let mut foreign = call(b"{}");
    foreign.statement.deployment = elsewhere();
    refused(
        foreign.json(task, &key),
        "another deployment",
        403,
        "not-signed",
    )
    .await;

    let mut moved = call(b"{}");
    moved.statement.task = TaskId::new(world.clock.uuid());
    refused(moved.json(task, &key), "another session", 400, "malformed").await;

    let mut changed = call(b"{}");
    changed.args = Sealed::new(world.clock.salt(), b"{\"path\":\"b\"}").unwrap();
    refused(
        changed.json(task, &key),
        "other arguments",
        400,
        "malformed",
    )
    .await;

    let large = call(&vec![b' '; ARGS_BYTES_MAX + 1]);
    refused(large.json(task, &key), "large arguments", 413, "too-large").await;

    let end_of_it = end(task, task, &key);
    let as_call = world.post("/v1/calls", &end_of_it).await;
    assert_refused(&as_call, "an end", 400, "malformed");
    let by_stranger = world.post("/v1/ends", &end(task, task, &stranger())).await;
    assert_refused(&by_stranger, "a stranger's end", 403, "not-signed");
    let other = TaskId::new(world.clock.uuid());
    let of_other = world.post("/v1/ends", &end(task, other, &key)).await;
    assert_refused(&of_other, "the end of another session", 400, "malformed");
}

#[tokio::test]
async fn only_an_open_session_takes_calls() {
    let (world, session) = session().await;
    let key = session_key();
    let playbook = world.submitted();
    world.append(said::admitted(playbook));
    let unknown = TaskId::new(world.clock.uuid());
    for (task, status, problem) in [(playbook, 409, "not-session"), (unknown, 404, "not-found")] {
        let json = Call::new(&world, task, b"{}").json(task, &key);
        let answer = world.post("/v1/calls", &json).await;
        assert_refused(&answer, problem, status, problem);
    }
    world.append(Draft::<bus_schema::Engine>::of(
        session,
        bus_schema::TaskFinished {
            outcome: bus_schema::TaskOutcome::Succeeded,
            detail: None,
        },
    ));
    let json = Call::new(&world, session, b"{}").json(session, &key);
    let answer = world.post("/v1/calls", &json).await;
    assert_refused(&answer, "an ended session", 409, "not-session");
}
