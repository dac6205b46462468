//! Simulates a bus in memory: events are really signed and verified; the test performs the effects.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use actor::{Clock, Core as _, Outbox};
use broker::{BrokerCore, Effect, Input, Reply, open, renewal, stored, tools};
use bus_schema::testing::{self, TestLog, key, owner};
use bus_schema::{
    ActionFinished, ActionGranted, ActionId, ActionOutcome, ActionStarted, Ask, Author, AuthorId,
    CanPublish, CatalogueSigned, ChainScope, ContractFolders, ContractSigned, Counts, Deployment,
    DeploymentId, Digest, Draft, DraftGrant, Egress, Envelope, EnvelopeTool, Event, ExecutorFact,
    Gateway, Grant, NotReleased, Owner, Pins, Policy, Read, Release, Renew, Salt, Sealed,
    SecretName, SecretReleased, SecretSigned, Signed, Statement, TaskId, TaskStatement,
    TaskSubmitted, Time, Usage, Verifier,
};
use contract::Catalogue;
use secret::{
    FiledSeal, InnerSeal, OuterSeal, Recipients, SealingKey, SecretTerms, SecretValue, TokenGrant,
    TokenSource, seal,
};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

pub(crate) const START: Time = Time::from_ns(1_800_000_000_000_000_000);
pub(crate) const VALUE: &str = "a value that only egress sees";
pub(crate) const WALL_MS: u32 = 10_000;

pub(crate) fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(n: u32) -> T {
    format!("00000000-0000-7000-8000-{n:012}").parse().unwrap()
}

pub(crate) fn name<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

pub(crate) fn contract() -> Digest {
    Digest::new([5; 32])
}

pub(crate) fn task() -> TaskId {
    id(1)
}

fn deployment() -> DeploymentId {
    id(9)
}

pub(crate) fn sealing(n: u8) -> SealingKey {
    SealingKey::of(&Zeroizing::new([n; 32]))
}

/// The catalogue: one tool with the secret `crm`, and one without.
pub(crate) fn document() -> Vec<u8> {
    let tool = |name: &str, secret: Option<&str>| {
        let mut tool = json!({
            "name": name, "description": "", "effect": "read", "output": "untrusted",
            "input_schema": {"type": "object"},
            "http": {
                "method": "GET", "host": "api.example.com", "path": "/v2/items",
                "answer": {"type": "json"},
                "limits": {"wall_ms": 10_000, "request_bytes_max": 0, "answer_bytes_max": 1000},
            },
        });
        if let Some(secret) = secret {
            tool["http"]["secret"] = Value::from(secret);
        }
        tool
    };
    let all = json!([tool("crm.read", Some("crm")), tool("web.read", None)]);
    Catalogue::document(all.to_string().as_bytes()).unwrap().0
}

fn tool_digest(tool: &str) -> Digest {
    let catalogue = Catalogue::parse(&document()).unwrap();
    catalogue.get(tool).unwrap().digest()
}

pub(crate) fn envelope() -> Envelope {
    let tool = |tool: &str| EnvelopeTool {
        name: name(tool),
        digest: tool_digest(tool),
        ask: Ask::Never,
        calls: 20,
    };
    Envelope {
        expires: START.plus_ms(86_400_000),
        tools: vec![tool("crm.read"), tool("web.read")],
        wall_ms_max: WALL_MS,
        output_bytes_max: 65_536,
        hosts: vec!["api.example.com".to_owned()],
        networks: Vec::new(),
        secrets: vec![name("crm")],
        approvers: Vec::new(),
        folders: ContractFolders::default(),
    }
}

/// A grant of an action to egress.
pub(crate) fn draft(n: u32) -> DraftGrant {
    let log = &mut TestLog::new(START);
    DraftGrant {
        deployment: deployment(),
        task: task(),
        action: id(n),
        contract: contract(),
        rule: name("allow.1"),
        tool: name("crm.read"),
        tool_digest: tool_digest("crm.read"),
        args: log.put(AuthorId::Worker, b"{}"),
        args_by: AuthorId::Worker,
        audience: AuthorId::Egress,
        ttl_ms: 30_000,
        wall_ms: WALL_MS,
        output_bytes_max: 65_536,
        secrets: vec![name("crm")],
        counts: Counts::default(),
        determined: false,
        asked: None,
    }
}

