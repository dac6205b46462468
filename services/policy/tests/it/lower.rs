//! Checks that Cedar decides what a contract decides, where Cedar has the words for all that it says.

use std::sync::LazyLock;

use cedar_policy::{Authorizer, Context, Decision, Entities, PolicySet, Request};
use policy::{Call, Catalogue, Lowered, Record, Verdict, decide, lower};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value, json};

use crate::view;

static TOOLS: LazyLock<Catalogue> = LazyLock::new(crate::tools);

/// What Cedar can say of `t.any`.
const BOUNDS: [&str; 24] = [
    "",
    "where.text = \"a\"",
    "where.text = [\"a\", \"b\"]",
    "where.text = { not = \"a\" }",
    "where.text = { prefix = \"a\" }",
    "where.text = { suffix = \"b\" }",
    "where.text = { like = \"a*b\" }",
    "where.text = { optional = true, prefix = \"a\" }",
    "where.text = { not = { prefix = \"*\", suffix = \"b\" } }",
    "where.text = { present = true }",
    "where.text = { present = false }",
    "where.n = 3",
    "where.n = [1, 3]",
    "where.n = { min = 0, max = 3 }",
    "where.n = { min = 2 }",
    "where.n = { optional = true, max = 2 }",
    "where.flag = true",
    "where.list = { every = [\"a\", \"b\"] }",
    "where.list = { any = \"b\" }",
    "where.list = { not = { any = [\"b\", \"c\"] } }",
    "where.text = { same_as = \"path\" }",
    "where.text = { differs_from = \"path\" }",
    "when = 'args has text && args.text == \"a\" && args has n && args.n > 1'",
    "when = 'args has flag && args.flag || args has text && args.text like \"*b*\"'",
];

fn rule() -> impl Strategy<Value = String> {
    let kind = select(vec![
        "[[allow]]",
        "[[allow]]",
        "[[ask]]\nreason = \"r\"",
        "[[deny]]",
    ]);
    (
        kind,
        select(&BOUNDS[..]),
        select(vec!["t.any", "t.any", "*"]),
    )
        .prop_map(|(kind, bound, tool)| {
            let tool = if bound.is_empty() { tool } else { "t.any" };
            format!("{kind}\ntool = \"{tool}\"\n{bound}\n")
        })
}

fn args() -> impl Strategy<Value = Value> {
    let text = select(vec!["a", "b", "ab", "", "*b", "axb", "\"\\\n"]);
    let path = select(vec!["a", "b", "z"]);
    let list = subsequence(vec!["a", "b", "c"], 0..=3);
    (
        text,
        path,
        list,
        -1..5_i64,
        any::<bool>(),
        proptest::bits::u8::masked(31),
    )
        .prop_map(|(text, path, list, n, flag, given)| {
            let all = [
                ("text", json!(text)),
                ("path", json!(path)),
                ("list", json!(list)),
                ("n", json!(n)),
                ("flag", json!(flag)),
            ];
            let given = all
                .into_iter()
                .enumerate()
                .filter(|(at, _)| given & (1 << at) != 0);
            given
                .map(|(_, (name, value))| (name.to_owned(), value))
                .collect::<Map<_, _>>()
                .into()
        })
}

/// What Cedar says of a call with and without a yes, in the words of a verdict.
fn cedar(lowered: &Lowered, tool: &str, args: &Value, now: &str, principal: &str) -> &'static str {
    let set: PolicySet = lowered
        .cedar
        .parse()
        .unwrap_or_else(|error| panic!("{error}\n{}", lowered.cedar));
    let allowed = |approved: bool| {
        let context = json!({
            "args": args, "approved": approved, "beyond": {}, "principal": principal,
            "now": {"__extn": {"fn": "datetime", "arg": now}},
        });
        let context = Context::from_json_value(context, None).unwrap();
        let uid = |text: &str| text.parse().unwrap();
        let action = format!("Action::\"{tool}\"").parse().unwrap();
        let request = Request::new(
            uid("Task::\"t\""),
            action,
            uid("Tool::\"t\""),
            context,
            None,
        )
        .unwrap();
        let said = Authorizer::new().is_authorized(&request, &set, &Entities::empty());
        said.decision() == Decision::Allow
    };
    match (allowed(false), allowed(true)) {
        (true, _) => "granted",
        (false, true) => "ask",
        (false, false) => "refused",
    }
}

