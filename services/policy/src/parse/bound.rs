//! Reads what a rule says about one argument.

use super::source::{Fields, Node, Source};
use crate::bounds::{Bound, Operator, Scalar};
use crate::glob::{PATTERN_BYTES_MAX, PathGlob};
use crate::json::INTEGER_MAX;
use toml::de::DeValue;

/// Deepest nesting of `every` and `any`.
const DEPTH_MAX: usize = 8;
/// Most members of a set.
const SET_MAX: usize = 1000;
/// Most characters of a text that a bound names.
const VALUE_CHARS_MAX: usize = 4096;

const KEYS: [&str; 9] = [
    "min", "max", "glob", "path", "length", "prefix", "suffix", "every", "any",
];

/// Reads a value (equality), a list (set) or a table of operators (all must hold).
pub(super) fn read<'t>(source: &mut Source<'t>, node: &'t Node<'t>, depth: usize) -> Option<Bound> {
    if depth > DEPTH_MAX {
        let problem = format!("`every` and `any` are nested deeper than {DEPTH_MAX}");
        source.report(node.span(), problem, "bound the list less deeply");
        return None;
    }
    match node.get_ref() {
        DeValue::Table(_) => operators(source, node, depth),
        DeValue::Array(_) => set(source, node),
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_) => Some(Bound::OneOf(vec![scalar(source, node)?])),
    }
}

/// Notes a bound that can say nothing about an argument of these types.
pub(super) fn fits(
    source: &mut Source<'_>,
    node: &Node<'_>,
    bound: &Bound,
    types: &[&[String]],
) -> bool {
    let judged: Vec<&[&str]> = match bound {
        Bound::OneOf(set) => set.iter().map(Scalar::types).collect(),
        Bound::All(operators) => operators.iter().map(Operator::types).collect(),
    };
    let speaks = |judges: &[&str], has: &[String]| {
        has.is_empty() || has.iter().any(|one| judges.contains(&one.as_str()))
    };
    let mute = types
        .iter()
        .find(|has| !judged.iter().all(|judges| speaks(judges, has)));
    let Some(has) = mute else {
        return true;
    };
    let has = has.join(" or ");
    let fix = if has.contains("array") {
        "write { every = … } or { any = … } to bound the items".to_owned()
    } else {
        format!("write a bound for {has}")
    };
    let problem = format!("the argument is of type {has}, and the bound is for another");
    source.report(node.span(), problem, fix);
    false
}

fn set<'t>(source: &mut Source<'t>, node: &'t Node<'t>) -> Option<Bound> {
    let items = source.items(node, "the set")?;
    if items.len() > SET_MAX {
        let problem = format!("the set has more than {SET_MAX} values");
        source.report(node.span(), problem, "use a range or a pattern");
        return None;
    }
    let mut values = Vec::new();
    for item in items {
        let value = scalar(source, item)?;
        if values.contains(&value) {
            let problem = format!("the set has {value} twice");
            source.report(item.span(), problem, "remove one of them");
            return None;
        }
        values.push(value);
    }
    Some(Bound::OneOf(values))
}

/// Reads one value that an argument can have.
fn scalar(source: &mut Source<'_>, node: &Node<'_>) -> Option<Scalar> {
    match node.get_ref() {
        DeValue::String(text) => {
            if text.is_empty() {
                return Some(Scalar::Text(String::new()));
            }
            source
                .text(node, "the value", VALUE_CHARS_MAX)
                .map(Scalar::Text)
        }
        DeValue::Boolean(value) => Some(Scalar::Bool(*value)),
        DeValue::Integer(_) => source
            .integer(node, "the value", -INTEGER_MAX..=INTEGER_MAX)
            .map(Scalar::Integer),
        DeValue::Float(written) => {
            let value = written.as_str().parse::<f64>().ok();
            // Read as an argument is, so that 1.0 is the integer 1 on both sides.
            let value = value
                .and_then(serde_json::Number::from_f64)
                .map(|n| n.to_string());
            let value = value.and_then(|text| crate::json::parse(text.as_bytes(), 64).ok());
            let value = value.as_ref().and_then(Scalar::of);
            if value.is_none() {
                let fix = "write a finite number within ±(2^53 − 1)";
                source.report(node.span(), "no argument can have this value", fix);
            }
            value
        }
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
            source.mistyped(node, "the value", "a text, a number, true or false");
            None
        }
    }
}

