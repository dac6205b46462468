//! A workspace that is replaced while the runner works: nothing is read or written, and it is said.

use std::fs;

use bus_schema::AuthorId;
use harness::{SOON, eventually};

use crate::{
    cli::{self, end},
    main_job::{has, run, with_files},
};

#[tokio::test]
async fn a_workspace_that_was_replaced_is_not_used_and_doctor_says_what_to_do() {
    let (deployment, arguments) = with_files().await;
    let (workspace, away) = (deployment.workspace(), deployment.scratch().join("away"));
    let before = fs::read_dir(workspace).unwrap().count();
    fs::rename(workspace, &away).unwrap();
    fs::create_dir(workspace).unwrap();
    cli::the_only_finding(&deployment, "runner", "was replaced", "run it again").await;
    let health = cli::run(&deployment, &["health", "runner"]);
    assert_eq!(health.code, Some(2), "{health:?}");
    cli::one_sentence(
        &health.said,
        &["the workspace", "was replaced", "restart the runner"],
    );
    let ended = end(&mut run(&deployment, &arguments, &["--yes"]));
    assert_eq!(ended.code, Some(1), "{ended:?}");
    has(
        &ended.printed,
        &["failed", "nothing was done: the workspace"],
    );
    assert_eq!(fs::read_dir(workspace).unwrap().count(), 0);
    assert_eq!(fs::read_dir(&away).unwrap().count(), before);
    // After a restart it uses what is there now.
    deployment.stop(AuthorId::Runner).await;
    deployment.start(AuthorId::Runner).await;
    eventually(SOON, async || {
        let doctor = cli::run(&deployment, &["doctor"]);
        (doctor.code == Some(0)).then_some(()).ok_or(doctor.printed)
    })
    .await;
}
