//! The catalogue: the facts about tools that contracts and calls are checked against.

mod effects;
mod executed;

use std::collections::BTreeMap;
use std::sync::Arc;

use bus_schema::{CONTENT_BYTES_MAX, Digest, ToolName};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::bound::matching::CallContext;
use crate::catalogue_error::{CatalogueError, TOOLS_MAX};
use crate::cedar::Condition;
use crate::http::HttpTool;
use crate::labels::{Integrity, Labels, OutputLabels, WrittenOutput};
use crate::schema::Arguments;
use crate::schema::output::OutputSchema;
use bus_schema::json;

pub use self::effects::{Effect, Effects};

/// Maximum length of a catalogue, in bytes: that of a content, in which the owner signs it.
pub const CATALOGUE_BYTES_MAX: usize = CONTENT_BYTES_MAX;
/// Some editors begin a file with it; it is no part of the text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// Maximum number of conditional effects of one tool.
const EFFECTS_MAX: usize = 32;

/// The damage if a call of a tool goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Risk {
    /// Easily repaired.
    Low,
    /// Needs work to repair.
    Medium,
    /// Cannot be undone, or moves money.
    High,
}

impl Risk {
    /// The word in the catalogue.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// One tool of the catalogue.
#[derive(Debug)]
pub struct Tool {
    entry: WrittenTool,
    written: Value,
    effects: Effects,
    arguments: Arguments,
    results: Option<OutputSchema>,
    output: OutputLabels,
    http: Option<HttpTool>,
    digest: Digest,
}

/// A tool entry as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenTool {
    name: ToolName,
    description: String,
    input_schema: Value,
    effect: WrittenEffects,
    output: WrittenOutput,
    output_schema: Option<Value>,
    risk: Option<Risk>,
    idempotent: Option<bool>,
    exec: Option<Map<String, Value>>,
    mcp: Option<Map<String, Value>>,
    http: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "`effect` is \"read\", \"write\", \"tell\" or \"outward\", or a list of them with conditions"
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

    /// The description for people and models.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.entry.description
    }

    /// The JSON Schema of the arguments as written in the catalogue.
    #[must_use]
    pub fn input_schema(&self) -> &Value {
        &self.entry.input_schema
    }

    /// The names of the arguments that every call needs, as the schema has them.
    pub fn required(&self) -> impl Iterator<Item = &str> {
        let names = self.entry.input_schema.get("required");
        let names = names.and_then(Value::as_array).into_iter().flatten();
        names.filter_map(Value::as_str)
    }

    /// The effects of calls of the tool.
    #[must_use]
    pub fn effects(&self) -> &Effects {
        &self.effects
    }

    /// Returns the effect of one call of the tool.
    pub(crate) fn effect_of(&self, context: &CallContext<'_>) -> Effect {
        self.effects.of(context)
    }

    /// The labels of the output; a single word in the catalogue implies `private`.
    #[must_use]
    pub fn output(&self) -> Labels {
        self.output.labels
    }

    /// The labels of the output and of single fields of it.
    #[must_use]
    pub fn output_labels(&self) -> &OutputLabels {
        &self.output
    }

    /// Returns true if this field of the output is labelled as trusted.
    pub(crate) fn trusts(&self, field: &str) -> bool {
        self.output.trusted.contains(field)
    }

    /// The schema of the results, if given.
    pub(crate) fn output_schema(&self) -> Option<&OutputSchema> {
        self.results.as_ref()
    }

    /// Returns true if the catalogue states a schema of the results, and this result has it; also true without a schema.
    /// A text of a JSON object or list is read as what it contains.
    #[must_use]
    pub fn takes_result(&self, result: &Value) -> bool {
        self.results
            .as_ref()
            .is_none_or(|schema| schema.takes(result))
    }

    /// The damage if a call goes wrong; high if the entry of a tool that may change or send something omits it, and
    /// `None` only for a tool that reads.
    #[must_use]
    pub fn risk(&self) -> Option<Risk> {
        let omitted = || (self.effects.most() != Effect::Read).then_some(Risk::High);
        self.entry.risk.or_else(omitted)
    }

    /// The damage if a call goes wrong, as the entry says it.
    #[must_use]
    pub fn written_risk(&self) -> Option<Risk> {
        self.entry.risk
    }

    /// Returns true if a call may move money according to the catalogue: something leaves, or it is of high risk.
    pub(crate) fn may_move_money(&self) -> bool {
        self.effects.most().leaves() || self.risk() == Some(Risk::High)
    }

    /// Returns true if damage of a call needs work to repair, or cannot be undone, according to the catalogue.
    pub(crate) fn is_hard_to_undo(&self) -> bool {
        matches!(self.risk(), Some(Risk::Medium | Risk::High))
    }

    /// Returns true if a call may let something leave, or be hard to undo.
    pub(crate) fn is_guarded(&self) -> bool {
        match self.effects.most() {
            Effect::Tell | Effect::Outward => true,
            Effect::Write => self.is_hard_to_undo(),
            Effect::Read => false,
        }
    }

    /// Returns true if the tool is idempotent; `None` if the catalogue does not state it.
    #[must_use]
    pub fn idempotent(&self) -> Option<bool> {
        self.entry.idempotent
    }

    /// The SHA-256 digest of the canonical JSON of the tool's entry.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The whole entry of the tool as written.
    #[must_use]
    pub fn entry(&self) -> &Value {
        &self.written
    }

    pub(crate) fn arguments(&self) -> &Arguments {
        &self.arguments
    }
}

