//! Tests playbooks that are written from recorded calls.

use serde_json::{Value, json};
use worker::{Playbook, RecordedCall, draft};

fn call(tool: &str, args: Value, output: &str) -> RecordedCall {
    let Value::Object(args) = args else {
        panic!("no object: {args}");
    };
    RecordedCall {
        tool: tool.parse().unwrap(),
        args,
        output: output.as_bytes().to_vec(),
    }
}

fn args(text: &str) -> Vec<Value> {
    Playbook::parse("playbook", text).unwrap();
    let read: Value = toml::from_str(text).unwrap();
    let steps = read["step"].as_array().unwrap().iter();
    steps.map(|step| step["args"].clone()).collect()
}

#[test]
fn whole_outputs_and_single_fields_of_earlier_calls_become_references() {
    let body = json!({
        "text": "a longer text",
        "state": {"code": "accepted"},
        "short": "done",
        "id": "twice-here",
        "old": "twice-here",
    });
    let calls = [
        call(
            "order.read",
            json!({"path": "orders/7.json"}),
            &body.to_string(),
        ),
        call(
            "file.read",
            json!({"path": "notes.txt"}),
            "line one\nline two",
        ),
        call(
            "file.write",
            json!({"path": "a.md", "text": "line one\nline two", "more": ["a longer text", {"code": "accepted"}]}),
            "{}",
        ),
        call(
            "file.write",
            json!({"path": "b.md", "text": "done", "id": "twice-here"}),
            "{}",
        ),
    ];
    let args = args(&draft("again", "Does it again.", &calls).unwrap());
    let more = json!([r#"{order-read["text"]}"#, {"code": "{order-read.state.code}"}]);
    assert_eq!(
        args[2],
        json!({"path": "a.md", "text": "{file-read.text}", "more": more})
    );
    // Short texts, and those that stand in several fields, are equal by chance.
    assert_eq!(
        args[3],
        json!({"path": "b.md", "text": "done", "id": "twice-here"})
    );
}

#[test]
fn the_latest_call_is_referred_to_and_items_of_lists_are_not() {
    let listed = json!({"files": ["invoice-2027.txt"]}).to_string();
    let calls = [
        call("file.read", json!({"path": "a"}), "the same text"),
        call("file.read", json!({"path": "b"}), "the same text"),
        call("file.list", json!({}), &listed),
        call(
            "file.write",
            json!({"path": "invoice-2027.txt", "text": "the same text"}),
            "",
        ),
    ];
    let args = args(&draft("again", "Does it again.", &calls).unwrap());
    assert_eq!(
        args[3],
        json!({"path": "invoice-2027.txt", "text": "{file-read-2.text}"})
    );
}

#[test]
fn every_other_value_stands_as_it_was() {
    let wild = "{item} }} {{file-read.text}} \"quoted\" \u{1b} \n'''";
    let calls = [
        call("item", json!({"path": "a"}), "\u{1}"),
        call(
            "file.write",
            json!({"path": "a.md", "text": wild, "n": 1.5, "yes": true, "list": []}),
            "",
        ),
    ];
    let args = args(&draft("again", "Does it again.", &calls).unwrap());
    let plain = args[1]["text"].as_str().unwrap();
    assert_eq!(plain, wild.replace('{', "{{").replace('}', "}}"));
    assert_eq!((&args[1]["n"], &args[1]["list"]), (&json!(1.5), &json!([])));
    let null = [call("file.write", json!({"path": null}), "")];
    let refused = draft("again", "Does it again.", &null).unwrap_err();
    assert!(refused.contains("is null"), "{refused}");
}
