//! A service in its container requires all shipped protections, or an exception that the owner signed.

use std::{fs, path::PathBuf};

use actor::hardening::Exception;
use bus_schema::{AuthorId, Property, Time};
use ed25519_dalek::SigningKey;
use harness::{Deployment, can_contain, profile};
use serde_json::{Value, json};

use crate::cli;

/// The program that installs a profile for itself.
pub(super) const UNDER: &str = env!("CARGO_BIN_EXE_under");
const CONTAINER: &str = "[hardening]\nprofile = \"container\"";
const EXCEPTED: &str = "[hardening]\nprofile = \"container\"\nexception = \"exception.json\"";
const WORKER: AuthorId = AuthorId::Worker;
const DAY_MS: u64 = 86_400_000;

/// Each property that can be missing, with other properties that are missing then, and the line of the compose file in
/// the error. Only a privileged process can install a filter without no-new-privileges.
const ROWS: [(Property, &[Property], &str); 7] = [
    (Property::OwnUser, &[], "`user: \"10008:10008\"`"),
    (Property::Capabilities, &[], "`cap_drop: [ALL]`"),
    (
        Property::NoNewPrivileges,
        &[Property::Seccomp],
        "`no-new-privileges:true`",
    ),
    (Property::Seccomp, &[], "`seccomp=…`"),
    (Property::ReadOnlyRoot, &[], "`read_only: true`"),
    (Property::Core, &[], "`core: 0`"),
    (Property::Dumpable, &[], "`prctl`"),
];

/// A profile that forbids a process to protect its memory from others.
fn without_prctl(deployment: &Deployment) -> PathBuf {
    let text = fs::read_to_string(profile("worker")).unwrap();
    let path = deployment.scratch().join("without-prctl.json");
    assert_eq!(text.matches("\"prctl\"").count(), 1);
    fs::write(&path, text.replace("\"prctl\"", "\"pause\"")).unwrap();
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    path
}

fn launch(deployment: &Deployment, without: &[Property]) {
    let seccomp = if without.contains(&Property::Dumpable) {
        without_prctl(deployment)
    } else {
        profile("worker")
    };
    deployment.launch_contained(WORKER, without, UNDER, &seccomp);
}

/// Starts the worker in a weaker container, and returns its error.
async fn refusal(deployment: &Deployment, without: &[Property]) -> String {
    launch(deployment, without);
    refused(deployment).await
}

