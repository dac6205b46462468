//! Writes the rules of a contract as policies of Cedar, and names what Cedar cannot say.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::names;
use super::shape::{Field, Fields, Shape};
use super::tokens::Source;
use crate::bounds::print::{key, quoted};
use crate::catalogue::{Catalogue, Tool};
use crate::cedar::Condition;
use crate::contract::Contract;
use crate::parse::{ASKED, COUNTED};
use crate::rule::{Rule, RuleKind};

mod bound;

/// Something that Cedar is told instead of finding it itself: its name, and the line of the rule that it stands for.
type Fact = (String, String);

/// What stands above the policies.
const HEAD: &str = "\
// Of a call: action is the tool, as in Action::\"file.read\"; context.args its arguments without those that are null,
// decimals as decimal; context.now the time; context.principal on whose behalf; context.task and context.earlier what
// conditions name; context.approved whether people said yes.
// Allowed with approved = false: granted. Allowed with approved = true alone: asked. Otherwise refused.
// What Cedar cannot say is a fact that context.beyond tells under the name that the annotation gives; one that is left
// out permits nothing and forbids what it might. What is counted, and what flows, is beside Cedar: see the comments.
";

/// The rules of a contract as Cedar reads them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lowered {
    /// A set of policies.
    pub cedar: String,
    /// What Cedar has no words for, in the order of the rules.
    pub beyond: Vec<Beyond>,
}

/// One thing that Cedar cannot say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Beyond {
    /// The rule.
    pub rule: String,
    /// The name under which `context.beyond` tells whether it holds; none for what is counted or flows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fact: Option<String>,
    /// The line of the contract.
    pub line: String,
}

/// Two expressions of Cedar that cannot fail and are never both true; neither is true when it cannot be told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Told {
    within: String,
    outside: String,
}

impl Told {
    fn new(within: impl Into<String>, outside: impl Into<String>) -> Self {
        let (within, outside) = (within.into(), outside.into());
        Self { within, outside }
    }

    /// What an expression that cannot fail says.
    fn exactly(expression: &str) -> Self {
        Self::new(expression, format!("!({expression})"))
    }

    /// What can never be told.
    fn never() -> Self {
        Self::new("false", "false")
    }

    /// What the one who asks tells.
    fn fact(name: &str) -> Self {
        let name = text(name);
        let told = format!("context.beyond has {name} && context.beyond[{name}]");
        let not = format!("context.beyond has {name} && !context.beyond[{name}]");
        Self::new(format!("({told})"), format!("({not})"))
    }

    fn opposite(self) -> Self {
        Self::new(self.outside, self.within)
    }

    /// Within if all are, outside if one is.
    fn every(each: &[Self]) -> Self {
        let join = |part: fn(&Self) -> &str, with: &str| {
            let parts: Vec<&str> = each.iter().map(part).collect();
            format!("({})", parts.join(with))
        };
        match each {
            [] => Self::new("true", "false"),
            [one] => one.clone(),
            [_, _, ..] => Self::new(
                join(|one| &one.within, " && "),
                join(|one| &one.outside, " || "),
            ),
        }
    }
}

/// Writes the rules of a contract that was parsed against `catalogue` as policies of Cedar.
#[must_use]
pub fn lower(contract: &Contract, catalogue: &Catalogue) -> Lowered {
    let mut lowered = Lowered {
        cedar: format!(
            "// {}, version {}\n{HEAD}",
            contract.name(),
            contract.version()
        ),
        beyond: Vec::new(),
    };
    lowered.head(contract);
    for rule in contract.rules() {
        lowered.rule(rule, catalogue);
    }
    lowered
}

impl Lowered {
    fn head(&mut self, contract: &Contract) {
        let moment = |ms: i64| {
            let least = Timestamp::MIN.as_millisecond();
            let most = Timestamp::MAX.as_millisecond();
            let at = Timestamp::from_millisecond(ms.clamp(least, most)).unwrap_or_default();
            format!("datetime(\"{at:.3}\")")
        };
        let ends = moment(contract.expires_ms());
        let mut heads = vec![(
            "expired",
            format!("context has now && context.now < {ends}"),
        )];
        if let Some(ms) = contract.starts_ms() {
            let starts = moment(ms);
            heads.push((
                "starts",
                format!("context has now && context.now >= {starts}"),
            ));
        }
        let who = contract.principals().iter().map(|one| {
            let same = format!("context.principal == {}", text(one));
            if one.contains(':') {
                return same;
            }
            format!(
                "{same} || context.principal like {}",
                text(&format!("{one}:*"))
            )
        });
        let who = who.collect::<Vec<_>>().join(" || ");
        heads.push(("principal", format!("context has principal && ({who})")));
        for (rule, unless) in heads {
            self.cedar.push_str(&format!(
                "\n@rule(\"{rule}\")\nforbid (principal, action, resource) unless {{ {unless} }};\n"
            ));
        }
    }

