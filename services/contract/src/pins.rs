//! Compares what the owner signed a contract by with what it is read by now, and names exactly what differs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::LazyLock;

use bus_schema::{
    CONTENT_BYTES_MAX, Content, Digest, Envelope, EnvelopeTool, Pins, ToolName, Version,
};
use diagnostic::escaped;
use semver::Version as Semver;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::catalogue::Catalogue;
use crate::contract::LANGUAGE;
use crate::json;

/// This program's own version.
static OWN: LazyLock<Version> = LazyLock::new(|| {
    let version = env!("CARGO_PKG_VERSION").parse();
    version.expect("the package version is a version")
});

/// A contract as it is read now.
#[derive(Debug, Clone, Copy)]
pub struct ReadNow<'a> {
    /// The tools there are.
    pub catalogue: &'a Catalogue,
    /// What it allows at most, or why it cannot be read.
    pub envelope: Result<&'a Envelope, &'a str>,
}

/// How what a contract is read by differs from what the owner signed: never nothing.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Drift {
    changes: Vec<Drifted>,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "of", rename_all = "snake_case")]
pub enum Drifted {
    /// It was signed for another version of the contract language.
    Language {
        /// The version that was signed.
        signed: u16,
        /// The version that is read.
        now: u16,
    },
    /// It was signed with a newer version of the program that reads it.
    Policy {
        /// The version it was signed with.
        signed: Version,
        /// The version that reads it.
        now: Version,
    },
    /// A tool is in the catalogue no more.
    Gone {
        /// The tool.
        tool: ToolName,
    },
    /// The contract is about a tool that it was not about.
    New {
        /// The tool.
        tool: ToolName,
    },
    /// A field of a tool's catalogue entry.
    Tool {
        /// The tool.
        tool: ToolName,
        /// The JSON pointer of the field.
        at: String,
        /// What was signed; none if the field was not there.
        signed: Option<Value>,
        /// What stands there; none if the field is gone.
        now: Option<Value>,
    },
    /// A tool of which what was signed cannot be had.
    Unknown {
        /// The tool.
        tool: ToolName,
        /// The digest that was signed.
        signed: Digest,
        /// The digest of its entry now.
        now: Digest,
    },
    /// A field of what the contract allows at most, with its tools by name.
    Envelope {
        /// The JSON pointer of the field.
        at: String,
        /// What was signed; none if the field was not there.
        signed: Option<Value>,
        /// What follows from the contract now; none if the field is gone.
        now: Option<Value>,
    },
    /// The contract cannot be read any more.
    Unreadable {
        /// Why.
        why: String,
    },
    /// The catalogue as a whole. What it says of tools that the contract is not about changes nothing that may be
    /// done under it, so that this is said only beside another difference.
    Catalogue {
        /// The digest that was signed.
        signed: Digest,
        /// The digest now.
        now: Digest,
    },
}

/// By what a contract with this envelope is read here; `tools` is where [`entries`] are put.
#[must_use]
pub fn pins(catalogue: &Catalogue, tools: Content) -> Pins {
    Pins {
        language: LANGUAGE,
        policy: OWN.clone(),
        catalogue: catalogue.digest(),
        tools,
    }
}

/// The catalogue's entries of the tools that an envelope names: a JSON array, for [`Pins::tools`].
#[must_use]
pub fn entries(catalogue: &Catalogue, envelope: &Envelope) -> Vec<u8> {
    let names = envelope.tools.iter().map(|tool| tool.name.as_str());
    let tools = names.filter_map(|name| catalogue.get(name));
    json::canonical(&tools.map(|tool| tool.entry().clone()).collect())
}

/// Whether a contract is read just as it was signed.
pub fn is_read_as_signed(pins: &Pins, envelope: &Envelope, now: Result<&Envelope, &str>) -> bool {
    pins.language == LANGUAGE && !is_newer(&pins.policy) && now == Ok(envelope)
}

