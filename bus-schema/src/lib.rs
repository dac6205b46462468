#![doc = include_str!("../README.md")]

pub mod account;
mod admitted;
mod approved;
mod author;
mod author_key;
mod call;
mod catalogue;
mod content;
mod device;
mod devices;
mod download;
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
mod outcome;
mod page;
mod parts;
mod passkey;
mod reader;
mod refusal;
mod run;
mod runs;
mod said;
mod secret;
mod signed;
mod starts;
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
pub use author_key::{AuthorKey, AuthorSealingKey};
pub use call::{
    CALLS, Call, CallSpec, CanCall, Halt, Halted, Proof, Prove, Release, ReleasedSecret, Renew,
};
pub use content::{CHUNK_BYTES_MAX, CONTENT_BYTES_MAX, Content, Sealed, TooLarge};
pub use device::{DEVICE_DAYS_MAX, DeviceKey, DeviceRefused, DeviceRole};
pub use devices::{DEVICES_MAX, DeviceOnRecord, Devices, Signers};
pub use download::{DOWNLOAD_BYTES_MAX, Download};
pub use draft::{Draft, Link, SignedEvent, public_key};
pub use event::{
    Body, CanPublish, Deployment, ENVELOPE_V, EVENT_BYTES_MAX, Event, Facts, HEADER_SCHEMA,
    HEADER_SIGNATURE, Junk, Raw, Scope, Subject, parse_fact, read_as,
};
pub use facts::{
    ActionDeclined, ActionExpired, ActionFinished, ActionGranted, ActionProposed, ActionRefused,
    ActionStarted, ApprovalCarried, ApprovalRefused, ApprovalRequested, CatalogueSigned,
    CheckpointSigned, ContractActivated, ContractAnswered, ContractRejected, ContractRequested,
    ContractRevoked, ContractSigned, ContractSuspended, DeviceEndorsed, DeviceRevoked, FACTS,
    HaltLifted, HaltOrdered, JobPaused, JobResumed, JobRevoked, JobSigned, RosterChanged, RunDue,
    RunOrdered, SecretReleased, SecretRenewed, SecretRevoked, SecretSigned, ServiceStarted,
    SessionCalled, SessionEnded, Spec, StreamAdopted, StreamDoubted, TaskAdmitted, TaskCancelled,
    TaskFinished, TaskRejected, TaskSaid, TaskStopped, TaskSubmitted, TriggerRefused,
};
pub use grant::{
    APPROVERS_MAX, Answer, Ask, Asked, ContractFolders, Counts, DraftGrant, ENVELOPE_TOOLS_MAX,
    Envelope, EnvelopeTool, Escalated, GRANT_TTL_MS_MAX, Grant, OutsideEnvelope, Pins,
};
pub use hardening::{Capabilities, Hardening, MOUNT_POINTS_MAX, MountPoint, Profile, Property};
pub use id::{
    ActionId, ArgumentName, Challenge, ContractName, DeploymentId, DeviceId, DeviceName, Digest,
    EventId, FolderName, Invalid, JobName, PairingId, PublicKey, RuleId, Salt, SealingPublicKey,
    SecretName, Signature, StepName, TaskId, Time, ToolName, Version,
};
pub use job::{JobOnRecord, Jobs};
pub use lifecycle::OUTCOME_GRACE_MS;
pub use live::{Head, Live, PIECE_BYTES_MAX, Piece};
pub use money::{Currency, Money};
pub use outcome::{ActionOutcome, TaskOutcome, Usage};
pub use page::{AwaitChange, PAGE_BYTES_MAX, PATH_BYTES_MAX, ShowPage, ShownPage};
pub use parts::{AFTER, PARTS_RULE};
pub use passkey::{ASSERTION_BYTES_MAX, Assertion, passkey};
pub use reader::{
    ActionFact, AuditFact, CallFact, CatalogueFact, ContractFact, DeviceFact, DoubtFact,
    EngineFact, ExecutorFact, GatewayFact, JobFact, PolicyFact, RequestFact, SchedulerFact,
    SecretFact, UiFact, WorkerFact,
};
pub use refusal::RefusalCode;
pub use run::{MessageRefusal, RunCause, StopReason, batch_key};
pub use runs::{
    ENDED_RUNS_MAX, EndedRun, FAILED_RUNS_MAX, FailedRun, RunOnRecord, RunsOnRecord, has_failed,
};
pub use said::{REQUESTS_MAX, SAID_BYTES_MAX, SAID_MAX};
pub use secret::{NotReleased, SecretOnRecord, Secrets};
pub use signed::{
    AccessStatement, AmendStatement, ApprovalStatement, CallStatement, EndStatement, NotSigned,
    PLAN_CALLS_MAX, PairingStatement, PlanStatement, SLOTS_BYTES_MAX, STATEMENT_BYTES_MAX,
    SaidStatement, SignInStatement, Signed, Statement, TaskStatement, verify,
};
pub use starts::{DeploymentStarts, START_ACTORS, START_MS_MAX, STARTS_MAX};
pub use stream::{AUDIT, BLOBS, STREAMS, StreamSpec, TIMERS, TRIGGERS, consumer};
pub use verify::{ChainScope, Meta, Read, Seen, Tip, TooOld, Verifier};
