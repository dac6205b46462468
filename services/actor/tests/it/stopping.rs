//! Tests of the end of a process: it does not wait for blocked work.

use std::{sync::mpsc, time::Duration};

use actor::Clock;

#[test]
fn what_hangs_on_a_thread_of_its_own_does_not_hold_the_process() {
    let clock = Clock::system();
    let (release, hold) = mpsc::channel::<()>();
    let done = actor::runtime::run(async move {
        let hangs = tokio::task::spawn_blocking(move || hold.recv_timeout(Duration::from_secs(60)));
        // Like an aborted effect: no task waits for it.
        drop(hangs);
        7
    });
    assert_eq!(done.unwrap(), 7);
    assert!(
        clock.elapsed() < Duration::from_secs(5),
        "{:?}",
        clock.elapsed()
    );
    drop(release);
}
