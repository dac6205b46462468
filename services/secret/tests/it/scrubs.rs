//! Tests that the scrubber finds values in each encoding, at each alignment and across each border.

use std::fmt::Write as _;

use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, proptest};
use secret::Scrubber;

use crate::given::name;

const VALUE: &str = "sk-ant \"api\\03/Zq+9=%&x~é€";

fn scrubber(value: &str) -> Scrubber {
    Scrubber::new(&name("crm"), &[value])
}

/// Base64 of the standard alphabet, with padding.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for part in bytes.chunks(3) {
        let all = part
            .iter()
            .fold(0_u32, |all, byte| all << 8 | u32::from(*byte));
        let all = all << (8 * (3 - part.len()));
        for n in 0..4 {
            let digit = DIGITS[(all >> (18 - 6 * n) & 63) as usize];
            text.push(if n > part.len() {
                '='
            } else {
                char::from(digit)
            });
        }
    }
    text
}

fn percent(text: &str) -> String {
    text.bytes().fold(String::new(), |mut all, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            all.push(char::from(byte));
        } else {
            write!(all, "%{byte:02X}").unwrap();
        }
        all
    })
}

fn each_byte(text: &str, before: &str, after: &str) -> String {
    text.bytes().fold(String::new(), |mut all, byte| {
        write!(all, "{before}{byte:02x}{after}").unwrap();
        all
    })
}

fn json(text: &str) -> String {
    let quoted = serde_json::to_string(text).unwrap();
    quoted[1..quoted.len() - 1].to_owned()
}

fn unicode(text: &str) -> String {
    text.encode_utf16().fold(String::new(), |mut all, unit| {
        write!(all, "\\u{unit:04x}").unwrap();
        all
    })
}

fn html(text: &str) -> String {
    text.chars().fold(String::new(), |mut all, c| {
        write!(all, "&#{};", u32::from(c)).unwrap();
        all
    })
}

/// The value in each encoding but base64.
fn encodings(value: &str) -> Vec<String> {
    let hex = each_byte(value, "", "");
    vec![
        value.to_owned(),
        hex.to_uppercase(),
        hex,
        percent(value),
        percent(&percent(value)),
        each_byte(value, "%", ""),
        percent(value).replace("%20", "+"),
        json(value),
        json(&json(value)),
        json(value).replace('/', "\\/"),
        unicode(value),
        unicode(value).to_uppercase().replace("\\U", "\\u"),
        html(value),
        value
            .replace('&', "&amp;")
            .replace('"', "&quot;")
            .replace('<', "&lt;"),
        each_byte(value, "=", ""),
        each_byte(value, "\\x", ""),
    ]
}

#[test]
fn each_encoding_is_found() {
    for text in encodings(VALUE) {
        let mut scrubber = scrubber(VALUE);
        let around = format!("<a>{text}</a>");
        assert_eq!(scrubber.text(&around), "<a>[secret crm]</a>", "{text}");
        assert_eq!(scrubber.hits(), 1);
    }
    let mixed = "&#115;k-ant%20\\\"\\u0061pi\\\\03%2FZq+9%3d%25%26x~\\u00e9€";
    let mut scrubber = scrubber(VALUE);
    assert_eq!(scrubber.text(mixed), "[secret crm]");
}

#[test]
fn base64_is_found_at_each_alignment() {
    for before in 0..7 {
        for after in 0..4 {
            let bytes = [
                &vec![b'>'; before][..],
                VALUE.as_bytes(),
                &vec![b'?'; after],
            ]
            .concat();
            let standard = base64(&bytes);
            let url = standard
                .replace('+', "-")
                .replace('/', "_")
                .replace('=', "");
            for text in [standard, url] {
                let mut scrubber = scrubber(VALUE);
                let scrubbed = scrubber.text(&text);
                assert_eq!(scrubber.hits(), 1, "{before} {after} {text}");
                // Only digits stay that have no bit of the value.
                let (start, end) = scrubbed.split_once("[secret crm]").unwrap();
                assert_eq!(start, &text[..before * 8 / 6], "{before} {after}");
                let kept = (before + VALUE.len()) * 8;
                assert_eq!(end, &text[kept.div_ceil(6)..], "{before} {after}");
            }
        }
    }
}

