#![doc = include_str!("../README.md")]

pub mod account;
mod author;
mod call;
mod catalogue;
mod content;
mod draft;
mod event;
mod facts;
mod grant;
mod hardening;
mod id;
mod job;
pub mod json;
pub mod lifecycle;
mod live;
mod money;
mod page;
mod reader;
mod refusal;
mod run;
mod secret;
mod signed;
pub mod stream;
#[cfg(feature = "testing")]
pub mod testing;
mod verify;
pub mod wire;

pub use account::{User, users};
pub use author::{
    ACTORS, Audit, Author, AuthorId, Broker, Chain, Egress, Engine, Gateway, Owner, Policy, Runner,
    Scheduler, Ui, Worker,
};
pub use call::{
    CALLS, Call, CallSpec, CanCall, Halt, Halted, Proof, Prove, Release, ReleasedSecret,
};
pub use content::{CHUNK_BYTES_MAX, CONTENT_BYTES_MAX, Content, Sealed, TooLarge};
pub use draft::{Draft, Link, SignedEvent, public_key};
pub use event::{
    Body, CanPublish, Deployment, ENVELOPE_V, EVENT_BYTES_MAX, Event, Facts, HEADER_SCHEMA,
    HEADER_SIGNATURE, Junk, Raw, Scope, Subject, parse_fact, read_as,
};
pub use facts::{
    ActionDeclined, ActionExpired, ActionFinished, ActionGranted, ActionOutcome, ActionProposed,
    ActionRefused, ActionStarted, ApprovalCarried, ApprovalRefused, ApprovalRequested, AuthorKey,
    AuthorSealingKey, CatalogueSigned, CheckpointSigned, ContractActivated, ContractRejected,
    ContractRevoked, ContractSigned, ContractSuspended, FACTS, HaltLifted, HaltOrdered, JobPaused,
    JobResumed, JobRevoked, JobSigned, RosterChanged, RunDue, RunOrdered, SecretReleased,
    SecretRevoked, SecretSigned, ServiceStarted, SessionCalled, SessionEnded, Spec, StreamAdopted,
    StreamDoubted, TaskAdmitted, TaskCancelled, TaskFinished, TaskOutcome, TaskRejected,
    TaskSubmitted, Usage,
};
pub use grant::{
    APPROVERS_MAX, Answer, Ask, Asked, ContractFolders, Counts, DraftGrant, ENVELOPE_TOOLS_MAX,
    Envelope, EnvelopeTool, Escalated, GRANT_TTL_MS_MAX, Grant, OutsideEnvelope, Pins,
};
pub use hardening::{Capabilities, Hardening, MOUNT_POINTS_MAX, MountPoint, Profile, Property};
pub use id::{
    ActionId, ArgumentName, ContractName, DeploymentId, Digest, EventId, FolderName, Invalid,
    JobName, PublicKey, RuleId, Salt, SealingPublicKey, SecretName, Signature, StepName, TaskId,
    Time, ToolName, Version,
};
pub use job::{JobOnRecord, Jobs};
pub use lifecycle::OUTCOME_GRACE_MS;
pub use live::{Head, Live};
pub use money::{Currency, Money};
pub use page::{AwaitChange, PAGE_BYTES_MAX, PATH_BYTES_MAX, ShowPage, ShownPage};
pub use reader::{
    ActionFact, AuditFact, CallFact, CatalogueFact, ContractFact, DoubtFact, EngineFact,
    ExecutorFact, GatewayFact, JobFact, PolicyFact, SchedulerFact, SecretFact, UiFact, WorkerFact,
};
pub use refusal::RefusalCode;
pub use run::RunCause;
pub use secret::{NotReleased, SecretOnRecord, Secrets};
pub use signed::{
    AccessStatement, ApprovalStatement, CallStatement, EndStatement, NotSigned, PLAN_CALLS_MAX,
    PlanStatement, SLOTS_BYTES_MAX, STATEMENT_BYTES_MAX, Signed, Statement, TaskStatement, verify,
};
pub use stream::{AUDIT, BLOBS, STREAMS, StreamSpec, TIMERS, TRIGGERS, consumer};
pub use verify::{ChainScope, Meta, Read, Seen, Tip, TooOld, Verifier};
