//! Writes a contract that permits what was recorded and nothing more, and makes it wider one choice at a time.

use std::collections::{BTreeMap, BTreeSet};

use bus_schema::SecretName;
use serde_json::{Map, Value};

use crate::bounds::print::quoted;
use crate::bounds::{Bound, Number, Operator, Scalar};
use crate::catalogue::Catalogue;
use crate::cedar::Condition;
use crate::contract::rule_id;
use crate::glob::PathGlob;
use crate::rule::{Matcher, Question, Rule, RuleKind};

mod exact;
mod text;

use self::exact::Exact;
pub use self::text::draft;

/// What is asked about a call that cannot be written down exactly.
const NOT_EXACT: &str = "the contract cannot say exactly what this call said; read it";
/// Fewest characters of a prefix that is offered.
const PREFIX_CHARS_MIN: usize = 3;

/// A call that was recorded: it was granted, and succeeded.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// The tool.
    pub tool: String,
    /// Its arguments.
    pub args: Map<String, Value>,
    /// What a person was asked before it was granted.
    pub asked: Option<String>,
    /// Secrets that might be released for it.
    pub secrets: Vec<SecretName>,
    /// Tokens that were set aside for it.
    pub tokens: u64,
}

/// What stands above the rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Above {
    /// Its name: lower-case letters, digits and `-`.
    pub name: String,
    /// What it is for.
    pub purpose: String,
    /// Whose it is.
    pub owner: String,
    /// Until when, as the contract writes it, such as `2030-01-31`.
    pub expires: String,
}

/// A contract that is being made from recorded calls.
#[derive(Debug, Clone)]
pub struct Generalised {
    above: Above,
    rules: Vec<Rule>,
    calls: Vec<Recorded>,
    settled: BTreeSet<(String, String)>,
}

/// An argument in which recorded calls differ, and what may be said of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// The tool.
    pub tool: String,
    /// The argument.
    pub argument: String,
    /// Its recorded values, each once.
    pub values: Vec<Value>,
    /// What may be said, narrowest first; the first is to keep each call as it was.
    pub offers: Vec<Offer>,
}

/// What may be said of an argument.
#[derive(Debug, Clone, PartialEq)]
pub enum Offer {
    /// Each value only with the other arguments that it had.
    Exactly,
    /// A bound, as the contract writes it.
    Bound(Bound),
}

impl Offer {
    /// What it means, for the person who chooses.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Exactly => "exactly the recorded calls".to_owned(),
            Self::Bound(bound) => bound.to_string(),
        }
    }
}

impl Generalised {
    /// Exactly these calls, each as often as it was recorded.
    ///
    /// What the language cannot say exactly (a long text, a list of objects) is asked about.
    #[must_use]
    pub fn exactly(above: Above, calls: Vec<Recorded>, catalogue: &Catalogue) -> Self {
        let mut rules: Vec<Rule> = Vec::new();
        for call in &calls {
            let new = rule(call, catalogue);
            let same = rules.iter_mut().find(|rule| alike(rule, &new));
            match same {
                Some(same) => count(same, 1),
                None => rules.push(new),
            }
        }
        let settled = BTreeSet::new();
        Self {
            above,
            rules,
            calls,
            settled,
        }
    }

    /// The next argument in which calls differ that agree in everything else.
    #[must_use]
    pub fn choice(&self) -> Option<Choice> {
        for rule in &self.rules {
            let Matcher::Exact(tool) = &rule.tool else {
                continue;
            };
            for argument in rule.bounds.keys() {
                if self.settled.contains(&(tool.clone(), argument.clone())) {
                    continue;
                }
                let mut values: Vec<Value> = Vec::new();
                for one in self
                    .rules
                    .iter()
                    .filter(|one| differ_in(rule, one, argument))
                {
                    for value in one.bounds.get(argument).map(values_of).unwrap_or_default() {
                        if !values.contains(&value) {
                            values.push(value);
                        }
                    }
                }
                if values.len() > 1 {
                    let offers = offers(&values);
                    return Some(Choice {
                        tool: tool.clone(),
                        argument: argument.clone(),
                        values,
                        offers,
                    });
                }
            }
        }
        None
    }

