//! Makes arguments near the bounds of rules, and pasts in which the rules can hold.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use self::past::{Past, within};
use self::schema::{LENGTH_MAX, long, of_schema};
use super::example::Earlier;
use crate::bounds::{
    Around, Bound, EmailBound, End, HostPattern, Judgement, Number, Operator, Relation, Scalar,
    When, lookup,
};
use crate::budget::Shared;
use crate::catalogue::{Catalogue, Tool};
use crate::record::{Record, View};
use crate::rule::Rule;

mod past;
mod schema;

/// Most values that are tried of one argument.
const VALUES_MAX: usize = 24;

/// Arguments of one tool, as its rules make them interesting.
pub(super) struct Samples<'a> {
    tool: &'a Tool,
    rules: Vec<&'a Rule>,
    now_ms: i64,
    /// Values of each argument of the top level.
    values: BTreeMap<String, Vec<Value>>,
}

impl<'a> Samples<'a> {
    pub(super) fn new(tool: &'a Tool, rules: Vec<&'a Rule>, now_ms: i64) -> Self {
        let mut samples = Self {
            tool,
            rules,
            now_ms,
            values: BTreeMap::new(),
        };
        let names: Vec<String> = tool.arguments().names().map(str::to_owned).collect();
        for name in names {
            let values = samples.of_argument(&name);
            samples.values.insert(name, values);
        }
        samples
    }

    /// Whether the moment of a call matters to a rule.
    pub(super) fn reads_time(&self) -> bool {
        let condition = |rule: &Rule| {
            let when = rule.when.as_ref();
            when.is_some_and(|when| when.text().contains("now"))
        };
        self.rules.iter().any(|rule| condition(rule))
    }

    fn schema(&self, name: &str) -> Value {
        let properties = self.tool.input_schema().get("properties");
        let own = properties.and_then(|all| all.get(name));
        own.cloned().unwrap_or_default()
    }

    fn is_required(&self, name: &str) -> bool {
        let required = self.tool.input_schema().get("required");
        let required = required.and_then(Value::as_array);
        required.is_some_and(|names| names.iter().any(|one| one == name))
    }

    fn of_argument(&self, name: &str) -> Vec<Value> {
        let plain = of_schema(&self.schema(name), self.tool.input_schema(), 0);
        let mut values = Vec::new();
        for rule in &self.rules {
            for (bounded, bound) in &rule.bounds {
                if bounded == name {
                    self.of_bound(bound, &plain, &mut values);
                } else if let Some(rest) = bounded.strip_prefix(&format!("{name}.")) {
                    let mut inner = Vec::new();
                    self.of_bound(bound, &json!("x"), &mut inner);
                    values.extend(inner.into_iter().map(|value| within(&plain, rest, value)));
                }
            }
            if let Some(when) = &rule.when {
                of_condition(when.text(), &mut values);
            }
        }
        values.push(plain);
        let mut kept: Vec<Value> = Vec::new();
        for value in values {
            if !kept.contains(&value) && kept.len() < VALUES_MAX {
                kept.push(value);
            }
        }
        kept
    }

    /// Arguments that a rule describes, as far as trying each bound by itself finds them.
    pub(super) fn fitting(&self, aim: Option<&Rule>) -> Map<String, Value> {
        let mut args = Map::new();
        for (name, values) in &self.values {
            let bounds = aim.map(|rule| rule.bounds.iter());
            let own = bounds
                .into_iter()
                .flatten()
                .find(|(bounded, _)| *bounded == name);
            let Some((_, bound)) = own else {
                let deeper = aim.is_some_and(|rule| {
                    let below = |bounded: &String| bounded.starts_with(&format!("{name}."));
                    rule.bounds.keys().any(below)
                });
                if self.is_required(name) || deeper {
                    let value = if deeper {
                        values.first()
                    } else {
                        values.last()
                    };
                    args.extend(value.map(|value| (name.clone(), value.clone())));
                }
                continue;
            };
            let mut own = Vec::new();
            self.of_bound(bound, values.last().unwrap_or(&Value::Null), &mut own);
            let absent =
                matches!(bound, Bound::All(each) if each.contains(&Operator::Present(false)));
            let fits = |value: &&Value| self.fits(bound, value);
            let first = own.iter().find(fits).or_else(|| own.first());
            let first = first.or_else(|| values.last());
            if !absent {
                args.extend(first.map(|value| (name.clone(), value.clone())));
            }
        }
        if let Some(rule) = aim {
            related(rule, &mut args);
        }
        args
    }

    /// Whether a value is within a bound, as far as that depends on nothing else.
    fn fits(&self, bound: &Bound, value: &Value) -> bool {
        let (record, shared, args) = (Record::default(), Shared::default(), Map::new());
        let view = View {
            now_ms: self.now_ms,
            record: &record,
            shared: &shared,
        };
        let around = Around {
            tool: self.tool.name().as_str(),
            args: &args,
            view,
        };
        bound.judge(Some(value), &around) == Judgement::Within
    }

