//! Listens to the timers that fire, and opens them again if the server does not answer.

use actor::{Bus, Error};
use tokio::sync::mpsc;

use crate::{RETRY, core::Input};

/// Passes each timer that fires to the core, until nobody takes it any more.
pub(crate) async fn listen(bus: Bus<bus_schema::Scheduler>, input: mpsc::Sender<Input>) {
    while !input.is_closed() {
        let Err(error) = pass(&bus, &input).await else {
            return;
        };
        let why = actor::chain(&error);
        tracing::warn!(error = why, "cannot read the timers yet");
        if input.send(Input::Deaf(why)).await.is_err() {
            return;
        }
        tokio::time::sleep(RETRY + bus.clock().jitter(RETRY)).await;
    }
}

/// Returns if nobody takes the timers any more.
async fn pass(bus: &Bus<bus_schema::Scheduler>, input: &mpsc::Sender<Input>) -> Result<(), Error> {
    let mut timers = bus.timers().await?;
    if input.send(Input::Listening).await.is_err() {
        return Ok(());
    }
    loop {
        let fired = timers.next().await?;
        let said = Input::Fired(fired.job.clone(), fired.stored);
        if input.send(said).await.is_err() {
            return Ok(());
        }
        // After a crash in between, all timers are set anew and due slots are found without them.
        fired.done().await;
    }
}
