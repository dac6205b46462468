//! Checks the names of a condition against the arguments of the tools and the known facts.

use std::collections::BTreeSet;

use diagnostic::nearest;

use super::ConditionError;
use super::shape::{ObjectShape, Shape};
use super::tokens::Chain;

/// The facts of a task that a condition can read.
const FACTS: [&str; 5] = ["calls", "integrity", "principal", "secrecy", "text"];
/// The possible values of some facts.
const WORDS: [(&str, &[&str]); 2] = [
    ("integrity", &["trusted", "untrusted"]),
    ("secrecy", &["public", "private", "secret"]),
];

/// Checks every name.
pub(super) fn check(chains: &[Chain], about: &[(&str, ObjectShape)]) -> Result<(), ConditionError> {
    chains
        .iter()
        .try_for_each(|chain| match chain.root.as_str() {
            "args" => argument(chain, about),
            "task" => fact(chain),
            "earlier" => earlier(chain),
            _ => Ok(()),
        })
}

/// Returns the first steps of all names with this root.
pub(super) fn second(chains: &[Chain], root: &str) -> BTreeSet<String> {
    let named = chains.iter().filter(|chain| chain.root == root);
    named
        .filter_map(|chain| chain.path.first().cloned())
        .collect()
}

fn error(chain: &Chain, problem: impl Into<String>) -> Result<(), ConditionError> {
    Err(ConditionError::new(chain.span.start, problem))
}

fn fact(chain: &Chain) -> Result<(), ConditionError> {
    let known = FACTS.join("`, `task.");
    let Some(name) = chain.path.first().filter(|_| chain.asked == 0) else {
        return error(
            chain,
            format!("a condition looks at one fact of the task; write `task.{known}`"),
        );
    };
    if !FACTS.contains(&name.as_str()) {
        let fix = nearest(name, FACTS).map_or_else(
            || format!("use `task.{known}`"),
            |near| format!("did you mean `task.{near}`?"),
        );
        return error(chain, format!("a task has no `{name}`; {fix}"));
    }
    for (_, words) in WORDS.iter().filter(|(fact, _)| fact == name) {
        for (word, at) in &chain.compared {
            if !words.contains(&word.as_str()) {
                let problem = format!(
                    "`task.{name}` is never {word:?}; it is \"{}\"",
                    words.join("\" or \"")
                );
                return Err(ConditionError::new(*at, problem));
            }
        }
    }
    Ok(())
}

fn earlier(chain: &Chain) -> Result<(), ConditionError> {
    let fix = "write `earlier[\"<tool>\"].calls`, the number of its calls that succeeded";
    match &chain.path[..] {
        [_, calls] if calls == "calls" && chain.asked == 0 => Ok(()),
        [first, .., last] if chain.asked == 0 && chain.path.len() > 2 && last == "calls" => {
            let rest = chain.path.get(1..chain.path.len() - 1).unwrap_or_default();
            let name = format!("{first}.{}", rest.join("."));
            error(
                chain,
                format!(
                    "the name of a tool with dots stands in quotes; write `earlier[\"{name}\"].calls`"
                ),
            )
        }
        _ => error(chain, format!("this says nothing of earlier calls; {fix}")),
    }
}

/// The state of a named argument of a tool.
enum Found {
    Typed,
    Absent,
}

fn argument(chain: &Chain, about: &[(&str, ObjectShape)]) -> Result<(), ConditionError> {
    if chain.path.is_empty() {
        return error(
            chain,
            "`args` alone cannot be judged; name an argument, such as `args.amount`",
        );
    }
    let mut absent = true;
    for (tool, fields) in about {
        match find(chain, tool, fields)? {
            Found::Typed => absent = false,
            Found::Absent => {}
        }
    }
    if !absent {
        return Ok(());
    }
    let written = chain.path.join(".");
    let tools = match about {
        [(tool, _)] => format!("`{tool}` has"),
        _ => "none of the tools that the rule is about has".to_owned(),
    };
    let no = if about.len() == 1 { "no" } else { "an" };
    let fix = chain.path.first().and_then(|name| suggestion(name, about));
    let fix = fix.unwrap_or_else(|| "name an argument that its schema has".to_owned());
    error(chain, format!("{tools} {no} argument `{written}`; {fix}"))
}

fn suggestion(name: &str, about: &[(&str, ObjectShape)]) -> Option<String> {
    let known = about.iter().flat_map(|(_, fields)| fields.known.keys());
    let near = nearest(name, known.map(String::as_str)).filter(|near| *near != name)?;
    Some(format!("did you mean `args.{near}`?"))
}

fn find(chain: &Chain, tool: &str, fields: &ObjectShape) -> Result<Found, ConditionError> {
    let mut fields = fields;
    let mut walked = String::from("args");
    for (at, name) in chain.path.iter().enumerate() {
        walked = format!("{walked}.{name}");
        let Some(field) = fields.known.get(name) else {
            let why = fields.left_out.get(name).copied();
            let why = why.or(fields.open.then_some("its schema does not name it"));
            return match why {
                Some(why) => {
                    let problem = format!(
                        "`{walked}` of `{tool}` has no type that a condition can judge: {why}; use a bound instead"
                    );
                    error(chain, problem).map(|()| Found::Absent)
                }
                None => Ok(Found::Absent),
            };
        };
        let last = at + 1 == chain.path.len();
        if last && chain.asked == 0 && field.shape.is_partial() {
            let problem = format!(
                "`{walked}` of `{tool}` has parts without a type that a condition can judge; name one of its other parts, or use a bound"
            );
            return error(chain, problem).map(|()| Found::Absent);
        }
        match &field.shape {
            Shape::Record(inner) => fields = inner,
            Shape::Bool | Shape::Long | Shape::Decimal | Shape::Text | Shape::Set(_) => break,
        }
    }
    Ok(Found::Typed)
}