    /// Those arguments, and others that differ from them in one argument or two.
    pub(super) fn near(&self, base: &Map<String, Value>) -> Vec<Map<String, Value>> {
        let mut all = vec![base.clone()];
        let mut add = |args: Map<String, Value>| {
            if !all.contains(&args) {
                all.push(args);
            }
        };
        for (name, values) in &self.values {
            let mut without = base.clone();
            without.remove(name);
            for value in values {
                let mut args = base.clone();
                args.insert(name.clone(), value.clone());
                add(args);
            }
            add(without);
        }
        for (name, values) in &self.values {
            for (other, others) in self.values.range(name.clone()..).skip(1) {
                for value in values.iter().take(4) {
                    for second in others.iter().take(4) {
                        let mut args = base.clone();
                        args.insert(name.clone(), value.clone());
                        args.insert(other.clone(), second.clone());
                        add(args);
                    }
                }
            }
        }
        all
    }

    /// The owner's words and earlier calls under which rules that look at them can hold for these arguments.
    pub(super) fn past(
        &self,
        catalogue: &Catalogue,
        args: &Map<String, Value>,
    ) -> (Option<String>, Vec<Earlier>) {
        let mut past = Past::new(catalogue);
        for rule in &self.rules {
            if let Some(after) = &rule.after {
                let equal = after.equal.iter();
                let equal = equal
                    .filter_map(|(own, other)| Some((other.clone(), lookup(args, own)?.clone())));
                past.call(&after.tool, equal.collect(), None);
            }
            for (name, bound) in &rule.bounds {
                if let Some(value) = lookup(args, name) {
                    past.bound(bound, value);
                }
            }
            if let Some(when) = &rule.when {
                let each: Vec<String> = when.earlier().map(|(tool, _)| tool.to_owned()).collect();
                for tool in each {
                    past.call(&tool, Map::new(), None);
                }
            }
        }
        let text = (!past.words.is_empty()).then(|| past.words.join(" , "));
        (text, past.earlier)
    }

    fn of_bound(&self, bound: &Bound, plain: &Value, to: &mut Vec<Value>) {
        match bound {
            Bound::OneOf(set) => {
                to.extend(set.iter().take(8).map(of_scalar));
                to.extend(set.first().map(beside));
            }
            Bound::All(operators) => {
                for operator in operators {
                    self.of_operator(operator, plain, to);
                }
            }
        }
    }

    fn of_operator(&self, operator: &Operator, plain: &Value, to: &mut Vec<Value>) {
        match operator {
            Operator::Present(_) | Operator::Optional | Operator::Relation(..) => {}
            Operator::From(_) => to.push(plain.clone()),
            Operator::Range { min, max } => {
                for end in [min, max].into_iter().flatten() {
                    to.push(of_number(*end));
                    to.push(moved(*end, 1.0));
                    to.push(moved(*end, -1.0));
                }
            }
            Operator::Length { min, max } => {
                let ends = [min, max].into_iter().flatten();
                for end in ends.filter(|end| **end <= LENGTH_MAX) {
                    for length in [Some(*end), end.checked_add(1), end.checked_sub(1)] {
                        to.extend(length.map(|length| long(length, plain)));
                    }
                }
            }
            Operator::Path(_)
            | Operator::Prefix(_)
            | Operator::Suffix(_)
            | Operator::Like(_)
            | Operator::Host(_)
            | Operator::Url(_)
            | Operator::Email(_) => of_text(operator, to),
            Operator::Date { from, to: until } => {
                for end in [from, until].into_iter().flatten() {
                    to.extend(days(*end, self.now_ms));
                }
            }
            Operator::Fields(fields) => {
                let mut whole = plain.as_object().cloned().unwrap_or_default();
                let mut variants = Vec::new();
                for (name, bound) in fields {
                    let mut inner = Vec::new();
                    self.of_bound(bound, &json!("x"), &mut inner);
                    if let Some(first) = inner.first() {
                        whole.insert(name.clone(), first.clone());
                    }
                    variants.push((name, inner));
                }
                to.push(Value::Object(whole.clone()));
                for (name, inner) in variants {
                    for value in inner {
                        let mut other = whole.clone();
                        other.insert(name.clone(), value);
                        to.push(Value::Object(other));
                    }
                }
            }
            Operator::Every(bound) | Operator::Any(bound) => {
                let mut inner = Vec::new();
                let item = plain.as_array().and_then(|items| items.first());
                self.of_bound(bound, item.unwrap_or(&json!("x")), &mut inner);
                let pair: Vec<Value> = inner.iter().take(1).chain(inner.last()).cloned().collect();
                to.extend(inner.into_iter().map(|value| json!([value])));
                to.extend([Value::Array(pair), json!([])]);
            }
            Operator::Not(bound) => {
                let mut inner = Vec::new();
                self.of_bound(bound, plain, &mut inner);
                // What is beside the bound comes last, and is what fits.
                inner.reverse();
                to.push(plain.clone());
                to.extend(inner);
            }
        }
    }
}

