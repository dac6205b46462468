//! Looks for a call that a rule takes, by its own means: if a rule is not reported dead there is one, and if it is there
//! is none.

use std::sync::LazyLock;

use contract::{Call, Catalogue, Contract, Record, SlotValues, Verdict, decide};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::test_runner::RngSeed;
use serde_json::{Map, Value, json};

use crate::view;

/// Schemas of the argument that the rule is about.
const TEXTS: [&str; 8] = [
    r#"{"type": "string"}"#,
    r#"{"type": "string", "minLength": 3}"#,
    r#"{"type": "string", "maxLength": 12}"#,
    r#"{"enum": ["a", "in/a.txt", "b.example"]}"#,
    r#"{"anyOf": [{"type": "string"}, {"type": "null"}]}"#,
    r#"{"anyOf": [{"enum": ["x@a.example"]}, {"type": "null"}]}"#,
    r#"{"const": "a.example"}"#,
    r##"{"$ref": "#/$defs/short"}"##,
];
const NUMBERS: [&str; 5] = [
    r#"{"type": "integer", "minimum": 1, "exclusiveMaximum": 10}"#,
    r#"{"type": "number", "maximum": 2.5}"#,
    r#"{"enum": [1, 2.5, 7]}"#,
    r#"{"type": ["integer", "null"]}"#,
    r#"{"oneOf": [{"type": "integer", "minimum": 5}, {"type": "null"}]}"#,
];
const LISTS: [&str; 4] = [
    r#"{"type": "array", "items": {"type": "string"}}"#,
    r#"{"type": "array", "items": {"enum": ["a", "b"]}, "maxItems": 2}"#,
    r#"{"type": "array", "items": {"type": "string", "maxLength": 1}, "maxItems": 0}"#,
    r#"{"type": "array", "items": {"type": ["string", "null"]}, "minItems": 2}"#,
];
const OBJECTS: [&str; 3] = [
    r#"{"type": "object", "properties": {"email": {"type": "string"}, "name": {"type": ["string", "null"]}}, "required": ["email"]}"#,
    r#"{"type": "object", "properties": {"email": {"enum": ["a"]}, "n": {"type": "integer"}}, "required": ["n"]}"#,
    r#"{"type": "object", "properties": {"email": {"type": "string", "maxLength": 3}}}"#,
];

