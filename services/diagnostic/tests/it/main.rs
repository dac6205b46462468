//! Tests of the displayed form of diagnostics.

use diagnostic::{
    Diagnostic, Diagnostics, SHOWN_MAX, TYPED_CHARS_MAX, escaped, escaped_lines, is_hidden, nearest,
};

#[test]
fn place_line_caret_and_fix_are_shown() {
    let text = "a = 1\nbäd = tru\n";
    let at = text.find("tru").unwrap();
    let found = Diagnostic::at("c.toml", text, at..at + 3, "not a value", "write `true`");
    assert_eq!((found.line(), found.column()), (2, 7));
    assert_eq!(
        found.to_string(),
        "c.toml:2:7: not a value\n 2 | bäd = tru\n   |       ^^^\nfix: write `true`"
    );
}

#[test]
fn toml_error_keeps_its_place() {
    let text = "x = 1\nx = 2\n";
    let error = toml::from_str::<toml::Table>(text).unwrap_err();
    let found = Diagnostic::from_toml("c.toml", text, &error, "remove one");
    assert_eq!((found.line(), found.column()), (2, 1));
    assert!(found.problem().contains("duplicate key"), "{found}");
}

#[test]
fn control_and_direction_characters_are_escaped() {
    let text = "k = \"\u{1b}[2J\u{202e}\" x";
    let at = text.find('x').unwrap();
    let shown = Diagnostic::at("f\u{7}", text, at..at + 1, "p\u{1b}", "f\u{9b}").to_string();
    assert!(
        !shown.chars().any(|c| c.is_control() && c != '\n'),
        "{shown:?}"
    );
    assert!(shown.contains("\\u{1b}[2J\\u{202e}"));
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines[1].find(" x"), lines[2].find('^').map(|at| at - 1));
}

#[test]
fn what_a_person_does_not_see_is_escaped_wherever_it_stands() {
    let ranges = [
        ('\u{0}', '\u{1f}'),
        ('\u{7f}', '\u{9f}'),
        ('\u{ad}', '\u{ad}'),
        ('\u{34f}', '\u{34f}'),
        ('\u{61c}', '\u{61c}'),
        ('\u{115f}', '\u{1160}'),
        ('\u{17b4}', '\u{17b5}'),
        ('\u{180b}', '\u{180f}'),
        ('\u{200b}', '\u{200f}'),
        ('\u{2028}', '\u{202e}'),
        ('\u{2060}', '\u{206f}'),
        ('\u{2800}', '\u{2800}'),
        ('\u{3164}', '\u{3164}'),
        ('\u{fe00}', '\u{fe0f}'),
        ('\u{feff}', '\u{feff}'),
        ('\u{ffa0}', '\u{ffa0}'),
        ('\u{fff0}', '\u{fffb}'),
        // Numbers, abbreviations and hieroglyphs are arranged by formats, which are no pictures.
        ('\u{600}', '\u{605}'),
        ('\u{6dd}', '\u{6dd}'),
        ('\u{70f}', '\u{70f}'),
        ('\u{8e2}', '\u{8e2}'),
        ('\u{110bd}', '\u{110bd}'),
        ('\u{13430}', '\u{1343f}'),
        ('\u{1bca0}', '\u{1bca3}'),
        ('\u{1d173}', '\u{1d17a}'),
        ('\u{e0000}', '\u{e0fff}'),
        // Private and unassigned.
        ('\u{e000}', '\u{f8ff}'),
        ('\u{378}', '\u{379}'),
        ('\u{ffffe}', '\u{10ffff}'),
    ];
    for (from, to) in ranges {
        for c in from..=to {
            assert!(is_hidden(c), "{c:?}");
            if !matches!(c, '\t' | '\n') {
                let shown = format!("a{}b", c.escape_unicode());
                assert_eq!(escaped(&format!("a{c}b")), shown);
                assert_eq!(escaped_lines(&format!("a{c}b")), shown);
            }
        }
    }
    assert_eq!(escaped("a\tb\nc"), "a b\\u{a}c");
    assert_eq!(escaped_lines("a\tb\nc"), "a\tb\nc");
    let plain = "Grüße, 日本語 العربية עברית ไทย «₩» 👍 e\u{301}";
    assert_eq!(escaped(plain), plain);
}

#[test]
fn any_span_is_accepted() {
    for span in [0..0, 3..99, 99..100, 2..3, 1..1] {
        let found = Diagnostic::at("f", "a\u{e9}\r\n", span, "p", "");
        assert!(found.line() >= 1 && found.column() >= 1);
        assert!(!found.to_string().contains("fix"));
    }
    let end = Diagnostic::at("f", "a\n", 2..2, "p", "");
    assert_eq!((end.line(), end.column()), (2, 1));
}

#[test]
fn span_over_lines_marks_the_first() {
    let shown = Diagnostic::at("f", "ab\r\ncd", 1..6, "p", "").to_string();
    assert_eq!(shown, "f:1:2: p\n 1 | ab\n   |  ^");
}

#[test]
fn long_line_is_cut_around_the_caret() {
    let text = format!("{}HERE{}", "x".repeat(900), "y".repeat(900));
    let shown = Diagnostic::at("f", &text, 900..904, "p", "").to_string();
    assert!(shown.chars().count() < 400);
    let lines: Vec<&str> = shown.lines().collect();
    let column = |line: &str, what: &str| line[..line.find(what).unwrap()].chars().count();
    assert_eq!(column(lines[1], "HERE"), column(lines[2], "^^^^"));
}

#[test]
fn collection_is_sorted_bounded_and_without_repetition() {
    let text = "\n".repeat(40);
    let mut found: Vec<_> = (0..30)
        .rev()
        .map(|at| Diagnostic::at("f", &text, at..at, "p", "f"))
        .collect();
    found.push(found[0].clone());
    let all = Diagnostics::none_in(found).unwrap_err();
    assert_eq!((all.shown().len(), all.hidden()), (SHOWN_MAX, 10));
    assert_eq!(all.shown()[0].line(), 1);
    assert!(all.to_string().ends_with("and 10 more problems"));
    assert_eq!(Diagnostics::none_in(Vec::new()), Ok(()));
}

#[test]
fn lines_sort_as_numbers() {
    let text = "\n".repeat(12);
    let found = [10, 2].map(|at| Diagnostic::at("f", &text, at..at, "p", "f"));
    let all = Diagnostics::none_in(found.to_vec()).unwrap_err();
    assert_eq!(all.shown()[0].line(), 3);
}

#[test]
fn near_names_are_suggested_and_far_ones_not() {
    let known = ["allow", "ask", "deny"];
    assert_eq!(nearest("alow", known), Some("allow"));
    assert_eq!(nearest("Deny", known), Some("deny"));
    assert_eq!(nearest("permit", known), None);
    assert_eq!(nearest("", known), None);
    let long = "a".repeat(TYPED_CHARS_MAX + 1);
    assert_eq!(nearest(&long[1..], [long.as_str()]), Some(long.as_str()));
    assert_eq!(nearest(&long, [long.as_str()]), None);
}
