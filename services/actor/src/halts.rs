//! The owner's halts in the record, for the command line.

use bus_schema::{
    AuthorId, ChainScope, Deployment, Event as _, Facts, HaltLifted, HaltOrdered, Junk, PublicKey,
    Read, Seen, Subject, Time, Verifier, parse_fact,
};

use crate::{BusClient, Error};

/// The last orders on record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Halts {
    /// The bus time of the halt in force; none if there is none.
    pub since: Option<Time>,
    /// The owner's time of the last halt or resume; an order beside the stream that is not newer has no effect.
    pub decided: Time,
}

/// The facts about halts; all others only move the chain.
enum Order {
    Halt,
    Resume,
}

impl Facts for Order {
    const READS: &'static [(&'static [AuthorId], &'static str)] = &[
        (&[AuthorId::Owner], HaltOrdered::KIND),
        (&[AuthorId::Owner], HaltLifted::KIND),
    ];

    fn parse(subject: Subject<'_>, schema: &str, body: &[u8]) -> Result<Self, Junk> {
        if subject.kind == HaltOrdered::KIND {
            let (Deployment, HaltOrdered {}) = parse_fact(subject, schema, body)?;
            return Ok(Self::Halt);
        }
        let (Deployment, HaltLifted {}) = parse_fact(subject, schema, body)?;
        Ok(Self::Resume)
    }
}

impl BusClient {
    /// Reads the owner's halts.
    ///
    /// # Errors
    /// As [`BusClient::scan`].
    pub async fn halts(&self, owner: PublicKey) -> Result<Halts, Error> {
        let mut verifier = Verifier::new(owner, ChainScope::Own(AuthorId::Owner));
        let (mut halts, mut failed) = (Halts::default(), None);
        self.scan("event.owner.>", 1, |stored| {
            match verifier.read::<Order>(&stored.raw()) {
                Ok(Read::Fact(seen)) => {
                    let (meta, order) = Seen::into_parts(seen);
                    halts.decided = halts.decided.max(meta.at);
                    halts.since = match order {
                        Order::Halt => halts.since.or(Some(meta.stored)),
                        Order::Resume => None,
                    };
                }
                Ok(Read::Other(_) | Read::Junk(_)) => {}
                Err(error) => failed = Some(error),
            }
            failed.is_none()
        })
        .await?;
        failed.map_or(Ok(halts), |error| Err(error.into()))
    }
}