/// Keys of bounds on a text; at most one of each key is in a table.
const OF_TEXT: [&str; 27] = [
    "prefix = \"in/\"",
    "prefix = \"a\"",
    "prefix = [\"x\", \"b.\"]",
    "prefix = \"http\"",
    "suffix = \".example\"",
    "suffix = \"t\"",
    "suffix = \"/\"",
    "like = \"*a*\"",
    "like = \"b*\"",
    "like = \"*.txt\"",
    "like = \"a\"",
    "length = { max = 0 }",
    "length = { max = 3 }",
    "length = { min = 2, max = 9 }",
    "length = { min = 30 }",
    "email = \"x@a.example\"",
    "email = { domain = \"b.example\" }",
    "host = \"a.example\"",
    "host = \"*.example\"",
    "path = \"in/**\"",
    "path = \"*.txt\"",
    "date = { from = \"2030-01-01\", to = \"2030-01-31\" }",
    "date = { from = \"2030-01-02\", to = \"2030-01-01\" }",
    "optional = true",
    "present = true",
    "not = \"a\"",
    "not = [\"a\", \"in/a.txt\", \"b.example\"]",
];
const WHOLE_TEXT: [&str; 14] = [
    "\"a\"",
    "[\"a\", \"c\"]",
    "\"in/a.txt\"",
    "\"\"",
    "{ present = false }",
    "{ from = { tool = \"s.plain\", field = \"results[].id\" } }",
    "{ from = { tool = \"s.anybody\", field = \"results[].id\" } }",
    "{ from = { tool = \"s.known\", field = \"results[].id\" } }",
    "{ from = { tool = \"s.known\", field = \"results[].size\" } }",
    "{ from = { tool = \"s.known\", field = \"found[].id\" } }",
    "{ from = { tool = \"s.never\", field = \"results[].id\" } }",
    "{ from = { tool = \"s.plain\", argument = \"q\" } }",
    "{ from = { tool = \"s.plain\", argument = \"n\" } }",
    "{ one_of = [\"c\", { prefix = \"in/\" }] }",
];
const OF_NUMBER: [&str; 16] = [
    "1",
    "7",
    "2.5",
    "[0, 11]",
    "{ min = 3 }",
    "{ max = 0 }",
    "{ min = 1.1, max = 1.9 }",
    "{ min = 10 }",
    "{ min = 8, max = 9 }",
    "{ optional = true, min = 100 }",
    "{ present = false }",
    "{ not = 1 }",
    "{ not = [1, 2.5, 7] }",
    "{ from = { tool = \"s.known\", field = \"results[].size\" } }",
    "{ from = { tool = \"s.plain\", argument = \"q\" } }",
    "{ one_of = [{ min = 20 }, { max = -5 }] }",
];
const OF_LIST: [&str; 12] = [
    "{ every = \"a\" }",
    "{ every = [\"a\", \"c\"] }",
    "{ any = \"c\" }",
    "{ any = { prefix = \"b\" } }",
    "{ every = { length = { min = 2 } } }",
    "{ length = { max = 0 } }",
    "{ length = { min = 3 } }",
    "{ every = \"a\", length = { max = 0 } }",
    "{ every = \"a\", length = { min = 2, max = 2 } }",
    "{ optional = true, every = \"z\" }",
    "{ present = false }",
    "{ every = { from = { tool = \"s.never\", field = \"id\" } } }",
];
const OF_OBJECT: [&str; 8] = [
    "{ fields = { email = \"a\" } }",
    "{ fields = { email = \"long\" } }",
    "{ fields = { email = { email = \"x@a.example\" } } }",
    "{ fields = { email = \"a\" }, exact = true }",
    "{ fields = { name = { present = false } } }",
    "{ fields = { name = \"a\", email = { prefix = \"a\" } } }",
    "{ fields = { n = { min = 3 } } }",
    "{ fields = { phone = \"1\" } }",
];

/// Slots, and bounds that read them.
const SLOTS: [(&str, &str); 5] = [
    ("txt", "{ kind = \"text\", is = { like = \"*.txt\" } }"),
    (
        "one",
        "{ kind = \"text\", is = [\"a\", \"in/a.txt\"], optional = true }",
    ),
    ("day", "\"date\""),
    ("few", "{ kind = \"number\", is = { max = 3 } }"),
    ("price", "\"amount\""),
];
const OF_SLOT: [&str; 15] = [
    "{ from = { slot = \"txt\" } }",
    "{ from = { slot = \"txt\" }, prefix = \"in/\" }",
    "{ from = { slot = \"txt\" }, suffix = \".example\" }",
    "{ from = { slot = \"txt\" }, length = { max = 3 } }",
    "{ from = [{ slot = \"txt\" }, { tool = \"s.plain\", field = \"results[].id\" }] }",
    "{ one_of = [\"c\", { from = { slot = \"txt\" } }] }",
    "{ from = { slot = \"one\" } }",
    "{ optional = true, from = { slot = \"one\" } }",
    "{ from = { slot = \"day\" } }",
    "{ from = { slot = \"day\" }, length = { max = 9 } }",
    "{ from = { slot = \"few\" } }",
    "{ from = { slot = \"few\" }, min = 2 }",
    "{ from = { slot = \"few\" }, min = 4 }",
    "{ from = { slot = \"price\" } }",
    "{ from = { slot = \"price\" }, length = { max = 1 } }",
];

