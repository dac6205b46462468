//! Says what one rule is and whether it describes a call.

use std::collections::BTreeMap;
use std::fmt;

use bus_schema::{RuleId, SecretName};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::after::After;
use crate::bound::Bound;
use crate::bound::kind::Inner as _;
use crate::bound::matching::{CallContext, Match};
use crate::cedar::Condition;
use crate::labels::FlowAction;
use crate::name::is_name;
use crate::pattern::ToolGlob;
use crate::quota::{Quotas, Spend};
use crate::schema::Arguments;
use crate::toml_text::{key, quoted};

/// The role that every contract has: whoever signed it.
pub const OWNER: &str = "owner";
/// How long a question stands when the rule does not say.
pub(crate) const ASK_MS_DEFAULT: u64 = 15 * 60 * 1000;

/// One `[[allow]]`, `[[ask]]` or `[[deny]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Its name, or its kind and its place among the rules of that kind (`allow.2`).
    pub id: RuleId,
    /// What it does with the calls that it describes.
    pub kind: RuleKind,
    /// The tools it is about.
    pub tool: Matcher,
    /// What it says about their arguments, by name; a name with dots leads into objects.
    pub bounds: BTreeMap<String, Bound>,
    /// Whether it describes only calls without any argument that it does not bound.
    pub only: bool,
    /// What has to be true of the call.
    pub when: Option<Condition>,
    /// What has to have succeeded before.
    pub after: Option<After>,
    /// How much it may permit.
    pub quotas: Quotas,
    /// How much money a call moves.
    pub spend: Option<Spend>,
    /// Whether it says that a call moves no money.
    pub moves_nothing: bool,
    /// Tokens that a call reserves.
    pub tokens: u64,
    /// Secrets that may be released for a call.
    pub secrets: Vec<SecretName>,
    /// What becomes of calls that let something leave when the task has seen untrusted things; without a word, a
    /// person is asked unless every argument is determined.
    pub untrusted: Option<FlowAction>,
    /// The same when the task has seen a secret; without a word, they are refused.
    pub secret: Option<FlowAction>,
}

/// What a rule does with the calls that it describes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleKind {
    /// Permits them.
    Allow,
    /// Permits each of them when people approve it.
    Ask(Question),
    /// Refuses them, whatever else permits them.
    Deny,
}

/// What people are asked before a call is granted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Question {
    /// What they are told.
    pub reason: String,
    /// Whose yes counts: `owner`, or a role of the contract.
    pub role: String,
    /// How many different keys of the role have to say yes, at least 1.
    pub quorum: u32,
    /// How long the question stands, in milliseconds.
    pub expires_ms: u64,
    /// Who is asked as well when nobody answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub escalate: Option<Escalation>,
}

/// Who is asked as well when nobody answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Escalation {
    /// After how many milliseconds.
    pub after_ms: u64,
    /// The role whose yes counts from then on, too.
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
        }
    }
}

impl RuleKind {
    /// The word that starts such a rule.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Ask(_) => "ask",
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

impl Rule {
    /// A rule about `tool` that says nothing more.
    pub(crate) fn about(id: RuleId, kind: RuleKind, tool: Matcher) -> Self {
        Self {
            id,
            kind,
            tool,
            bounds: BTreeMap::new(),
            only: false,
            when: None,
            after: None,
            quotas: Quotas::default(),
            spend: None,
            moves_nothing: false,
            tokens: 0,
            secrets: Vec::new(),
            untrusted: None,
            secret: None,
        }
    }

    /// Judges a call of a tool that the rule is about: within if all that the rule says is, outside if something
    /// is, otherwise unknown. A rule that describes calls without further arguments judges those with some as
    /// outside.
    pub(crate) fn judge(&self, around: &CallContext<'_>) -> Match {
        if self.only && !self.bounds_all(around.args) {
            return Match::No;
        }
        let bounds = self.bounds.iter();
        let bounds = bounds.map(|(name, bound)| bound.judge_at(around.args, name, around));
        Match::every(bounds.chain(self.conditions(around)))
    }

    fn conditions(&self, around: &CallContext<'_>) -> impl Iterator<Item = Match> {
        let when = self.when.iter().map(|when| when.judge(around));
        when.chain(self.after.iter().map(|after| after.judge(around)))
    }

    /// Whether it says how much money a call moves.
    pub(crate) fn says_spend(&self) -> bool {
        self.spend.is_some() || self.moves_nothing
    }

    /// Whether the rule describes every call of the tools that it is about.
    pub(crate) fn is_unconditional(&self) -> bool {
        self.bounds.is_empty() && !self.only && self.when.is_none() && self.after.is_none()
    }

