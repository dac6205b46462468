//! Values that the text of a task names as whole words and whole numbers.

use bus_schema::json;
use diagnostic::is_hidden;
use serde_json::{Number, Value};
use unicode_general_category::{GeneralCategory, get_general_category};
use unicode_normalization::UnicodeNormalization as _;

/// Digits of a group of thousands.
const GROUP: usize = 3;

/// Returns true if the text names this text or number, and not as a part of a longer word or number. Texts are compared
/// in their composed form (NFC).
pub(super) fn names(value: &Value, text: &str) -> bool {
    let text = composed(text);
    match value {
        Value::String(value) => {
            let value = composed(value);
            !value.is_empty() && has_word(&value, &text)
        }
        Value::Number(value) => numbers(&text).any(|found| found == *value),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
    }
}

/// Converts a text to its composed form (NFC).
pub(crate) fn composed(text: &str) -> String {
    text.nfc().collect()
}

/// Returns true if a text has this word, or these words, and not as a part of a longer word or number. Both are in their
/// composed form.
pub(crate) fn has_word(value: &str, text: &str) -> bool {
    !value.starts_with(is_mark)
        && text.match_indices(value).any(|(at, found)| {
            let before = text.get(..at).unwrap_or_default();
            let after = text.get(at + found.len()..).unwrap_or_default();
            is_whole(before, value, after)
        })
}

/// Returns true if neither the word nor the number goes on before or after it.
fn is_whole(before: &str, word: &str, after: &str) -> bool {
    let (first, last) = (
        leading_digits(word.chars()),
        leading_digits(word.chars().rev()),
    );
    ends_word(&mut after.chars())
        && ends_word(&mut before.chars().rev())
        && !(first > 0 && goes_on_before(before, first))
        && !(last > 0 && goes_on_after(after, last))
}

/// Returns true if a word ends before these characters: no part of a word follows, directly or after joints.
fn ends_word(neighbours: &mut dyn Iterator<Item = char>) -> bool {
    match neighbours.next() {
        Some(c) if is_part(c) => false,
        Some(c) if is_joint(c) => {
            let mut behind = neighbours.skip_while(|c| is_joint(*c));
            !behind.next().is_some_and(is_part)
        }
        Some(_) | None => true,
    }
}

fn is_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || is_mark(c)
}

/// Returns true if the character is drawn with the one before it.
fn is_mark(c: char) -> bool {
    matches!(
        get_general_category(c),
        GeneralCategory::NonspacingMark
            | GeneralCategory::SpacingMark
            | GeneralCategory::EnclosingMark
    )
}

/// Returns true if the character joins the parts of one word or address.
fn is_joint(c: char) -> bool {
    let joins = matches!(c, '@' | '.' | '+' | '\'' | '\u{2019}' | '\u{b7}');
    joins || is_dash(c) || (is_hidden(c) && !c.is_ascii_control())
}

/// Returns true for hyphens, dashes and minus signs.
fn is_dash(c: char) -> bool {
    c == '\u{2212}' || get_general_category(c) == GeneralCategory::DashPunctuation
}

/// Returns true if a number that ends here, with `digits` in its first group, began earlier: `.5`, `1 250`, `1/2`.
fn goes_on_before(before: &str, digits: usize) -> bool {
    let mut reversed = before.chars().rev();
    match reversed.next() {
        Some('.' | ',' | '\u{66b}' | '\u{66c}' | '\u{b1}' | '\u{2213}') => true,
        Some(c) if is_dash(c) => true,
        Some(c) if separates(c) => reversed.next().is_some_and(char::is_numeric),
        Some(c) if is_blank(c) => {
            let earlier = leading_digits(reversed.skip_while(|c| is_blank(*c)));
            digits == GROUP && (1..=GROUP).contains(&earlier)
        }
        Some(_) | None => false,
    }
}

/// Returns true if a number that begins here, with `digits` in its last group, goes on: `1 250`, `1/2`, `5'000`.
fn goes_on_after(after: &str, digits: usize) -> bool {
    let mut rest = after.chars();
    match rest.next() {
        Some(c) if separates(c) => rest.next().is_some_and(char::is_numeric),
        Some(c) if is_blank(c) => {
            let later = leading_digits(rest.skip_while(|c| is_blank(*c)));
            later == GROUP && digits <= GROUP
        }
        Some(_) | None => false,
    }
}

/// Returns true if the character can stand between the digits of one number, date or time.
fn separates(c: char) -> bool {
    matches!(
        c,
        '.' | ','
            | '\''
            | '\u{2019}'
            | '\u{66b}'
            | '\u{66c}'
            | '\u{b7}'
            | '/'
            | ':'
            | '^'
            | '*'
            | '\u{d7}'
            | '\u{2044}'
    )
}

fn is_blank(c: char) -> bool {
    c == '\t' || get_general_category(c) == GeneralCategory::SpaceSeparator
}

fn leading_digits(text: impl Iterator<Item = char>) -> usize {
    text.take_while(|c| c.is_numeric()).count()
}

/// Returns the whole numbers of a text. Commas and apostrophes may separate thousands.
fn numbers(text: &str) -> impl Iterator<Item = Number> {
    let mut rest = 0;
    std::iter::from_fn(move || {
        loop {
            let from = rest + text.get(rest..)?.find(|c: char| c.is_ascii_digit())?;
            let tail = text.get(from..)?;
            let run = tail.find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | ',' | '\''));
            let run = tail.get(..run.unwrap_or(tail.len()))?;
            rest = from + run.len();
            let digits = run.trim_end_matches(['.', ',', '\'']);
            let (before, after) = (text.get(..from)?, text.get(from + digits.len()..)?);
            let (before, sign) = match before.strip_suffix(['-', '\u{2212}']) {
                Some(before) if !before.ends_with(is_part) => (before, "-"),
                Some(_) | None => (before, ""),
            };
            let whole = is_whole(before, digits, after);
            if let Some(number) = whole.then(|| plain(digits)).flatten() {
                let number = json::parse(format!("{sign}{number}").as_bytes(), 400).ok();
                if let Some(Value::Number(number)) = number {
                    return Some(number);
                }
            }
        }
    })
}

/// Removes the thousands separators of a number; `None` if one is misplaced.
fn plain(digits: &str) -> Option<String> {
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
