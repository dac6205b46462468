//! Checks that what an allow asks about otherwise is in the envelope, in the explanation and in the sentence.

use bus_schema::Ask;
use contract::{Call, Record, RuleResult, decide, envelope, explain, show};

const RULES: &str =
    "[[allow]]\nname = \"items\"\ntool = \"item.create\"\nwhere.id = \"a\"\notherwise = \"ask\"";

#[test]
fn executors_take_both_a_granted_and_an_approved_call() {
    let tools = crate::tools();
    let asks = |rules: &str| envelope(&crate::contract(rules, &tools), &tools).tools[0].ask;
    assert_eq!(asks(RULES), Ask::Sometimes);
    assert_eq!(asks(&RULES.replace("otherwise = \"ask\"", "")), Ask::Never);
}

#[test]
fn rule_that_asks_otherwise_decides_and_says_why() {
    let tools = crate::tools();
    let contract = crate::contract(RULES, &tools);
    let record = Record::default();
    let view = crate::view(0, &record);
    let args = br#"{"id":"b"}"#;
    let call = Call {
        tool: "item.create",
        args,
    };
    let verdict = decide(&contract, &tools, &view, &call);
    let found = explain(&contract, &tools, &view, &call, &verdict);
    let [rule] = found.as_slice() else {
        panic!("{found:?}")
    };
    assert_eq!(rule.says, RuleResult::Decides);
    let why = [
        "`id` is \"b\", and the rule is about calls whose `id` is \"a\"",
        "only its bounds leave the call out, so it asks about it",
    ];
    assert_eq!(rule.why, why);
}

#[test]
fn sentence_says_that_other_calls_are_asked_about() {
    let tools = crate::tools();
    let text = show(&crate::contract(RULES, &tools), &tools).text();
    let said = "A call that these bounds leave out waits for the owner's yes.";
    assert!(text.contains(said), "{text}");
}
