//! Writes values as TOML, and the draft of a contract for a task without recorded calls.

use diagnostic::is_hidden;
use serde_json::{Map, Value};

use crate::catalogue::{Catalogue, Effect, Risk, Tool};
use crate::labels::Integrity;
use crate::toml_text::{key, quoted};

/// Maximum length of a generated name, in bytes.
const NAME_BYTES_MAX: usize = 48;
/// Maximum length of a reason, in characters.
const REASON_CHARS_MAX: usize = 300;

/// The head of a draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftHeader {
    /// The name: lower-case letters, digits and `-`.
    pub name: String,
    /// The purpose.
    pub purpose: String,
    /// The owner.
    pub owner: String,
    /// The expiry in contract syntax, such as `2030-01-31`.
    pub expires: String,
}

/// Converts any text to a name of lower-case letters, digits and `-`.
pub(super) fn slug(text: &str) -> String {
    let mut name = String::new();
    for c in text.chars().flat_map(char::to_lowercase) {
        let fits = c.is_ascii_lowercase() || c.is_ascii_digit();
        if fits {
            name.push(c);
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
        if name.len() >= NAME_BYTES_MAX {
            break;
        }
    }
    let name = name.trim_end_matches('-');
    if name.is_empty() {
        "task".to_owned()
    } else {
        name.to_owned()
    }
}

/// Writes arguments as an inline table; omits null values.
pub(super) fn table(map: &Map<String, Value>) -> String {
    let given = map.iter().filter(|(_, value)| !value.is_null());
    let each: Vec<String> = given
        .map(|(name, one)| format!("{} = {}", key(name), value(one)))
        .collect();
    if each.is_empty() {
        return "{}".to_owned();
    }
    format!("{{ {} }}", each.join(", "))
}

fn value(value: &Value) -> String {
    match value {
        Value::Null => "\"\"".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => quoted(text),
        Value::Array(items) => {
            let each: Vec<String> = items.iter().map(self::value).collect();
            format!("[{}]", each.join(", "))
        }
        Value::Object(map) => table(map),
    }
}

/// Writes a draft for the person to complete: an ask for every tool, or a deny if its risk is high, each with an
/// alternative as a comment. Without a given name, the name is built from the first words of the task.
#[must_use]
pub fn draft_of_text(header: &DraftHeader, words: &str, catalogue: &Catalogue) -> String {
    let DraftHeader {
        name,
        purpose,
        owner,
        expires,
    } = header;
    let name = if name.is_empty() {
        let first: Vec<&str> = words.split_whitespace().take(5).collect();
        slug(&first.join(" "))
    } else {
        name.clone()
    };
    let mut text = String::from(
        "# A draft: it asks about everything. Remove the tools that the task does not need, turn into [[allow]] what may be\n\
         # done without asking, with bounds, and add a [[test]] for what must never happen.\n#\n# The task:\n",
    );
    for line in words.lines() {
        let plain: String = line
            .chars()
            .map(|c| if is_hidden(c) { ' ' } else { c })
            .collect();
        text.push_str(&format!("#   {plain}\n"));
    }
    text.push_str(&format!(
        "contract = {}\nversion = 1\npurpose = {}\nowner = {}\nexpires = {expires}\n\n[limits] # of one task\n\
         calls = 100\nwall_time = \"30m\"\n",
        quoted(&name),
        quoted(purpose),
        quoted(owner)
    ));
    for tool in catalogue.tools() {
        text.push_str(&about(tool));
    }
    text
}

fn about(tool: &Tool) -> String {
    let effect = match tool.effects().most() {
        Effect::Read => "changes nothing",
        Effect::Write => "changes something of the owner's",
        Effect::Outward => "lets something leave",
    };
    let output = match tool.output().integrity {
        Integrity::Trusted => "",
        Integrity::Untrusted => "; anybody may have written what it returns",
    };
    let what: String = tool.description().chars().take(REASON_CHARS_MAX).collect();
    let what = what.replace(is_hidden, " ");
    let name = tool.name().as_str();
    let what = if what.trim().is_empty() {
        format!("`{name}` is used.")
    } else {
        what
    };
    let mut text = format!("\n# {what} It {effect}{output}.\n");
    if tool.risk() == Some(Risk::High) {
        text.push_str(&format!(
            "[[deny]]\nname = {}\ntool = {}\n",
            quoted(&slug(name)),
            quoted(name)
        ));
    } else {
        text.push_str(&format!(
            "[[ask]]\nname = {}\ntool = {}\nreason = {}\n",
            quoted(&slug(name)),
            quoted(name),
            quoted(&what)
        ));
    }
    for argument in tool.arguments().names() {
        let types = tool.arguments().types(argument);
        let first = types.iter().find(|one| *one != "null");
        let hint = match (first.map(String::as_str), tool.effects().most()) {
            (Some("string"), Effect::Outward) => {
                "{ from = \"task\" } # a value of the owner's words"
            }
            (Some("string"), Effect::Read | Effect::Write) => {
                "[\"…\"] # or { path = \"folder/*\" }"
            }
            (Some("integer" | "number"), _) => "{ min = 0, max = 100 }",
            (Some("boolean"), _) => "false",
            (Some("array"), _) => "{ length = { max = 10 } }",
            _ => continue,
        };
        text.push_str(&format!("# where.{} = {hint}\n", key(argument)));
    }
    text
}
