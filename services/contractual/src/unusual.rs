//! Finds the parts of arguments that a reader could overlook.

use std::collections::BTreeSet;

use diagnostic::is_hidden;
use unicode_script::{Script, UnicodeScript as _};

/// Most characters that fit on a screen.
const SCREEN_CHARS_MAX: usize = 1000;
/// Most characters of a quoted word.
const WORD_CHARS_MAX: usize = 60;
/// Most different hidden characters that are listed.
const NAMED_MAX: usize = 5;

/// Describes unusual text in the canonical JSON of arguments, on one line; returns none if there is none.
#[must_use]
pub(crate) fn unusual(arguments: &str) -> Option<String> {
    let mut found = Vec::new();
    let hidden: Vec<char> = arguments.chars().filter(|c| is_hidden(*c)).collect();
    match hidden.len() {
        0 => {}
        1 => found.push(format!("an invisible character, {}", named(&hidden))),
        many => found.push(format!("{many} invisible characters, {}", named(&hidden))),
    }
    let (words, escapes) = words(arguments);
    match escapes {
        0 => {}
        1 => found.push("an escape sequence \\u....".to_owned()),
        many => found.push(format!("{many} escape sequences \\u....")),
    }
    for word in words {
        let names: Vec<_> = scripts(&word).into_iter().collect();
        if names.len() > 1 {
            let word: String = word.chars().take(WORD_CHARS_MAX).collect();
            let names = names.join(" and ");
            found.push(format!("a word of several scripts, {names}: {word}"));
            break;
        }
    }
    let chars = arguments.chars().count();
    if chars > SCREEN_CHARS_MAX {
        found.push(format!(
            "{chars} characters, more than a screen shows: read to the end"
        ));
    }
    (!found.is_empty()).then(|| found.join("; "))
}

/// The different hidden characters, as escapes.
fn named(hidden: &[char]) -> String {
    let different: BTreeSet<char> = hidden.iter().copied().collect();
    let names = different.iter().take(NAMED_MAX);
    let mut text = names
        .map(|c| c.escape_unicode().to_string())
        .collect::<Vec<_>>()
        .join(" ");
    if different.len() > NAMED_MAX {
        text.push_str(" and others");
    }
    text
}

/// The words between blanks and quotation marks, and the number of `\u` escapes.
fn words(json: &str) -> (Vec<String>, usize) {
    let (mut words, mut escapes) = (vec![String::new()], 0);
    let mut chars = json.chars();
    while let Some(c) = chars.next() {
        if c == '\\' {
            // A backslash escapes the next character; the digits of a `\u` escape are no word.
            if chars.next() == Some('u') {
                escapes += 1;
                chars.by_ref().take(4).for_each(drop);
            }
        }
        if matches!(c, '\\' | '"') || c.is_whitespace() {
            words.push(String::new());
        } else if let Some(word) = words.last_mut() {
            word.push(c);
        }
    }
    (words, escapes)
}

/// The scripts of all letters; the East Asian ones, which are mixed in writing, count as one.
fn scripts(word: &str) -> BTreeSet<&'static str> {
    const NONE: [Script; 3] = [Script::Common, Script::Inherited, Script::Unknown];
    const TOGETHER: [Script; 5] = [
        Script::Han,
        Script::Hiragana,
        Script::Katakana,
        Script::Bopomofo,
        Script::Hangul,
    ];
    let scripts = word.chars().map(|c| c.script());
    let named = scripts.filter(|script| !NONE.contains(script));
    named
        .map(|script| match TOGETHER.contains(&script) {
            true => "East Asian",
            false => script.full_name(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::unusual;

    #[test]
    fn ordinary_arguments_are_not_unusual() {
        for text in [
            "{}",
            "{\"path\":\"Grüße/report.md\",\"text\":\"# Stock-take\\n\\tTotal: 1 €\\\\u0041\"}",
            "{\"日本\":\"ひらがなとカタカナ、한국\"}",
            "{\"text\":\"Привет\\nмир and αβγ\"}",
        ] {
            assert_eq!(unusual(text), None, "{text}");
        }
        let long = format!("\"{}\"", "é".repeat(998));
        assert_eq!(unusual(&long), None);
    }

    #[test]
    fn what_is_easily_overlooked_is_named() {
        let say = |text: &str| unusual(text).unwrap_or_default();
        assert_eq!(
            say("{\"a\":\"x\u{202e}y\u{e0041}\u{202e}\"}"),
            "3 invisible characters, \\u{202e} \\u{e0041}"
        );
        assert_eq!(
            say("[\"\u{ad}\",\"\\u001b[2J\"]"),
            "an invisible character, \\u{ad}; an escape sequence \\u...."
        );
        assert_eq!(say(r#"["\\\u001b\u0007"]"#), "2 escape sequences \\u....");
        // The first letter is Cyrillic.
        assert_eq!(
            say("{\"to\":\"\u{430}nna@example.org\"}"),
            "a word of several scripts, Cyrillic and Latin: \u{430}nna@example.org"
        );
        let long = format!("\"{}\"", "é".repeat(999));
        assert_eq!(
            say(&long),
            "1001 characters, more than a screen shows: read to the end"
        );
        let many: String = "\u{200b}\u{200c}\u{200d}\u{200e}\u{200f}\u{2060}".into();
        assert!(
            say(&many).ends_with("\\u{200f} and others"),
            "{}",
            say(&many)
        );
    }
}
