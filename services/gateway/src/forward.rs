//! What requests ask of the bus, and the one task that asks it for them.

use actor::{Bus, Error};
use bus_schema::{AuthorId, Content, Draft, Gateway, Meta, Sealed};
use futures::{StreamExt as _, stream::FuturesUnordered};
use tokio::sync::{mpsc, oneshot};

/// Most asks that wait for the carrier.
pub(crate) const ASKS_MAX: usize = 64;
/// Most asks that wait for the bus.
const FLYING_MAX: usize = 256;

/// What became of a look for content: its bytes, or none if they were erased.
pub type Fetched = Result<Option<Sealed>, Error>;

/// What a request wants of the bus. It goes on even if whoever asked has gone away.
#[derive(Debug)]
pub enum BusRequest {
    /// Append this and say where; no answer means that the actor is stopping.
    Append(Draft<Gateway>, oneshot::Sender<Meta>),
    /// Read what this author put there.
    Fetch(AuthorId, Content, oneshot::Sender<Fetched>),
}

/// Asks the bus until nobody can ask any more.
pub(crate) async fn forward(
    bus: Bus<Gateway>,
    mut asks: mpsc::Receiver<BusRequest>,
) -> Result<(), Error> {
    let mut flying = FuturesUnordered::new();
    loop {
        tokio::select! {
            ask = asks.recv(), if flying.len() < FLYING_MAX => match ask {
                Some(ask) => flying.push(perform(bus.clone(), ask)),
                None => return Ok(()),
            },
            Some(()) = flying.next() => {}
        }
    }
}

/// Whoever asked may have gone away; nobody minds then.
async fn perform(bus: Bus<Gateway>, ask: BusRequest) {
    match ask {
        BusRequest::Append(draft, reply) => {
            if let Ok(meta) = bus.append(draft).await {
                reply.send(meta).ok();
            }
        }
        BusRequest::Fetch(author, content, reply) => {
            reply.send(bus.get_sealed(author, &content).await).ok();
        }
    }
}