/// The set of all tools.
#[derive(Debug)]
pub struct Catalogue {
    tools: BTreeMap<String, Tool>,
    digest: Digest,
}

impl Catalogue {
    /// Parses a JSON array of tools of at most 4 MiB.
    ///
    /// # Errors
    /// The first problem.
    pub fn parse(text: &[u8]) -> Result<Self, CatalogueError> {
        let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
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

    /// Parses the document that the owner signed: the canonical JSON of a catalogue.
    ///
    /// # Errors
    /// The first problem.
    pub fn parse_signed(document: &[u8]) -> Result<Self, CatalogueError> {
        json::parse_canonical(document, CATALOGUE_BYTES_MAX)?;
        Self::parse(document)
    }

    /// Returns the document that the owner signs for this text: its canonical JSON, with the catalogue.
    ///
    /// # Errors
    /// The first problem.
    pub fn document(text: &[u8]) -> Result<(Vec<u8>, Self), CatalogueError> {
        let catalogue = Self::parse(text)?;
        let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        let document = json::canonical(&json::parse(text, CATALOGUE_BYTES_MAX)?);
        Ok((document, catalogue))
    }

    /// The tool of exactly this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Tool> {
        self.tools.get(name)
    }

    /// Returns the tools, sorted by name.
    pub fn into_tools(self) -> impl Iterator<Item = Tool> {
        self.tools.into_values()
    }

    /// All tools, sorted by name.
    pub fn tools(&self) -> impl Iterator<Item = &Tool> {
        self.tools.values()
    }

