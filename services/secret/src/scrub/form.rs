//! The escaped forms of a text, character by character: percent, JSON, HTML, shell and others, freely mixed.

use std::fmt::Write as _;

use super::found::Found;

/// Returns what the beginning of `text` has of `value`, each of whose characters may be plain or escaped.
pub(super) fn escaped(value: &str, text: &[u8]) -> Found {
    let mut places = vec![0];
    let mut more = false;
    let mut form = String::new();
    for c in value.chars() {
        let mut next = Vec::new();
        for place in places {
            let rest = text.get(place..).unwrap_or_default();
            if rest.is_empty() {
                more = true;
                continue;
            }
            forms(
                c,
                &mut form,
                &mut |form, exact| match begins(rest, form, exact) {
                    Found::Bytes(len) if !next.contains(&(place + len)) => next.push(place + len),
                    Found::Bytes(_) | Found::No => {}
                    Found::More => more = true,
                },
            );
        }
        if next.is_empty() {
            return if more { Found::More } else { Found::No };
        }
        places = next;
    }
    places.into_iter().max().map_or(Found::No, Found::Bytes)
}

/// Calls `tell` with each form of a character; true if upper and lower case differ in it.
fn forms(c: char, form: &mut String, tell: &mut impl FnMut(&str, bool)) {
    let mut said = |exact: bool, write: &dyn Fn(&mut String)| {
        form.clear();
        write(form);
        tell(form, exact);
    };
    said(true, &|to| to.push(c));
    if c.is_ascii() {
        said(true, &|to| to.extend(['\\', c]));
        said(true, &|to| to.extend(['\\', '\\', c]));
        said(true, &|to| to.extend(['\\', '\\', '\\', c]));
        said(true, &|to| to.extend(['\0', c]));
        said(true, &|to| to.extend([c, '\0']));
    }
    if c == ' ' {
        said(true, &|to| to.push('+'));
    }
    let (mut utf8, mut utf16) = ([0; 4], [0; 2]);
    let utf8 = c.encode_utf8(&mut utf8).as_bytes();
    let utf16 = c.encode_utf16(&mut utf16);
    for before in ["%", "%25", "=", "\\x", "\\\\x"] {
        said(false, &|to| {
            for byte in utf8 {
                // Into a string, which never fails.
                write!(to, "{before}{byte:02x}").ok();
            }
        });
    }
    for before in ["\\u", "\\\\u"] {
        said(false, &|to| {
            for unit in &*utf16 {
                write!(to, "{before}{unit:04x}").ok();
            }
        });
    }
    let code = u32::from(c);
    said(false, &|to| {
        write!(to, "&#{code};").ok();
    });
    said(false, &|to| {
        write!(to, "&#x{code:x};").ok();
    });
    let named = match c {
        '&' => "&amp;",
        '<' => "&lt;",
        '>' => "&gt;",
        '"' => "&quot;",
        '\'' => "&apos;",
        _ => return,
    };
    said(false, &|to| to.push_str(named));
}

/// Compares the beginning of a text with a form.
fn begins(text: &[u8], form: &str, exact: bool) -> Found {
    let form = form.as_bytes();
    let len = form.len().min(text.len());
    let (start, wanted) = (text.get(..len), form.get(..len));
    let same = start.zip(wanted).is_some_and(|(start, wanted)| {
        start == wanted || !exact && start.eq_ignore_ascii_case(wanted)
    });
    match (same, len == form.len()) {
        (false, _) => Found::No,
        (true, true) => Found::Bytes(len),
        (true, false) => Found::More,
    }
}
