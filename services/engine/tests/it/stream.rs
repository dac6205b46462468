//! Simulates a stream of really signed events, the contents beside it, and an engine that reads it.

use std::collections::BTreeSet;

use actor::{Clock, Core as _, Outbox};
use bus_schema::testing::{TestLog, body, owner};
use bus_schema::{
    ActionFinished, ActionGranted, ActionId, ActionOutcome, ActionProposed, ActionStarted, Author,
    AuthorId, CallStatement, CanPublish, ChainScope, Content, ContractRequested, Counts,
    Deployment, DeploymentId, Digest, Draft, DraftGrant, EndStatement, EngineFact, Event, Gateway,
    Grant, Owner, Policy, Read, Runner, SessionCalled, SessionEnded, Signed, Statement,
    TaskAdmitted, TaskFinished, TaskId, TaskOutcome, Time, Usage, Verifier, public_key, wire,
};
use ed25519_dalek::SigningKey;
use engine::{EngineCore, Fetched, Found};

pub(crate) fn uuid<T: std::str::FromStr<Err: std::fmt::Debug>>(n: u64) -> T {
    format!("00000000-0000-7000-8000-{n:012x}").parse().unwrap()
}

/// The deployment of every stream here.
pub(crate) fn deployment() -> DeploymentId {
    uuid(1)
}

/// The key of every session here.
pub(crate) fn session_key() -> SigningKey {
    SigningKey::from_bytes(&[77; 32])
}

/// A draft of the engine, without its random parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    /// A proposal: step, number, tool and arguments.
    Proposed(String, u16, String, String),
    Expired,
    Finished(TaskOutcome),
    /// A request for another contract: number, refused action and reason.
    Requested(u16, ActionId, String),
}