    fn rule(&mut self, rule: &Rule, catalogue: &Catalogue) {
        let id = rule.id.as_str();
        self.cedar.push('\n');
        for line in counted(rule) {
            self.cedar.push_str(&format!("// beside Cedar: {line}\n"));
            self.beyond.push(Beyond {
                rule: id.to_owned(),
                fact: None,
                line,
            });
        }
        let mut cases: BTreeMap<(Told, Vec<Fact>), Vec<&Tool>> = BTreeMap::new();
        let tools = catalogue.tools();
        for tool in tools.filter(|tool| rule.tool.matches(tool.name().as_str())) {
            let mut about = About::new(rule, tool);
            let told = about.told();
            cases.entry((told, about.facts)).or_default().push(tool);
        }
        for ((told, facts), tools) in cases {
            for (fact, line) in &facts {
                let beyond = Beyond {
                    rule: id.to_owned(),
                    fact: Some(fact.clone()),
                    line: line.clone(),
                };
                if !self.beyond.contains(&beyond) {
                    self.beyond.push(beyond);
                }
            }
            self.policies(rule, &told, &facts, &tools);
        }
    }

    fn policies(&mut self, rule: &Rule, told: &Told, facts: &[Fact], tools: &[&Tool]) {
        let actions: Vec<String> = tools
            .iter()
            .map(|tool| format!("Action::{}", text(tool.name().as_str())))
            .collect();
        let scope = match actions.as_slice() {
            [one] => format!("(principal, action == {one}, resource)"),
            several => format!("(principal, action in [{}], resource)", several.join(", ")),
        };
        let mut head = format!("@rule({})\n", text(rule.id.as_str()));
        for (at, (fact, line)) in facts.iter().enumerate() {
            let says = text(&format!("{fact}: {line}"));
            head.push_str(&format!("@beyond_{}({says})\n", at + 1));
        }
        let Told { within, outside } = told;
        let mut say = |effect: &str, clause: &str| {
            self.cedar
                .push_str(&format!("{head}{effect} {scope}\n  {clause};\n"));
        };
        match &rule.kind {
            RuleKind::Allow => say(
                "permit",
                &format!("when {{ !context.approved && {within} }}"),
            ),
            RuleKind::Ask(_) => {
                say(
                    "permit",
                    &format!("when {{ context.approved && {within} }}"),
                );
                say(
                    "forbid",
                    &format!("unless {{ context.approved || {outside} }}"),
                );
            }
            RuleKind::Deny => say("forbid", &format!("unless {{ {outside} }}")),
        }
    }
}

/// The lines of a rule that say how much, who is asked, and what may flow.
fn counted(rule: &Rule) -> Vec<String> {
    let text = rule.to_string();
    let counts = |line: &&str| {
        let key = line.split(" = ").next().unwrap_or_default();
        COUNTED.contains(&key) || ASKED.contains(&key)
    };
    text.lines().filter(counts).map(str::to_owned).collect()
}

/// One rule about one tool.
struct About<'a> {
    rule: &'a Rule,
    tool: &'a Tool,
    fields: Fields,
    /// What Cedar cannot say: names of facts and lines of the contract.
    facts: Vec<(String, String)>,
}

impl<'a> About<'a> {
    fn new(rule: &'a Rule, tool: &'a Tool) -> Self {
        Self {
            rule,
            tool,
            fields: Fields::of_arguments(tool.input_schema()),
            facts: Vec::new(),
        }
    }

    /// What the rule says of a call of the tool.
    fn told(&mut self) -> Told {
        let mut each = Vec::new();
        for (name, bound) in &self.rule.bounds {
            let found = self.argument(name).and_then(|(value, has, shape)| {
                let place = bound::Place {
                    value,
                    has,
                    shape: &shape,
                    fields: &self.fields,
                    nullable: &|name| self.is_nullable(name),
                };
                bound::told(bound, &place)
            });
            let line = format!("where.{} = {bound}", key(name));
            each.push(found.unwrap_or_else(|| self.beyond(&format!("where.{name}"), line)));
        }
        if self.rule.only {
            let found = self.only();
            each.push(found.unwrap_or_else(|| self.beyond("only", "only = true".to_owned())));
        }
        if let Some(when) = &self.rule.when {
            let line = format!("when = {}", quoted(when.text()));
            let found = self.when(when);
            each.push(found.unwrap_or_else(|| self.beyond("when", line)));
        }
        if let Some(after) = &self.rule.after {
            each.push(self.beyond("after", format!("after = {after}")));
        }
        Told::every(&each)
    }

