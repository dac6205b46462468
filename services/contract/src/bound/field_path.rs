//! A path to values in the result of an earlier call.

use std::fmt;

use serde_json::{Map, Value};

use super::matching::lookup;
use crate::schema::domain::{Domain, TypeSet};
use crate::show::words::joined;
use crate::toml_text::quoted;
use bus_schema::json;

/// Maximum number of digits of an index.
const INDEX_DIGITS_MAX: usize = 9;

/// A path into a JSON value: names joined by dots, each optionally followed by places in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldPath {
    text: String,
    steps: Vec<Step>,
    end: PathEnd,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Name(String),
    /// Each item of a list.
    Each,
    /// The item at this place, from 0.
    Index(usize),
    /// The item at the place that an argument of the call says, from 0.
    Argument(String),
}

/// The meaning of the end of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PathEnd {
    /// The value itself.
    Value,
    /// Each text, number, true and false in the value, at any depth.
    AnyValue,
    /// Each key of the object.
    Keys,
}

impl FieldPath {
    /// Parses a path such as `results[].email`: `[]` is each item of a list, `[0]` the first, `[{row}]` the one at the
    /// place that the argument `row` says. A name with dots or brackets is in quotes: `"a.b"[]`. `None` if invalid.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        Self::ending(text, PathEnd::Value)
    }

    /// The whole result, any value of it, or the keys of it.
    pub(super) const fn whole(end: PathEnd) -> Self {
        Self {
            text: String::new(),
            steps: Vec::new(),
            end,
        }
    }

    /// Parses a path to a value of which `end` is meant; `None` if invalid.
    pub(super) fn ending(text: &str, end: PathEnd) -> Option<Self> {
        Some(Self {
            text: text.to_owned(),
            steps: steps(text)?,
            end,
        })
    }

    /// The arguments that say a place in a list.
    pub(super) fn arguments(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().filter_map(|step| match step {
            Step::Argument(name) => Some(name.as_str()),
            Step::Name(_) | Step::Each | Step::Index(_) => None,
        })
    }

    /// Returns true if each argument that says a place in a list is a whole number.
    pub(super) fn has_places(&self, args: &Map<String, Value>) -> bool {
        self.arguments().all(|name| index(args, name).is_some())
    }

    /// Counts the values at this path: those that equal `wanted`, and all. A result that is a text of a JSON object
    /// or list is parsed first, unless the whole result is meant. Texts inside a result stay texts, because anybody may have written them.
    pub(super) fn count(
        &self,
        result: &Value,
        wanted: &Value,
        args: &Map<String, Value>,
    ) -> (usize, usize) {
        let (mut equal, mut all) = (0, 0);
        let mut visit = |found: &Value| {
            equal += usize::from(found == wanted);
            all += 1;
        };
        let is_whole = self.steps.is_empty() && self.end == PathEnd::Value;
        let inner = read_text(result).filter(|_| !is_whole);
        let result = inner.as_ref().unwrap_or(result);
        walk(&self.steps, result, args, &mut |value| match self.end {
            PathEnd::Value => visit(value),
            PathEnd::AnyValue => scalars(value, &mut visit),
            PathEnd::Keys => {
                let keys = value.as_object().into_iter().flat_map(Map::keys);
                keys.for_each(|key| visit(&Value::from(key.as_str())));
            }
        });
        (equal, all)
    }

    /// The path with `[]` for each place in a list; `None` if more than the value at its end is meant.
    pub(super) fn general(&self) -> Option<String> {
        if self.end != PathEnd::Value || self.steps.is_empty() {
            return None;
        }
        let mut path = String::new();
        for step in &self.steps {
            match step {
                Step::Name(name) if path.is_empty() => path.push_str(name),
                Step::Name(name) => path.push_str(&format!(".{name}")),
                Step::Each | Step::Index(_) | Step::Argument(_) => path.push_str("[]"),
            }
        }
        Some(path)
    }

    /// The name that looks like a pattern, which no part of a path can be unless it is in quotes.
    pub(super) fn pattern(&self) -> Option<&str> {
        let odd = |name: &str| name.contains('*') || matches!(name, "{}" | "$" | "#");
        let mut steps = self.steps.iter().filter(|_| !self.text.contains('"'));
        steps.find_map(|step| match step {
            Step::Name(name) => odd(name).then_some(name.as_str()),
            Step::Each | Step::Index(_) | Step::Argument(_) => None,
        })
    }

    /// The values at this path in results of these values.
    pub(super) fn place<'s>(&self, results: Domain<'s>) -> Domain<'s> {
        let walk = |place: Domain<'s>, step: &Step| match step {
            Step::Name(name) => place.field(name),
            Step::Each | Step::Index(_) | Step::Argument(_) => place.item(),
        };
        self.steps.iter().fold(results, walk)
    }

    /// The types of the values that are meant, of those at the end of the path; `None` if they can be any.
    pub(super) fn types(&self, place: &Domain<'_>) -> Option<TypeSet> {
        match self.end {
            PathEnd::Value if self.steps.is_empty() => None,
            PathEnd::Value => Some(place.types()),
            PathEnd::Keys => Some(TypeSet::TEXT),
            PathEnd::AnyValue => None,
        }
    }

    /// Describes the values at this path in results of a tool.
    pub(super) fn say(&self, tool: &str) -> String {
        let (text, is_all) = (&self.text, self.steps.is_empty());
        let (start, joint) = match self.end {
            PathEnd::Value => ("what", "as"),
            PathEnd::AnyValue => ("any value that", "in"),
            PathEnd::Keys => ("any key that", "in"),
        };
        let returned = format!("{start} `{tool}` returned before in this task");
        if is_all {
            return returned;
        }
        let places: Vec<String> = self.arguments().map(|name| format!("`{name}`")).collect();
        if places.is_empty() {
            return format!("{returned} {joint} `{text}`");
        }
        let places = joined(places, "and");
        format!("{returned} {joint} `{text}`, counted from 0 by {places}")
    }
}

