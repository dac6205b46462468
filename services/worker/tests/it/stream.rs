//! Simulates a stream of really signed events, the contents beside it, and a worker that reads it.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU16;

use actor::{Clock, Core, Outbox};
use bus_schema::{
    ActionFinished, ActionGranted, ActionId, ActionOutcome, ActionProposed, ActionStarted, Author,
    AuthorId, AuthorKey, Body, CanPublish, Chain, ChainScope, Content, Counts, Deployment, Digest,
    Draft, DraftGrant, Event, EventId, Gateway, Grant, Link, Owner, Policy, Raw, Read,
    RosterChanged, Runner, Salt, Scope, Sealed, SignedEvent, StepName, Subject, TaskAdmitted,
    TaskFinished, TaskId, TaskOutcome, Time, Tip, ToolName, Usage, Verifier, WorkerFact,
    parse_fact, public_key, wire,
};
use ed25519_dalek::SigningKey;
use worker::{Fetched, Found, HELD_BYTES_MAX, WorkerCore};

/// The `ttl_ms` of every grant here.
pub(crate) const TTL_MS: u32 = 10_000;
/// The `wall_ms` of every grant here.
pub(crate) const WALL_MS: u32 = 2_000;

pub(crate) fn uuid<T: std::str::FromStr<Err: std::fmt::Debug>>(n: u64) -> T {
    format!("00000000-0000-7000-8000-{n:012x}").parse().unwrap()
}

fn key(author: AuthorId) -> SigningKey {
    let n = AuthorId::ALL.iter().position(|id| *id == author).unwrap();
    SigningKey::from_bytes(&[u8::try_from(n).unwrap() + 1; 32])
}

/// One stored message.
#[derive(Clone)]
pub(crate) struct Stored {
    event: SignedEvent,
    signature: String,
    stored: Time,
}

/// The stream, with the last event of each author.
pub(crate) struct Stream {
    pub(crate) messages: Vec<Stored>,
    pub(crate) now: Time,
    pub(crate) contents: BTreeMap<(AuthorId, Content), Vec<u8>>,
    tips: BTreeMap<(AuthorId, Option<TaskId>), Tip>,
    salts: u8,
}

impl Stream {
    /// Creates a stream that begins with a roster of all authors.
    pub(crate) fn new() -> Self {
        let mut stream = Self {
            messages: Vec::new(),
            now: Time::from_ns(1_800_000_000_000_000_000),
            contents: BTreeMap::new(),
            tips: BTreeMap::new(),
            salts: 0,
        };
        let known = |author: &AuthorId| AuthorKey {
            author: *author,
            key: public_key(&key(*author)),
        };
        let others = AuthorId::ALL.iter().filter(|id| **id != AuthorId::Owner);
        let keys = others.map(known).collect();
        let deployment = uuid(1);
        stream.say::<Owner, _>(Deployment, RosterChanged { deployment, keys });
        stream
    }

    /// Advances bus time, which is the stored time of the next message.
    pub(crate) fn wait_ms(&mut self, ms: u64) {
        self.now = self.now.plus_ms(ms);
    }

    pub(crate) fn say<A: Author + CanPublish<E>, E: Event>(&mut self, scope: E::Scope, fact: E) {
        self.append(&Draft::<A>::of(scope, fact));
    }

    /// Stores a draft as its author's next event.
    pub(crate) fn append<A: Author>(&mut self, draft: &Draft<A>) {
        for content in draft.contents() {
            let named = (A::ID, content.content());
            self.contents.insert(named, content.bytes().into());
        }
        let task = match A::ID.chain() {
            Chain::Whole => None,
            Chain::PerTask => draft.task(),
        };
        let tip = self.tips.get(&(A::ID, task)).copied().unwrap_or(Tip::START);
        let link = Link {
            seq: tip.seq + 1,
            prev: tip.digest,
            id: uuid::<EventId>(0xe000 + self.messages.len() as u64),
            at: self.now,
        };
        let event = draft.sign(link, &key(A::ID));
        let digest = Digest::of(&[&event.body]);
        let tip = Tip {
            seq: link.seq,
            digest,
        };
        self.tips.insert((A::ID, task), tip);
        self.messages.push(Stored {
            signature: event.signature.to_string(),
            event,
            stored: self.now,
        });
    }

    /// Stores copies of all messages so far.
    pub(crate) fn replay(&mut self) {
        let copies = self.messages.clone().into_iter().map(|copy| Stored {
            stored: self.now,
            ..copy
        });
        self.messages.extend(copies.collect::<Vec<_>>());
    }

    pub(crate) fn put(&mut self, by: AuthorId, bytes: &[u8]) -> Content {
        self.salts += 1;
        let sealed = Sealed::new(Salt::new([self.salts; 32]), bytes).unwrap();
        self.contents.insert((by, sealed.content()), bytes.into());
        sealed.content()
    }

    pub(crate) fn admit(&mut self, task: TaskId, playbook: &str) -> Content {
        let playbook = self.put(Gateway::ID, playbook.as_bytes());
        let contract = Digest::ZERO;
        self.say::<Policy, _>(task, TaskAdmitted { contract, playbook });
        playbook
    }

