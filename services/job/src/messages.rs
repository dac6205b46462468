//! Reads the table `[message]` of a job.

use std::collections::BTreeMap;

use toml::de::DeTable;

use crate::{
    BOUND_FIX, BOUND_KEYS, Batch, FieldBound, Messages, Rate,
    message::{BATCH_MAX, DEBOUNCE_MS_MAX, FIELDS_MAX, RATE_MS_MAX, RATE_RUNS_MAX},
    value::{Reader, Value, integer},
};

const KEYS: &[&str] = &["key", "only", "slots", "debounce", "batch", "rate"];
const FIELD_FIX: &str = "write the name of a field, with dots into objects, such as \"data.id\"";
const BATCH_FIX: &str = "write a number of messages from 2 to 50 and a time, such as batch = { messages = 20, wait = \"1m\" }";
const RATE_FIX: &str =
    "write a number of runs from 1 to 1000 and a time, such as rate = { runs = 10, per = \"1h\" }";

impl Reader<'_> {
    /// Reads the treatment of messages.
    pub(crate) fn messages(&mut self, value: Option<&Value<'_>>) -> Option<Messages> {
        let Some(value) = value else {
            return Some(Messages::default());
        };
        let Some(table) = value.get_ref().as_table() else {
            let fix = "write it as a table, such as\n[message]\nkey = \"id\"";
            return self.wrong(value.span(), "`message` is not a table", fix);
        };
        self.keys(table, KEYS, "`[message]`");
        let key = match table.get("key") {
            None => None,
            Some(value) => Some(self.field(value)?),
        };
        let only = self.fields(table, "only", Self::bound)?;
        let slots = self.fields(table, "slots", Self::field)?;
        let debounce = self.wait(table, "debounce", (0, DEBOUNCE_MS_MAX))?;
        let batch = match table.get("batch") {
            None => None,
            Some(value) => Some(self.batch(value)?),
        };
        if let (Some(_), Some(value)) = (&batch, table.get("debounce")) {
            let problem = "`debounce` keeps the last message, and `batch` keeps each of them";
            return self.wrong(value.span(), problem, "keep one of them");
        }
        let rate = match table.get("rate") {
            None => None,
            Some(value) => Some(self.rate(value)?),
        };
        Some(Messages {
            key,
            only,
            slots,
            debounce_ms: Some(debounce).filter(|ms| *ms > 0),
            batch,
            rate,
        })
    }

    fn batch(&mut self, value: &Value<'_>) -> Option<Batch> {
        let Some(table) = value.get_ref().as_table() else {
            return self.wrong(value.span(), "`batch` is not a table", BATCH_FIX);
        };
        self.keys(table, &["messages", "wait"], "`batch`");
        let messages = table.get("messages");
        let messages = messages.and_then(|number| integer(number.get_ref()));
        let messages = messages.and_then(|number| u8::try_from(number).ok());
        let messages = messages.filter(|number| (2..=BATCH_MAX).contains(number));
        let (Some(messages), true) = (messages, table.contains_key("wait")) else {
            let problem = format!("`batch` needs `messages`, from 2 to {BATCH_MAX}, and `wait`");
            return self.wrong(value.span(), problem, BATCH_FIX);
        };
        let wait_ms = self.wait(table, "wait", (0, DEBOUNCE_MS_MAX))?;
        Some(Batch { messages, wait_ms })
    }

    fn fields<T>(
        &mut self,
        table: &DeTable<'_>,
        key: &str,
        read: impl Fn(&mut Self, &Value<'_>) -> Option<T>,
    ) -> Option<BTreeMap<String, T>> {
        let Some(value) = table.get(key) else {
            return Some(BTreeMap::new());
        };
        let Some(inner) = value
            .get_ref()
            .as_table()
            .filter(|of| of.len() <= FIELDS_MAX)
        else {
            let problem = format!("`{key}` is not a table of at most {FIELDS_MAX} entries");
            let fix = format!("write {key}.NAME = …, once for each");
            return self.wrong(value.span(), problem, fix);
        };
        let mut all = BTreeMap::new();
        for (name, value) in inner {
            all.insert(name.get_ref().to_string(), read(self, value)?);
        }
        Some(all)
    }

    fn field(&mut self, value: &Value<'_>) -> Option<String> {
        let (text, span) = self.string(value, "a field", FIELD_FIX)?;
        if (1..=200).contains(&text.len()) && text.split('.').all(|name| !name.is_empty()) {
            return Some(text.to_owned());
        }
        self.wrong(span, format!("`{text}` names no field"), FIELD_FIX)
    }

    fn bound(&mut self, value: &Value<'_>) -> Option<FieldBound> {
        if let Some(table) = value.get_ref().as_table() {
            self.keys(table, BOUND_KEYS, "a condition");
        }
        let bound = FieldBound::of_value(value.get_ref());
        bound.or_else(|| self.wrong(value.span(), "it is no condition", BOUND_FIX))
    }

    fn rate(&mut self, value: &Value<'_>) -> Option<Rate> {
        let Some(table) = value.get_ref().as_table() else {
            return self.wrong(value.span(), "`rate` is not a table", RATE_FIX);
        };
        self.keys(table, &["runs", "per"], "`rate`");
        let runs = table.get("runs").and_then(|runs| integer(runs.get_ref()));
        let runs = runs.and_then(|runs| u16::try_from(runs).ok());
        let runs = runs.filter(|runs| (1..=RATE_RUNS_MAX).contains(runs));
        let (Some(runs), true) = (runs, table.contains_key("per")) else {
            let problem = "`rate` needs `runs` and `per`";
            return self.wrong(value.span(), problem, RATE_FIX);
        };
        let per_ms = self.wait(table, "per", (0, RATE_MS_MAX))?;
        Some(Rate { runs, per_ms })
    }
}
