#![doc = include_str!("../README.md")]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what a test cannot have ends it"
)]

mod client;
mod deployment;
#[path = "../executable.rs"]
mod executable;
mod fetch;
mod process;
mod program;
mod record;
mod stolen;
mod task;

use std::{fmt, io::Write as _, time::Duration};

use bus_schema::{ACTORS, AuthorId};

pub use self::deployment::{Deployment, NATS, Nats, can_contain, free_port, profile};
pub use client::{Ack, Client};
pub use fetch::{Answer, fetch};
pub use program::{contractual, nats_server};
pub use record::{Message, Record};
pub use stolen::{Stolen, link};
pub use task::{Ran, contract, playbook};

/// The pause between two attempts.
const LOOK_AGAIN: Duration = Duration::from_millis(25);

/// The timeout of a short operation on a busy machine.
pub const SOON: Duration = Duration::from_secs(30);

/// The services without one, in the order in which they start.
#[must_use]
pub fn all_but(one: AuthorId) -> Vec<AuthorId> {
    let all = ACTORS.iter().copied();
    all.filter(|author| *author != one).collect()
}

/// Prints that a test was skipped and the reason, even if the output of tests is captured.
///
/// # Panics
/// Panics if the standard error is closed.
pub fn skipped(why: &str) {
    let text = format!("SKIPPED: {why}\n");
    std::io::stderr().write_all(text.as_bytes()).unwrap();
}

/// Skips a test for which something is missing, with the reason.
///
/// # Panics
/// Panics with the reason where every test has to run: if `CONTRACTUAL_TESTS_MANDATORY` is set.
pub fn missing(why: &str) {
    let is_mandatory = std::env::var_os("CONTRACTUAL_TESTS_MANDATORY").is_some();
    assert!(!is_mandatory, "{why}");
    skipped(why);
}

/// Calls `look` until it returns `Ok`, for at most `within`.
///
/// # Panics
/// Panics with the last value after the timeout.
pub async fn eventually<T, S: fmt::Display>(
    within: Duration,
    mut look: impl AsyncFnMut() -> Result<T, S>,
) -> T {
    let until = tokio::time::Instant::now() + within;
    loop {
        match look().await {
            Ok(found) => return found,
            Err(seen) if tokio::time::Instant::now() >= until => {
                panic!("not within {within:?}; last seen: {seen}")
            }
            Err(_) => tokio::time::sleep(LOOK_AGAIN).await,
        }
    }
}
