//! Property tests of verdicts over contracts that use the whole language: outward calls, labels, origins of values,
//! conditions, money, sums, hours, days and roles.

use std::sync::LazyLock;

use bus_schema::json as strict;
use contract::{
    Allowance, Call, Catalogue, Contract, ContractTotals, Labels, Record, SlotValues, Under,
    Verdict, View, decide,
};
use contract::{Integrity, Secrecy};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value, json};

static TOOLS: LazyLock<Catalogue> = LazyLock::new(crate::tools);

const NOW_MS: i64 = 1_800_000_000_000;
const HEAD: &str = r#"
[limits]
calls = 4
spend = "EUR 90.00"
bytes_out = 200

[limits.day]
messages = 3
spend = "EUR 120.00"

[known.people]
ann = "ann@x.example"
bob = "bob@x.example"

[slots]
recipient = "email"
sum = "number"

[slots.word]
kind = "text"
is = { length = { max = 6 } }
optional = true

[roles.finance]
keys = ["d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"]

[roles.boss]
keys = ["fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025"]
"#;

/// A tool, bounds on its arguments, and its required `spend`.
const ABOUT: [(&str, &[&str], &str); 3] = [
    (
        "mail.send",
        &[
            "where.to = [\"ann@x.example\", \"bob@x.example\"]\n",
            "where.to = { from = \"task\" }\n",
            "where.to = { known = \"people\" }\n",
            "where.to = { known = \"people\", named = \"task\" }\n",
            "where.to = { from = { task = \"email\", after = [\"to\", \"pay\"] } }\n",
            "where.to = { from = { slot = \"recipient\" } }\n",
            "where.body = { from = { slot = \"word\" } }\n",
            "where.to = { from = [{ slot = \"recipient\" }, \"task\"] }\n",
            "where.to = { from = { tool = \"people.search\", field = \"results[].email\" } }\n",
            "where.to = { email = { domain = \"x.example\" } }\n",
            "where.body = [\"hi\", \"no\"]\n",
            "where.body = { length = { max = 2 } }\n",
            "where.to = { one_of = [\"ann@x.example\", { from = \"task\" }] }\n",
            "where.to = { like = [\"ANN@*\", \"*@y.example\"], ignore_case = true }\n",
            "where.to = { from = { tool = \"people.search\", any_value = true } }\n",
            "where.to = { from = { tool = \"people.search\", field = \"results[0]\", keys = true } }\n",
            "where.to = { seen_in = [\"people.search\", \"note.read\"] }\n",
            "where.body = { created_by = { tool = \"people.search\", argument = \"q\" } }\n",
            "where.body = { template = \"h{rest}\", holes = { rest = \"i\" } }\n",
        ],
        "spend = \"nothing\"\n",
    ),
    (
        "pay.send",
        &[
            "where.amount = { max = 40 }\n",
            "where.to = { from = \"task\" }\n",
            "where.amount = { from = { task = \"number\", ignore_case = true } }\n",
            "where.currency = \"EUR\"\n",
            "where.amount = { from = { slot = \"sum\" } }\n",
            "where.note = { optional = true, from = { slot = \"word\" } }\n",
            "where.to = { not = { from = { slot = \"recipient\" } } }\n",
            "where.note = { optional = true, length = { max = 2 } }\n",
            "where.day = { date = { from = \"now\" } }\n",
            "where.note = { optional = true, is = \"hi\" }\n",
            "where.to = { not = [\"eve@y.example\", { from = \"task\" }] }\n",
            "where.day = { at_most = \"until\", plus = \"2d\" }\n",
        ],
        "spend = { argument = \"amount\", currency = { argument = \"currency\" } }\n",
    ),
    (
        "web.post",
        &[
            "where.host = \"x.example\"\n",
            "where.body = { present = false }\n",
            "where.url = { url = { host = \"x.example\" } }\n",
            "where.body = { same_as = \"host\" }\n",
        ],
        "spend = \"nothing\"\n",
    ),
];
const CONDITION: [&str; 7] = [
    "",
    "",
    "when = 'task.calls < 2'\n",
    "when = 'task.integrity == \"trusted\"'\n",
    "when = 'now < datetime(\"2027-01-01T00:00:00Z\")'\n",
    "after = \"people.search\"\n",
    "after = [\"people.search\", \"note.read\"]\n",
];
const PERMIT: [&str; 13] = [
    "",
    "",
    "calls = 1\n",
    "per_hour = { calls = 1 }\n",
    "per_day = { calls = 2 }\n",
    "free = []\n",
    "untrusted = \"refuse\"\n",
    "secret = \"ask\"\n",
    "secrets = [\"purse\"]\n",
    "only = true\n",
    "otherwise = \"ask\"\n",
    "distinct = [\"body\"]\n",
    "only = true\notherwise = \"ask\"\n",
];
const QUESTION: [&str; 8] = [
    "",
    "expires = \"1m\"\n",
    "attended = true\n",
    "verified = true\n",
    "role = \"finance\"\n",
    "role = \"finance\"\nquorum = 2\n",
    "role = \"finance\"\nescalate = { after = \"30s\", role = \"boss\" }\n",
    "role = \"boss\"\n",
];