#[test]
fn other_texts_stay_as_they_are() {
    for text in [
        "",
        "sk-ant \"api\\03/Zq+9=%&x~",
        "a%zz%",
        "\\u00",
        "sk-sk-sk-ant",
        "{\"a\":[1,2,{}]}",
        "c2stYW50",
    ] {
        let mut scrubber = scrubber(VALUE);
        assert_eq!(scrubber.text(text), text);
        assert_eq!(scrubber.hits(), 0);
    }
}

#[test]
fn bytes_wait_only_where_a_value_may_have_begun() {
    let mut scrubber = scrubber("the value of a secret");
    assert_eq!(scrubber.push(b"hello. "), b"hello. ");
    assert_eq!(scrubber.push(b"! the val"), b"! ");
    assert_eq!(scrubber.push(b"ley"), b"the valley");
    assert_eq!(scrubber.push(b"! the value of a secre"), b"! ");
    assert_eq!(scrubber.push(b"t!"), b"[secret crm]!");
    assert_eq!(scrubber.push(b" the value"), b" ");
    assert_eq!(scrubber.end(), b"the value");
    assert_eq!(scrubber.hits(), 1);
}

#[test]
fn each_border_of_each_encoding_is_no_way_out() {
    let before = format!("{{\"{VALUE}x");
    let aligned = (0..3).map(|n| base64(format!("{}{VALUE}", &"..."[..n]).as_bytes()));
    for text in encodings(VALUE).into_iter().chain(aligned) {
        let whole = format!("..{text}! {}", &before[..4]);
        let bytes = whole.as_bytes();
        let expected = scrubber(VALUE).text(&whole);
        for at in 0..=bytes.len() {
            let mut scrubber = scrubber(VALUE);
            let mut scrubbed = scrubber.push(&bytes[..at]);
            scrubbed.extend(scrubber.push(&bytes[at..]));
            scrubbed.extend(scrubber.end());
            assert_eq!(
                String::from_utf8_lossy(&scrubbed),
                expected,
                "{at} of {text}"
            );
            assert_eq!(scrubber.hits(), 1);
        }
    }
}

fn values() -> impl Strategy<Value = String> {
    "[!-~é€😀][ -~é€😀]{6,40}[!-~é€😀]"
}

proptest! {
    #[test]
    fn no_encoding_in_any_pieces_lets_a_value_through(
        value in values(), before in "[a-z{\",: ]{0,9}", which in any::<usize>(), sizes in proptest::collection::vec(1_usize..9, 1..9),
    ) {
        let mut texts = encodings(&value);
        texts.extend((0..3).map(|n| base64(format!("{}{value}", &"..."[..n]).as_bytes())));
        let text = &texts[which % texts.len()];
        let whole = format!("{before}\n{text}\n");
        let mut scrubber = scrubber(&value);
        let mut scrubbed = Vec::new();
        let (mut rest, mut sizes) = (whole.as_bytes(), sizes.iter().cycle());
        while !rest.is_empty() {
            let size = (*sizes.next().unwrap()).min(rest.len());
            scrubbed.extend(scrubber.push(&rest[..size]));
            rest = &rest[size..];
        }
        scrubbed.extend(scrubber.end());
        let scrubbed = String::from_utf8_lossy(&scrubbed).into_owned();
        prop_assert!(scrubber.hits() >= 1, "{}", whole);
        prop_assert!(!scrubbed.contains(text.as_str()), "{}", scrubbed);
    }

    #[test]
    fn what_has_no_value_is_left_alone(bytes in proptest::collection::vec(any::<u8>(), 0..200), size in 1_usize..20) {
        let mut scrubber = scrubber("a value of more than thirty bytes");
        let mut scrubbed: Vec<u8> = bytes.chunks(size).flat_map(|part| scrubber.push(part)).collect();
        scrubbed.extend(scrubber.end());
        prop_assert_eq!(scrubbed, bytes);
    }
}
