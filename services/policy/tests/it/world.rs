//! Simulates a bus in memory: events are really signed and verified by policy's own verifier; the test controls time
//! and audit's heads.

use std::collections::BTreeSet;
use std::time::Duration;

use actor::{Clock, Core as _, LogHead, Outbox};
use bus_schema::testing::{TestLog, TestMessage};
use bus_schema::{
    ActionFinished, ActionId, ActionOutcome, ActionProposed, ActionStarted, ApprovalCarried,
    ApprovalStatement, Author, AuthorId, CanPublish, CatalogueSigned, ChainScope, Content,
    ContractSigned, Deployment, DeploymentId, Digest, Draft, DraftGrant, Event, Head, Meta,
    PlanStatement, Policy as Me, PolicyFact, Read, Signed, Statement, TaskFinished, TaskId,
    TaskOutcome, TaskStatement, TaskSubmitted, Time, Usage, Verifier, json, read_as, wire,
};
use contract::{Catalogue, Contract, envelope};
use policy::{Fetch, Fetched, PolicyCore};
use uuid::Uuid;

pub(crate) use bus_schema::testing::{key, owner};

pub(crate) use self::said::{asked, granted, judged, refused, words};

mod said;

/// The moment at which each stream starts.
pub(crate) const START: Time = Time::from_ns(1_800_000_000_000_000_000);

pub(crate) fn deployment() -> DeploymentId {
    DeploymentId::new(Uuid::from_u128(1))
}

/// The smallest usage of a call.
pub(crate) const USAGE: Usage = Usage {
    wall_ms: 1,
    cpu_ms: 1,
    output_bytes: 1,
    tokens: None,
    bytes_out: None,
    spend: None,
};

