//! Tests that nothing runs without a complete cage and that the error names the missing part.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use runner::{Cage, ExecError, ExecTool, Missing, PinError, ProbeError, ToolError};

use crate::call::{Ground, sh};

async fn refused_by(name: &str) -> Missing {
    let ground = Ground::new();
    let cage = ground.cage_named(name);
    let tool = ExecTool::try_from(sh("echo ran > ran")).unwrap();
    let ended = runner::run(&cage, &tool, &serde_json::json!({}), &ground.open()).await;
    assert!(!ground.workspace.join("ran").exists());
    assert_eq!(std::fs::read_dir(&ground.scratch).unwrap().count(), 0);
    let probed = cage.probe().await;
    match (ended, probed) {
        (Err(ExecError::Refused(one)), Err(ProbeError::Exec(ExecError::Refused(two)))) => {
            assert_eq!(one.missing, two.missing);
            one.missing
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn nothing_runs_without_landlock() {
    assert_eq!(
        refused_by("supervisor-without-landlock").await,
        Missing::Landlock
    );
    assert_eq!(refused_by("cage-without-landlock").await, Missing::Landlock);
    assert_eq!(refused_by("cage-without-restrict").await, Missing::Landlock);
}

#[tokio::test]
async fn nothing_runs_without_seccomp() {
    assert_eq!(refused_by("cage-without-seccomp").await, Missing::Seccomp);
}

#[tokio::test]
async fn another_name_of_the_launcher_alone_refuses_nothing() {
    let ground = Ground::new();
    let probed = ground.cage_named("complete").probe().await.unwrap();
    assert!(probed.open.is_empty());
    assert_eq!(probed.stopped.len(), 13);
}

#[tokio::test]
async fn a_replaced_workspace_is_refused() {
    let ground = Ground::new();
    let workspace = ground.open();
    std::fs::rename(&ground.workspace, ground.root.join("old")).unwrap();
    std::fs::create_dir(&ground.workspace).unwrap();
    let tool = ExecTool::try_from(sh("echo ran > ran")).unwrap();
    let ended = runner::run(&ground.cage(), &tool, &serde_json::json!({}), &workspace).await;
    match ended {
        Err(ExecError::Refused(refusal)) => assert_eq!(refusal.missing, Missing::Workspace),
        other => panic!("{other:?}"),
    }
    assert!(!ground.workspace.join("ran").exists());
}

#[tokio::test]
async fn a_program_that_cannot_execute_is_named() {
    let ground = Ground::new();
    let path = ground.root.join("tool");
    crate::executable::executable(&path, std::fs::read("/bin/true").unwrap());
    let entry = crate::call::program(&path, &[]);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    match ExecTool::try_from(entry) {
        Err(ToolError::File(error)) => assert_eq!(error, PinError::NotExecutable(path)),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_launcher_that_is_no_launcher_is_an_error() {
    let ground = Ground::new();
    let tool = ExecTool::try_from(sh("true")).unwrap();
    for (path, launches) in [("/bin/true", true), ("/nonexistent", false)] {
        let cage = Cage::new(PathBuf::from(path));
        let ended = runner::run(&cage, &tool, &serde_json::json!({}), &ground.open()).await;
        match ended {
            Err(ExecError::Lost(_)) => assert!(launches),
            Err(ExecError::Launch(_)) => assert!(!launches),
            other => panic!("{other:?}"),
        }
    }
}