fn rule(word: &'static str) -> impl Strategy<Value = String> {
    let tool = select(ABOUT.to_vec());
    tool.prop_flat_map(move |(tool, bounds, spend)| {
        let bounds = subsequence(bounds.to_vec(), 0..=2);
        let parts = (
            bounds,
            select(&CONDITION[..]),
            select(&PERMIT[..]),
            select(&QUESTION[..]),
        );
        parts.prop_map(move |(bounds, condition, permit, question)| {
            let mut bounds = bounds;
            bounds.dedup_by_key(|bound| bound.split(' ').next().unwrap().to_owned());
            let bounds = bounds.concat();
            let sum = tool == "pay.send" && permit.starts_with("calls");
            let permit = match word {
                "deny" => "",
                "ask" if permit.contains("otherwise") => "",
                _ if permit.starts_with("distinct") && tool == "pay.send" => "same = [\"to\"]\n",
                _ if bounds.is_empty() && permit.starts_with("otherwise") => "",
                _ if sum => "per_task = { sum = { amount = 60 } }\n",
                _ => permit,
            };
            let spend = if word == "deny" { "" } else { spend };
            let question = match word {
                "ask" => format!("reason = \"{word}\"\n{question}"),
                _ => String::new(),
            };
            let tool = match bounds.len() {
                0 if tool == "web.post" => "effect = \"outward\"\nexcept = [\"cal.create\", \"pay.transfer\", \"list.send\"]".to_owned(),
                0 if tool == "mail.send" => "tools = [\"mail.send\", \"web.*\"]".to_owned(),
                _ => format!("tool = \"{tool}\""),
            };
            format!("[[{word}]]\n{tool}\n{bounds}{condition}{permit}{spend}{question}\n")
        })
    })
}

/// Generates rules, each with a stable name.
fn rules() -> impl Strategy<Value = Vec<String>> {
    let any = prop_oneof![3 => rule("allow"), 2 => rule("ask"), 1 => rule("deny")];
    proptest::collection::vec(any, 1..7).prop_map(|rules| {
        let named = rules.iter().enumerate();
        named
            .map(|(at, rule)| rule.replacen("]]", &format!("]]\nname = \"r{at}\""), 1))
            .collect()
    })
}

