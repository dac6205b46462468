//! Property tests of values in the owner's words: parts of values, other values and negated values are never granted,
//! and a role only narrows.

use std::sync::LazyLock;

use contract::{Call, Catalogue, Contract, Record, Verdict, decide};
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};
use serde_json::{Map, Value, json};

use crate::view;

static TOOLS: LazyLock<Catalogue> = LazyLock::new(crate::tools);
static PLAIN: LazyLock<Contract> = LazyLock::new(|| bound("{ from = \"task\" }"));
static EMAIL: LazyLock<Contract> = LazyLock::new(|| bound("{ from = { task = \"email\" } }"));

/// A contract about the recipient of a message.
fn bound(to: &str) -> Contract {
    let rule = format!(
        "[[allow]]\ntool = \"mail.send\"\nwhere.to = {to}\nwhere.body = \"b\"\nonly = true\n"
    );
    crate::contract(&rule, &TOOLS)
}

const ADDRESSES: [&str; 6] = [
    "ann@x.example",
    "o'brien@x.example",
    "bob+cat@mail.x.example",
    "d.e-f@x-y.example",
    "jo@z.example",
    "mallory@evil.example",
];
const LINKS: [&str; 6] = [" and ", ", ", " or ", " & ", "; ", " plus "];
const NEGATIONS: [&str; 10] = [
    "Do not write to ",
    "Never send anything to ",
    "Please don't tell ",
    "Write to nobody except ",
    "Write to everyone but not to ",
    "Ignore ",
    "Schreibe nicht an ",
    "Instead of ",
    "Without ",
    "There must be no copy for ",
];

/// Ranks the verdict on a message: refused, asked about, granted.
fn rank(contract: &Contract, words: &str, to: &str, untrusted: bool) -> u8 {
    let mut record = Record::new("session", Some(words.to_owned()));
    if untrusted {
        let started = record.start(
            "note.read",
            Map::new(),
            (TOOLS.get("note.read").unwrap().output(), true),
        );
        record.succeed(&started, Some(Value::from("read")));
    }
    let args = json!({"to": to, "body": "b"}).to_string();
    let args = args.as_bytes();
    let tool = "mail.send";
    match decide(contract, &TOOLS, &view(0, &record), &Call { tool, args }) {
        Verdict::Refused { .. } => 0,
        Verdict::Ask { .. } => 1,
        Verdict::Granted { .. } => 2,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn part_of_an_address_is_never_named(
        address in select(&ADDRESSES[..]), from in any::<Index>(), to in any::<Index>(),
        around in select(vec![("Write to ", "."), ("(", ")"), ("'", "'"), ("To:", "\n"), ("", "")]),
    ) {
        let words = format!("{}{address}{}", around.0, around.1);
        let (from, to) = (from.index(address.len()), 1 + to.index(address.len()));
        prop_assume!(from < to);
        let part = &address[from..to];
        let found = rank(&PLAIN, &words, part, false);
        prop_assert_eq!(found == 2, part == address, "{}", part);
    }

    #[test]
    fn after_untrusted_data_only_the_one_address_of_the_words_is_granted(
        named in subsequence(&ADDRESSES[..], 1..4), links in proptest::collection::vec(select(&LINKS[..]), 4),
        asked in select(&ADDRESSES[..]),
    ) {
        let mut words = "Write to ".to_owned();
        for (at, address) in named.iter().enumerate() {
            words.push_str(if at == 0 { "" } else { links[at] });
            words.push_str(address);
        }
        for contract in [&*PLAIN, &*EMAIL] {
            let expected = if !named.contains(&asked) { 0 } else if named.len() == 1 { 2 } else { 1 };
            prop_assert_eq!(rank(contract, &words, asked, true), expected, "{}", words);
            prop_assert_eq!(rank(contract, &words, asked, false) == 2, named.contains(&asked), "{}", words);
        }
    }

    #[test]
    fn negated_address_is_asked_about_and_in_a_role_refused(
        negation in select(&NEGATIONS[..]), address in select(&ADDRESSES[..]), rest in select(vec!["", ".", " today", ", please"]),
    ) {
        let words = format!("Answer jane@x.example. {negation}{address}{rest}");
        prop_assert_eq!(rank(&PLAIN, &words, address, false), 1, "{}", words);
        prop_assert_eq!(rank(&EMAIL, &words, address, false), 0, "{}", words);
        prop_assert_eq!(rank(&EMAIL, &words, "jane@x.example", true), 2, "{}", words);
    }

    #[test]
    fn role_only_narrows_and_any_text_is_answered(
        words in "[ -~\\n]{0,60}|\\PC{0,60}", address in select(&ADDRESSES[..]), at in any::<Index>(), value in "\\PC{0,12}",
    ) {
        let places: Vec<usize> = words.char_indices().map(|(at, _)| at).chain([words.len()]).collect();
        let (before, after) = words.split_at(places[at.index(places.len())]);
        let words = format!("{before}{address}{after}");
        for value in [address, &value] {
            for untrusted in [false, true] {
                let (plain, role) = (rank(&PLAIN, &words, value, untrusted), rank(&EMAIL, &words, value, untrusted));
                prop_assert!(role <= plain, "{:?} {:?}", words, value);
            }
        }
    }
}