/// The stream, and an engine that has read all of it.
pub(crate) struct Scene {
    pub(crate) log: TestLog,
    pub(crate) core: EngineCore,
    verifier: Verifier,
    clock: Clock,
    read: usize,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let log = TestLog::new(Time::from_ns(1_800_000_000_000_000_000));
        let roster = log.roster(deployment());
        let mut scene = Self {
            log,
            core: EngineCore::new(owner()),
            verifier: Verifier::new(owner(), ChainScope::Own(AuthorId::Engine)),
            clock: Clock::fake(Time::default()),
            read: 0,
        };
        scene.say::<Owner, _>(Deployment, roster);
        scene
    }

    /// Opens a session, in a new scene.
    pub(crate) fn of(task: TaskId) -> Self {
        let mut scene = Self::new();
        scene.admit(task, Some(session_key()));
        scene
    }

    pub(crate) fn say<A: Author + CanPublish<E>, E: Event>(&mut self, scope: E::Scope, fact: E) {
        self.log.append(&Draft::<A>::of(scope, fact));
        self.fold();
    }

    fn fold(&mut self) {
        for message in &self.log.messages[self.read..] {
            match self.verifier.read::<EngineFact>(&message.raw()).unwrap() {
                Read::Fact(seen) => self.core.fold(seen),
                Read::Other(_) => {}
                Read::Junk(junk) => panic!("{junk:?}"),
            }
        }
        self.read = self.log.messages.len();
    }

    pub(crate) fn admit(&mut self, task: TaskId, session: Option<SigningKey>) {
        let playbook = self.log.put(Gateway::ID, b"what the person wants");
        let fact = TaskAdmitted {
            job: None,
            contract: Digest::ZERO,
            playbook,
            slots: None,
            session: session.map(|key| public_key(&key)),
            dialogue: None,
            of_message: false,
        };
        self.say::<Policy, _>(task, fact);
    }

    /// The statement of a call, whose arguments the gateway has stored.
    pub(crate) fn statement(&mut self, task: TaskId, number: u16, args: &str) -> CallStatement {
        CallStatement {
            deployment: deployment(),
            task,
            number,
            tool: "file.read".parse().unwrap(),
            args: self.log.put(Gateway::ID, args.as_bytes()),
        }
    }

    pub(crate) fn carry(&mut self, task: TaskId, signed: Signed, args: Content) {
        let statement = signed;
        self.say::<Gateway, _>(task, SessionCalled { statement, args });
    }

    pub(crate) fn call(&mut self, task: TaskId, number: u16, args: &str) {
        let said = self.statement(task, number, args);
        let args = said.args;
        let signed = Signed::new(&Statement::Call(said), &session_key());
        self.carry(task, signed, args);
    }

    pub(crate) fn end(&mut self, task: TaskId, key: &SigningKey) {
        let deployment = deployment();
        let said = Statement::End(EndStatement { deployment, task });
        let statement = Signed::new(&said, key);
        self.say::<Gateway, _>(task, SessionEnded { statement });
    }

    /// Fetches what the engine waits for, appends its drafts until it has none, and returns them.
    pub(crate) fn run(&mut self) -> Vec<Said> {
        let mut all = Vec::new();
        loop {
            for fetch in self.core.waits_for(self.log.now) {
                let found = match self.log.get(fetch.stored.by, fetch.stored.content) {
                    Some(bytes) => Found::Bytes(bytes),
                    None => Found::Erased,
                };
                self.core.input(Fetched { fetch, found });
            }
            let said = self.say_next();
            if said.is_empty() {
                return all;
            }
            all.extend(said);
            self.fold();
        }
    }

    /// Appends the drafts of one call, and returns them.
    fn say_next(&mut self) -> Vec<Said> {
        let (busy, running) = (BTreeSet::new(), BTreeSet::new());
        let mut out = Outbox::new(self.log.now, None, &busy, &running, &self.clock);
        self.core.next(&mut out);
        let mut all = Vec::new();
        for draft in out.drafts() {
            all.push(said(draft));
            self.log.append(draft);
        }
        all
    }

    /// Restarts the engine from its snapshot.
    pub(crate) fn restart(&mut self) {
        let kept = wire::encode(&self.core.state());
        let state = rmp_serde::from_slice(&kept).unwrap();
        self.core = EngineCore::new(owner());
        self.core.restore(state);
        // Another process draws other random numbers.
        self.clock = Clock::fake(Time::default().plus_ms(1 + self.read as u64));
    }

    pub(crate) fn proposals(&self) -> Vec<ActionProposed> {
        let all = self.log.messages.iter().filter_map(|message| {
            let subject = bus_schema::Subject::parse(&message.subject)?;
            bus_schema::parse_fact::<ActionProposed>(subject, "action.proposed.v1", &message.body)
                .ok()
        });
        all.map(|(_, fact)| fact).collect()
    }

    pub(crate) fn grant(&mut self, task: TaskId, action: ActionId) {
        let draft = DraftGrant {
            deployment: deployment(),
            task,
            action,
            contract: Digest::ZERO,
            rule: "allow.1".parse().unwrap(),
            tool: "file.read".parse().unwrap(),
            tool_digest: Digest::ZERO,
            args: self.proposals().last().unwrap().args,
            args_by: AuthorId::Engine,
            audience: AuthorId::Runner,
            ttl_ms: 10_000,
            wall_ms: 2_000,
            output_bytes_max: 1 << 20,
            secrets: Vec::new(),
            counts: Counts::default(),
            determined: false,
            asked: None,
        };
        let approvals = Vec::new();
        self.say::<Policy, _>(
            task,
            ActionGranted {
                grant: Grant { draft, approvals },
            },
        );
    }

    /// Grants, starts and finishes an action.
    pub(crate) fn succeed(&mut self, task: TaskId, action: ActionId) {
        self.grant(task, action);
        self.say::<Runner, _>(task, ActionStarted { action });
        let output = self.log.put(Runner::ID, b"{}");
        let fact = ActionFinished {
            action,
            outcome: ActionOutcome::Succeeded,
            usage: Usage::default(),
            output,
            sent: None,
        };
        self.say::<Runner, _>(task, fact);
    }
}

fn said(draft: &Draft<bus_schema::Engine>) -> Said {
    if let Some(body) = body::<_, ActionProposed>(draft) {
        let [args] = draft.contents() else {
            panic!("a proposal has its arguments");
        };
        let args = String::from_utf8(args.bytes().into()).unwrap();
        let fact = body.fact;
        return Said::Proposed(
            fact.step.to_string(),
            fact.index,
            fact.tool.to_string(),
            args,
        );
    }
    if let Some(body) = body::<_, ContractRequested>(draft) {
        let [reason] = draft.contents() else {
            panic!("a request has its reason");
        };
        let reason = String::from_utf8(reason.bytes().into()).unwrap();
        return Said::Requested(body.fact.request, body.fact.action, reason);
    }
    match body::<_, TaskFinished>(draft) {
        Some(body) => Said::Finished(body.fact.outcome),
        None => Said::Expired,
    }
}
