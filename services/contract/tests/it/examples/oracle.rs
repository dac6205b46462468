//! Second implementation of the contract of each example, based only on its sentences.

use serde_json::{Map, Value};

/// The permission of a call according to the sentences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum May {
    Never,
    /// Permitted after an approval.
    Asked,
    Freely,
}

/// A function that decides a call of an example from the history of its task.
pub(super) type Oracle = fn(&Past, &str, &Map<String, Value>) -> May;

/// The history of a task.
pub(super) struct Past {
    words: String,
    calls: Vec<(String, Map<String, Value>, Value)>,
}

impl Past {
    pub(super) fn new(words: &str) -> Self {
        let (words, calls) = (words.to_owned(), Vec::new());
        Self { words, calls }
    }

    pub(super) fn add(&mut self, tool: String, args: Map<String, Value>, result: Value) {
        self.calls.push((tool, args, result));
    }

    fn of<'a>(
        &'a self,
        tool: &'a str,
    ) -> impl Iterator<Item = &'a (String, Map<String, Value>, Value)> {
        self.calls.iter().filter(move |(other, ..)| other == tool)
    }

    /// Returns true if an earlier call of `tool` had this argument.
    fn had(&self, tool: &str, name: &str, value: &Value) -> bool {
        self.of(tool)
            .any(|(_, args, _)| args.get(name) == Some(value))
    }

    /// Returns true if an earlier call of `tool` returned this value at the place that `find` selects.
    fn returned(&self, tool: &str, find: fn(&Value) -> Vec<&Value>, value: &Value) -> bool {
        self.of(tool)
            .any(|(_, _, result)| find(result).contains(&value))
    }

    /// Returns true if the task text contains this value as one or several whole words.
    fn said(&self, value: &Value) -> bool {
        let Some(value) = value.as_str().filter(|value| !value.is_empty()) else {
            return false;
        };
        let word = |c: char| c.is_alphanumeric() || "_-@".contains(c);
        self.words.match_indices(value).any(|(at, _)| {
            let (before, behind) = (&self.words[..at], &self.words[at + value.len()..]);
            let mut next = behind.chars();
            let joins = match next.next() {
                Some('.') => next.next().is_some_and(word),
                Some(c) => word(c),
                None => false,
            };
            let starts = value.starts_with(word) && before.ends_with(word);
            let ends = value.ends_with(word) && joins;
            !starts && !ends
        })
    }

    /// The sum of an argument over earlier calls of `tool`, in hundredths.
    fn cents(&self, tool: &str, name: &str, below: i64) -> i64 {
        let amounts = self
            .of(tool)
            .filter_map(|(_, args, _)| cents(args.get(name)?));
        amounts.filter(|amount| *amount <= below).sum()
    }
}

/// Converts a number to hundredths, if it is exact.
fn cents(value: &Value) -> Option<i64> {
    let text = value.as_number()?.to_string();
    let (whole, places) = text.split_once('.').unwrap_or((&text, "0"));
    let places = places.trim_end_matches('0');
    let fraction = format!("{places:0<2}");
    (places.len() <= 2).then(|| format!("{whole}{fraction}").parse().ok())?
}

fn text(args: &Map<String, Value>, name: &str) -> String {
    args.get(name)
        .and_then(Value::as_str)
        .unwrap_or("\u{0}")
        .to_owned()
}

fn is_one_of(args: &Map<String, Value>, name: &str, those: &[&str]) -> bool {
    those.contains(&text(args, name).as_str())
}

fn at_most(args: &Map<String, Value>, name: &str, chars: usize) -> bool {
    text(args, name).chars().count() <= chars
}

fn absent(args: &Map<String, Value>, name: &str) -> bool {
    args.get(name).is_none_or(Value::is_null)
}

fn freely(holds: bool) -> May {
    if holds { May::Freely } else { May::Never }
}

fn asked(holds: bool) -> May {
    if holds { May::Asked } else { May::Never }
}

pub(super) fn inbox(past: &Past, tool: &str, args: &Map<String, Value>) -> May {
    let arg = |name: &str| args.get(name).unwrap_or(&Value::Null);
    match tool {
        "mail.list" | "mail.read" | "contacts.search" => May::Freely,
        "mail.label" => freely(is_one_of(
            args,
            "label",
            &["invoice", "newsletter", "travel", "needs-answer"],
        )),
        "mail.archive" => freely(past.had("mail.read", "id", arg("id"))),
        "mail.draft" => {
            freely(past.had("mail.read", "id", arg("in_reply_to")) && at_most(args, "body", 5000))
        }
        "mail.send" => {
            let known = past
                .of("contacts.search")
                .any(|(_, with, _)| with["query"] == "Dana");
            let secret =
                text(args, "subject").contains("assword") || text(args, "body").contains("assword");
            let few = past.of("mail.send").count() < 5;
            asked(
                known
                    && few
                    && !secret
                    && at_most(args, "body", 2000)
                    && is_one_of(args, "to", &["dana@friends.example"]),
            )
        }
        "calendar.create" => freely(absent(args, "participants")),
        _ => May::Never,
    }
}

