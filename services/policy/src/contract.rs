//! Says what a contract is: who signed what for how long, its limits and its rules.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use actor::diagnostic::{Diagnostic, Diagnostics};
use bus_schema::{ContractName, Digest, RuleId, Time};
use serde_json::{Map, Value};

use crate::bounds::{Bound, Judgement, quoted};
use crate::catalogue::Catalogue;
use crate::glob::ToolGlob;
use crate::parse;

/// Longest contract, in bytes.
pub(crate) const CONTRACT_BYTES_MAX: usize = 256 << 10;
/// Longest name of a contract or rule, in bytes.
pub(crate) const NAME_BYTES_MAX: usize = 64;

/// What the owner signs: read from TOML by [`Contract::parse`], never changed.
#[derive(Debug, Clone)]
pub struct Contract {
    pub(crate) name: ContractName,
    pub(crate) version: u32,
    pub(crate) purpose: String,
    pub(crate) owner: String,
    pub(crate) expires_ms: i64,
    pub(crate) expires_span: Range<usize>,
    pub(crate) limits: Limits,
    pub(crate) rules: Vec<Arc<Rule>>,
    pub(crate) digest: Digest,
}

/// Bounds on everything one task does under a contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most calls.
    pub calls: u64,
    /// Most milliseconds that all calls together run.
    pub wall_ms: u64,
    /// Most bytes that all calls together return.
    pub output_bytes: u64,
}

/// One `[[allow]]`, `[[ask]]` or `[[deny]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Its name, or its kind and its place among the rules of that kind (`allow.2`).
    pub id: RuleId,
    /// What it does with the calls that it describes.
    pub kind: RuleKind,
    /// The tools it is about.
    pub tool: Matcher,
    /// What it says about their arguments, by name.
    pub bounds: BTreeMap<String, Bound>,
    /// Whether it describes only calls without any argument that it does not bound.
    pub only: bool,
    /// How many calls of a task it may permit; `None` leaves that to the limits.
    pub calls: Option<u64>,
}

/// What a rule does with the calls that it describes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleKind {
    /// Permits them.
    Allow,
    /// Permits each of them when a person approves it.
    Ask {
        /// What the person is told.
        reason: String,
        /// How long the question stands, in milliseconds.
        expires_ms: u64,
    },
    /// Refuses them, whatever else permits them.
    Deny,
}

impl RuleKind {
    /// The word that starts such a rule.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Ask { .. } => "ask",
            Self::Deny => "deny",
        }
    }
}

/// The tools a rule is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Matcher {
    /// The tool of this name.
    Exact(String),
    /// Every tool of the catalogue that the pattern takes in.
    Glob(ToolGlob),
}

impl Matcher {
    /// Whether the rule is about this tool; upper and lower case differ.
    #[must_use]
    pub fn matches(&self, tool: &str) -> bool {
        match self {
            Self::Exact(name) => name == tool,
            Self::Glob(glob) => glob.matches(tool),
        }
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(name),
            Self::Glob(glob) => glob.fmt(f),
        }
    }
}

/// Names of the built-in checks, which no contract may give to a rule. Together with `limits.calls`,
/// `limits.wall_time` and `limits.output_bytes`, which no rule can be called, they are every [`RuleId`] that is
/// not a rule of a contract.
pub(crate) const RESERVED: [&str; 7] = [
    "action",
    "arguments",
    "catalogue",
    "contract",
    "default",
    "expired",
    "schema",
];

/// The id of a rule or check whose name was checked before.
///
/// # Panics
/// Never: names of rules are letters, digits and `-`, and the built-in ones are known.
pub(crate) fn rule_id(text: &str) -> RuleId {
    text.parse()
        .expect("the name of a rule or a built-in check is a rule id")
}

impl Rule {
    /// Judges the arguments of a call of a tool that the rule is about: within if every bound
    /// is, outside if one is, otherwise unknown. A rule that describes calls without further
    /// arguments judges those with some as outside.
    #[must_use]
    pub fn judge(&self, args: &Map<String, Value>) -> Judgement {
        if self.only && args.keys().any(|name| !self.bounds.contains_key(name)) {
            return Judgement::Outside;
        }
        let each = self.bounds.iter();
        Judgement::every(each.map(|(name, bound)| bound.judge(args.get(name))))
    }

    /// The arguments whose bounds do not judge `within`.
    pub(crate) fn failing<'a>(&'a self, args: &Map<String, Value>) -> Vec<&'a str> {
        let fails = |name: &str, bound: &Bound| bound.judge(args.get(name)) != Judgement::Within;
        let each = self
            .bounds
            .iter()
            .filter(|(name, bound)| fails(name, bound));
        each.map(|(name, _)| name.as_str()).collect()
    }
}

/// Writes the rule as the TOML table that is read back as it.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "[[{}]]", self.kind.word())?;
        if parse::is_name(self.id.as_str()) {
            writeln!(f, "name = {}", quoted(self.id.as_str()))?;
        }
        writeln!(f, "tool = {}", quoted(&self.tool.to_string()))?;
        for (name, bound) in &self.bounds {
            writeln!(f, "where.{} = {bound}", key(name))?;
        }
        if self.only {
            writeln!(f, "only = true")?;
        }
        if let Some(calls) = self.calls {
            writeln!(f, "calls = {calls}")?;
        }
        if let RuleKind::Ask { reason, expires_ms } = &self.kind {
            writeln!(f, "reason = {}", quoted(reason))?;
            writeln!(f, "expires = \"{}s\"", expires_ms.div_ceil(1000))?;
        }
        Ok(())
    }
}

/// Writes a TOML key.
pub(crate) fn key(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(bare) {
        name.to_owned()
    } else {
        quoted(name)
    }
}

impl Contract {
    /// Parses one TOML document of at most 256 KiB, checks it against the tools there are, and
    /// runs its inline tests.
    ///
    /// The result depends on nothing but the three arguments; whether the contract is still in
    /// force is asked of [`Contract::in_force`].
    ///
    /// # Errors
    /// Everything that is wrong, each with its place in `text` and the repair.
    pub fn parse(file: &str, text: &str, catalogue: &Catalogue) -> Result<Self, Diagnostics> {
        parse::contract(file, text, catalogue)
    }

    /// Checks that a contract that [`Contract::parse`] made of `text` is in force at `now_ms`
    /// (milliseconds since 1970 UTC).
    ///
    /// # Errors
    /// One diagnostic at its `expires`, when that moment has come.
    pub fn in_force(&self, file: &str, text: &str, now_ms: i64) -> Result<(), Diagnostics> {
        if now_ms < self.expires_ms {
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
        self.expires_ms
    }

    /// The same as bus time; the last representable moment if it is later than that.
    #[must_use]
    pub fn expires(&self) -> Time {
        Time::from_ns(self.expires_ms.saturating_mul(1_000_000))
    }

    /// Bounds on everything one task does.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// All rules: allow, then ask, then deny, each in the order of the document.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().map(AsRef::as_ref)
    }

    /// SHA-256 of exactly the bytes that were parsed.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }
}