    /// Settles an argument: rules that agree in everything else become one.
    pub fn settle(&mut self, choice: &Choice, offer: &Offer) {
        let settled = (choice.tool.clone(), choice.argument.clone());
        self.settled.insert(settled);
        let Offer::Bound(bound) = offer else { return };
        let mut rules: Vec<Rule> = Vec::new();
        for rule in std::mem::take(&mut self.rules) {
            let own = matches!(&rule.tool, Matcher::Exact(tool) if *tool == choice.tool);
            let varies = own
                && rule
                    .bounds
                    .get(&choice.argument)
                    .is_some_and(|bound| !values_of(bound).is_empty());
            if !varies {
                rules.push(rule);
                continue;
            }
            let mut wider = rule;
            wider.bounds.insert(choice.argument.clone(), bound.clone());
            let calls = wider.quotas.task.calls.unwrap_or(1);
            match rules.iter_mut().find(|one| alike(one, &wider)) {
                Some(same) => count(same, calls),
                None => rules.push(wider),
            }
        }
        self.rules = rules;
    }

    /// The contract: its rules under names of their own, and a test for each recorded call.
    #[must_use]
    pub fn toml(&self) -> String {
        let Above {
            name,
            purpose,
            owner,
            expires,
        } = &self.above;
        let calls = self.calls.len().max(1);
        let mut text = format!(
            "# What a recorded task did, and nothing more. The order of the items of a list is not looked at.\n\
             contract = {}\nversion = 1\npurpose = {}\nowner = {}\nexpires = {expires}\n\n[limits]\ncalls = {calls}\n",
            quoted(name),
            quoted(purpose),
            quoted(owner)
        );
        let mut names: BTreeMap<String, usize> = BTreeMap::new();
        for rule in &self.rules {
            let tool = text::slug(&rule.tool.to_string());
            let place = names.entry(tool.clone()).or_default();
            *place += 1;
            let name = if *place == 1 {
                tool
            } else {
                format!("{tool}-{place}")
            };
            let named = Rule {
                id: rule_id(&name),
                ..rule.clone()
            };
            text.push_str(&format!("\n{named}"));
        }
        if self.rules.is_empty() {
            text.push_str("\nallow = []\n");
        }
        for (call, expect) in self.tests() {
            let args = text::table(&call.args);
            text.push_str(&format!(
                "\n[[test]]\ncall = {{ tool = {}, args = {args} }}\nexpect = \"{expect}\"\n",
                quoted(&call.tool)
            ));
        }
        text
    }

