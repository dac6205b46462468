//! Numbers and amounts of money in a text, without the marks of lists.

use std::ops::Range;

use bus_schema::json;
use serde_json::{Number, Value};

use super::edges::{GROUP, is_blank, is_part, is_whole};
use super::mention::{Meaning, Mention};

/// Words before the number of a place in the text itself, not of a value.
const LABELS: [&str; 20] = [
    "step",
    "point",
    "phase",
    "part",
    "section",
    "chapter",
    "paragraph",
    "figure",
    "page",
    "task",
    "question",
    "option",
    "punkt",
    "schritt",
    "teil",
    "abschnitt",
    "kapitel",
    "seite",
    "aufgabe",
    "frage",
];
/// Currencies by their words.
const CURRENCIES: [&str; 30] = [
    "$", "€", "£", "¥", "eur", "usd", "gbp", "chf", "jpy", "sek", "nok", "dkk", "pln", "czk",
    "huf", "cad", "aud", "nzd", "inr", "cny", "euro", "euros", "dollar", "dollars", "pound",
    "pounds", "franken", "francs", "kr", "us$",
];
/// Most digits of a mark of a list.
const MARK_DIGITS_MAX: usize = 3;

/// Returns the whole numbers of a text. Commas and apostrophes may separate thousands.
pub(super) fn numbers(text: &str) -> Vec<Mention> {
    read(text, plain)
}

/// Returns the whole numbers of a text, each read by `plain`.
fn read(text: &str, plain: fn(&str) -> Option<String>) -> Vec<Mention> {
    let (mut found, mut rest, mut last_mark) = (Vec::new(), 0, 0);
    while let Some(from) = text
        .get(rest..)
        .and_then(|tail| tail.find(|c: char| c.is_ascii_digit()))
    {
        let from = rest + from;
        let tail = text.get(from..).unwrap_or_default();
        let run = tail.find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | ',' | '\''));
        let run = tail.get(..run.unwrap_or(tail.len())).unwrap_or_default();
        rest = from + run.len();
        let digits = run.trim_end_matches(['.', ',', '\'']);
        let at = from..from + digits.len();
        if let Some(mark) = mark(text, &at, last_mark) {
            last_mark = mark;
        } else {
            found.extend(number(text, at, plain));
        }
    }
    found
}

fn number(text: &str, at: Range<usize>, plain: fn(&str) -> Option<String>) -> Option<Mention> {
    let (before, after) = (text.get(..at.start)?, text.get(at.end..)?);
    let (before, sign) = match before.strip_suffix(['-', '\u{2212}']) {
        Some(before) if !before.ends_with(is_part) => (before, "-"),
        Some(_) | None => (before, ""),
    };
    let digits = text.get(at.clone())?;
    if !is_whole(before, digits, after) {
        return None;
    }
    let number = parsed(&format!("{sign}{}", plain(digits)?))?;
    Some(Mention::new(before.len()..at.end, Meaning::Number(number)))
}

pub(super) fn parsed(number: &str) -> Option<Number> {
    match json::parse(number.as_bytes(), 400).ok()? {
        Value::Number(number) => Some(number),
        Value::Null | Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
            None
        }
    }
}

/// Removes the thousands separators of a number; `None` if one is misplaced.
pub(super) fn plain(digits: &str) -> Option<String> {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if fraction.contains(['.', ',', '\'']) {
        return None;
    }
    let mut groups = whole.split([',', '\'']);
    let first = groups.next()?;
    let grouped = whole.len() > first.len();
    let three = groups.all(|group| group.len() == GROUP);
    if grouped && (!three || first.is_empty() || first.len() > GROUP) {
        return None;
    }
    let whole = whole.replace([',', '\''], "");
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    Some(if fraction.is_empty() {
        whole.to_owned()
    } else {
        format!("{whole}.{fraction}")
    })
}