    fn beyond(&mut self, what: &str, line: String) -> Told {
        let fact = format!("{}/{what}", self.rule.id);
        let told = Told::fact(&fact);
        self.facts.push((fact, line));
        told
    }

    /// An argument: its expression, when it is there, and its type.
    fn argument(&self, name: &str) -> Option<(String, String, Shape)> {
        let mut shape = None;
        let (mut value, mut has) = ("context.args".to_owned(), Vec::new());
        let mut fields = &self.fields;
        let whole = fields.known.contains_key(name);
        let parts: Vec<&str> = if whole {
            vec![name]
        } else {
            name.split('.').collect()
        };
        for part in parts {
            let field = fields.known.get(part)?;
            has.push(format!("{value} has {}", attribute(part)));
            value = format!("{value}{}", access(part));
            if let Shape::Record(inner) = &field.shape {
                fields = inner;
            }
            shape = Some(field.shape.clone());
        }
        Some((value, has.join(" && "), shape?))
    }

    fn is_nullable(&self, name: &str) -> bool {
        let types = self.tool.arguments().types(name);
        types.is_empty() || types.iter().any(|one| one == "null")
    }

    /// That no argument is given which has no bound.
    fn only(&self) -> Option<Told> {
        if self.fields.open || self.rule.bounds.keys().any(|name| name.contains('.')) {
            return None;
        }
        let mut names: Vec<&str> = self.tool.arguments().names().collect();
        names.retain(|name| !self.rule.bounds.contains_key(*name));
        if names.iter().any(|name| self.is_nullable(name)) {
            return None;
        }
        let each = names
            .iter()
            .map(|name| format!("!(context.args has {})", attribute(name)));
        let each: Vec<String> = each.collect();
        Some(if each.is_empty() {
            Told::new("true", "false")
        } else {
            Told::exactly(&format!("({})", each.join(" && ")))
        })
    }

    /// A condition that cannot fail to be evaluated, or that permits nothing where it fails.
    fn when(&self, when: &Condition) -> Option<Told> {
        let source = Source::read(when.text()).ok()?;
        let named = names::second(&source.chains, "args");
        let named: Vec<&str> = named.iter().map(String::as_str).collect();
        let decimal = |field: &Field| holds_decimal(&field.shape);
        let fails = when.reads_words()
            || computes(when.text())
            || self.fields.only(&named).known.values().any(decimal);
        if fails && self.rule.kind != RuleKind::Allow {
            return None;
        }
        Some(Told::exactly(&format!("({})", source.cedar)))
    }
}

/// Whether a condition computes or calls something, which can fail.
fn computes(condition: &str) -> bool {
    let outside = condition.split('"').step_by(2);
    outside
        .into_iter()
        .any(|part| part.contains(['+', '-', '*', '(']))
}

fn holds_decimal(shape: &Shape) -> bool {
    match shape {
        Shape::Decimal => true,
        Shape::Bool | Shape::Long | Shape::Text => false,
        Shape::Set(item) => holds_decimal(item),
        Shape::Record(fields) => fields
            .known
            .values()
            .any(|field| holds_decimal(&field.shape)),
    }
}

/// Writes a text as Cedar reads it.
fn text(text: &str) -> String {
    format!("\"{}\"", text.escape_debug())
}

fn is_plain(name: &str) -> bool {
    const WORDS: [&str; 11] = [
        "true", "false", "if", "then", "else", "in", "is", "like", "has", "__cedar", "",
    ];
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !WORDS.contains(&name)
        && name.chars().all(fits)
        && !name.starts_with(|c: char| c.is_ascii_digit())
}

/// Writes the name of an attribute behind `has`.
fn attribute(name: &str) -> String {
    if is_plain(name) {
        name.to_owned()
    } else {
        text(name)
    }
}

/// Writes the access to an attribute.
fn access(name: &str) -> String {
    if is_plain(name) {
        format!(".{name}")
    } else {
        format!("[{}]", text(name))
    }
}
