//! Reads what a rule says about one argument.

mod origin;
mod pattern;

use std::collections::BTreeMap;

use toml::de::DeValue;

use super::source::{Fields, Node, Source};
use super::tools::About;
use crate::bounds::{Bound, Number, Operator, Relation, Scalar};
use crate::json::INTEGER_MAX;

/// Deepest nesting of bounds.
const DEPTH_MAX: usize = 8;
/// Most members of a set.
const SET_MAX: usize = 1000;
/// Most characters of a text that a bound names.
const VALUE_CHARS_MAX: usize = 4096;

const KEYS: [&str; 23] = [
    "present",
    "optional",
    "min",
    "max",
    "glob",
    "path",
    "length",
    "prefix",
    "suffix",
    "like",
    "host",
    "url",
    "email",
    "date",
    "same_as",
    "differs_from",
    "at_most",
    "at_least",
    "from",
    "fields",
    "every",
    "any",
    "not",
];

/// Reads a value (equality), a list (set) or a table of operators (all must hold).
pub(super) fn read<'t>(
    source: &mut Source<'t>,
    node: &'t Node<'t>,
    depth: usize,
    about: &About<'_>,
) -> Option<Bound> {
    if depth > DEPTH_MAX {
        let problem = format!("bounds are nested deeper than {DEPTH_MAX}");
        source.report(node.span(), problem, "bound the value less deeply");
        return None;
    }
    match node.get_ref() {
        DeValue::Table(_) => operators(source, node, depth, about),
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
    types: &[Vec<String>],
) -> bool {
    let judged: Vec<&[&str]> = match bound {
        Bound::OneOf(set) => set.iter().map(Scalar::types).collect(),
        Bound::All(operators) => operators.iter().map(Operator::types).collect(),
    };
    let speaks = |judges: &[&str], has: &[String]| {
        judges.is_empty() || has.is_empty() || has.iter().any(|one| judges.contains(&one.as_str()))
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
        DeValue::Integer(_) | DeValue::Float(_) => {
            number(source, node, "the value").map(Scalar::Number)
        }
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
            source.mistyped(node, "the value", "a text, a number, true or false");
            None
        }
    }
}

/// Reads a number as an argument is read, so that 1.0 is the integer 1 on both sides.
fn number(source: &mut Source<'_>, node: &Node<'_>, what: &str) -> Option<Number> {
    let DeValue::Float(written) = node.get_ref() else {
        let within = -INTEGER_MAX..=INTEGER_MAX;
        return source.integer(node, what, within).map(Number::Integer);
    };
    let value = written.as_str().parse::<f64>().ok();
    let value = value
        .and_then(serde_json::Number::from_f64)
        .map(|n| n.to_string());
    let value = value.and_then(|text| crate::json::parse(text.as_bytes(), 64).ok());
    let value = value
        .as_ref()
        .and_then(|value| Number::of(value.as_number()?));
    if value.is_none() {
        let fix = "write a finite number within ±(2^53 − 1)";
        source.report(node.span(), "no argument can have this value", fix);
    }
    value
}

/// What was read of one table, in the order in which bounds are written.
struct Reader<'s, 't, 'a> {
    source: &'s mut Source<'t>,
    of: Fields<'t>,
    depth: usize,
    about: &'a About<'a>,
    all: Vec<Operator>,
}

fn operators<'t>(
    source: &mut Source<'t>,
    node: &'t Node<'t>,
    depth: usize,
    about: &About<'_>,
) -> Option<Bound> {
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
    if let (Some(_), Some(second)) = (of.table.get("glob"), of.table.get("path")) {
        let problem = "`glob` and `path` are two words for one bound";
        source.report(second.span(), problem, "keep one of them");
        return None;
    }
    let mut reader = Reader {
        source,
        of,
        depth,
        about,
        all: Vec::new(),
    };
    reader.presence()?;
    reader.sizes()?;
    reader.texts()?;
    reader.relations()?;
    reader.inner()?;
    let all = reader.all;
    (!all.is_empty()).then_some(Bound::All(all))
}

impl<'t> Reader<'_, 't, '_> {
    fn node(&self, key: &str) -> Option<&'t Node<'t>> {
        self.of.table.get(key)
    }

    fn presence(&mut self) -> Option<()> {
        if let Some(node) = self.node("optional") {
            if !self.source.boolean(node, "`optional`")? {
                let fix = "remove it: arguments that are bounded have to be there";
                self.source
                    .report(node.span(), "`optional = false` says nothing", fix);
                return None;
            }
            self.all.push(Operator::Optional);
        }
        if let Some(node) = self.node("present") {
            let present = self.source.boolean(node, "`present`")?;
            if self.node("optional").is_some() {
                let problem = "`present` and `optional` contradict each other";
                self.source.report(node.span(), problem, "keep one of them");
                return None;
            }
            if !present && self.of.table.len() > 1 {
                let problem = "an argument that is not there has nothing else to bound";
                self.source
                    .report(node.span(), problem, "write `optional = true` instead");
                return None;
            }
            self.all.push(Operator::Present(present));
        }
        Some(())
    }

