//! Simulates a stream of really signed events, the contents beside it, and a worker that reads it.

use std::collections::BTreeSet;
use std::num::NonZeroU16;

use actor::{Clock, Core, Outbox};
use bus_schema::testing::{TestLog, body, owner};
use bus_schema::{
    ActionExpired, ActionFinished, ActionGranted, ActionId, ActionOutcome, ActionProposed,
    ActionStarted, Author, AuthorId, CanPublish, ChainScope, Content, Counts, Deployment, Digest,
    Draft, DraftGrant, Event, EventId, Gateway, Grant, Owner, Policy, Read, Runner, Sealed,
    StepName, Subject, TaskAdmitted, TaskFinished, TaskId, TaskOutcome, Time, ToolName, Usage,
    Verifier, WorkerFact, parse_fact, wire,
};
use worker::{Fetched, Found, HELD_BYTES_MAX, WorkerCore};

/// The `ttl_ms` of every grant here.
pub(crate) const TTL_MS: u32 = 10_000;
/// The `wall_ms` of every grant here.
pub(crate) const WALL_MS: u32 = 2_000;

pub(crate) fn uuid<T: std::str::FromStr<Err: std::fmt::Debug>>(n: u64) -> T {
    format!("00000000-0000-7000-8000-{n:012x}").parse().unwrap()
}

/// The stream.
pub(crate) struct Stream {
    pub(crate) log: TestLog,
}

impl Stream {
    /// Creates a stream that begins with a roster of all authors.
    pub(crate) fn new() -> Self {
        let log = TestLog::new(Time::from_ns(1_800_000_000_000_000_000));
        let roster = log.roster(uuid(1));
        let mut stream = Self { log };
        stream.say::<Owner, _>(Deployment, roster);
        stream
    }

    /// Advances bus time, which is the stored time of the next message.
    pub(crate) fn wait_ms(&mut self, ms: u64) {
        self.log.now = self.log.now.plus_ms(ms);
    }

    pub(crate) fn say<A: Author + CanPublish<E>, E: Event>(&mut self, scope: E::Scope, fact: E) {
        self.log.append(&Draft::<A>::of(scope, fact));
    }

    /// Stores copies of all messages so far.
    pub(crate) fn replay(&mut self) {
        for copy in self.log.messages.clone() {
            self.log.push(copy.subject, copy.signature, copy.body);
        }
    }

    pub(crate) fn admit(&mut self, task: TaskId, playbook: &str) -> Content {
        self.admit_filled(task, playbook, None)
    }

    /// Admits a task with these values of its slots.
    pub(crate) fn admit_filled(
        &mut self,
        task: TaskId,
        playbook: &str,
        slots: Option<&str>,
    ) -> Content {
        let playbook = self.log.put(Gateway::ID, playbook.as_bytes());
        let slots = slots.map(|slots| self.log.put(Gateway::ID, slots.as_bytes()));
        let contract = Digest::ZERO;
        let fact = TaskAdmitted {
            job: None,
            session: None,
            dialogue: None,
            contract,
            playbook,
            slots,
            of_message: false,
        };
        self.say::<Policy, _>(task, fact);
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
            determined: false,
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
        let output = self.log.put(Runner::ID, output);
        let usage = Usage::default();
        let fact = ActionFinished {
            action,
            outcome,
            usage,
            output,
            sent: None,
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
        let version = format!("{}.v{}", E::KIND, E::V);
        let facts = self.log.messages.iter().filter_map(|message| {
            let subject = Subject::parse(&message.subject)?;
            parse_fact::<E>(subject, &version, &message.body).ok()
        });
        facts
            .filter(|(of, _)| *of == task)
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
        self.text(proposed.args)
    }

    fn text(&self, content: Content) -> String {
        let bytes = self.log.get(AuthorId::Worker, content);
        String::from_utf8(bytes.unwrap()).unwrap()
    }

    /// Returns the outcome of a task and its detail.
    pub(crate) fn ended(&self, task: TaskId) -> Option<(TaskOutcome, Option<String>)> {
        let ends = self.all::<TaskFinished>(task);
        assert!(ends.len() < 2, "a task ends once");
        let end = ends.first()?;
        Some((end.outcome, end.detail.map(|detail| self.text(detail))))
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

impl Said {
    fn of(draft: &Draft<bus_schema::Worker>) -> Self {
        let proposed = body::<_, ActionProposed>(draft);
        let expired = body::<_, ActionExpired>(draft);
        let finished = body::<_, TaskFinished>(draft);
        let causes = [
            proposed.as_ref().and_then(|body| body.cause),
            expired.as_ref().and_then(|body| body.cause),
            finished.as_ref().and_then(|body| body.cause),
        ];
        let step = proposed.map(|body| body.fact);
        let text = |sealed: &Sealed| String::from_utf8(sealed.bytes().into()).unwrap();
        Self {
            kind: draft.kind(),
            task: draft.task(),
            cause: causes.into_iter().flatten().next(),
            step: step.map(|p| (p.step, p.index, p.item, p.items, p.attempt, p.tool)),
            expired: expired.map(|body| body.fact.action),
            outcome: finished.map(|body| body.fact.outcome),
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
        Self {
            core: WorkerCore::new(NonZeroU16::new(tasks_max).unwrap(), held_bytes_max),
            verifier: Verifier::new(owner(), ChainScope::Own(AuthorId::Worker)),
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
        for message in &stream.log.messages[self.read..] {
            match self.verifier.read::<WorkerFact>(&message.raw()).unwrap() {
                Read::Fact(seen) => self.core.fold(seen),
                Read::Other(_) => {}
                Read::Junk(_) => self.junk += 1,
            }
        }
        self.read = stream.log.messages.len();
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
        let mut out = Outbox::new(stream.log.now, None, busy, &running, &self.clock);
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
            let found = match stream.log.get(fetch.by, fetch.content) {
                Some(bytes) => Found::Bytes(bytes),
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
        let mut out = Outbox::new(stream.log.now, None, &busy, &running, &self.clock);
        self.core.next(&mut out);
        let mut said = Vec::new();
        for draft in out.drafts() {
            said.push(Said::of(draft));
            stream.log.append(draft);
        }
        said
    }
}