/// The error with which the started worker has refused to work.
async fn refused(deployment: &Deployment) -> String {
    let status = deployment.ended(WORKER.name()).await;
    let log = deployment.log(WORKER.name());
    let errors: Vec<Value> = log
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .filter(|line: &Value| line["level"] == "ERROR")
        .collect();
    assert_eq!((status.code(), errors.len()), (Some(64), 1), "{log}");
    errors[0]["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_weaker_container_is_refused_and_the_missing_line_is_named() {
    if !can_contain() {
        return;
    }
    let deployment = Deployment::new();
    deployment.ship(WORKER, CONTAINER);
    for (property, others, _) in ROWS {
        let missing: Vec<_> = [&[property], others].concat();
        let said = refusal(&deployment, &missing).await;
        assert!(said.contains("see docker-compose.yml"), "{said}");
        for (row, _, line) in ROWS {
            assert_eq!(
                said.contains(line),
                missing.contains(&row),
                "{property}: {row}: {said}"
            );
        }
    }
    let said = refusal(&deployment, &[Property::Core, Property::ReadOnlyRoot]).await;
    assert!(
        said.contains("`core: 0`") && said.contains("`read_only: true`"),
        "{said}"
    );
}

/// The engine's own filter allows more than the shipped one, and the service notices.
#[tokio::test]
async fn another_filter_than_the_shipped_one_is_refused() {
    if !can_contain() {
        return;
    }
    let deployment = Deployment::new();
    deployment.ship(WORKER, CONTAINER);
    let text = fs::read_to_string(profile("worker")).unwrap();
    let mut wider: Value = serde_json::from_str(&text).unwrap();
    let rules = wider["syscalls"].as_array_mut().unwrap();
    rules.retain(|rule| rule["names"] != json!(["socket"]));
    rules.push(json!({"names": ["socket"], "action": "SCMP_ACT_ALLOW"}));
    let path = deployment.scratch().join("wider.json");
    fs::write(&path, wider.to_string()).unwrap();
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    deployment.launch_contained(WORKER, &[], UNDER, &path);
    let said = refused(&deployment).await;
    assert!(said.contains("`seccomp=./seccomp/worker.json`"), "{said}");
}

/// The image marks itself as one; an unsigned configuration does not undo that.
#[tokio::test]
async fn a_program_of_an_image_insists_whatever_its_configuration_says() {
    if !can_contain() {
        return;
    }
    let deployment = Deployment::new();
    deployment.ship(WORKER, "[hardening]\nprofile = \"host\"");
    fs::write(deployment.scratch().join("hardening.container"), "").unwrap();
    let said = refusal(&deployment, &[Property::ReadOnlyRoot]).await;
    assert!(said.contains("`read_only: true`"), "{said}");
}

#[tokio::test]
async fn another_user_than_the_expected_one_is_refused() {
    if !can_contain() {
        return;
    }
    let deployment = Deployment::new();
    deployment.ship(WORKER, &format!("{CONTAINER}\nuid = 20008"));
    let said = refusal(&deployment, &[]).await;
    assert!(said.contains("`user: \"20008:20008\"`"), "{said}");
}

async fn running() -> Deployment {
    let deployment = Deployment::provisioned().await;
    deployment.ship(WORKER, EXCEPTED);
    deployment
}

/// The measurement of the worker at its last start.
async fn recorded(deployment: &Deployment) -> Value {
    deployment.ready(WORKER.name()).await;
    crate::scene::until(deployment, "service.started", 1).await;
    deployment.stop(WORKER).await;
    let record = deployment.record().await;
    let started = record.of("service.started").last().unwrap();
    started.fact["hardening"].clone()
}

#[tokio::test]
async fn a_service_records_the_container_that_it_found() {
    if !can_contain() {
        return;
    }
    let deployment = running().await;
    launch(&deployment, &[]);
    let mut found = recorded(&deployment).await;
    assert!(found["landlock_abi"].as_u64().unwrap() >= 1, "{found}");
    let writable = found["writable"].as_array().unwrap();
    let scratch = json!(deployment.scratch());
    assert!(
        !writable.contains(&scratch) && !writable.contains(&json!("/")),
        "{found}"
    );
    assert!(writable.contains(&json!("/tmp")), "{found}");
    for name in ["landlock_abi", "writable"] {
        found.as_object_mut().unwrap().remove(name);
    }
    let none =
        json!({"effective": 0, "permitted": 0, "inheritable": 0, "bounding": 0, "ambient": 0});
    let expected = json!({
        "profile": "container", "waived": [], "uid": 10_008, "gid": 10_008, "other_groups": 0,
        "capabilities": none, "no_new_privileges": true, "seccomp": 2, "read_only_root": true,
        "dumpable": false, "core_bytes_max": 0,
    });
    assert_eq!(found, expected);
}

fn write(deployment: &Deployment, exception: &Exception) {
    let path = deployment.dir().of("worker").join("exception.json");
    fs::write(&path, serde_json::to_string(exception).unwrap()).unwrap();
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
}

#[tokio::test]
async fn what_the_owner_excepted_may_be_missing_and_is_recorded() {
    if !can_contain() {
        return;
    }
    let deployment = running().await;
    let waived = cli::run(&deployment, &["waive", "worker", "read-only-root", "core"]);
    assert_eq!(waived.code, Some(0), "{}", waived.said);
    launch(&deployment, &[Property::ReadOnlyRoot, Property::Core]);
    let found = recorded(&deployment).await;
    assert_eq!(found["waived"], json!(["read-only-root", "core"]));
    assert_eq!(found["read_only_root"], json!(false));
    // The exception covers no other property.
    let said = refusal(
        &deployment,
        &[Property::ReadOnlyRoot, Property::Capabilities],
    )
    .await;
    assert!(
        said.contains("cap_drop") && !said.contains("read_only"),
        "{said}"
    );
}

#[tokio::test]
async fn an_exception_that_is_none_excuses_nothing() {
    if !can_contain() {
        return;
    }
    let deployment = Deployment::new();
    deployment.ship(WORKER, EXCEPTED);
    let missing = [Property::ReadOnlyRoot];
    let said = refusal(&deployment, &missing).await;
    assert!(said.contains("does not exist"), "{said}");

    let owner = deployment.signing_key(AuthorId::Owner);
    let now = deployment.clock().wall();
    let (soon, over) = (now.plus_ms(DAY_MS), Time::from_ns(now.ns() - 1_000_000));
    let sign =
        |service, until, key: &SigningKey| Exception::sign(service, missing.to_vec(), until, key);
    let stranger = deployment.signing_key(AuthorId::Policy);
    let cases = [
        (sign(WORKER, over, &owner), "it expired at"),
        (sign(AuthorId::Runner, soon, &owner), "it is for runner"),
        (sign(WORKER, soon, &stranger), "does not cover it"),
    ];
    for (exception, word) in cases {
        write(&deployment, &exception);
        let said = refusal(&deployment, &missing).await;
        assert!(said.contains(word), "{said}");
    }
    write(&deployment, &sign(WORKER, soon, &owner));
    let path = deployment.dir().of("worker").join("exception.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(
        &path,
        text.replace("[\"read-only-root\"]", "[\"read-only-root\",\"core\"]"),
    )
    .unwrap();
    let said = refusal(&deployment, &missing).await;
    assert!(said.contains("does not cover it"), "{said}");
    fs::write(&path, "{}").unwrap();
    let said = refusal(&deployment, &missing).await;
    assert!(
        said.contains("it is not what `contractual exception add` writes"),
        "{said}"
    );
}

#[tokio::test]
async fn a_host_run_measures_and_records() {
    let deployment = Deployment::provisioned().await;
    deployment.start(WORKER).await;
    crate::scene::until(&deployment, "service.started", 1).await;
    let record = deployment.record().await;
    let found = &record.of("service.started").last().unwrap().fact["hardening"];
    assert_eq!(found["profile"], "host");
    assert_eq!(found["uid"], rustix::process::getuid().as_raw());
    let hardened = (
        &found["dumpable"],
        &found["core_bytes_max"],
        &found["no_new_privileges"],
    );
    assert_eq!(hardened, (&json!(false), &json!(0), &json!(true)));
}