    pub(crate) fn grant(&mut self, task: TaskId, action: ActionId) {
        let draft = self.draft_grant(task, action);
        let grant = Grant {
            draft,
            approvals: Vec::new(),
        };
        self.say::<Policy, _>(task, ActionGranted { grant });
    }

    pub(crate) fn draft_grant(&self, task: TaskId, action: ActionId) -> DraftGrant {
        let proposed = self.proposed(task);
        let proposed = proposed.iter().find(|p| p.action == action).unwrap();
        DraftGrant {
            deployment: uuid(1),
            task,
            action,
            contract: Digest::ZERO,
            rule: "allow.1".parse().unwrap(),
            tool: proposed.tool.clone(),
            tool_digest: Digest::ZERO,
            args: proposed.args,
            args_by: AuthorId::Worker,
            audience: AuthorId::Runner,
            ttl_ms: TTL_MS,
            wall_ms: WALL_MS,
            output_bytes_max: 1 << 20,
            secrets: Vec::new(),
            counts: Counts::default(),
            asked: None,
        }
    }

    pub(crate) fn start(&mut self, task: TaskId, action: ActionId) {
        self.say::<Runner, _>(task, ActionStarted { action });
    }

    pub(crate) fn end(&mut self, task: TaskId, action: ActionId, outcome: ActionOutcome) {
        self.output(task, action, outcome, b"{}");
    }

    pub(crate) fn output(
        &mut self,
        task: TaskId,
        action: ActionId,
        outcome: ActionOutcome,
        output: &[u8],
    ) -> Content {
        let output = self.put(Runner::ID, output);
        let usage = Usage::default();
        let fact = ActionFinished {
            action,
            outcome,
            usage,
            output,
        };
        self.say::<Runner, _>(task, fact);
        output
    }

    /// Grants, starts and finishes the action that was proposed last.
    pub(crate) fn succeed(&mut self, task: TaskId, output: &str) -> Content {
        let action = self.last(task);
        self.grant(task, action);
        self.start(task, action);
        self.output(task, action, ActionOutcome::Succeeded, output.as_bytes())
    }

    fn all<E: Event<Scope = TaskId>>(&self, task: TaskId) -> Vec<E> {
        let parse = |stored: &Stored| {
            let subject = Subject::parse(&stored.event.subject)?;
            parse_fact::<E>(subject, &stored.event.schema, &stored.event.body).ok()
        };
        let facts = self.messages.iter().filter_map(parse);
        facts
            .filter(|(scope, _)| Scope::task(*scope) == Some(task))
            .map(|(_, fact)| fact)
            .collect()
    }

    pub(crate) fn proposed(&self, task: TaskId) -> Vec<ActionProposed> {
        self.all(task)
    }

    /// The action that was proposed last.
    pub(crate) fn last(&self, task: TaskId) -> ActionId {
        self.proposed(task).last().unwrap().action
    }

    pub(crate) fn args(&self, proposed: &ActionProposed) -> String {
        let bytes = &self.contents[&(AuthorId::Worker, proposed.args)];
        String::from_utf8(bytes.clone()).unwrap()
    }

    /// Returns the outcome of a task and its detail.
    pub(crate) fn ended(&self, task: TaskId) -> Option<(TaskOutcome, Option<String>)> {
        let ends = self.all::<TaskFinished>(task);
        assert!(ends.len() < 2, "a task ends once");
        let end = ends.first()?;
        let detail = end.detail.map(|detail| {
            let bytes = self.contents[&(AuthorId::Worker, detail)].clone();
            String::from_utf8(bytes).unwrap()
        });
        Some((end.outcome, detail))
    }
}

/// The content of a draft without its random parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) kind: &'static str,
    pub(crate) task: Option<TaskId>,
    cause: Option<EventId>,
    step: Option<(StepName, u16, u16, u16, u8, ToolName)>,
    expired: Option<ActionId>,
    outcome: Option<TaskOutcome>,
    pub(crate) contents: Vec<String>,
}

fn fact<E: Event>(body: &[u8]) -> Option<(Option<EventId>, E)> {
    let body: Body<E> = wire::decode(body).ok()?;
    Some((body.cause, body.fact))
}

impl Said {
    fn of(draft: &Draft<bus_schema::Worker>) -> Self {
        let link = Link {
            seq: 1,
            prev: Digest::ZERO,
            id: uuid(1),
            at: Time::default(),
        };
        let body = draft.sign(link, &key(AuthorId::Worker)).body;
        let proposed = fact::<ActionProposed>(&body);
        let expired = fact::<bus_schema::ActionExpired>(&body);
        let finished = fact::<TaskFinished>(&body);
        let causes = [
            proposed.as_ref().and_then(|fact| fact.0),
            expired.as_ref().and_then(|fact| fact.0),
            finished.as_ref().and_then(|fact| fact.0),
        ];
        let text = |sealed: &Sealed| String::from_utf8(sealed.bytes().into()).unwrap();
        Self {
            kind: draft.kind(),
            task: draft.task(),
            cause: causes.into_iter().flatten().next(),
            step: proposed.map(|(_, p)| (p.step, p.index, p.item, p.items, p.attempt, p.tool)),
            expired: expired.map(|(_, e)| e.action),
            outcome: finished.map(|(_, f)| f.outcome),
            contents: draft.contents().iter().map(text).collect(),
        }
    }
}

