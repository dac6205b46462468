//! Arguments in parts: lists of earlier calls come first, and everything else stands in the own arguments.

use contract::{Catalogue, HttpTool, PARTS_BYTES_MAX, PARTS_MAX, PartsError, PartsWalk};
use serde_json::{Map, Value, json};

/// The tool of a model, with this body.
fn tool(body: &Value) -> HttpTool {
    let tool = json!([{
        "name": "model.m", "description": "", "effect": "tell", "output": "trusted",
        "input_schema": {"type": "object", "additionalProperties": true},
        "http": {
            "method": "POST", "host": "api.example.com", "path": "/v1", "body": body, "answer": {"type": "json"},
            "limits": {"wall_ms": 1000, "request_bytes_max": 1000, "answer_bytes_max": 1000},
        },
    }]);
    let catalogue = Catalogue::parse(tool.to_string().as_bytes()).unwrap();
    catalogue.get("model.m").unwrap().http().unwrap().clone()
}

fn model() -> HttpTool {
    tool(&json!({
        "model": {"$value": "model"}, "messages": {"$json": "messages"}, "tools": {"$json": "tools"}, "stream": true,
    }))
}

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

/// The name of a content of so many bytes.
fn after(len: usize) -> Value {
    json!({"digest": "ab".repeat(32), "len": len})
}

fn sent(tool: &HttpTool, args: &Map<String, Value>) -> Value {
    serde_json::from_slice(&tool.request(args).unwrap().body.unwrap()).unwrap()
}

#[test]
fn a_body_out_of_parts_is_that_of_the_whole_byte_for_byte() {
    let first = object(&json!({
        "model": "big", "messages": r#"[{"role":"user","text":"a é \" 1.50"}]"#, "tools": r#"[{"name":"t"}]"#,
    }));
    let second = object(&json!({"$after": after(1), "model": "small", "messages": "[]"}));
    let third = object(
        &json!({"$after": after(2), "model": "small", "messages": "[2, {\"b\":1,\"a\":[]}]"}),
    );
    let whole = object(&json!({
        "model": "small", "messages": r#"[{"role":"user","text":"a é \" 1.50"},2,{"b":1,"a":[]}]"#,
        "tools": r#"[{"name":"t"}]"#,
    }));
    let model = model();
    let joined = model.whole(&third, &[&second, &first]).unwrap();
    let bodies = [&joined, &whole].map(|args| model.request(args).unwrap().body.unwrap());
    assert_eq!(bodies[0], bodies[1]);
    // What is no list is that of the call itself: an earlier call sets no model.
    assert_eq!(sent(&model, &joined)["model"], "small");
    let unset = object(&json!({"$after": after(1), "messages": "[2]"}));
    let joined = model.whole(&unset, &[&first]).unwrap();
    assert_eq!(sent(&model, &joined).get("model"), None);
}

#[test]
fn parts_that_make_no_whole_are_refused() {
    let own = object(&json!({"$after": after(1), "messages": "[1]"}));
    let list = object(&json!({"messages": "[1]"}));
    // A value that is judged is in no part, also where the body has it as JSON too.
    for body in [
        json!({"messages": {"$value": "messages"}}),
        json!({"messages": {"$json": "messages"}, "copy": {"$value": "messages"}}),
        json!({"fixed": 1}),
    ] {
        assert_eq!(
            tool(&body).whole(&own, &[&list]),
            Err(PartsError::NoList),
            "{body}"
        );
    }
    for wrong in [
        json!("{}"),
        json!("1"),
        json!("[1"),
        json!([1]),
        json!(null),
    ] {
        let wrong = object(&json!({"$after": after(1), "messages": wrong}));
        let refused = Err(PartsError::NotList("messages".to_owned()));
        assert_eq!(model().whole(&wrong, &[&list]), refused);
        assert_eq!(model().whole(&own, &[&wrong]), refused);
    }
}

#[test]
fn the_parts_of_a_call_are_bounded() {
    let before = |args: &Value| PartsWalk::default().before(&object(args));
    assert_eq!(before(&json!({"messages": "[]"})), Ok(None));
    for wrong in [
        json!("ab"),
        json!({"digest": "ab", "len": 1}),
        json!({"digest": "ab".repeat(32)}),
        json!({"digest": "ab".repeat(32), "len": 1, "by": "engine"}),
    ] {
        assert_eq!(
            before(&json!({"$after": wrong})),
            Err(PartsError::Name),
            "{wrong}"
        );
    }
    let mut walk = PartsWalk::default();
    let small = object(&json!({"$after": after(1)}));
    for _ in 0..PARTS_MAX {
        assert!(walk.before(&small).unwrap().is_some());
    }
    assert_eq!(walk.before(&small), Err(PartsError::Many));
    let half = object(&json!({"$after": after(PARTS_BYTES_MAX / 2)}));
    let mut walk = PartsWalk::default();
    assert!(walk.before(&half).is_ok() && walk.before(&half).is_ok());
    assert_eq!(walk.before(&half), Err(PartsError::Large));
}
