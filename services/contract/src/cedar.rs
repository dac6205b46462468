//! Conditions: Cedar expressions over a call, its task, the time and earlier calls.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use cedar_policy::{
    Context, Entities, EntityId, EntityTypeName, EntityUid, EvalResult, Expression, Policy,
    PolicyId, PolicySet, Request, RestrictedExpression, Schema, ValidationMode, Validator,
    eval_expression,
};
use diagnostic::nearest;
use serde_json::{Map, Value, json};

use self::shape::ObjectShape;
use self::tokens::{Chain, ParsedCondition};
use crate::bound::matching::{CallContext, Match};
use crate::labels::{Integrity, Labels, Secrecy};
use crate::schema::Arguments;

mod error;
mod names;
mod problem;
mod shape;
mod tokens;
mod value;

pub use self::error::ConditionError;

/// Maximum length of a condition, in bytes.
pub const CONDITION_BYTES_MAX: usize = 4 << 10;

/// A condition on calls of some tools: a boolean expression of at most 4 KiB. It is validated before any call, so that
/// a missing argument or a wrong type cannot make it fail.
#[derive(Clone)]
pub struct Condition {
    read: Arc<Read>,
}

struct Read {
    text: String,
    expression: Expression,
    entities: Entities,
    uids: [EntityUid; 3],
    /// The facts of the task that the expression names.
    facts: BTreeSet<String>,
    now: bool,
    earlier: BTreeMap<String, usize>,
    types: Types,
}

/// The known types of the arguments.
#[derive(Default)]
enum Types {
    /// Unknown: each value has its JSON type.
    #[default]
    Shown,
    /// The types from the schemas of the tools.
    Said {
        cases: Vec<Case>,
        by_tool: BTreeMap<String, usize>,
    },
}

/// Tools whose arguments have the same types in the expression.
struct Case {
    fields: ObjectShape,
    schema: Schema,
}

impl Condition {
    /// Parses a condition on calls of `tools`, each a name and the JSON Schema of its arguments: an expression over
    /// `args` (typed by the schema),
    /// `task` (`text`, `principal`, `calls`, `integrity`, `secrecy`),
    /// `now`, and `earlier["<tool>"].calls`.
    ///
    /// # Errors
    /// The first problem, with its place.
    pub fn parse(text: &str, tools: &[(&str, &Value)]) -> Result<Self, ConditionError> {
        let (source, mut read) = Read::new(text)?;
        let about: Vec<(&str, ObjectShape)> = tools
            .iter()
            .map(|(name, schema)| (*name, ObjectShape::of_arguments(schema)))
            .collect();
        names::check(&source.chains, &about)?;
        let policy = policy(&source)?;
        read.types = read.said(&source, &policy, &about)?;
        Ok(Self {
            read: Arc::new(read),
        })
    }

    /// Parses a condition on only the arguments of `tool`; each value has its JSON type.
    ///
    /// # Errors
    /// The first problem, with its place.
    pub(crate) fn of_arguments(text: &str, tool: &Arguments) -> Result<Self, ConditionError> {
        let (source, read) = Read::new(text)?;
        if let Some(other) = source.chains.iter().find(|chain| chain.root != "args") {
            let problem = format!("`{}` is not known here; use `args`", other.root);
            return Err(ConditionError::new(other.span.start, problem));
        }
        // A name that no call can have would make the condition always false.
        let mut names = source.chains.iter();
        if let Some(chain) = names.find(|chain| !tool.has(&chain.path.join("."))) {
            let written = chain.path.join(".");
            let fix = nearest(&written, tool.names()).map_or_else(
                || "name one that its schema has".to_owned(),
                |near| format!("did you mean `args.{near}`?"),
            );
            let problem = format!("there is no argument `{written}`; {fix}");
            return Err(ConditionError::new(chain.span.start, problem));
        }
        policy(&source)?;
        Ok(Self {
            read: Arc::new(read),
        })
    }

