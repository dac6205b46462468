//! The loop around a core: reads, verifies and folds messages, asks the core for its wishes, and appends events.

mod claims;
mod pull;
mod read;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use bus_schema::{
    Author as _, AuthorId, CanPublish, ChainScope, Deployment, Digest, Draft, Facts as _,
    Hardening, ServiceStarted, Time, Verifier, wire,
};
use futures::StreamExt as _;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

use crate::{
    BackgroundTasks, Bus, Clock, Core, Error, Health, Key, Outbox, Service,
    append::{Acked, Appender, Then},
    bus::{Keys, Outside, share_keys},
    claims::Claims,
    clock::BusClock,
    core::Want,
    health,
    live::Heads,
    projection::{Position, Projection},
};

/// Most messages that are folded before everything else has its turn.
const FOLD_AT_ONCE: usize = 256;
/// Number of folds after which a snapshot is saved.
const SAVE_AFTER: u64 = 20_000;
/// The time that a stopping actor waits for events in flight.
const STOP_GRACE: Duration = Duration::from_millis(2500);
/// The time that tasks beside the core may take to end after that.
const BESIDE_GRACE: Duration = Duration::from_secs(1);
/// The time that the last live messages may take to be sent.
const FLUSH_GRACE: Duration = Duration::from_millis(250);

type Me<S> = <<S as Service>::Core as Core>::Me;
type Effect<S> = <<S as Service>::Core as Core>::Effect;
type Input<S> = <<S as Service>::Core as Core>::Input;
/// The result of an effect's task.
type Done<S> = Result<(Key, Input<S>), tokio::task::JoinError>;

/// The chains in which an author checks every link.
fn sees(me: AuthorId) -> ChainScope {
    if me == AuthorId::Audit {
        ChainScope::Everything
    } else {
        ChainScope::Own(me)
    }
}

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
    /// The hardening that the process reports in its first event.
    hardening: Hardening,
    appender: Appender<Me<S>, Effect<S>>,
    /// The claims; none for an actor that acts on no grants.
    claims: Option<Claims<Me<S>, Effect<S>>>,
    outside: mpsc::Receiver<Outside<Me<S>>>,
    inbox: mpsc::Receiver<Input<S>>,
    beside: JoinSet<Result<(), Error>>,
    running: BTreeSet<Key>,
    effects: JoinSet<(Key, Input<S>)>,
    heads: Heads,
    consumed: u64,
    caught_up: bool,
    announced: bool,
    /// True if the health file reports a problem.
    troubled: bool,
    /// The first own event that was read back.
    began: Option<u64>,
    wake: Option<Time>,
    /// True if a task waits for messages that are still to be read.
    hurry: watch::Sender<bool>,
    reconnected: watch::Receiver<u64>,
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
    pub(crate) hardening: Hardening,
    pub(crate) reconnected: watch::Receiver<u64>,
    pub(crate) stop: watch::Receiver<bool>,
}