    fn sizes(&mut self) -> Option<()> {
        let end = |source: &mut Source<'t>, node: Option<&'t Node<'t>>, what: &str| match node {
            Some(node) => number(source, node, what).map(|value| Some((value, node.span()))),
            None => Some(None),
        };
        let (min, max) = (self.node("min"), self.node("max"));
        let (min, max) = (
            end(self.source, min, "`min`"),
            end(self.source, max, "`max`"),
        );
        let (min, max) = (min?, max?);
        if let (Some((min, span)), Some((max, _))) = (&min, &max)
            && min > max
        {
            let problem = format!("`min` {min} is greater than `max` {max}, so nothing is within");
            self.source.report(span.clone(), problem, "exchange them");
            return None;
        }
        let (min, max) = (min.map(|(min, _)| min), max.map(|(max, _)| max));
        if min.is_some() || max.is_some() {
            self.all.push(Operator::Range { min, max });
        }
        if let Some(node) = self.node("glob").or_else(|| self.node("path")) {
            self.all
                .push(Operator::Path(pattern::path(self.source, node)?));
        }
        if let Some(node) = self.node("length") {
            self.all.push(length(self.source, node)?);
        }
        Some(())
    }

    fn texts(&mut self) -> Option<()> {
        for (key, operator) in [
            ("prefix", Operator::Prefix as fn(String) -> Operator),
            ("suffix", Operator::Suffix),
        ] {
            if let Some(node) = self.node(key) {
                let text = self
                    .source
                    .text(node, &format!("`{key}`"), VALUE_CHARS_MAX)?;
                self.all.push(operator(text));
            }
        }
        type Read<'t> = fn(&mut Source<'t>, &'t Node<'t>) -> Option<Operator>;
        let each: [(&str, Read<'t>); 5] = [
            ("like", pattern::like),
            ("host", pattern::host),
            ("url", pattern::url),
            ("email", pattern::email),
            ("date", pattern::date),
        ];
        for (key, read) in each {
            if let Some(node) = self.node(key) {
                self.all.push(read(self.source, node)?);
            }
        }
        Some(())
    }

    fn relations(&mut self) -> Option<()> {
        for relation in Relation::ALL {
            let Some(node) = self.node(relation.word()) else {
                continue;
            };
            let what = format!("`{}`", relation.word());
            let name = self.source.text(node, &what, VALUE_CHARS_MAX)?;
            self.about.check(self.source, node.span(), &name)?;
            self.all.push(Operator::Relation(relation, name));
        }
        if let Some(node) = self.node("from") {
            let origins = origin::read(self.source, node, self.about)?;
            self.all.push(Operator::From(origins));
        }
        Some(())
    }

    fn inner(&mut self) -> Option<()> {
        if let Some(node) = self.node("fields") {
            let fields = fields(self.source, node, self.depth, self.about)?;
            self.all.push(Operator::Fields(fields));
        }
        for (key, operator) in [
            ("every", Operator::Every as fn(Box<Bound>) -> Operator),
            ("any", Operator::Any),
            ("not", Operator::Not),
        ] {
            if let Some(node) = self.node(key) {
                let inner = read(self.source, node, self.depth + 1, self.about)?;
                self.all.push(operator(Box::new(inner)));
            }
        }
        Some(())
    }
}

fn fields<'t>(
    source: &mut Source<'t>,
    node: &'t Node<'t>,
    depth: usize,
    about: &About<'_>,
) -> Option<BTreeMap<String, Bound>> {
    let Some(table) = node.get_ref().as_table().filter(|table| !table.is_empty()) else {
        source.mistyped(
            node,
            "`fields`",
            "`fields = { name = …, … }` with at least one field",
        );
        return None;
    };
    let mut fields = BTreeMap::new();
    for (key, node) in table {
        let bound = read(source, node, depth + 1, about)?;
        fields.insert(key.get_ref().to_string(), bound);
    }
    Some(fields)
}

fn length<'t>(source: &mut Source<'t>, node: &'t Node<'t>) -> Option<Operator> {
    let of = source.table(node, "`length`", &["min", "max"])?;
    let mut end = |key: &str| match of.table.get(key) {
        Some(node) => {
            let value = source.integer(node, &format!("`{key}`"), 0..=INTEGER_MAX);
            value.map(Some)
        }
        None => Some(None),
    };
    let (min, max) = (end("min"), end("max"));
    let (min, max) = (min?, max?);
    let (problem, fix) = match (min, max) {
        (None, None) => (
            "`length` says nothing".to_owned(),
            "write `min`, `max` or both",
        ),
        (Some(min), Some(max)) if min > max => (
            format!("`min` {min} is greater than `max` {max}, so nothing is within"),
            "exchange them",
        ),
        (Some(_), _) | (_, Some(_)) => {
            let count = |end: Option<i64>| end.and_then(|end| u64::try_from(end).ok());
            let (min, max) = (count(min), count(max));
            return Some(Operator::Length { min, max });
        }
    };
    source.report(node.span(), problem, fix);
    None
}