fn operators<'t>(source: &mut Source<'t>, node: &'t Node<'t>, depth: usize) -> Option<Bound> {
    let of = source.table(node, "a bound", &KEYS)?;
    if of
        .table
        .keys()
        .any(|key| !KEYS.contains(&key.get_ref().as_ref()))
    {
        return None;
    }
    if of.table.is_empty() {
        let fix = format!("use one of: {}", KEYS.join(", "));
        source.report(node.span(), "the bound says nothing", fix);
        return None;
    }
    let mut all = Vec::new();
    if let Some((min, max)) = range(source, &of, -INTEGER_MAX)? {
        all.push(Operator::Range { min, max });
    }
    if let (Some(_), Some(second)) = (of.table.get("glob"), of.table.get("path")) {
        let fix = "keep one of them";
        source.report(
            second.span(),
            "`glob` and `path` are two words for one bound",
            fix,
        );
        return None;
    }
    if let Some(node) = of.table.get("glob").or_else(|| of.table.get("path")) {
        all.push(Operator::Path(path(source, node)?));
    }
    if let Some(node) = of.table.get("length") {
        all.push(length(source, node)?);
    }
    for (key, operator) in [
        ("prefix", Operator::Prefix as fn(String) -> Operator),
        ("suffix", Operator::Suffix),
    ] {
        if let Some(node) = of.table.get(key) {
            all.push(operator(source.text(
                node,
                &format!("`{key}`"),
                VALUE_CHARS_MAX,
            )?));
        }
    }
    for (key, operator) in [
        ("every", Operator::Every as fn(Box<Bound>) -> Operator),
        ("any", Operator::Any),
    ] {
        if let Some(node) = of.table.get(key) {
            all.push(operator(Box::new(read(source, node, depth + 1)?)));
        }
    }
    Some(Bound::All(all))
}

fn path(source: &mut Source<'_>, node: &Node<'_>) -> Option<PathGlob> {
    let text = source.text(node, "the pattern", PATTERN_BYTES_MAX)?;
    PathGlob::new(&text)
        .map_err(|error| {
            let message = error.to_string();
            let (problem, fix) = message.split_once("; ").unwrap_or((&message, ""));
            source.report(node.span(), problem, fix);
        })
        .ok()
}

fn length<'t>(source: &mut Source<'t>, node: &'t Node<'t>) -> Option<Operator> {
    let of = source.table(node, "`length`", &["min", "max"])?;
    let Some((min, max)) = range(source, &of, 0)? else {
        source.report(
            node.span(),
            "`length` says nothing",
            "write `min`, `max` or both",
        );
        return None;
    };
    let count = |bound: Option<i64>| bound.and_then(|bound| u64::try_from(bound).ok());
    Some(Operator::Length {
        min: count(min),
        max: count(max),
    })
}

/// The least and the greatest of a range.
type Ends = (Option<i64>, Option<i64>);

/// Reads `min` and `max`; the outer `None` means that a problem was noted.
fn range<'t>(source: &mut Source<'t>, of: &Fields<'t>, least: i64) -> Option<Option<Ends>> {
    let mut end = |key: &str| match of.table.get(key) {
        Some(node) => {
            let value = source.integer(node, &format!("`{key}`"), least..=INTEGER_MAX);
            value.map(|value| Some((value, node.span())))
        }
        None => Some(None),
    };
    let (min, max) = (end("min"), end("max"));
    let (min, max) = (min?, max?);
    if let (Some((min, span)), Some((max, _))) = (&min, &max)
        && min > max
    {
        let problem = format!("`min` {min} is greater than `max` {max}, so nothing is within");
        source.report(span.clone(), problem, "exchange them");
        return None;
    }
    if min.is_none() && max.is_none() {
        return Some(None);
    }
    Some(Some((
        min.map(|(value, _)| value),
        max.map(|(value, _)| value),
    )))
}