pub(super) fn refunds(past: &Past, tool: &str, args: &Map<String, Value>) -> May {
    let arg = |name: &str| args.get(name).unwrap_or(&Value::Null);
    let invoice =
        |result: &Value| past.returned("invoice.read", |found| vec![&found["invoice_id"]], result);
    match tool {
        "ticket.read" | "invoice.read" => May::Freely,
        "ticket.close" => freely(past.had("ticket.read", "ticket_id", arg("ticket_id"))),
        "pay.refund" => {
            let Some(amount) = cents(arg("amount")) else {
                return May::Never;
            };
            let whole = past.cents("pay.refund", "amount", i64::MAX) + amount <= 30_000;
            let small = past.cents("pay.refund", "amount", 5000) + amount <= 10_000;
            let known =
                invoice(arg("invoice_id")) && is_one_of(args, "currency", &["EUR"]) && whole;
            match amount {
                1..=5000 => freely(known && small),
                5001..=25_000 => asked(known),
                _ => May::Never,
            }
        }
        "mail.template" => {
            let customer = past.returned(
                "invoice.read",
                |found| vec![&found["customer_email"]],
                arg("to"),
            );
            let ours = is_one_of(args, "template", &["refund-paid", "refund-refused"]);
            freely(customer && ours && invoice(arg("invoice_id")))
        }
        _ => May::Never,
    }
}

pub(super) fn release(past: &Past, tool: &str, args: &Map<String, Value>) -> May {
    let arg = |name: &str| args.get(name).unwrap_or(&Value::Null);
    match tool {
        "git.log" | "git.show" | "issue.read" => May::Freely,
        "file.write" => {
            let path = text(args, "path");
            let name = path
                .strip_prefix("docs/releases/")
                .and_then(|name| name.strip_suffix(".md"));
            freely(
                name.is_some_and(|name| !name.contains(['/', '\\']))
                    && at_most(args, "content", 50_000),
            )
        }
        "release.draft" => {
            let few = past.of("release.draft").count() < 3;
            let written = past.had("file.write", "path", arg("notes_path"));
            freely(few && written && past.said(arg("tag")) && past.said(arg("title")))
        }
        _ => May::Never,
    }
}

pub(super) fn home(past: &Past, tool: &str, args: &Map<String, Value>) -> May {
    match tool {
        "sensor.read" | "weather.get" | "light.set" | "door.lock" => May::Freely,
        "heating.set" => {
            let celsius = args.get("celsius").and_then(Value::as_f64);
            let few = past.of("heating.set").count() < 6;
            freely(few && celsius.is_some_and(|celsius| (16.0..=22.5).contains(&celsius)))
        }
        "door.unlock" => asked(is_one_of(args, "door", &["front"])),
        "speaker.say" => {
            freely(is_one_of(args, "room", &["kitchen", "living"]) && at_most(args, "text", 200))
        }
        _ => May::Never,
    }
}

/// Returns the flights of a result.
fn offers(found: &Value) -> Vec<&Value> {
    let offers = found["offers"].as_array();
    offers
        .into_iter()
        .flatten()
        .map(|offer| &offer["id"])
        .collect()
}

pub(super) fn travel(past: &Past, tool: &str, args: &Map<String, Value>) -> May {
    let arg = |name: &str| args.get(name).unwrap_or(&Value::Null);
    let paid =
        past.cents("flight.book", "price", i64::MAX) + past.cents("hotel.book", "price", i64::MAX);
    let affordable = |most: i64| {
        let price = cents(arg("price")).filter(|price| (100..=most).contains(price));
        price.is_some_and(|price| paid + price <= 90_000) && is_one_of(args, "currency", &["EUR"])
    };
    match tool {
        "calendar.read" => May::Freely,
        "flight.search" => {
            // A moment counts as its day.
            let day = text(args, "day");
            let (date, time) = day.split_at_checked(10).unwrap_or_default();
            let is_day = time.is_empty() || time.starts_with('T');
            freely(is_day && ("2026-02-01"..="2027-02-01").contains(&date))
        }
        "hotel.search" => freely(text(args, "from") <= text(args, "until")),
        "flight.book" => {
            let offered = past.returned("flight.search", offers, arg("offer"));
            let few = past.of("flight.book").count() < 2;
            asked(offered && few && past.said(arg("traveller")) && affordable(60_000))
        }
        "hotel.book" => {
            let few = past.of("hotel.book").count() < 1;
            let said = ["traveller", "from", "until"]
                .iter()
                .all(|name| past.said(arg(name)));
            asked(few && said && affordable(50_000))
        }
        "calendar.create" => freely(absent(args, "participants")),
        _ => May::Never,
    }
}
