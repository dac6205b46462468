//! A rule of a contract, and the match between a rule and a call.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use bus_schema::{RuleId, SecretName};
use serde::Serialize;
use serde_json::Value;

use crate::after::After;
use crate::bound::Bound;
use crate::bound::kind::Inner as _;
use crate::bound::matching::{CallContext, Match, lookup};
use crate::cedar::Condition;
use crate::known::KnownSet;
use crate::labels::FlowAction;
use crate::matcher::Matcher;
use crate::name::is_name;
use crate::quota::{Quotas, Spend};
use crate::repeat::Repeats;
use crate::schema::Arguments;
use crate::toml_text::{key, one_or_list, quoted};

/// The built-in role of every contract: the person who signed it.
pub const OWNER: &str = "owner";
/// Default time until a question expires, in milliseconds.
pub(crate) const ASK_MS_DEFAULT: u64 = 15 * 60 * 1000;

/// One `[[allow]]`, `[[ask]]` or `[[deny]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// The name, or the kind and the position among the rules of that kind (`allow.2`).
    pub id: RuleId,
    /// The effect on the calls that match.
    pub kind: RuleKind,
    /// The tools that the rule applies to.
    pub tool: Matcher,
    /// The bounds on arguments, by argument name; a name with dots is a path into objects.
    pub bounds: BTreeMap<String, Bound>,
    /// True if a call with an argument without bound does not match.
    pub only: bool,
    /// True if an allow asks the owner about a call that only its bounds leave out.
    pub otherwise: bool,
    /// The Cedar condition on the call.
    pub when: Option<Condition>,
    /// The earlier calls of which each must have succeeded.
    pub after: Vec<After>,
    /// The quotas of the rule.
    pub quotas: Quotas,
    /// The values that its calls in a task share, and how often they may repeat one.
    pub repeats: Repeats,
    /// The money that a call moves.
    pub spend: Option<Spend>,
    /// True if the rule states that a call moves no money.
    pub moves_nothing: bool,
    /// The tokens that a call reserves.
    pub tokens: u64,
    /// The secrets that may be released for a call.
    pub secrets: Vec<SecretName>,
    /// The action after the task has read untrusted data, on calls that are outward or hard to undo: ask or refuse. By
    /// default, a person is asked unless every argument is determined or free.
    pub untrusted: Option<FlowAction>,
    /// The arguments that may have any matching value after the task has read untrusted data; a name covers everything
    /// below it. `None` if the rule does not say it.
    pub free: Option<BTreeSet<String>>,
    /// The action on outward calls after the task has read a secret. By default, they are refused.
    pub secret: Option<FlowAction>,
}

/// The effect of a rule on the calls that match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleKind {
    /// Permits them.
    Allow,
    /// Permits each of them after an approval.
    Ask(Question),
    /// Refuses them, even if another rule permits them.
    Deny,
}

/// A request for approval of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Question {
    /// The reason shown to people.
    pub reason: String,
    /// The role that can approve: `owner`, or a role of the contract.
    pub role: String,
    /// The number of different keys of the role that must approve, at least 1.
    pub quorum: u32,
    /// The time until the question expires, in milliseconds.
    pub expires_ms: u64,
    /// The additional role that is asked if nobody answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub escalate: Option<Escalation>,
    /// True if a person has to answer at a terminal: `--yes` and input from a pipe are refused.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub attended: bool,
    /// True if only a passkey may approve, which verifies its person each time.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub verified: bool,
}

/// The additional role that is asked if nobody answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Escalation {
    /// The delay in milliseconds.
    pub after_ms: u64,
    /// The role that can also approve after the delay.
    pub role: String,
}

impl Question {
    /// A question to the owner alone.
    pub(crate) fn to_owner(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            role: OWNER.to_owned(),
            quorum: 1,
            expires_ms: ASK_MS_DEFAULT,
            escalate: None,
            attended: false,
            verified: false,
        }
    }
}

