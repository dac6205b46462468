//! Tasks on the command line: listed, cancelled, and their ends in words.

use harness::SOON;

use crate::{
    cli::{end, one_sentence, program},
    main_job::{asked, has, run, with_documents},
    terminal::{PLAYBOOK, asks},
};

const DELETES: &str = r#"
playbook = "one-delete"
purpose = "One delete."

[[step]]
id = "tidy"
tool = "file.delete"
args = { path = "a.txt" }
"#;

/// The third version of a contract that asks about each write.
fn third() -> String {
    asks("1h").replace("version  = 1", "version  = 3")
}

#[tokio::test]
async fn cancelled_task_ends_at_once_and_its_question_with_it() {
    let (deployment, arguments) = with_documents(&third(), PLAYBOOK).await;
    let dir = deployment.dir().path().to_owned();
    let said = |words: &[&str]| end(&mut program(Some(&dir), words));
    let ended = end(&mut run(&deployment, &arguments, &["--detach"]));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let (task, action) = asked(&deployment).await;
    let listed = said(&["task", "list"]).printed;
    has(
        &listed,
        &[
            &task,
            "asks 3",
            "one-write",
            "waits for an answer of a person",
        ],
    );
    let ended = said(&["task", "cancel", &task[..35]]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    has(&ended.printed, &["ended as cancelled"]);
    let ran = deployment.follow(task.parse().unwrap(), false).await;
    assert_eq!(ran.outcome(), "cancelled");
    let shown = said(&["task", "show", &task]).printed;
    has(
        &shown,
        &[
            "nothing more of it is granted or claimed",
            &action[..18],
            "the task was cancelled",
        ],
    );
    has(
        &said(&["task", "list"]).printed,
        &["one-write", "cancelled"],
    );
    let none = said(&["approvals", "list"]);
    assert_eq!(none.printed.trim_end(), "no question is pending");
    let ended = said(&["approve", &task, &action]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    one_sentence(&ended.said, &["the question of action", "has ended"]);
    let ended = said(&["task", "cancel", &task]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    one_sentence(&ended.said, &["nothing is left to cancel"]);
    assert!(!deployment.workspace().join("a.txt").exists());
    // The record's commands take the beginning of an id as well.
    let shown = said(&["audit", "show", "--task", &task[..35]]).printed;
    has(&shown, &["event.owner.task.cancelled"]);
    let replayed = said(&["contract", "replay", "--task", &task[..35]]);
    assert_eq!(replayed.code, Some(0), "{replayed:?}");
}

#[tokio::test]
async fn the_last_line_of_a_failed_task_names_the_cause() {
    let (deployment, arguments) = with_documents(&third(), DELETES).await;
    let ended = end(&mut run(&deployment, &arguments, &[]));
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let last = ended.said.lines().last().unwrap();
    has(
        last,
        &[
            "the task ended as failed",
            "tidy",
            "no rule permits this call of `file.delete`",
        ],
    );
    let dir = deployment.dir().path().to_owned();
    let revoked = end(&mut program(Some(&dir), &["contract", "revoke", "asks"]));
    assert_eq!(revoked.code, Some(0), "{revoked:?}");
    let ended = tokio::time::timeout(SOON, async { end(&mut run(&deployment, &arguments, &[])) });
    let ended = ended.await.expect("it ends");
    assert_eq!(ended.code, Some(1), "{ended:?}");
    has(
        &ended.said,
        &[
            "no such contract is in force: version 3 of `asks` in this file is not signed, or was revoked",
            "run `contractual contract sign",
        ],
    );
}