    /// The SHA-256 digest of the canonical JSON of the whole array.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

fn tool(place: usize, written: Value) -> Result<Tool, CatalogueError> {
    let digest = Digest::of(&[&json::canonical(&written)]);
    let entry =
        WrittenTool::deserialize(&written).map_err(|error| CatalogueError::WrittenTool {
            place,
            problem: error.to_string(),
        })?;
    let wrong = |problem| Err(CatalogueError::WrittenTool { place, problem });
    let kinds = [
        ("exec", entry.exec.is_some()),
        ("mcp", entry.mcp.is_some()),
        ("http", entry.http.is_some()),
    ];
    let mut kinds = kinds.iter().filter(|(_, is_there)| *is_there);
    if let (Some((one, _)), Some((other, _))) = (kinds.next(), kinds.next()) {
        return wrong(format!(
            "`{}` has `{one}` and `{other}`; keep the one that executes it",
            entry.name
        ));
    }
    if entry.name.as_str().split('.').any(str::is_empty) {
        let problem = format!("`{}` has an empty part between dots", entry.name);
        return Err(CatalogueError::WrittenTool { place, problem });
    }
    let arguments =
        Arguments::new(&entry.input_schema).map_err(|problem| CatalogueError::Schema {
            name: entry.name.clone(),
            problem,
        })?;
    let effects =
        effects(&entry.effect, &arguments).map_err(|problem| CatalogueError::WrittenTool {
            place,
            problem: format!("the effect of `{}`: {problem}", entry.name),
        })?;
    let results = entry
        .output_schema
        .as_ref()
        .map(OutputSchema::new)
        .transpose();
    let results = results.map_err(|problem| CatalogueError::WrittenTool {
        place,
        problem: format!("the output schema of `{}`: {problem}", entry.name),
    })?;
    let output =
        output(&entry).map_err(|problem| CatalogueError::WrittenTool { place, problem })?;
    let tells = !effects.include(Effect::Outward) && effects.include(Effect::Tell);
    let http = entry.http.as_ref().map(|http| HttpTool::read(http, tells));
    let http = http.transpose();
    let http = match http {
        Ok(http) => http,
        Err(problem) => return wrong(format!("`http` of `{}`: {problem}", entry.name)),
    };
    if let Some(problem) = http.as_ref().and_then(|http| sends(http, &effects)) {
        return wrong(format!("the effect of `{}`: {problem}", entry.name));
    }
    if http.is_none() && effects.include(Effect::Tell) {
        return wrong(format!(
            "the effect of `{}`: \"tell\" is for tools with `http`, whose host the contract names; write \"outward\"",
            entry.name
        ));
    }
    Ok(Tool {
        entry,
        written,
        effects,
        arguments,
        results,
        output,
        http,
        digest,
    })
}

/// Returns the problem of a tool that sends arguments to a host and claims that a call sends nothing, or that reads pages
/// and changes something.
fn sends(http: &HttpTool, effects: &Effects) -> Option<String> {
    if http.pages().is_some() && effects.change() {
        let fix = "write \"tell\", or \"read\" if it sends no argument";
        return Some(format!(
            "only calls that change nothing read `pages`; {fix}"
        ));
    }
    let (argument, _) = http.sent().into_iter().next()?;
    let hides = !effects.all_leave();
    hides.then(|| {
        format!(
            "it sends the argument `{argument}` to {}, and not all of its calls let something leave; write \"outward\", or \"tell\" if they change nothing there",
            http.endpoint()
        )
    })
}

/// Reads the labels of single fields; only an untrusted output with a schema can have trusted fields.
fn output(entry: &WrittenTool) -> Result<OutputLabels, String> {
    let labels = entry.output.labels();
    let fields = entry.output.fields();
    let odd = fields
        .iter()
        .find(|(_, integrity)| **integrity == Integrity::Untrusted);
    let problem = if let Some((field, _)) = odd {
        format!(
            "the output of `{}` labels `{field}` as untrusted; only \"trusted\" can be written there",
            entry.name
        )
    } else if !fields.is_empty() && labels.integrity == Integrity::Trusted {
        format!(
            "the output of `{}` is trusted as a whole; remove `fields`, or write \"untrusted\" for the rest",
            entry.name
        )
    } else if !fields.is_empty() && entry.output_schema.is_none() {
        format!(
            "the output of `{}` has labels of fields and no `output_schema`; add the schema of the results",
            entry.name
        )
    } else {
        let trusted = Arc::new(fields.keys().cloned().collect());
        return Ok(OutputLabels { labels, trusted });
    };
    Err(problem)
}

/// Reads the effects of a tool: one word, or a list of cases whose last has no condition.
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
        return Err("there is no last entry without `when` for all other calls".to_owned());
    };
    if some.len() >= EFFECTS_MAX {
        return Err(format!("there are more than {EFFECTS_MAX} entries"));
    }
    let some = some.iter().map(|case| {
        let when = case.when.as_deref();
        let when = when.ok_or("an entry before the last has no `when`")?;
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
