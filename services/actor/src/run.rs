//! The loop around a core: read, verify, fold, ask what is wanted, append.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use async_nats::jetstream::{
    consumer::{PullConsumer, pull},
    stream::ConsumerErrorKind,
};
use bus_schema::{
    AUDIT, Author, AuthorId, Body, Deployment, Digest, Draft, Facts as _, Head, Live, Raw, Read,
    Says, Sees, ServiceStarted, Time, Verifier, wire,
};
use futures::{FutureExt as _, StreamExt as _};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

use crate::{
    Beside, Bus, Clock, Core, Error, Health, Heard, Key, Out, Service,
    append::{Appender, Then},
    bus::{Keys, Outside, REQUEST_TIMEOUT, header},
    clock::BusClock,
    core::Want,
    error::chain,
    hardening, health,
    projection::{Position, Projection},
};

/// Messages folded between two looks at everything else.
const FOLD_AT_ONCE: usize = 256;
/// Folds after which the projection is kept.
const SAVE_AFTER: u64 = 20_000;
/// How long a stopping actor waits for what is on its way.
const STOP_GRACE: Duration = Duration::from_secs(3);
/// How long what runs beside the core may take to end after that.
const BESIDE_GRACE: Duration = Duration::from_secs(1);

type Me<S> = <<S as Service>::Core as Core>::Me;
type Effect<S> = <<S as Service>::Core as Core>::Effect;
type Input<S> = <<S as Service>::Core as Core>::Input;

pub(crate) struct Actor<S: Service> {
    service: Arc<S>,
    core: S::Core,
    verifier: Verifier,
    position: Position,
    projection: Projection,
    unsaved: u64,
    bus: Bus<Me<S>>,
    keys: Keys,
    clock: Clock,
    bus_clock: BusClock,
    state: std::path::PathBuf,
    appender: Appender<Me<S>, Effect<S>>,
    outside: mpsc::Receiver<Outside<Me<S>>>,
    inbox: mpsc::Receiver<Input<S>>,
    beside: JoinSet<Result<(), Error>>,
    running: BTreeSet<Key>,
    effects: JoinSet<(Key, Input<S>)>,
    heard: Option<(Head, Duration, u64)>,
    consumed: u64,
    caught_up: bool,
    announced: bool,
    wake: Option<Time>,
    stop: watch::Receiver<bool>,
}

pub(crate) struct Parts<S: Service> {
    pub(crate) service: S,
    pub(crate) core: S::Core,
    pub(crate) bus: Bus<Me<S>>,
    pub(crate) outside: mpsc::Receiver<Outside<Me<S>>>,
    pub(crate) keys: Keys,
    pub(crate) clock: Clock,
    pub(crate) owner: bus_schema::PublicKey,
    pub(crate) state: std::path::PathBuf,
    pub(crate) stop: watch::Receiver<bool>,
}

