//! Reads a playbook document strictly and reports every error with its place.

use bus_schema::{StepName, ToolName};
use diagnostic::{Diagnostic, Diagnostics, nearest};
use std::collections::BTreeMap;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::roots::{Heading, heading, root};
use super::{
    Arg, OnRefusal, Otherwise, PLAYBOOK_BYTES_MAX, PURPOSE_CHARS_MAX, Playbook, RETRIES_MAX, SLUG,
    STEP_ID, STEPS_MAX, Step, TOOL_NAME, is_slug, is_step_id,
};
use crate::reference::{Piece, Reference, pieces};
use bus_schema::json::{DEPTH_MAX, INTEGER_MAX};

const TOP_KEYS: &[&str] = &["playbook", "purpose", "step"];
const STEP_KEYS: &[&str] = &[
    "id",
    "tool",
    "args",
    "for_each",
    "parallel",
    "on_refusal",
    "on_failure",
    "on_unknown",
];

/// Largest number of reported problems: each costs a pass over the text.
const FOUND_MAX: usize = 200;

type Value<'a> = Spanned<DeValue<'a>>;

impl Playbook {
    /// Reads a playbook; `file` is the name that diagnostics give it.
    ///
    /// # Errors
    /// Every problem found, each with its place and its fix: text that is not TOML, unknown or
    /// missing keys, wrong types, duplicate ids, references to later or unknown steps, and
    /// documents beyond the bounds of this crate.
    pub fn parse(file: &str, text: &str) -> Result<Self, Diagnostics> {
        if text.len() > PLAYBOOK_BYTES_MAX {
            let problem = format!(
                "the playbook has {} bytes; at most {PLAYBOOK_BYTES_MAX} are allowed",
                text.len()
            );
            return Err(Diagnostic::at(file, text, 0..0, problem, "split it into several").into());
        }
        let table = DeTable::parse(text).map_err(|error| not_toml(file, text, &error))?;
        let mut reader = Reader {
            file,
            text,
            found: Vec::new(),
            earlier: Vec::new(),
            later: Vec::new(),
        };
        let parts = reader.document(&table);
        Diagnostics::none_in(reader.found)?;
        let fix = "add what is missing";
        let incomplete = || Diagnostic::at(file, text, 0..0, "the playbook is incomplete", fix);
        let (name, purpose, steps) = parts.ok_or_else(incomplete)?;
        Ok(Self {
            source: text.into(),
            name,
            purpose,
            steps,
        })
    }
}

/// Reports invalid TOML with its place. The parser gives no place for a key of too many parts, so
/// this finds the first line that holds one.
fn not_toml(file: &str, text: &str, error: &toml::de::Error) -> Diagnostic {
    if !error.message().contains("recurs") {
        let fix = "correct the TOML at the marked place";
        return Diagnostic::from_toml(file, text, error, fix);
    }
    let span = error.span().unwrap_or_else(|| {
        let mut start = 0;
        for line in text.split_inclusive('\n') {
            let key = line.split('=').next().unwrap_or_default();
            if key.matches('.').count() > DEPTH_MAX {
                return start..start + key.trim_end().len();
            }
            start += line.len();
        }
        0..0
    });
    let problem = format!("the playbook nests deeper than {DEPTH_MAX} levels");
    Diagnostic::at(file, text, span, problem, "flatten it")
}

struct Reader<'a> {
    file: &'a str,
    text: &'a str,
    found: Vec<Diagnostic>,
    earlier: Vec<Heading>,
    later: Vec<Heading>,
}

