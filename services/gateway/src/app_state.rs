//! What every request is answered with: whom to trust, what is folded, the way to the bus, and the limits.

use std::{path::PathBuf, sync::Arc, time::Duration};

use actor::{Clock, Context};
use bus_schema::{AuthorId, Content, DeploymentId, Draft, Gateway, Meta, PublicKey, Sealed};
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    api::ACCESS_MS_MAX,
    config::Hosts,
    forward::BusRequest,
    problem::{Kind, Problem},
    room::Room,
    shared_record::{Reserved, SharedRecord},
    streams::Streams,
};

/// How much of anything there may be at a time, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections of a door; for a new one the oldest goes that the gateway waits for.
    pub connections: usize,
    /// Streams of events.
    pub streams: usize,
    /// Streams of events with one access.
    pub streams_each: usize,
    /// Bodies that are being read; for a new one the oldest is given up.
    pub bodies: usize,
    /// Until a request's header has come, also between two requests.
    pub header: Duration,
    /// Until a request's body has come.
    pub body: Duration,
    /// Until the bus has answered.
    pub answer: Duration,
    /// Until a connection gives way to others although its request is being answered: no access lasts longer.
    pub kept: Duration,
    /// Until a connection is ended, whatever it does; a stream of events is taken up again on another one.
    pub connection: Duration,
    /// Between two comments on a stream of events that has nothing to say.
    pub keep_alive: Duration,
    /// For answers that are on their way when the gateway stops.
    pub grace: Duration,
}

impl Limits {
    /// What the service runs with.
    pub const SERVICE: Self = Self {
        connections: 256,
        streams: 64,
        streams_each: 8,
        bodies: 32,
        header: Duration::from_secs(10),
        body: Duration::from_secs(10),
        answer: Duration::from_secs(15),
        kept: Duration::from_millis(ACCESS_MS_MAX),
        connection: Duration::from_mins(15),
        keep_alive: Duration::from_secs(15),
        grace: Duration::from_secs(2),
    };
}

/// What requests share.
#[derive(Debug)]
pub struct AppState {
    pub(crate) owner: PublicKey,
    pub(crate) clock: Clock,
    pub(crate) state: PathBuf,
    pub(crate) stop: watch::Receiver<bool>,
    pub(crate) shelf: Arc<SharedRecord>,
    pub(crate) hosts: Hosts,
    pub(crate) limits: Limits,
    pub(crate) streams: Arc<Streams>,
    pub(crate) bodies: Arc<Room>,
    carrier: mpsc::Sender<BusRequest>,
}

impl AppState {
    /// One that is known as `hosts` and asks the bus through `carrier`.
    #[must_use]
    pub fn new(
        context: &Context,
        shelf: Arc<SharedRecord>,
        carrier: mpsc::Sender<BusRequest>,
        hosts: Hosts,
        limits: Limits,
    ) -> Arc<Self> {
        Arc::new(Self {
            owner: context.owner,
            clock: context.clock.clone(),
            state: context.state.clone(),
            stop: context.stop.clone(),
            shelf,
            hosts,
            limits,
            streams: Streams::new(limits.streams, limits.streams_each),
            bodies: Room::new(limits.bodies, limits.body),
            carrier,
        })
    }

    /// The deployment, once the stream was read.
    pub(crate) fn deployment(&self) -> Result<DeploymentId, Problem> {
        let deployment = self.shelf.read().deployment();
        deployment
            .filter(|_| self.shelf.is_caught_up())
            .ok_or_else(|| {
                Problem::new(
                    Kind::NotReady,
                    "the stream is still being read; try again in a few seconds",
                )
            })
    }

    /// Appends what `reserved` holds and says where it stands.
    pub(crate) async fn append(
        &self,
        draft: Draft<Gateway>,
        reserved: Reserved<'_>,
    ) -> Result<Meta, Problem> {
        let (reply, answer) = oneshot::channel();
        self.in_time(async {
            self.carrier
                .send(BusRequest::Append(draft, reply))
                .await
                .ok()?;
            reserved.sent();
            answer.await.ok()
        })
        .await
    }

    /// A content; none if it was erased.
    pub(crate) async fn fetch(
        &self,
        author: AuthorId,
        content: Content,
    ) -> Result<Option<Sealed>, Problem> {
        let (reply, answer) = oneshot::channel();
        let fetched = self.in_time(async {
            self.carrier
                .send(BusRequest::Fetch(author, content, reply))
                .await
                .ok()?;
            answer.await.ok()
        });
        fetched.await?.map_err(|error| {
            tracing::warn!(error = actor::chain(&error), "cannot read content");
            Problem::new(
                Kind::NoAnswer,
                "the bus did not hand out the content; try again",
            )
        })
    }

    async fn in_time<T>(&self, asked: impl Future<Output = Option<T>>) -> Result<T, Problem> {
        match tokio::time::timeout(self.limits.answer, asked).await {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => {
                let next =
                    "the gateway is stopping; look whether it was stored before you send it again";
                Err(Problem::new(Kind::NotReady, next))
            }
            Err(_) => {
                let next = "the bus did not answer in time; look whether it was stored before you send it again";
                Err(Problem::new(Kind::NoAnswer, next))
            }
        }
    }
}
