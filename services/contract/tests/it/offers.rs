//! Tests what whoever proposes calls is told of a tool under a contract.

use contract::offer;
use serde_json::{Value, json};

use crate::{contract, tools};

/// The values of an argument of `t.any` that are offered under these rules; null if any is.
fn values(rules: &str, name: &str) -> Value {
    let tools = tools();
    let contract = contract(rules, &tools);
    let offer = offer(&contract, &tools, tools.get("t.any").unwrap());
    offer.schema["properties"][name]["enum"].clone()
}

const TOOL: &str = "tool = \"t.any\"\n";

#[test]
fn an_argument_with_certain_values_lists_them() {
    for (rules, name, listed) in [
        (
            format!("[[allow]]\n{TOOL}where.text = \"a\"\n"),
            "text",
            json!(["a"]),
        ),
        (
            format!("[[allow]]\n{TOOL}where.text = [\"a\", \"b\"]\n"),
            "text",
            json!(["a", "b"]),
        ),
        (
            format!("[[allow]]\n{TOOL}where.n = {{ optional = true, is = [1, 2] }}\n"),
            "n",
            json!([1, 2]),
        ),
        (
            format!("[[allow]]\n{TOOL}where.flag = true\n"),
            "flag",
            json!([true]),
        ),
        // Of two rules, those of both.
        (
            format!(
                "[[allow]]\n{TOOL}where.text = \"a\"\n[[ask]]\n{TOOL}reason = \"r\"\nwhere.text = [\"b\", \"a\"]\n"
            ),
            "text",
            json!(["a", "b"]),
        ),
        // Another rule, or the same one, permits more.
        (
            format!("[[allow]]\n{TOOL}where.text = \"a\"\n[[ask]]\n{TOOL}reason = \"r\"\n"),
            "text",
            Value::Null,
        ),
        (
            format!("[[allow]]\n{TOOL}otherwise = \"ask\"\nwhere.text = \"a\"\n"),
            "text",
            Value::Null,
        ),
        (
            format!("[[allow]]\n{TOOL}where.text = {{ is = \"a\", ignore_case = true }}\n"),
            "text",
            Value::Null,
        ),
        (
            format!("[[allow]]\n{TOOL}where.text = {{ prefix = \"a\" }}\n"),
            "text",
            Value::Null,
        ),
        (
            format!("[[allow]]\n{TOOL}where.text = \"a\"\n"),
            "n",
            Value::Null,
        ),
        // A refusal permits nothing.
        (
            format!("[[allow]]\n{TOOL}where.text = \"a\"\n[[deny]]\n{TOOL}where.n = 3\n"),
            "text",
            json!(["a"]),
        ),
    ] {
        assert_eq!(values(&rules, name), listed, "{rules}");
    }
    let many: Vec<String> = (0..65).map(|n| format!("\"v{n}\"")).collect();
    let rules = format!("[[allow]]\n{TOOL}where.text = [{}]\n", many.join(", "));
    assert_eq!(values(&rules, "text"), Value::Null);
}

#[test]
fn each_rule_about_a_tool_is_a_sentence() {
    let tools = tools();
    let rules = format!(
        "[[allow]]\n{TOOL}where.text = {{ prefix = \"a\" }}\n[[deny]]\n{TOOL}where.n = 3\n[[allow]]\ntool = \"t.deep\"\n"
    );
    let contract = contract(&rules, &tools);
    let told = offer(&contract, &tools, tools.get("t.any").unwrap()).rules;
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(
        told[0].contains("it may use") && told[0].contains("`text` begins with \"a\""),
        "{told:?}"
    );
    assert!(told[1].contains("it may never use"), "{told:?}");
}
