//! A call, its verdict, and the change of the contract that permits a refused call.

use std::fmt;

use bus_schema::{RuleId, SecretName};
use serde::{Deserialize, Serialize};

use crate::limits::LimitExceeded;
use crate::name::rule_id;
use crate::quota::QuotaExceeded;
use crate::rule::{Question, Rule};
use crate::usage::{Allowance, Period};

/// A proposed call of a tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call<'a> {
    /// The name of the tool.
    pub tool: &'a str,
    /// The arguments: one JSON object of at most 64 KiB, read strictly.
    pub args: &'a [u8],
}

/// The verdict on a call.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "verdict", rename_all = "lowercase")]
pub enum Verdict {
    /// The call may run.
    Granted {
        /// The rule that permits the call and counts it.
        rule: RuleId,
        /// The reason for people, in one sentence.
        why: String,
        /// The resources that the call may use.
        reserve: Allowance,
        /// The secrets that may be released for the call.
        secrets: Vec<SecretName>,
        /// True if contract, owner's words and trusted results determine every argument, or if the task has read only
        /// trusted data.
        determined: bool,
    },
    /// The call may run after an approval. Then the call is decided again, and the approval
    /// counts if the verdict is the same question by the same rule.
    Ask {
        /// The rule that permits the call after the approval, and counts it then.
        rule: RuleId,
        /// The reason for the question, in one sentence.
        why: String,
        /// The question to the role that can approve.
        #[serde(flatten)]
        question: Question,
        /// The resources that the call may use.
        reserve: Allowance,
        /// The secrets that may be released for the call.
        secrets: Vec<SecretName>,
        /// True if contract, owner's words and trusted results determine every argument, or if the task has read only
        /// trusted data.
        determined: bool,
    },
    /// The call may not run.
    Refused {
        /// The rule that refuses the call.
        rule: RuleId,
        /// The reason for programs.
        code: Code,
        /// The reason for people, in one sentence.
        why: String,
        /// The smallest change of the contract that makes the same call granted or asked
        /// about, if one change is enough.
        fix: Option<Fix>,
    },
}

/// The reason for a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// The contract has not started.
    NotStarted,
    /// The contract has expired.
    Expired,
    /// The contract does not cover this principal.
    Principal,
    /// The contract is for tasks with another text.
    OtherTask,
    /// The catalogue has no such tool.
    UnknownTool,
    /// The arguments are not one strict JSON object of at most 64 KiB.
    Arguments,
    /// The arguments break the schema of the tool.
    Schema,
    /// A deny matches the call.
    Denied,
    /// The match of a deny or ask is unknown, or the amount that a rule would count.
    Undecidable,
    /// Matching asks need an approval of different roles.
    Conflict,
    /// No rule permits the call.
    NotAllowed,
    /// The call is outward, and the task has read a secret.
    Secret,
    /// The call is outward, and the task has read untrusted data.
    Untrusted,
    /// The rules that permit the call have no calls left.
    RuleCalls,
    /// The rules that permit the call have too little of a sum left.
    RuleSum,
    /// The rules that permit the call have too little money left.
    RuleSpend,
    /// The rules that permit the call do not take its values after those of their earlier calls.
    RuleValues,
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
    /// Too few outward bytes are left.
    BytesOut,
    /// No outward calls are left.
    Messages,
}

/// A refusal without its repair.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) rule: RuleId,
    pub(crate) code: Code,
    pub(crate) why: String,
    /// The exceeded quota, limit or flow action.
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

    /// Returns true if the call only exceeds a limit of the contract.
    pub(crate) fn is_of_limit(&self) -> bool {
        matches!(self.exceeded, Some(Exceeded::Limit(_)))
    }

    pub(crate) fn by(rule: &Rule, code: Code, why: impl Into<String>) -> Self {
        Self::new(rule.id.as_str(), code, why)
    }
}

/// The exceeded quota, limit or flow action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Exceeded {
    /// A quota of a rule.
    Quota(Period, QuotaExceeded),
    /// A limit.
    Limit(LimitExceeded),
    /// The flow action of this rule.
    Flow(RuleId),
}

/// A verified change of a contract: with it, the refused call is granted or asked about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub struct Fix {
    pub(crate) change: Change,
    pub(crate) toml: String,
    /// The arguments whose values the TOML leaves open.
    pub(crate) open: Vec<String>,
}

/// The kind of change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The snippet is a new rule.
    AddRule,
    /// The snippet replaces the value of a key of one rule, or adds the key.
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
    /// Each of these rules must match fewer calls; there is no snippet.
    Narrow {
        /// All denies that block the call.
        rules: Vec<RuleId>,
    },
}

impl Fix {
    /// The kind of change.
    #[must_use]
    pub fn change(&self) -> &Change {
        &self.change
    }

    /// The TOML to write; empty for [`Change::Narrow`]. It does not parse while a place is open.
    #[must_use]
    pub fn toml(&self) -> &str {
        &self.toml
    }

    /// The arguments whose values the person has to write: no trusted source names those of the call.
    #[must_use]
    pub fn open(&self) -> &[String] {
        &self.open
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