/// How what a contract is read by differs from what was signed, if it does. `tools` is what was put at
/// [`Pins::tools`], or none if that cannot be had; only what has a digest of the envelope counts as signed.
#[must_use]
pub fn drift(
    (pins, envelope): (&Pins, &Envelope),
    tools: Option<&[u8]>,
    now: &ReadNow<'_>,
) -> Option<Drift> {
    if is_read_as_signed(pins, envelope, now.envelope) {
        return None;
    }
    let mut changes = Vec::new();
    if pins.language != LANGUAGE {
        let (signed, now) = (pins.language, LANGUAGE);
        changes.push(Drifted::Language { signed, now });
    }
    if is_newer(&pins.policy) {
        let (signed, now) = (pins.policy.clone(), OWN.clone());
        changes.push(Drifted::Policy { signed, now });
    }
    let was = by_digest(tools.unwrap_or_default());
    for tool in &envelope.tools {
        tool_changes(tool, &was, now.catalogue, &mut changes);
    }
    match now.envelope {
        Ok(of) => envelope_changes(envelope, of, now.catalogue, &mut changes),
        Err(why) => changes.push(Drifted::Unreadable {
            why: why.to_owned(),
        }),
    }
    if pins.catalogue != now.catalogue.digest() {
        changes.push(Drifted::Catalogue {
            signed: pins.catalogue,
            now: now.catalogue.digest(),
        });
    }
    Some(Drift { changes })
}

/// Whether a version is newer than this program. What cannot be compared counts as newer.
fn is_newer(signed: &Version) -> bool {
    if *signed == *OWN {
        return false;
    }
    let read = |version: &Version| Semver::parse(version.as_str()).ok();
    match (read(signed), read(&OWN)) {
        (Some(signed), Some(own)) => signed > own,
        (None, _) | (_, None) => true,
    }
}

/// Entries of a catalogue by their digests; nothing of what is no list.
fn by_digest(tools: &[u8]) -> BTreeMap<Digest, Value> {
    let Ok(Value::Array(entries)) = json::parse(tools, CONTENT_BYTES_MAX) else {
        return BTreeMap::new();
    };
    let named = entries.into_iter();
    named
        .map(|entry| (Digest::of(&[&json::canonical(&entry)]), entry))
        .collect()
}

fn tool_changes(
    signed: &EnvelopeTool,
    was: &BTreeMap<Digest, Value>,
    catalogue: &Catalogue,
    to: &mut Vec<Drifted>,
) {
    let tool = signed.name.clone();
    let Some(now) = catalogue.get(tool.as_str()) else {
        return to.push(Drifted::Gone { tool });
    };
    if now.digest() == signed.digest {
        return;
    }
    let Some(was) = was.get(&signed.digest) else {
        let (signed, now) = (signed.digest, now.digest());
        return to.push(Drifted::Unknown { tool, signed, now });
    };
    compare("", Some(was), Some(now.entry()), &mut |at, signed, now| {
        let (signed, now) = (signed.cloned(), now.cloned());
        let tool = tool.clone();
        to.push(Drifted::Tool {
            tool,
            at,
            signed,
            now,
        });
    });
}

fn envelope_changes(
    signed: &Envelope,
    now: &Envelope,
    catalogue: &Catalogue,
    to: &mut Vec<Drifted>,
) {
    let named = |envelope: &Envelope, name: &ToolName| {
        let mut tools = envelope.tools.iter();
        tools.any(|tool| tool.name == *name)
    };
    let gone = |name: &ToolName| catalogue.get(name.as_str()).is_none();
    let new = |name: &ToolName| !named(signed, name);
    for tool in now.tools.iter().filter(|tool| new(&tool.name)) {
        let tool = tool.name.clone();
        to.push(Drifted::New { tool });
    }
    let [was, is] = [signed, now].map(|envelope| by_name(envelope, |name| gone(name) || new(name)));
    let mut say = |at, signed: Option<&Value>, now: Option<&Value>| {
        let (signed, now) = (signed.cloned(), now.cloned());
        to.push(Drifted::Envelope { at, signed, now });
    };
    compare("", Some(&was), Some(&is), &mut say);
    // Not by name, such as another order: whatever the executors would see must be seen here.
    if to.is_empty() {
        let [signed, now] = [signed, now].map(|envelope| serde_json::to_value(envelope).ok());
        let at = String::new();
        to.push(Drifted::Envelope { at, signed, now });
    }
}

