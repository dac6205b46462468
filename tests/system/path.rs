//! The main path: the example's task, end to end.

use harness::Deployment;

#[tokio::test]
async fn example_task_runs_to_its_end_and_its_record_verifies() {
    let deployment = Deployment::running().await;
    let ran = deployment.run_demo_task().await;
    assert_eq!(ran.outcome(), "succeeded");
    assert_eq!(ran.count("action.granted"), 9);
    assert_eq!(ran.count("approval.requested"), 1);
    assert_eq!(ran.count("action.refused"), 1);
    assert!(deployment.workspace().join("report.md").exists());
    let record = deployment.record().await;
    assert_eq!(record.junk().count(), 0);
    assert_eq!(record.count("action.started"), 9);
    assert_eq!(record.count("action.finished"), 9);
}