/// A rule about one argument of a tool, and the values to try.
#[derive(Debug, Clone)]
struct Case {
    schema: &'static str,
    bound: String,
    required: bool,
    other_required: bool,
    only: bool,
    other_bound: bool,
    after: &'static str,
}

fn of_text() -> impl Strategy<Value = String> {
    let key = |text: &&str| text.split(' ').next().unwrap().to_owned();
    let table = subsequence(OF_TEXT.to_vec(), 1..=3).prop_map(move |mut keys| {
        keys.dedup_by_key(|text| key(text));
        let clash = keys.contains(&"optional = true") && keys.contains(&"present = true");
        keys.retain(|one| !(clash && *one == "present = true"));
        format!("{{ {} }}", keys.join(", "))
    });
    prop_oneof![3 => table, 1 => select(&WHOLE_TEXT[..]).prop_map(str::to_owned)]
}

fn case() -> impl Strategy<Value = Case> {
    let some = |of: &'static [&'static str]| select(of).prop_map(str::to_owned);
    let pair = prop_oneof![
        5 => (select(&TEXTS[..]), of_text()),
        2 => (select(&NUMBERS[..]), some(&OF_NUMBER)),
        2 => (select(&LISTS[..]), some(&OF_LIST)),
        2 => (select(&OBJECTS[..]), some(&OF_OBJECT)),
    ];
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    let after = select(vec![
        "",
        "",
        "",
        "after = \"s.plain\"\n",
        "after = \"s.never\"\n",
        "after = { tool = \"s.plain\", equal = { other = \"q\" } }\n",
        "after = { tool = \"s.plain\", equal = { other = \"n\" } }\n",
    ]);
    (pair, flags, after).prop_map(
        |((schema, bound), (required, other_required, only, other_bound), after)| Case {
            schema,
            bound,
            required,
            other_required,
            only,
            other_bound,
            after,
        },
    )
}

impl Case {
    fn catalogue(&self) -> Catalogue {
        let schema: Value = serde_json::from_str(self.schema).unwrap();
        let mut required = vec![];
        if self.required {
            required.push("it");
        }
        if self.other_required {
            required.push("other");
        }
        let source = |name: &str, output: Value| {
            json!({"name": name, "description": "", "effect": "read", "output": output,
                "input_schema": {"type": "object", "properties": {"q": {"type": "string"}, "n": {"type": "integer"}}}})
        };
        let mut known = source("s.known", json!("trusted"));
        known["output_schema"] = json!({"type": "object", "properties": {"results": {"type": "array", "items":
            {"type": "object", "properties": {"id": {"type": "string"}, "size": {"type": "integer"}}}}}});
        let tools = json!([
            {"name": "x.do", "description": "", "effect": "write", "output": "trusted",
             "input_schema": {"type": "object", "required": required, "properties": {"it": schema, "other": {"type": "string"}},
                "$defs": {"short": {"type": "string", "maxLength": 5}}}},
            source("s.plain", json!("trusted")), source("s.anybody", json!("untrusted")),
            source("s.never", json!("trusted")), known,
        ]);
        Catalogue::parse(tools.to_string().as_bytes()).unwrap()
    }