impl<S: Service> Actor<S>
where
    Me<S>: Says<ServiceStarted>,
{
    pub(crate) fn new(parts: Parts<S>) -> Result<Self, Error> {
        let Parts {
            service,
            mut core,
            bus,
            outside,
            keys,
            clock,
            owner,
            state,
            stop,
        } = parts;
        health::clear(&state);
        let reads = <S::Core as Core>::Fact::READS;
        let reads = Digest::of(&[&wire::encode(&reads)]);
        let projection = Projection::open(&state.join("projection"), reads)?;
        let sees = if Me::<S>::ID == AuthorId::Audit {
            Sees::Everything
        } else {
            Sees::Own(Me::<S>::ID)
        };
        let mut verifier = Verifier::new(owner, sees);
        let mut position = Position::START;
        if let Some(kept) = projection.load::<<S::Core as Core>::State>()
            && kept.verifier.owner() == owner
            && core.accepts(kept.position.seq)
        {
            position = kept.position;
            verifier = kept.verifier;
            core.restore(kept.state);
        }
        let (input, inbox) = mpsc::channel(1024);
        let service = Arc::new(service);
        let mut beside = Beside {
            bus: bus.clone(),
            input,
            stop: stop.clone(),
            tasks: JoinSet::new(),
        };
        S::start(&service, &mut beside)?;
        Ok(Self {
            service,
            core,
            verifier,
            position,
            projection,
            unsaved: 0,
            appender: Appender::new(bus.clone()),
            bus,
            keys,
            clock,
            bus_clock: BusClock::default(),
            state,
            outside,
            inbox,
            beside: beside.tasks,
            running: BTreeSet::new(),
            effects: JoinSet::new(),
            heard: None,
            consumed: 0,
            caught_up: false,
            announced: false,
            wake: None,
            stop,
        })
    }

    /// Runs until asked to stop.
    pub(crate) async fn run(mut self) -> Result<(), Error> {
        let mut heads = if Head::TO.contains(&Me::<S>::ID) {
            let subscribed = self.bus.client().subscribe(Head::subject()).await;
            subscribed
                .map_err(|error| Error::Bus {
                    what: "to listen to the log's heads",
                    reason: chain(&error),
                })?
                .boxed()
        } else {
            futures::stream::pending().boxed()
        };
        let mut messages = self.open().await?;
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        let mut stop = self.stop.clone();
        let mut stopping = false;
        let deadline = tokio::time::sleep(Duration::MAX);
        tokio::pin!(deadline);
        loop {
            if self.caught_up && !stopping {
                if !self.announced {
                    self.core.caught_up();
                }
                self.announce();
                self.advance();
            }
            self.appender.launch_waiting(&self.verifier);
            if stopping && self.effects.is_empty() && self.appender.is_empty() {
                break;
            }
            let wake = self.wake_in();
            tokio::select! {
                message = messages.next(), if self.core.ready() => {
                    if !self.fold_some(message, &mut messages).await? {
                        messages = self.open().await?;
                    }
                }
                acked = self.appender.acked() => {
                    self.appender.on_ack(acked, &self.verifier, self.position.seq)?;
                }
                Some(done) = self.effects.join_next() => self.effect_done(done)?,
                Some(outside) = self.outside.recv() => self.appender.queue(outside),
                Some(input) = self.inbox.recv() => self.core.input(input),
                Some(message) = heads.next() => self.hear(&message),
                Some(ended) = self.beside.join_next() => {
                    ended.map_err(|error| Error::Service(error.to_string()))??;
                }
                () = tokio::time::sleep(wake) => self.wake = None,
                _ = tick.tick() => self.tick()?,
                changed = stop.changed(), if !stopping => {
                    stopping = changed.is_err() || *stop.borrow();
                    deadline.as_mut().reset(tokio::time::Instant::now() + STOP_GRACE);
                }
                () = &mut deadline, if stopping => break,
            }
        }
        self.effects.shutdown().await;
        // What runs beside the core was told to stop as well, and may have to say goodbye to its clients.
        let ended = async { while self.beside.join_next().await.is_some() {} };
        drop(tokio::time::timeout(BESIDE_GRACE, ended).await);
        self.beside.shutdown().await;
        self.save()?;
        health::clear(&self.state);
        // What was acknowledged is stored; this only lets the last live messages out.
        drop(tokio::time::timeout(Duration::from_secs(1), self.bus.client().flush()).await);
        Ok(())
    }

    /// Puts the consumer to where the projection stands and starts pulling.
    async fn open(&mut self) -> Result<pull::Stream, Error> {
        let name = Me::<S>::ID.name();
        let mut tried = 0;
        loop {
            match self.try_open(name).await {
                Ok(messages) => return Ok(messages),
                Err(Error::Bus { what, reason }) => {
                    tried += 1;
                    tracing::warn!(what, reason, tried, "cannot read the stream yet");
                    self.write_health(Some("cannot read the stream"))?;
                    if *self.stop.borrow() {
                        return Err(Error::Bus { what, reason });
                    }
                    tokio::time::sleep(
                        Duration::from_millis(200) + self.clock.jitter(Duration::from_millis(200)),
                    )
                    .await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn try_open(&mut self, name: &str) -> Result<pull::Stream, Error> {
        let failed = |what: &'static str| move |reason: String| Error::Bus { what, reason };
        let found = self
            .bus
            .jetstream()
            .get_consumer_from_stream(name, AUDIT)
            .await;
        let mut consumer: PullConsumer = found.map_err(|error| {
            let missing = matches!(
                error.kind(),
                ConsumerErrorKind::JetStream(ref code) if code.code() == 404
            );
            if missing {
                Error::NotProvisioned {
                    what: format!("the consumer {name} of the stream {AUDIT}"),
                }
            } else {
                failed("to find the consumer")(chain(&error))
            }
        })?;
        // The last folded message comes again: only the same stream has the same one there.
        let from = self.position.seq.max(1);
        let reset = consumer.reset(Some(from)).await;
        let reset = reset.map_err(|error| failed("to put the consumer back")(chain(&error)))?;
        let pending = reset.info.num_pending;
        if self.position.seq > 0 && pending == 0 {
            self.rebuild("the stream ends before it");
            return Box::pin(self.try_open(name)).await;
        }
        self.consumed = 0;
        self.caught_up = pending == 0;
        let stream = consumer
            .stream()
            .max_messages_per_batch(FOLD_AT_ONCE)
            .expires(Duration::from_secs(30))
            .heartbeat(Duration::from_secs(2));
        stream
            .messages()
            .await
            .map_err(|error| failed("to pull")(chain(&error)))
    }

    fn rebuild(&mut self, why: &str) {
        tracing::warn!(
            why,
            seq = self.position.seq,
            "the projection is of another stream; rebuilding it"
        );
        let sees = if Me::<S>::ID == AuthorId::Audit {
            Sees::Everything
        } else {
            Sees::Own(Me::<S>::ID)
        };
        self.verifier = Verifier::new(self.verifier.owner(), sees);
        self.position = Position::START;
        self.core.restore(<S::Core as Core>::State::default());
    }

    /// Folds what there is, up to a bound. `false`: the consumer has to be opened anew.
    async fn fold_some(
        &mut self,
        first: Option<Result<async_nats::jetstream::Message, pull::MessagesError>>,
        messages: &mut pull::Stream,
    ) -> Result<bool, Error> {
        let mut next = first;
        for _ in 0..FOLD_AT_ONCE {
            match next {
                Some(Ok(message)) => {
                    if !self.fold(&message)? {
                        let pause = self.clock.jitter(REQUEST_TIMEOUT / 10);
                        tokio::time::sleep(pause).await;
                        return Ok(false);
                    }
                }
                Some(Err(error)) => {
                    tracing::warn!(error = chain(&error), "reading the stream was interrupted");
                    return Ok(false);
                }
                None => return Ok(false),
            }
            if !self.core.ready() {
                break;
            }
            match messages.next().now_or_never() {
                Some(message) => next = message,
                None => break,
            }
        }
        Ok(true)
    }

    /// Folds one message. `false`: it is not the one that had to come.
    fn fold(&mut self, message: &async_nats::jetstream::Message) -> Result<bool, Error> {
        let Ok(info) = message.info() else {
            return Ok(false);
        };
        if info.consumer_sequence != self.consumed + 1 {
            tracing::warn!(
                expected = self.consumed + 1,
                came = info.consumer_sequence,
                "a message is missing: somebody else reads as me, or the server restarted"
            );
            return Ok(false);
        }
        let again = self.consumed == 0 && self.position.seq > 0;
        self.consumed += 1;
        let digest = Digest::of(&[&message.payload]);
        let last = info.pending == 0;
        if again {
            if info.stream_sequence != self.position.seq || digest != self.position.digest {
                self.rebuild("another message stands where it stopped");
                return Ok(false);
            }
            self.caught_up |= last;
            return Ok(true);
        }
        let stored =
            Time::from_ns(i64::try_from(info.published.unix_timestamp_nanos()).unwrap_or(0));
        self.bus_clock.saw(stored, self.clock.elapsed());
        let raw = Raw {
            subject: &message.subject,
            signature: header(message.headers.as_ref(), bus_schema::HEADER_SIGNATURE),
            body: &message.payload,
            seq: info.stream_sequence,
            stored,
        };
        let deployment = self.verifier.deployment();
        let read = self.verifier.read::<<S::Core as Core>::Fact>(&raw)?;
        self.position = Position {
            seq: raw.seq,
            digest,
        };
        self.unsaved += 1;
        let (by, junk) = match read {
            Read::Fact(seen) => {
                let meta = *seen.meta();
                self.core.observe(&raw, Ok(&meta));
                self.core.fold(seen);
                self.own(&meta);
                (Some(meta.by), None)
            }
            Read::Other(meta) => {
                self.core.observe(&raw, Ok(&meta));
                self.own(&meta);
                (Some(meta.by), None)
            }
            Read::Junk(junk) => {
                tracing::debug!(seq = raw.seq, subject = raw.subject, %junk, "skipped junk");
                self.core.observe(&raw, Err(junk));
                (None, Some(junk))
            }
        };
        self.appender.on_read(raw.seq, by, junk)?;
        if by == Some(AuthorId::Owner) || deployment.is_none() {
            self.share_keys();
        }
        self.caught_up |= last;
        Ok(true)
    }

    fn own(&mut self, meta: &bus_schema::Meta) {
        if meta.by != Me::<S>::ID {
            return;
        }
        match self.appender.on_own(meta) {
            Some(Then::Reply(reply)) => {
                // Whoever asked may have gone away.
                reply.send(*meta).ok();
            }
            Some(Then::Run(permit, run)) => {
                let key = Key::Action("run", permit.draft().action);
                if permit.in_time(meta.stored) {
                    let claim = crate::Claim::new(*permit, meta.id);
                    self.perform(key, run(claim));
                } else {
                    tracing::warn!("the claim was stored too late; nothing runs");
                }
            }
            Some(Then::Nothing) | None => {}
        }
    }

    fn perform(&mut self, key: Key, effect: Effect<S>) {
        self.running.insert(key);
        let performed = S::perform(Arc::clone(&self.service), effect, self.bus.clone());
        self.effects.spawn(async move { (key, performed.await) });
    }

    fn effect_done(
        &mut self,
        done: Result<(Key, Input<S>), tokio::task::JoinError>,
    ) -> Result<(), Error> {
        let (key, input) = done.map_err(|error| Error::Service(error.to_string()))?;
        self.running.remove(&key);
        self.core.input(input);
        Ok(())
    }

    /// Asks the core what it wants and sets it going.
    fn advance(&mut self) {
        let now = self
            .bus_clock
            .now(self.clock.elapsed())
            .unwrap_or_else(|| self.verifier.now());
        let heard = self.heard.as_ref().map(|(head, at, _)| Heard {
            head: head.clone(),
            age: self.clock.elapsed().saturating_sub(*at),
        });
        let mut out = Out::new(now, heard, self.appender.busy(), &self.running, &self.clock);
        self.core.next(&mut out);
        let (wants, wake) = (out.wants, out.wake);
        self.wake = wake;
        for want in wants {
            match want {
                Want::Append(draft) => self.appender.launch(draft, Then::Nothing, &self.verifier),
                Want::Claim(permit, run) => {
                    let draft = permit.started();
                    self.appender
                        .launch(draft, Then::Run(Box::new(permit), run), &self.verifier);
                }
                Want::Effect(key, effect) => self.perform(key, effect),
            }
        }
    }

    fn announce(&mut self) {
        if self.announced {
            return;
        }
        self.announced = true;
        let fact = ServiceStarted {
            version: crate::version(),
            hardening: hardening::measure(),
        };
        let (reply, _nobody) = tokio::sync::oneshot::channel();
        self.appender.queue((Draft::of(Deployment, fact), reply));
        tracing::info!(seq = self.position.seq, "ready");
    }

    fn share_keys(&self) {
        let mut keys = self
            .keys
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        for author in AuthorId::ALL {
            match self.verifier.key(*author) {
                Some(key) => drop(keys.insert(*author, key)),
                None => drop(keys.remove(author)),
            }
        }
    }

    fn hear(&mut self, message: &async_nats::Message) {
        let signature =
            header(message.headers.as_ref(), bus_schema::HEADER_SIGNATURE).unwrap_or_default();
        if self
            .verifier
            .check_message(Head::BY, &message.payload, signature)
            .is_err()
        {
            return;
        }
        let Ok(said) = wire::decode::<Body<Head>>(&message.payload) else {
            return;
        };
        let genuine = said.subject == Head::subject() && said.author == Head::BY;
        // A head that was said before is no sign of life.
        let newer = self
            .heard
            .as_ref()
            .is_none_or(|(_, _, seq)| said.seq > *seq);
        if genuine && newer {
            self.heard = Some((said.fact, self.clock.elapsed(), said.seq));
        }
    }

    fn wake_in(&self) -> Duration {
        let now = self.bus_clock.now(self.clock.elapsed());
        self.wake
            .zip(now)
            .map_or(Duration::from_secs(3600), |(wake, now)| {
                Duration::from_millis(wake.ms_since(now) + 1)
            })
    }

    fn tick(&mut self) -> Result<(), Error> {
        if self.unsaved >= SAVE_AFTER {
            self.save()?;
        }
        self.write_health(None)
    }

    fn save(&mut self) -> Result<(), Error> {
        if self.unsaved > 0 {
            self.projection
                .save(self.position, &self.verifier, self.core.state())?;
            self.unsaved = 0;
        }
        Ok(())
    }

    fn write_health(&self, trouble: Option<&str>) -> Result<(), Error> {
        let connected =
            self.bus.client().connection_state() == async_nats::connection::State::Connected;
        let trouble = trouble
            .or((!connected).then_some("not connected to the bus"))
            .or(self.appender.trouble())
            .or(self.core.trouble())
            .or((!self.caught_up).then_some("still reading the stream"));
        let health = Health {
            at: self.clock.wall(),
            ok: trouble.is_none(),
            state: trouble.unwrap_or("ready").to_owned(),
            seq: self.position.seq,
            junk: self.verifier.junk().values().sum(),
        };
        health::write(&self.state, &health).map_err(|error| Error::State {
            path: self.state.clone(),
            reason: format!("{error}; free space or make it writable"),
        })
    }
}
