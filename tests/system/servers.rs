//! A small MCP server: trials of its tool, and the runner killed at each phase of its life.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use bus_schema::{AuthorId, TaskId};
use harness::{Deployment, SOON, eventually};

use crate::{
    cli::{end, one_sentence, program, run},
    kill::{contract, everything, lines, no_process_of, processes_of},
    lines::{import, sign_lines},
    main_job::has,
    scene::playbook,
    tool_try::is_interrupted,
};

async fn submit(deployment: &Deployment, contract: bus_schema::Digest, line: &str) -> TaskId {
    let step = format!(
        "[[step]]\nid = \"note\"\ntool = \"line.note\"\nargs = {{ line = \"{line}\" }}\non_unknown = {{ retry = 1 }}\n"
    );
    deployment.submit(contract, &playbook(&step)).await
}

async fn kill(deployment: &Deployment) {
    assert!(deployment.kill(AuthorId::Runner));
    no_process_of(deployment.workspace()).await;
    deployment.start(AuthorId::Runner).await;
}

/// Requires that a task succeeds after so many starts of an action, of which one finished.
async fn succeeds(deployment: &Deployment, task: TaskId, started: usize) {
    let ran = deployment.follow(task, true).await;
    assert_eq!(ran.outcome(), "succeeded", "{:?}", ran.events.last());
    assert_eq!(
        (ran.count("action.started"), ran.count("action.finished")),
        (started, 1)
    );
}

#[tokio::test]
async fn a_runner_that_is_killed_leaves_no_server_and_the_next_call_works() {
    let deployment = everything().await;
    sign_lines(&deployment);
    let contract = deployment.sign(&contract("30m")).await;
    let workspace = deployment.workspace().to_owned();

    // While the server starts.
    let wait = workspace.join("wait");
    fs::write(&wait, "").unwrap();
    let task = submit(&deployment, contract, "start").await;
    eventually(SOON, async || match wait.exists() {
        true => Err("the server did not start"),
        false => Ok(()),
    })
    .await;
    kill(&deployment).await;
    succeeds(&deployment, task, 2).await;

    // Between two calls.
    assert_eq!(processes_of(&workspace).len(), 1);
    kill(&deployment).await;
    let task = submit(&deployment, contract, "idle").await;
    succeeds(&deployment, task, 1).await;

    // During a call.
    let task = submit(&deployment, contract, "wait").await;
    eventually(SOON, async || match lines(&deployment).get("wait") {
        Some(_) => Ok(()),
        None => Err("the call did not begin"),
    })
    .await;
    kill(&deployment).await;
    succeeds(&deployment, task, 2).await;
    let shown = deployment.gateway().task(task).await.unwrap();
    assert_eq!(shown.summary.unknown, 1);

    let expected = [("idle", 1), ("start", 1), ("wait", 2)];
    let expected = expected.map(|(line, times)| (line.to_owned(), times));
    assert_eq!(lines(&deployment), BTreeMap::from(expected));
    let verified = run(&deployment, &["audit", "verify"]);
    assert_eq!(verified.code, Some(0), "{}", verified.said);
}

/// Tries the tool on an empty workspace.
fn attempt(folder: &Path, line: &str) -> Command {
    let line = format!("line={line}");
    let mut command = program(
        None,
        &["tool", "try", "line.note", &line, "--file", "lines.json"],
    );
    command
        .current_dir(folder)
        .env("TMPDIR", folder.join("tmp"));
    command
}

#[test]
fn a_trial_of_a_server_shows_what_it_did_and_what_was_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::create_dir(folder.join("tmp")).unwrap();
    import(folder);
    let ended = end(&mut attempt(folder, "hello"));
    assert_eq!(
        (ended.code, ended.said.as_str()),
        (Some(0), ""),
        "{ended:?}"
    );
    has(
        &ended.printed,
        &[
            "tool      line.note {\"line\":\"hello\"}\noutcome   it succeeded\nused      ",
            "arguments they fit `input_schema`\nresult    it fits `output_schema`\n",
            "files     created ran.log (6 bytes)\n",
            "refused   no system call\n",
            "output    ",
            "{\"content\":[{\"type\":\"text\",\"text\":\"noted\"}]}\nstderr    nothing",
        ],
    );
    let ended = end(&mut attempt(folder, "chown"));
    assert_eq!(ended.code, Some(2), "{ended:?}");
    one_sentence(
        &ended.said,
        &[
            "`line.note` did not succeed: the server says that the call failed: [Errno 1] Operation not permitted",
        ],
    );
    has(
        &ended.printed,
        &[
            "refused   it asked for `chown`, which the cage refuses (Operation not permitted): programs that change the owner",
        ],
    );
    let ended = end(&mut attempt(folder, "die"));
    assert_eq!(ended.code, Some(2), "{ended:?}");
    has(
        &ended.said,
        &["the server ended: it exited with code 1: it broke"],
    );
    has(&ended.printed, &["stderr    9 bytes\n  it broke"]);
    assert_eq!(fs::read_dir(folder.join("tmp")).unwrap().count(), 0);
}

#[tokio::test]
async fn ctrl_c_ends_a_trial_of_a_server_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::create_dir(folder.join("tmp")).unwrap();
    import(folder);
    is_interrupted(&mut attempt(folder, "wait"), folder, "ran.log").await;
}
