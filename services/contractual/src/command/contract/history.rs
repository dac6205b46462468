//! The recorded facts about contracts, tasks and verdicts, each verified in its place, as the owner may read them.

use std::time::Duration;

use actor::{BusClient, StreamReader};
use bus_schema::{Content, Meta, PolicyFact};

use deployment::Deployment;

use crate::Error;

/// Pause between two looks at a stream that has not grown.
const PAUSE: Duration = Duration::from_millis(100);

/// A stream as far as it was read.
pub(super) struct History {
    /// The owner's hold on the bus.
    pub(super) operator: BusClient,
    /// Oldest first.
    pub(super) facts: Vec<(Meta, PolicyFact)>,
    reading: StreamReader,
    next: u64,
}

impl History {
    /// Reads a deployment's stream from its start to its end.
    ///
    /// # Errors
    /// If there is no deployment, or what the bus refused.
    pub(super) async fn read(deployment: &Deployment) -> Result<Self, Error> {
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

    /// Reads what was stored since.
    ///
    /// # Errors
    /// What the bus refused.
    pub(super) async fn more(&mut self) -> Result<(), Error> {
        let Self {
            operator,
            facts,
            reading,
            next,
        } = self;
        let mut failed = None;
        // From the start: whether a message is genuine depends on all before it.
        let scan = operator.scan(">", *next, |stored| {
            *next = stored.seq + 1;
            match reading.read::<PolicyFact>(&stored) {
                Ok(Ok((meta, Some(fact)))) => facts.push((meta, fact)),
                Ok(Ok((_, None)) | Err(_)) => {}
                Err(error) => failed = Some(error),
            }
            failed.is_none()
        });
        scan.await?;
        failed.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Waits for a fact behind `seq` that `find` takes something from; none if there is none within `within`.
    ///
    /// # Errors
    /// What the bus refused.
    pub(super) async fn wait<T>(
        &mut self,
        seq: u64,
        within: Duration,
        find: impl Fn(&PolicyFact) -> Option<T>,
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

    /// A text that an event names; none if it was erased, or is none.
    ///
    /// # Errors
    /// What the bus refused.
    pub(super) async fn text(
        &self,
        author: bus_schema::AuthorId,
        content: &Content,
    ) -> Result<Option<String>, Error> {
        let bytes = self.operator.get(author, content).await?;
        Ok(bytes.and_then(|bytes| String::from_utf8(bytes).ok()))
    }
}