/// Parses a result that is a text of a JSON object or list.
pub(super) fn read_text(result: &Value) -> Option<Value> {
    let text = result.as_str()?;
    let value = json::parse_wide(text.as_bytes(), json::RESULT_BYTES_MAX).ok();
    value.filter(|value| value.is_object() || value.is_array())
}

fn steps(text: &str) -> Option<Vec<Step>> {
    let (mut steps, mut rest) = (Vec::new(), text);
    loop {
        let before = steps.len();
        let is_quoted = rest.starts_with('"');
        let (name, mut after) = name(rest)?;
        if is_quoted || !name.is_empty() {
            steps.push(Step::Name(name));
        }
        let is_named = steps.len() > before;
        while let Some(inner) = after.strip_prefix('[') {
            let (place, behind) = inner.split_once(']')?;
            steps.push(self::place(place)?);
            after = behind;
        }
        // Only the result itself can be a list without a name.
        if steps.len() == before || !(is_named || before == 0) {
            return None;
        }
        if after.is_empty() {
            return Some(steps);
        }
        rest = after.strip_prefix('.')?;
    }
}

/// Splits a name from the rest of a path; a name in quotes is a text of JSON.
fn name(text: &str) -> Option<(String, &str)> {
    if let Some(inner) = text.strip_prefix('"') {
        let mut escaped = false;
        let end = inner.find(|c: char| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        })?;
        let (name, rest) = text.split_at(end + 2);
        return Some((serde_json::from_str(name).ok()?, rest));
    }
    let end = text.find(['.', '[']).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    (!name.contains(']')).then(|| (name.to_owned(), rest))
}

fn place(text: &str) -> Option<Step> {
    if text.is_empty() {
        return Some(Step::Each);
    }
    let argument = text
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'));
    if let Some(name) = argument.filter(|name| !name.is_empty()) {
        return Some(Step::Argument(name.to_owned()));
    }
    let digits = text.bytes().all(|c| c.is_ascii_digit());
    let plain = text == "0" || !text.starts_with('0');
    let index = (digits && plain && text.len() <= INDEX_DIGITS_MAX).then(|| text.parse().ok());
    index.flatten().map(Step::Index)
}

fn index(args: &Map<String, Value>, name: &str) -> Option<usize> {
    usize::try_from(lookup(args, name)?.as_u64()?).ok()
}

/// Visits each value at a path.
fn walk(steps: &[Step], value: &Value, args: &Map<String, Value>, visit: &mut dyn FnMut(&Value)) {
    let Some((step, rest)) = steps.split_first() else {
        return visit(value);
    };
    let items = value.as_array();
    let one = match step {
        Step::Name(name) => value.as_object().and_then(|map| map.get(name)),
        Step::Index(at) => items.and_then(|items| items.get(*at)),
        Step::Argument(name) => {
            items.and_then(|items| index(args, name).and_then(|at| items.get(at)))
        }
        Step::Each => {
            let each = items.into_iter().flatten();
            return each.for_each(|item| walk(rest, item, args, visit));
        }
    };
    if let Some(inner) = one {
        walk(rest, inner, args, visit);
    }
}

/// Visits each text, number, true and false in a value.
fn scalars(value: &Value, visit: &mut dyn FnMut(&Value)) {
    match value {
        Value::Null => {}
        Value::Bool(_) | Value::Number(_) | Value::String(_) => visit(value),
        Value::Array(items) => items.iter().for_each(|item| scalars(item, visit)),
        Value::Object(map) => map.values().for_each(|item| scalars(item, visit)),
    }
}

/// Writes the path as keys of a TOML table.
impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = (!self.steps.is_empty()).then(|| format!("field = {}", quoted(&self.text)));
        let end = match self.end {
            PathEnd::Value if field.is_some() => None,
            PathEnd::Value => Some("whole = true"),
            PathEnd::AnyValue => Some("any_value = true"),
            PathEnd::Keys => Some("keys = true"),
        };
        let keys: Vec<&str> = field.as_deref().into_iter().chain(end).collect();
        f.write_str(&keys.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_paths_are_read() {
        let read = [
            "a",
            "a.b",
            "a[]",
            "[]",
            "[][]",
            "[0].x",
            "a[12][{row}].b",
            "\"a.b\"[]",
            "x.\"\\\"\"",
            "\"\"",
            "a\"b",
        ];
        for text in read {
            assert!(FieldPath::new(text).is_some(), "{text}");
        }
        let refused = [
            "",
            ".",
            "a.",
            ".a",
            "a..b",
            "a.[]",
            "a[]b",
            "a[",
            "a]",
            "a[x]",
            "a[01]",
            "a[-1]",
            "a[{}]",
            "\"a",
            "\"a\"b",
            "a[9999999999]",
        ];
        for text in refused {
            assert!(FieldPath::new(text).is_none(), "{text}");
        }
    }
}
