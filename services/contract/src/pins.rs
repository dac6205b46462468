//! Compares the signed context of a contract (language, program, tools, envelope) with the current one.

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

use crate::catalogue::{Catalogue, Tool};
use crate::contract::LANGUAGE;
use bus_schema::json;

/// This program's own version.
static OWN: LazyLock<Version> = LazyLock::new(|| {
    let version = env!("CARGO_PKG_VERSION").parse();
    version.expect("the package version is a version")
});

/// The place of the digests of a program's files, by path, in a tool's entry.
const FILES: &str = "/exec/sha256/";

/// The current reading of a contract.
#[derive(Debug, Clone, Copy)]
pub struct ReadNow<'a> {
    /// The current catalogue.
    pub catalogue: &'a Catalogue,
    /// The current envelope, or the reason that the contract is unreadable.
    pub envelope: Result<&'a Envelope, &'a str>,
}

/// The differences between the signed and the current context of a contract; never empty.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Drift {
    changes: Vec<Drifted>,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "of", rename_all = "snake_case")]
pub enum Drifted {
    /// The contract was signed for another version of the contract language.
    Language {
        /// The signed version.
        signed: u16,
        /// The current version.
        now: u16,
    },
    /// The contract was signed with a newer version of this program.
    Policy {
        /// The signed version.
        signed: Version,
        /// The current version.
        now: Version,
    },
    /// A tool is no longer in the catalogue.
    Gone {
        /// The tool.
        tool: ToolName,
    },
    /// The contract now covers a tool that it did not cover.
    New {
        /// The tool.
        tool: ToolName,
    },
    /// A field of a tool's catalogue entry has changed.
    Tool {
        /// The tool.
        tool: ToolName,
        /// The JSON pointer of the field.
        at: String,
        /// The signed value; `None` if the field did not exist.
        signed: Option<Value>,
        /// The current value; `None` if the field is gone.
        now: Option<Value>,
    },
    /// A tool has changed, and its signed entry is not available.
    Unknown {
        /// The tool.
        tool: ToolName,
        /// The signed digest.
        signed: Digest,
        /// The digest of the current entry.
        now: Digest,
    },
    /// A field of the envelope has changed; its tools are keyed by name.
    Envelope {
        /// The JSON pointer of the field.
        at: String,
        /// The signed value; `None` if the field did not exist.
        signed: Option<Value>,
        /// The current value; `None` if the field is gone.
        now: Option<Value>,
    },
    /// The contract is no longer readable.
    Unreadable {
        /// The reason.
        why: String,
    },
    /// The catalogue as a whole has changed. Listed only with another difference, because other tools do not affect
    /// the contract.
    Catalogue {
        /// The signed digest.
        signed: Digest,
        /// The current digest.
        now: Digest,
    },
}

/// Returns the current pins of a contract; `tools` is the stored content of [`entries`].
#[must_use]
pub fn pins(catalogue: &Catalogue, tools: Content) -> Pins {
    Pins {
        language: LANGUAGE,
        policy: OWN.clone(),
        catalogue: catalogue.digest(),
        tools,
    }
}

/// Returns the catalogue entries of the tools of an envelope: a JSON array, for [`Pins::tools`].
#[must_use]
pub fn entries(catalogue: &Catalogue, envelope: &Envelope) -> Vec<u8> {
    let names = envelope.tools.iter().map(|tool| tool.name.as_str());
    let tools = names.filter_map(|name| catalogue.get(name));
    json::canonical(&tools.map(|tool| tool.entry().clone()).collect())
}

/// Returns true if nothing relevant has changed since the contract was signed.
pub fn is_read_as_signed(pins: &Pins, envelope: &Envelope, now: Result<&Envelope, &str>) -> bool {
    pins.language == LANGUAGE && !is_newer(&pins.policy) && now == Ok(envelope)
}

/// Returns the differences from the signed context, if any. `tools` is the content at [`Pins::tools`], or `None` if
/// not available; only entries with a digest of the envelope count as signed.
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

/// Returns true if a version is newer than this program; incomparable versions count as newer.
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

/// Indexes catalogue entries by their digests; empty if `tools` is not a JSON array.
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
    entry_changes(&tool, was, now.entry(), to);
}

fn entry_changes(tool: &ToolName, was: &Value, now: &Value, to: &mut Vec<Drifted>) {
    compare("", Some(was), Some(now), &mut |at, signed, now| {
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

/// Returns the differences between two catalogues, sorted by tool.
#[must_use]
pub fn catalogue_changes(was: &Catalogue, now: &Catalogue) -> Vec<Drifted> {
    let names = was.tools().chain(now.tools()).map(Tool::name);
    let names: BTreeSet<&ToolName> = names.collect();
    let mut changes = Vec::new();
    for tool in names {
        match (was.get(tool.as_str()), now.get(tool.as_str())) {
            (Some(was), Some(now)) => entry_changes(tool, was.entry(), now.entry(), &mut changes),
            (Some(_), None) => changes.push(Drifted::Gone { tool: tool.clone() }),
            (None, _) => changes.push(Drifted::New { tool: tool.clone() }),
        }
    }
    changes
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
    // Differences that are invisible by name, such as the order, also reach the executors.
    if to.is_empty() {
        let [signed, now] = [signed, now].map(|envelope| serde_json::to_value(envelope).ok());
        let at = String::new();
        to.push(Drifted::Envelope { at, signed, now });
    }
}

/// Converts an envelope to JSON, with tools keyed by name and without digests; omits `told` tools, reported elsewhere.
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

/// Lists the places where two values differ, at the deepest common level. Lists of equal length are compared item by
/// item, others as a whole.
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
    /// The differences, in display order.
    #[must_use]
    pub fn changes(&self) -> &[Drifted] {
        &self.changes
    }

    /// Formats the differences for people, one line each.
    #[must_use]
    pub fn text(&self) -> String {
        let lines = self.changes.iter().map(Drifted::to_string);
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Formats the names of the differing parts for people, without values.
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
            } => match at.strip_prefix(FILES).map(|file| file.replace("~1", "/")) {
                Some(file) => {
                    let file = escaped(&file.replace("~0", "~"));
                    write!(f, "`{tool}` runs {file}, SHA-256: {}", Both(signed, now))
                }
                None => write!(f, "`{tool}` {}: {}", escaped(at), Both(signed, now)),
            },
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

/// A signed value and the current value.
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