impl<S: Service> Actor<S>
where
    Me<S>: CanPublish<ServiceStarted>,
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
            hardening,
            reconnected,
            stop,
        } = parts;
        health::clear(&state);
        let reads = <S::Core as Core>::Fact::READS;
        let reads = Digest::of(&[&wire::encode(&reads)]);
        let projection = Projection::open(&state.join("projection"), reads)?;
        let claims = Claims::open(&state, &projection)?;
        let mut verifier = Verifier::new(owner, sees(Me::<S>::ID));
        let mut position = Position::START;
        if let Some(kept) = projection.load::<<S::Core as Core>::State>()
            && kept.verifier.owner() == owner
            && core.accepts(kept.position.seq)
        {
            position = kept.position;
            verifier = kept.verifier;
            // Otherwise calls would be refused until the owner's next event.
            share_keys(&keys, &verifier);
            core.restore(kept.state);
        }
        let (input, inbox) = mpsc::channel(1024);
        let service = Arc::new(service);
        let mut beside = BackgroundTasks {
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
            claims,
            bus,
            keys,
            clock,
            bus_clock: BusClock::default(),
            state,
            hardening,
            outside,
            inbox,
            beside: beside.tasks,
            running: BTreeSet::new(),
            effects: JoinSet::new(),
            heads: Heads::default(),
            consumed: 0,
            caught_up: false,
            announced: false,
            troubled: true,
            began: None,
            wake: None,
            hurry: watch::Sender::new(false),
            reconnected,
            stop,
        })
    }

    /// Runs until asked to stop.
    pub(crate) async fn run(mut self) -> Result<(), Error> {
        let mut heads = self.heads().await?;
        let mut messages = self.open().await?;
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        let mut stop = self.stop.clone();
        let mut reconnected = self.reconnected.clone();
        let mut stopping = false;
        let deadline = tokio::time::sleep(Duration::MAX);
        tokio::pin!(deadline);
        loop {
            self.ask_core(stopping)?;
            self.watch_health()?;
            // Before that, it is not known if readers accept its key.
            if self.announced {
                self.appender.launch_waiting(&mut self.verifier);
            }
            self.appender.send_ready();
            let mut records = false;
            if let Some(claims) = &mut self.claims {
                claims.write();
                records = !claims.is_idle();
            }
            if stopping && self.effects.is_empty() && self.appender.is_empty() && !records {
                break;
            }
            let hurry = !self.appender.is_empty() || self.core.hurries();
            self.hurry
                .send_if_modified(|told| std::mem::replace(told, hurry) != hurry);
            let wake = self.wake_in();
            tokio::select! {
                message = messages.next(), if self.core.ready() => {
                    if !self.fold_some(message, &mut messages).await? {
                        messages = self.reopen(messages).await?;
                    }
                }
                // Messages in flight at the break are lost, and no later message may show it.
                Ok(()) = reconnected.changed() => {
                    messages = self.reopen(messages).await?;
                    self.appender.resend();
                }
                acked = self.appender.acked() => self.on_acks(acked)?,
                Some(done) = self.effects.join_next() => self.effects_done(done)?,
                written = Claims::written(&mut self.claims) => self.recorded(written)?,
                Some(outside) = self.outside.recv() => self.queue(outside),
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
        self.end().await
    }

    /// Ends all tasks and saves the snapshot.
    async fn end(&mut self) -> Result<(), Error> {
        self.effects.shutdown().await;
        // Tasks beside the core have received the stop as well, and may have to close their clients' connections.
        let ended = async { while self.beside.join_next().await.is_some() {} };
        drop(tokio::time::timeout(BESIDE_GRACE, ended).await);
        self.beside.shutdown().await;
        self.save()?;
        health::clear(&self.state);
        // Acknowledged events are stored; this only sends the last live messages.
        drop(tokio::time::timeout(FLUSH_GRACE, self.bus.client().flush()).await);
        Ok(())
    }

    fn own(&mut self, meta: &bus_schema::Meta) {
        if meta.by != Me::<S>::ID {
            return;
        }
        let own = self.appender.on_own(meta);
        if own.is_some() && self.began.is_none() {
            self.began = Some(meta.seq);
            self.bus.begin(meta.seq);
        }
        match own {
            Some(Then::Reply(reply)) => {
                // The caller may have gone away.
                reply.send(*meta).ok();
            }
            Some(Then::Run(permit, run)) => self.read_back(*permit, run, meta),
            Some(Then::Nothing) | None => {}
        }
    }

    fn perform(&mut self, key: Key, effect: Effect<S>) {
        self.running.insert(key);
        let performed = S::perform(Arc::clone(&self.service), effect, self.bus.clone());
        self.effects.spawn(async move { (key, performed.await) });
    }

    /// Gives the core the results of this effect and of all others that have ended.
    fn effects_done(&mut self, done: Done<S>) -> Result<(), Error> {
        let mut next = Some(done);
        while let Some(done) = next {
            let (key, input) = done.map_err(|error| Error::Service(error.to_string()))?;
            self.running.remove(&key);
            self.core.input(input);
            next = self.effects.try_join_next();
        }
        Ok(())
    }

    /// Handles this answer of the server and all others that have come.
    fn on_acks(&mut self, acked: Acked) -> Result<(), Error> {
        let mut next = Some(acked);
        while let Some(acked) = next {
            self.appender
                .on_ack(acked, &self.verifier, self.position.seq)?;
            next = self.appender.acked_too();
        }
        Ok(())
    }

    /// Queues this draft from beside the core and all others that wait.
    fn queue(&mut self, outside: Outside<Me<S>>) {
        let mut next = Some(outside);
        while let Some(outside) = next {
            self.appender.queue(outside);
            next = self.outside.try_recv().ok();
        }
    }

    fn ask_core(&mut self, stopping: bool) -> Result<(), Error> {
        if stopping {
            self.ask(S::Core::finish);
        } else if self.caught_up {
            if !self.announced {
                self.check_roster()?;
                self.core.caught_up();
                self.announce();
            }
            self.ask(S::Core::next);
        } else if !self.core.ready() {
            // The core has to finish something before it can take more messages.
            self.ask(S::Core::next);
        }
        Ok(())
    }

    /// Checks that readers accept what this actor signs.
    fn check_roster(&self) -> Result<(), Error> {
        let key = bus_schema::public_key(self.bus.key());
        if self.verifier.key(Me::<S>::ID) == Some(key) {
            return Ok(());
        }
        Err(Error::NotInRoster { key })
    }

    /// Asks the core for its wishes and starts them.
    fn ask(&mut self, wishes: impl FnOnce(&S::Core, &mut Outbox<'_, S::Core>)) {
        let now = self
            .bus_clock
            .now(self.clock.elapsed())
            .unwrap_or_else(|| self.verifier.now());
        let heard = self.heads.newest(self.clock.elapsed());
        let given_back = self.appender.given_back();
        let mut out = Outbox::new(now, heard, self.appender.busy(), &self.running, &self.clock);
        if let Some(claims) = &mut self.claims {
            given_back.into_iter().for_each(|one| claims.give_back(one));
            out = out.of_executor(&claims.standing, &claims.ledger);
        }
        wishes(&self.core, &mut out);
        let (wants, wake) = (out.wants, out.wake);
        self.wake = wake;
        for want in wants {
            match want {
                Want::Append(drafts) => {
                    self.appender
                        .launch(drafts, Then::Nothing, &mut self.verifier);
                }
                Want::Claim(permit, run) => {
                    let Some(claims) = &mut self.claims else {
                        continue;
                    };
                    claims.take(permit.granted());
                    let draft = permit.started();
                    let then = Then::Run(permit, run);
                    self.appender.launch(vec![draft], then, &mut self.verifier);
                }
                Want::Effect(key, effect) => self.perform(key, effect),
            }
        }
    }

    fn announce(&mut self) {
        self.announced = true;
        let fact = ServiceStarted {
            version: crate::version(),
            hardening: self.hardening.clone(),
        };
        let (reply, _nobody) = tokio::sync::oneshot::channel();
        self.appender.queue((Draft::of(Deployment, fact), reply));
        tracing::info!(seq = self.position.seq, "ready");
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
        if let Some(claims) = &mut self.claims {
            claims.repair();
        }
        self.stand()?;
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

    /// The problem that keeps this actor from doing its job.
    fn trouble(&self) -> Option<&str> {
        let connected =
            self.bus.client().connection_state() == async_nats::connection::State::Connected;
        (!connected)
            .then_some("not connected to the bus")
            .or(self.appender.trouble())
            .or(self.claims.as_ref().and_then(Claims::trouble))
            .or(self.core.trouble())
            .or((!self.caught_up).then_some("still reading the stream"))
    }

    /// Writes the health file at once when the health changes.
    fn watch_health(&mut self) -> Result<(), Error> {
        let troubled = self.trouble().is_some();
        if self.troubled == troubled {
            return Ok(());
        }
        self.troubled = troubled;
        self.write_health(None)
    }

    fn write_health(&self, trouble: Option<&str>) -> Result<(), Error> {
        let trouble = trouble.or(self.trouble());
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
