//! Describes a tool as far as a contract can permit its calls, for whoever proposes them.

use serde_json::{Map, Value, json};

use crate::bound::{Bound, Predicate};
use crate::catalogue::{Catalogue, Tool};
use crate::contract::Contract;
use crate::rule::{Rule, RuleKind};
use crate::show::sentence;

/// Most values of an argument that are listed.
const VALUES_MAX: usize = 64;
/// Most rules that are described.
const RULES_MAX: usize = 8;

/// A tool under a contract.
#[derive(Debug, Clone, PartialEq)]
pub struct Offer {
    /// The schema of its arguments. Where the rules permit certain values alone, it lists them; it leaves out no call that the
    /// contract permits.
    pub schema: Value,
    /// A sentence for each rule about the tool, at most eight.
    pub rules: Vec<String>,
}

/// Describes a tool of the catalogue under a contract that was parsed against it.
#[must_use]
pub fn offer(contract: &Contract, catalogue: &Catalogue, tool: &Tool) -> Offer {
    let about = |rule: &&Rule| rule.tool.matches(tool.name().as_str());
    let rules: Vec<&Rule> = contract.rules().filter(about).collect();
    let said = rules.iter().take(RULES_MAX);
    Offer {
        schema: narrowed(tool.input_schema(), &rules),
        rules: said
            .map(|rule| sentence(rule, contract, catalogue))
            .collect(),
    }
}

fn narrowed(schema: &Value, rules: &[&Rule]) -> Value {
    let permits = rules.iter().filter(|rule| rule.kind != RuleKind::Deny);
    let permits: Vec<&Rule> = permits.copied().collect();
    let mut schema = schema.clone();
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    for (name, property) in properties.into_iter().flat_map(Map::iter_mut) {
        let of: Option<Vec<_>> = permits.iter().map(|rule| values(rule, name)).collect();
        let Some(of) = of.filter(|of| !of.is_empty()) else {
            continue;
        };
        let mut all: Vec<Value> = Vec::new();
        for value in of.into_iter().flatten() {
            if !all.contains(&value) {
                all.push(value);
            }
        }
        if let (Some(property), true) = (property.as_object_mut(), all.len() <= VALUES_MAX) {
            let before = property.get("enum").and_then(Value::as_array);
            if let Some(before) = before {
                all.retain(|value| before.contains(value));
            }
            property.insert("enum".to_owned(), json!(all));
        }
    }
    schema
}

/// The only values of an argument that a rule permits; none if it permits others as well.
fn values(rule: &Rule, name: &str) -> Option<Vec<Value>> {
    // Of a call that its bounds leave out, a person is asked.
    if rule.otherwise {
        return None;
    }
    let scalars = match rule.bounds.get(name)? {
        Bound::OneOf(values) => values,
        Bound::All(all) => all.iter().find_map(|one| {
            let Predicate::Is(is) = one else {
                return None;
            };
            (!is.ignores_case).then_some(&is.values)
        })?,
    };
    Some(scalars.iter().map(|scalar| scalar.value()).collect())
}