    /// Each recorded call once, with what the contract says to it.
    fn tests(&self) -> Vec<(&Recorded, &'static str)> {
        let mut tests: Vec<(&Recorded, &'static str)> = Vec::new();
        for call in &self.calls {
            let known = |(one, _): &(&Recorded, _)| one.tool == call.tool && one.args == call.args;
            if !tests.iter().any(known) {
                let asked = call.asked.is_some() || !exact::of(&call.args).complete;
                tests.push((call, if asked { "ask" } else { "allow" }));
            }
        }
        tests
    }
}

/// The rule that describes just one call.
fn rule(call: &Recorded, catalogue: &Catalogue) -> Rule {
    let Exact {
        bounds,
        conditions,
        complete,
    } = exact::of(&call.args);
    let schema = catalogue
        .get(&call.tool)
        .map(crate::catalogue::Tool::input_schema);
    let when = schema
        .filter(|_| !conditions.is_empty())
        .map(|schema| Condition::parse(&conditions.join(" && "), &[(call.tool.as_str(), schema)]));
    let complete = complete && !matches!(when, Some(Err(_)));
    let kind = match &call.asked {
        Some(reason) => RuleKind::Ask(Question::to_owner(reason.clone())),
        None if complete => RuleKind::Allow,
        None => RuleKind::Ask(Question::to_owner(NOT_EXACT)),
    };
    let tool = Matcher::Exact(call.tool.clone());
    let mut rule = Rule::about(rule_id("recorded"), kind, tool);
    rule.bounds = bounds;
    rule.only = true;
    rule.when = when.and_then(Result::ok);
    rule.secrets = call.secrets.clone();
    rule.tokens = call.tokens;
    rule.quotas.task.calls = Some(1);
    rule
}

/// Whether two rules say the same but for how often.
fn alike(one: &Rule, other: &Rule) -> bool {
    let uncounted = |rule: &Rule| {
        let mut rule = rule.clone();
        rule.quotas.task.calls = None;
        rule
    };
    uncounted(one) == uncounted(other)
}

/// Whether two rules say the same but for one argument, and how often.
fn differ_in(one: &Rule, other: &Rule, argument: &str) -> bool {
    let without = |rule: &Rule| {
        let mut rule = rule.clone();
        rule.bounds.remove(argument);
        rule
    };
    other.bounds.contains_key(argument) && alike(&without(one), &without(other))
}

fn count(rule: &mut Rule, more: u64) {
    let calls = &mut rule.quotas.task.calls;
    *calls = Some(calls.unwrap_or_default().saturating_add(more));
}

/// The values that a bound names one by one.
fn values_of(bound: &Bound) -> Vec<Value> {
    match bound {
        Bound::OneOf(set) => set.iter().map(of_scalar).collect(),
        Bound::All(_) => Vec::new(),
    }
}

fn of_scalar(scalar: &Scalar) -> Value {
    match scalar {
        Scalar::Bool(value) => Value::from(*value),
        Scalar::Number(Number::Integer(value)) => Value::from(*value),
        Scalar::Number(Number::Decimal(value)) => Value::from(*value),
        Scalar::Text(value) => Value::from(value.clone()),
    }
}

/// What may be said of values, narrowest first.
fn offers(values: &[Value]) -> Vec<Offer> {
    let scalars: Vec<Scalar> = values.iter().filter_map(Scalar::of).collect();
    let mut offers = vec![Offer::Exactly, Offer::Bound(Bound::OneOf(scalars.clone()))];
    let bound = |operator: Operator| Offer::Bound(Bound::All(vec![operator]));
    let texts: Option<Vec<&str>> = values.iter().map(Value::as_str).collect();
    if let Some(texts) = texts {
        let globs = globs(&texts).into_iter();
        offers.extend(globs.map(|glob| bound(Operator::Path(glob))));
        let prefix = common_prefix(&texts);
        if prefix.chars().count() >= PREFIX_CHARS_MIN {
            offers.push(bound(Operator::Prefix(prefix.to_owned())));
        }
        let most = texts.iter().map(|text| text.chars().count()).max();
        let max = most.and_then(|most| u64::try_from(most).ok());
        offers.push(bound(Operator::Length { min: None, max }));
    }
    let numbers: Option<Vec<Number>> = scalars
        .iter()
        .map(|one| match one {
            Scalar::Number(number) => Some(*number),
            Scalar::Bool(_) | Scalar::Text(_) => None,
        })
        .collect();
    if let Some(numbers) = numbers {
        let least = numbers.iter().copied().min_by(|a, b| a.compare(*b));
        let most = numbers.iter().copied().max_by(|a, b| a.compare(*b));
        offers.push(bound(Operator::Range {
            min: least,
            max: most,
        }));
    }
    offers
}

/// Patterns that take in all of these paths: in one folder, then in all below it.
fn globs(paths: &[&str]) -> Vec<PathGlob> {
    let end = |path: &str| {
        let name = path.rsplit('/').next().unwrap_or_default();
        name.rfind('.')
            .and_then(|at| name.get(at..))
            .unwrap_or_default()
            .to_owned()
    };
    let ends: BTreeSet<String> = paths.iter().map(|path| end(path)).collect();
    let end = match ends.len() {
        1 => ends.first().cloned().unwrap_or_default(),
        _ => String::new(),
    };
    let folder = |path: &str| {
        path.rfind('/')
            .and_then(|at| path.get(..=at))
            .unwrap_or_default()
            .to_owned()
    };
    let folders: BTreeSet<String> = paths.iter().map(|path| folder(path)).collect();
    let common = common_prefix(&folders.iter().map(String::as_str).collect::<Vec<_>>()).to_owned();
    let common = folder(&common);
    let one = format!("{common}*{end}");
    let below = format!("{common}**/*{end}");
    let each = [one, below]
        .into_iter()
        .filter_map(|text| PathGlob::new(&text).ok());
    let all = |glob: &PathGlob| paths.iter().all(|path| glob.judge(path) == Some(true));
    each.filter(all).collect()
}

fn common_prefix<'t>(texts: &[&'t str]) -> &'t str {
    let Some((first, rest)) = texts.split_first() else {
        return "";
    };
    let mut end = first.len();
    for other in rest {
        let same = first.bytes().zip(other.bytes()).take_while(|(a, b)| a == b);
        end = end.min(same.count());
    }
    first
        .get(..first.floor_char_boundary(end))
        .unwrap_or_default()
}
