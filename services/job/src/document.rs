//! Reads the document of a job strictly, and reports every problem with its place and its fix.

use std::collections::BTreeMap;

use bus_schema::{ContractName, JobName};
use diagnostic::{Diagnostic, Diagnostics};
use serde_json::Value as Json;
use toml::de::{DeTable, DeValue};

use crate::{
    DEADLINE_MS_MAX, JITTER_MS_MAX, Messages, Misfire, Overlap, Retry, When, scalar,
    value::{Reader, Value},
};

/// Most bytes of a document.
pub const DOCUMENT_BYTES_MAX: usize = 16 << 10;
/// Most characters of a purpose.
pub const PURPOSE_CHARS_MAX: usize = 500;
/// Most values of inputs of the playbook, and most items of one that is a list.
pub const INPUTS_MAX: usize = 64;
/// Most values of slots of the contract.
pub const SLOTS_MAX: usize = 64;

const KEYS: &[&str] = &[
    "job", "purpose", "contract", "playbook", "misfire", "overlap", "retry", "deadline", "jitter",
    "when", "slots", "message", "inputs",
];

/// A job as the owner wrote it.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Its name.
    pub name: JobName,
    /// The purpose, for people.
    pub purpose: String,
    /// The contract that its runs are under.
    pub contract: ContractName,
    /// The file of the playbook, beside the document.
    pub playbook: String,
    /// The moments at which it runs.
    pub when: When,
    /// The treatment of missed slots.
    pub misfire: Misfire,
    /// The treatment of slots and messages during a run.
    pub overlap: Overlap,
    /// The attempts at a run that fails; none for one attempt.
    pub retry: Option<Retry>,
    /// The time after its admission at which a run is stopped, in milliseconds.
    pub deadline_ms: Option<u64>,
    /// The longest time by which a run is due after its slot, in milliseconds.
    pub jitter_ms: u64,
    /// The values of the contract's slots, as text.
    pub slots: BTreeMap<String, String>,
    /// The values of the playbook's inputs: scalars and lists of them.
    pub inputs: BTreeMap<String, Json>,
    /// The treatment of messages.
    pub messages: Messages,
}

impl Job {
    /// Reads a job; `file` is the name that diagnostics give it.
    ///
    /// # Errors
    /// Every problem found, each with its place and its fix.
    pub fn parse(file: &str, text: &str) -> Result<Self, Diagnostics> {
        if text.len() > DOCUMENT_BYTES_MAX {
            let problem = format!(
                "the job has {} bytes; at most {DOCUMENT_BYTES_MAX} are allowed",
                text.len()
            );
            return Err(Diagnostic::at(file, text, 0..0, problem, "shorten its comments").into());
        }
        let table = DeTable::parse(text).map_err(|error| {
            let fix = "correct the TOML at the marked place";
            Diagnostic::from_toml(file, text, &error, fix)
        })?;
        let mut reader = Reader::new(file, text);
        let job = reader.job(table.get_ref());
        Diagnostics::none_in(reader.found)?;
        let incomplete = || {
            let fix = "add what is missing";
            Diagnostic::at(file, text, 0..0, "the job is incomplete", fix)
        };
        job.ok_or_else(|| incomplete().into())
    }
}

