//! The values of a task text that the arguments of a tool can have, by the names, formats and types of the arguments.

use jiff::civil::Date;
use serde_json::Value;

use crate::catalogue::Tool;
use crate::words::mention::{Meaning, Mention};
use crate::words::{WordKind, Words};

/// Names of arguments, each with the kinds of values that they have.
const NAMES: [(&[&str], &[WordKind]); 9] = [
    (&["iban", "account"], &[WordKind::Iban]),
    (
        &[
            "to",
            "recipient",
            "recipients",
            "email",
            "emails",
            "mail",
            "cc",
            "bcc",
            "participants",
            "attendees",
            "invitees",
            "guests",
        ],
        &[WordKind::Email, WordKind::Iban],
    ),
    (&["url", "uri", "link", "href", "website"], &[WordKind::Url]),
    (
        &["path", "file", "filename", "folder", "directory", "dir"],
        &[WordKind::Path],
    ),
    (
        &[
            "date", "day", "due", "deadline", "start", "end", "until", "from", "begin",
        ],
        &[WordKind::Date, WordKind::Time],
    ),
    (&["time", "hour"], &[WordKind::Time]),
    (&["title", "subject", "headline"], &[WordKind::Quoted]),
    (
        &["amount", "price", "sum", "total", "cost"],
        &[WordKind::Amount, WordKind::Number],
    ),
    (
        &["count", "quantity", "number", "size", "limit"],
        &[WordKind::Number],
    ),
];
/// Words of arguments, each with the words of a text that stand before its value.
const BESIDE: [(&[&str], &[&str]); 4] = [
    (&["to", "recipient", "recipients"], &["to", "an"]),
    (&["start", "from", "begin"], &["from", "von", "starting"]),
    (&["end", "until"], &["to", "until", "till", "bis"]),
    (
        &["participants", "attendees", "invitees", "guests"],
        &["with", "mit", "invite"],
    ),
];

/// The values of a text for one argument.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ArgumentRole {
    pub(super) argument: String,
    pub(super) kind: WordKind,
    /// The words right before the value; empty for any place.
    pub(super) after: Vec<String>,
    /// True if the argument is a list.
    pub(super) list: bool,
    /// The values as the text has them, each with the words around it.
    pub(super) seen: Vec<(String, String)>,
    /// A value for a test; `None` if it depends on the day, or cannot be written.
    pub(super) example: Option<Value>,
}

/// Returns the kinds of values that the name, format and type of an argument suggest.
pub(super) fn kinds(tool: &Tool, argument: &str) -> &'static [WordKind] {
    let schema = schema(tool, argument);
    let item = schema.get("items").unwrap_or(schema);
    let numbers = [WordKind::Amount, WordKind::Number];
    let types = tool.arguments().types(argument);
    let is = |wanted: &[&str]| types.iter().any(|one| wanted.contains(&one.as_str()));
    match item.get("format").and_then(Value::as_str) {
        Some("email" | "idn-email") => return &[WordKind::Email],
        Some("uri" | "iri") => return &[WordKind::Url],
        Some("date" | "date-time") => return &[WordKind::Date],
        Some("time") => return &[WordKind::Time],
        Some(_) | None => {}
    }
    let words = name_words(argument);
    let named = |(names, _): &&(&[&str], &[WordKind])| {
        words.iter().any(|word| names.contains(&word.as_str()))
    };
    let found = NAMES.iter().find(named);
    let kinds = found.map_or(&[][..], |(_, kinds)| *kinds);
    let numeric = kinds.iter().all(|kind| numbers.contains(kind));
    let fits = if is(&["integer", "number"]) {
        numeric
    } else {
        !numeric && is(&["string", "array"])
    };
    if fits { kinds } else { &[] }
}

