//! Writes a stream of really signed events and reads it as the runner does.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use actor::doubt::Standing;
use actor::ledger::Ledger;
use actor::{Clock, Core as _, Key, LogHead, Outbox};
use bus_schema::testing::{self, TestLog, key, owner};
use bus_schema::{
    ActionDeclined, ActionFinished, ActionGranted, ActionId, ActionOutcome, ActionStarted,
    ApprovalStatement, Ask, Asked, Author, AuthorId, CanPublish, CatalogueSigned, ChainScope,
    Content, ContractFolders, ContractSigned, Counts, Deployment, DeploymentId, Digest, Draft,
    DraftGrant, Envelope, EnvelopeTool, Event, EventId, ExecutorFact, Gateway, Grant, Head, Owner,
    Pins, Policy, PublicKey, Read, Runner, Sealed, Signed, Statement, StreamDoubted, TaskId,
    TaskStatement, TaskSubmitted, Time, ToolName, Usage, Verifier, read_as,
};
use contract::Catalogue;
use executor::{Effect, Gate, Input};
use runner::{Installed, RunnerCore, read_tools};
use serde_json::json;
use tokio::sync::watch;
use uuid::Uuid;

/// The start of the stream.
pub(crate) const START: Time = Time::from_ns(1_900_000_000_000_000_000);
/// `ttl_ms` of every grant.
pub(crate) const TTL_MS: u64 = 30_000;
/// `calls` of every tool of the envelope.
pub(crate) const CALLS: u32 = 2;

pub(crate) fn task(n: u128) -> TaskId {
    TaskId::new(Uuid::from_u128(n))
}

pub(crate) fn action(n: u128) -> ActionId {
    ActionId::new(Uuid::from_u128(n))
}

pub(crate) fn deployment() -> DeploymentId {
    DeploymentId::new(Uuid::from_u128(1))
}

pub(crate) fn contract() -> Digest {
    Digest::of(&[b"contract"])
}

pub(crate) fn sealed(bytes: &[u8]) -> Sealed {
    Sealed::new(Clock::fake(START).salt(), bytes).unwrap()
}

pub(crate) fn args() -> Sealed {
    sealed(br#"{"path":"a.txt"}"#)
}

/// Returns a catalogue of two built-in tools and a program; `file.read` needs an approval each time.
pub(crate) fn catalogue() -> String {
    let limits = json!({
        "wall_ms": 20_000, "cpu_ms_max": 10_000, "output_bytes_max": 65_536, "processes_max": 32,
        "memory_bytes_max": 536_870_912, "file_bytes_max": 4_194_304, "files_open_max": 64,
    });
    let entry = |name: &str| {
        json!({
            "name": name, "description": "d", "effect": "write", "output": "untrusted",
            "input_schema": {"type": "object", "additionalProperties": true},
        })
    };
    let exec = json!({
        "program": "sh", "writable": true, "limits": limits,
        "argv": [{"literal": "-c"}, {"literal": "--"}, {"value": {"name": "script", "kind": "text"}}],
    });
    let mut sh = entry("sh");
    sh.as_object_mut().unwrap().insert("exec".to_owned(), exec);
    let tools = ["file.read", "file.write", "file.list", "http.get"].map(entry);
    let text = json!([tools[0], tools[1], tools[2], tools[3], sh]).to_string();
    runner::pin(&text, false).unwrap().text
}

/// Returns the document that the owner signs for [`catalogue`].
pub(crate) fn document() -> Vec<u8> {
    Catalogue::document(catalogue().as_bytes()).unwrap().0
}

pub(crate) fn installed() -> Arc<Installed> {
    Arc::new(read_tools(Some(&document())))
}

pub(crate) fn tool_digest(name: &str) -> Digest {
    let name: ToolName = name.parse().unwrap();
    installed().digest(&name).unwrap_or(Digest::ZERO)
}

pub(crate) fn envelope() -> Envelope {
    let tool = |(name, ask): (&str, Ask)| EnvelopeTool {
        name: name.parse().unwrap(),
        digest: tool_digest(name),
        ask,
        calls: CALLS,
    };
    let tools = [
        ("file.read", Ask::Always),
        ("file.write", Ask::Never),
        ("http.get", Ask::Never),
        ("sh", Ask::Sometimes),
    ];
    Envelope {
        expires: START.plus_ms(3_600_000),
        tools: tools.map(tool).to_vec(),
        wall_ms_max: 5_000,
        output_bytes_max: 10_000,
        hosts: Vec::new(),
        networks: Vec::new(),
        secrets: Vec::new(),
        approvers: Vec::new(),
        folders: ContractFolders::default(),
    }
}

pub(crate) fn draft(n: u128, tool: &str) -> DraftGrant {
    DraftGrant {
        deployment: deployment(),
        task: task(1),
        action: action(n),
        contract: contract(),
        rule: "allow.1".parse().unwrap(),
        tool: tool.parse().unwrap(),
        tool_digest: tool_digest(tool),
        args: args().content(),
        args_by: AuthorId::Worker,
        audience: AuthorId::Runner,
        ttl_ms: u32::try_from(TTL_MS).unwrap(),
        wall_ms: 5_000,
        output_bytes_max: 10_000,
        secrets: Vec::new(),
        counts: Counts::default(),
        determined: false,
        asked: None,
    }
}

/// The stream, and the core that reads it.
pub(crate) struct Stream {
    pub(crate) core: RunnerCore,
    pub(crate) gate: watch::Receiver<Gate>,
    verifier: Verifier,
    pub(crate) log: TestLog,
    /// The number of events that audit's last head is behind the stream, and its age.
    pub(crate) head: Option<(u64, Duration)>,
    /// The loop's state of doubts and claims.
    pub(crate) standing: Standing,
    pub(crate) ledger: Ledger,
    pub(crate) submitted: BTreeSet<TaskId>,
}

/// The requests of the core.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Wants {
    /// Actions to be claimed.
    pub(crate) claims: Vec<ActionId>,
    /// Facts to be appended.
    pub(crate) appends: Vec<Said>,
    /// Doubts to be published.
    pub(crate) doubts: Vec<StreamDoubted>,
    /// Arguments to be fetched.
    pub(crate) fetches: Vec<ActionId>,
}

