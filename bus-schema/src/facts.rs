//! Every fact, once: its kind, its version, who can say it, and its shape.
//!
//! To add one: add its lines to the table below, name it in the `reads!` of those who fold it, and run
//! `just golden`; subjects, permissions, consumers, decoder and documents follow.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    ActionId, AuthorId, Body, CanPublish, Content, ContractName, Deployment, DeploymentId, Digest,
    DraftGrant, Envelope, Event, Grant, Hardening, Junk, Money, Pins, PublicKey, RuleId, Signed,
    StepName, Subject, TaskId, ToolName, Version, parse_fact, wire,
};

/// What the table knows of one fact.
#[derive(Debug)]
pub struct Spec {
    /// `<noun>.<past-verb>`.
    pub kind: &'static str,
    /// The version of its shape.
    pub v: u16,
    /// Who can say it.
    pub by: &'static [AuthorId],
    /// Whether it is about one task.
    pub of_task: bool,
    /// What it means.
    pub doc: &'static str,
    /// Its fields.
    pub fields: &'static [&'static str],
    json: Reader<Value>,
    contents: Reader<Vec<Content>>,
}

/// Reads a body with its subject and schema.
type Reader<T> = fn(Subject<'_>, &str, &[u8]) -> Result<T, Junk>;

macro_rules! facts { ($(
    $(#[doc = $doc:literal])*
    $kind:literal v $v:literal by $($A:ident)+, of $S:ty: $E:ident
    { $($(#[$fdoc:meta])* $f:ident: $t:ty),* $(,)? } $(contents $body:expr)?;
)*) => {
    $(
        $(#[doc = $doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $E { $($(#[$fdoc])* pub $f: $t),* }
        impl Event for $E {
            type Scope = $S;
            const KIND: &'static str = $kind;
            const V: u16 = $v;
            const BY: &'static [AuthorId] = &[$(AuthorId::$A),+];
            $(fn contents(&self) -> Vec<Content> { let contents: fn(&Self) -> Vec<Content> = $body; contents(self) })?
        }
        $(impl CanPublish<$E> for crate::$A {})+
    )*

    /// Every fact there is.
    pub const FACTS: &[Spec] = &[$(Spec {
        kind: $kind,
        v: $v,
        by: <$E as Event>::BY,
        of_task: !matches!(stringify!($S).as_bytes(), b"Deployment"),
        doc: concat!($($doc, "\n"),*),
        fields: &[$(concat!(stringify!($f), ": ", stringify!($t))),*],
        json: |subject, schema, body| {
            parse_fact::<$E>(subject, schema, body)?;
            let body: Body<$E> = wire::decode(body).map_err(|_| Junk::Malformed)?;
            serde_json::to_value(body).map_err(|_| Junk::Malformed)
        },
        contents: |subject, schema, body| {
            parse_fact::<$E>(subject, schema, body).map(|(_, fact)| fact.contents())
        },
    }),*];
} }

impl Spec {
    /// The spec of a kind.
    #[must_use]
    pub fn of(kind: &str) -> Option<&'static Self> {
        FACTS.iter().find(|spec| spec.kind == kind)
    }
    /// A body of this kind as JSON, for people.
    ///
    /// # Errors
    /// Why it is not such a body.
    pub fn json(&self, subject: Subject<'_>, schema: &str, body: &[u8]) -> Result<Value, Junk> {
        (self.json)(subject, schema, body)
    }
    /// The contents that a body of this kind names.
    ///
    /// # Errors
    /// Why it is not such a body.
    pub fn contents(
        &self,
        subject: Subject<'_>,
        schema: &str,
        body: &[u8],
    ) -> Result<Vec<Content>, Junk> {
        (self.contents)(subject, schema, body)
    }
}

facts! {
    /// A process of the author is up, with the hardening that it measured of itself.
    "service.started" v 1 by Gateway Worker Policy Runner Audit, of Deployment: ServiceStarted {
        /// The program's version.
        version: Version,
        /// What it measured.
        hardening: Hardening,
    };

    /// From here on, exactly these keys sign for these authors; every other key's time is over.
    "roster.changed" v 1 by Owner, of Deployment: RosterChanged {
        /// The deployment that this stream belongs to; the first event of a stream is a roster.
        deployment: DeploymentId,
        /// One key for each author that may speak.
        keys: Vec<AuthorKey>,
    };
    /// The owner signs a contract: its exact text by digest, by what it was read, and the flat envelope that executors
    /// check.
    "contract.signed" v 1 by Owner, of Deployment: ContractSigned {
        /// SHA-256 of the document.
        contract: Digest,
        /// Its name; one contract of a name is in force.
        name: ContractName,
        /// Its version; a higher one takes the place of a lower one.
        version: u32,
        /// The document (TOML).
        document: Content,
        /// By what it was read.
        pins: Pins,
        /// What it allows at most, over exactly these tools.
        envelope: Envelope,
    } contents |fact| vec![fact.document, fact.pins.tools];
    /// Nothing is granted or claimed under this contract any more.
    "contract.revoked" v 1 by Owner, of Deployment: ContractRevoked {
        /// SHA-256 of its document.
        contract: Digest,
    };
    /// Everything that runs is killed, and nothing is granted, until the halt is lifted.
    "halt.ordered" v 1 by Owner, of Deployment: HaltOrdered {};
    /// The halt is over.
    "halt.lifted" v 1 by Owner, of Deployment: HaltLifted {};
    /// The author finds another stream than the one it stood in, and claims nothing until the owner adopts this one.
    "stream.doubted" v 1 by Runner, of Deployment: StreamDoubted {
        /// The place of the last message that it had folded.
        lost_seq: u64,
        /// That message: SHA-256 of its stored time, subject and body.
        lost: Digest,
    };
    /// The executor may go on in this stream from here; what was granted before stays unclaimed.
    "stream.adopted" v 1 by Owner, of Deployment: StreamAdopted {
        /// Who doubted it.
        executor: AuthorId,
        /// The message that it lost, as its doubt names it; ends no other doubt.
        lost: Digest,
    };

    /// Somebody handed in a signed task; the gateway vouches for nothing in it.
    "task.submitted" v 1 by Gateway, of TaskId: TaskSubmitted {
        /// A signed [`crate::TaskStatement`].
        statement: Signed,
        /// The playbook that the statement names.
        playbook: Content,
    } contents |fact| vec![fact.playbook];
    /// Somebody handed in a signed yes or no; the gateway vouches for nothing in it.
    "approval.carried" v 1 by Gateway, of TaskId: ApprovalCarried {
        /// The action it speaks of.
        action: ActionId,
        /// A signed [`crate::ApprovalStatement`].
        statement: Signed,
    };

    /// The author would like this to happen. Says nothing about whether it may.
    "action.proposed" v 1 by Worker, of TaskId: ActionProposed {
        /// The action, used once.
        action: ActionId,
        /// The step of the playbook.
        step: StepName,
        /// The step's place in the playbook, from 0.
        index: u16,
        /// Which of the step's items, from 0.
        item: u16,
        /// How many items the step has.
        items: u16,
        /// Which try of that item, from 1.
        attempt: u8,
        /// The tool.
        tool: ToolName,
        /// The arguments, canonical JSON.
        args: Content,
    } contents |fact| vec![fact.args];
    /// Bus time has passed the last moment at which this action could still have been claimed or finished.
    /// It counts only if its own stored time proves that.
    "action.expired" v 1 by Worker, of TaskId: ActionExpired {
        /// The action.
        action: ActionId,
    };
    /// The task is over.
    "task.finished" v 1 by Worker, of TaskId: TaskFinished {
        /// How.
        outcome: TaskOutcome,
        /// Where and why it ended early (JSON `{step, reason}`).
        detail: Option<Content>,
    } contents |fact| fact.detail.into_iter().collect();

    /// The contract is in force.
    "contract.activated" v 1 by Policy, of Deployment: ContractActivated {
        /// SHA-256 of its document.
        contract: Digest,
        /// Its name.
        name: ContractName,
        /// The version before it, which is in force no more.
        supersedes: Option<Digest>,
    };
    /// Nothing is granted under the contract until the owner signs it again: the tools that it names, or how it is
    /// read, are not those that were signed.
    "contract.suspended" v 1 by Policy, of Deployment: ContractSuspended {
        /// SHA-256 of its document.
        contract: Digest,
        /// What differs (text).
        why: Option<Content>,
    } contents |fact| fact.why.into_iter().collect();
    /// The contract is not in force, and why.
    "contract.rejected" v 1 by Policy, of Deployment: ContractRejected {
        /// SHA-256 of its document.
        contract: Digest,
        /// Why.
        code: RefusalCode,
        /// The same for a person (text).
        why: Option<Content>,
    } contents |fact| fact.why.into_iter().collect();
    /// The statement is the owner's, and the contract is in force: the task may propose.
    "task.admitted" v 1 by Policy, of TaskId: TaskAdmitted {
        /// SHA-256 of the contract.
        contract: Digest,
        /// The playbook.
        playbook: Content,
    } contents |fact| vec![fact.playbook];
    /// The task does not start, and why.
    "task.rejected" v 1 by Policy, of TaskId: TaskRejected {
        /// Why.
        code: RefusalCode,
    };
    /// Exactly this may run, once, on its audience, if claimed in time by the stream's own clock.
    "action.granted" v 1 by Policy, of TaskId: ActionGranted {
        /// The grant.
        grant: Grant,
    } contents |fact| vec![fact.grant.draft.args];
    /// This does not happen.
    "action.refused" v 1 by Policy, of TaskId: ActionRefused {
        /// The action.
        action: ActionId,
        /// The rule or built-in check that decided.
        rule: RuleId,
        /// The kind of reason.
        code: RefusalCode,
        /// The reason, and the smallest change of the contract that would allow it (JSON `{why, fix}`).
        why: Option<Content>,
    } contents |fact| fact.why.into_iter().collect();
    /// A person has to say yes or no to this draft.
    "approval.requested" v 1 by Policy, of TaskId: ApprovalRequested {
        /// What would be granted.
        draft: DraftGrant,
        /// Why the contract asks (text).
        reason: Option<Content>,
    } contents |fact| fact.reason.into_iter().chain([fact.draft.args]).collect();
    /// A statement that was carried is not taken as an approval, and why; the request stays open.
    "approval.refused" v 1 by Policy, of TaskId: ApprovalRefused {
        /// The action it spoke of.
        action: ActionId,
        /// Why.
        code: RefusalCode,
    };

    /// The grant is claimed. Only its author acts on it, and only after reading this back.
    "action.started" v 1 by Runner, of TaskId: ActionStarted {
        /// The action.
        action: ActionId,
    };
    /// What became of a claimed action.
    "action.finished" v 1 by Runner, of TaskId: ActionFinished {
        /// The action.
        action: ActionId,
        /// How it ended.
        outcome: ActionOutcome,
        /// What it used.
        usage: Usage,
        /// What it answered.
        output: Content,
    } contents |fact| vec![fact.output];
    /// The executor does not honour a grant, and why.
    "action.declined" v 1 by Runner, of TaskId: ActionDeclined {
        /// The action.
        action: ActionId,
        /// Why.
        code: RefusalCode,
    };

    /// The log is durable up to `size` and signed with `root`.
    "checkpoint.signed" v 1 by Audit, of Deployment: CheckpointSigned {
        /// How many leaves; leaf n is the message with stream sequence n.
        size: u64,
        /// The Merkle tree's root (RFC 6962).
        root: Digest,
    };
}

/// A key that signs for an author.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthorKey {
    /// Who.
    pub author: AuthorId,
    /// The key.
    pub key: PublicKey,
}

/// What an action used. What its executor cannot know is left out of the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Usage {
    /// Wall time.
    pub wall_ms: u32,
    /// Processor time.
    pub cpu_ms: u32,
    /// Bytes of output.
    pub output_bytes: u32,
    /// Tokens of a model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// Bytes of its arguments that left the owner's reach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_out: Option<u64>,
    /// Money that it moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spend: Option<Money>,
}

/// How an action ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionOutcome {
    /// It did what it was asked.
    Succeeded,
    /// It says that it did not.
    Failed,
    /// Its wall time was over.
    TimedOut,
    /// A halt or the end of the runner killed it.
    Killed,
}

/// How a task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskOutcome {
    /// Every step that the playbook insists on succeeded.
    Succeeded,
    /// A step ended in a way at which the playbook stops.
    Failed,
}

/// The kind of a refusal: closed, so that programs can act on it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, thiserror::Error,
)]
#[serde(rename_all = "snake_case")]
pub enum RefusalCode {
    /// No contract of that digest is in force.
    #[error("no such contract is in force")]
    NoContract,
    /// The contract's document cannot be read or is not valid.
    #[error("the contract is not valid")]
    InvalidContract,
    /// The document is not what the owner's event says of it.
    #[error("the contract's envelope does not follow from its document")]
    EnvelopeDiffers,
    /// A contract of that name with this or a higher version is in force.
    #[error("this or a newer version of the contract is in force")]
    NotNewer,
    /// Its tools, or how it is read, have changed since the owner signed it.
    #[error("the contract is suspended until the owner signs it again")]
    Suspended,
    /// The contract has expired.
    #[error("the contract has expired")]
    Expired,
    /// The statement is not genuine, or was made for something else.
    #[error("the statement is not genuine or speaks of something else")]
    BadStatement,
    /// The id was used before.
    #[error("the id was used before")]
    Reused,
    /// The proposer is not the one that runs the task.
    #[error("the task is not open to this author")]
    NotOpen,
    /// No such tool in the catalogue, or not the one that was signed.
    #[error("the tool is unknown or has changed since the contract was signed")]
    Tool,
    /// The arguments are unreadable, not in canonical form, or not what the tool's schema says.
    #[error("the arguments do not fit the tool")]
    Arguments,
    /// A `deny` rule matches.
    #[error("the contract denies it")]
    Denied,
    /// No `allow` or `ask` rule matches.
    #[error("the contract does not allow it")]
    NotAllowed,
    /// A limit of the contract is used up.
    #[error("a limit of the contract is used up")]
    Limit,
    /// The person said no.
    #[error("the owner said no")]
    SaidNo,
    /// The person said nothing in time.
    #[error("nobody said yes in time")]
    ApprovalExpired,
    /// The statement is not signed by anybody who is asked.
    #[error("the statement is signed by nobody who is asked")]
    ApproverUnknown,
    /// The statement is about another draft: its arguments, its tool or its limits are others.
    #[error("the approval is for something else than what is asked about")]
    ApprovalDiffers,
    /// The statement was made under another contract, or another version of it.
    #[error("the approval was given under another contract")]
    ApprovalOtherContract,
    /// The same person said it before.
    #[error("this person has said so already")]
    ApprovalUsed,
    /// An approval of this action was taken already, or it needs none.
    #[error("no approval of this action is open")]
    ApprovalNotOpen,
    /// Everything is halted.
    #[error("everything is halted")]
    Halted,
    /// The grant lies outside of what the owner signed.
    #[error("the grant lies outside of what the owner signed")]
    OutsideEnvelope,
    /// The grant reached its executor too late.
    #[error("the grant came too late")]
    TooLate,
    /// The executor cannot set up the tool's isolation.
    #[error("the tool's isolation cannot be set up")]
    NoCage,
    /// The statement was made about another action.
    #[error("the approval was given for another action")]
    ApprovalOtherAction,
}
