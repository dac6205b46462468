//! Reads the table `[when]` of a job.

use std::ops::Range;

use bus_schema::{JobName, Time};
use jiff::{Timestamp, civil::DateTime};
use toml::de::DeValue;

use crate::{
    AfterOutcome, Cron, EVERY_MS_MAX, EVERY_MS_MIN, Rule, When, Zone, duration,
    value::{Reader, Value},
    zone::time,
};

/// The keys that say when, each with the keys that may stand beside it.
const WAYS: &[(&str, &[&str])] = &[
    ("cron", &["zone"]),
    ("rule", &["from", "zone"]),
    ("every", &["from"]),
    ("at", &["zone"]),
    ("trigger", &[]),
    ("after", &[]),
    ("start", &[]),
];
const KEYS: &[&str] = &[
    "cron", "rule", "every", "at", "trigger", "after", "start", "from", "zone",
];
const WHEN_FIX: &str = "write one of `cron` with `zone`, `rule` with `from` and `zone`, `every`, `at`, `trigger`, `after` and `start`, such as\n[when]\ncron = \"30 9 * * mon-fri\"\nzone = \"Europe/Stockholm\"";
const ZONE_FIX: &str = "add the zone that its times are of, such as zone = \"Europe/Stockholm\"";
const AT_FIX: &str = "write a date and time with an offset, such as 2027-03-01T09:00:00+01:00, or without and add zone = \"Europe/Stockholm\"";
const FROM_FIX: &str = "write a date and time with an offset, such as 2027-03-01T09:00:00+01:00";
const START_FIX: &str =
    "write the local date and time at which the rule starts, such as from = 2027-03-01T09:00:00";
const EVERY_FIX: &str = "write a whole number with s, m, h or d, from 1s to 366d, such as \"15m\"";

impl Reader<'_> {
    /// Reads the moments at which the job runs.
    pub(crate) fn when(&mut self, value: Option<&Value<'_>>) -> Option<When> {
        let Some(value) = value else {
            return self.wrong(0..0, "`[when]` is missing", WHEN_FIX);
        };
        let Some(table) = value.get_ref().as_table() else {
            return self.wrong(value.span(), "`when` is not a table", WHEN_FIX);
        };
        self.keys(table, KEYS, "`[when]`");
        let mut ways = WAYS.iter().filter(|(way, _)| table.contains_key(*way));
        let Some((way, beside)) = ways.next() else {
            return self.wrong(value.span(), "`[when]` says no time", WHEN_FIX);
        };
        if let Some((other, _)) = ways.next() {
            let problem = format!("`[when]` has more than one of its ways: `{way}` and `{other}`");
            let fix = "keep one, and write one job for each of the others";
            return self.wrong(value.span(), problem, fix);
        }
        for key in ["from", "zone"] {
            if !beside.contains(&key) {
                self.unused(table.get(key), &format!("`{way}` needs no {key}"));
            }
        }
        let zone = match table.get("zone") {
            None => None,
            Some(value) => Some(self.zone(value)?),
        };
        let from = table.get("from");
        let one = table.get(*way)?;
        match *way {
            "cron" => self.cron(one, zone),
            "rule" => self.rule(one, from, zone),
            "every" => self.every(one, from),
            "at" => self.moment(one, zone.as_ref(), AT_FIX).map(When::At),
            "trigger" => self.trigger(one),
            "after" => self.after(one),
            _ => self.start(one),
        }
    }

    pub(crate) fn unused(&mut self, value: Option<&Value<'_>>, problem: &str) {
        if let Some(value) = value {
            self.wrong::<()>(value.span(), problem, "remove it");
        }
    }

    fn start(&mut self, value: &Value<'_>) -> Option<When> {
        let is = value.get_ref().as_bool();
        let when = is.filter(|is| *is).map(|_| When::Start);
        when.or_else(|| self.wrong(value.span(), "`start` is not true", "write start = true"))
    }

    fn after(&mut self, value: &Value<'_>) -> Option<When> {
        let fix = "write the other job and the outcome of its run, such as after = { job = \"stocktake\", outcome = \"succeeded\" }";
        let Some(table) = value.get_ref().as_table() else {
            return self.wrong(value.span(), "`after` is not a table", fix);
        };
        self.keys(table, &["job", "outcome"], "`after`");
        let job = self.parsed::<JobName>(table, "job", fix)?;
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
        let zone = self.needed(zone, span, "cron");
        Some(When::Cron {
            cron: cron?,
            zone: zone?,
        })
    }

    fn rule(
        &mut self,
        value: &Value<'_>,
        from: Option<&Value<'_>>,
        zone: Option<Zone>,
    ) -> Option<When> {
        let fix = "write a rule of RFC 5545, such as rule = \"FREQ=MONTHLY;BYDAY=-1FR\"";
        let (text, span) = self.string(value, "rule", fix)?;
        let zone = self.needed(zone, span.clone(), "rule");
        let start = match from {
            None => self.wrong(span.clone(), "`rule` has no start", START_FIX),
            Some(from) => {
                let local = written(from).parse::<DateTime>().ok();
                let has_offset = written(from).parse::<Timestamp>().is_ok();
                let local = local.filter(|_| !has_offset);
                local.or_else(|| self.wrong(from.span(), "`from` is no local time", START_FIX))
            }
        };
        match Rule::parse(text, start?, zone?) {
            Ok(rule) => Some(When::Rule(Box::new(rule))),
            Err(error) => self.wrong(span, error.problem, error.fix),
        }
    }

    fn needed(&mut self, zone: Option<Zone>, span: Range<usize>, key: &str) -> Option<Zone> {
        zone.or_else(|| self.wrong(span, format!("`{key}` has no zone"), ZONE_FIX))
    }

    fn every(&mut self, value: &Value<'_>, from: Option<&Value<'_>>) -> Option<When> {
        let (text, span) = self.string(value, "every", EVERY_FIX)?;
        let ms = duration::parse(text);
        let ms = ms.filter(|ms| (EVERY_MS_MIN..=EVERY_MS_MAX).contains(ms));
        let ms = ms.or_else(|| self.wrong(span, format!("`{text}` is no interval"), EVERY_FIX))?;
        let from = match from {
            None => None,
            Some(value) => Some(self.moment(value, None, FROM_FIX)?),
        };
        Some(When::Every { ms, from })
    }

    /// Reads a moment: with an offset, or local in `zone`.
    fn moment(&mut self, value: &Value<'_>, zone: Option<&Zone>, fix: &str) -> Option<Time> {
        let text = written(value);
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

/// Returns the text of a date and time, or of a text.
fn written(value: &Value<'_>) -> String {
    match value.get_ref() {
        DeValue::Datetime(moment) => moment.to_string(),
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Array(_)
        | DeValue::Table(_) => String::new(),
    }
}