/// A simulated stream with the broker's core that reads it.
pub(crate) struct World {
    pub(crate) core: BrokerCore,
    verifier: Verifier,
    pub(crate) log: TestLog,
    /// The newest version of the secret.
    signed: Option<SecretSigned>,
    /// The files of sealed secrets.
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    /// The number of sealed secrets that were fetched.
    pub(crate) fetches: Cell<u32>,
}

impl World {
    /// A stream with a roster, the catalogue, a contract, a task and version 1 of the secret.
    pub(crate) fn new() -> Self {
        Self::with(envelope())
    }

    pub(crate) fn with(envelope: Envelope) -> Self {
        let mut world = Self {
            core: BrokerCore::new(owner()),
            verifier: Verifier::new(owner(), ChainScope::Own(AuthorId::Broker)),
            log: TestLog::new(START),
            signed: None,
            files: BTreeMap::new(),
            fetches: Cell::new(0),
        };
        let roster = world.log.roster(deployment());
        world.say::<Owner, _>(Deployment, roster);
        let document = world.log.put(AuthorId::Owner, &document());
        let version = 1;
        world.say::<Owner, _>(Deployment, CatalogueSigned { version, document });
        let pins = Pins {
            language: 1,
            policy: name("0.1.0"),
            catalogue: Digest::ZERO,
            tools: document,
        };
        let signed = ContractSigned {
            contract: contract(),
            name: name("c"),
            version: 1,
            document,
            pins,
            envelope,
        };
        world.say::<Owner, _>(Deployment, signed);
        let said = TaskStatement {
            deployment: deployment(),
            task: task(),
            contract: contract(),
            playbook: document,
            slots: None,
            session: None,
            dialogue: None,
            at: START,
        };
        let statement = Signed::new(&Statement::Task(said), &key(AuthorId::Owner));
        let submitted = TaskSubmitted {
            dialogue: None,
            statement,
            playbook: document,
            slots: None,
        };
        world.say::<Gateway, _>(task(), submitted);
        world.set(1, &["api.example.com"]);
        world
    }

    /// Signs a version of the secret as the owner.
    pub(crate) fn set(&mut self, version: u32, hosts: &[&str]) -> SecretSigned {
        self.sign(&terms_for(version, hosts))
    }

    /// Signs a version of the secret, and returns its terms.
    pub(crate) fn terms(&mut self, version: u32) -> SecretTerms {
        let terms = terms_for(version, &["api.example.com"]);
        self.sign(&terms);
        terms
    }

    /// Signs a version of the secret that a token endpoint takes as a refresh token.
    pub(crate) fn set_refresh_token(&mut self, version: u32) -> SecretTerms {
        let terms = refreshed(version, "https://login.example.com/token");
        self.sign(&terms);
        terms
    }

    /// Signs a version of the secret whose sealed value is in a file; returns the file's name.
    pub(crate) fn set_in_file(&mut self, version: u32) -> String {
        let terms = terms_for(version, &["api.example.com"]);
        let (outer, inner) = sealed(&terms);
        let name = FiledSeal::file_name(terms.name(), version);
        self.files.insert(name.clone(), outer.bytes());
        let content = FiledSeal::of(&outer).unwrap().bytes();
        self.signed_as(&terms, &content, inner);
        name
    }

    fn sign(&mut self, terms: &SecretTerms) -> SecretSigned {
        let (outer, inner) = sealed(terms);
        self.signed_as(terms, &outer.bytes(), inner)
    }