/// Reads an amount with a comma before its cents: `50,00`, `1.200,50`; `None` if it is not such a one.
fn with_cents(digits: &str) -> Option<String> {
    let (whole, cents) = digits.split_once(',')?;
    let fits = cents.len() == 2 && cents.bytes().all(|c| c.is_ascii_digit());
    let grouped = whole.replace('.', ",");
    let same = !whole.contains(['\'', ',']) && fits;
    same.then(|| plain(&format!("{grouped}.{cents}")))?
}

/// Returns the number of a list's mark: `1. …`, `2) …`, `(3)`, `#4`, `step 5`. `last` is the mark before it.
fn mark(text: &str, at: &Range<usize>, last: u32) -> Option<u32> {
    let digits = text.get(at.clone())?;
    if digits.len() > MARK_DIGITS_MAX || !digits.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let value = digits.parse().ok()?;
    let (before, after) = (text.get(..at.start)?, text.get(at.end..)?);
    let bracketed = before.ends_with('(') && after.starts_with(')');
    let labelled = before.ends_with(['#', '№']) || follows_label(before);
    let closed = after.strip_prefix(['.', ')', ':']);
    let closed =
        closed.is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace));
    let bracket = after.starts_with(')') && !is_in_brackets(before);
    let begins = begins_item(before);
    let next = last > 0 && value == last + 1 && !after.starts_with(':');
    (bracketed || labelled || (closed && (begins || next || bracket))).then_some(value)
}

fn follows_label(before: &str) -> bool {
    let word = before.trim_end_matches(is_blank);
    let start = word.trim_end_matches(char::is_alphabetic).len();
    let label = word.get(start..).unwrap_or_default().to_lowercase();
    word.len() < before.len() && LABELS.contains(&label.as_str())
}

/// Returns true if a list's item can begin here: a line, or what follows a sentence.
fn begins_item(before: &str) -> bool {
    let bare = before.trim_end_matches(|c: char| is_blank(c) || "-*•>\"'(".contains(c));
    bare.is_empty() || bare.ends_with(['\n', '.', '!', '?', ':', ';'])
}

/// Returns true if a bracket on the last line is not closed.
fn is_in_brackets(before: &str) -> bool {
    let line = before.rsplit('\n').next().unwrap_or_default();
    line.matches('(').count() > line.matches(')').count()
}

/// Returns the amounts of money of a text: a number beside a currency.
pub(super) fn amounts(text: &str) -> Vec<Mention> {
    let money = |digits: &str| plain(digits).or_else(|| with_cents(digits));
    let each = read(text, money).into_iter();
    each.filter_map(|number| amount(text, number)).collect()
}

fn amount(text: &str, number: Mention) -> Option<Mention> {
    let (before, after) = (text.get(..number.at.start)?, text.get(number.at.end..)?);
    let word = before.trim_end_matches(is_blank);
    let start = currency_before(word);
    let rest = after.trim_start_matches(is_blank);
    let end = currency_after(rest);
    let at = match (start, end) {
        (_, Some(length)) => number.at.start..text.len() - rest.len() + length,
        (Some(start), None) => start..number.at.end,
        (None, None) => return None,
    };
    Some(Mention {
        at,
        also: Some(number.at.clone()),
        ..number
    })
}

fn currency_before(before: &str) -> Option<usize> {
    let sign = before.chars().next_back().filter(|c| "$€£¥".contains(*c));
    let start = match sign {
        Some(sign) => before.len() - sign.len_utf8(),
        None => before.trim_end_matches(char::is_alphabetic).len(),
    };
    let word = before.get(start..)?.to_lowercase();
    CURRENCIES.contains(&word.as_str()).then_some(start)
}

fn currency_after(after: &str) -> Option<usize> {
    let sign = after.chars().next().filter(|c| "$€£¥".contains(*c));
    let end = match sign {
        Some(sign) => sign.len_utf8(),
        None => after.find(|c: char| !is_part(c)).unwrap_or(after.len()),
    };
    let word = after.get(..end)?.to_lowercase();
    CURRENCIES.contains(&word.as_str()).then_some(end)
}
