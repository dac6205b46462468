//! The state that requests share: the owner's key, the projection, the channel to the bus, and the limits.

use std::{path::PathBuf, sync::Arc, time::Duration};

use actor::{Clock, Context};
use bus_schema::{
    AuthorId, Content, DeploymentId, DeviceId, DeviceOnRecord, Draft, Gateway, Meta, PublicKey,
    Sealed, ShowPage, ShownPage,
};
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    api::ACCESS_MS_MAX,
    changes::Changes,
    config::Hosts,
    forward::{BusRequest, HandedIn},
    pairings::Pairings,
    pieces::Pieces,
    problem::{Kind, Problem},
    sessions::Sessions,
    shared_record::{Reserved, SharedRecord},
    slots::Slots,
    streams::Streams,
};

/// The limits: counts and timeouts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections of a listener; a new one displaces the one that the gateway has waited for longest.
    pub connections: usize,
    /// Open event streams.
    pub streams: usize,
    /// Open event streams with one access.
    pub streams_each: usize,
    /// Bodies that are being read; a new one displaces the oldest.
    pub bodies: usize,
    /// The timeout for a request's header, also between two requests.
    pub header: Duration,
    /// The timeout for a request's body.
    pub body: Duration,
    /// The timeout for the bus.
    pub answer: Duration,
    /// The time that a connection keeps its slot while its request is answered: the longest validity of an access.
    pub kept: Duration,
    /// The lifetime of a connection; clients continue an event stream on a new one.
    pub connection: Duration,
    /// The interval of comments on a silent event stream.
    pub keep_alive: Duration,
    /// The grace period for responses in progress when the gateway stops.
    pub grace: Duration,
}

impl Limits {
    /// The limits of the service.
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

/// The state that requests share.
#[derive(Debug)]
pub struct AppState {
    pub(crate) owner: PublicKey,
    pub(crate) clock: Clock,
    pub(crate) state: PathBuf,
    /// The folder of the configuration file.
    pub(crate) folder: PathBuf,
    pub(crate) stop: watch::Receiver<bool>,
    pub(crate) shared_record: Arc<SharedRecord>,
    pub(crate) hosts: Hosts,
    pub(crate) limits: Limits,
    pub(crate) streams: Arc<Streams>,
    pub(crate) bodies: Arc<Slots>,
    pub(crate) sessions: Sessions,
    pub(crate) pairings: Pairings,
    pub(crate) changes: Arc<Changes>,
    pub(crate) pieces: Arc<Pieces>,
    bus_requests: mpsc::Sender<BusRequest>,
}

impl AppState {
    /// Creates the state for the host names `hosts`; `bus_requests` sends requests to the bus.
    #[must_use]
    pub fn new(
        context: &Context,
        shared_record: Arc<SharedRecord>,
        bus_requests: mpsc::Sender<BusRequest>,
        hosts: Hosts,
        limits: Limits,
    ) -> Arc<Self> {
        Arc::new(Self {
            owner: context.owner,
            clock: context.clock.clone(),
            state: context.state.clone(),
            folder: context.folder.clone(),
            stop: context.stop.clone(),
            shared_record,
            hosts,
            limits,
            streams: Streams::new(limits.streams, limits.streams_each),
            bodies: Slots::new(limits.bodies, limits.body),
            sessions: Sessions::default(),
            pairings: Pairings::default(),
            changes: Arc::default(),
            pieces: Arc::default(),
            bus_requests,
        })
    }

    /// The deployment, once the stream was read to its end.
    pub(crate) fn deployment(&self) -> Result<DeploymentId, Problem> {
        let deployment = self.shared_record.read().deployment();
        deployment
            .filter(|_| self.shared_record.is_caught_up())
            .ok_or_else(|| {
                Problem::new(
                    Kind::NotReady,
                    "the stream is still being read; try again in a few seconds",
                )
            })
    }

    /// Checks that the owner's device counts now, by bus time and by the gateway's clock.
    pub(crate) fn device(&self, device: &DeviceId) -> Result<DeviceOnRecord, Problem> {
        let record = self.shared_record.read();
        let known = record.devices().get(device).cloned();
        let now = record.now().max(self.clock.wall());
        drop(record);
        let next = "pair the device again with `contractual pair`";
        let known = known.ok_or_else(|| {
            Problem::new(Kind::NoAccess, format!("the device is unknown; {next}"))
        })?;
        known.check(now).map_err(|error| {
            Problem::quoting(Kind::NoAccess, &error, "see `contractual device list`")
        })?;
        Ok(known)
    }

    /// Appends `draft`, for which `reserved` was taken, and returns its metadata.
    pub(crate) async fn append(
        &self,
        draft: Draft<Gateway>,
        reserved: Reserved<'_>,
    ) -> Result<Meta, Problem> {
        let (reply, answer) = oneshot::channel();
        self.in_time(async {
            self.bus_requests
                .send(BusRequest::Append(draft, reply))
                .await
                .ok()?;
            reserved.sent();
            answer.await.ok()
        })
        .await
    }

    /// Fetches a content; none if it was erased.
    pub(crate) async fn fetch(
        &self,
        author: AuthorId,
        content: Content,
    ) -> Result<Option<Sealed>, Problem> {
        let (reply, answer) = oneshot::channel();
        let fetched = self.in_time(async {
            self.bus_requests
                .send(BusRequest::Fetch(author, content, reply))
                .await
                .ok()?;
            answer.await.ok()
        });
        fetched.await?.map_err(|error| {
            tracing::warn!(error = actor::chain(&error), "cannot read content");
            Problem::new(
                Kind::NoAnswer,
                "the bus did not return the content; try again",
            )
        })
    }

    /// Hands a message in, and returns its place in the stream of messages from outside.
    pub(crate) async fn hand_in(&self, message: HandedIn) -> Result<u64, Problem> {
        let (reply, answer) = oneshot::channel();
        let stored = self.in_time(async {
            let request = BusRequest::HandIn(message, reply);
            self.bus_requests.send(request).await.ok()?;
            answer.await.ok()
        });
        stored.await?.map_err(|error| {
            tracing::warn!(error = actor::chain(&error), "cannot hand a message in");
            let next = "the bus did not store the message; send it again";
            Problem::new(Kind::NoAnswer, next)
        })
    }

    /// Asks ui for a page; none if it does not answer.
    pub(crate) async fn show(&self, asked: ShowPage) -> Option<ShownPage> {
        let (reply, answer) = oneshot::channel();
        let shown = self.in_time(async {
            let request = BusRequest::Show(asked, reply);
            self.bus_requests.send(request).await.ok()?;
            answer.await.ok()
        });
        match shown.await {
            Ok(Ok(page)) => Some(page),
            Ok(Err(error)) => {
                tracing::warn!(%error, "there is no page");
                None
            }
            Err(_) => None,
        }
    }

    async fn in_time<T>(&self, asked: impl Future<Output = Option<T>>) -> Result<T, Problem> {
        match tokio::time::timeout(self.limits.answer, asked).await {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => {
                let next =
                    "the gateway is stopping; check whether it was stored before you send it again";
                Err(Problem::new(Kind::NotReady, next))
            }
            Err(_) => {
                let next = "the bus did not answer in time; check whether it was stored before you send it again";
                Err(Problem::new(Kind::NoAnswer, next))
            }
        }
    }
}
