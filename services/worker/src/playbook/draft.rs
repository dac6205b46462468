//! Writes a playbook from recorded calls.

use std::collections::BTreeMap;

use bus_schema::ToolName;
use serde::Serialize;
use serde_json::{Map, Value};

use super::NAME_CHARS_MAX;

/// Fewest characters of a text that becomes a reference: shorter ones are often equal by chance.
const REFERRED_CHARS_MIN: usize = 8;
/// Most characters of one field's name in a reference.
const FIELD_CHARS_MAX: usize = 64;

/// A recorded call that succeeded.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedCall {
    /// Its tool.
    pub tool: ToolName,
    /// Its arguments.
    pub args: Map<String, Value>,
    /// Its output.
    pub output: Vec<u8>,
}

#[derive(Serialize)]
struct Document<'a> {
    playbook: &'a str,
    purpose: &'a str,
    step: Vec<DraftStep<'a>>,
}

#[derive(Serialize)]
struct DraftStep<'a> {
    id: String,
    tool: &'a ToolName,
    args: Map<String, Value>,
}

/// Returns the text of a playbook with a step for each call, in their order. A text among the arguments that is the whole output,
/// or exactly one field, of an earlier call becomes a reference to the latest such call.
///
/// # Errors
/// The reason that TOML cannot hold an argument, such as null.
pub fn draft(name: &str, purpose: &str, calls: &[RecordedCall]) -> Result<String, String> {
    let (mut earlier, mut names) = (Vec::<Output>::new(), BTreeMap::<String, usize>::new());
    let mut steps = Vec::new();
    for call in calls {
        let id = id(call.tool.as_str(), &mut names);
        let mut args = call.args.clone();
        for value in args.values_mut() {
            refer(value, &earlier);
        }
        if args.values().any(has_null) {
            return Err(format!(
                "an argument of `{}` is null, which no playbook can have",
                call.tool
            ));
        }
        earlier.push(Output::read(&id, &call.output));
        let tool = &call.tool;
        steps.push(DraftStep { id, tool, args });
    }
    let document = Document {
        playbook: name,
        purpose,
        step: steps,
    };
    toml::to_string_pretty(&document).map_err(|error| error.to_string())
}

/// Returns a new id from the name of a tool.
fn id(tool: &str, names: &mut BTreeMap<String, usize>) -> String {
    let slug: String = tool
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(NAME_CHARS_MAX - 4)
        .collect();
    let slug = match slug.as_str() {
        "item" | "input" | "slot" => format!("{slug}-1"),
        _ => slug,
    };
    let number = names.entry(slug.clone()).or_default();
    *number += 1;
    match number {
        1 => slug,
        number => format!("{slug}-{number}"),
    }
}

/// The texts of an output, each with the reference to it; none for a text that stands there twice.
struct Output(BTreeMap<String, Option<String>>);

impl Output {
    fn read(id: &str, output: &[u8]) -> Self {
        let mut texts = BTreeMap::new();
        if let Ok(text) = str::from_utf8(output) {
            texts.insert(text.to_owned(), Some(format!("{{{id}.text}}")));
        }
        if let Ok(value) = serde_json::from_slice(output) {
            collect(&value, id, &mut texts);
        }
        Self(texts)
    }
}

/// Adds the texts in the fields of a value. The items of a list have no reference: their places say nothing about the next run.
fn collect(value: &Value, at: &str, texts: &mut BTreeMap<String, Option<String>>) {
    match value {
        Value::String(text) => {
            let known = texts.insert(text.clone(), Some(format!("{{{at}}}")));
            if known.is_some() {
                texts.insert(text.clone(), None);
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                let plain = name
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
                if plain && !name.is_empty() && name.len() <= FIELD_CHARS_MAX {
                    // Right after a step, `.text` is the whole output.
                    let at = match at.contains('.') || name != "text" {
                        true => format!("{at}.{name}"),
                        false => format!("{at}[\"text\"]"),
                    };
                    collect(value, &at, texts);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {}
    }
}

/// Replaces the texts of a value by references, and doubles the braces of all others.
fn refer(value: &mut Value, earlier: &[Output]) {
    match value {
        Value::String(text) => {
            let found = (text.chars().count() >= REFERRED_CHARS_MIN).then(|| {
                let mut found = earlier.iter().rev();
                found.find_map(|output| output.0.get(text)?.clone())
            });
            let reference = found
                .flatten()
                .filter(|reference| reference.len() <= crate::REFERENCE_CHARS_MAX);
            *text = reference.unwrap_or_else(|| text.replace('{', "{{").replace('}', "}}"));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| refer(item, earlier)),
        Value::Object(fields) => fields.values_mut().for_each(|field| refer(field, earlier)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().any(has_null),
        Value::Object(fields) => fields.values().any(has_null),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}
