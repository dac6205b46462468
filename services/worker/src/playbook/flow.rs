//! Reads the keys that decide if, how often and when a step runs.

use diagnostic::nearest;
use job::{BOUND_FIX, BOUND_KEYS, FieldBound, duration_ms, moment};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::reader::{Reader, Value, integer};
use super::{Condition, Items, WAIT_MS_MAX, WAIT_MS_MIN};
use crate::limits::ITEMS_MAX;
use crate::reference::{Piece, Reference, Root};

const REPEAT_KEYS: &[&str] = &["from", "times", "at_most", "until", "pause"];
const TIMES_FIX: &str = "write a number of times from 1 to 1000, such as `repeat = 3`, or `repeat = { times = \"{input.times}\", at_most = 10 }`";
const PAUSE_FIX: &str = "write a whole number with s, m, h or d, from 1s to 31d, such as \"30s\"";
const WAIT_FIX: &str = "write a duration from 1s to 31d, such as \"10m\", a moment with an offset, such as \"2027-03-01T09:00:00+01:00\", \
                        or a reference to one";

impl Reader<'_> {
    /// Reads the condition under `key`. `None` inside: there is none.
    pub(super) fn condition(
        &mut self,
        table: &DeTable<'_>,
        key: &str,
    ) -> Option<Option<Condition>> {
        let Some(value) = table.get(key) else {
            return Some(None);
        };
        let Some(inner) = value.get_ref().as_table() else {
            let fix = format!("write `{key} = {{ value = \"{{step.field}}\", is = \"…\" }}`");
            return self.wrong(value.span(), format!("`{key}` is no condition"), fix);
        };
        let known = ["value"].iter().chain(BOUND_KEYS).copied();
        self.keys(inner, &known.collect::<Vec<_>>(), "a condition");
        let of = self.required(inner, value.span(), "value", "the condition")?;
        let reference = self.reference(of, "value")?;
        let Some(bound) = FieldBound::of_table(inner, 1) else {
            let problem = "it compares the value with nothing, or in several ways";
            return self.wrong(value.span(), problem, BOUND_FIX);
        };
        let value = reference;
        Some(Some(Condition { value, bound }))
    }

    /// Reads one reference and nothing else.
    fn reference(&mut self, value: &Value<'_>, key: &str) -> Option<Reference> {
        let text = self.string(value, key)?;
        let mut found = self.pieces(value, &text, false)?.into_iter();
        match (found.next(), found.next()) {
            (Some(Piece::Reference(reference)), None) => Some(reference),
            _ => {
                let problem = format!("`{key}` is not one reference and nothing else");
                let fix = match key {
                    "for_each" => "write a reference to a list, such as `{list.files}`",
                    _ => "write a reference, such as `{list.count}` or `{input.times}`",
                };
                self.wrong(value.span(), problem, fix)
            }
        }
    }

    /// Reads the items of a step.
    pub(super) fn items(&mut self, table: &DeTable<'_>) -> Option<Items> {
        let at_most = table.get("at_most");
        match (table.get("for_each"), table.get("repeat")) {
            (Some(_), Some(repeat)) => self.wrong(
                repeat.span(),
                "the step has `for_each` and `repeat`",
                "remove one of the two",
            ),
            (Some(list), None) => {
                let list = self.reference(list, "for_each")?;
                let at_most = match at_most {
                    None => ITEMS_MAX,
                    Some(value) => self.times(value)?,
                };
                Some(Items::Each { list, at_most })
            }
            (None, _) if at_most.is_some() => self.wrong(
                at_most.map_or(0..0, Spanned::span),
                "`at_most` says nothing about a step without `for_each`",
                "write it into `repeat = { … }`, or add `for_each`",
            ),
            (None, Some(repeat)) => self.repeat(repeat),
            (None, None) => Some(Items::One),
        }
    }

    fn repeat(&mut self, value: &Value<'_>) -> Option<Items> {
        let Some(table) = value.get_ref().as_table() else {
            let at_most = self.times(value)?;
            return Some(Items::Times {
                times: None,
                at_most,
                until: None,
                pause_ms: 0,
            });
        };
        self.keys(table, REPEAT_KEYS, "`repeat`");
        let Some(at_most) = table.get("at_most") else {
            let fix = "add the most times that it may run, such as `at_most = 10`";
            return self.wrong(value.span(), "the repetition has no bound", fix);
        };
        let at_most = self.times(at_most)?;
        let block = self.block(table)?;
        let times = match table.get("times") {
            None => None,
            Some(value) => Some(self.reference(value, "times")?),
        };
        if let (Some(first), Some(of)) = (block, times.as_ref())
            && matches!(of.root, Root::Step(at) if at >= first)
        {
            let fix = "name a step before the block, or write the number of times";
            let problem = "`times` is read before the block begins";
            return self.wrong(table.get("times").map_or(0..0, Spanned::span), problem, fix);
        }
        let own = self.later.last().cloned();
        // Its condition reads the result of the step itself.
        self.earlier.extend(own);
        let until = self.condition(table, "until");
        self.earlier.pop();
        let pause_ms = match table.get("pause") {
            None => 0,
            Some(value) => {
                let text = self.string(value, "pause")?;
                match duration_ms(&text).filter(|ms| (WAIT_MS_MIN..=WAIT_MS_MAX).contains(ms)) {
                    Some(ms) => ms,
                    None => return self.wrong(value.span(), "`pause` is no duration", PAUSE_FIX),
                }
            }
        };
        Some(Items::Times {
            times,
            at_most,
            until: until?,
            pause_ms,
        })
    }

    fn times(&mut self, value: &Value<'_>) -> Option<usize> {
        let times = integer(value.get_ref()).and_then(|times| usize::try_from(times).ok());
        let times = times.filter(|times| (1..=ITEMS_MAX).contains(times));
        times.or_else(|| self.wrong(value.span(), "it is no number of times", TIMES_FIX))
    }

    /// Reads the duration or moment of a step that waits.
    pub(super) fn wait(&mut self, value: &Value<'_>) -> Option<Vec<Piece>> {
        let text = match value.get_ref() {
            DeValue::Datetime(moment) => moment.to_string(),
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Array(_)
            | DeValue::Table(_) => self.string(value, "wait")?,
        };
        let pieces = self.pieces(value, &text, false)?;
        let fits = match pieces.as_slice() {
            [Piece::Literal(text)] => is_wait(text),
            [] => false,
            _ => true,
        };
        if fits {
            return Some(pieces);
        }
        self.wrong(
            value.span(),
            "`wait` is no duration and no moment",
            WAIT_FIX,
        )
    }

    /// Reads the steps that run if this one is refused or fails.
    pub(super) fn branches(&mut self, table: &DeTable<'_>) -> Option<Vec<u16>> {
        let Some(value) = table.get("otherwise") else {
            return Some(Vec::new());
        };
        let list = value.get_ref().as_array().filter(|list| !list.is_empty());
        let each = list.map_or_else(|| vec![value], |list| list.iter().collect());
        let found = each.into_iter().map(|one| self.branch(one));
        found.collect::<Vec<_>>().into_iter().collect()
    }

    fn branch(&mut self, value: &Value<'_>) -> Option<u16> {
        let id = self.string(value, "otherwise")?;
        // The current step is the last of them.
        let mut after = self.later.iter().rev().enumerate().skip(1);
        if let Some((distance, _)) = after.find(|(_, step)| step.id == id) {
            return u16::try_from(self.earlier.len() + distance).ok();
        }
        let own = self.later.last();
        if self.earlier.iter().chain(own).any(|step| step.id == id) {
            let problem = format!("the step `{id}` does not come after this one");
            let fix = "name a later step: it runs if this one is refused or fails";
            return self.wrong(value.span(), problem, fix);
        }
        let known = self.later.iter().map(|step| step.id.as_str());
        let fix = match nearest(&id, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "name a later step".to_owned(),
        };
        self.wrong(
            value.span(),
            format!("no later step has the id `{id}`"),
            fix,
        )
    }
}

/// Returns true for a duration or a moment.
fn is_wait(text: &str) -> bool {
    let ms = duration_ms(text);
    ms.is_some_and(|ms| (WAIT_MS_MIN..=WAIT_MS_MAX).contains(&ms)) || moment(text).is_some()
}