    fn signed_as(&mut self, terms: &SecretTerms, content: &[u8], inner: Digest) -> SecretSigned {
        let fact = SecretSigned {
            name: name("crm"),
            version: terms.version(),
            terms: terms.digest(),
            sealed: self.log.put(AuthorId::Owner, content),
            inner: Some(inner),
        };
        self.say::<Owner, _>(Deployment, fact.clone());
        self.signed = Some(fact.clone());
        fact
    }

    /// Appends an event by `A`, and has the core fold it.
    pub(crate) fn say<A: Author + CanPublish<E>, E: Event>(&mut self, scope: E::Scope, fact: E) {
        self.append(&Draft::<A>::of(scope, fact));
    }

    fn append<A: Author>(&mut self, draft: &Draft<A>) {
        self.log.now = self.log.now.plus_ms(1);
        let raw = self.log.append(draft).raw();
        match self.verifier.read::<ExecutorFact>(&raw).unwrap() {
            Read::Fact(seen) => self.core.fold(seen),
            Read::Other(_) => {}
            Read::Junk(junk) => panic!("{junk:?}"),
        }
    }

    pub(crate) fn grant(&mut self, draft: DraftGrant) {
        let approvals = Vec::new();
        let grant = Grant { draft, approvals };
        self.say::<Policy, _>(grant.draft.task, ActionGranted { grant });
    }

    pub(crate) fn start(&mut self, n: u32) {
        self.say::<Egress, _>(task(), ActionStarted { action: id(n) });
    }

    pub(crate) fn finish(&mut self, n: u32) {
        let fact = ActionFinished {
            action: id(n),
            outcome: ActionOutcome::Succeeded,
            usage: Usage::default(),
            output: self.log.put(AuthorId::Egress, b"{}"),
            sent: None,
        };
        self.say::<Egress, _>(task(), fact);
    }

    /// Grants and claims an action.
    pub(crate) fn claim(&mut self, draft: DraftGrant) {
        let action = draft.action;
        self.grant(draft);
        self.say::<Egress, _>(task(), ActionStarted { action });
    }

    /// Asks for a secret.
    pub(crate) fn ask(&mut self, n: u32, secret: &str) -> oneshot::Receiver<Reply> {
        let (reply, answer) = oneshot::channel();
        let (action, secret) = (id(n), name(secret));
        self.core
            .input(Input::Asked(Release { action, secret }, reply));
        answer
    }

    /// Hands in a renewal, as egress does.
    pub(crate) fn renew(
        &mut self,
        n: u32,
        terms: &SecretTerms,
        value: &str,
    ) -> oneshot::Receiver<Result<(), NotReleased>> {
        let random = Zeroizing::new([77; 32]);
        let value = SecretValue::new(Zeroizing::new(value.as_bytes().to_vec())).unwrap();
        let inner = InnerSeal::renew(terms, &value, &sealing(1), &random).unwrap();
        let renew = Renew {
            action: id(n),
            secret: terms.name().clone(),
            version: terms.version(),
            sealed: inner.bytes(),
        };
        let seal = |bytes: &[u8]| Sealed::new(Salt::new([78; 32]), bytes).ok();
        let renewal = renewal(&sealing(2), &renew.sealed, &random, seal).unwrap();
        let (reply, answer) = oneshot::channel();
        self.core
            .input(Input::Renew(Box::new((renew, renewal)), reply));
        answer
    }

    /// Returns the answer about an action, at the latest when the time for it is over; nothing is released.
    pub(crate) fn end<T>(&mut self, n: u32, mut answer: oneshot::Receiver<T>) -> T {
        assert_eq!(self.turn(), []);
        answer.try_recv().unwrap_or_else(|_| {
            self.core.input(Input::Late(id(n)));
            assert_eq!(self.turn(), []);
            answer.try_recv().unwrap()
        })
    }

    /// Performs effects and appends drafts until nothing more is wanted; returns the appended releases.
    pub(crate) fn turn(&mut self) -> Vec<SecretReleased> {
        let mut released = Vec::new();
        while self.step(&mut released) {}
        released
    }

