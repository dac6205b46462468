//! Holds the facts about tools that contracts are written and calls are judged against.

use std::collections::BTreeMap;

use bus_schema::{Digest, ToolName};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::bound::matching::{CallContext, Match};
use crate::cedar::Condition;
use crate::json;
use crate::labels::{Labels, WrittenLabels};
use crate::schema::Arguments;

/// Longest catalogue, in bytes.
pub(crate) const CATALOGUE_BYTES_MAX: usize = 1 << 20;
/// Most entries of what the calls of one tool do.
const EFFECTS_MAX: usize = 32;
/// Most tools of a catalogue.
const TOOLS_MAX: usize = 1000;

/// What a tool does to the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// Changes nothing.
    Read,
    /// Changes something that belongs to the owner.
    Write,
    /// Lets something leave the owner's reach.
    Outward,
}

/// How bad it is when a call of a tool goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Risk {
    /// Easily put right.
    Low,
    /// Costs somebody work.
    Medium,
    /// Cannot be undone, or moves money.
    High,
}

/// What the calls of a tool do to the world.
#[derive(Debug, PartialEq)]
pub struct Effects {
    /// What calls do on which one of these conditions holds: the first that does counts.
    pub some: Vec<(Condition, Effect)>,
    /// What all other calls do.
    pub other: Effect,
}

impl Effects {
    /// The most outward of them.
    #[must_use]
    pub fn most(&self) -> Effect {
        let some = self.some.iter().map(|(_, effect)| *effect);
        some.fold(self.other, Effect::max)
    }

    /// What one call does; the most outward of all if a condition cannot tell.
    fn of(&self, around: &CallContext<'_>) -> Effect {
        for (when, effect) in &self.some {
            match when.judge(around) {
                Match::Yes => return *effect,
                Match::No => {}
                Match::Unknown => return self.most(),
            }
        }
        self.other
    }
}

/// One tool of the catalogue.
#[derive(Debug)]
pub struct Tool {
    entry: Entry,
    written: Value,
    effects: Effects,
    arguments: Arguments,
    digest: Digest,
}

/// A tool as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: ToolName,
    description: String,
    input_schema: Value,
    effect: WrittenEffects,
    output: WrittenLabels,
    risk: Option<Risk>,
    idempotent: Option<bool>,
    exec: Option<Map<String, Value>>,
}

#[derive(Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "`effect` is \"read\", \"write\" or \"outward\", or a list of them with conditions"
)]
enum WrittenEffects {
    Word(Effect),
    Cases(Vec<WrittenEffect>),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenEffect {
    when: Option<String>,
    effect: Effect,
}

impl Tool {
    /// The name, unique in the catalogue.
    #[must_use]
    pub fn name(&self) -> &ToolName {
        &self.entry.name
    }

    /// What the tool is for, in words for people and models.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.entry.description
    }

    /// The JSON Schema of the arguments as it is written in the catalogue.
    #[must_use]
    pub fn input_schema(&self) -> &Value {
        &self.entry.input_schema
    }

    /// What calls of the tool do to the world.
    #[must_use]
    pub fn effects(&self) -> &Effects {
        &self.effects
    }

    /// What one call of the tool does.
    pub(crate) fn effect_of(&self, around: &CallContext<'_>) -> Effect {
        self.effects.of(around)
    }

    /// The labels of what the tool returns; a bare word in the catalogue means `private`.
    #[must_use]
    pub fn output(&self) -> Labels {
        self.entry.output.into()
    }

    /// How bad it is when a call goes wrong, if the catalogue says so.
    #[must_use]
    pub fn risk(&self) -> Option<Risk> {
        self.entry.risk
    }

    /// Whether a call may move money, as far as the catalogue says: it lets something leave, or is of high risk.
    pub(crate) fn may_move_money(&self) -> bool {
        self.effects.most() == Effect::Outward || self.risk() == Some(Risk::High)
    }

    /// Whether doing it twice is doing it once, if the catalogue says so.
    #[must_use]
    pub fn idempotent(&self) -> Option<bool> {
        self.entry.idempotent
    }

    /// After how many milliseconds the tool ends by its own limits; without one, never.
    #[must_use]
    pub fn wall_ms_max(&self) -> u64 {
        let limits = self.exec().and_then(|exec| exec.get("limits"));
        let wall_ms = limits.and_then(|limits| limits.get("wall_ms"));
        wall_ms.and_then(Value::as_u64).unwrap_or(u64::MAX)
    }

    /// How the runner executes the tool; `None` for tools that are built in.
    #[must_use]
    pub fn exec(&self) -> Option<&Map<String, Value>> {
        self.entry.exec.as_ref()
    }

