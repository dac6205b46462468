//! Checks that a question says where a value was seen that a rule bounds by `seen_in`.

use contract::{Call, Record, Verdict, decide};
use serde_json::{Map, Value, json};

fn reason(rules: &str, tool: &str, args: Value, result: Value) -> String {
    let tools = crate::tools();
    let contract = crate::contract(rules, &tools);
    let mut record = Record::default();
    let labels = tools.get("note.read").unwrap().output();
    let started = record.start("note.read", Map::new(), (labels, true));
    record.succeed(&started, Some(result));
    let args = args.to_string();
    let call = Call {
        tool,
        args: args.as_bytes(),
    };
    let verdict = decide(&contract, &tools, &crate::view(0, &record), &call);
    let Verdict::Ask { question, .. } = verdict else {
        panic!("{verdict:?}");
    };
    question.reason
}

#[test]
fn question_says_where_the_value_was_seen() {
    let rules = "[[allow]]\ntool = \"mail.send\"\nwhere.to = { seen_in = \"note.read\" }\nwhere.body = \"hi\"";
    let args = json!({"to": "a@x.example", "body": "hi"});
    for (result, place) in [
        (
            json!({"mails": [{"from": "b@x.example"}, {"from": "a@x.example"}]}),
            "`note.read` at `mails[1].from`",
        ),
        (
            json!("{\"a.b\": [\"Write to a@x.example!\"]}"),
            "`note.read` at `\"a.b\"[0]`",
        ),
        (json!("Write to a@x.example!"), "`note.read`"),
    ] {
        let reason = reason(rules, "mail.send", args.clone(), result);
        let said = format!("`to` stands in a result of {place}");
        assert!(
            reason.ends_with(&said),
            "{said} is not at the end of: {reason}"
        );
    }
}

#[test]
fn question_says_where_an_item_was_seen() {
    let rules = "[[allow]]\ntool = \"list.send\"\nwhere.subject = \"s\"\n\
        where.to = { only_items = [\"me@x.example\", { one_of = [\"you@x.example\", { seen_in = \"note.read\" }] }] }";
    let args = json!({"to": ["me@x.example", "a@x.example"], "subject": "s"});
    let reason = reason(rules, "list.send", args, json!({"from": ["a@x.example"]}));
    assert!(
        reason.contains("`to` stands in a result of `note.read` at `from[0]`"),
        "{reason}"
    );
}
