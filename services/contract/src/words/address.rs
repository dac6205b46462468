//! E-mail addresses, URLs, account numbers and paths in a text.

use std::ops::Range;

use super::edges::{ends_word, is_part};
use super::mention::{Meaning, Mention};
use crate::address::Address;

/// Shortest and longest account numbers (IBAN), in characters.
const IBAN_CHARS: std::ops::RangeInclusive<usize> = 15..=34;
/// Characters of a group of an account number.
pub(super) const IBAN_GROUP: usize = 4;
/// Longest extension of a file name, in characters.
const EXTENSION_CHARS_MAX: usize = 8;

/// Returns the e-mail addresses of a text, each as long as it goes: `o'brien@x.example` is one.
pub(super) fn emails(text: &str) -> Vec<Mention> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.@".contains(c);
    let runs = runs(text, fits).into_iter();
    runs.filter_map(|run| email(text, run)).collect()
}

fn email(text: &str, run: Range<usize>) -> Option<Mention> {
    let whole = text.get(run.clone())?;
    let (local, rest) = whole.split_once('@')?;
    let name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let lead = local.find(name)?;
    // `_ann@x.example_` is set in italics.
    let italic = local.starts_with('_') && rest.ends_with('_');
    let lead = lead + usize::from(italic && lead == 0);
    let domain = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '.');
    let domain = rest.get(..domain.unwrap_or(rest.len()))?;
    let domain = domain.trim_end_matches(['.', '-']);
    let end = run.start + local.len() + 1 + domain.len();
    let at = run.start + lead..end;
    let after = text.get(end..)?;
    let owns = ["'s", "\u{2019}s"].iter().any(|mark| {
        let rest = after.strip_prefix(mark);
        rest.is_some_and(|rest| !rest.starts_with(is_part))
    });
    let before = text.get(..at.start)?;
    let whole = (owns || ends_word(&mut after.chars()) || (italic && after.starts_with('_')))
        && (ends_word(&mut before.chars().rev()) || (italic && before.ends_with('_')));
    let address = Address::new(text.get(at.clone())?).filter(|_| whole)?;
    Some(Mention::new(at, Meaning::Canonical(address.to_string())))
}

/// Returns the URLs of a text that name their scheme.
pub(super) fn urls(text: &str) -> Vec<Mention> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("://") {
        let before = text.get(..at).unwrap_or_default();
        let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        let scheme = before.trim_end_matches(word).len();
        let after = text.get(at..).unwrap_or_default();
        let ends = |c: char| {
            c.is_whitespace() || matches!(c, '<' | '>' | '"' | '`') || diagnostic::is_hidden(c)
        };
        let rest = after.get(..after.find(ends).unwrap_or(after.len()));
        let mut rest = rest.unwrap_or_default();
        loop {
            let shorter = rest.trim_end_matches(|c: char| {
                matches!(
                    c,
                    '.' | ',' | ';' | ':' | '!' | '?' | '\'' | '*' | '\u{2026}'
                ) || matches!(
                    c,
                    '\u{201c}' | '\u{201d}' | '\u{2019}' | '\u{ab}' | '\u{bb}'
                )
            });
            let open = |one: char, other: char| shorter.ends_with(other) && !shorter.contains(one);
            let shorter = match [('(', ')'), ('[', ']'), ('{', '}')]
                .iter()
                .find(|(one, other)| open(*one, *other))
            {
                Some((_, other)) => shorter.strip_suffix(*other).unwrap_or(shorter),
                None => shorter,
            };
            if shorter.len() == rest.len() {
                break;
            }
            rest = shorter;
        }
        let whole = before
            .get(..scheme)
            .is_some_and(|before| !before.ends_with(is_part));
        if scheme < at && rest.len() > 3 && whole {
            found.extend(Mention::text(text, scheme..at + rest.len()));
        }
    }
    found
}

/// Returns the account numbers (IBAN) of a text whose check digits are right, with or without spaces.
pub(super) fn ibans(text: &str) -> Vec<Mention> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == ' ';
    let runs = runs(text, fits).into_iter();
    runs.flat_map(|run| ibans_in(text, run)).collect()
}

