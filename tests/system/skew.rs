//! Wrong clocks: every verdict uses the stream's own time, so a service's clock changes none.

use std::{path::PathBuf, process::Command};

use actor::{NoPermit, Permit};
use bus_schema::{ActionGranted, AuthorId, Envelope, Runner, Signers};
use harness::{Deployment, Record, all_but};

/// Ten minutes.
const SKEW_S: i64 = 600;

/// Source of a shim that changes the C library's clock in a process.
const SHIM: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
int clock_gettime(clockid_t clock, struct timespec *time) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int done = real(clock, time);
    const char *skew = getenv("SKEW_S");
    if (!done && clock == CLOCK_REALTIME && skew) time->tv_sec += atol(skew);
    return done;
}
"#;

/// Builds the shim with the compiler that Rust links with.
fn shim(deployment: &Deployment) -> PathBuf {
    let source = deployment.scratch().join("skew.c");
    let library = deployment.scratch().join("skew.so");
    if library.exists() {
        return library;
    }
    std::fs::write(&source, SHIM).unwrap();
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .args([&library, &source])
        .arg("-ldl")
        .output()
        .unwrap();
    assert!(
        built.status.success(),
        "{}",
        String::from_utf8_lossy(&built.stderr)
    );
    library
}

/// The services with wrong clocks. The gateway's is right, because the age of a proof of access is measured by it;
/// that is not a verdict about a task.
fn skewed() -> Vec<AuthorId> {
    all_but(AuthorId::Gateway)
}

/// Starts all services, most with a clock that is ten minutes off, in alternating directions.
async fn start_skewed(deployment: &Deployment) {
    for (n, author) in skewed().iter().enumerate() {
        start(
            deployment,
            *author,
            if n % 2 == 0 { SKEW_S } else { -SKEW_S },
        );
    }
    for author in &skewed() {
        deployment.ready(author.name()).await;
    }
    deployment.start(AuthorId::Gateway).await;
}

/// Starts a service with a clock that is some seconds off; does not wait for it.
fn start(deployment: &Deployment, author: AuthorId, skew_s: i64) {
    let (library, skew) = (shim(deployment), skew_s.to_string());
    let variables = [("LD_PRELOAD", library.to_str().unwrap()), ("SKEW_S", &skew)];
    let config = deployment.dir().config(author);
    deployment.launch_in(author.name(), author, &config, &variables);
}

/// Restarts a service with such a clock.
async fn restart(deployment: &Deployment, author: AuthorId, skew_s: i64) {
    deployment.stop(author).await;
    start(deployment, author, skew_s);
    deployment.ready(author.name()).await;
}

#[tokio::test]
async fn clocks_ten_minutes_off_change_no_verdict() {
    let right = Deployment::running().await;
    let expected = right.run_demo_task().await;
    let deployment = Deployment::provisioned().await;
    start_skewed(&deployment).await;
    let ran = deployment.run_demo_task().await;
    assert_eq!(ran.outcome(), expected.outcome());
    let kinds = [
        "action.granted",
        "action.refused",
        "approval.requested",
        "action.started",
        "action.finished",
        "action.expired",
    ];
    for kind in kinds {
        assert_eq!(ran.count(kind), expected.count(kind), "{kind}");
    }
    // The clocks really were wrong, in both directions.
    let record = deployment.record().await;
    for author in &skewed() {
        let mut meta = record.messages.iter().filter_map(|one| one.verdict.ok());
        let one = meta.rfind(|meta| meta.by == *author).unwrap();
        let ahead = one.at.ms_since(one.stored) / 1_000;
        let behind = one.stored.ms_since(one.at) / 1_000;
        assert!(
            (590..=601).contains(&ahead.max(behind)),
            "{author}: {ahead} {behind}"
        );
    }
    own_clocks_would_have_declined(&deployment, &record);
    let wrong = |author: AuthorId| {
        let mut all = record.messages.iter().filter_map(|one| one.verdict.ok());
        let one = all.find(|meta| meta.by == author).unwrap();
        one.at > one.stored
    };
    assert!(wrong(skewed()[0]) && !wrong(skewed()[1]));
}

/// The attack itself: by the services' clocks each grant of this record was claimed too late; by the stream's time each
/// was in time.
fn own_clocks_would_have_declined(deployment: &Deployment, record: &Record) {
    let signed = record.of("contract.signed").next().unwrap();
    let envelope: Envelope = serde_json::from_value(signed.fact["envelope"].clone()).unwrap();
    let claimed: Vec<_> = record.of("action.started").collect();
    assert!(!claimed.is_empty());
    for started in claimed {
        let mut grants = record.of("action.granted");
        let granted = grants.find(|one| one.action() == started.action()).unwrap();
        let fact: ActionGranted = serde_json::from_value(granted.fact.clone()).unwrap();
        let meta = granted.verdict.unwrap();
        let claims = |now| {
            Permit::<Runner>::check(
                &meta,
                &fact,
                &envelope,
                &Signers::without_devices(deployment.owner()),
                0,
                now,
            )
            .map(drop)
        };
        let claim = started.verdict.unwrap();
        assert_eq!(claims(claim.stored), Ok(()));
        assert_eq!(claims(claim.at), Err(NoPermit::TooLate));
    }
}

#[tokio::test]
async fn services_that_start_again_with_another_clock_go_on() {
    let deployment = Deployment::provisioned().await;
    start_skewed(&deployment).await;
    assert_eq!(deployment.run_demo_task().await.outcome(), "succeeded");
    // Twenty minutes earlier than before, while policy, which receives its messages, keeps running.
    restart(&deployment, AuthorId::Audit, -SKEW_S).await;
    assert_eq!(deployment.run_demo_task().await.outcome(), "succeeded");
    for author in [AuthorId::Policy, AuthorId::Runner, AuthorId::Worker] {
        restart(&deployment, author, SKEW_S).await;
        restart(&deployment, author, -SKEW_S).await;
    }
    assert_eq!(deployment.run_demo_task().await.outcome(), "succeeded");
    assert_eq!(deployment.record().await.junk().count(), 0);
}

#[tokio::test]
async fn a_gateway_whose_clock_is_wrong_shows_nothing_and_changes_no_verdict() {
    let deployment = Deployment::running().await;
    let contract = deployment.sign(harness::contract()).await;
    let mut tasks = Vec::new();
    for (skew, why) in [
        (SKEW_S, "the access has expired, by the gateway's clock"),
        (
            -SKEW_S,
            "the access lasts longer than 120 seconds, by the gateway's clock",
        ),
    ] {
        restart(&deployment, AuthorId::Gateway, skew).await;
        let refused = deployment.gateway().tasks().await;
        let said = actor::chain(&refused.unwrap_err());
        assert!(said.contains(why), "{said}");
        // A signed task does not depend on the gateway's clock.
        tasks.push(deployment.submit(contract, harness::playbook()).await);
    }
    deployment.stop(AuthorId::Gateway).await;
    deployment.start(AuthorId::Gateway).await;
    for task in tasks {
        assert_eq!(deployment.follow(task, true).await.outcome(), "succeeded");
    }
}
