//! Waits for messages from outside, one at a time, and acknowledges those that are done.

use std::collections::BTreeMap;

use actor::{Bus, Error, OutsideMessage, OutsideMessages};
use bus_schema::Digest;
use tokio::sync::Mutex;

use crate::{core::Input, triggers::TriggerMessage};

/// The messages from outside; none before they were opened.
#[derive(Debug, Default)]
pub(crate) struct Outside {
    open: Mutex<Option<OutsideMessages>>,
    /// The messages that the core has, by their places.
    held: Mutex<BTreeMap<u64, OutsideMessage>>,
}

impl Outside {
    /// Opens the messages, or waits for the next one.
    pub(crate) async fn next(&self, bus: &Bus<bus_schema::Scheduler>) -> Input {
        let mut open = self.open.lock().await;
        let said = match open.as_mut() {
            None => bus.outside_messages().await.map(|messages| {
                *open = Some(messages);
                Input::Listening
            }),
            Some(messages) => self.heard(messages, bus).await,
        };
        said.unwrap_or_else(|error| {
            *open = None;
            Input::Deaf(actor::chain(&error))
        })
    }

    async fn heard(
        &self,
        messages: &mut OutsideMessages,
        bus: &Bus<bus_schema::Scheduler>,
    ) -> Result<Input, Error> {
        loop {
            let message = messages.next().await?;
            let id = message
                .id
                .clone()
                .unwrap_or_else(|| format!("#{}", message.seq));
            let trigger = TriggerMessage {
                seq: message.seq,
                key: Digest::of(&[message.subject.as_bytes(), b" ", id.as_bytes()]),
                subject: message.subject.clone(),
                stored: message.stored,
            };
            // The stream takes no message that is too large for a content.
            let Ok(sealed) = bus.seal(message.body()) else {
                message.done().await;
                continue;
            };
            self.held.lock().await.insert(message.seq, message);
            return Ok(Input::Triggered(trigger, sealed));
        }
    }

    /// Acknowledges a message.
    pub(crate) async fn took(&self, seq: u64) -> Input {
        let held = self.held.lock().await.remove(&seq);
        if let Some(message) = held {
            message.done().await;
        }
        Input::Taken(seq)
    }
}