/// A simulated stream with policy's core that reads it.
pub(crate) struct World {
    pub(crate) core: PolicyCore,
    /// The newest catalogue that the owner signed, and its version.
    tools: Vec<u8>,
    version: u32,
    verifier: Verifier,
    pub(crate) log: TestLog,
    pub(crate) clock: Clock,
    /// The log's size minus the stream's, and the age of that head.
    pub(crate) head: Option<(i64, Duration)>,
    ids: u128,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with_tools(include_bytes!(
            "../../../contract/tests/conformance/tools.json"
        ))
    }

    /// A world in which the owner has signed this catalogue.
    pub(crate) fn with_tools(tools: &[u8]) -> Self {
        let mut world = Self::without_tools();
        world.change_tools(tools);
        world
    }

    /// A world without a signed catalogue.
    pub(crate) fn without_tools() -> Self {
        let mut world = Self {
            core: PolicyCore::new(owner()),
            tools: b"[]".to_vec(),
            version: 0,
            verifier: Verifier::new(owner(), ChainScope::Own(AuthorId::Policy)),
            log: TestLog::new(START),
            clock: Clock::fake(START),
            head: Some((0, Duration::ZERO)),
            ids: 1000,
        };
        let roster = world.log.roster(deployment());
        world.say::<bus_schema::Owner, _>(Deployment, roster);
        world
    }

    /// A world with one admitted task under these rules.
    pub(crate) fn with_task(rules: &str) -> (Self, Digest, TaskId) {
        let mut world = Self::new();
        let contract = world.sign(rules);
        let task = world.submit(contract);
        world.turn();
        (world, contract, task)
    }

    fn tools(&self) -> Catalogue {
        Catalogue::parse(&self.tools).unwrap()
    }

    /// Signs another catalogue as the owner.
    pub(crate) fn change_tools(&mut self, tools: &[u8]) {
        self.tools = tools.to_vec();
        self.version += 1;
        let (document, _) = Catalogue::document(tools).unwrap();
        self.sign_catalogue(self.version, &document);
    }

    /// Signs any catalogue as the owner; later contracts are still read with the one before.
    pub(crate) fn sign_catalogue(&mut self, version: u32, document: &[u8]) {
        let document = self.put(AuthorId::Owner, document);
        let fact = CatalogueSigned { version, document };
        self.say::<bus_schema::Owner, _>(Deployment, fact);
    }

    pub(crate) fn id(&mut self) -> Uuid {
        self.ids += 1;
        Uuid::from_u128(self.ids)
    }

    /// Stores a content.
    pub(crate) fn put(&mut self, by: AuthorId, bytes: &[u8]) -> Content {
        self.log.put(by, bytes)
    }

    /// Erases every content of these bytes.
    pub(crate) fn erase_bytes(&mut self, bytes: &[u8]) {
        let is_other = |stored: &[u8]| stored.get(32..) != Some(bytes);
        self.log.contents.retain(|_, stored| is_other(stored));
    }

    /// Appends a fact of any author and lets policy fold it.
    pub(crate) fn say<A: Author + CanPublish<E>, E: Event>(&mut self, scope: E::Scope, fact: E) {
        self.append(&Draft::<A>::of(scope, fact));
    }

    fn append<A: Author>(&mut self, draft: &Draft<A>) {
        let message = self.log.append(draft);
        fold(&mut self.core, &mut self.verifier, message);
    }

    /// Fetches what policy requests and appends its events, until it publishes nothing more.
    pub(crate) fn turn(&mut self) -> Vec<PolicyFact> {
        let from = self.log.messages.len();
        while self.step() {}
        let said = self.log.messages[from..].iter();
        said.map(|message| read_as(&message.raw()).unwrap())
            .collect()
    }

    /// Lets policy publish at most one verdict.
    pub(crate) fn step(&mut self) -> bool {
        // A fetched document can require more fetches, so there are several rounds.
        for _ in 0..4 {
            self.fetch();
        }
        assert_eq!(self.core.fetches(), [], "an answer must end the asking");
        self.step_without_bytes()
    }

    fn fetch(&mut self) {
        for (_, fetch) in self.core.fetches() {
            let fetched = self.fetched(fetch);
            self.core.input(fetched);
        }
    }

    /// Returns the stored bytes that policy requests.
    pub(crate) fn fetched(&self, fetch: Fetch) -> Fetched {
        let get = |by: AuthorId, content: Content| self.log.get(by, content);
        match fetch {
            Fetch::Catalogue { content } => {
                Fetched::Catalogue(content, get(AuthorId::Owner, content))
            }
            Fetch::Document { place } => {
                Fetched::Document(place, get(AuthorId::Owner, place.document))
            }
            Fetch::Tools { content } => Fetched::Tools(content, get(AuthorId::Owner, content)),
            Fetch::Arguments {
                action,
                by,
                content,
            } => Fetched::Arguments(action, get(by, content)),
            Fetch::Job { content } => Fetched::Job(content, get(AuthorId::Owner, content)),
            Fetch::Body { task, content } => Fetched::Body(task, get(AuthorId::Scheduler, content)),
            Fetch::Words { task, by, content } => Fetched::Words(task, get(by, content)),
            Fetch::Said {
                task,
                number,
                content,
            } => Fetched::Said(task, number, get(AuthorId::Gateway, content)),
            Fetch::Slots { task, by, content } => Fetched::Slots(task, get(by, content)),
            Fetch::Earlier {
                task,
                action,
                part,
                by,
                content,
            } => Fetched::Earlier(task, action, part, get(by, content)),
        }
    }

    /// Appends a draft, and returns true if policy's verifier takes it for junk.
    pub(crate) fn is_junk<A: Author>(&mut self, draft: &Draft<A>) -> bool {
        let message = self.log.append(draft);
        let read = self.verifier.read::<PolicyFact>(&message.raw()).unwrap();
        matches!(read, Read::Junk(_))
    }

    /// Returns every fact of the stream, as a verifier reads it from the start.
    pub(crate) fn facts(&self) -> Vec<(Meta, PolicyFact)> {
        let mut verifier = Verifier::new(owner(), ChainScope::Own(AuthorId::Policy));
        let messages = self.log.messages.iter();
        let read = messages.map(|message| verifier.read::<PolicyFact>(&message.raw()).unwrap());
        read.map(|read| match read {
            Read::Fact(seen) => seen.into_parts(),
            other @ (Read::Other(_) | Read::Junk(_)) => panic!("{other:?}"),
        })
        .collect()
    }

    pub(crate) fn step_without_bytes(&mut self) -> bool {
        let (busy, running) = (BTreeSet::new(), BTreeSet::new());
        let heard = self.head.map(|(lead, age)| LogHead {
            head: Head {
                size: self.log.seq.saturating_add_signed(lead),
                root: Digest::ZERO,
                stored: self.log.now,
            },
            age,
        });
        let clock = self.clock.clone();
        let mut out = Outbox::new(self.log.now, heard, &busy, &running, &clock);
        self.core.next(&mut out);
        let drafts = out.drafts();
        assert!(drafts.len() <= 1, "one chain takes one draft");
        match drafts.first() {
            Some(draft) => {
                self.append::<Me>(draft);
                true
            }
            None => false,
        }
    }

    /// Restores the snapshot in a new process.
    pub(crate) fn restart(&mut self) {
        let kept = wire::encode(self.core.state());
        let mut core = PolicyCore::new(owner());
        core.restore(wire::decode(&kept).unwrap());
        assert_eq!(core.state(), self.core.state());
        self.core = core;
    }

    /// Reads the stream again from its start.
    pub(crate) fn rebuild(&mut self) {
        let mut core = PolicyCore::new(owner());
        let mut verifier = Verifier::new(owner(), ChainScope::Own(AuthorId::Policy));
        for message in &self.log.messages {
            fold(&mut core, &mut verifier, message);
        }
        assert_eq!(core.state(), self.core.state());
        (self.core, self.verifier) = (core, verifier);
    }

    /// Returns every body in the stream.
    pub(crate) fn bodies(&self) -> Vec<Vec<u8>> {
        let messages = self.log.messages.iter();
        messages.map(|message| message.body.clone()).collect()
    }

    pub(crate) fn pass_ms(&mut self, ms: u64) {
        self.log.now = self.log.now.plus_ms(ms);
    }

    /// Signs the contract with these rules as the owner; no verdict yet.
    pub(crate) fn sign(&mut self, rules: &str) -> Digest {
        self.sign_text(&crate::text(rules))
    }

    pub(crate) fn sign_text(&mut self, text: &str) -> Digest {
        self.sign_as(text, |_| {})
    }

    /// Does the same with a change to the signed fact.
    pub(crate) fn sign_as(
        &mut self,
        text: &str,
        change: impl FnOnce(&mut ContractSigned),
    ) -> Digest {
        let document = self.put(AuthorId::Owner, text.as_bytes());
        let tools = self.tools();
        let contract = Contract::parse("c", text, &tools).unwrap();
        let envelope = envelope(&contract, &tools);
        let entries = self.put(AuthorId::Owner, &contract::entries(&tools, &envelope));
        let mut fact = ContractSigned {
            contract: contract.digest(),
            name: contract.name().clone(),
            version: contract.version(),
            document,
            pins: contract::pins(&tools, entries),
            envelope,
        };
        change(&mut fact);
        self.say::<bus_schema::Owner, _>(Deployment, fact);
        contract.digest()
    }

    pub(crate) fn submit(&mut self, contract: Digest) -> TaskId {
        let task = TaskId::new(self.id());
        self.submit_as(task, contract);
        task
    }

    pub(crate) fn submit_as(&mut self, task: TaskId, contract: Digest) {
        self.submit_saying(task, contract, b"p");
    }

    /// Submits a task with this text of the owner.
    pub(crate) fn submit_saying(&mut self, task: TaskId, contract: Digest, words: &[u8]) {
        let playbook = self.put(AuthorId::Gateway, words);
        self.submit_signed(task, contract, (playbook, None), None);
    }

    /// Submits a task with these values of its slots.
    pub(crate) fn submit_filled(&mut self, contract: Digest, slots: &[u8]) -> TaskId {
        let task = TaskId::new(self.id());
        let playbook = self.put(AuthorId::Gateway, b"p");
        let slots = Some(self.put(AuthorId::Gateway, slots));
        self.submit_signed(task, contract, (playbook, slots), slots);
        task
    }

    /// Submits a task that the owner signed with a playbook and slots, and whose fact names these `slots`.
    pub(crate) fn submit_signed(
        &mut self,
        task: TaskId,
        contract: Digest,
        (playbook, signed): (Content, Option<Content>),
        slots: Option<Content>,
    ) {
        let statement = TaskStatement {
            session: None,
            dialogue: None,
            deployment: deployment(),
            task,
            contract,
            playbook,
            slots: signed,
            at: self.log.now,
        };
        let statement = Signed::new(&Statement::Task(statement), &key(AuthorId::Owner));
        let fact = TaskSubmitted {
            statement,
            playbook,
            slots,
            dialogue: None,
        };
        self.say::<bus_schema::Gateway, _>(task, fact);
    }

    /// Proposes `t.any` with this `n` as the worker.
    pub(crate) fn propose(&mut self, task: TaskId, n: i64) -> ActionId {
        let args = format!("{{\"n\":{n}}}");
        self.propose_call(task, "t.any", args.as_bytes())
    }

    pub(crate) fn propose_call(&mut self, task: TaskId, tool: &str, args: &[u8]) -> ActionId {
        let action = ActionId::new(self.id());
        self.propose_as(task, action, tool, args);
        action
    }

    /// Proposes a call with these arguments as the worker: JSON in canonical form, other bytes unchanged.
    pub(crate) fn propose_json(&mut self, task: TaskId, tool: &str, args: &[u8]) -> ActionId {
        let form = json::parse(args, usize::MAX).map(|value| json::canonical(&value));
        self.propose_call(task, tool, form.as_deref().unwrap_or(args))
    }

    pub(crate) fn propose_as(
        &mut self,
        task: TaskId,
        action: ActionId,
        tool: &str,
        args: &[u8],
    ) -> Content {
        let args = self.put(AuthorId::Worker, args);
        let fact = ActionProposed {
            action,
            step: "s".parse().unwrap(),
            index: 0,
            item: 0,
            items: 1,
            attempt: 1,
            tool: tool.parse().unwrap(),
            args,
        };
        self.say::<bus_schema::Worker, _>(task, fact);
        args
    }

    pub(crate) fn start(&mut self, task: TaskId, action: ActionId) {
        self.say::<bus_schema::Runner, _>(task, ActionStarted { action });
    }

    pub(crate) fn finish(&mut self, task: TaskId, action: ActionId, usage: Usage) {
        self.finish_with(task, action, usage, b"o");
    }

    /// Finishes the action successfully with this output.
    pub(crate) fn finish_with(
        &mut self,
        task: TaskId,
        action: ActionId,
        usage: Usage,
        output: &[u8],
    ) {
        let output = self.put(AuthorId::Runner, output);
        let fact = ActionFinished {
            action,
            outcome: ActionOutcome::Succeeded,
            usage,
            output,
            sent: None,
        };
        self.say::<bus_schema::Runner, _>(task, fact);
    }

    /// Forwards a statement about `action` as the gateway.
    pub(crate) fn carry(&mut self, task: TaskId, action: ActionId, statement: &Signed) {
        let statement = statement.clone();
        self.say::<bus_schema::Gateway, _>(task, ApprovalCarried { action, statement });
    }

    /// Ends a task.
    pub(crate) fn end(&mut self, task: TaskId) {
        let outcome = TaskOutcome::Succeeded;
        let detail = None;
        self.say::<bus_schema::Worker, _>(task, TaskFinished { outcome, detail });
    }

    /// Returns the stored explanation of a refusal.
    pub(crate) fn why(&self, content: Option<Content>) -> String {
        let bytes = self.log.get(AuthorId::Policy, content.unwrap());
        String::from_utf8(bytes.unwrap()).unwrap()
    }
}

