//! Reads the document of a job strictly, and reports every problem with its place and its fix.

use std::collections::BTreeMap;
use std::ops::Range;

use bus_schema::{ContractName, JobName, Time};
use diagnostic::{Diagnostic, Diagnostics};
use jiff::{Timestamp, civil::DateTime};
use serde_json::Value as Json;
use toml::de::{DeTable, DeValue};

use crate::{
    AfterOutcome, Cron, DEADLINE_MS_MAX, EVERY_MS_MAX, EVERY_MS_MIN, JITTER_MS_MAX, Messages,
    Misfire, Overlap, Retry, When, Zone, duration, scalar,
    value::{Reader, Value},
    zone::time,
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
const WHEN_KEYS: &[&str] = &["cron", "zone", "every", "from", "at", "trigger", "after"];
const WHEN_FIX: &str = "write one of `cron` with `zone`, `every`, `at`, `trigger` and `after`, such as\n[when]\ncron = \"30 9 * * mon-fri\"\nzone = \"Europe/Stockholm\"";
const FROM_FIX: &str = "write a date and time with an offset, such as 2027-03-01T09:00:00+01:00";
const EVERY_FIX: &str = "write a whole number with s, m, h or d, from 1s to 366d, such as \"15m\"";

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
        let when = match table
            .get("when")
            .map(|value| (value.get_ref().as_table(), value))
        {
            None => self.wrong(0..0, "`[when]` is missing", WHEN_FIX),
            Some((None, value)) => self.wrong(value.span(), "`when` is not a table", WHEN_FIX),
            Some((Some(when), value)) => self.when(when, value.span()),
        };
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
        if let (Some(When::Trigger(_) | When::After { .. }), Some(value)) =
            (when, table.get("jitter"))
        {
            self.unused(
                Some(value),
                "`jitter` spreads times, and messages have none",
            );
        }
    }

    fn parsed<T: std::str::FromStr>(
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

    fn when(&mut self, table: &DeTable<'_>, place: Range<usize>) -> Option<When> {
        self.keys(table, WHEN_KEYS, "`[when]`");
        let zone = match table.get("zone") {
            None => None,
            Some(value) => Some(self.zone(value)?),
        };
        let from = table.get("from");
        if let Some(value) = table.get("after") {
            if table.len() > 1 {
                let fix = "keep `after` alone, and write another job for the times";
                return self.wrong(place, "`[when]` has more than `after`", fix);
            }
            return self.after(value);
        }
        if let Some(value) = table.get("trigger") {
            if table.len() > 1 {
                let problem = "`[when]` has more than `trigger`";
                return self.wrong(
                    place,
                    problem,
                    "keep `trigger` alone, and write another job for the times",
                );
            }
            return self.trigger(value);
        }
        match (table.get("cron"), table.get("every"), table.get("at")) {
            (Some(cron), None, None) => {
                self.unused(from, "`from` is only for `every`");
                self.cron(cron, zone)
            }
            (None, Some(every), None) => {
                self.unused(table.get("zone"), "`every` needs no zone");
                let ms = self.every(every)?;
                let from = match from {
                    None => None,
                    Some(value) => Some(self.moment(value, None, FROM_FIX)?),
                };
                Some(When::Every { ms, from })
            }
            (None, None, Some(at)) => {
                self.unused(from, "`from` is only for `every`");
                let fix = "write a date and time with an offset, such as 2027-03-01T09:00:00+01:00, or without and add zone = \"Europe/Stockholm\"";
                self.moment(at, zone.as_ref(), fix).map(When::At)
            }
            (None, None, None) => self.wrong(place, "`[when]` says no time", WHEN_FIX),
            (Some(_), Some(_), _) | (Some(_), _, Some(_)) | (_, Some(_), Some(_)) => {
                let problem = "`[when]` has more than one of `cron`, `every` and `at`";
                self.wrong(
                    place,
                    problem,
                    "keep one, and write one job for each of the others",
                )
            }
        }
    }

    fn unused(&mut self, value: Option<&Value<'_>>, problem: &str) {
        if let Some(value) = value {
            self.wrong::<()>(value.span(), problem, "remove it");
        }
    }

    fn after(&mut self, value: &Value<'_>) -> Option<When> {
        let fix = "write the other job and the outcome of its run, such as after = { job = \"stocktake\", outcome = \"succeeded\" }";
        let Some(table) = value.get_ref().as_table() else {
            return self.wrong(value.span(), "`after` is not a table", fix);
        };
        self.keys(table, &["job", "outcome"], "`after`");
        let job = self.parsed(table, "job", fix)?;
        let outcome = match table.get("outcome").map(|value| value.get_ref().as_str()) {
            None | Some(Some("succeeded")) => AfterOutcome::Succeeded,
            Some(Some("failed")) => AfterOutcome::Failed,
            Some(Some("ended")) => AfterOutcome::Ended,
            Some(Some(_) | None) => {
                let fix = "write \"succeeded\", \"failed\" or \"ended\"";
                return self.wrong(value.span(), "`outcome` is none of its words", fix);
            }
        };
        Some(When::After { job, outcome })
    }

    fn trigger(&mut self, value: &Value<'_>) -> Option<When> {
        let fix = "write source and name of the messages in lower-case letters, digits, `-` and `_`, such as trigger = \"cli.build\" for trigger.cli.build";
        let (text, span) = self.string(value, "trigger", fix)?;
        let is_word = |word: &str| word.parse::<JobName>().is_ok();
        let words = text.split_once('.');
        if words.is_some_and(|(source, name)| is_word(source) && is_word(name)) {
            return Some(When::Trigger(text.to_owned()));
        }
        self.wrong(span, format!("`{text}` names no messages"), fix)
    }

    fn zone(&mut self, value: &Value<'_>) -> Option<Zone> {
        let fix = "write an IANA name, such as zone = \"Europe/Stockholm\"";
        let (text, span) = self.string(value, "zone", fix)?;
        match Zone::named(text) {
            Ok(zone) => Some(zone),
            Err(error) => self.wrong(span, format!("there is no time zone `{text}`"), error.fix),
        }
    }

    fn cron(&mut self, value: &Value<'_>, zone: Option<Zone>) -> Option<When> {
        let fix = "write five fields, such as cron = \"30 9 * * mon-fri\"";
        let (text, span) = self.string(value, "cron", fix)?;
        let cron = match text.parse::<Cron>() {
            Ok(cron) => Some(cron),
            Err(error) => self.wrong(span.clone(), error.problem, error.fix),
        };
        let zone = zone.or_else(|| {
            let fix = "add the zone that its times are of, such as zone = \"Europe/Stockholm\"";
            self.wrong(span, "`cron` has no zone", fix)
        });
        Some(When::Cron {
            cron: cron?,
            zone: zone?,
        })
    }

    fn every(&mut self, value: &Value<'_>) -> Option<u64> {
        let (text, span) = self.string(value, "every", EVERY_FIX)?;
        let ms = duration::parse(text);
        let ms = ms.filter(|ms| (EVERY_MS_MIN..=EVERY_MS_MAX).contains(ms));
        ms.or_else(|| self.wrong(span, format!("`{text}` is no interval"), EVERY_FIX))
    }

    /// Reads a moment: with an offset, or local in `zone`.
    fn moment(&mut self, value: &Value<'_>, zone: Option<&Zone>, fix: &str) -> Option<Time> {
        let text = match value.get_ref() {
            DeValue::Datetime(moment) => moment.to_string(),
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Array(_)
            | DeValue::Table(_) => String::new(),
        };
        let moment: Option<Timestamp> = match (text.parse(), text.parse::<DateTime>(), zone) {
            (Ok(moment), _, None) => Some(moment),
            (Err(_), Ok(local), Some(zone)) => zone.moment(local),
            (Ok(_), _, Some(_)) => {
                let fix = "remove either the offset or `zone`";
                return self.wrong(value.span(), "a moment with an offset needs no zone", fix);
            }
            (Err(_), Ok(_) | Err(_), _) => None,
        };
        let moment = moment.and_then(time);
        moment.or_else(|| self.wrong(value.span(), "it is no moment", fix))
    }
}