    /// SHA-256 of the canonical JSON of everything the catalogue says of the tool.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Everything that the catalogue says of the tool, as it is written.
    pub(crate) fn entry(&self) -> &Value {
        &self.written
    }

    pub(crate) fn arguments(&self) -> &Arguments {
        &self.arguments
    }
}

/// Why a catalogue is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CatalogueError {
    /// The text is not strict JSON.
    #[error(transparent)]
    Json(#[from] json::Error),
    /// The top level is no array, or has too many entries.
    #[error("a catalogue is a JSON array of at most {TOOLS_MAX} tools; write it so")]
    NoList,
    /// An entry lacks a field, has an unknown one, or one of another type.
    #[error("tool {place} of the catalogue cannot be read: {problem}; correct that entry")]
    Entry {
        /// Place in the array, from 1.
        place: usize,
        /// What is wrong.
        problem: String,
    },
    /// Two tools have one name, or names that differ in upper and lower case alone.
    #[error("the catalogue has `{name}` twice; rename one of them")]
    Twice {
        /// The later name.
        name: ToolName,
    },
    /// The schema of the arguments cannot be used.
    #[error("the input schema of `{name}` is refused: {problem}")]
    Schema {
        /// The tool.
        name: ToolName,
        /// What is wrong and what to do.
        problem: String,
    },
}

/// All tools there are.
#[derive(Debug)]
pub struct Catalogue {
    tools: BTreeMap<String, Tool>,
    digest: Digest,
}

impl Catalogue {
    /// Parses a JSON array of tools of at most 1 MiB.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn parse(text: &[u8]) -> Result<Self, CatalogueError> {
        let whole = json::parse(text, CATALOGUE_BYTES_MAX)?;
        let digest = Digest::of(&[&json::canonical(&whole)]);
        let Value::Array(entries) = whole else {
            return Err(CatalogueError::NoList);
        };
        if entries.len() > TOOLS_MAX {
            return Err(CatalogueError::NoList);
        }
        let mut tools = BTreeMap::new();
        for (at, written) in entries.into_iter().enumerate() {
            let tool = tool(at + 1, written)?;
            let same = |name: &String| name.eq_ignore_ascii_case(tool.name().as_str());
            if tools.keys().any(same) {
                return Err(CatalogueError::Twice {
                    name: tool.entry.name,
                });
            }
            tools.insert(tool.name().to_string(), tool);
        }
        Ok(Self { tools, digest })
    }

    /// The tool of exactly this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Tool> {
        self.tools.get(name)
    }

    /// All tools, sorted by name.
    pub fn tools(&self) -> impl Iterator<Item = &Tool> {
        self.tools.values()
    }

    /// SHA-256 of the canonical JSON of the whole array.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

fn tool(place: usize, written: Value) -> Result<Tool, CatalogueError> {
    let digest = Digest::of(&[&json::canonical(&written)]);
    let entry = Entry::deserialize(&written).map_err(|error| CatalogueError::Entry {
        place,
        problem: error.to_string(),
    })?;
    if entry.name.as_str().split('.').any(str::is_empty) {
        let problem = format!("`{}` has an empty part between dots", entry.name);
        return Err(CatalogueError::Entry { place, problem });
    }
    let arguments =
        Arguments::new(&entry.input_schema).map_err(|problem| CatalogueError::Schema {
            name: entry.name.clone(),
            problem,
        })?;
    let effects = effects(&entry.effect, &arguments).map_err(|problem| CatalogueError::Entry {
        place,
        problem: format!("the effect of `{}`: {problem}", entry.name),
    })?;
    Ok(Tool {
        entry,
        written,
        effects,
        arguments,
        digest,
    })
}

/// Reads what calls of a tool do: one word, or cases of which the last has no condition.
fn effects(written: &WrittenEffects, arguments: &Arguments) -> Result<Effects, String> {
    let cases = match written {
        WrittenEffects::Word(effect) => {
            return Ok(Effects {
                some: Vec::new(),
                other: *effect,
            });
        }
        WrittenEffects::Cases(cases) => cases,
    };
    let Some((last, some)) = cases.split_last().filter(|(last, _)| last.when.is_none()) else {
        return Err("the last entry says what all other calls do, without `when`".to_owned());
    };
    if some.len() >= EFFECTS_MAX {
        return Err(format!("there are more than {EFFECTS_MAX} entries"));
    }
    let some = some.iter().map(|case| {
        let when = case.when.as_deref();
        let when = when.ok_or("only the last entry has no `when`")?;
        let condition = Condition::of_arguments(when, arguments);
        let condition =
            condition.map_err(|error| format!("in {when:?} at byte {}: {error}", error.at()))?;
        Ok((condition, case.effect))
    });
    Ok(Effects {
        some: some.collect::<Result<_, String>>()?,
        other: last.effect,
    })
}
