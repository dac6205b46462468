//! Checks what an explanation says of the rules about a call, and of its arguments after untrusted data.

use contract::RuleResult;
use contract::batch::{Asks, Batch};
use serde_json::json;

const RULES: &str = r#"
[[allow]]
name = "read"
tool = "note.read"

[[allow]]
name = "look-up"
tool = "people.search"

[[allow]]
name = "known"
tool = "mail.send"
where.to = { from = { tool = "people.search", field = "results[].email" } }
where.body = { length = { max = 20 } }

[[allow]]
name = "said"
tool = "list.send"
where.to = { length = { max = 1 }, every = { from = "task" } }
where.subject = "Hello"

[[deny]]
name = "no-evil"
tool = "mail.send"
where.to = { suffix = ".evil" }
"#;

/// Returns what each rule about the last call says, and why.
fn explained(lines: &[serde_json::Value]) -> Vec<(String, RuleResult, Vec<String>)> {
    let tools = crate::tools();
    let contract = crate::contract(RULES, &tools);
    let mut batch = Batch::new(&contract, &tools, Asks::Approve, 0).explaining();
    let mut rules = Vec::new();
    for line in lines {
        let decided = batch.decide(&line.to_string()).unwrap();
        rules = decided.map_or(rules, |decided| decided.rules.unwrap());
    }
    let each = rules.into_iter();
    each.map(|one| (one.rule.to_string(), one.says, one.why))
        .collect()
}

#[test]
fn arguments_are_explained_after_untrusted_data() {
    let people = json!({"results": [{"email": "ann@x.example"}]});
    let lookup = json!({"tool": "people.search", "args": {"q": "ann"}, "result": people});
    let read = json!({"tool": "note.read", "args": {}, "result": "x"});
    let send = json!({"tool": "mail.send", "args": {"to": "ann@x.example", "body": "hi"}});
    let found = explained(&[lookup.clone(), read.clone(), send.clone()]);
    let (rule, says, why) = &found[0];
    assert_eq!((rule.as_str(), *says), ("known", RuleResult::Decides));
    assert_eq!(
        why[1..],
        [
            "`to` has only this value by a trusted result of `people.search`",
            "`body` could have another value: neither contract, owner's words nor a trusted result determine it",
        ]
    );
    // Before untrusted data, nothing of it matters.
    assert_eq!(explained(&[lookup, send])[0].2.len(), 1);
    let words = json!({"text": "Write Hello to ann@x.example."});
    let list = json!({"tool": "list.send", "args": {"to": ["ann@x.example"], "subject": "Hello"}});
    let found = explained(&[words, read, list]);
    assert!(
        found[0]
            .2
            .contains(&"`subject` has only this value by the contract".to_owned()),
        "{found:?}"
    );
}

#[test]
fn misses_are_explained_in_words_and_values_show_no_invisible_characters() {
    let send =
        json!({"tool": "mail.send", "args": {"to": "m@x\u{202e}.evil", "body": "y".repeat(300)}});
    let found = explained(&[send]);
    let (rule, says, why) = &found[0];
    assert_eq!((rule.as_str(), *says), ("known", RuleResult::DoesNotMatch));
    let why = why.join("\n");
    assert!(why.contains("`body` is \"yyyy"), "{why}");
    assert!(
        why.contains("…, and the rule is about calls whose `body` is at most 20 characters long"),
        "{why}"
    );
    assert!(!why.contains('\u{202e}'), "{why}");
    assert!(
        why.contains("whose `to` is what `people.search` returned before in this task"),
        "{why}"
    );
    let (rule, says, _) = &found[1];
    assert_eq!((rule.as_str(), *says), ("no-evil", RuleResult::Decides));
}
