//! `date`: a date or moment between two ends, both included.

use std::fmt;

use serde_json::Value;

use super::kind::{Kind, Reader, Unit, entries};
use super::matching::{CallContext, Match};
use crate::dead::possible::{Possible, Reason};
use crate::dead::text::Text;
use crate::parse::source::{Node, Source};
use crate::show::words::duration;
use crate::toml_text::quoted;
use crate::when::{End, When};

/// A day in milliseconds.
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// A date in a range; at least one end is given.
#[derive(Debug, Clone, PartialEq)]
pub struct Date {
    /// The earliest date.
    pub from: Option<End>,
    /// The latest date.
    pub to: Option<End>,
}

impl Date {
    fn takes_in(&self, date: When, now_ms: i64) -> bool {
        let after = |end: End| end.compare(date, now_ms).is_ge();
        let before = |end: End| end.compare(date, now_ms).is_le();
        self.from.is_none_or(after) && self.to.is_none_or(before)
    }
}

impl Kind for Date {
    const KEYS: &'static [&'static str] = &["date"];

    fn read(reader: &mut Reader<'_, '_, '_>) -> Option<Vec<Self>> {
        reader.one("date", |reader, node| read(reader.source, node))
    }

    fn types(&self) -> &'static [&'static str] {
        &["string"]
    }

    fn judge(&self, value: &Value, context: &CallContext<'_>) -> Match {
        let now_ms = context.view.now_ms;
        let date = value.as_str().and_then(When::new);
        let found = Match::told(date.map(|date| self.takes_in(date, now_ms)));
        // An offset does not lead out of the day that the value names.
        let moved = value.as_str().and_then(When::moved_from);
        let named = moved.is_some_and(|day| self.takes_in(day, now_ms));
        if found == Match::No && named {
            Match::Unknown
        } else {
            found
        }
    }

    fn limits_length(&self) -> bool {
        true
    }

    fn permits_links(&self) -> bool {
        true
    }

    fn narrow(&self, possible: &mut Possible<'_>) {
        possible.text(Text::Date);
        possible.keep(|value, _| Match::of(value.as_str().and_then(When::new).is_some()));
        let never = match (self.from, self.to) {
            (Some(End::At(from)), Some(End::At(to))) => from.day() > to.day(),
            (Some(End::Now { plus_ms: from }), Some(End::Now { plus_ms: to })) => {
                from.saturating_sub(to) >= DAY_MS
            }
            (_, _) => false,
        };
        if never {
            let problem = "`from` is after `to`, so no date is between them";
            possible.never(Reason::new(problem, "exchange them"));
        }
    }

    fn say(&self, _unit: Unit) -> String {
        match (self.from, self.to) {
            (Some(from), Some(to)) => {
                format!("is a date from {} to {}", said(from), said(to))
            }
            (Some(from), None) => format!("is a date not before {}", said(from)),
            (None, Some(to)) => format!("is a date not after {}", said(to)),
            (None, None) => "is a date".to_owned(),
        }
    }

    fn widen(&self, value: &Value, context: &CallContext<'_>) -> Option<Self> {
        let now_ms = context.view.now_ms;
        let date = When::new(value.as_str()?)?;
        let own = End::At(date);
        let earlier = |end: End| {
            if end.compare(date, now_ms).is_lt() {
                own
            } else {
                end
            }
        };
        let later = |end: End| {
            if end.compare(date, now_ms).is_gt() {
                own
            } else {
                end
            }
        };
        Some(Self {
            from: self.from.map(earlier),
            to: self.to.map(later),
        })
    }
}

fn said(end: End) -> String {
    match end {
        End::At(when) => when.to_string(),
        End::Now { plus_ms: 0 } => "the moment of the call".to_owned(),
        End::Now { plus_ms } => {
            let far = duration(plus_ms.unsigned_abs());
            let side = if plus_ms < 0 { "before" } else { "after" };
            format!("{far} {side} the call")
        }
    }
}

fn read<'t>(source: &mut Source<'t>, node: &'t Node<'t>) -> Option<Date> {
    let of = source.table(node, "`date`", &["from", "to"])?;
    let mut end = |key: &str| {
        let Some(node) = of.table.get(key) else {
            return Some(None);
        };
        let text = source.text(node, &format!("`{key}`"), 64)?;
        let found = End::new(&text);
        if found.is_none() {
            let fix = "write \"2026-01-31\", \"2026-01-31T18:00:00Z\", \"now\", \"now+30d\" or \"now-2h\"";
            source.report(node.span(), format!("{text:?} is no date"), fix);
        }
        found.map(Some)
    };
    let (from, to) = (end("from"), end("to"));
    let (from, to) = (from?, to?);
    if from.is_none() && to.is_none() {
        source.report(of.span, "`date` says nothing", "write `from`, `to` or both");
        return None;
    }
    Some(Date { from, to })
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |end: End| quoted(&end.to_string());
        let (from, to) = (self.from.map(text), self.to.map(text));
        let inner = entries(["from", "to"], [from.as_ref(), to.as_ref()]);
        write!(f, "date = {{ {inner} }}")
    }
}