    /// The slots that the bound reads.
    fn slots(&self) -> impl Iterator<Item = &'static (&'static str, &'static str)> {
        let reads = |name: &str| self.bound.contains(&format!("slot = \"{name}\""));
        SLOTS.iter().filter(move |(name, _)| reads(name))
    }

    fn rules(&self) -> String {
        let only = if self.only { "only = true\n" } else { "" };
        let other = if self.other_bound {
            "where.other = [\"a\", \"b\"]\n"
        } else {
            ""
        };
        let sources = ["s.plain", "s.anybody", "s.known"]
            .map(|tool| format!("[[allow]]\ntool = \"{tool}\"\n"));
        let slots = self.slots();
        let slots: String = slots
            .map(|(name, slot)| format!("slots.{name} = {slot}\n"))
            .collect();
        format!(
            "{slots}[[allow]]\nname = \"it\"\ntool = \"x.do\"\nwhere.it = {}\n{only}{other}{}{}",
            self.bound,
            self.after,
            sources.concat()
        )
    }

    /// The values of the slots: each has the value of the call, if a person can fill it in.
    fn filled(&self, contract: &Contract, it: Option<&Value>) -> SlotValues {
        let mut values = SlotValues::default();
        for (name, _) in self.slots() {
            let typed = match it {
                Some(Value::String(text)) => text.clone(),
                Some(Value::Number(number)) if *name == "price" => format!("EUR {number}"),
                Some(Value::Number(number)) => number.to_string(),
                Some(_) | None => continue,
            };
            if let Ok(value) = contract.typed(name, &typed, 0) {
                values.insert(*name, value);
            }
        }
        values
    }

    /// Returns a call that the rule takes, if one of many that could be is.
    fn witness(&self, contract: &Contract, tools: &Catalogue) -> Option<Value> {
        static VALUES: LazyLock<Vec<Option<Value>>> = LazyLock::new(values);
        let others = [None, Some("a")];
        let texts = TEXTS.contains(&self.schema);
        let fits = |it: &&Option<Value>| {
            it.as_ref()
                .is_none_or(|it| it.is_null() || it.is_string() == texts)
        };
        let tried = VALUES.iter().filter(fits);
        let calls = tried.flat_map(|it| others.iter().map(move |other| (it, other)));
        for (it, other) in calls {
            let mut args = Map::new();
            args.extend(it.clone().map(|it| ("it".to_owned(), it)));
            args.extend(other.map(|other| ("other".to_owned(), json!(other))));
            let mut record = record(it.as_ref(), *other);
            record.fill(Some(self.filled(contract, it.as_ref())));
            let bytes = bus_schema::json::canonical(&Value::Object(args.clone()));
            let call = Call {
                tool: "x.do",
                args: &bytes,
            };
            let verdict = decide(contract, tools, &view(0, &record), &call);
            if matches!(verdict, Verdict::Granted { .. } | Verdict::Ask { .. }) {
                return Some(Value::Object(args));
            }
        }
        None
    }
}

/// The record in which every permitted source has returned the value and was called with it.
fn record(it: Option<&Value>, other: Option<&str>) -> Record {
    let mut record = Record::default();
    let it = it.cloned().unwrap_or_default();
    let args = |q: Value| Map::from_iter([("q".to_owned(), q)]);
    let result = json!({"results": [{"id": it, "size": it}]});
    for (tool, trusted) in [("s.plain", true), ("s.known", true), ("s.anybody", false)] {
        let label = if trusted { "trusted" } else { "untrusted" };
        let labels =
            serde_json::from_value(json!({"integrity": label, "secrecy": "private"})).unwrap();
        for q in [it.clone(), json!(other)] {
            let typed = q.is_string();
            let started = record.start(
                tool,
                if typed { args(q) } else { Map::new() },
                (labels, true),
            );
            let fits = tool != "s.known";
            record.succeed(&started, Some(result.clone()).filter(|_| fits));
        }
        if tool == "s.known" {
            for found in [
                json!({"results": [{"id": it}]}),
                json!({"results": [{"size": it}]}),
            ] {
                let text =
                    found["results"][0]["id"].is_string() || found["results"][0]["size"].is_i64();
                let started = record.start(tool, Map::new(), (labels, true));
                record.succeed(&started, Some(found).filter(|_| text));
            }
        }
    }
    record
}

