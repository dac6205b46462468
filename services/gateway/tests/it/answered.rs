//! Tests of the answers to approval requests: accepted signers, and repeats.

use bus_schema::{Signed, Statement, Time};
use serde_json::json;

use crate::{
    refused::{assert_refused, elsewhere, stranger},
    world::{World, approval, base64, deployment},
};

#[tokio::test]
async fn approvals_that_are_replayed_or_not_the_owners_are_refused() {
    let world = World::start().await;
    let task = world.submitted();
    let draft = world.draft(task);
    let body = |signed: &Signed| json!({ "signed": base64(signed) }).to_string();
    let nowhere = world.draft(world.task().task);
    let foreign = bus_schema::DraftGrant {
        deployment: elsewhere(),
        ..draft.clone()
    };
    let theirs = Statement::Approval(bus_schema::ApprovalStatement {
        deployment: deployment(),
        task,
        action: draft.action,
        contract: draft.contract,
        draft: draft.digest(),
        approve: true,
        at: Time::from_ns(1),
    });
    let seq = world.stream().log.seq;
    for (what, body, status, problem) in [
        ("no JSON", "[]".to_owned(), 400, "malformed"),
        ("a task", body(&world.task().signed), 400, "malformed"),
        (
            "another key",
            body(&Signed::new(&theirs, &stranger())),
            403,
            "not-signed",
        ),
        (
            "another deployment",
            body(&approval(&foreign)),
            403,
            "not-signed",
        ),
        ("no such task", body(&approval(&nowhere)), 404, "not-found"),
    ] {
        assert_refused(
            &world.post("/v1/approvals", &body).await,
            what,
            status,
            problem,
        );
    }
    assert_eq!(world.stream().log.seq, seq, "something was appended");
    assert_eq!(
        world
            .post("/v1/approvals", &body(&approval(&draft)))
            .await
            .status,
        202
    );
    let again = world.post("/v1/approvals", &body(&approval(&draft))).await;
    assert_refused(&again, "replayed", 409, "used");
}

#[tokio::test]
async fn whoever_is_asked_about_a_task_answers_about_that_task_alone() {
    let world = World::start().await;
    let (task, other) = (world.submitted(), world.submitted());
    let mut draft = world.draft(task);
    draft.asked = Some(bus_schema::Asked {
        approvers: vec![bus_schema::public_key(&stranger())],
        quorum: 1,
        until: Time::from_ns(1),
        escalation: None,
        attended: false,
    });
    let fact = bus_schema::ApprovalRequested {
        draft: draft.clone(),
        reason: None,
    };
    world.append(bus_schema::Draft::<bus_schema::Policy>::of(task, fact));
    let answer = |of: &bus_schema::DraftGrant| {
        let said = Statement::Approval(bus_schema::ApprovalStatement {
            deployment: of.deployment,
            task: of.task,
            action: of.action,
            contract: of.contract,
            draft: of.digest(),
            approve: true,
            at: Time::from_ns(1),
        });
        json!({ "signed": base64(&Signed::new(&said, &stranger())) }).to_string()
    };
    let elsewhere = answer(&world.draft(other));
    let refused = world.post("/v1/approvals", &elsewhere).await;
    assert_refused(&refused, "another task", 403, "not-signed");
    assert_eq!(
        world.post("/v1/approvals", &answer(&draft)).await.status,
        202
    );
}
