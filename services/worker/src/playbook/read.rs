//! Reads a playbook document strictly and reports every error with its place.

use bus_schema::{StepName, ToolName};
use diagnostic::{Diagnostic, Diagnostics};
use std::collections::BTreeMap;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::inputs::Inputs;
use super::reader::{Reader, Value, integer};
use super::together::headings;
use super::{
    Arg, OnRefusal, Otherwise, PLAYBOOK_BYTES_MAX, PURPOSE_CHARS_MAX, Playbook, SLUG, STEP_ID,
    STEPS_MAX, SUMMARY_CHARS_MAX, Step, TOOL_NAME, Work, is_slug, is_step_id,
};
use crate::limits::RETRIES_MAX;
use crate::reference::Piece;
use bus_schema::json::DEPTH_MAX;

const TOP_KEYS: &[&str] = &["playbook", "purpose", "input", "given", "step", "summary"];
const CALL_KEYS: &[&str] = &[
    "id",
    "tool",
    "args",
    "if",
    "unless",
    "for_each",
    "at_most",
    "repeat",
    "beside",
    "parallel",
    "on_refusal",
    "on_failure",
    "on_unknown",
    "otherwise",
];
const WAIT_KEYS: &[&str] = &["id", "wait", "if", "unless", "on_failure", "otherwise"];

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
            inputs: Inputs::default(),
            earlier: Vec::new(),
            later: Vec::new(),
        };
        let parts = reader.document(&table);
        Diagnostics::none_in(reader.found)?;
        let fix = "add what is missing";
        let incomplete = || Diagnostic::at(file, text, 0..0, "the playbook is incomplete", fix);
        let parts = parts.ok_or_else(incomplete)?;
        Ok(Self {
            source: text.into(),
            inputs: reader.inputs,
            ..parts
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

impl Reader<'_> {
    /// Reads a playbook, without its source and inputs.
    fn document(&mut self, table: &Spanned<DeTable<'_>>) -> Option<Playbook> {
        self.keys(table.get_ref(), TOP_KEYS, "a playbook");
        let top = table.get_ref();
        let name = self.required(top, 0..0, "playbook", "the playbook");
        let name = name.and_then(|v| self.checked(v, "playbook", is_slug, SLUG));
        let purpose = self.required(top, 0..0, "purpose", "the playbook");
        let purpose = purpose.and_then(|v| self.purpose(v));
        self.inputs(top, is_slug);
        let steps = match top.get("step") {
            None => self.wrong(0..0, "the playbook has no steps", "add a `[[step]]`"),
            Some(value) => self.steps(value),
        };
        let summary = match top.get("summary") {
            None => Some(None),
            Some(value) => self.summary(value).map(Some),
        };
        Some(Playbook {
            source: String::new(),
            name: name?,
            purpose: purpose?,
            inputs: Inputs::default(),
            steps: steps?,
            summary: summary?,
        })
    }

    /// Reads the summary, after all steps.
    fn summary(&mut self, value: &Value<'_>) -> Option<Vec<Piece>> {
        let fits = |text: &str| text.chars().count() <= SUMMARY_CHARS_MAX;
        let fix = format!("write at most {SUMMARY_CHARS_MAX} characters");
        let text = self.checked(value, "summary", fits, &fix)?;
        self.pieces(value, &text, false)
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
        self.later = headings(&tables);
        self.later.reverse();
        let mut steps = Vec::new();
        for (table, span) in &tables {
            let step = self.step(table, span.clone());
            steps.extend(step);
            let own = self.later.pop()?;
            self.earlier.push(own);
        }
        if steps.len() != tables.len() {
            return None;
        }
        let taken: Vec<_> = (0_u16..)
            .zip(&steps)
            .map(|(at, step)| (at, step.otherwise.clone()))
            .collect();
        for (from, branches) in taken {
            for branch in branches {
                let step = steps.get_mut(usize::from(branch));
                step.into_iter().for_each(|step| step.branch_of.push(from));
            }
        }
        self.together(&mut steps, &tables);
        self.flow(&steps, &tables);
        Some(steps)
    }

    fn step(&mut self, table: &DeTable<'_>, span: Range<usize>) -> Option<Step> {
        let wait = table.get("wait");
        let keys = if wait.is_some() { WAIT_KEYS } else { CALL_KEYS };
        let what = if wait.is_some() {
            "a step that waits"
        } else {
            "a step"
        };
        self.keys(table, keys, what);
        let id = self.required(table, span.clone(), "id", "the step");
        let id = id.and_then(|value| self.id(value));
        let items = self.items(table);
        let is_repeated = self.later.last().is_some_and(|own| own.block.is_some());
        let has_items =
            is_repeated || table.contains_key("for_each") || table.contains_key("repeat");
        let work = match wait {
            Some(value) => self.wait(value).map(Work::Wait),
            None => self.call(table, span, has_items),
        };
        let when = self.condition(table, "if");
        let unless = self.condition(table, "unless");
        let otherwise = self.branches(table);
        let parallel = match table.get("parallel") {
            None => Some(false),
            Some(value) => self.parallel(value, table.contains_key("for_each")),
        };
        let beside = self.beside(table);
        let on_refusal = match table.get("on_refusal") {
            None => Some(OnRefusal::Stop),
            Some(value) => self.on_refusal(value),
        };
        let on_failure = self.otherwise(table, "on_failure");
        let on_unknown = self.otherwise(table, "on_unknown");
        Some(Step {
            id: id?,
            work: work?,
            items: items?,
            when: when?,
            unless: unless?,
            otherwise: otherwise?,
            branch_of: Vec::new(),
            parallel: parallel?,
            block: None,
            beside: beside?,
            on_refusal: on_refusal?,
            on_failure: on_failure?,
            on_unknown: on_unknown?,
        })
    }

    fn call(&mut self, table: &DeTable<'_>, span: Range<usize>, has_items: bool) -> Option<Work> {
        let tool = self.required(table, span, "tool", "the step");
        let tool = tool.and_then(|value| {
            let text = self.string(value, "tool")?;
            text.parse::<ToolName>().ok().or_else(|| {
                let problem = format!("`{text}` is not a tool name");
                self.wrong(value.span(), problem, TOOL_NAME)
            })
        });
        let args = match table.get("args") {
            None => Some(BTreeMap::new()),
            Some(value) => self.args(value, has_items),
        };
        let (tool, args) = (tool?, args?);
        Some(Work::Call { tool, args })
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
}
