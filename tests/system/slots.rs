//! Slots that a person fills in with a task: the signed value is used, and another one is refused wherever it comes in.

use std::fs;

use bus_schema::{
    AuthorId, Draft, Gateway, Sealed, Signed, Statement, TaskId, TaskStatement, TaskSubmitted,
};
use harness::Deployment;
use serde_json::Value;

use crate::{
    cli::{end, run as command},
    main_job::{has, run, with_documents},
    scene::{contract, playbook, until},
};

const RULES: &str = r#"
[slots]
title = "text"

[slots.report]
kind = "path"
is = { path = "*.md" }

[[allow]]
name = "write"
tool = "file.write"
where.path = { from = { slot = "report" } }
where.text = { from = { slot = "title" } }
"#;

fn filled() -> String {
    playbook(
        "[[step]]\nid = \"write\"\ntool = \"file.write\"\n\
         args = { path = \"{slot.report}\", text = \"{slot.title}\" }\n",
    )
}

#[tokio::test]
async fn task_runs_with_the_values_that_the_owner_set() {
    let text = contract("week", RULES);
    let (deployment, arguments) = with_documents(&text, &filled()).await;
    let set = ["--set", "report=week.md", "--set", "title=Done = all"];
    let ended = end(&mut run(&deployment, &arguments, &set));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let signed = r#"signed by the owner with {"report":"week.md","title":"Done = all"}"#;
    has(&ended.printed, &[signed, "granted"]);
    let written = fs::read_to_string(deployment.workspace().join("week.md")).unwrap();
    assert_eq!(written, "Done = all");
    let task = deployment.gateway().tasks().await.unwrap().tasks[0].task;
    let shown = command(&deployment, &["task", "show", &task.to_string()]);
    has(&shown.printed, &[signed]);

    let again = command(&deployment, &["contract", "replay", "--json"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    let counts: Value = serde_json::from_str(again.printed.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&counts["identical"], &counts["differ"]),
        (&Value::from(1), &Value::from(0))
    );
}

#[tokio::test]
async fn values_that_do_not_fill_the_slots_are_named_before_anything_is_submitted() {
    let (deployment, arguments) = with_documents(&contract("week", RULES), &filled()).await;
    let slots = "its slots are `report` (a path that is a path in the workspace like \"*.md\") and `title` (a text)";
    for (set, problem) in [
        (&[][..], "the task does not fill in the slot `report`"),
        (
            &["--set", "report=week.md"],
            "the task does not fill in the slot `title`",
        ),
        (
            &["--set", "reprot=week.md"],
            "the contract has no slot \"reprot\"",
        ),
        (
            &["--set", "report=week"],
            "the value of the slot `report` is not a path",
        ),
        (
            &["--set", "report=week.txt"],
            "the value of the slot `report` is outside of its bound",
        ),
    ] {
        let ended = end(&mut run(&deployment, &arguments, set));
        assert_eq!(ended.code, Some(64), "{ended:?}");
        has(&ended.said, &[problem, slots]);
    }
    for (set, problem) in [
        (&["--set", "report"][..], "`--set report` has no `=`"),
        (
            &["--set", "title=a", "--set", "title=b"],
            "the slot `title` is set twice",
        ),
    ] {
        let ended = end(&mut run(&deployment, &arguments, set));
        assert_eq!(ended.code, Some(64), "{ended:?}");
        has(&ended.said, &[problem]);
    }
    assert_eq!(deployment.record().await.count("task.submitted"), 0);
}

#[tokio::test]
async fn another_value_than_the_signed_one_is_refused() {
    let text = contract("week", RULES);
    for step in [
        "args = { path = \"other.md\", text = \"{slot.title}\" }\n",
        "args = { path = \"{slot.report}\", text = \"more than {slot.title}\" }\n",
    ] {
        let steps = format!("[[step]]\nid = \"write\"\ntool = \"file.write\"\n{step}");
        let (deployment, arguments) = with_documents(&text, &playbook(&steps)).await;
        let set = ["--set", "report=week.md", "--set", "title=Done"];
        let ended = end(&mut run(&deployment, &arguments, &set));
        assert_eq!(ended.code, Some(1), "{ended:?}");
        has(&ended.printed, &["no rule permits this call"]);
        assert_eq!(deployment.record().await.count("action.granted"), 0);
    }
}

#[tokio::test]
async fn task_whose_values_were_changed_after_the_signature_is_rejected() {
    let deployment = Deployment::running().await;
    let signed = deployment.sign(&contract("week", RULES)).await;
    deployment.stop(AuthorId::Gateway).await;
    let thief = deployment.steal::<Gateway>().await;
    let clock = deployment.clock();
    let seal = |text: &str| Sealed::new(clock.salt(), text.as_bytes()).unwrap();
    let (steps, own) = (
        seal(&filled()),
        seal(r#"{"report":"week.md","title":"Done"}"#),
    );
    let other = seal(r#"{"report":"week.md","title":"Send money"}"#);
    for sent in [Some(&other), None] {
        let task = TaskId::new(clock.uuid());
        let said = Statement::Task(TaskStatement {
            session: None,
            dialogue: None,
            deployment: deployment.id(),
            task,
            contract: signed,
            playbook: steps.content(),
            slots: Some(own.content()),
            at: clock.wall(),
        });
        let fact = TaskSubmitted {
            statement: Signed::new(&said, &deployment.signing_key(AuthorId::Owner)),
            playbook: steps.content(),
            slots: sent.map(Sealed::content),
            dialogue: None,
        };
        let mut draft = Draft::<Gateway>::of(task, fact).with(steps.clone());
        if let Some(sent) = sent {
            draft = draft.with(sent.clone());
        }
        thief.say(&draft).await;
    }
    let record = until(&deployment, "task.rejected", 2).await;
    for rejected in record.of("task.rejected") {
        assert_eq!(rejected.fact["code"], "bad_statement");
    }
    assert_eq!(record.count("task.admitted"), 0);
}

#[tokio::test]
async fn policy_rejects_values_that_do_not_fill_the_slots_and_says_why() {
    let deployment = Deployment::running().await;
    let signed = deployment.sign(&contract("week", RULES)).await;
    let gateway = deployment.gateway();
    let slots = br#"{"report":"week.txt","title":"Done"}"#;
    let steps = filled();
    let submitted = gateway.submit_filled(signed, steps.as_bytes(), Some(slots));
    let task = submitted.await.unwrap().task;
    let ran = deployment.follow(task, false).await;
    assert_eq!(ran.outcome(), "rejected");
    let shown = command(&deployment, &["task", "show", &task.to_string()]);
    has(
        &shown.printed,
        &["the value of the slot `report` is outside of its bound"],
    );
}
