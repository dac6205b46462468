//! The contract type: its owner, validity period, limits and rules.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use bus_schema::{ContractFolders, ContractName, Digest, PublicKey, Time};
use diagnostic::{Diagnostic, Diagnostics};
use jiff::tz::TimeZone;

use crate::known::KnownSet;
use crate::limits::{Limits, PeriodLimits};
use crate::quota::Quota;
use crate::reach::Reach;
use crate::rule::Rule;
use crate::slot_rule::SlotRules;
use crate::test_call::TestCall;
use crate::usage::Period;

/// The version of the contract language. A contract signed for another version must be signed again.
pub const LANGUAGE: u16 = 2;
/// Maximum length of a contract, in bytes.
pub(crate) const CONTRACT_BYTES_MAX: usize = 256 << 10;
/// The document that the owner signs: read from TOML by [`Contract::parse`], then immutable.
#[derive(Debug, Clone)]
pub struct Contract {
    pub(crate) name: ContractName,
    pub(crate) version: u32,
    pub(crate) purpose: String,
    pub(crate) owner: String,
    pub(crate) head: Header,
    pub(crate) expires_span: Range<usize>,
    pub(crate) roles: BTreeMap<String, Role>,
    /// The sets of values that the owner named.
    pub(crate) known: BTreeMap<String, Arc<KnownSet>>,
    /// The values that a person fills in with each task.
    pub(crate) slots: SlotRules,
    pub(crate) rules: Vec<Rule>,
    /// The indexes of the rules about each tool, sorted by rule id, so that verdicts do not depend on the order of the
    /// document.
    pub(crate) by_tool: BTreeMap<String, Vec<usize>>,
    /// The calls of its inline tests.
    pub(crate) tests: Vec<TestCall>,
    pub(crate) digest: Digest,
}

/// The part of a contract that is checked before its rules.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Header {
    pub(crate) starts_ms: Option<i64>,
    pub(crate) expires_ms: i64,
    pub(crate) principals: Vec<String>,
    /// The text of the only tasks that it is for.
    pub(crate) task: Option<String>,
    pub(crate) limits: Limits,
    /// The zone of the days and times in the task text; UTC by default.
    pub(crate) zone: TimeZone,
    /// The workspace of its calls, and the folders that they may read.
    pub(crate) folders: ContractFolders,
    /// The hosts that its calls may send to.
    pub(crate) reach: Reach,
}

/// A group of people who can approve a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// The display name.
    pub name: Option<String>,
    /// The keys of its members, each once; never empty.
    pub keys: Vec<PublicKey>,
}

impl Contract {
    /// Checks that a contract that [`Contract::parse`] made of `text` has not expired at `now_ms`
    /// (milliseconds since 1970 UTC).
    ///
    /// # Errors
    /// One diagnostic at `expires`, if the contract has expired.
    pub fn in_force(&self, file: &str, text: &str, now_ms: i64) -> Result<(), Diagnostics> {
        if now_ms < self.head.expires_ms {
            return Ok(());
        }
        let span = self.expires_span.clone();
        let fix = "write a later date and let the owner sign the contract again";
        Err(Diagnostic::at(file, text, span, "the contract has expired", fix).into())
    }

    /// The name: lower-case letters, digits and `-`.
    #[must_use]
    pub fn name(&self) -> &ContractName {
        &self.name
    }

    /// The version, counted from 1.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The purpose, as the owner wrote it.
    #[must_use]
    pub fn purpose(&self) -> &str {
        &self.purpose
    }

    /// The owner's name, as the owner wrote it; it is not verified.
    #[must_use]
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// The first moment at which the contract has expired, in milliseconds since 1970 UTC. A
    /// date alone means the end of that day in UTC.
    #[must_use]
    pub fn expires_ms(&self) -> i64 {
        self.head.expires_ms
    }

    /// The expiry as bus time; the last representable moment if the expiry is later.
    #[must_use]
    pub fn expires(&self) -> Time {
        Time::from_ns(self.head.expires_ms.saturating_mul(1_000_000))
    }

    /// The first moment at which the contract is in force, if given, in milliseconds since 1970 UTC.
    #[must_use]
    pub fn starts_ms(&self) -> Option<i64> {
        self.head.starts_ms
    }

    /// The name of the zone of the days and times in the task text: `UTC`, or a name such as `Europe/Berlin`.
    #[must_use]
    pub fn zone(&self) -> &str {
        self.head.zone.iana_name().unwrap_or("UTC")
    }

    /// The principals whose tasks may run under the contract: `session`, `job`, or one of them by name (`job:nightly`).
    #[must_use]
    pub fn principals(&self) -> &[String] {
        &self.head.principals
    }

    /// The text of the tasks that the contract is for, exactly; `None` if it is for tasks of any text.
    #[must_use]
    pub fn task(&self) -> Option<&str> {
        self.head.task.as_deref()
    }

    /// The hosts that its calls may send to, and the networks in which these may be.
    #[must_use]
    pub fn reach(&self) -> &Reach {
        &self.head.reach
    }

    /// The workspace in which its calls act, and the folders that they may read besides.
    #[must_use]
    pub fn folders(&self) -> &ContractFolders {
        &self.head.folders
    }

    /// The roles that the contract defines; the built-in `owner` is not included.
    #[must_use]
    pub fn roles(&self) -> &BTreeMap<String, Role> {
        &self.roles
    }

    /// Returns true if limits or quotas are shared between tasks.
    #[must_use]
    pub fn counts_over_tasks(&self) -> bool {
        let shared = [Period::Hour, Period::Day, Period::Contract];
        shared.into_iter().any(|period| {
            let counts = |rule: &Rule| *rule.quotas.of(period) != Quota::default();
            *self.head.limits.of(period) != PeriodLimits::default() || self.rules.iter().any(counts)
        })
    }

    /// The limits on everything that is done under the contract.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.head.limits
    }

    /// All rules: allow, then ask, then deny, each in the order of the document.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter()
    }

    /// The rules about a tool of the catalogue that the contract was parsed against, sorted by id.
    pub(crate) fn about(&self, tool: &str) -> impl Iterator<Item = &Rule> {
        let places = self.by_tool.get(tool).into_iter().flatten();
        places.filter_map(|at| self.rules.get(*at))
    }

    /// Replaces the digest by that of another contract, to decide calls that were recorded under that one.
    #[must_use]
    pub fn in_place_of(self, digest: Digest) -> Self {
        Self { digest, ..self }
    }

    /// The SHA-256 digest of exactly the bytes that were parsed.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }
}