fn fold(core: &mut PolicyCore, verifier: &mut Verifier, message: &TestMessage) {
    match verifier.read::<PolicyFact>(&message.raw()).unwrap() {
        Read::Fact(seen) => core.fold(seen),
        other @ (Read::Other(_) | Read::Junk(_)) => panic!("{other:?}"),
    }
}

/// Returns the owner's answer to a draft.
pub(crate) fn answer(draft: &DraftGrant, approve: bool) -> Signed {
    answer_by(AuthorId::Owner, draft, approve)
}

/// Returns the owner's one answer to several drafts.
pub(crate) fn answer_all(drafts: &[DraftGrant], approve: bool) -> Signed {
    let said = PlanStatement {
        deployment: drafts[0].deployment,
        task: drafts[0].task,
        contract: drafts[0].contract,
        drafts: drafts.iter().map(DraftGrant::digest).collect(),
        approve,
        at: START,
    };
    Signed::new(&Statement::Plan(said), &key(AuthorId::Owner))
}

pub(crate) fn answer_by(author: AuthorId, draft: &DraftGrant, approve: bool) -> Signed {
    let said = ApprovalStatement {
        deployment: draft.deployment,
        task: draft.task,
        action: draft.action,
        contract: draft.contract,
        draft: draft.digest(),
        approve,
        at: START,
    };
    Signed::new(&Statement::Approval(said), &key(author))
}
