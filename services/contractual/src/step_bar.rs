//! The progress of a step with many items, as a bar below the timeline of a terminal.

use std::collections::{BTreeMap, BTreeSet};

use bus_schema::ActionId;
use gateway::api::Event;
use serde_json::Value;

use crate::{Output, fact::field};

/// Fewest items of a step that has a bar.
const ITEMS_MIN: u64 = 5;
/// Characters of a full bar.
const WIDTH: u64 = 24;

/// The step that is in work.
#[derive(Debug, Default)]
pub(crate) struct StepBar {
    step: String,
    items: u64,
    /// The items that have ended.
    done: BTreeSet<u64>,
    /// The items of actions that have not ended.
    open: BTreeMap<ActionId, u64>,
    is_shown: bool,
}

impl StepBar {
    /// Folds an event of the task.
    pub(crate) fn hear(&mut self, event: &Event) {
        let fact = event.body.get("fact").unwrap_or(&Value::Null);
        let number = |name: &str| field::<u64>(fact, name);
        let action = field::<ActionId>(fact, "action");
        match (event.kind.as_str(), action) {
            ("action.proposed", Some(action)) => {
                let step = fact.get("step").and_then(Value::as_str).unwrap_or_default();
                let items = number("items").unwrap_or(1);
                if step != self.step && items >= ITEMS_MIN {
                    let is_shown = self.is_shown;
                    *self = Self {
                        step: step.to_owned(),
                        items,
                        is_shown,
                        ..Self::default()
                    };
                }
                if step == self.step {
                    let item = number("item").unwrap_or_default();
                    self.done.remove(&item);
                    self.open.insert(action, item);
                }
            }
            (
                "action.finished" | "action.refused" | "action.declined" | "action.expired",
                Some(action),
            ) => {
                let ended = self.open.remove(&action);
                self.done.extend(ended);
            }
            ("task.finished" | "task.rejected", _) => self.items = 0,
            _ => {}
        }
    }

    /// Shows the bar below the last line, until [`Self::clear`].
    pub(crate) fn show(&mut self, out: &Output) {
        if let Some(text) = self.text() {
            out.status(&text);
            self.is_shown = true;
        }
    }

    /// Clears the bar, before another line is printed.
    pub(crate) fn clear(&mut self, out: &Output) {
        if std::mem::take(&mut self.is_shown) {
            out.status("");
        }
    }

    /// The bar; none without a step in work.
    fn text(&self) -> Option<String> {
        let done = self.done.len() as u64;
        if self.items < ITEMS_MIN || done >= self.items {
            return None;
        }
        let full = usize::try_from(done * WIDTH / self.items).unwrap_or_default();
        let rest = usize::try_from(WIDTH).unwrap_or_default() - full;
        Some(format!(
            "  {} [{}{}] {done} of {} items",
            self.step,
            "#".repeat(full),
            "-".repeat(rest),
            self.items
        ))
    }
}

#[cfg(test)]
mod tests {
    use bus_schema::Time;
    use gateway::api::Event;
    use serde_json::{Value, json};

    use super::StepBar;

    fn action(n: u64) -> String {
        format!("00000000-0000-7000-8000-{n:012}")
    }

    fn event(kind: &str, fact: Value) -> Event {
        Event {
            seq: 1,
            stored: Time::from_ns(0),
            kind: kind.to_owned(),
            body: json!({ "fact": fact }),
        }
    }

    fn proposed(bar: &mut StepBar, n: u64, item: u64, items: u64) {
        let fact = json!({"action": action(n), "step": "read", "item": item, "items": items});
        bar.hear(&event("action.proposed", fact));
    }

    fn ended(bar: &mut StepBar, kind: &str, n: u64) {
        bar.hear(&event(kind, json!({"action": action(n)})));
    }

    #[test]
    fn a_bar_counts_items_that_have_ended_in_any_way() {
        let mut bar = StepBar::default();
        assert_eq!(bar.text(), None);
        for item in 0..8 {
            proposed(&mut bar, item, item, 8);
        }
        let text = |bar: &StepBar| bar.text().unwrap();
        assert_eq!(text(&bar), "  read [------------------------] 0 of 8 items");
        ended(&mut bar, "action.finished", 3);
        ended(&mut bar, "action.refused", 0);
        assert_eq!(text(&bar), "  read [######------------------] 2 of 8 items");
        // A second attempt is the same item.
        proposed(&mut bar, 9, 3, 8);
        assert!(text(&bar).ends_with(" 1 of 8 items"));
        ended(&mut bar, "action.declined", 9);
        for n in [1, 2, 4, 5, 6] {
            ended(&mut bar, "action.expired", n);
        }
        assert!(text(&bar).ends_with(" 7 of 8 items"));
        ended(&mut bar, "action.finished", 7);
        assert_eq!(bar.text(), None);
    }

    #[test]
    fn few_items_and_the_end_of_a_task_have_no_bar() {
        let mut bar = StepBar::default();
        proposed(&mut bar, 1, 0, 4);
        assert_eq!(bar.text(), None);
        proposed(&mut bar, 2, 0, 100);
        assert!(bar.text().is_some());
        bar.hear(&event("task.finished", json!({})));
        assert_eq!(bar.text(), None);
    }
}