/// Texts from the pieces of the bounds.
fn texts() -> Vec<String> {
    let starts = ["", "in/", "a", "x", "b.", "http"];
    let middles = [
        "",
        "a",
        "b",
        "c",
        "x@a.example",
        "x@b.example",
        "a.example",
        "b.a.example",
        "in/a.txt",
        "q.txt",
        "2030-01-01",
        "aq",
        "in/",
        "b",
        "zz",
        "qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq",
        "in/qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq",
        "ba",
        "qqqqqqqqqqqqqqqqqqqq.qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqa",
        "aqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq@b.example",
        "xqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq@b.example",
        "b@b.example",
        "2030-01-01T00:00:00.000000000+00:00",
    ];
    let ends = ["", ".example", "t", "/", ".txt", "a", "x@b.example"];
    let mut texts: Vec<String> = Vec::new();
    for start in starts {
        for middle in middles {
            for end in ends {
                texts.push(format!("{start}{middle}{end}"));
            }
        }
    }
    texts.sort();
    texts.dedup();
    texts
}

/// Values to try: nothing, null, texts, numbers, lists and objects.
fn values() -> Vec<Option<Value>> {
    let mut all: Vec<Option<Value>> = vec![None, Some(json!(null))];
    all.extend(texts().into_iter().map(|text| Some(json!(text))));
    let numbers = [-6, 0, 1, 2, 3, 5, 7, 8, 9, 10, 11, 20, 100];
    all.extend(numbers.map(|n| Some(json!(n))));
    all.extend([1.5, 2.5, -5.5].map(|n| Some(json!(n))));
    all.push(Some(json!("EUR 5")));
    for items in [
        json!([]),
        json!(["a"]),
        json!(["a", "a"]),
        json!(["c"]),
        json!(["b"]),
        json!(["c", "b"]),
        json!(["aa", "bb"]),
        json!(["aa", "bb", "cc"]),
        json!(["a", "b"]),
        json!(["a", null]),
        json!(["c", null]),
        json!(["b", null]),
        json!(["c", "c"]),
        json!(["a", "a", "a"]),
        json!(["bb"]),
    ] {
        all.push(Some(items));
    }
    for email in [json!("a"), json!("long"), json!("x@a.example"), json!(null)] {
        for name in [json!(null), json!("a")] {
            for n in [json!(null), json!(1), json!(3)] {
                let each = [("email", &email), ("name", &name), ("n", &n)];
                for kept in [false, true] {
                    let given = each.iter().filter(|(_, value)| kept || !value.is_null());
                    let fields = given.map(|(key, value)| ((*key).to_owned(), (*value).clone()));
                    all.push(Some(Value::Object(fields.collect())));
                }
            }
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, rng_seed: RngSeed::Fixed(14), ..ProptestConfig::default() })]

    #[test]
    fn rule_that_is_not_reported_dead_takes_a_call_and_one_that_is_takes_none(case in case()) {
        let tools = case.catalogue();
        let text = crate::text(&case.rules());
        // A bound that is refused before is not judged here.
        let Ok((contract, faults)) = Contract::parse_with_faults("c", &text, &tools) else { return Ok(()) };
        let found = case.witness(&contract, &tools);
        match faults {
            Ok(()) => prop_assert!(found.is_some(), "no call is taken, and no fault is reported"),
            Err(faults) => prop_assert!(found.is_none(), "{:?} is taken, and yet:\n{}", found, faults),
        }
    }
}

#[test]
fn rule_about_a_slot_takes_a_call_unless_it_is_reported_dead() {
    let schemas = TEXTS.iter().chain(&NUMBERS);
    for schema in schemas {
        for bound in OF_SLOT {
            let case = Case {
                schema,
                bound: bound.to_owned(),
                required: true,
                other_required: false,
                only: false,
                other_bound: false,
                after: "",
            };
            let tools = case.catalogue();
            let text = crate::text(&case.rules());
            // A bound that is refused before is not judged here.
            let Ok((contract, faults)) = Contract::parse_with_faults("c", &text, &tools) else {
                continue;
            };
            let found = case.witness(&contract, &tools);
            match faults {
                Ok(()) => assert!(found.is_some(), "{schema}: {bound} takes nothing"),
                Err(faults) => assert!(found.is_none(), "{schema}: {found:?}, and yet:\n{faults}"),
            }
        }
    }
}
