//! Property tests over generated contracts: limits and the envelope hold, and a fix works. The laws of verdicts
//! are in `laws.rs`.

use std::sync::LazyLock;

use contract::{Call, Catalogue, Contract, Record, SlotValues, Under, Verdict, decide, envelope};

use crate::view;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};

static TOOLS: LazyLock<Catalogue> = LazyLock::new(crate::tools);

const TOOL: [&str; 6] = [
    "tool = \"t.any\"",
    "tool = \"t.*\"",
    "tool = \"*\"",
    "tool = \"t.free\"",
    "tools = [\"t.any\", \"t.free\"]",
    "effect = \"read\"\nexcept = [\"t.pattern\"]",
];
const BOUND: [&str; 24] = [
    "",
    "where.text = \"a\"",
    "where.text = [\"a\", \"b\"]",
    "where.text = { prefix = \"a\" }",
    "where.text = { length = { max = 1 } }",
    "where.n = { min = 0, max = 5 }",
    "where.n = 3",
    "where.either = [1, \"a\"]",
    "where.path = { path = \"a/**\" }",
    "where.list = { every = [\"a\", \"b\"] }",
    "where.list = { any = \"b\" }",
    "where.flag = true",
    "where.text = { one_of = [\"a\", { suffix = \"b\" }] }",
    "where.text = { optional = true, is = \"a\" }",
    "where.text = { prefix = [\"A\", \"b\"], ignore_case = true }",
    "where.text = { not = [\"a\", { length = { min = 2 } }] }",
    "where.text = { template = \"a{b}\", holes = { b = [\"b\"] } }",
    "where.either = { one_of = [{ is = [1, 2] }, { every = 1 }] }",
    "where.n = { one_of = [{ max = 1 }, { min = 5 }] }",
    "where.n = { optional = true, is = [1, 2] }",
    "where.list = { only_items = [\"a\", \"b\"] }",
    "where.list = { only_items = [\"a\", { prefix = \"b\" }] }",
    "where.text = { from = { slot = \"word\" } }",
    "where.n = { from = { slot = \"size\" } }",
];

fn body() -> impl Strategy<Value = String> {
    (select(&TOOL[..]), select(&BOUND[..])).prop_map(|(tool, bound)| {
        // Only this tool has every argument; a pattern would be refused at load.
        let tool = if bound.is_empty() { tool } else { TOOL[0] };
        format!("{tool}\n{bound}\n")
    })
}

fn rule(word: &'static str) -> impl Strategy<Value = String> {
    let parts = (body(), proptest::option::of(1..3_u8), any::<bool>());
    parts.prop_map(move |(body, calls, other)| {
        let calls = calls
            .filter(|_| word != "deny")
            .map(|calls| format!("calls = {calls}\n"));
        let reason = if word == "ask" {
            "reason = \"r\"\n"
        } else {
            ""
        };
        let otherwise = if other && word == "allow" && body.contains("where") {
            "otherwise = \"ask\"\n"
        } else {
            ""
        };
        let calls = calls.unwrap_or_default();
        format!("[[{word}]]\n{body}{calls}{otherwise}{reason}\n")
    })
}

/// Rules, each with a name that stays when others come, go or move.
fn rules() -> impl Strategy<Value = Vec<String>> {
    let any = prop_oneof![3 => rule("allow"), 1 => rule("ask"), 1 => rule("deny")];
    proptest::collection::vec(any, 1..7).prop_map(|rules| {
        let named = rules.iter().enumerate();
        named
            .map(|(at, rule)| rule.replacen("]]", &format!("]]\nname = \"r{at}\""), 1))
            .collect()
    })
}

fn args() -> impl Strategy<Value = Value> {
    let text = select(vec![json!("a"), json!("b"), json!("ab"), json!("")]);
    let path = select(vec![
        json!("a/b"),
        json!("a"),
        json!("a/../b"),
        json!("/a"),
        json!("b/c"),
    ]);
    let either = select(vec![json!(1), json!("a"), json!(null), json!([1])]);
    let list = subsequence(vec!["a", "b", "c"], 0..=3).prop_map(|items| json!(items));
    let n = (-1..7_i64).prop_map(|n| json!(n));
    let flag = any::<bool>().prop_map(|flag| json!(flag));
    let each =
        (text, path, either, list, n, flag).prop_map(|(text, path, either, list, n, flag)| {
            vec![
                ("text", text),
                ("path", path),
                ("either", either),
                ("list", list),
                ("n", n),
                ("flag", flag),
            ]
        });
    let some = each.prop_flat_map(|each| subsequence(each, 0..=6));
    some.prop_map(|some| {
        some.into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect()
    })
}

fn parse(rules: &[String]) -> Contract {
    let rules = rules.concat();
    let none = if rules.is_empty() { "allow = []\n" } else { "" };
    let head = "limits.calls = 3\nslots = { word = \"text\", size = \"number\" }\n";
    crate::contract(&format!("{none}{head}{rules}"), &TOOLS)
}

/// A new task with its slots.
fn task() -> Record {
    let mut record = Record::default();
    let slots = SlotValues::parse(br#"{"size":3,"word":"a"}"#);
    record.fill(slots);
    record
}

/// Returns the verdict on the first call of a task.
fn verdict(rules: &[String], args: &Value) -> Verdict {
    let args = args.to_string();
    decide(
        &parse(rules),
        &TOOLS,
        &view(0, &task()),
        &Call {
            tool: "t.any",
            args: args.as_bytes(),
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_calls_passes_a_limit_or_leaves_the_envelope(
        rules in rules(), calls in proptest::collection::vec(args(), 1..12),
    ) {
        let contract = parse(&rules);
        let envelope = envelope(&contract, &TOOLS);
        let mut task = task();
        for args in calls {
            let args = args.to_string();
            let verdict = decide(&contract, &TOOLS, &view(0, &task), &Call { tool: "t.any", args: args.as_bytes() });
            let (rule, reserve, approved) = match verdict {
                Verdict::Granted { rule, reserve, .. } => (rule, reserve, false),
                Verdict::Ask { rule, reserve, .. } => (rule, reserve, true),
                Verdict::Refused { .. } => continue,
            };
            let used = u32::try_from(task.used.calls).unwrap();
            let inside = crate::envelope::inside(&envelope, &TOOLS, "t.any", approved, used, reserve.clone());
            prop_assert_eq!(inside, Ok(()));
            let under = Under { rule: &rule, tool: "t.any" };
            task.used.reserve(under, &reserve);
            prop_assert!(Some(task.used.calls) <= contract.limits().task.calls);
            for rule in contract.rules() {
                let used = task.used.by_rule.get(&rule.id).map_or(0, |used| used.calls);
                prop_assert!(rule.quotas.task.calls.is_none_or(|calls| used <= calls));
            }
        }
    }

    #[test]
    fn added_rule_of_a_fix_works_as_text(rules in rules(), args in args()) {
        let Verdict::Refused { fix: Some(fix), .. } = verdict(&rules, &args) else { return Ok(()) };
        if *fix.change() == contract::Change::AddRule {
            let more = [rules, vec![fix.toml().to_owned()]].concat();
            let again = verdict(&more, &args);
            prop_assert!(!matches!(again, Verdict::Refused { .. }), "{:?}", again);
        }
    }

    #[test]
    fn any_text_is_answered(text in ".{0,200}") {
        let _answer = Contract::parse("c", &crate::text(&text), &TOOLS);
    }
}