/// Returns the values of the text for one argument; `None` if there is none. An argument that may be left out needs a
/// word before its value that tells it from others.
pub(super) fn role(
    words: &Words<'_>,
    tool: &Tool,
    argument: &str,
    required: bool,
) -> Option<ArgumentRole> {
    let types = tool.arguments().types(argument);
    let list = types.iter().any(|one| one == "array");
    let of_texts = schema(tool, argument).pointer("/items/type") == Some(&Value::from("string"));
    if list && !of_texts {
        return None;
    }
    let markers = markers(argument);
    kinds(tool, argument).iter().find_map(|kind| {
        let mut all = mentions(words, *kind, is_moment(tool, argument));
        all.retain(|one| !words.doubts(one));
        let beside = words.beside(all.clone(), &markers, &[]);
        let told = !markers.is_empty() && !beside.is_empty();
        let (found, after) = if told {
            (beside, markers.clone())
        } else {
            (all, Vec::new())
        };
        if found.is_empty() || !(required || told) {
            return None;
        }
        let seen = found.iter().map(|one| {
            let value = words.text().get(one.at.clone()).unwrap_or_default();
            (value.to_owned(), words.passage(one))
        });
        let each = found.iter().map(|one| example(words, one));
        let each: Option<Vec<Value>> = each.collect();
        let example = each.and_then(|mut each| {
            if list {
                each.dedup();
                Some(Value::Array(each))
            } else {
                each.into_iter().next()
            }
        });
        Some(ArgumentRole {
            argument: argument.to_owned(),
            kind: *kind,
            after,
            list,
            seen: seen.collect(),
            example,
        })
    })
}

fn mentions(words: &Words<'_>, kind: WordKind, moment: bool) -> Vec<Mention> {
    if kind == WordKind::Date && moment {
        let moments = words.moments();
        if !moments.is_empty() {
            return moments;
        }
    }
    words.mentions(kind)
}

/// Writes a value as an argument; `None` if it depends on the day of the call.
fn example(words: &Words<'_>, one: &Mention) -> Option<Value> {
    let (first, second) = (Date::constant(2001, 1, 1), Date::constant(2002, 6, 3));
    let at = |today: Date| {
        let words = Words::new(words.text(), today);
        let all = words
            .mentions(WordKind::Date)
            .into_iter()
            .chain(words.moments());
        all.filter(|other| other.at == one.at).collect::<Vec<_>>()
    };
    match &one.meaning {
        Meaning::Text(text) | Meaning::Canonical(text) => Some(Value::from(text.as_str())),
        Meaning::Number(number) => Some(Value::Number(number.clone())),
        Meaning::Day(_) | Meaning::Moment(_) if at(first) != at(second) => None,
        Meaning::Day(day) => Some(Value::from(day.to_string())),
        Meaning::Moment(moment) => {
            let (day, time) = (moment.date(), moment.time());
            let (hour, minute) = (time.hour(), time.minute());
            Some(Value::from(format!("{day} {hour:02}:{minute:02}")))
        }
        Meaning::Clock(time) => {
            let (hour, minute) = (time.hour(), time.minute());
            Some(Value::from(format!("{hour:02}:{minute:02}")))
        }
    }
}

/// Returns true if an argument has a day and a time.
fn is_moment(tool: &Tool, argument: &str) -> bool {
    let words = name_words(argument);
    let format = schema(tool, argument).get("format").and_then(Value::as_str);
    words.iter().any(|word| word == "time") || format == Some("date-time")
}

/// The words of a text that stand before the value of this argument.
fn markers(argument: &str) -> Vec<String> {
    let words = name_words(argument);
    let named =
        |(names, _): &&(&[&str], &[&str])| words.iter().any(|word| names.contains(&word.as_str()));
    let found = BESIDE.iter().find(named);
    found.map_or_else(
        || words.clone(),
        |(_, beside)| beside.iter().map(|word| (*word).to_owned()).collect(),
    )
}

/// The words of an argument's name: `start_time`, `startTime`.
fn name_words(argument: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut fresh = true;
    for c in argument.chars() {
        if !c.is_alphanumeric() {
            fresh = true;
            continue;
        }
        let begins = fresh || c.is_uppercase();
        fresh = false;
        match words.last_mut() {
            Some(word) if !begins => word.extend(c.to_lowercase()),
            Some(_) | None => words.push(c.to_lowercase().collect()),
        }
    }
    words
}

/// The schema of an argument; null if it is not written in place.
pub(super) fn schema<'t>(tool: &'t Tool, argument: &str) -> &'t Value {
    let properties = tool.input_schema().get("properties");
    let own = properties.and_then(|properties| properties.get(argument));
    own.unwrap_or(&Value::Null)
}