/// A worker that reads a stream.
pub(crate) struct Node {
    pub(crate) core: WorkerCore,
    verifier: Verifier,
    read: usize,
    held_bytes_max: usize,
    clock: Clock,
    pub(crate) junk: usize,
    pub(crate) fetched: usize,
}

impl Node {
    pub(crate) fn new() -> Self {
        Self::with(u16::MAX, HELD_BYTES_MAX)
    }

    pub(crate) fn with(tasks_max: u16, held_bytes_max: usize) -> Self {
        let owner = public_key(&key(AuthorId::Owner));
        Self {
            core: WorkerCore::new(NonZeroU16::new(tasks_max).unwrap(), held_bytes_max),
            verifier: Verifier::new(owner, ChainScope::Own(AuthorId::Worker)),
            read: 0,
            held_bytes_max,
            clock: Clock::fake(Time::default()),
            junk: 0,
            fetched: 0,
        }
    }

    /// Restarts from the snapshot.
    pub(crate) fn restarted(&self) -> Self {
        let kept = wire::encode(&(&self.verifier, self.core.state()));
        let (verifier, state) = rmp_serde::from_slice(&kept).unwrap();
        let mut node = Self::new();
        node.core.restore(state);
        node.verifier = verifier;
        node.read = self.read;
        // Another process draws other random numbers.
        node.clock = Clock::fake(Time::default().plus_ms(1 + self.read as u64));
        node
    }

    pub(crate) fn read(&mut self, stream: &Stream) {
        for (n, stored) in stream.messages.iter().enumerate().skip(self.read) {
            let raw = Raw {
                subject: &stored.event.subject,
                signature: Some(&stored.signature),
                body: &stored.event.body,
                seq: n as u64 + 1,
                stored: stored.stored,
            };
            match self.verifier.read::<WorkerFact>(&raw).unwrap() {
                Read::Fact(seen) => self.core.fold(seen),
                Read::Other(_) => {}
                Read::Junk(_) => self.junk += 1,
            }
        }
        self.read = stream.messages.len();
    }

    /// Returns its drafts now, without any fetch.
    pub(crate) fn says(&self, stream: &Stream) -> Vec<Said> {
        self.says_with(stream, &BTreeSet::new())
    }

    /// Returns the same while an event of `task` is in flight.
    pub(crate) fn says_while_busy(&self, stream: &Stream, task: TaskId) -> Vec<Said> {
        self.says_with(stream, &BTreeSet::from([Some(task)]))
    }

    fn says_with(&self, stream: &Stream, busy: &BTreeSet<Option<TaskId>>) -> Vec<Said> {
        let running = BTreeSet::new();
        let mut out = Outbox::new(stream.now, None, busy, &running, &self.clock);
        self.core.next(&mut out);
        out.drafts().into_iter().map(Said::of).collect()
    }

    /// Fetches until it has a draft or nothing to fetch.
    pub(crate) fn fetch(&mut self, stream: &Stream) {
        for round in 0.. {
            assert!(round < 10_000, "it fetches for ever");
            if !self.says(stream).is_empty() {
                return;
            }
            if !self.deliver(stream) {
                return;
            }
        }
    }

    /// Delivers the requested contents. `false`: none were requested.
    pub(crate) fn deliver(&mut self, stream: &Stream) -> bool {
        let fetches = self.core.waits_for();
        for fetch in &fetches {
            self.fetched += 1;
            let found = match stream.contents.get(&(fetch.by, fetch.content)) {
                Some(bytes) => Found::Bytes(bytes.clone()),
                None => Found::Erased,
            };
            let fetch = *fetch;
            self.core.input(Fetched { fetch, found });
            assert!(self.core.held_bytes() <= self.held_bytes_max);
        }
        !fetches.is_empty()
    }

    /// Reads, fetches and appends until it waits for other authors. Returns its drafts.
    pub(crate) fn run(&mut self, stream: &mut Stream) -> Vec<Said> {
        let mut said = Vec::new();
        loop {
            let more = self.run_once(stream);
            if more.is_empty() {
                return said;
            }
            said.extend(more);
            assert!(said.len() < 10_000, "it says the same for ever");
        }
    }

    /// Reads, fetches and appends its drafts once.
    pub(crate) fn run_once(&mut self, stream: &mut Stream) -> Vec<Said> {
        self.read(stream);
        self.fetch(stream);
        let (busy, running) = (BTreeSet::new(), BTreeSet::new());
        let mut out = Outbox::new(stream.now, None, &busy, &running, &self.clock);
        self.core.next(&mut out);
        let mut said = Vec::new();
        for draft in out.drafts() {
            said.push(Said::of(draft));
            stream.append(draft);
        }
        said
    }
}
