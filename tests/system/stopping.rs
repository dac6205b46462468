//! Stopping: a service that is asked to stop ends within five seconds, whatever it waits for.

use std::time::Duration;

use bus_schema::ACTORS;
use harness::{Deployment, NATS};

/// The timeout of a stop.
const STOP: Duration = Duration::from_secs(5);

async fn stops_in_time(deployment: &Deployment, when: &str) {
    for author in ACTORS {
        let began = deployment.clock().elapsed();
        deployment.stop(*author).await;
        let took = deployment.clock().elapsed() - began;
        assert!(took <= STOP, "{author}, {when}: {took:?}");
    }
}

#[tokio::test]
async fn each_service_stops_within_five_seconds() {
    let deployment = Deployment::running().await;
    assert_eq!(deployment.run_demo_task().await.outcome(), "succeeded");
    stops_in_time(&deployment, "after a task").await;
    // In the middle of one.
    deployment.start_all().await;
    let contract = deployment.sign(harness::contract()).await;
    deployment.submit(contract, harness::playbook()).await;
    stops_in_time(&deployment, "in a task").await;
}

#[tokio::test]
async fn each_service_stops_within_five_seconds_while_the_server_hangs() {
    let deployment = Deployment::running().await;
    let contract = deployment.sign(harness::contract()).await;
    deployment.submit(contract, harness::playbook()).await;
    deployment.freeze(NATS, true);
    stops_in_time(&deployment, "while the server hangs").await;
    deployment.freeze(NATS, false);
}