fn ibans_in(text: &str, run: Range<usize>) -> Vec<Mention> {
    let whole = text.get(run.clone()).unwrap_or_default();
    let mut words: Vec<Range<usize>> = Vec::new();
    let mut from = run.start;
    for word in whole.split(' ') {
        if !word.is_empty() {
            words.push(from..from + word.len());
        }
        from += word.len() + 1;
    }
    let mut found: Vec<Mention> = Vec::new();
    for (place, first) in words.iter().enumerate() {
        let overlaps = found.last().is_some_and(|last| last.at.end > first.start);
        if overlaps {
            continue;
        }
        let rest = words.get(place..).unwrap_or_default();
        // With spaces, it is written in groups of four.
        let grouped = rest
            .iter()
            .take_while(|word| word.len() == IBAN_GROUP)
            .count();
        let longest = rest.iter().take(grouped + 1).rev().find_map(|last| {
            let at = first.start..last.end;
            let iban = iban(text.get(at.clone())?)?;
            let outside = text.get(..at.start)?.chars().next_back();
            let behind = text.get(at.end..)?.chars().next();
            let whole = !outside.is_some_and(is_part) && !behind.is_some_and(is_part);
            whole.then(|| Mention::new(at, Meaning::Canonical(iban)))
        });
        found.extend(longest);
    }
    found
}

/// Returns an account number without spaces, in upper case; `None` if its check digits are wrong.
pub(super) fn iban(text: &str) -> Option<String> {
    let plain: String = text.chars().filter(|c| *c != ' ').collect();
    let plain = plain.to_ascii_uppercase();
    let country = plain.get(..2)?.bytes().all(|c| c.is_ascii_uppercase());
    let check = plain.get(2..4)?.bytes().all(|c| c.is_ascii_digit());
    let all = plain.bytes().all(|c| c.is_ascii_alphanumeric());
    if !country || !check || !all || !IBAN_CHARS.contains(&plain.len()) {
        return None;
    }
    let moved = plain.get(4..)?.chars().chain(plain.get(..4)?.chars());
    let mut rest = 0_u32;
    for c in moved {
        let digit = c.to_digit(36)?;
        let wide = if digit < 10 { 10 } else { 100 };
        rest = (rest * wide + digit) % 97;
    }
    (rest == 1).then_some(plain)
}

/// Returns the words of a text that have the form of a path: a slash, or a file name with an extension.
pub(super) fn paths(text: &str) -> Vec<Mention> {
    let fits = |c: char| {
        let outside = matches!(c, ',' | ';' | '(' | ')' | '<' | '>' | '[' | ']' | '{' | '}');
        let quotes = matches!(c, '"' | '`' | '\'' | '\u{201c}' | '\u{201d}' | '\u{201e}');
        !(c.is_whitespace() || outside || quotes)
    };
    let mut found = Vec::new();
    for run in runs(text, fits) {
        let word = text.get(run.clone()).unwrap_or_default();
        let word = word.trim_end_matches(['.', ':', '!', '?', '*']);
        if is_path(word) {
            found.extend(Mention::text(text, run.start..run.start + word.len()));
        }
    }
    found
}

/// Returns true if a word has the form of a path.
pub(super) fn is_path(word: &str) -> bool {
    let outside = |c: char| c.is_whitespace() || diagnostic::is_hidden(c);
    if word.contains("://") || word.contains('@') || word.contains(outside) {
        return false;
    }
    let named = word
        .split('/')
        .any(|name| name.contains(char::is_alphabetic));
    let name = word.rsplit('/').next().unwrap_or_default();
    let extension = name.rsplit_once('.').is_some_and(|(stem, extension)| {
        !stem.is_empty()
            && (1..=EXTENSION_CHARS_MAX).contains(&extension.len())
            && extension.starts_with(|c: char| c.is_ascii_alphabetic())
            && extension.bytes().all(|c| c.is_ascii_alphanumeric())
    });
    named && (word.contains('/') || extension)
}

/// Returns the longest runs of characters that fit.
fn runs(text: &str, fits: impl Fn(char) -> bool) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for (at, c) in text.char_indices().filter(|(_, c)| fits(*c)) {
        let end = at + c.len_utf8();
        match found.last_mut() {
            Some(last) if last.end == at => last.end = end,
            Some(_) | None => found.push(at..end),
        }
    }
    found
}
