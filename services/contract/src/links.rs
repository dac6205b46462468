//! Finds links, addresses and account numbers in free text, also in other spellings.

mod plain;

use std::fmt;

use serde_json::Value;

use self::plain::folded;
use crate::when::When;

/// The least digits of an account, card or telephone number.
const ACCOUNT_DIGITS_MIN: usize = 9;
/// The least length of a mixed word that is an account, a wallet or a key.
const MIXED_CHARS_MIN: usize = 16;
/// The least digits of such a word.
const MIXED_DIGITS_MIN: usize = 4;
/// The shortest IBAN, without blanks.
const IBAN_CHARS_MIN: usize = 15;
/// The least length of a scheme that is also found at the end of a longer word.
const SCHEME_BYTES_JOINED: usize = 6;
/// Schemes of which a name behind the colon is enough.
const SCHEMES: [&str; 35] = [
    "http",
    "https",
    "hxxp",
    "hxxps",
    "ftp",
    "ftps",
    "sftp",
    "ssh",
    "file",
    "ws",
    "wss",
    "mailto",
    "tel",
    "callto",
    "sms",
    "sip",
    "sips",
    "xmpp",
    "skype",
    "facetime",
    "whatsapp",
    "tg",
    "matrix",
    "data",
    "blob",
    "javascript",
    "vbscript",
    "intent",
    "magnet",
    "bitcoin",
    "ethereum",
    "irc",
    "ircs",
    "ldap",
    "smb",
];

/// The part of a text by which it leads somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carried {
    /// A URL, a host name or an IP address.
    Link,
    /// An e-mail address or an account name such as `@name`.
    Address,
    /// A number or a word that can name an account, a card, a telephone, a wallet or a key.
    AccountNumber,
}

impl fmt::Display for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Link => "a link",
            Self::Address => "an address",
            Self::AccountNumber => "an account number",
        })
    }
}

/// Finds the first link, address or account number in the texts and numbers of a value, names of fields included. The
/// items of a list are also read one after the other as one text.
pub(crate) fn carried(value: &Value) -> Option<Carried> {
    match value {
        Value::Null | Value::Bool(_) => None,
        Value::Number(number) => in_text(&number.to_string()),
        Value::String(text) => in_text(text),
        Value::Array(items) => items
            .iter()
            .find_map(carried)
            .or_else(|| in_all(items.iter())),
        Value::Object(map) => map
            .iter()
            .find_map(|(name, value)| in_text(name).or_else(|| carried(value)))
            .or_else(|| in_all(map.values())),
    }
}

/// Finds the first link, address or account number that goes over several values.
pub(crate) fn in_all<'v>(values: impl Iterator<Item = &'v Value>) -> Option<Carried> {
    let mut texts = Vec::new();
    values.for_each(|value| add_texts(value, &mut texts));
    (texts.len() > 1).then(|| in_text(&texts.join(" ")))?
}

fn add_texts(value: &Value, to: &mut Vec<String>) {
    match value {
        Value::Null | Value::Bool(_) => {}
        Value::Number(number) => to.push(number.to_string()),
        Value::String(text) => to.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| add_texts(item, to)),
        Value::Object(map) => map.values().for_each(|item| add_texts(item, to)),
    }
}

/// Finds the first link, address or account number of a text.
pub(crate) fn in_text(text: &str) -> Option<Carried> {
    let plain = folded(text);
    let words = || plain.split(|c: char| c.is_whitespace() || "<>\"`,;|".contains(c));
    let link = words().find_map(in_word);
    link.or_else(|| has_account_number(&plain).then_some(Carried::AccountNumber))
}

fn in_word(word: &str) -> Option<Carried> {
    let word = word.trim_matches(|c: char| "()[]{}'!?.*_~".contains(c));
    let mut colons = word.match_indices(':').map(|(at, _)| word.split_at(at));
    if word.contains("//") || colons.any(|(before, rest)| has_scheme(before, rest)) {
        return Some(Carried::Link);
    }
    if let Some((_, after)) = word.split_once('@')
        && after.starts_with(char::is_alphanumeric)
    {
        return Some(Carried::Address);
    }
    let mut names = word.split(|c: char| !(c.is_alphanumeric() || matches!(c, '.' | '-' | '_')));
    (names.any(is_host) || has_ipv6(word)).then_some(Carried::Link)
}

