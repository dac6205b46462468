//! Bus requests, and the task that forwards them to the bus.

use actor::{Bus, Error, NoAnswer};
use bus_schema::{AuthorId, Content, Draft, Gateway, JobName, Meta, Sealed, ShowPage, ShownPage};
use futures::{StreamExt as _, stream::FuturesUnordered};
use tokio::sync::{mpsc, oneshot};

/// The maximum number of requests that wait for forwarding.
pub(crate) const ASKS_MAX: usize = 64;
/// The maximum number of requests that wait for the bus.
const FLYING_MAX: usize = 256;

/// The result of a fetch: the content's bytes, or none if they were erased.
pub type Fetched = Result<Option<Sealed>, Error>;

/// A message that a webhook hands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandedIn {
    /// The webhook.
    pub hook: JobName,
    /// The id: equal for messages that say the same.
    pub id: String,
    /// The body: JSON.
    pub body: Vec<u8>,
}

/// A request to the bus. It completes even if its HTTP client has disconnected.
#[derive(Debug)]
pub enum BusRequest {
    /// Appends the draft and returns its metadata; no reply means that the actor is stopping.
    Append(Draft<Gateway>, oneshot::Sender<Meta>),
    /// Fetches a content of this author.
    Fetch(AuthorId, Content, oneshot::Sender<Fetched>),
    /// Hands in a message of a webhook, and returns its place.
    HandIn(HandedIn, oneshot::Sender<Result<u64, Error>>),
    /// Asks ui for a page.
    Show(ShowPage, oneshot::Sender<Result<ShownPage, NoAnswer>>),
}

/// Forwards requests to the bus until all senders are closed.
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

/// Performs one request. A closed reply channel is no error: the client has disconnected.
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
        BusRequest::HandIn(message, reply) => {
            let HandedIn { hook, id, body } = message;
            reply.send(bus.hand_in(&hook, &id, body).await).ok();
        }
        BusRequest::Show(asked, reply) => {
            reply.send(bus.ask(AuthorId::Ui, asked).await).ok();
        }
    }
}