fn verdict(contract: &policy::Contract, tool: &str, args: &Value) -> &'static str {
    let args = args.to_string();
    let call = Call {
        tool,
        args: args.as_bytes(),
    };
    match decide(contract, &TOOLS, &view(0, &Record::default()), &call) {
        Verdict::Granted { .. } => "granted",
        Verdict::Ask { .. } => "ask",
        Verdict::Refused { .. } => "refused",
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn cedar_decides_what_the_contract_decides(rules in proptest::collection::vec(rule(), 1..5), args in args()) {
        let contract = crate::contract(&rules.join("\n"), &TOOLS);
        let lowered = lower(&contract, &TOOLS);
        prop_assert_eq!(&lowered.beyond, &[]);
        let said = cedar(&lowered, "t.any", &args, "1970-01-01T00:00:00Z", "session");
        prop_assert_eq!(said, verdict(&contract, "t.any", &args), "{}\n{}", args, lowered.cedar);
    }
}

#[test]
fn every_contract_of_the_conformance_set_and_of_the_examples_is_a_set_of_policies() {
    for (contract, tools) in &crate::show::contracts() {
        let lowered = lower(contract, tools);
        let set: Result<PolicySet, _> = lowered.cedar.parse();
        assert!(set.is_ok(), "{set:?}\n{}", lowered.cedar);
    }
    for name in crate::show::EXAMPLES {
        let (contract, tools) = crate::show::example(name);
        let lowered = lower(&contract, &tools);
        let set: Result<PolicySet, _> = lowered.cedar.parse();
        assert!(set.is_ok(), "{set:?}\n{}", lowered.cedar);
    }
}

#[test]
fn what_cedar_cannot_say_is_named_and_permits_nothing_until_it_is_told() {
    let rules = "[[allow]]\nname = \"read\"\ntool = \"t.any\"\nwhere.path = { path = \"in/**\" }\ncalls = 5";
    let contract = crate::contract(rules, &TOOLS);
    let lowered = lower(&contract, &TOOLS);
    let facts: Vec<_> = lowered
        .beyond
        .iter()
        .map(|one| (one.fact.as_deref(), one.line.as_str()))
        .collect();
    let path = "where.path = { path = \"in/**\" }";
    assert_eq!(
        facts,
        [(None, "calls = 5"), (Some("read/where.path"), path)]
    );
    let args = json!({"path": "in/a"});
    assert_eq!(verdict(&contract, "t.any", &args), "granted");
    let now = "1970-01-01T00:00:00Z";
    assert_eq!(cedar(&lowered, "t.any", &args, now, "session"), "refused");
}

#[test]
fn a_deny_that_cannot_be_told_forbids() {
    let rules = "[[allow]]\ntool = \"t.any\"\n[[deny]]\ntool = \"t.any\"\nwhere.path = { path = \"in/**\" }";
    let contract = crate::contract(rules, &TOOLS);
    let lowered = lower(&contract, &TOOLS);
    let now = "1970-01-01T00:00:00Z";
    assert_eq!(
        cedar(&lowered, "t.any", &json!({"path": "out/a"}), now, "session"),
        "refused"
    );
}

#[test]
fn contract_that_is_over_or_for_somebody_else_permits_nothing() {
    let contract = crate::contract("[[allow]]\ntool = \"*\"", &TOOLS);
    let lowered = lower(&contract, &TOOLS);
    let said = |now, principal| cedar(&lowered, "t.any", &json!({}), now, principal);
    assert_eq!(said("2036-12-31T23:59:59.999Z", "session"), "granted");
    assert_eq!(said("2036-12-31T23:59:59.999Z", "session:a"), "granted");
    assert_eq!(said("2037-01-01T00:00:00Z", "session"), "refused");
    assert_eq!(said("2036-12-31T23:59:59.999Z", "job:a"), "refused");
}