/// Returns true if a colon, at the beginning of `rest`, ends the scheme of a link.
fn has_scheme(before: &str, rest: &str) -> bool {
    let rest = rest.trim_start_matches(':');
    let scheme = before.rsplit(|c: char| !c.is_ascii_alphanumeric()).next();
    let ends_known =
        |scheme: &str, known: &str| known.len() >= SCHEME_BYTES_JOINED && scheme.ends_with(known);
    let is_known = scheme.is_some_and(|scheme| {
        let mut known = SCHEMES.iter();
        known.any(|known| scheme == *known || ends_known(scheme, known))
    });
    rest.starts_with("\\\\") || (is_known && !rest.is_empty())
}

/// Returns true for names with a last label of letters, such as `acme.io`, and for IPv4 addresses.
fn is_host(name: &str) -> bool {
    let labels: Vec<&str> = name.split('.').collect();
    let Some((last, others)) = labels.split_last() else {
        return false;
    };
    let is_label = |label: &&str| {
        !label.is_empty()
            && label
                .chars()
                .all(|c| c.is_alphanumeric() || c == '-' || c == '_')
    };
    if others.is_empty() || !labels.iter().all(is_label) {
        return false;
    }
    let is_top = last.chars().count() >= 2 && last.chars().all(|c| c.is_alphabetic() || c == '-')
        || last.starts_with("xn--");
    let is_number = |label: &&str| label.len() <= 3 && label.parse::<u8>().is_ok();
    is_top || (labels.len() == 4 && labels.iter().all(is_number))
}

fn has_ipv6(word: &str) -> bool {
    let mut pieces = word.split(|c: char| !(c.is_alphanumeric() || matches!(c, ':' | '.')));
    pieces
        .any(|piece| piece.matches(':').count() >= 2 && piece.parse::<std::net::Ipv6Addr>().is_ok())
}

/// Returns true if the text has an IBAN, a long number, or a long word of letters and digits. Dates are not numbers.
fn has_account_number(text: &str) -> bool {
    let mut digits = 0;
    let mut iban = String::new();
    for word in text.split_whitespace() {
        let word = word.trim_matches(|c: char| !c.is_alphanumeric() && c != '+');
        let is_numeric = word.chars().all(|c| c.is_numeric() || "+-./()".contains(c));
        if word.is_empty() || (is_numeric && When::new(word).is_some()) {
            digits = 0;
            iban.clear();
            continue;
        }
        digits = if is_numeric {
            digits + count_digits(word)
        } else {
            0
        };
        let plain: String = word.chars().filter(|c| c.is_alphanumeric()).collect();
        if starts_iban(&plain) {
            iban.clone_from(&plain);
        } else if !iban.is_empty() && plain.len() <= 4 {
            iban.push_str(&plain);
        } else {
            iban.clear();
        }
        let is_iban = iban.len() >= IBAN_CHARS_MIN && starts_iban(&iban);
        if digits >= ACCOUNT_DIGITS_MIN || is_iban || is_mixed(&plain) {
            return true;
        }
    }
    false
}

fn starts_iban(word: &str) -> bool {
    let mut chars = word.chars();
    let mut next = |fits: fn(char) -> bool| chars.next().is_some_and(fits);
    let letter = |c: char| c.is_ascii_alphabetic();
    let digit = |c: char| c.is_ascii_digit();
    next(letter) && next(letter) && next(digit) && next(digit)
}

fn is_mixed(word: &str) -> bool {
    let letters = word.chars().filter(|c| c.is_alphabetic()).count();
    let digits = count_digits(word);
    word.chars().count() >= MIXED_CHARS_MIN && letters > 0 && digits >= MIXED_DIGITS_MIN
        || digits >= ACCOUNT_DIGITS_MIN
}