    /// The text of the condition.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.read.text
    }

    /// The tools named in `earlier`, each with its first place in the text. They are not checked against the
    /// catalogue.
    pub fn earlier(&self) -> impl Iterator<Item = (&str, usize)> {
        let each = self.read.earlier.iter();
        each.map(|(name, at)| (name.as_str(), *at))
    }

    /// Matches a call: `Yes` if the expression is true, `No` if it is false. `Unknown` if the condition was not parsed
    /// for the tool, if it names a value that Cedar cannot represent (a decimal with more than four places, a task
    /// without text), or if evaluation fails (an overflow).
    pub(crate) fn judge(&self, context: &CallContext<'_>) -> Match {
        match self.read.evaluate(context) {
            Some(EvalResult::Bool(true)) => Match::Yes,
            Some(EvalResult::Bool(false)) => Match::No,
            Some(_) | None => Match::Unknown,
        }
    }
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.read.text == other.read.text
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Condition").field(&self.read.text).finish()
    }
}

impl Read {
    /// Parses the text, without types.
    fn new(text: &str) -> Result<(ParsedCondition, Self), ConditionError> {
        if text.len() > CONDITION_BYTES_MAX {
            let problem = format!(
                "the condition has {} bytes; shorten it to at most {CONDITION_BYTES_MAX}",
                text.len()
            );
            return Err(ConditionError::new(0, problem));
        }
        let source = ParsedCondition::read(text)?;
        let expression: Expression = source
            .cedar
            .parse()
            .map_err(|errors| problem::unreadable(&source, &errors))?;
        let read = Self {
            text: text.to_owned(),
            expression,
            entities: Entities::empty(),
            uids: ["Task", "Action", "Tool"].map(uid),
            facts: names::second(&source.chains, "task"),
            now: source.chains.iter().any(|chain| chain.root == "now"),
            earlier: earlier(&source.chains),
            types: Types::default(),
        };
        Ok((source, read))
    }

    /// Validates the expression for every tool, once for tools with the same argument types.
    fn said(
        &self,
        source: &ParsedCondition,
        policy: &PolicySet,
        about: &[(&str, ObjectShape)],
    ) -> Result<Types, ConditionError> {
        let named = names::second(&source.chains, "args");
        let named: Vec<&str> = named.iter().map(String::as_str).collect();
        let (mut cases, mut by_tool): (Vec<Case>, _) = (Vec::new(), BTreeMap::new());
        let mut possible = false;
        for (tool, fields) in about {
            let fields = fields.only(&named);
            let known = cases.iter().position(|case| case.fields == fields);
            by_tool.insert((*tool).to_owned(), known.unwrap_or(cases.len()));
            if known.is_some() {
                continue;
            }
            let schema = self.schema(&fields)?;
            let validator = Validator::new(schema.clone());
            let found = validator.validate(policy, ValidationMode::Strict);
            if let Some(error) = found.validation_errors().next() {
                return Err(problem::invalid(source, error, tool, &fields));
            }
            possible |= problem::is_possible(found.validation_warnings())?;
            cases.push(Case { fields, schema });
        }
        if !possible {
            let problem =
                "this can never be true for any tool that the rule is about; correct or remove it";
            return Err(ConditionError::new(0, problem));
        }
        Ok(Types::Said { cases, by_tool })
    }

    /// Builds the Cedar schema of the names in the expression.
    fn schema(&self, fields: &ObjectShape) -> Result<Schema, ConditionError> {
        let mut context = Map::new();
        context.insert("args".to_owned(), fields.schema());
        let text = || json!({"type": "String"});
        let facts = self.facts.iter().map(|name| {
            let schema = if name == "calls" {
                json!({"type": "Long"})
            } else {
                text()
            };
            (name.clone(), schema)
        });
        let facts: Map<String, Value> = facts.collect();
        context.insert(
            "task".to_owned(),
            json!({"type": "Record", "attributes": facts}),
        );
        if self.now {
            context.insert(
                "now".to_owned(),
                json!({"type": "Extension", "name": "datetime"}),
            );
        }
        let count = json!({"type": "Record", "attributes": {"calls": {"type": "Long"}}});
        let counts = self
            .earlier
            .keys()
            .map(|name| (name.clone(), count.clone()));
        let counts: Map<String, Value> = counts.collect();
        context.insert(
            "earlier".to_owned(),
            json!({"type": "Record", "attributes": counts}),
        );
        let schema = json!({"": {
            "entityTypes": {"Task": {}, "Tool": {}},
            "actions": {"call": {"appliesTo": {
                "principalTypes": ["Task"],
                "resourceTypes": ["Tool"],
                "context": {"type": "Record", "attributes": context},
            }}},
        }});
        Schema::from_json_value(schema).map_err(|error| {
            let problem =
                format!("the arguments of the tool cannot be typed: {error}; use bounds instead");
            ConditionError::new(0, problem)
        })
    }

