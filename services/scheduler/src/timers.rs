//! Waits for timers that fire, one at a time. Only an instance that reads the stream of events waits: one that stands by would
//! take timers from the other.

use std::time::Duration;

use actor::{Bus, Error, FiredTimer, Timers};
use tokio::sync::Mutex;

use crate::core::Input;

/// Shortest backoff before a request is retried after the bus did not answer; the longest is twice that.
pub(crate) const RETRY: Duration = Duration::from_millis(500);

/// The timers that fire; none before they were opened.
#[derive(Debug, Default)]
pub(crate) struct FiringTimers(Mutex<Option<Timers>>);

impl FiringTimers {
    /// Opens the timers, or waits for the next one that fires.
    pub(crate) async fn next(&self, bus: &Bus<bus_schema::Scheduler>) -> Input {
        let mut open = self.0.lock().await;
        let said = match open.as_mut() {
            None => bus.timers().await.map(|timers| {
                *open = Some(timers);
                Input::Listening
            }),
            Some(timers) => fired(timers).await,
        };
        said.unwrap_or_else(|error| {
            *open = None;
            Input::Deaf(actor::chain(&error))
        })
    }
}

async fn fired(timers: &mut Timers) -> Result<Input, Error> {
    let fired: FiredTimer = timers.next().await?;
    let said = Input::Fired(fired.job.clone(), fired.stored);
    // After a crash in between, all timers are set anew and due slots are found without them.
    fired.done().await;
    Ok(said)
}
