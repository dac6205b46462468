//! The sentences of a text.

use std::ops::Range;

/// Words that end with a full stop within a sentence.
const ABBREVIATIONS: [&str; 29] = [
    "incl", "excl", "e.g", "i.e", "etc", "z.b", "d.h", "mr", "mrs", "ms", "dr", "prof", "no", "nr",
    "st", "vs", "bzw", "ca", "inc", "ltd", "co", "jr", "sr", "esp", "approx", "tel", "cf", "usw",
    "u.a",
];

/// Returns the sentence around a place. In doubt it is longer: a line end or a full stop before a small letter does not
/// end it.
pub(super) fn sentence(text: &str, at: &Range<usize>) -> Range<usize> {
    let before = text.get(..at.start).unwrap_or_default();
    let behind = text.get(at.end..).unwrap_or_default();
    let ends = |from: usize, c: char| ends_here(text, from, c);
    let start = before
        .char_indices()
        .rev()
        .find(|(from, c)| ends(*from, *c));
    let start = start.map_or(0, |(from, c)| from + c.len_utf8());
    let end = behind
        .char_indices()
        .map(|(from, c)| (at.end + from, c))
        .find(|(from, c)| ends(*from, *c));
    let end = end.map_or(text.len(), |(from, c)| from + c.len_utf8());
    start..end
}

fn ends_here(text: &str, at: usize, c: char) -> bool {
    let before = text.get(..at).unwrap_or_default();
    let after = text.get(at + c.len_utf8()..).unwrap_or_default();
    match c {
        '\n' => {
            let next = after.trim_start_matches([' ', '\t', '\r']);
            next.starts_with(['\n', '-', '*', '•', '>', '#']) || begins_with_mark(next)
        }
        '!' | '?' => after.is_empty() || after.starts_with(char::is_whitespace),
        '.' => {
            let next = after.trim_start();
            let blank = after.len() > next.len() || next.is_empty();
            let start = before.rfind(|c: char| !c.is_alphanumeric() && c != '.');
            let word = before
                .get(start.map_or(0, |at| at + 1)..)
                .unwrap_or_default();
            let word = word.to_lowercase();
            let short = ABBREVIATIONS.contains(&word.as_str()) || word.chars().count() == 1;
            let short = short && !word.contains(char::is_numeric);
            blank && !short && !next.starts_with(char::is_lowercase)
        }
        _ => false,
    }
}

/// Returns true for `1. …` and `2) …`.
fn begins_with_mark(text: &str) -> bool {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    rest.len() < text.len() && rest.starts_with(['.', ')'])
}

/// Returns the sentence as one line of at most `chars_max` characters around a place.
pub(super) fn passage(text: &str, at: &Range<usize>, chars_max: usize) -> String {
    let whole = sentence(text, at);
    let side = |part: &str, max: usize, from_end: bool| -> String {
        let many = part.chars().count();
        if many <= max {
            return part.to_owned();
        }
        if from_end {
            let kept: String = part.chars().skip(many - max).collect();
            format!("…{kept}")
        } else {
            let kept: String = part.chars().take(max).collect();
            format!("{kept}…")
        }
    };
    let before = text.get(whole.start..at.start).unwrap_or_default();
    let value = text.get(at.clone()).unwrap_or_default();
    let after = text.get(at.end..whole.end).unwrap_or_default();
    let part = chars_max / 3;
    let said = [
        side(before.trim_start(), part, true),
        side(value, part, false),
        side(after.trim_end(), part, false),
    ];
    let words = said.concat();
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}