    fn evaluate(&self, context: &CallContext<'_>) -> Option<EvalResult> {
        let (args, schema) = match &self.types {
            Types::Shown => (value::shown_record(context.args)?, None),
            Types::Said { cases, by_tool } => {
                let case = cases.get(*by_tool.get(context.tool)?)?;
                let args = value::record(context.args, &case.fields)?;
                (args, Some(&case.schema))
            }
        };
        let context = self.context(context, args)?;
        let [principal, action, resource] = self.uids.clone();
        let request = Request::new(principal, action, resource, context, schema).ok()?;
        eval_expression(&request, &self.entities, &self.expression).ok()
    }

    fn context(&self, context: &CallContext<'_>, args: RestrictedExpression) -> Option<Context> {
        let record =
            |each: Vec<(String, RestrictedExpression)>| RestrictedExpression::new_record(each).ok();
        let facts: Option<Vec<_>> = self
            .facts
            .iter()
            .map(|name| Some((name.clone(), fact(context, name)?)))
            .collect();
        let succeeded = context.view.record.succeeded();
        let counts = self.earlier.keys().map(|name| {
            let calls = value::count(succeeded.get(name).copied().unwrap_or_default())?;
            Some((name.clone(), record(vec![("calls".to_owned(), calls)])?))
        });
        let counts: Option<Vec<_>> = counts.collect();
        let mut pairs = vec![
            ("args".to_owned(), args),
            ("task".to_owned(), record(facts?)?),
            ("earlier".to_owned(), record(counts?)?),
        ];
        if self.now {
            pairs.push(("now".to_owned(), value::moment(context.view.now_ms)?));
        }
        Context::from_pairs(pairs).ok()
    }
}

/// Returns a fact of the task by its name in a condition.
fn fact(context: &CallContext<'_>, name: &str) -> Option<RestrictedExpression> {
    let text = |text: &str| RestrictedExpression::new_string(text.to_owned());
    let record = context.view.record;
    let Labels { integrity, secrecy } = record.labels();
    match name {
        "text" => record.text().map(text),
        "principal" => Some(text(record.principal())),
        "calls" => value::count(record.used.calls),
        "integrity" => Some(text(match integrity {
            Integrity::Trusted => "trusted",
            Integrity::Untrusted => "untrusted",
        })),
        "secrecy" => Some(text(match secrecy {
            Secrecy::Public => "public",
            Secrecy::Private => "private",
            Secrecy::Secret => "secret",
        })),
        _ => None,
    }
}

fn earlier(chains: &[Chain]) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for chain in chains.iter().filter(|chain| chain.root == "earlier") {
        if let Some(name) = chain.path.first() {
            found.entry(name.clone()).or_insert(chain.span.start);
        }
    }
    found
}

/// Builds the policy to validate: the expression, for every request.
fn policy(source: &ParsedCondition) -> Result<PolicySet, ConditionError> {
    let text = format!("{}{}\n}};", problem::HEAD, source.cedar);
    let whole = |_| {
        ConditionError::new(
            0,
            "the condition is no single expression; write one that is true or false",
        )
    };
    let policy = Policy::parse(Some(PolicyId::new("when")), text).map_err(whole)?;
    let mut set = PolicySet::new();
    let added = set.add(policy);
    added
        .map(|()| set)
        .map_err(|_| ConditionError::new(0, "the condition cannot be read; write it anew"))
}

fn uid(name: &str) -> EntityUid {
    let kind: EntityTypeName = name.parse().expect("a plain word is the name of a type");
    let id = if name == "Action" { "call" } else { "this" };
    EntityUid::from_type_name_and_id(kind, EntityId::new(id))
}
