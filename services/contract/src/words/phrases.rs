//! Names, single words and telephone numbers in a text, and the words beside a value.

use std::ops::Range;

use super::edges::{is_blank, is_part};
use super::mention::Mention;
use super::sentences::sentence;

/// Digits of the shortest telephone number.
const TELEPHONE_DIGITS_MIN: usize = 7;
/// Characters that are compared with a word beside a value; more than such a word has.
const BESIDE_CHARS_MAX: usize = 60;
/// Words between the items of a list.
const BETWEEN: [&str; 12] = [
    "and", "or", "und", "oder", "et", "y", "e", "sowie", "as", "well", "then", "plus",
];
/// Small words within a name.
const PARTICLES: [&str; 8] = ["de", "da", "van", "von", "der", "den", "di", "la"];

/// Returns the single words of a text, of letters, digits and the joints between them.
pub(super) fn words(text: &str) -> Vec<Mention> {
    let each = word_places(text).into_iter();
    each.filter_map(|at| Mention::text(text, at)).collect()
}

fn word_places(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    for word in text.split_inclusive(char::is_whitespace) {
        let inner = word.trim_end();
        let start = inner.find(is_part);
        let end = inner.char_indices().rfind(|(_, c)| is_part(*c));
        if let (Some(start), Some((end, c))) = (start, end) {
            found.push(from + start..from + end + c.len_utf8());
        }
        from += word.len();
    }
    found
}

/// Returns the runs of words that begin with a capital letter. At the beginning of a sentence, the run without its
/// first word is another one.
pub(super) fn names(text: &str) -> Vec<Mention> {
    let words = word_places(text);
    let word = |at: &Range<usize>| text.get(at.clone()).unwrap_or_default();
    let capital = |at: &Range<usize>| word(at).starts_with(char::is_uppercase);
    let mut found = Vec::new();
    let mut place = 0;
    while let Some(first) = words.get(place) {
        place += 1;
        if !capital(first) {
            continue;
        }
        let (mut last, mut second) = (first, None);
        while let Some(next) = words.get(place) {
            let gap = text.get(last.end..next.start).unwrap_or_default();
            let behind = words.get(place + 1);
            let inner = PARTICLES.contains(&word(next)) && behind.is_some_and(capital);
            if !gap.chars().all(is_blank) || !(capital(next) || inner) {
                break;
            }
            second = second.or(Some(next));
            last = next;
            place += 1;
        }
        found.extend(Mention::text(text, first.start..last.end));
        let begins = text
            .get(sentence(text, first).start..first.start)
            .is_some_and(|before| !before.contains(is_part));
        if let Some(second) = second.filter(|_| begins) {
            found.extend(Mention::text(text, second.start..last.end));
        }
    }
    found
}

/// Returns the telephone numbers that begin with `+`.
pub(super) fn telephones(text: &str) -> Vec<Mention> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices('+') {
        let rest = text.get(at + 1..).unwrap_or_default();
        let fits =
            |c: char| c.is_ascii_digit() || is_blank(c) || matches!(c, '(' | ')' | '-' | '/');
        let run = rest.get(..rest.find(|c| !fits(c)).unwrap_or(rest.len()));
        let run = run
            .unwrap_or_default()
            .trim_end_matches(|c: char| !c.is_ascii_digit());
        let digits = run.chars().filter(char::is_ascii_digit).count();
        if run.starts_with(|c: char| c.is_ascii_digit() || c == '(')
            && digits >= TELEPHONE_DIGITS_MIN
        {
            found.extend(Mention::text(text, at..at + 1 + run.len()));
        }
    }
    found
}

/// See [`super::Words::beside`].
pub(super) fn beside(
    text: &str,
    mentions: Vec<Mention>,
    after: &[String],
    before: &[String],
) -> Vec<Mention> {
    let mut kept: Vec<Mention> = Vec::new();
    for one in mentions {
        let follows = after.is_empty()
            || one.places().any(|at| {
                let bare = text.get(..at.start).unwrap_or_default();
                let bare = last_chars(bare.trim_end_matches(is_wrapping));
                ends_with_word(bare, after) || follows_item(text, at, &kept)
            });
        let precedes = before.is_empty()
            || one.places().any(|at| {
                let bare = text.get(at.end..).unwrap_or_default();
                let bare = first_chars(bare.trim_start_matches(is_wrapping));
                begins_with_word(bare, before)
            });
        if follows && precedes {
            kept.push(one);
        }
    }
    kept
}

/// The end of a text, longer than any word beside a value.
fn last_chars(text: &str) -> &str {
    let from = text.char_indices().rev().nth(BESIDE_CHARS_MAX);
    from.and_then(|(at, _)| text.get(at..)).unwrap_or(text)
}

fn first_chars(text: &str) -> &str {
    let to = text.char_indices().nth(BESIDE_CHARS_MAX);
    to.and_then(|(at, _)| text.get(..at)).unwrap_or(text)
}

/// Returns true for what can stand between a word and the value that it announces.
fn is_wrapping(c: char) -> bool {
    c.is_whitespace()
        || matches!(
            c,
            ':' | '=' | '"' | '\'' | '`' | '<' | '>' | '(' | ')' | '*'
        )
        || matches!(
            c,
            '\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{2018}' | '\u{ab}' | '\u{bb}'
        )
}

fn ends_with_word(text: &str, words: &[String]) -> bool {
    let lower = text.to_lowercase();
    words.iter().any(|word| {
        let before = lower.strip_suffix(word.as_str());
        before.is_some_and(|before| !before.ends_with(is_part))
    })
}

fn begins_with_word(text: &str, words: &[String]) -> bool {
    let lower = text.to_lowercase();
    words.iter().any(|word| {
        let after = lower.strip_prefix(word.as_str());
        after.is_some_and(|after| !after.starts_with(is_part))
    })
}

/// Returns true if only commas and words such as `and` stand between one of the kept values and this place.
fn follows_item(text: &str, at: &Range<usize>, kept: &[Mention]) -> bool {
    let last = kept.iter().rev().find(|one| one.at.end <= at.start);
    let gap = last.and_then(|last| text.get(last.at.end..at.start));
    gap.is_some_and(|gap| {
        let mut words = gap.split(|c: char| is_wrapping(c) || matches!(c, ',' | '&' | '+'));
        words.all(|word| word.is_empty() || BETWEEN.contains(&word.to_lowercase().as_str()))
            && !gap.trim().is_empty()
    })
}