/// An `action.declined` as it would be in the stream.
pub(crate) type Said = ActionDeclined;

impl Stream {
    /// Creates a stream with a roster and a signed contract; the cage has passed its test.
    pub(crate) fn new() -> Self {
        let mut stream = Self::bare();
        stream.sign(contract(), envelope());
        stream.core.input(Input::Probed(Ok(())));
        stream
    }

    /// Creates a stream with only a roster and a catalogue; the cage is not tested yet.
    pub(crate) fn bare() -> Self {
        let mut stream = Self::without_catalogue();
        stream.sign_catalogue(1, &document());
        stream.install(&document());
        stream
    }

    /// Creates a stream with only a roster.
    pub(crate) fn without_catalogue() -> Self {
        let (core, gate) = RunnerCore::new(owner(), 2);
        let mut stream = Self {
            core,
            gate,
            verifier: Verifier::new(owner(), ChainScope::Own(AuthorId::Runner)),
            log: TestLog::new(START),
            head: Some((0, Duration::ZERO)),
            standing: Standing::default(),
            ledger: Ledger::default(),
            submitted: BTreeSet::new(),
        };
        let roster = stream.log.roster(deployment());
        stream.say::<Owner, _>(Deployment, roster);
        stream
    }

    /// Signs a catalogue as the owner; the core has not read it yet.
    pub(crate) fn sign_catalogue(&mut self, version: u32, document: &[u8]) {
        let document = sealed(document).content();
        assert!(self.say::<Owner, _>(Deployment, CatalogueSigned { version, document }));
    }

    /// Has the core read this catalogue.
    pub(crate) fn install(&mut self, document: &[u8]) {
        let content = sealed(document).content();
        let installed = Arc::new(read_tools(Some(document)));
        self.core.input(Input::Installed(content, installed));
    }

    pub(crate) fn sign(&mut self, contract: Digest, envelope: Envelope) {
        self.sign_as(contract, ("c", 1), envelope);
    }

    /// Signs a contract with a name and a version.
    pub(crate) fn sign_as(
        &mut self,
        contract: Digest,
        (name, version): (&str, u32),
        envelope: Envelope,
    ) {
        let document = sealed(b"document").content();
        let fact = ContractSigned {
            contract,
            name: name.parse().unwrap(),
            version,
            document,
            pins: Pins {
                language: 1,
                policy: "0.1.0".parse().unwrap(),
                catalogue: Digest::ZERO,
                tools: document,
            },
            envelope,
        };
        self.say::<Owner, _>(Deployment, fact);
    }

    /// Appends an event by `A` and folds it; `false` if the reader treats it as junk.
    pub(crate) fn say<A: Author + CanPublish<E>, E: Event>(
        &mut self,
        scope: E::Scope,
        fact: E,
    ) -> bool {
        self.log.now = self.log.now.plus_ms(1);
        let raw = self.log.append(&Draft::<A>::of(scope, fact)).raw();
        match self.verifier.read::<ExecutorFact>(&raw).unwrap() {
            Read::Fact(seen) => {
                if let Some(fact) = read_as(&raw) {
                    self.standing.heed(AuthorId::Runner, seen.meta(), &fact);
                }
                self.core.fold(seen);
                true
            }
            Read::Other(_) => true,
            Read::Junk(_) => false,
        }
    }

    pub(crate) fn grant(&mut self, draft: DraftGrant) -> bool {
        self.grant_with(draft, None)
    }

    pub(crate) fn grant_with(&mut self, draft: DraftGrant, approval: Option<Signed>) -> bool {
        let task = draft.task;
        if !self.submitted.contains(&task) {
            self.submit(task, draft.contract, true);
        }
        let approvals = approval.into_iter().collect();
        let grant = Grant { draft, approvals };
        self.say::<Policy, _>(task, ActionGranted { grant })
    }

