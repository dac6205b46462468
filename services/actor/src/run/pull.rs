//! Pulling: an author that actions wait for gets each message at once; all others read in batches, because each
//! wake-up of a process slows down every action.

use std::time::Duration;

use async_nats::jetstream::{
    Message,
    consumer::{PullConsumer, pull::Batch},
};
use bus_schema::stream::PULL_SECONDS;
use futures::{StreamExt as _, stream, stream::BoxStream};
use tokio::sync::watch;

use super::FOLD_AT_ONCE;
use crate::error::chain;

/// The time between two batches of a patient reader.
pub(super) const PATIENCE: Duration = Duration::from_millis(25);
/// The time that a pull waits for its first message.
const WAITS: Duration = Duration::from_secs(PULL_SECONDS as u64);

/// Messages in the order of the stream; an error ends them.
pub(super) type Messages = BoxStream<'static, Result<Message, String>>;

/// Returns each message as soon as it is stored.
pub(super) async fn prompt(consumer: &PullConsumer) -> Result<Messages, String> {
    let pulled = consumer
        .stream()
        .max_messages_per_batch(FOLD_AT_ONCE)
        .expires(WAITS)
        .heartbeat(Duration::from_secs(2));
    let messages = pulled.messages().await.map_err(|error| chain(&error))?;
    let told = |message: Result<_, _>| message.map_err(|error| chain(&error));
    Ok(messages.map(told).boxed())
}

/// Returns messages in batches; without a pause while `hurry` is true because a task waits for them.
pub(super) fn patient(consumer: PullConsumer, hurry: watch::Receiver<bool>) -> Messages {
    let patient = Patient {
        consumer,
        hurry,
        next: Next::One,
        batch: None,
        taken: 0,
    };
    stream::unfold(patient, Patient::message).boxed()
}

/// The next pull.
#[derive(Clone, Copy)]
enum Next {
    /// One message, whenever it comes.
    One,
    /// All messages that are there.
    All,
}

struct Patient {
    consumer: PullConsumer,
    hurry: watch::Receiver<bool>,
    next: Next,
    batch: Option<Batch>,
    taken: usize,
}

impl Patient {
    async fn message(mut self) -> Option<(Result<Message, String>, Self)> {
        loop {
            let pulled = match &mut self.batch {
                Some(batch) => batch.next().await,
                None => match self.pull().await {
                    Ok(batch) => {
                        self.batch = Some(batch);
                        self.taken = 0;
                        continue;
                    }
                    Err(error) => return Some((Err(error), self)),
                },
            };
            match pulled {
                Some(Ok(message)) => {
                    self.taken += 1;
                    return Some((Ok(message), self));
                }
                Some(Err(error)) => return Some((Err(error.to_string()), self)),
                None => self.ended().await,
            }
        }
    }

    async fn pull(&self) -> Result<Batch, String> {
        let pulled = match self.next {
            Next::One => {
                let one = self.consumer.batch().max_messages(1).expires(WAITS);
                one.messages().await
            }
            Next::All => {
                let all = self.consumer.fetch().max_messages(FOLD_AT_ONCE);
                all.messages().await
            }
        };
        pulled.map_err(|error| chain(&error))
    }

    /// Ends a batch: chooses the next pull, and pauses if nothing is there.
    async fn ended(&mut self) {
        self.batch = None;
        self.next = match self.next {
            Next::One if self.taken > 0 => {
                let hurried = self.hurry.wait_for(|hurry| *hurry);
                // A timeout is the normal case; a closed channel only means that nothing hurries this reader any more.
                drop(tokio::time::timeout(PATIENCE, hurried).await);
                Next::All
            }
            Next::All if self.taken == FOLD_AT_ONCE => Next::All,
            Next::One | Next::All => Next::One,
        };
    }
}