impl Reader<'_> {
    fn job(&mut self, table: &DeTable<'_>) -> Option<Job> {
        self.keys(table, KEYS, "a job");
        let fix = "write its name in at most 64 lower-case letters, digits, `-` and `_`, such as job = \"weekly-report\"";
        let name = self.parsed(table, "job", fix);
        let fix = "write the name of a contract that is in force, such as contract = \"reports\"";
        let contract = self.parsed(table, "contract", fix);
        let fix = "say what the job is for in one sentence";
        let purpose = self.required(table, 0..0, "purpose", fix);
        let purpose = purpose.and_then(|(text, span)| {
            let chars = text.chars().count();
            let hidden = text.chars().any(diagnostic::is_hidden);
            if (1..=PURPOSE_CHARS_MAX).contains(&chars) && !hidden {
                return Some(text.to_owned());
            }
            let fix = format!("write 1 to {PURPOSE_CHARS_MAX} visible characters");
            self.wrong(span, "`purpose` is empty, too long or not visible", fix)
        });
        let fix = "write the playbook's file beside this one, such as playbook = \"report.toml\"";
        let playbook = self.required(table, 0..0, "playbook", fix);
        let playbook = playbook.map(|(text, _)| text.to_owned());
        let misfire = self.misfire(table.get("misfire"));
        let overlap = self.overlap(table.get("overlap"));
        let retry = self.retry(table.get("retry"));
        let deadline = self.wait(table, "deadline", (0, DEADLINE_MS_MAX));
        let jitter = self.wait(table, "jitter", (0, JITTER_MS_MAX));
        let slots = match table.get("slots") {
            None => Some(BTreeMap::new()),
            Some(value) => self.slots(value),
        };
        let inputs = match table.get("inputs") {
            None => Some(BTreeMap::new()),
            Some(value) => self.inputs(value),
        };
        let when = self.when(table.get("when"));
        if let (Some(Misfire::All(_)), Some(Overlap::Cancel), Some(value)) =
            (misfire, overlap, table.get("misfire"))
        {
            let problem = "with `overlap = \"cancel\"`, each missed slot would stop the one before";
            self.wrong::<()>(
                value.span(),
                problem,
                "write misfire = \"once\" or \"skip\"",
            );
        }
        let messages = self.messages(table.get("message"));
        self.fits(table, when.as_ref());
        Some(Job {
            name: name?,
            purpose: purpose?,
            contract: contract?,
            playbook: playbook?,
            when: when?,
            misfire: misfire?,
            overlap: overlap?,
            retry: retry?,
            deadline_ms: deadline.map(|ms| Some(ms).filter(|ms| *ms > 0))?,
            jitter_ms: jitter?,
            slots: slots?,
            inputs: inputs?,
            messages: messages?,
        })
    }

    /// Notes the policies that have no effect at such times.
    fn fits(&mut self, table: &DeTable<'_>, when: Option<&When>) {
        let is_message = matches!(when, Some(When::Trigger(_)) | None);
        if let (false, Some(value)) = (is_message, table.get("message")) {
            self.unused(Some(value), "`[message]` is for jobs that messages start");
        }
        if when.is_some_and(When::has_no_slots) {
            self.unused(
                table.get("jitter"),
                "`jitter` spreads times, and the job has none",
            );
        }
    }

    pub(crate) fn parsed<T: std::str::FromStr>(
        &mut self,
        table: &DeTable<'_>,
        key: &str,
        fix: &str,
    ) -> Option<T> {
        let (text, span) = self.required(table, 0..0, key, fix)?;
        let parsed = text.parse().ok();
        parsed.or_else(|| self.wrong(span, format!("`{key}` is no such name"), fix))
    }

    fn slots(&mut self, value: &Value<'_>) -> Option<BTreeMap<String, String>> {
        let fix = "write the slots of the contract with their values, such as\n[slots]\nmonth = \"2027-03\"";
        let Some(table) = value
            .get_ref()
            .as_table()
            .filter(|table| table.len() <= SLOTS_MAX)
        else {
            let problem = format!("`slots` is not a table of at most {SLOTS_MAX} values");
            return self.wrong(value.span(), problem, fix);
        };
        let mut slots = BTreeMap::new();
        for (name, value) in table {
            let text = match value.get_ref() {
                DeValue::String(text) => Some(text.to_string()),
                DeValue::Integer(number) => Some(number.to_string()),
                DeValue::Float(number) => Some(number.to_string()),
                DeValue::Datetime(moment) => Some(moment.to_string()),
                DeValue::Boolean(_) | DeValue::Array(_) | DeValue::Table(_) => self.wrong(
                    value.span(),
                    format!("`{}` is no text or number", name.get_ref()),
                    fix,
                ),
            };
            slots.extend(text.map(|text| (name.get_ref().to_string(), text)));
        }
        (slots.len() == table.len()).then_some(slots)
    }

    fn inputs(&mut self, value: &Value<'_>) -> Option<BTreeMap<String, Json>> {
        let fix = "write the inputs of the playbook with their values, such as\n[inputs]\nfolder = \"2027\"";
        let of = |value: &DeValue<'_>| match value.as_array() {
            None => scalar(value),
            Some(list) if list.len() > INPUTS_MAX => None,
            Some(list) => {
                let items = list.iter().map(|one| scalar(one.get_ref()));
                items.collect::<Option<Vec<_>>>().map(Json::from)
            }
        };
        let table = value.get_ref().as_table();
        let Some(table) = table.filter(|table| table.len() <= INPUTS_MAX) else {
            let problem = format!("`inputs` is not a table of at most {INPUTS_MAX} values");
            return self.wrong(value.span(), problem, fix);
        };
        let mut inputs = BTreeMap::new();
        for (name, value) in table {
            let name = name.get_ref();
            let Some(read) = of(value.get_ref()) else {
                let problem = format!(
                    "`{name}` is no text, number, true, false or list of at most {INPUTS_MAX} of them"
                );
                return self.wrong(value.span(), problem, fix);
            };
            inputs.insert(name.to_string(), read);
        }
        Some(inputs)
    }
}
