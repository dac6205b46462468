//! Fetches contents for a proposer, a few at a time.

use std::time::Duration;

use actor::Bus;
use bus_schema::{Author, AuthorId, Content, TaskId};
use tokio::sync::Semaphore;

/// Largest number of concurrent fetches.
const FETCHES_MAX: usize = 8;
/// Shortest backoff before a fetch is retried after the bus did not answer; the longest is twice that.
const FETCH_RETRY: Duration = Duration::from_millis(500);

/// The content that a fetch found.
#[derive(Debug)]
pub enum Found {
    /// The bytes.
    Bytes(Vec<u8>),
    /// They were erased.
    Erased,
    /// The bus did not answer; the fetch must be retried.
    NoAnswer,
}

/// The fetches of a service.
#[derive(Debug)]
pub struct Fetches(Semaphore);

impl Default for Fetches {
    fn default() -> Self {
        Self(Semaphore::new(FETCHES_MAX))
    }
}

impl Fetches {
    /// Fetches a content of `by` for a task. If the bus does not answer, it returns after a pause.
    pub async fn fetch<A: Author>(
        &self,
        bus: &Bus<A>,
        task: TaskId,
        (by, content): (AuthorId, &Content),
    ) -> Found {
        let permit = self.0.acquire().await;
        let got = bus.get(by, content).await;
        drop(permit);
        match got {
            Ok(Some(bytes)) => Found::Bytes(bytes),
            Ok(None) => Found::Erased,
            Err(error) => {
                let error = actor::chain(&error);
                tracing::warn!(task.id = %task, error, "cannot fetch content; retrying");
                let pause = FETCH_RETRY + bus.clock().jitter(FETCH_RETRY);
                tokio::time::sleep(pause).await;
                Found::NoAnswer
            }
        }
    }
}
