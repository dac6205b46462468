//! Reads and verifies the recorded facts about contracts, tasks and verdicts.

use std::time::Duration;

use actor::{BusClient, StreamReader};
use bus_schema::{Content, Facts, Meta};

use deployment::Deployment;

use crate::Error;

/// The pause between two reads of a stream that has not grown.
const PAUSE: Duration = Duration::from_millis(100);

/// The part of a stream that was read.
pub(crate) struct History<F> {
    /// The owner's connection to the bus.
    pub(crate) operator: BusClient,
    /// The facts, oldest first.
    pub(crate) facts: Vec<(Meta, F)>,
    reading: StreamReader,
    next: u64,
}

impl<F: Facts> History<F> {
    /// Reads a deployment's stream from start to end.
    ///
    /// # Errors
    /// Returns an error if there is no deployment or the bus refused a request.
    pub(crate) async fn read(deployment: &Deployment) -> Result<Self, Error> {
        let owner = bus_schema::public_key(&deployment.owner_key()?);
        let mut history = Self {
            operator: deployment.bus().await?,
            facts: Vec::new(),
            reading: StreamReader::new(owner),
            next: 1,
        };
        history.more().await?;
        Ok(history)
    }

    /// Reads the messages stored since.
    ///
    /// # Errors
    /// Returns the bus's error.
    pub(crate) async fn more(&mut self) -> Result<(), Error> {
        let Self {
            operator,
            facts,
            reading,
            next,
        } = self;
        let mut failed = None;
        // From the start: a message is verified against all messages before it.
        let scan = operator.scan(">", *next, |stored| {
            *next = stored.seq + 1;
            match reading.read::<F>(&stored) {
                Ok(Ok((meta, Some(fact)))) => facts.push((meta, fact)),
                Ok(Ok((_, None)) | Err(_)) => {}
                Err(error) => failed = Some(error),
            }
            failed.is_none()
        });
        scan.await?;
        failed.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Waits for a fact after `seq` for which `find` returns a value; returns none after the timeout `within`.
    ///
    /// # Errors
    /// Returns the bus's error.
    pub(crate) async fn wait<T>(
        &mut self,
        seq: u64,
        within: Duration,
        find: impl Fn(&F) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let tries = within.as_millis().div_ceil(PAUSE.as_millis());
        for _ in 0..=tries {
            let newest = self.facts.iter().rev();
            let newest = newest.take_while(|(meta, _)| meta.seq > seq);
            let found = newest.filter_map(|(_, fact)| find(fact)).last();
            if found.is_some() {
                return Ok(found);
            }
            tokio::time::sleep(PAUSE).await;
            self.more().await?;
        }
        Ok(None)
    }

    /// Reads a text that an event names; returns none if it was erased or is not UTF-8.
    ///
    /// # Errors
    /// Returns the bus's error.
    pub(crate) async fn text(
        &self,
        author: bus_schema::AuthorId,
        content: &Content,
    ) -> Result<Option<String>, Error> {
        let bytes = self.operator.get(author, content).await?;
        Ok(bytes.and_then(|bytes| String::from_utf8(bytes).ok()))
    }
}
