//! A call, the verdict on it, and the change of the contract that would permit it.

use std::fmt;

use bus_schema::{RuleId, SecretName};
use serde::{Deserialize, Serialize};

use crate::limits::LimitExceeded;
use crate::name::rule_id;
use crate::quota::QuotaExceeded;
use crate::rule::{Question, Rule};
use crate::usage::{Allowance, Period};

/// What somebody would like to have done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call<'a> {
    /// The name of the tool.
    pub tool: &'a str,
    /// The arguments: one JSON object of at most 64 KiB, read strictly.
    pub args: &'a [u8],
}

/// What policy says to a call.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "verdict", rename_all = "lowercase")]
pub enum Verdict {
    /// It may run.
    Granted {
        /// The rule that permits it, to be counted.
        rule: RuleId,
        /// Why, for people, in one sentence.
        why: String,
        /// What it may use.
        reserve: Allowance,
        /// What may be released for it.
        secrets: Vec<SecretName>,
    },
    /// It may run when people approve it. After the approval the call is decided again, and
    /// the approval counts if the verdict is the same question by the same rule.
    Ask {
        /// The rule that permits it when approved, to be counted then.
        rule: RuleId,
        /// Why they are asked, in one sentence.
        why: String,
        /// Who is asked, and what they are told.
        #[serde(flatten)]
        question: Question,
        /// What it may use.
        reserve: Allowance,
        /// What may be released for it.
        secrets: Vec<SecretName>,
    },
    /// It may not run.
    Refused {
        /// The rule that refuses it.
        rule: RuleId,
        /// Why, for programs.
        code: Code,
        /// Why, for people, in one sentence.
        why: String,
        /// The smallest change of the contract after which the same call is granted or asked
        /// about, if one change is enough.
        fix: Option<Fix>,
    },
}

/// Why a call is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// The contract is not in force yet.
    NotStarted,
    /// The contract has expired.
    Expired,
    /// The contract is not for this principal.
    Principal,
    /// The catalogue has no such tool.
    UnknownTool,
    /// The arguments are not one strict JSON object of at most 64 KiB.
    Arguments,
    /// The arguments break the schema of the tool.
    Schema,
    /// A deny describes the call.
    Denied,
    /// A deny or an ask cannot tell whether it describes the call, or a rule cannot tell how much it would count.
    Undecidable,
    /// Asks that describe the call want a yes of different people.
    Conflict,
    /// Nothing permits the call.
    NotAllowed,
    /// Something would leave, and the task has seen a secret.
    Secret,
    /// Something would leave, and the task has seen what anybody may have written.
    Untrusted,
    /// The rules that permit the call have no calls left.
    RuleCalls,
    /// The rules that permit the call have too little left of a sum.
    RuleSum,
    /// The rules that permit the call have too little money left.
    RuleSpend,
    /// No calls are left.
    Calls,
    /// No time is left.
    WallTime,
    /// No output is left.
    OutputBytes,
    /// Too few tokens are left.
    Tokens,
    /// Too little money is left.
    Spend,
    /// Too few bytes that may leave are left.
    BytesOut,
    /// No messages are left.
    Messages,
}

/// A refusal before its repair is known.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) rule: RuleId,
    pub(crate) code: Code,
    pub(crate) why: String,
    /// What there is too little of.
    pub(crate) exceeded: Option<Exceeded>,
}

impl Refusal {
    pub(crate) fn new(rule: &str, code: Code, why: impl Into<String>) -> Self {
        Self {
            rule: rule_id(rule),
            code,
            why: why.into(),
            exceeded: None,
        }
    }

    pub(crate) fn by(rule: &Rule, code: Code, why: impl Into<String>) -> Self {
        Self::new(rule.id.as_str(), code, why)
    }
}

/// What there is too little of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Exceeded {
    /// Of what this rule may permit.
    Quota(Period, QuotaExceeded),
    /// Of a limit.
    Limit(LimitExceeded),
    /// Of a word of this rule about what the task has seen.
    Flow(RuleId),
}

/// A change of a contract, checked: with it, the call it was found for is granted or asked about.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(into = "String")]
pub struct Fix {
    pub(crate) change: Change,
    pub(crate) toml: String,
}

/// What changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The snippet is a further rule.
    AddRule,
    /// The snippet replaces what one rule says under the same key, or stands beside it.
    ChangeRule {
        /// The rule.
        rule: RuleId,
    },
    /// The snippet replaces one limit of this period.
    RaiseLimit {
        /// The period.
        period: Period,
    },
    /// The snippet replaces a line of the contract's head.
    ChangeHead,
    /// Each of these rules must take in less; there is no snippet.
    Narrow {
        /// All denies that stand in the way.
        rules: Vec<RuleId>,
    },
}

impl Fix {
    /// What changes.
    #[must_use]
    pub fn change(&self) -> &Change {
        &self.change
    }

    /// The TOML to write; empty for [`Change::Narrow`].
    #[must_use]
    pub fn toml(&self) -> &str {
        &self.toml
    }
}

impl fmt::Display for Fix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let toml = self.toml.trim_end();
        match &self.change {
            Change::AddRule => write!(f, "add to the contract:\n{toml}"),
            Change::ChangeRule { rule } => write!(f, "in `{rule}`, write:\n{toml}"),
            Change::RaiseLimit {
                period: Period::Task,
            } => write!(f, "in `[limits]`, write:\n{toml}"),
            Change::RaiseLimit { period } => {
                write!(f, "in `[limits.{}]`, write:\n{toml}", period.word())
            }
            Change::ChangeHead => write!(f, "write:\n{toml}"),
            Change::Narrow { rules } => {
                let rules: Vec<&str> = rules.iter().map(RuleId::as_str).collect();
                write!(
                    f,
                    "narrow `{}` so that this call is outside",
                    rules.join("` and `")
                )
            }
        }
    }
}

impl From<Fix> for String {
    fn from(fix: Fix) -> Self {
        fix.to_string()
    }
}
