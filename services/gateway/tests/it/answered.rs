//! Tests of the answers to approval requests: accepted signers, and repeats.

use bus_schema::{PlanStatement, Signed, Statement, Time};
use serde_json::json;

use crate::{
    refused::{assert_refused, elsewhere, stranger},
    world::{World, approval, base64, deployment, sign},
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
        verified: false,
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

#[tokio::test]
async fn a_plan_is_forwarded_once_for_each_of_its_actions() {
    let world = World::start().await;
    let task = world.submitted();
    let drafts = [world.draft(task), world.draft(task)];
    let said = |change: fn(&mut PlanStatement)| {
        let mut said = PlanStatement {
            deployment: deployment(),
            task,
            contract: drafts[0].contract,
            drafts: drafts.iter().map(bus_schema::DraftGrant::digest).collect(),
            approve: true,
            at: Time::from_ns(1),
        };
        change(&mut said);
        Statement::Plan(said)
    };
    let body = |at: usize, signed: &Signed| {
        json!({ "action": drafts[at].action, "signed": base64(signed) }).to_string()
    };
    let plan = sign(&said(|_| ()));
    let seq = world.stream().log.seq;
    for (what, body, status, problem) in [
        (
            "no action",
            json!({ "signed": base64(&plan) }).to_string(),
            400,
            "malformed",
        ),
        (
            "an approval",
            body(0, &approval(&drafts[0])),
            400,
            "malformed",
        ),
        (
            "no call",
            body(0, &sign(&said(|said| said.drafts.clear()))),
            400,
            "malformed",
        ),
        (
            "too many calls",
            body(
                0,
                &sign(&said(|said| said.drafts.resize(11, said.contract))),
            ),
            400,
            "malformed",
        ),
        (
            "another key",
            body(0, &Signed::new(&said(|_| ()), &stranger())),
            403,
            "not-signed",
        ),
        (
            "another deployment",
            body(0, &sign(&said(|said| said.deployment = elsewhere()))),
            403,
            "not-signed",
        ),
    ] {
        assert_refused(&world.post("/v1/plans", &body).await, what, status, problem);
    }
    assert_eq!(world.stream().log.seq, seq, "something was appended");
    for at in [0, 1] {
        let answer = world.post("/v1/plans", &body(at, &plan)).await;
        assert_eq!(answer.status, 202);
        let again = world.post("/v1/plans", &body(at, &plan)).await;
        assert_refused(&again, "replayed", 409, "used");
    }
    let body = json!({ "signed": base64(&plan) }).to_string();
    let wrong = world.post("/v1/approvals", &body);
    assert_refused(&wrong.await, "a plan as an approval", 400, "malformed");
}
