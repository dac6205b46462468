//! Checks that a contract from recorded calls permits these calls and no similar ones.

use contract::{
    Call, Catalogue, Contract, DraftHeader, Record, Recorded, Verdict, decide, draft_of_calls,
    draft_of_text,
};
use serde_json::{Map, Value, json};

use crate::view;

fn header() -> DraftHeader {
    DraftHeader {
        name: "from-a-run".to_owned(),
        purpose: "What the task did".to_owned(),
        owner: "o".to_owned(),
        expires: "2036-12-31".to_owned(),
    }
}

fn recorded(tool: &str, args: Value) -> Recorded {
    Recorded {
        tool: tool.to_owned(),
        args: args.as_object().cloned().unwrap(),
        asked: None,
        secrets: Vec::new(),
        tokens: 0,
    }
}

fn parse(text: &str, tools: &Catalogue) -> Contract {
    Contract::parse("new.toml", text, tools).unwrap_or_else(|found| panic!("{found}\n{text}"))
}

fn said(contract: &Contract, tools: &Catalogue, tool: &str, args: &Value) -> &'static str {
    let args = args.to_string();
    let call = Call {
        tool,
        args: args.as_bytes(),
    };
    match decide(contract, tools, &view(0, &Record::default()), &call) {
        Verdict::Granted { .. } => "granted",
        Verdict::Ask { .. } => "ask",
        Verdict::Refused { .. } => "refused",
    }
}

/// Returns arguments that differ in one place.
fn neighbours(args: &Map<String, Value>) -> Vec<Value> {
    let mut all = Vec::new();
    for (name, value) in args {
        let other = match value {
            Value::String(text) => json!(format!("{text}x")),
            Value::Number(number) if number.is_i64() => json!(number.as_i64().unwrap() + 1),
            Value::Number(number) => json!(number.as_f64().unwrap() + 0.5),
            Value::Bool(value) => json!(!value),
            Value::Array(items) if items.is_empty() => json!(["x"]),
            Value::Array(items) => {
                let mut fewer = items.clone();
                fewer.pop();
                let mut twice = items.clone();
                twice[0] = items[items.len() - 1].clone();
                if twice != *items {
                    let mut args = args.clone();
                    args.insert(name.clone(), json!(twice));
                    all.push(args.into());
                }
                json!(fewer)
            }
            Value::Object(map) => {
                let mut more = map.clone();
                more.insert("name".to_owned(), json!("another"));
                json!(more)
            }
            Value::Null => json!("x"),
        };
        let mut changed = args.clone();
        changed.insert(name.clone(), other);
        all.push(changed.into());
        let mut without = args.clone();
        if without.remove(name) != Some(Value::Null) {
            all.push(without.into());
        }
    }
    all
}

fn calls() -> Vec<Recorded> {
    vec![
        recorded("t.any", json!({"path": "in/a.txt"})),
        recorded("t.any", json!({"path": "in/b.txt"})),
        recorded("t.any", json!({"path": "in/b.txt"})),
        recorded(
            "t.any",
            json!({"text": "\"quoted\"\\ and\nmore", "n": 3, "x": 2.5, "flag": true}),
        ),
        recorded("t.any", json!({"list": ["b", "a"], "nums": [1]})),
        recorded("t.any", json!({"list": [], "maybe": null})),
        recorded(
            "item.update",
            json!({"id": "i", "owner": {"email": "a@b.example"}}),
        ),
    ]
}

#[test]
fn exactly_the_recorded_calls_are_granted_and_their_neighbours_are_not() {
    let tools = crate::tools();
    let calls = calls();
    let text = draft_of_calls(&header(), &calls, &tools);
    let contract = parse(&text, &tools);
    for call in &calls {
        let args = Value::Object(call.args.clone());
        assert_eq!(
            said(&contract, &tools, &call.tool, &args),
            "granted",
            "{args}\n{text}"
        );
        for other in neighbours(&call.args) {
            let recorded = calls
                .iter()
                .any(|one| Value::Object(one.args.clone()) == other);
            let refused = said(&contract, &tools, &call.tool, &other) == "refused";
            assert!(refused || recorded, "{other}\n{text}");
        }
    }
    let other = said(&contract, &tools, "t.free", &json!({}));
    assert_eq!(other, "refused");
    // Each call is permitted as often as it was done.
    assert!(text.contains("calls = 7"), "{text}");
    let twice = contract
        .rules()
        .filter(|rule| rule.quotas.task.calls == Some(2));
    assert_eq!(twice.count(), 1);
    assert_eq!(text.matches("[[test]]").count(), 6);
}

#[test]
fn what_was_asked_about_is_asked_about_again_and_so_is_what_cannot_be_said() {
    let tools = crate::tools();
    let mut asked = recorded("mail.send", json!({"to": "a@b.example", "body": "x"}));
    asked.asked = Some("a message leaves".to_owned());
    let long = recorded("t.any", json!({"text": "y".repeat(5000)}));
    let rows = recorded("t.any", json!({"rows": [["a"], ["b"]]}));
    let calls = vec![asked, long, rows];
    let contract = parse(&draft_of_calls(&header(), &calls, &tools), &tools);
    for call in calls {
        let args = Value::Object(call.args);
        assert_eq!(said(&contract, &tools, &call.tool, &args), "ask", "{args}");
    }
}

#[test]
fn draft_is_a_contract_that_grants_nothing_without_asking() {
    let tools = crate::tools();
    let mut header = header();
    header.name = String::new();
    let text = draft_of_text(&header, "Pay Ann\nand tell her.", &tools);
    let contract = parse(&text, &tools);
    assert_eq!(contract.name().as_str(), "pay-ann-and-tell-her");
    for (tool, args) in [
        ("t.any", json!({})),
        ("mail.send", json!({"to": "a", "body": "b"})),
    ] {
        assert_eq!(said(&contract, &tools, tool, &args), "ask");
    }
    let risky = json!([{"name": "t", "description": "d", "effect": "write", "output": "trusted", "risk": "high",
        "input_schema": {"type": "object", "properties": {}}}]);
    let tools = Catalogue::parse(risky.to_string().as_bytes()).unwrap();
    let contract = parse(&draft_of_text(&header, "x", &tools), &tools);
    assert_eq!(said(&contract, &tools, "t", &json!({})), "refused");
}
