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
    explained_by(RULES, lines)
}

fn explained_by(
    rules: &str,
    lines: &[serde_json::Value],
) -> Vec<(String, RuleResult, Vec<String>)> {
    let tools = crate::tools();
    let contract = crate::contract(rules, &tools);
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

#[test]
fn a_rule_that_matches_says_why_another_takes_the_call() {
    let send = json!({"tool": "mail.send", "args": {"to": "ann", "body": "hi"}});
    let read = json!({"tool": "note.read", "args": {}, "result": "x"});
    for (rule, matched, read_before, expected) in [
        (
            "name = \"a\"\ncalls = 5",
            "name = \"b\"\ncalls = 2",
            false,
            "but `a` takes it: it has 5 calls left, and this rule 2 calls",
        ),
        (
            "name = \"a\"",
            "name = \"b\"\ncalls = 2",
            false,
            "but `a` takes it: it has any number of calls left, and this rule 2 calls",
        ),
        (
            "name = \"a\"",
            "name = \"b\"\nsecrets = [\"key\"]",
            false,
            "but `a` takes it: it releases fewer secrets",
        ),
        (
            "name = \"a\"",
            "name = \"b\"",
            false,
            "but `a` takes it: it is as good, and its text comes first in the alphabet",
        ),
        (
            "name = \"a\"\ncalls = 2\nwhere.to = \"ann\"\nwhere.body = \"hi\"",
            "name = \"b\"\ncalls = 9",
            true,
            "but `a` takes it: it needs no question, and this rule needs one",
        ),
    ] {
        let text = format!(
            "[[allow]]\ntool = \"note.read\"\n[[allow]]\ntool = \"mail.send\"\n{rule}\n[[allow]]\ntool = \"mail.send\"\n{matched}\n"
        );
        let lines: Vec<_> = read_before.then(|| read.clone()).into_iter().collect();
        let found = explained_by(&text, &[lines, vec![send.clone()]].concat());
        let says = |name: &str| found.iter().find(|(rule, ..)| rule == name).unwrap();
        assert_eq!(says("a").1, RuleResult::Decides, "{found:?}");
        let (_, result, why) = says("b");
        assert_eq!(*result, RuleResult::Matches, "{found:?}");
        assert!(why[0].ends_with(expected), "{why:?}");
    }
    let asked = "[[allow]]\nname = \"b\"\ntool = \"mail.send\"\n[[ask]]\nname = \"a\"\ntool = \"mail.send\"\nwhere.to = \"ann\"\nreason = \"r\"\n";
    let found = explained_by(asked, std::slice::from_ref(&send));
    assert!(
        found[0].2[0].ends_with("but `a` asks, and an ask comes before an allow"),
        "{found:?}"
    );
}
