//! A webhook starts a job: once for each message, and only with the key.

use harness::Deployment;
use ring::hmac;
use serde_json::Value;

use crate::{
    cli::run,
    devices::send,
    jobs::{add, ok, written},
    main_job::has,
    scene::{kinds, until},
};

const BODY: &str = r#"{"ref": "refs/heads/main", "id": 1}"#;

/// Posts a body with its signature by a key, and returns the status.
async fn post(deployment: &Deployment, key: &str, body: &str) -> u16 {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    let hex = data_encoding::HEXLOWER.encode(hmac::sign(&key, body.as_bytes()).as_ref());
    let signature = format!("X-Hub-Signature-256: sha256={hex}");
    let headers = ["Content-Type: application/json", &signature];
    send(deployment, "POST /hooks/forge", &headers, body)
        .await
        .status
}

#[tokio::test]
async fn a_webhook_that_a_key_signed_starts_its_job_once() {
    let deployment = Deployment::running().await;
    let when = "overlap = \"allow\"\n\n[when]\ntrigger = \"hook.forge\"\n\n[message]\nonly.ref = \"refs/heads/main\"\n";
    let file = written(&deployment, when).await;
    ok(add(&deployment, &file));
    let adds = [
        "hook",
        "add",
        "forge",
        "--signature",
        "github",
        "--generate",
        "--json",
    ];
    let added: Value = serde_json::from_str(&ok(run(&deployment, &adds))).unwrap();
    let key = added["key"].as_str().unwrap();
    let url = format!("http://{}/hooks/forge", deployment.file().gateway);
    assert_eq!(added["url"], url.as_str());
    let listed = ok(run(&deployment, &["hook", "list"]));
    has(&listed, &["forge", "github", &url]);
    assert!(!listed.contains(key), "{listed}");

    assert_eq!(
        post(&deployment, "another key of some length", BODY).await,
        401
    );
    assert_eq!(
        post(&deployment, key, &BODY.replace("main", "draft")).await,
        202
    );
    assert_eq!(post(&deployment, key, BODY).await, 202);
    assert_eq!(post(&deployment, key, BODY).await, 202);
    until(&deployment, "task.finished", 1).await;
    // One more, so that all before were handed on.
    assert_eq!(post(&deployment, key, &BODY.replace('1', "2")).await, 202);
    let record = until(&deployment, "task.finished", 2).await;
    assert_eq!(record.count("run.due"), 2, "{}", kinds(&record));
    assert_eq!(record.count("task.admitted"), 2);

    ok(run(&deployment, &["hook", "remove", "forge"]));
    assert_eq!(post(&deployment, key, &BODY.replace('1', "3")).await, 401);
    let again = run(&deployment, &["hook", "remove", "forge"]);
    assert_eq!(again.code, Some(1), "{again:?}");
}
