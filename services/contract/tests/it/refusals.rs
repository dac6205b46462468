//! Compares the reasons of refusals with what a stranger can act on.

use contract::batch::{Asks, Batch};
use contract::{Contract, Verdict};
use serde_json::json;

const RULES: &str = r#"
[limits]
calls = 4
wall_time = "90s"
messages = 1

[[allow]]
name = "sort"
tool = "t.any"
where.text = ["a", "b"]
where.n = { min = 1, max = 9 }
calls = 1

[[allow]]
name = "post"
tool = "web.post"
where.host = "x.example"
only = true

[[allow]]
name = "make"
tool = "item.create"
after = { tool = "t.any", equal = { id = "text" } }

[[ask]]
name = "send"
tool = "mail.send"
where.body = { length = { max = 20 } }
reason = "A message leaves."

[[deny]]
name = "no-secrets"
tool = "t.any"
where.path = { path = "secret/**" }
"#;

/// Returns the reason of the last call's refusal.
fn refused(lines: &[serde_json::Value], now: &str) -> String {
    let tools = crate::tools();
    let contract: Contract = crate::contract(RULES, &tools);
    let now_ms = now.parse::<jiff::Timestamp>().unwrap().as_millisecond();
    let mut batch = Batch::new(&contract, &tools, Asks::Approve, now_ms);
    let mut why = String::new();
    for (at, args) in lines.iter().enumerate() {
        let line = json!({"task": "t", "call": at, "tool": args["tool"], "args": args["args"]});
        let decided = batch.decide(&line.to_string()).unwrap().unwrap();
        why = match decided.verdict {
            Verdict::Refused { why, .. } => why,
            Verdict::Granted { .. } | Verdict::Ask { .. } => String::new(),
        };
    }
    why
}

#[test]
fn reasons_of_refusals_name_what_the_contract_says() {
    let call = |tool: &str, args: serde_json::Value| json!({"tool": tool, "args": args});
    let good = call("t.any", json!({"text": "a", "n": 1, "path": "in/a"}));
    let post = call("web.post", json!({"host": "x.example"}));
    let cases = [
        (
            vec![call("t.any", json!({"text": "c", "n": 1, "path": "in/a"}))],
            "no rule permits this call of `t.any`; `sort` permits it only if `text` is \"a\" or \"b\"",
        ),
        (
            vec![call("t.any", json!({"text": "a", "n": 1, "path": "../a"}))],
            "`no-secrets` forbids some calls of `t.any`, and it cannot be told whether this is one: `path` has a form that the \
             rule cannot judge; it is about calls whose `path` is a path in the workspace like \"secret/**\"",
        ),
        (
            vec![call("t.any", json!({"text": "a", "n": 1}))],
            "`no-secrets` forbids some calls of `t.any`, and it cannot be told whether this is one: `path` is missing, and the \
             rule is about calls whose `path` is a path in the workspace like \"secret/**\"",
        ),
        (
            vec![good.clone(), good],
            "`sort` permits at most 1 call in one task, and none is left",
        ),
        (
            vec![call("web.post", json!({"host": "x.example", "body": "b"}))],
            "no rule permits this call of `web.post`; `post` permits it only without further arguments",
        ),
        (
            vec![call("item.create", json!({"id": "a"}))],
            "no rule permits this call of `item.create`; `make` permits it only if `t.any` has succeeded before in this task \
             with this `id` as its `text`",
        ),
        (
            vec![call(
                "mail.send",
                json!({"to": "a", "body": "x".repeat(30)}),
            )],
            "no rule permits this call of `mail.send`; `send` permits it, after a yes, only if `body` is at most 20 characters \
             long",
        ),
        (
            vec![post.clone(), post],
            "the task has used 1 of at most 1 call that lets something leave",
        ),
    ];
    for (lines, why) in cases {
        assert_eq!(refused(&lines, "2026-02-01T12:00:00Z"), why);
    }
    let late = [call("mail.send", json!({"to": "a", "body": "b"}))];
    assert_eq!(
        refused(&late, "2037-02-01T12:00:00Z"),
        "the contract `c` was in force until the end of 2036-12-31 (UTC), and has expired"
    );
}
