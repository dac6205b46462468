//! Quotations in a text, and quoted lines.

use std::ops::Range;

use super::edges::is_part;
use super::mention::Mention;

/// Pairs of quotation marks.
const PAIRS: [(char, char); 10] = [
    ('"', '"'),
    ('`', '`'),
    ('\u{201c}', '\u{201d}'),
    ('\u{201e}', '\u{201c}'),
    ('\u{201e}', '\u{201d}'),
    ('\u{ab}', '\u{bb}'),
    ('\u{bb}', '\u{ab}'),
    ('\u{2039}', '\u{203a}'),
    ('\u{2018}', '\u{2019}'),
    ('\'', '\''),
];

/// Returns the places of the contents of quotations, without their marks. An apostrophe within a word is no mark.
pub(super) fn contents(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some((at, open)) = first(text, from, is_opening) {
        let begin = at + open.len_utf8();
        let closes = |c: char| PAIRS.contains(&(open, c));
        let end = first(text, begin, |text, at, c| {
            closes(c) && is_closing(text, at, c)
        });
        match end {
            Some((end, close)) => {
                if end > begin {
                    found.push(begin..end);
                }
                from = end + close.len_utf8();
            }
            None => from = begin,
        }
    }
    found
}

/// Returns the contents of quotations as mentions.
pub(super) fn mentions(text: &str) -> Vec<Mention> {
    let each = contents(text).into_iter();
    each.filter_map(|at| Mention::text(text, at)).collect()
}

/// Returns true if a place is only a part of a quotation, or stands on a line that quotes (`> …`).
pub(super) fn only_quotes(text: &str, at: &Range<usize>) -> bool {
    let line = text.get(..at.start).unwrap_or_default();
    let line = line.rsplit('\n').next().unwrap_or_default();
    let inside = |whole: &Range<usize>| {
        let contains = whole.start <= at.start && at.end <= whole.end;
        contains && !is_all_of(text, whole, at)
    };
    line.trim_start().starts_with('>') || contents(text).iter().any(inside)
}

/// Returns true if the quotation says nothing but this value.
fn is_all_of(text: &str, whole: &Range<usize>, at: &Range<usize>) -> bool {
    let rest = |range: Range<usize>| {
        let rest = text.get(range).unwrap_or_default();
        !rest.chars().any(is_part)
    };
    rest(whole.start..at.start) && rest(at.end..whole.end)
}

fn first(
    text: &str,
    from: usize,
    wanted: impl Fn(&str, usize, char) -> bool,
) -> Option<(usize, char)> {
    let rest = text.get(from..)?.char_indices();
    let mut each = rest.map(|(at, c)| (from + at, c));
    each.find(|(at, c)| wanted(text, *at, *c))
}

fn is_opening(text: &str, at: usize, c: char) -> bool {
    let before = text.get(..at).and_then(|before| before.chars().next_back());
    PAIRS.iter().any(|(open, _)| *open == c) && !before.is_some_and(is_part)
}

fn is_closing(text: &str, at: usize, c: char) -> bool {
    let after = text.get(at + c.len_utf8()..);
    let after = after.and_then(|after| after.chars().next());
    !matches!(c, '\'' | '\u{2019}') || !after.is_some_and(is_part)
}