/// An envelope as JSON, its tools by name and without their digests, but for those that are `told` elsewhere.
fn by_name(envelope: &Envelope, told: impl Fn(&ToolName) -> bool) -> Value {
    let tools = envelope.tools.iter().filter(|tool| !told(&tool.name));
    let tools = tools.map(|tool| {
        let said = serde_json::json!({"ask": tool.ask, "calls": tool.calls});
        (tool.name.to_string(), said)
    });
    let tools: Map<String, Value> = tools.collect();
    let mut whole = serde_json::to_value(envelope).unwrap_or_default();
    if let Value::Object(fields) = &mut whole {
        fields.insert("tools".to_owned(), tools.into());
    }
    whole
}

/// Names each place at which two values differ, as deep as both have it. Lists are compared item by item if they are
/// of one length, and otherwise as a whole.
fn compare(
    at: &str,
    was: Option<&Value>,
    is: Option<&Value>,
    say: &mut impl FnMut(String, Option<&Value>, Option<&Value>),
) {
    match (was, is) {
        (Some(Value::Object(was)), Some(Value::Object(is))) => {
            let keys: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
            for key in keys {
                let place = key.replace('~', "~0").replace('/', "~1");
                compare(&format!("{at}/{place}"), was.get(key), is.get(key), say);
            }
        }
        (Some(Value::Array(was)), Some(Value::Array(is))) if was.len() == is.len() => {
            for (place, (was, is)) in was.iter().zip(is).enumerate() {
                compare(&format!("{at}/{place}"), Some(was), Some(is), say);
            }
        }
        (was, is) => {
            if was.map(json::canonical) != is.map(json::canonical) {
                say(at.to_owned(), was, is);
            }
        }
    }
}

impl Drift {
    /// Each difference, in the order in which it is read.
    #[must_use]
    pub fn changes(&self) -> &[Drifted] {
        &self.changes
    }

    /// For people: a line for each difference.
    #[must_use]
    pub fn text(&self) -> String {
        let lines = self.changes.iter().map(Drifted::to_string);
        lines.collect::<Vec<_>>().join("\n")
    }

    /// For people: what differs, without how.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut each: Vec<String> = Vec::new();
        for change in &self.changes {
            let said = change.brief();
            if !each.contains(&said) {
                each.push(said);
            }
        }
        each.join(", ")
    }
}

impl Drifted {
    fn brief(&self) -> String {
        match self {
            Self::Tool { tool, .. } | Self::Unknown { tool, .. } => format!("`{tool}` has changed"),
            Self::Envelope { .. } => "what it allows at most has changed".to_owned(),
            Self::Catalogue { .. } => "the catalogue has changed".to_owned(),
            Self::Language { .. }
            | Self::Policy { .. }
            | Self::Gone { .. }
            | Self::New { .. }
            | Self::Unreadable { .. } => self.to_string(),
        }
    }
}

impl fmt::Display for Drifted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Language { signed, now } => write!(
                f,
                "it was signed for version {signed} of the contract language, and this policy reads version {now}"
            ),
            Self::Policy { signed, now } => write!(
                f,
                "it was signed with version {signed}, and this policy is the older {now}: start the newer one again"
            ),
            Self::Gone { tool } => write!(f, "`{tool}` is gone"),
            Self::New { tool } => write!(f, "`{tool}` is new"),
            Self::Tool {
                tool,
                at,
                signed,
                now,
            } => write!(f, "`{tool}` {}: {}", escaped(at), Both(signed, now)),
            Self::Unknown { tool, signed, now } => write!(
                f,
                "`{tool}` has changed, and what was signed of it was erased or is not it: its digest was {signed}, is {now}"
            ),
            Self::Envelope { at, signed, now } => write!(
                f,
                "what it allows at most, {}: {}",
                escaped(at),
                Both(signed, now)
            ),
            Self::Unreadable { why } => write!(f, "it cannot be read: {why}"),
            Self::Catalogue { signed, now } => {
                write!(f, "the whole catalogue: its digest was {signed}, is {now}")
            }
        }
    }
}

/// A value that was signed, and what is in its place.
struct Both<'a>(&'a Option<Value>, &'a Option<Value>);

impl fmt::Display for Both<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |value: &Value| escaped(&value.to_string());
        match (self.0, self.1) {
            (Some(was), Some(is)) => write!(f, "was {}, is {}", shown(was), shown(is)),
            (Some(was), None) => write!(f, "was {}, is not there", shown(was)),
            (None, Some(is)) => write!(f, "was not there, is {}", shown(is)),
            (None, None) => f.write_str("is not there"),
        }
    }
}