    /// Submits a task under `contract`, signed by the owner or by somebody else.
    pub(crate) fn submit(&mut self, task: TaskId, contract: Digest, by_owner: bool) {
        self.submitted.insert(task);
        let playbook = sealed(b"playbook").content();
        let at = self.log.now;
        let deployment = deployment();
        let said = TaskStatement {
            session: None,
            dialogue: None,
            deployment,
            task,
            contract,
            playbook,
            slots: None,
            at,
        };
        let signer = if by_owner {
            AuthorId::Owner
        } else {
            AuthorId::Policy
        };
        let statement = Signed::new(&Statement::Task(said), &key(signer));
        assert!(self.say::<Gateway, _>(
            task,
            TaskSubmitted {
                statement,
                playbook,
                slots: None,
                dialogue: None,
            }
        ));
    }

    /// Appends junk, up to `count` messages, which only moves the end of the stream.
    pub(crate) fn junk(&mut self, count: u64) {
        self.log.seq += count;
    }

    /// Returns the id of the last event.
    pub(crate) fn last(&self) -> EventId {
        testing::event_id(self.log.seq)
    }

    /// Grants an action and delivers its arguments.
    pub(crate) fn ready(&mut self, draft: DraftGrant) {
        let action = draft.action;
        assert!(self.grant(draft));
        self.bring(action);
    }

    pub(crate) fn bring(&mut self, action: ActionId) {
        let bytes = args().bytes().to_vec();
        self.core.input(Input::Args(action, Some(bytes)));
    }

    pub(crate) fn started(&mut self, n: u128) {
        let action = action(n);
        assert!(self.say::<Runner, _>(task(1), ActionStarted { action }));
    }

    pub(crate) fn finished(&mut self, n: u128) {
        let fact = ActionFinished {
            action: action(n),
            outcome: ActionOutcome::Succeeded,
            usage: Usage::default(),
            output: sealed(b"{}").content(),
            sent: None,
        };
        assert!(self.say::<Runner, _>(task(1), fact));
    }

    /// Restarts the process from its snapshot.
    pub(crate) fn restart(&mut self) {
        let kept = bus_schema::wire::encode(self.core.state());
        let (core, gate) = RunnerCore::new(owner(), 2);
        self.core = core;
        self.gate = gate;
        self.core.restore(bus_schema::wire::decode(&kept).unwrap());
        self.install(&document());
        self.core.input(Input::Probed(Ok(())));
    }

    pub(crate) fn wants(&self) -> Wants {
        self.wants_while(&BTreeSet::new())
    }

    pub(crate) fn wants_while(&self, busy: &BTreeSet<Option<TaskId>>) -> Wants {
        let (running, clock) = (BTreeSet::new(), Clock::fake(START));
        let heard = self.head.map(|(behind, age)| LogHead {
            head: Head {
                size: self.log.seq + 1 - behind,
                root: Digest::ZERO,
                stored: self.log.now,
            },
            age,
        });
        let mut out = Outbox::new(self.log.now, heard, busy, &running, &clock)
            .of_executor(&self.standing, &self.ledger);
        self.core.next(&mut out);
        let claims = out.claims().iter().map(|draft| draft.action).collect();
        let doubts = |draft: &&Draft<Runner>| draft.kind() == StreamDoubted::KIND;
        let (doubts, declines): (Vec<_>, Vec<_>) = out.drafts().into_iter().partition(doubts);
        let appends = declines.into_iter().map(fact).collect();
        let doubts = doubts.into_iter().map(fact).collect();
        // An effect is created only if it is not requested yet.
        let mut fetches = Vec::new();
        for action in (0..64).map(action) {
            let mut wanted = true;
            out.effect(Key::Action("args", action), || {
                wanted = false;
                Effect::Probe
            });
            fetches.extend(wanted.then_some(action));
        }
        Wants {
            claims,
            appends,
            doubts,
            fetches,
        }
    }
}

fn fact<E: Event>(draft: &Draft<Runner>) -> E {
    testing::body(draft).unwrap().fact
}

/// Returns an approval of `draft` by the owner or by somebody else.
pub(crate) fn approval(draft: &DraftGrant, by_owner: bool) -> Signed {
    approval_by(
        if by_owner {
            AuthorId::Owner
        } else {
            AuthorId::Policy
        },
        draft,
    )
}

/// Returns the question whose answer these keys may give for a minute.
pub(crate) fn asked(approvers: Vec<PublicKey>) -> Asked {
    Asked {
        approvers,
        quorum: 1,
        until: START.plus_ms(60_000),
        escalation: None,
        attended: false,
        verified: false,
    }
}

/// Returns an approval of `draft` under the key of `signer`.
pub(crate) fn approval_by(signer: AuthorId, draft: &DraftGrant) -> Signed {
    let statement = Statement::Approval(ApprovalStatement {
        deployment: draft.deployment,
        task: draft.task,
        action: draft.action,
        contract: draft.contract,
        draft: draft.digest(),
        approve: true,
        at: START,
    });
    Signed::new(&statement, &key(signer))
}

/// Returns a content that nobody stored.
pub(crate) fn other_content() -> Content {
    sealed(b"other").content()
}
