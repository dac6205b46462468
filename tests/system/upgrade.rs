//! Upgrade of a deployment to a version with a new service: by `init`, `provision`, and restarts.

use std::fs;

use bus_schema::AuthorId;
use harness::Deployment;
use serde_json::json;

use crate::cli;

/// Removes everything that an older version did not have.
fn before_the_worker(deployment: &Deployment) {
    fs::remove_dir_all(deployment.dir().of("worker")).unwrap();
    let path = deployment.dir().nats().join("local.conf");
    let text = fs::read_to_string(&path).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with("NKEY_WORKER"));
    let older: String = lines.map(|line| format!("{line}\n")).collect();
    assert_ne!(older, text);
    fs::write(&path, older).unwrap();
}

#[tokio::test]
async fn a_service_that_is_new_gets_its_keys_and_the_owners_word_for_them() {
    let deployment = Deployment::provisioned().await;
    deployment.nats().stop().await;
    before_the_worker(&deployment);
    let done = cli::run(&deployment, &["init"]);
    assert_eq!(done.code, Some(0), "{}", done.said);
    deployment.nats().start().await;
    deployment.provision().await;
    deployment.start_all().await;
    assert_eq!(deployment.run_demo_task().await.outcome(), "succeeded");
    // A second run changes nothing.
    deployment.provision().await;
    let record = deployment.record().await;
    assert_eq!(record.count("roster.changed"), 2);
    assert_eq!(record.junk().count(), 0);
}

#[tokio::test]
async fn a_stream_that_takes_no_batches_is_allowed_to() {
    let deployment = Deployment::provisioned().await;
    let provision = deployment.client("provision").await;
    let blobs = async || {
        let question = json!({});
        let info = provision.api("STREAM.INFO.BLOBS", &question).await;
        info.unwrap()["config"].clone()
    };
    let mut config = blobs().await;
    assert_eq!(config["allow_atomic"], true);
    config["allow_atomic"] = false.into();
    let update = provision.api("STREAM.UPDATE.BLOBS", &config);
    update.await.unwrap();
    assert_ne!(blobs().await["allow_atomic"], true);
    deployment.provision().await;
    assert_eq!(blobs().await["allow_atomic"], true);
}

#[tokio::test]
async fn the_record_is_verified_while_the_owner_is_offline() {
    let deployment = Deployment::running().await;
    deployment.run_demo_task().await;
    deployment.stop(AuthorId::Worker).await;
    let away = deployment.scratch().join("away");
    fs::rename(deployment.dir().of("owner"), &away).unwrap();
    for rest in [&[][..], &["--offline"]] {
        let said = cli::run(&deployment, &[&["audit", "verify"], rest].concat());
        assert_eq!(said.code, Some(0), "{rest:?}: {}", said.said);
        assert!(said.printed.contains(" 0 junk"), "{}", said.printed);
    }
    fs::rename(&away, deployment.dir().of("owner")).unwrap();
}
