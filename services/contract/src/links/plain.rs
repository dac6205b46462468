//! Folds the spellings of a text into one: compatibility forms, case, other dots, hidden characters and encodings.

use diagnostic::is_hidden;
use unicode_general_category::{GeneralCategory, get_general_category};
use unicode_normalization::UnicodeNormalization as _;

/// Most layers of encoding that are read.
const LAYERS_MAX: usize = 3;
/// Most characters of a reference such as `&period;`, without `&`.
const REFERENCE_CHARS_MAX: usize = 8;
/// References to characters by name.
const NAMED: [(&str, char); 5] = [
    ("period", '.'),
    ("commat", '@'),
    ("colon", ':'),
    ("sol", '/'),
    ("hyphen", '-'),
];
/// Spellings of a dot or an at sign that people write against filters.
const SPELLED: [(&str, &str); 15] = [
    ("[.]", "."),
    ("(.)", "."),
    ("{.}", "."),
    ("[dot]", "."),
    ("(dot)", "."),
    ("{dot}", "."),
    ("_dot_", "."),
    ("-dot-", "."),
    (" dot ", "."),
    ("[at]", "@"),
    ("(at)", "@"),
    ("{at}", "@"),
    ("[@]", "@"),
    (" . ", "."),
    (" .", "."),
];

/// Folds a text for the search; the result is in small letters, with single blanks.
pub(super) fn folded(text: &str) -> String {
    let visible = text.nfkc().filter(|c| c.is_whitespace() || !is_hidden(*c));
    let visible: String = visible.filter(|c| !is_mark(*c)).collect();
    let letters = decoded(visible);
    let mut plain = String::with_capacity(letters.len());
    for word in letters.split_whitespace() {
        if !plain.is_empty() {
            plain.push(' ');
        }
        plain.extend(word.chars().map(usual).flat_map(char::to_lowercase));
    }
    for (spelled, meant) in SPELLED {
        if plain.contains(spelled) {
            let apart = format!(" {spelled} ");
            plain = plain.replace(&apart, meant).replace(spelled, meant);
        }
    }
    plain
}

/// Returns the usual character for one that looks like it.
fn usual(c: char) -> char {
    match c {
        '\u{b7}' | '\u{6d4}' | '\u{701}' | '\u{702}' | '\u{2022}' | '\u{2024}' | '\u{2027}'
        | '\u{2219}' | '\u{22c5}' | '\u{3002}' | '\u{30fb}' | '\u{a4f8}' | '\u{a60e}'
        | '\u{fe52}' | '\u{ff61}' => '.',
        '\u{fe6b}' => '@',
        '\u{2044}' | '\u{2215}' | '\u{29f8}' => '/',
        '\u{2236}' | '\u{a789}' => ':',
        _ => c,
    }
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

/// Decodes `%2E` and `&#46;`, also in several layers.
fn decoded(mut text: String) -> String {
    for _ in 0..LAYERS_MAX {
        if !text.contains(['%', '&']) {
            break;
        }
        text = decode(&text);
    }
    text
}

fn decode(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let found = match c {
            '%' => percent(rest),
            '&' => reference(rest),
            _ => None,
        };
        let (meant, length) = found.unwrap_or((c, c.len_utf8()));
        plain.push(meant);
        rest = rest.get(length..).unwrap_or_default();
    }
    plain
}

/// Reads `%2E` at the beginning of a text: the character and the bytes that it takes.
fn percent(text: &str) -> Option<(char, usize)> {
    let digits = text.get(1..3)?;
    let code = u8::from_str_radix(digits, 16).ok()?;
    let c = char::from(code);
    c.is_ascii_graphic().then_some((c, 3))
}

/// Reads `&#46;`, `&#x2e;` or `&period;` at the beginning of a text: the character and the bytes that it takes.
fn reference(text: &str) -> Option<(char, usize)> {
    let inner = text.strip_prefix('&')?;
    let (name, _) = inner.split_once(';')?;
    if name.chars().count() > REFERENCE_CHARS_MAX {
        return None;
    }
    let length = name.len() + 2;
    let named = || NAMED.iter().find(|(one, _)| one.eq_ignore_ascii_case(name));
    let Some(number) = name.strip_prefix('#') else {
        return named().map(|(_, c)| (*c, length));
    };
    let code = match number.strip_prefix(['x', 'X']) {
        Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16),
        None => number.parse(),
    };
    let c = char::from_u32(code.ok()?)?;
    Some((c, length))
}