/// Texts near an operator that judges texts.
fn of_text(operator: &Operator, to: &mut Vec<Value>) {
    match operator {
        Operator::Path(glob) => {
            let path = glob.as_str().replace("**", "a/b").replace('*', "a");
            to.extend([
                json!(path),
                json!(format!("z/{path}")),
                json!(format!("{path}.z")),
            ]);
        }
        Operator::Prefix(text) => to.extend([json!(format!("{text}x")), json!(text)]),
        Operator::Suffix(text) => to.extend([json!(format!("x{text}")), json!(text)]),
        Operator::Like(glob) => {
            to.push(json!(glob.as_str().replace('*', "x")));
            to.push(json!(glob.as_str().replace('*', "")));
        }
        Operator::Host(hosts) => to.extend(hosts.iter().map(|one| json!(host(one)))),
        Operator::Url(url) => {
            let port = url.port.map_or_else(String::new, |port| format!(":{port}"));
            let path = url
                .path
                .as_ref()
                .map_or_else(|| "/".to_owned(), ToString::to_string);
            let path = path.replace("**", "a/b").replace('*', "a");
            for one in &url.hosts {
                to.push(json!(format!("{}://{}{port}{path}", url.scheme, host(one))));
                to.push(json!(format!("{}://{}{port}/z/z/z", url.scheme, host(one))));
            }
        }
        Operator::Email(EmailBound::Addresses(each)) => {
            to.extend(each.iter().take(8).map(|one| json!(one.to_string())));
        }
        Operator::Email(EmailBound::Domains(each)) => {
            to.extend(each.iter().take(8).map(|one| json!(format!("x@{one}"))));
        }
        Operator::Present(_)
        | Operator::Optional
        | Operator::Range { .. }
        | Operator::Length { .. }
        | Operator::Date { .. }
        | Operator::Relation(..)
        | Operator::From(_)
        | Operator::Fields(_)
        | Operator::Every(_)
        | Operator::Any(_)
        | Operator::Not(_) => {}
    }
}

/// Gives arguments that stand in a relation the value of the other one.
fn related(rule: &Rule, args: &mut Map<String, Value>) {
    for (name, bound) in &rule.bounds {
        let Bound::All(operators) = bound else {
            continue;
        };
        for operator in operators {
            if let Operator::Relation(Relation::DiffersFrom, _) = operator {
                continue;
            }
            if let Operator::Relation(_, other) = operator
                && let Some(value) = lookup(args, other).cloned()
            {
                args.insert(name.clone(), value);
            }
        }
    }
}

fn of_scalar(scalar: &Scalar) -> Value {
    match scalar {
        Scalar::Bool(value) => json!(value),
        Scalar::Number(number) => of_number(*number),
        Scalar::Text(text) => json!(text),
    }
}

/// A value of the same kind that is another one.
fn beside(scalar: &Scalar) -> Value {
    match scalar {
        Scalar::Bool(value) => json!(!value),
        Scalar::Number(number) => moved(*number, 1.0),
        Scalar::Text(text) => json!(format!("{text}.z")),
    }
}

fn of_number(number: Number) -> Value {
    match number {
        Number::Integer(value) => json!(value),
        Number::Decimal(value) => json!(value),
    }
}

/// A number beside another one: by whole ones, or by hundredths.
fn moved(number: Number, by: f64) -> Value {
    match number {
        Number::Integer(value) if by > 0.0 => json!(value.saturating_add(1)),
        Number::Integer(value) => json!(value.saturating_sub(1)),
        Number::Decimal(value) => json!(((value + by / 100.0) * 10_000.0).round() / 10_000.0),
    }
}

fn host(pattern: &HostPattern) -> String {
    match pattern {
        HostPattern::Exact(host) => host.clone(),
        HostPattern::Below(parent) => format!("x.{parent}"),
    }
}

/// The day of an end, and those beside it.
fn days(end: End, now_ms: i64) -> Vec<Value> {
    let at = match end {
        End::Now { plus_ms } => {
            jiff::Timestamp::from_millisecond(now_ms.saturating_add(plus_ms)).ok()
        }
        End::At(When::Moment(moment)) => Some(moment),
        End::At(When::Day(day)) => {
            let midnight = day.to_datetime(jiff::civil::Time::midnight());
            jiff::tz::Offset::UTC.to_timestamp(midnight).ok()
        }
    };
    let Some(at) = at else {
        return Vec::new();
    };
    let text = |hours: i64| {
        let at = at
            .checked_add(jiff::SignedDuration::from_hours(hours))
            .ok()?;
        at.to_string().get(..10).map(|day| json!(day))
    };
    [0, 24, -24].into_iter().filter_map(text).collect()
}

/// The texts and whole numbers that stand in a condition, and what is beside them.
fn of_condition(condition: &str, to: &mut Vec<Value>) {
    let mut quoted = condition.split('"').skip(1);
    while let Some(text) = quoted.next() {
        to.push(json!(text.replace('*', "x")));
        quoted.next();
    }
    let outside = condition.split('"').step_by(2);
    let words = outside.flat_map(|part| part.split(|c: char| !c.is_ascii_digit()));
    for number in words.filter_map(|word| word.parse::<i64>().ok()).take(6) {
        to.extend([json!(number), json!(number + 1), json!(number - 1)]);
    }
    to.extend([json!(true), json!(false)]);
}