    /// The arguments whose bounds do not judge `within`.
    pub(crate) fn failing<'a>(&'a self, around: &CallContext<'_>) -> Vec<&'a str> {
        let fails =
            |name: &str, bound: &Bound| bound.judge_at(around.args, name, around) != Match::Yes;
        let each = self
            .bounds
            .iter()
            .filter(|(name, bound)| fails(name, bound));
        each.map(|(name, _)| name.as_str()).collect()
    }

    /// Whether what the rule says beside its bounds is within.
    pub(crate) fn rest_holds(&self, around: &CallContext<'_>) -> bool {
        let only = !self.only || self.bounds_all(around.args);
        only && Match::every(self.conditions(around)) == Match::Yes
    }

    /// What a call lacks that keeps every bound and is not described all the same.
    pub(crate) fn lacks(&self, around: &CallContext<'_>) -> String {
        let holds = |judged: Match| judged == Match::Yes;
        match (&self.when, &self.after) {
            (Some(when), _) if !holds(when.judge(around)) => {
                "when its condition does not hold".to_owned()
            }
            (_, Some(after)) if !holds(after.judge(around)) => {
                format!("before `{}` has succeeded", after.tool)
            }
            _ => "with further arguments".to_owned(),
        }
    }

    /// Whether every argument has a bound.
    pub(crate) fn bounds_all(&self, args: &Map<String, Value>) -> bool {
        self.each_bound(args, &|_, _| true)
    }

    /// Whether every argument is one that the contract, the owner's words or a trusted result named, and the rule
    /// says of each argument that `tool` could have beside them that it is left out. What a call without arguments
    /// does is named by nobody.
    pub(crate) fn determines(&self, tool: &Arguments, around: &CallContext<'_>) -> bool {
        let fits = |bound: &Bound, value: &Value| bound.determines(value, around);
        let present = || around.args.iter().filter(|(_, value)| !value.is_null());
        let named = |name: &str| {
            let mut each = self.bounds.keys();
            each.any(|bound| bound == name || is_below(bound, name))
        };
        let mut absent = tool.names().filter(|name| {
            let value = around.args.get(*name);
            value.is_none_or(Value::is_null)
        });
        present().next().is_some()
            && present().all(|(name, value)| self.bound_fits(name, value, &fits))
            && (self.only || (!tool.is_open() && absent.all(named)))
    }

    /// Whether every argument that is present has a bound which fits; objects may have it on each of their fields.
    fn each_bound(&self, args: &Map<String, Value>, fits: &dyn Fn(&Bound, &Value) -> bool) -> bool {
        args.iter()
            .all(|(name, value)| self.bound_fits(name, value, fits))
    }

    fn bound_fits(&self, name: &str, value: &Value, fits: &dyn Fn(&Bound, &Value) -> bool) -> bool {
        if let Some(bound) = self.bounds.get(name) {
            return value.is_null() || fits(bound, value);
        }
        let deeper = || self.bounds.keys().any(|other| is_below(other, name));
        let Some(object) = value.as_object().filter(|_| deeper()) else {
            return false;
        };
        let mut fields = object.iter();
        fields.all(|(field, value)| self.bound_fits(&format!("{name}.{field}"), value, fits))
    }
}

fn is_below(name: &str, parent: &str) -> bool {
    let rest = name.strip_prefix(parent);
    rest.is_some_and(|rest| rest.starts_with('.'))
}

/// Writes a duration as the contract does.
pub(crate) fn seconds(ms: u64) -> String {
    format!("\"{}s\"", ms.div_ceil(1000))
}

/// Writes the rule as the TOML table that is read back as it.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "[[{}]]", self.kind.word())?;
        if is_name(self.id.as_str()) {
            writeln!(f, "name = {}", quoted(self.id.as_str()))?;
        }
        writeln!(f, "tool = {}", quoted(&self.tool.to_string()))?;
        for (name, bound) in &self.bounds {
            writeln!(f, "where.{} = {bound}", key(name))?;
        }
        if self.only {
            writeln!(f, "only = true")?;
        }
        if let Some(when) = &self.when {
            writeln!(f, "when = {}", quoted(when.text()))?;
        }
        if let Some(after) = &self.after {
            writeln!(f, "after = {after}")?;
        }
        self.quotas.fmt(f)?;
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
        writeln!(f, "reason = {}", quoted(&self.reason))?;
        writeln!(f, "expires = {}", seconds(self.expires_ms))
    }
}