impl RuleKind {
    /// The TOML table name of the rule.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Ask(_) => "ask",
            Self::Deny => "deny",
        }
    }
}

impl Rule {
    /// Creates a rule about `tool` with no other key.
    pub(crate) fn about(id: RuleId, kind: RuleKind, tool: Matcher) -> Self {
        Self {
            id,
            kind,
            tool,
            bounds: BTreeMap::new(),
            only: false,
            otherwise: false,
            when: None,
            after: Vec::new(),
            quotas: Quotas::default(),
            repeats: Repeats::default(),
            spend: None,
            moves_nothing: false,
            tokens: 0,
            secrets: Vec::new(),
            untrusted: None,
            free: None,
            secret: None,
        }
    }

    /// Matches a call of a tool that the rule applies to: `Yes` if all parts of the rule match, `No` if any part does
    /// not, otherwise `Unknown`. With `only`, a call with an argument without bound is `No`.
    pub(crate) fn judge(&self, context: &CallContext<'_>) -> Match {
        if self.only && !self.bounds_all(context) {
            return Match::No;
        }
        let bounds = self.bounds.iter();
        let bounds = bounds.map(|(name, bound)| bound.judge_at(context.args, name, context));
        Match::every(bounds.chain(self.conditions(context)))
    }

    /// Returns true if `when` and `after` hold.
    pub(crate) fn conditions_hold(&self, context: &CallContext<'_>) -> bool {
        Match::every(self.conditions(context)) == Match::Yes
    }

    fn conditions(&self, context: &CallContext<'_>) -> impl Iterator<Item = Match> {
        let when = self.when.iter().map(|when| when.judge(context));
        when.chain(self.after.iter().map(|after| after.judge(context)))
    }

    /// The known sets that its bounds are about, each once.
    pub(crate) fn known(&self) -> Vec<&KnownSet> {
        let mut sets = Vec::new();
        self.bounds
            .values()
            .for_each(|bound| bound.add_known(&mut sets));
        sets.sort_by(|one, other| one.name.cmp(&other.name));
        sets.dedup();
        sets
    }

    /// The names of the slots that its bounds read.
    pub(crate) fn slots(&self) -> BTreeSet<&str> {
        let mut slots = Vec::new();
        let bounds = self.bounds.values();
        bounds.for_each(|bound| bound.add_slots(&mut slots));
        slots.into_iter().map(|slot| slot.name.as_str()).collect()
    }

    /// Returns true if the rule states the money that a call moves.
    pub(crate) fn says_spend(&self) -> bool {
        self.spend.is_some() || self.moves_nothing
    }

    /// Returns true if the rule matches every call of its tools.
    pub(crate) fn is_unconditional(&self) -> bool {
        self.bounds.is_empty() && !self.only && self.when.is_none() && self.after.is_empty()
    }

    /// Returns the arguments whose bounds do not match.
    pub(crate) fn failing<'a>(&'a self, context: &CallContext<'_>) -> Vec<&'a str> {
        let fails =
            |name: &str, bound: &Bound| bound.judge_at(context.args, name, context) != Match::Yes;
        let each = self
            .bounds
            .iter()
            .filter(|(name, bound)| fails(name, bound));
        each.map(|(name, _)| name.as_str()).collect()
    }

    /// Returns true if all parts of the rule except its bounds match.
    pub(crate) fn rest_holds(&self, context: &CallContext<'_>) -> bool {
        let only = !self.only || self.bounds_all(context);
        only && self.conditions_hold(context)
    }

    /// Returns true if every argument has a bound. A null without bound is the same as a missing argument, if the schema
    /// names it and does not require it; another name could carry data.
    pub(crate) fn bounds_all(&self, context: &CallContext<'_>) -> bool {
        let mut each = context.args.iter();
        each.all(|(name, value)| self.has_bound(name, value, context.schema))
    }

