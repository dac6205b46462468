//! Watches nats-server, which writes nothing more to a stream after an error of its disk, until it is restarted.

use std::time::Duration;

use deployment::{
    Deployment,
    disk_space::{FREE_BYTES_MIN, free},
    fleet::{Fleet, NATS},
    watch::Watcher,
};
use rustix::process::Signal;

use crate::Output;

/// The interval between two questions.
const LOOK: Duration = Duration::from_secs(2);
/// Complaints in a row before a restart.
const COMPLAINTS: u32 = 3;
/// The least time between two restarts.
const BETWEEN: Duration = Duration::from_secs(15);
/// The time within which the server is restarted once there is room.
pub(crate) const RESTARTS_WITHIN: Duration = Duration::from_secs(30);

/// Restarts nats-server if it complains, as soon as its disk has room.
pub(super) async fn keep(deployment: &Deployment, fleet: &Fleet, out: &Output) {
    let watcher = match Watcher::connect(deployment).await {
        Ok(Some(watcher)) => watcher,
        Ok(None) => {
            out.line_for_people("nats-server's health is not watched, because sys is offline");
            return std::future::pending().await;
        }
        Err(error) => {
            out.line_for_people(&format!(
                "nats-server's health is not watched: {}",
                actor::chain(&error)
            ));
            return std::future::pending().await;
        }
    };
    let store = deployment.dir.nats();
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut complaints, mut told) = (0, false);
    loop {
        looks.tick().await;
        // No answer is no complaint: the server may be starting.
        let Ok(Some(complaint)) = watcher.complaint().await else {
            (complaints, told) = (0, false);
            continue;
        };
        complaints += 1;
        if complaints < COMPLAINTS {
            continue;
        }
        if free(&store).is_some_and(|left| left < FREE_BYTES_MIN) {
            if !told {
                out.line_for_people(&format!(
                    "nats-server stores nothing: {complaint}; free at least {} MiB in {}, then it is restarted",
                    FREE_BYTES_MIN >> 20,
                    store.display()
                ));
            }
            told = true;
            continue;
        }
        out.line_for_people(&format!("nats-server is restarted: {complaint}"));
        fleet.signal(NATS, Signal::TERM);
        (complaints, told) = (0, false);
        tokio::time::sleep(BETWEEN).await;
    }
}
