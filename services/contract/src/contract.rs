//! Says what a contract is: who signed what for how long, its limits and its rules.

use std::collections::BTreeMap;
use std::ops::Range;

use bus_schema::{ContractName, Digest, PublicKey, Time};
use diagnostic::{Diagnostic, Diagnostics};

use crate::limits::{Limits, PeriodLimits};
use crate::quota::Quota;
use crate::rule::Rule;
use crate::test_call::TestCall;
use crate::usage::Period;

/// The version of the contract language: a contract that is read by another one has to be signed again.
pub const LANGUAGE: u16 = 1;
/// Longest contract, in bytes.
pub(crate) const CONTRACT_BYTES_MAX: usize = 256 << 10;
/// What the owner signs: read from TOML by [`Contract::parse`], never changed.
#[derive(Debug, Clone)]
pub struct Contract {
    pub(crate) name: ContractName,
    pub(crate) version: u32,
    pub(crate) purpose: String,
    pub(crate) owner: String,
    pub(crate) head: Header,
    pub(crate) expires_span: Range<usize>,
    pub(crate) roles: BTreeMap<String, Role>,
    pub(crate) rules: Vec<Rule>,
    /// The places of the rules about each tool, in the order of their ids, so that nothing follows from the order of
    /// the document.
    pub(crate) by_tool: BTreeMap<String, Vec<usize>>,
    /// The calls of its inline tests.
    pub(crate) tests: Vec<TestCall>,
    pub(crate) digest: Digest,
}

/// What has to hold before any rule is asked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Header {
    pub(crate) starts_ms: Option<i64>,
    pub(crate) expires_ms: i64,
    pub(crate) principals: Vec<String>,
    pub(crate) limits: Limits,
}

/// Whose yes a question can ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Its name for people.
    pub name: Option<String>,
    /// The keys of its members, each once; never empty.
    pub keys: Vec<PublicKey>,
}

impl Contract {
    /// Checks that a contract that [`Contract::parse`] made of `text` is in force at `now_ms`
    /// (milliseconds since 1970 UTC).
    ///
    /// # Errors
    /// One diagnostic at its `expires`, when that moment has come.
    pub fn in_force(&self, file: &str, text: &str, now_ms: i64) -> Result<(), Diagnostics> {
        if now_ms < self.head.expires_ms {
            return Ok(());
        }
        let span = self.expires_span.clone();
        let fix = "write a later date and let the owner sign the contract again";
        Err(Diagnostic::at(file, text, span, "the contract has expired", fix).into())
    }

    /// Its name: lower-case letters, digits and `-`.
    #[must_use]
    pub fn name(&self) -> &ContractName {
        &self.name
    }

    /// Its version, from 1.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.version
    }

    /// What it is for, in the owner's words.
    #[must_use]
    pub fn purpose(&self) -> &str {
        &self.purpose
    }

    /// Whose contract it is, in the owner's words; proves nothing.
    #[must_use]
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// The first moment at which it is no longer in force, in milliseconds since 1970 UTC. A
    /// date alone means the end of that day in UTC.
    #[must_use]
    pub fn expires_ms(&self) -> i64 {
        self.head.expires_ms
    }

    /// The same as bus time; the last representable moment if it is later than that.
    #[must_use]
    pub fn expires(&self) -> Time {
        Time::from_ns(self.head.expires_ms.saturating_mul(1_000_000))
    }

    /// The first moment at which it is in force, if it says one, in milliseconds since 1970 UTC.
    #[must_use]
    pub fn starts_ms(&self) -> Option<i64> {
        self.head.starts_ms
    }

    /// On whose behalf a task under it may run: `session`, `job`, or one of them by name (`job:nightly`).
    #[must_use]
    pub fn principals(&self) -> &[String] {
        &self.head.principals
    }

    /// The roles that it names; `owner` is not among them.
    #[must_use]
    pub fn roles(&self) -> &BTreeMap<String, Role> {
        &self.roles
    }

    /// Whether what one task does counts against another's limits.
    #[must_use]
    pub fn counts_over_tasks(&self) -> bool {
        let shared = [Period::Hour, Period::Day, Period::Contract];
        shared.into_iter().any(|period| {
            let counts = |rule: &Rule| *rule.quotas.of(period) != Quota::default();
            *self.head.limits.of(period) != PeriodLimits::default() || self.rules.iter().any(counts)
        })
    }

    /// Bounds on everything that is done under it.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.head.limits
    }

    /// All rules: allow, then ask, then deny, each in the order of the document.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter()
    }

    /// The rules about a tool of the catalogue it was parsed against, in the order of their ids.
    pub(crate) fn about(&self, tool: &str) -> impl Iterator<Item = &Rule> {
        let places = self.by_tool.get(tool).into_iter().flatten();
        places.filter_map(|at| self.rules.get(*at))
    }

    /// The same contract with the digest of another, to decide what was recorded under that one.
    #[must_use]
    pub fn in_place_of(self, digest: Digest) -> Self {
        Self { digest, ..self }
    }

    /// SHA-256 of exactly the bytes that were parsed.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }
}
