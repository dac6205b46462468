//! Checks the values with which a person fills the slots of a contract.

use std::sync::LazyLock;

use bus_schema::SLOTS_BYTES_MAX;
use serde_json::{Map, Value, json};
use thiserror::Error;

use crate::bound::kind::Inner as _;
use crate::bound::matching::{CallContext, Match};
use crate::contract::Contract;
use crate::record::{Record, View};
use crate::schema::Arguments;
use crate::show::words::joined;
use crate::slot::{Slot, kind_word};
use crate::slot_rule::SlotRule;
use crate::slot_values::SlotValues;
use crate::usage::ContractTotals;

static NO_RECORD: LazyLock<Record> = LazyLock::new(Record::default);
static NO_TOTALS: LazyLock<ContractTotals> = LazyLock::new(ContractTotals::default);
static NO_ARGS: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);
/// The schema of a tool without arguments; `None` never happens.
static NO_SCHEMA: LazyLock<Option<Arguments>> =
    LazyLock::new(|| Arguments::new(&json!({"type": "object"})).ok());

/// The reason why values do not fill the slots of a contract.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{problem}; {fix}")]
pub struct SlotError {
    /// The problem, without the value.
    pub problem: String,
    /// The values that the slots take.
    pub fix: String,
}

impl Contract {
    /// The slots that a person fills in with each task, sorted by name.
    pub fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.slots.values().map(|rule| &*rule.slot)
    }

    /// Reads the value that a person typed for a slot.
    ///
    /// # Errors
    /// An unknown slot, or a value that it does not take at `now_ms`.
    pub fn typed(&self, name: &str, text: &str, now_ms: i64) -> Result<Value, SlotError> {
        let rule = self.slot(name)?;
        let value = rule.slot.typed(text);
        let value = value.ok_or_else(|| self.not_of_kind(rule))?;
        self.check_slot(name, &value, now_ms)?;
        Ok(value)
    }

    /// Checks that the values fill each slot that is not optional, and no other.
    ///
    /// # Errors
    /// The first slot that is unknown, empty, or filled with a value that it does not take at `now_ms`.
    pub fn check_slots(&self, values: &SlotValues, now_ms: i64) -> Result<(), SlotError> {
        for (name, value) in values.iter() {
            self.check_slot(name, value, now_ms)?;
        }
        if let Some(slot) = self.unfilled(values).next() {
            let problem = format!("the task does not fill in the slot `{}`", slot.name);
            return Err(self.refused(problem));
        }
        if values.encode().len() > SLOTS_BYTES_MAX {
            let problem = format!("the slots hold more than {SLOTS_BYTES_MAX} bytes");
            return Err(self.refused(problem));
        }
        Ok(())
    }

    /// The slots that values leave empty and that are not optional.
    pub fn unfilled<'c>(&'c self, values: &'c SlotValues) -> impl Iterator<Item = &'c Slot> {
        let needed = self.slots().filter(|slot| !slot.optional);
        needed.filter(|slot| values.get(&slot.name).is_none())
    }

    /// Checks the value of one slot.
    ///
    /// # Errors
    /// See [`Self::check_slots`].
    pub(crate) fn check_slot(
        &self,
        name: &str,
        value: &Value,
        now_ms: i64,
    ) -> Result<(), SlotError> {
        let rule = self.slot(name)?;
        if !rule.slot.takes(value, &self.head.zone) {
            return Err(self.not_of_kind(rule));
        }
        let Some(bound) = &rule.is else {
            return Ok(());
        };
        let judged = NO_SCHEMA.as_ref().map_or(Match::Unknown, |schema| {
            let context = CallContext {
                tool: "",
                args: &NO_ARGS,
                schema,
                view: View {
                    now_ms,
                    record: &NO_RECORD,
                    shared: &NO_TOTALS,
                },
                zone: &self.head.zone,
            };
            bound.judge(Some(value), &context)
        });
        if judged == Match::Yes {
            return Ok(());
        }
        let problem = format!(
            "the value of the slot `{name}` is outside of its bound: it has to be {}",
            rule.said()
        );
        Err(self.refused(problem))
    }

    fn slot(&self, name: &str) -> Result<&SlotRule, SlotError> {
        let shown: String = name.chars().take(60).collect();
        let unknown = || self.refused(format!("the contract has no slot {shown:?}"));
        self.slots.get(name).ok_or_else(unknown)
    }

    fn not_of_kind(&self, rule: &SlotRule) -> SlotError {
        let Slot { name, .. } = &*rule.slot;
        let problem = format!(
            "the value of the slot `{name}` is not {}{}",
            rule.slot.said(),
            example(&rule.slot)
        );
        self.refused(problem)
    }

    fn refused(&self, problem: String) -> SlotError {
        let each = self.slots.values().map(|rule| {
            let optional = if rule.slot.optional { ", optional" } else { "" };
            format!("`{}` ({}{optional})", rule.slot.name, rule.said())
        });
        let each: Vec<String> = each.collect();
        let fix = if each.is_empty() {
            "it has none, so fill in nothing".to_owned()
        } else {
            format!("its slots are {}", joined(each, "and"))
        };
        SlotError { problem, fix }
    }
}

/// The form of a value whose kind alone does not say it.
fn example(slot: &Slot) -> &'static str {
    match kind_word(slot.kind) {
        "date" => " such as 2030-01-31 or 2030-01-31 18:00",
        "time" => " such as 18:00",
        "amount" => " with its currency, such as EUR 12.50",
        "number" => " such as 250 or 2.5",
        "path" => ", with a `/` or the ending of a file",
        "name" => ": each of its words begins with a capital letter",
        _ => "",
    }
}