fn count_digits(word: &str) -> usize {
    word.chars().filter(|c| c.is_numeric()).count()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Carried, carried, in_text};

    #[test]
    fn parts_of_one_value_are_read_together() {
        let parted = [
            json!(["4111 1111", "1111 1111"]),
            json!(["DE89 3704 0044", ["0532 0130 00"]]),
            json!({"a": "4111 1111", "b": {"c": 11_111_111}}),
            json!(4_111_111_111_111_111_u64),
        ];
        for value in parted {
            assert_eq!(carried(&value), Some(Carried::AccountNumber), "{value}");
        }
        assert_eq!(carried(&json!(["at acme", ".io"])), Some(Carried::Link));
        let plain = json!({"lines": ["We moved.", "All is fine."], "room": 4, "amount": 1250.5});
        assert_eq!(carried(&plain), None);
    }

    #[test]
    fn other_spellings_are_found() {
        let link = [
            "see https://x.example/a",
            "acme-sso.io/login",
            "WWW.Acme.Com",
            "go to acme\u{ff0e}io now",
            "acme\u{3002}io",
            "hxxp://evil",
            "ftp://a",
            "acme[.]io",
            "acme (dot) io",
            "acme dot io",
            "10.0.0.1",
            "[2001:db8::1]",
            "[text](evil.example)",
            "ac\u{200b}me.i\u{200b}o",
            "javascript:alert",
            "pleaseTlookTjavascript:alert()",
            "//evil/x",
            "see:evil.example/a?b",
            "\u{430}cme.com",
            "münchen.de",
            "acme.io's",
            "acme.io\u{2019}s page",
            "acme.io\u{2014}now",
            "acme.io+now",
            "acme\u{a4f8}io",
            "acme\u{fe12}io",
            "acme\u{2027}io",
            "acme\ndot\nio",
            "acme . io",
            "acme .io",
            "acme%2Eio",
            "acme%252eio",
            "%61cme%2eio",
            "acme&#46;io",
            "acme&#x2E;io",
            "acme&period;io",
            "\u{939}\u{93f}\u{928}\u{94d}\u{926}\u{940}.example",
            "a\u{20dd}cme.io",
            "see:https://acme/a",
            "HTTPS:\\\\acme\\a",
            "https:/acme",
            "https:acme",
            "see:data:text/html,x",
            "bitcoin:acme",
            "ip=2001:db8::1",
            "[2001:db8::1]:80",
            "xn--mnchen-3ya.xn--p1ai",
        ];
        for text in link {
            assert_eq!(in_text(text), Some(Carried::Link), "{text}");
        }
        for text in [
            "to ann@x.example",
            "ann (at) x.example",
            "ann\u{ff20}x",
            "follow @mallory",
            "a[at]b",
        ] {
            assert_eq!(in_text(text), Some(Carried::Address), "{text}");
        }
    }

    #[test]
    fn account_numbers_are_found() {
        let account = [
            "DE89 3704 0044 0532 0130 00",
            "pay to de89370400440532013000.",
            "4111 1111 1111 1111",
            "+49 170 1234567",
            "0x52908400098527886E0F7030069857D2E4169EE7",
            "bc1qar0srrr7xfkvy5l643",
            "(030) 123-45-67-8",
        ];
        for text in account {
            assert_eq!(in_text(text), Some(Carried::AccountNumber), "{text}");
        }
    }

    #[test]
    fn plain_sentences_carry_nothing() {
        let plain = [
            "Friday is fine. See you at 10:45!",
            "We meet on 2026-05-04 at 10:00, e.g. in room 4.",
            "It costs EUR 1,250.00 (net).",
            "Order 12345678 is on its way.",
            "Version 2.0.1, i.e. the third",
            "either/or, 3/4, a:b, \"quoted\"; it's well-known",
            "Hello,\nthanks for your message.\n\nBest\nAnn",
            "the U.S. team",
            "100% sure; 5% off, R&D, AT&T; & so on",
            "Note: data: none, file: none",
            "wait ... what",
            "at 5 pm",
        ];
        for text in plain {
            assert_eq!(in_text(text), None, "{text}");
        }
    }
}
