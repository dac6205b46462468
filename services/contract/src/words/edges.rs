//! The edges of words and numbers in a text, by the categories of Unicode.

use std::ops::Range;

use diagnostic::is_hidden;
use unicode_general_category::{GeneralCategory, get_general_category};

/// Digits of a group of thousands.
pub(super) const GROUP: usize = 3;
/// Characters that can stand before the first letter or digit of a value that is no part of a sentence.
const SIGNS_BEFORE: [char; 10] = ['/', '.', '~', '#', '@', '+', '$', '€', '£', '¥'];
/// Characters that can stand after its last letter or digit.
const SIGNS_AFTER: [char; 7] = ['/', '%', '+', '#', '$', '€', '£'];

/// Returns the places where the text has this value as a whole: neither a word nor a number goes on at its edges.
/// Quotes and full stops are no part of a value.
pub(super) fn whole_places(value: &str, text: &str, ignore_case: bool) -> Vec<Range<usize>> {
    if !has_plain_edges(value) {
        return Vec::new();
    }
    if ignore_case {
        return alias_places(value, text);
    }
    let places = text.match_indices(value);
    let places = places.map(|(at, found)| at..at + found.len());
    places.filter(|at| is_whole_at(text, at)).collect()
}

/// Returns the places of whole words in any case, whatever white space stands between them.
pub(super) fn alias_places(alias: &str, text: &str) -> Vec<Range<usize>> {
    let starts = text.char_indices();
    let end = |at: usize| Some(at..at + prefix_length(text.get(at..)?, alias)?);
    let places = starts.filter_map(|(at, _)| end(at));
    places.filter(|at| is_whole_at(text, at)).collect()
}

fn is_whole_at(text: &str, at: &Range<usize>) -> bool {
    let before = text.get(..at.start).unwrap_or_default();
    let value = text.get(at.clone()).unwrap_or_default();
    let after = text.get(at.end..).unwrap_or_default();
    // The end of a path is another path.
    !before.ends_with(['/', '\\']) && is_whole(before, value, after)
}

/// Returns the bytes at the beginning of a text that are this value in any case.
fn prefix_length(text: &str, value: &str) -> Option<usize> {
    let mut rest = text.chars();
    for wanted in value.chars() {
        let found = rest.next()?;
        if wanted.is_whitespace() && found.is_whitespace() {
            rest = rest.as_str().trim_start().chars();
            continue;
        }
        let same = found == wanted || found.to_lowercase().eq(wanted.to_lowercase());
        same.then_some(())?;
    }
    Some(text.len() - rest.as_str().len())
}

/// Returns true if a value begins and ends with a letter, a digit, or a sign that belongs to it.
fn has_plain_edges(value: &str) -> bool {
    let inner = value
        .trim_start_matches(SIGNS_BEFORE)
        .trim_end_matches(SIGNS_AFTER);
    !value.starts_with(is_mark) && inner.starts_with(is_part) && inner.ends_with(is_part)
}

/// Returns true if neither the word nor the number goes on before or after it.
pub(super) fn is_whole(before: &str, word: &str, after: &str) -> bool {
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
pub(super) fn ends_word(neighbours: &mut dyn Iterator<Item = char>) -> bool {
    match neighbours.next() {
        Some(c) if is_part(c) => false,
        Some(c) if is_joint(c) => {
            let mut behind = neighbours.skip_while(|c| is_joint(*c));
            !behind.next().is_some_and(is_part)
        }
        Some(_) | None => true,
    }
}

pub(super) fn is_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || is_mark(c)
}

/// Returns true if the character is drawn with the one before it.
pub(super) fn is_mark(c: char) -> bool {
    matches!(
        get_general_category(c),
        GeneralCategory::NonspacingMark
            | GeneralCategory::SpacingMark
            | GeneralCategory::EnclosingMark
    )
}

/// Returns true if the character joins the parts of one word or address.
fn is_joint(c: char) -> bool {
    let joins = matches!(
        c,
        '@' | '.' | '+' | '\'' | '\u{2019}' | '\u{b7}' | '/' | '\\'
    );
    joins || is_dash(c) || (is_hidden(c) && !c.is_ascii_control())
}

/// Returns true for hyphens, dashes and minus signs.
pub(super) fn is_dash(c: char) -> bool {
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

pub(super) fn is_blank(c: char) -> bool {
    c == '\t' || get_general_category(c) == GeneralCategory::SpaceSeparator
}

pub(super) fn leading_digits(text: impl Iterator<Item = char>) -> usize {
    text.take_while(|c| c.is_numeric()).count()
}