fn some(each: Vec<(&'static str, Vec<Value>)>) -> BoxedStrategy<Map<String, Value>> {
    let each: Vec<_> = each
        .into_iter()
        .map(|(name, values)| select(values).prop_map(move |value| (name.to_owned(), value)))
        .collect();
    each.prop_map(|pairs| {
        pairs
            .into_iter()
            .filter(|(_, value)| *value != json!("-"))
            .collect()
    })
    .boxed()
}

fn call() -> impl Strategy<Value = (&'static str, Map<String, Value>)> {
    let to = || {
        vec![
            json!("ann@x.example"),
            json!("bob@x.example"),
            json!("eve@y.example"),
        ]
    };
    let text = || vec![json!("hi"), json!("no"), json!("longer"), json!("-")];
    let mail = some(vec![
        ("to", to()),
        ("body", vec![json!("hi"), json!("longer")]),
    ]);
    let pay = some(vec![
        ("to", to()),
        (
            "amount",
            vec![json!(1), json!(40), json!(40.5), json!(0.001), json!(100)],
        ),
        (
            "currency",
            vec![json!("EUR"), json!("EUR"), json!("USD"), json!("euro")],
        ),
        (
            "note",
            vec![json!("-"), json!(null), json!("hi"), json!("longer")],
        ),
        (
            "day",
            vec![
                json!("-"),
                json!("2027-02-01"),
                json!("2026-01-01"),
                json!("x"),
            ],
        ),
    ]);
    let web = some(vec![
        (
            "host",
            vec![json!("x.example"), json!("y.example"), json!("-")],
        ),
        (
            "url",
            vec![
                json!("-"),
                json!("https://x.example/a"),
                json!("https://y.example/a"),
            ],
        ),
        ("body", text()),
    ]);
    prop_oneof![
        mail.prop_map(|args| ("mail.send", args)),
        pay.prop_map(|args| ("pay.send", args)),
        web.prop_map(|args| ("web.post", args)),
    ]
}

/// The record of the task, and the usage of all tasks of its contract.
#[derive(Debug, Clone)]
struct Past {
    record: Record,
    shared: ContractTotals,
}

fn past() -> impl Strategy<Value = Past> {
    let words = select(vec![
        None,
        Some("Write to ann@x.example"),
        Some("Write to Ann, then to ann@x.example"),
        Some("Pay bob@x.example 40"),
        Some("Write to ann@x.example, never to bob@x.example, and not 40"),
    ]);
    let seen = subsequence(vec!["people.search", "note.read", "t.deep"], 0..=3);
    let used = proptest::collection::vec((0..7_usize, any::<bool>(), 0..3_u64), 0..5);
    let slots = select(vec![
        None,
        Some(json!({})),
        Some(json!({"recipient": "ann@x.example", "sum": 40})),
        Some(json!({"recipient": "eve@y.example", "sum": 40.5, "word": "hi"})),
        Some(json!({"recipient": 40, "sum": "ann@x.example", "word": "longer"})),
    ]);
    (words, slots, seen, used).prop_map(|(words, slots, seen, used)| {
        let mut record = Record::new("session", words.map(str::to_owned));
        record.fill(slots.map(|slots| SlotValues::parse(&strict::canonical(&slots)).unwrap()));
        let mut shared = ContractTotals::default();
        for tool in seen {
            let labels = TOOLS.get(tool).unwrap().output();
            let started = record.start(tool, Map::new(), (labels, true));
            let found = json!({"results": [{"email": "bob@x.example"}]});
            record.succeed(&started, (tool == "people.search").then_some(found));
        }
        for (rule, own, tens) in used {
            let rule = format!("r{rule}").parse().unwrap();
            let mut reserve = Allowance::new(1, 1);
            let minor = tens * 2_000;
            reserve.counts = serde_json::from_value(json!({
                "outward": true, "tokens": 0, "bytes_out": 1,
                "spend": {"currency": "EUR", "minor": minor}, "sums": {"amount": minor * 100},
            }))
            .unwrap();
            let under = Under {
                rule: &rule,
                tool: "mail.send",
            };
            shared.reserve(NOW_MS, under, &reserve);
            if own {
                record.used.reserve(under, &reserve);
                let args =
                    json!({"to": "ann@x.example", "body": if tens == 0 { "hi" } else { "no" }});
                record.take(&rule, args.as_object().cloned().filter(|_| tens < 2));
            }
        }
        Past { record, shared }
    })
}

fn parse(rules: &[String]) -> Contract {
    let none = if rules.is_empty() { "allow = []\n" } else { "" };
    crate::contract(&format!("{none}{HEAD}{}", rules.concat()), &TOOLS)
}

fn verdict(
    rules: &[String],
    past: &Past,
    (tool, args): &(&'static str, Map<String, Value>),
) -> Verdict {
    let view = View {
        now_ms: NOW_MS,
        record: &past.record,
        shared: &past.shared,
    };
    let args = strict::canonical(&args.clone().into());
    decide(&parse(rules), &TOOLS, &view, &Call { tool, args: &args })
}

/// Ranks a verdict by its permission.
fn rank(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::Refused { .. } => 0,
        Verdict::Ask { .. } => 1,
        Verdict::Granted { .. } => 2,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn adding_a_deny_never_allows_more(rules in rules(), deny in rule("deny"), past in past(), call in call()) {
        let before = verdict(&rules, &past, &call);
        let after = verdict(&[rules, vec![deny]].concat(), &past, &call);
        prop_assert!(rank(&after) == 0 || after == before);
    }

    #[test]
    fn removing_an_allow_never_allows_more(rules in rules(), at in any::<prop::sample::Index>(), past in past(), call in call()) {
        let at = at.index(rules.len());
        if rules[at].starts_with("[[allow]]") {
            let before = rank(&verdict(&rules, &past, &call));
            let mut fewer = rules.clone();
            fewer.remove(at);
            prop_assert!(rank(&verdict(&fewer, &past, &call)) <= before);
        }
    }

    #[test]
    fn adding_an_ask_never_grants_more(rules in rules(), ask in rule("ask"), past in past(), call in call()) {
        let before = verdict(&rules, &past, &call);
        let after = verdict(&[rules, vec![ask]].concat(), &past, &call);
        prop_assert!(rank(&after) < 2 || rank(&before) == 2);
    }

    #[test]
    fn nothing_of_a_verdict_follows_from_the_order_of_the_rules(
        (rules, moved) in rules().prop_flat_map(|rules| (Just(rules.clone()), Just(rules).prop_shuffle())),
        past in past(), call in call(),
    ) {
        prop_assert_eq!(verdict(&rules, &past, &call), verdict(&moved, &past, &call));
    }

    #[test]
    fn questions_are_no_weaker_than_any_that_describe_the_call(rules in rules(), past in past(), call in call()) {
        let Verdict::Ask { question, rule, .. } = verdict(&rules, &past, &call) else { return Ok(()) };
        for one in rules.iter().filter(|one| one.starts_with("[[ask]]")) {
            // An ask alone gives its question if it matches and is not spent.
            let Verdict::Ask { question: own, .. } = verdict(std::slice::from_ref(one), &past, &call) else { continue };
            prop_assert_eq!(&question.role, &own.role, "{}", rule);
            prop_assert!(question.quorum >= own.quorum && question.expires_ms <= own.expires_ms);
            prop_assert!(question.attended || !own.attended);
            prop_assert!(question.verified || !own.verified);
            prop_assert!(question.escalate.is_none() || own.escalate.is_some());
        }
    }

    #[test]
    fn labels_never_go_down(steps in proptest::collection::vec((0..2_u8, 0..3_u8, 0..3_u8), 1..20)) {
        let mut record = Record::default();
        let mut before = record.labels();
        for (integrity, secrecy, end) in steps {
            let integrity = [Integrity::Trusted, Integrity::Untrusted][usize::from(integrity)];
            let secrecy = [Secrecy::Public, Secrecy::Private, Secrecy::Secret][usize::from(secrecy)];
            let labels = Labels { integrity, secrecy };
            let started = record.start("t.any", Map::new(), (labels, true));
            match end {
                0 => record.fail(&started),
                1 => record.succeed(&started, None),
                _ => record.erase(&started),
            }
            let after = record.labels();
            prop_assert!(after.integrity >= before.integrity && after.secrecy >= before.secrecy);
            prop_assert!(after.integrity >= integrity && after.secrecy >= secrecy);
            before = after;
        }
    }

    #[test]
    fn spelling_and_order_of_keys_change_nothing(rules in rules(), past in past(), call in call()) {
        let (tool, args) = &call;
        let canonical = strict::canonical(&args.clone().into());
        let each: Vec<String> = args
            .iter()
            .rev()
            .map(|(name, value)| format!(" {} :\t{}", escaped(name), spelled(value)))
            .collect();
        let other = format!("{{{}\n}}", each.join(" ,"));
        let read = strict::parse(other.as_bytes(), 1 << 16).unwrap();
        prop_assert_eq!(&strict::canonical(&read), &canonical);
        let contract = parse(&rules);
        let view = View { now_ms: NOW_MS, record: &past.record, shared: &past.shared };
        let say = |args: &[u8]| decide(&contract, &TOOLS, &view, &Call { tool, args });
        prop_assert_eq!(say(other.as_bytes()), say(&canonical));
    }
}

/// Escapes every character of a text.
fn escaped(text: &str) -> String {
    let units = text.encode_utf16().map(|unit| format!("\\u{unit:04X}"));
    format!("\"{}\"", units.collect::<String>())
}

fn spelled(value: &Value) -> String {
    match value {
        Value::String(text) => escaped(text),
        Value::Number(number) if number.is_i64() => format!("{number}.0e0"),
        Value::Number(number) => format!("{number}0"),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}