    fn has_bound(&self, name: &str, value: &Value, schema: &Arguments) -> bool {
        if self.bounds.contains_key(name) {
            return true;
        }
        match value.as_object() {
            Some(object) if self.bounds_below(name) => object
                .iter()
                .all(|(field, value)| self.has_bound(&format!("{name}.{field}"), value, schema)),
            Some(_) | None => value.is_null() && schema.may_lack(name),
        }
    }

    /// Returns the arguments that the task text only negates or quotes, each with the words around it.
    pub(crate) fn doubts(&self, context: &CallContext<'_>) -> Vec<(&str, String)> {
        let doubt =
            |(name, bound): (&'_ String, &Bound)| bound.doubt(lookup(context.args, name)?, context);
        let each = self.bounds.iter();
        each.filter_map(|one| Some((one.0.as_str(), doubt(one)?)))
            .collect()
    }

    /// Returns true if a bound is on a place inside this argument.
    pub(crate) fn bounds_below(&self, name: &str) -> bool {
        self.bounds.keys().any(|other| is_below(other, name))
    }
}

pub(crate) fn is_below(name: &str, parent: &str) -> bool {
    let rest = name.strip_prefix(parent);
    rest.is_some_and(|rest| rest.starts_with('.'))
}

/// Formats a duration in contract syntax.
pub(crate) fn seconds(ms: u64) -> String {
    format!("\"{}s\"", ms.div_ceil(1000))
}

/// Writes the rule as a TOML table that parses to the same rule.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "[[{}]]", self.kind.word())?;
        if is_name(self.id.as_str()) {
            writeln!(f, "name = {}", quoted(self.id.as_str()))?;
        }
        f.write_str(&self.tool.keys())?;
        for (name, bound) in &self.bounds {
            writeln!(f, "where.{} = {bound}", key(name))?;
        }
        if self.only {
            writeln!(f, "only = true")?;
        }
        if self.otherwise {
            writeln!(f, "otherwise = \"ask\"")?;
        }
        if let Some(when) = &self.when {
            writeln!(f, "when = {}", quoted(when.text()))?;
        }
        if !self.after.is_empty() {
            writeln!(f, "after = {}", one_or_list(&self.after))?;
        }
        self.quotas.fmt(f)?;
        self.repeats.fmt(f)?;
        if let Some(spend) = &self.spend {
            writeln!(f, "spend = {spend}")?;
        } else if self.moves_nothing {
            writeln!(f, "spend = \"nothing\"")?;
        }
        if self.tokens > 0 {
            writeln!(f, "tokens = {}", self.tokens)?;
        }
        if !self.secrets.is_empty() {
            let names: Vec<String> = self
                .secrets
                .iter()
                .map(|name| quoted(name.as_str()))
                .collect();
            writeln!(f, "secrets = [{}]", names.join(", "))?;
        }
        if let Some(free) = &self.free {
            let names: Vec<String> = free.iter().map(|name| quoted(name)).collect();
            writeln!(f, "free = [{}]", names.join(", "))?;
        }
        for (key, passage) in [("untrusted", self.untrusted), ("secret", self.secret)] {
            if let Some(passage) = passage {
                writeln!(f, "{key} = \"{}\"", passage.word())?;
            }
        }
        if let RuleKind::Ask(question) = &self.kind {
            question.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.role != OWNER {
            writeln!(f, "role = {}", quoted(&self.role))?;
        }
        if self.quorum > 1 {
            writeln!(f, "quorum = {}", self.quorum)?;
        }
        if let Some(Escalation { after_ms, role }) = &self.escalate {
            let after = seconds(*after_ms);
            writeln!(
                f,
                "escalate = {{ after = {after}, role = {} }}",
                quoted(role)
            )?;
        }
        if self.attended {
            writeln!(f, "attended = true")?;
        }
        if self.verified {
            writeln!(f, "verified = true")?;
        }
        writeln!(f, "reason = {}", quoted(&self.reason))?;
        writeln!(f, "expires = {}", seconds(self.expires_ms))
    }
}