impl Reader<'_> {
    /// Records a problem; returns `None` so that callers can return it.
    fn wrong<T>(
        &mut self,
        span: Range<usize>,
        problem: impl Into<String>,
        fix: impl Into<String>,
    ) -> Option<T> {
        if self.found.len() < FOUND_MAX {
            let found = Diagnostic::at(self.file, self.text, span, problem, fix);
            self.found.push(found);
        }
        None
    }

    fn document(&mut self, table: &Spanned<DeTable<'_>>) -> Option<(String, String, Vec<Step>)> {
        self.keys(table.get_ref(), TOP_KEYS, "a playbook");
        let top = table.get_ref();
        let name = self.required(top, 0..0, "playbook", "the playbook");
        let name = name.and_then(|v| self.checked(v, "playbook", is_slug, SLUG));
        let purpose = self.required(top, 0..0, "purpose", "the playbook");
        let purpose = purpose.and_then(|v| self.purpose(v));
        let steps = match top.get("step") {
            None => self.wrong(0..0, "the playbook has no steps", "add a `[[step]]`"),
            Some(value) => self.steps(value),
        };
        Some((name?, purpose?, steps?))
    }

    fn purpose(&mut self, value: &Value<'_>) -> Option<String> {
        let fits = |text: &str| {
            !text.trim().is_empty()
                && text.chars().count() <= PURPOSE_CHARS_MAX
                && !text.chars().any(|c| c.is_control() && c != '\n')
        };
        let fix = format!("say in 1 to {PURPOSE_CHARS_MAX} printable characters what it is for");
        self.checked(value, "purpose", fits, &fix)
    }

    fn steps(&mut self, value: &Value<'_>) -> Option<Vec<Step>> {
        let tables = value.get_ref().as_array().and_then(|list| {
            let tables = list
                .iter()
                .map(|one| Some((one.get_ref().as_table()?, one.span())));
            tables.collect::<Option<Vec<_>>>()
        });
        let Some(tables) = tables else {
            return self.wrong(
                value.span(),
                "`step` is not a list of tables",
                "write `[[step]]`",
            );
        };
        if tables.is_empty() {
            return self.wrong(
                value.span(),
                "the playbook has no steps",
                "add a `[[step]]`",
            );
        }
        if let Some((_, span)) = tables.get(STEPS_MAX) {
            let problem = format!("{} steps; at most {STEPS_MAX} are allowed", tables.len());
            return self.wrong(span.clone(), problem, "split the playbook into several");
        }
        self.later = tables
            .iter()
            .rev()
            .map(|(table, _)| heading(table))
            .collect();
        let mut steps = Vec::new();
        for (table, span) in &tables {
            let step = self.step(table, span.clone());
            steps.extend(step);
            let own = self.later.pop()?;
            self.earlier.push(own);
        }
        (steps.len() == tables.len()).then_some(steps)
    }

    fn step(&mut self, table: &DeTable<'_>, span: Range<usize>) -> Option<Step> {
        self.keys(table, STEP_KEYS, "a step");
        let id = self.required(table, span.clone(), "id", "the step");
        let id = id.and_then(|value| self.id(value));
        let tool = self.required(table, span, "tool", "the step");
        let tool = tool.and_then(|value| {
            let text = self.string(value, "tool")?;
            text.parse::<ToolName>().ok().or_else(|| {
                let problem = format!("`{text}` is not a tool name");
                self.wrong(value.span(), problem, TOOL_NAME)
            })
        });
        let for_each = table.get("for_each").map(|value| self.for_each(value));
        let args = match table.get("args") {
            None => Some(BTreeMap::new()),
            Some(value) => self.args(value, for_each.is_some()),
        };
        let parallel = match table.get("parallel") {
            None => Some(false),
            Some(value) => self.parallel(value, for_each.is_some()),
        };
        let on_refusal = match table.get("on_refusal") {
            None => Some(OnRefusal::Stop),
            Some(value) => self.on_refusal(value),
        };
        let on_failure = self.otherwise(table, "on_failure");
        let on_unknown = self.otherwise(table, "on_unknown");
        Some(Step {
            id: id?,
            tool: tool?,
            args: args?,
            for_each: match for_each {
                None => None,
                Some(reference) => Some(reference?),
            },
            parallel: parallel?,
            on_refusal: on_refusal?,
            on_failure: on_failure?,
            on_unknown: on_unknown?,
        })
    }

    fn id(&mut self, value: &Value<'_>) -> Option<StepName> {
        let text = self.string(value, "id")?;
        if self.earlier.iter().any(|step| step.id == text) {
            let problem = format!("another step has the id `{text}`");
            return self.wrong(value.span(), problem, "give each step an id of its own");
        }
        let name = is_step_id(&text).then(|| text.parse::<StepName>().ok());
        name.flatten().or_else(|| {
            let problem = format!("`{text}` is not a step id");
            self.wrong(value.span(), problem, STEP_ID)
        })
    }

    fn for_each(&mut self, value: &Value<'_>) -> Option<Reference> {
        let text = self.string(value, "for_each")?;
        let mut found = self.pieces(value, &text, false)?.into_iter();
        match (found.next(), found.next()) {
            (Some(Piece::Reference(reference)), None) => Some(reference),
            _ => self.wrong(
                value.span(),
                "`for_each` is not one reference and nothing else",
                "write a reference to a list, such as `{list.files}`",
            ),
        }
    }

    fn parallel(&mut self, value: &Value<'_>, has_items: bool) -> Option<bool> {
        let Some(parallel) = value.get_ref().as_bool() else {
            return self.wrong_type(value, "parallel", "true or false");
        };
        if parallel && !has_items {
            let problem = "`parallel` says nothing about a step without `for_each`";
            return self.wrong(value.span(), problem, "remove it, or add `for_each`");
        }
        Some(parallel)
    }

    fn on_refusal(&mut self, value: &Value<'_>) -> Option<OnRefusal> {
        match value.get_ref().as_str() {
            Some("stop") => Some(OnRefusal::Stop),
            Some("continue") => Some(OnRefusal::Continue),
            Some(_) | None => self.wrong(
                value.span(),
                "`on_refusal` is neither \"stop\" nor \"continue\"",
                "write one of the two; what was refused once is refused again, so there is no retry",
            ),
        }
    }

    fn otherwise(&mut self, table: &DeTable<'_>, key: &str) -> Option<Otherwise> {
        let Some(value) = table.get(key) else {
            return Some(Otherwise::Stop);
        };
        match value.get_ref().as_str() {
            Some("stop") => return Some(Otherwise::Stop),
            Some("continue") => return Some(Otherwise::Continue),
            Some(_) | None => {}
        }
        let retry = value.get_ref().as_table().filter(|table| table.len() == 1);
        let retry = retry.and_then(|table| table.get("retry"));
        let retries = retry
            .and_then(|times| integer(times.get_ref()))
            .and_then(|times| u8::try_from(times).ok())
            .filter(|times| (1..=RETRIES_MAX).contains(times));
        match retries {
            Some(times) => Some(Otherwise::Retry(times)),
            None => self.wrong(
                retry.map_or(value.span(), Spanned::span),
                format!("`{key}` is none of the things it can be"),
                format!(
                    "write \"stop\", \"continue\" or {{ retry = 1 }}, with 1 to {RETRIES_MAX} retries"
                ),
            ),
        }
    }

    fn args(&mut self, value: &Value<'_>, has_items: bool) -> Option<BTreeMap<String, Arg>> {
        if !value.get_ref().is_table() {
            return self.wrong_type(value, "args", "a table");
        }
        match self.arg(value, has_items, DEPTH_MAX)? {
            Arg::Table(args) => Some(args),
            Arg::Bool(_) | Arg::Integer(_) | Arg::Float(_) | Arg::Text(_) | Arg::List(_) => None,
        }
    }

    fn arg(&mut self, value: &Value<'_>, has_items: bool, levels: usize) -> Option<Arg> {
        let nests = value.get_ref().is_table() || value.get_ref().is_array();
        if nests && levels == 0 {
            let problem = format!("the arguments nest deeper than {DEPTH_MAX} levels");
            return self.wrong(value.span(), problem, "flatten them");
        }
        match value.get_ref() {
            DeValue::String(text) => self.pieces(value, text, has_items).map(Arg::Text),
            DeValue::Boolean(value) => Some(Arg::Bool(*value)),
            DeValue::Integer(_) => match integer(value.get_ref()) {
                Some(number) => Some(Arg::Integer(number)),
                None => self.wrong(
                    value.span(),
                    "the integer is beyond 2^53 - 1, which JSON readers disagree about",
                    "write it as a string",
                ),
            },
            DeValue::Float(float) => match float.as_str().parse::<f64>() {
                Ok(number) if number.is_finite() => Some(Arg::Float(number)),
                Ok(_) | Err(_) => self.wrong(
                    value.span(),
                    "JSON cannot say this number",
                    "write a finite one",
                ),
            },
            DeValue::Datetime(_) => self.wrong(
                value.span(),
                "JSON has no dates",
                "write it as a string, in quotes",
            ),
            DeValue::Array(list) => {
                let items = list.iter().map(|one| self.arg(one, has_items, levels - 1));
                let items = items.collect::<Vec<_>>().into_iter().collect::<Option<_>>();
                items.map(Arg::List)
            }
            DeValue::Table(table) => {
                let named = |(key, one): (&Spanned<_>, _)| {
                    let key: &std::borrow::Cow<'_, str> = key.get_ref();
                    Some((key.to_string(), self.arg(one, has_items, levels - 1)?))
                };
                let fields = table.iter().map(named).collect::<Vec<_>>();
                fields.into_iter().collect::<Option<_>>().map(Arg::Table)
            }
        }
    }

    /// Reads the references in `text`, the decoded `value`.
    fn pieces(&mut self, value: &Value<'_>, text: &str, has_items: bool) -> Option<Vec<Piece>> {
        match pieces(text, &|name, path| {
            root((&self.earlier, &self.later), name, path, has_items)
        }) {
            Ok(pieces) => Some(pieces),
            Err(wrong) => {
                let span = value.span();
                let raw = self.text.get(span.clone()).unwrap_or_default();
                let place = match raw.find(text) {
                    Some(from) => {
                        let start = span.start + from;
                        start + wrong.at.start..start + wrong.at.end
                    }
                    None => span,
                };
                self.wrong(place, wrong.problem, wrong.fix)
            }
        }
    }

    fn keys(&mut self, table: &DeTable<'_>, known: &[&str], what: &str) {
        for key in table.keys() {
            if known.contains(&key.get_ref().as_ref()) {
                continue;
            }
            let fix = match nearest(key.get_ref(), known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("remove it; the keys are {}", known.join(", ")),
            };
            let problem = format!("{what} has no key `{}`", key.get_ref());
            let _: Option<()> = self.wrong(key.span(), problem, fix);
        }
    }

    fn required<'t, 'i>(
        &mut self,
        table: &'t DeTable<'i>,
        span: Range<usize>,
        key: &str,
        what: &str,
    ) -> Option<&'t Value<'i>> {
        table.get(key).or_else(|| {
            self.wrong(
                span,
                format!("{what} has no `{key}`"),
                format!("add `{key}`"),
            )
        })
    }

    fn checked(
        &mut self,
        value: &Value<'_>,
        key: &str,
        fits: impl Fn(&str) -> bool,
        fix: &str,
    ) -> Option<String> {
        let text = self.string(value, key)?;
        if fits(&text) {
            return Some(text);
        }
        self.wrong(value.span(), format!("`{key}` is not what it must be"), fix)
    }

    fn string(&mut self, value: &Value<'_>, key: &str) -> Option<String> {
        match value.get_ref().as_str() {
            Some(text) => Some(text.into()),
            None => self.wrong_type(value, key, "a string"),
        }
    }

    fn wrong_type<T>(&mut self, value: &Value<'_>, key: &str, wanted: &str) -> Option<T> {
        let found = value.get_ref().type_str();
        let vowel = found.starts_with(['a', 'i']);
        let n = if vowel { "n" } else { "" };
        let problem = format!("`{key}` is a{n} {found}, not {wanted}");
        self.wrong(value.span(), problem, format!("write {wanted}"))
    }
}

/// Returns an integer that JSON can represent exactly.
fn integer(value: &DeValue<'_>) -> Option<i64> {
    let number = value.as_integer()?;
    let number = i64::from_str_radix(number.as_str(), number.radix()).ok()?;
    let exact = -INTEGER_MAX..=INTEGER_MAX;
    exact.contains(&number).then_some(number)
}