    /// Performs the effects that are wanted now, and appends the drafts; false if there are none.
    pub(crate) fn step(&mut self, released: &mut Vec<SecretReleased>) -> bool {
        let (busy, running, clock) = (BTreeSet::new(), BTreeSet::new(), Clock::fake(START));
        let mut out = Outbox::new(self.log.now, None, &busy, &running, &clock);
        self.core.next(&mut out);
        let mut is_idle = true;
        for draft in out.drafts() {
            is_idle = false;
            if draft.kind() == SecretReleased::KIND {
                let body: bus_schema::Body<SecretReleased> = testing::body(draft).unwrap();
                released.push(body.fact);
            }
            self.append(draft);
        }
        let effects = out.into_effects();
        is_idle &= effects.is_empty();
        for effect in effects {
            let done = self.perform(effect);
            self.core.input(done);
        }
        !is_idle
    }

    fn perform(&self, effect: Effect) -> Input {
        let get = |content| self.log.get(AuthorId::Owner, content);
        match effect {
            Effect::Read(content) => Input::Tools(content, tools(get(content).as_deref())),
            Effect::Fetch(action, author, content) => {
                let bytes = self.log.get(author, content);
                let file = |filed: &FiledSeal| {
                    let terms = filed.terms();
                    let name = FiledSeal::file_name(terms.name(), terms.version());
                    self.files.get(&name).cloned().ok_or(NotReleased::NoFile)
                };
                self.fetches.set(self.fetches.get() + 1);
                Input::Stored(action, content, stored(bytes.as_deref(), file))
            }
            Effect::Renewed(action, reply) => Input::Renewed(action, reply),
            Effect::Open(action, version, stored) => {
                Input::Answer(action, open(&sealing(2), version, &stored))
            }
            Effect::Refuse(action, why) => Input::Answer(action, Err(why)),
        }
    }

    /// Opens what the broker answered, as egress does.
    pub(crate) fn opened(&self, reply: Reply) -> (u32, String) {
        let reply = reply.unwrap();
        let signed = self.signed.as_ref().unwrap();
        let inner = InnerSeal::read(&reply.sealed).unwrap();
        let (terms, value) = inner.open_signed(&sealing(1), signed).unwrap();
        assert_eq!(terms.version(), reply.version);
        (reply.version, value.expose().to_owned())
    }

    /// Restarts the process from its snapshot.
    pub(crate) fn restart(&mut self) {
        let kept = bus_schema::wire::encode(self.core.state());
        self.core = BrokerCore::new(owner());
        self.core.restore(bus_schema::wire::decode(&kept).unwrap());
    }
}

/// Seals the value under these terms.
fn sealed(terms: &SecretTerms) -> (OuterSeal, Digest) {
    let to = Recipients {
        egress: sealing(1).public(),
        broker: sealing(2).public(),
    };
    let value = SecretValue::new(Zeroizing::new(VALUE.as_bytes().to_vec())).unwrap();
    let random = u8::try_from(terms.version()).unwrap();
    seal(terms, &value, &to, &Zeroizing::new([random; 32])).unwrap()
}

/// Terms of the secret for these hosts.
fn terms_for(version: u32, hosts: &[&str]) -> SecretTerms {
    let hosts = hosts.iter().map(|host| host.parse().unwrap()).collect();
    let inject = "header:authorization=Bearer {}".parse().unwrap();
    let methods = vec!["GET".parse().unwrap()];
    SecretTerms::new(name("crm"), version, hosts, methods, inject).unwrap()
}

/// Terms with a token endpoint that takes a refresh token.
pub(crate) fn refreshed(version: u32, url: &str) -> SecretTerms {
    let terms = terms_for(version, &["api.example.com"]);
    let source = TokenSource::new(TokenGrant::RefreshToken, url, "me", None).unwrap();
    terms.with_token(Some(source))
}

/// The action and the secret of a release.
pub(crate) fn said(released: &[SecretReleased]) -> Vec<(ActionId, SecretName, u32)> {
    let said = released.iter();
    said.map(|one| (one.action, one.name.clone(), one.version))
        .collect()
}
