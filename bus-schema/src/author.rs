//! The authors of events: the services, and the owner.
//!
//! To add a service:
//!
//! 1. A row in `authors!`, with the next free user id. Users, accounts, permissions, consumers, configurations and
//!    shares of the deployment's folder follow from it. Its place in `ACTORS`, below.
//! 2. Its facts in `facts.rs`, its name among the authors of `service.started` there, and a line in `reader.rs` that
//!    names the facts it folds. Both are exported in `lib.rs`.
//! 3. A crate `services/<name>`: a core, an `impl Service`, a `main.rs` of three lines, a sample configuration, a
//!    README. Take `services/worker` as the example. A line in the workspace's `Cargo.toml`, and one in that of
//!    `contractual`.
//! 4. One line in `service` and one in the configurations of the command line; the compiler names both places.
//! 5. In `deploy`: a target in `Dockerfile`, a service and a network in `docker-compose.yml`, and the profile that
//!    `deploy/seccomp/derive` writes. The test `every_service_is_deployed_as_its_row_says` names what is missing.
//! 6. A row in the tables of `README.md`, `ARCHITECTURE.md` and `deploy/README.md`, and its name in the lists of
//!    `bus-schema/README.md`.
//! 7. `just golden`, and read the difference: it shows the service's rights.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::Invalid;

/// The user id of an author that no container runs.
const NOBODY: u32 = u32::MAX;

macro_rules! authors { ($(
    $(#[$doc:meta])* $T:ident = $name:literal, uid $uid:expr, chain $chain:ident, reads $reads:ident,
    volumes [$($volume:literal)*], contents of [$($of:ident)*];
)*) => {
    /// The authors of events: the actors, and the owner.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum AuthorId { $($(#[$doc])* $T,)* }

    impl AuthorId {
        /// All of them.
        pub const ALL: &[Self] = &[$(Self::$T,)*];
        /// The name: folder, service, crate, binary and NATS user.
        #[must_use]
        pub const fn name(self) -> &'static str { match self { $(Self::$T => $name,)* } }
        /// The user and group id in the shipped container; the owner, who is a person, has none.
        #[must_use]
        pub const fn uid(self) -> u32 { match self { $(Self::$T => $uid,)* } }
        /// Returns `Whole` if all of the author's events are one chain, `PerTask` if each task has its own.
        #[must_use]
        pub const fn chain(self) -> Chain { match self { $(Self::$T => Chain::$chain,)* } }
        /// Its own folders that it writes.
        #[must_use]
        pub const fn volumes(self) -> &'static [&'static str] { match self { $(Self::$T => &[$($volume),*],)* } }
        /// The authors whose contents it may read.
        #[must_use]
        pub const fn contents(self) -> &'static [Self] { match self { $(Self::$T => &[$(Self::$of),*],)* } }
        /// Returns the delay at which it reads stored messages.
        const fn reads(self) -> Reads { match self { $(Self::$T => Reads::$reads,)* } }
        /// Returns true if actions wait for it, so that it gets each message at once.
        #[must_use]
        pub const fn is_prompt(self) -> bool { matches!(self.reads(), Reads::Prompt) }
    }

    $($(#[$doc])* #[derive(Debug, Clone, Copy)] pub struct $T;
      impl Author for $T { const ID: AuthorId = AuthorId::$T; })*
} }

authors! {
    /// The person; signs contracts, tasks and approvals, and can halt everything.
    Owner = "owner", uid NOBODY, chain Whole, reads Patient,
        volumes [], contents of [Owner Gateway Worker Engine Policy Runner Egress Scheduler];
    /// The only entrance for people and programs outside.
    Gateway = "gateway", uid 10_001, chain PerTask, reads Patient,
        volumes ["state"], contents of [Owner Gateway Worker Engine Policy Runner Egress];
    /// Runs playbooks; can only propose.
    Worker = "worker", uid 10_008, chain PerTask, reads Prompt,
        volumes ["state"], contents of [Owner Gateway Policy Runner Egress];
    /// Takes the calls of sessions and works on dialogues with models; can only propose.
    Engine = "engine", uid 10_002, chain PerTask, reads Prompt,
        volumes ["state"], contents of [Gateway Engine Policy Runner Egress];
    /// Decides; only its grants are valid.
    Policy = "policy", uid 10_003, chain Whole, reads Prompt,
        volumes ["state"], contents of [Owner Gateway Worker Engine Policy Runner Egress Scheduler];
    /// Executes granted tool calls in a sandbox.
    Runner = "runner", uid 10_004, chain PerTask, reads Prompt,
        volumes ["state"], contents of [Owner Worker Engine];
    /// Releases sealed secrets to egress, each for one claimed action; cannot open them.
    Broker = "broker", uid 10_005, chain Whole, reads Patient,
        volumes ["state"], contents of [Owner Broker];
    /// Sends the requests of granted calls to hosts: the only way out.
    Egress = "egress", uid 10_011, chain PerTask, reads Prompt,
        volumes ["state"], contents of [Owner Worker Engine];
    /// Says when runs of jobs are due; can only say it.
    Scheduler = "scheduler", uid 10_006, chain Whole, reads Patient,
        volumes ["state"], contents of [Owner];
    /// Keeps the tamper-evident log.
    Audit = "audit", uid 10_007, chain Whole, reads Patient,
        volumes ["state" "log" "anchor"], contents of [];
    /// Renders the pages that the gateway serves; can only read.
    Ui = "ui", uid 10_009, chain Whole, reads Patient,
        volumes ["state"], contents of [Owner Gateway Worker Engine Policy Runner Egress];
}

/// The authors that are processes on the bus, in the order in which they start.
pub const ACTORS: &[AuthorId] = &[
    AuthorId::Audit,
    AuthorId::Policy,
    AuthorId::Runner,
    AuthorId::Broker,
    AuthorId::Egress,
    AuthorId::Worker,
    AuthorId::Engine,
    AuthorId::Scheduler,
    AuthorId::Ui,
    AuthorId::Gateway,
];
// All but the owner.
const _: () = assert!(ACTORS.len() + 1 == AuthorId::ALL.len());

/// The way an author's events are chained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chain {
    /// One chain: only one instance can run.
    Whole,
    /// One chain for each task: instances can share the work.
    PerTask,
}

/// The delay at which an author reads stored messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reads {
    /// No delay, because actions wait for it.
    Prompt,
    /// A delay of some milliseconds, so that messages are read in batches.
    Patient,
}

/// A type for each author, so that the compiler checks the right to publish.
pub trait Author: fmt::Debug + Send + Sync + 'static {
    /// The author.
    const ID: AuthorId;
}

impl fmt::Display for AuthorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for AuthorId {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let found = Self::ALL.iter().find(|id| id.name() == text);
        found
            .copied()
            .ok_or_else(|| Invalid::new("an author", text))
    }
}
