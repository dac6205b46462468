//! Checks that a diff of contracts covers every call that they decide differently, and is correct.

use std::sync::LazyLock;

use contract::batch::{Asks, Batch, Decided};
use contract::{Catalogue, Contract, Diff, RuleResult, Verdict, diff};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

static TOOLS: LazyLock<Catalogue> = LazyLock::new(crate::tools);

/// Lines of rules about tools that send, pay and read; `CALL` has arguments for each.
const RULES: &[&str] = &[
    "[[allow]]\ntool = \"mail.send\"",
    "[[allow]]\ntool = \"mail.send\"\nwhere.to = { email = { domain = \"a.example\" } }",
    "[[allow]]\ntool = \"mail.send\"\nwhere.to = { from = \"task\" }\nfree = [\"to\"]",
    "[[allow]]\ntool = \"mail.send\"\nwhere.to = { from = { tool = \"people.search\", field = \"results[].email\" } }\nsecret = \"ask\"",
    "[[ask]]\ntool = \"mail.send\"\nreason = \"r\"",
    "[[ask]]\ntool = \"mail.send\"\nwhere.body = { prefix = \"a\" }\nreason = \"r\"",
    "[[deny]]\ntool = \"mail.send\"\nwhere.body = { like = \"*secret*\" }",
    "[[deny]]\ntool = \"mail.send\"\nwhen = 'args.to like \"*evil*\"'",
    "[[allow]]\ntool = \"pay.transfer\"\nwhere.amount = { max = 100 }",
    "[[allow]]\ntool = \"pay.transfer\"\nwhere.amount = { max = 99 }\ncalls = 2",
    "[[ask]]\ntool = \"pay.transfer\"\nwhere.amount = { min = 50 }\nreason = \"r\"",
    "[[deny]]\ntool = \"pay.transfer\"\nwhere.to = [\"x\", \"y\"]",
    "[[allow]]\ntool = \"item.update\"\nafter = { tool = \"item.create\", equal = [\"id\"] }",
    "[[allow]]\ntool = \"item.update\"\nwhere.low = { at_most = \"high\" }",
    "[[allow]]\ntool = \"item.*\"\ncalls = 1",
    "[[deny]]\ntool = \"item.*\"\nwhere.id = \"x\"",
    "[[allow]]\ntool = \"note.read\"",
    "[[allow]]\ntool = \"people.search\"",
    "[[allow]]\ntool = \"*\"\ncalls = 2",
    "[[deny]]\ntool = \"*\"",
    "[[allow]]\ntool = \"item.update\"\nonly = true\nwhere.id = { length = { max = 2 } }",
    "[[allow]]\ntool = \"pay.transfer\"\nper_day = { calls = 1, sum = { amount = 100 } }",
    "[[allow]]\neffect = \"read\"\nexcept = [\"note.read\"]",
    "[[allow]]\ntools = [\"item.*\", \"pay.transfer\"]\ncalls = 3",
    "[[allow]]\ntool = \"mail.send\"\nwhere.to = { suffix = \"a.example\" }\notherwise = \"ask\"",
    "[[allow]]\ntool = \"pay.transfer\"\nwhere.amount = { max = 50 }\nwhere.to = \"x\"\notherwise = \"ask\"",
    "[[allow]]\ntool = \"mail.send\"\ndistinct = [\"to\"]",
    "[[allow]]\ntool = \"pay.transfer\"\nper_value = { to = 2 }\nsame = [\"amount\"]",
    "[[deny]]\ntools = [\"item.update\", \"mail.send\"]",
    "[[allow]]\ntool = \"mail.send\"\nwhere.to = { one_of = [\"x\", { suffix = [\"A.example\"], ignore_case = true }] }",
    "[[deny]]\ntool = \"mail.send\"\nwhere.body = { not = [\"a\", { like = [\"*b*\"] }] }",
    "[[ask]]\ntool = \"mail.send\"\nwhere.body = { template = \"the {what}\", holes = { what = \"secret\" } }\nreason = \"r\"",
    "[[allow]]\ntool = \"pay.transfer\"\nwhere.amount = { is = [49, 100] }",
    "[[deny]]\ntool = \"item.update\"\nwhere.lines = { optional = true, only_items = { fields = { sku = \"s\" } } }",
];
const LIMITS: [&str; 4] = [
    "",
    "limits.calls = 2\n",
    "limits.messages = 1\n",
    "limits.day = { calls = 3 }\n",
];

fn call() -> impl Strategy<Value = (String, Value)> {
    let to = select(vec!["x", "y", "ann@a.example", "bob@evil.example"]);
    let body = select(vec!["a", "the secret", "b"]);
    let amount = select(vec![1, 49, 50, 51, 99, 100, 101]);
    let id = select(vec!["x", "ab", "abc"]);
    let high = 0..3_i64;
    let tool = select(vec![
        "mail.send",
        "pay.transfer",
        "item.update",
        "item.create",
        "note.read",
        "people.search",
    ]);
    (tool, to, body, amount, id, high).prop_map(|(tool, to, body, amount, id, high)| {
        let args = match tool {
            "mail.send" => json!({"to": to, "body": body}),
            "pay.transfer" => json!({"amount": amount, "to": to}),
            "item.update" => json!({"id": id, "low": 1, "high": high}),
            "people.search" => json!({"q": "q"}),
            _ => json!({"id": id}),
        };
        (tool.to_owned(), args)
    })
}

/// Generates a contract of some of the rules, each with its own stable name.
fn rules() -> impl Strategy<Value = (String, Vec<(usize, String)>)> {
    let named = |at: usize| {
        let rule = RULES[at].replacen("]]", &format!("]]\nname = \"r{at}\""), 1);
        (at, format!("{rule}\n"))
    };
    let some = proptest::collection::btree_set(0..RULES.len(), 1..8);
    (select(&LIMITS[..]), some)
        .prop_map(move |(limits, some)| (limits.to_owned(), some.into_iter().map(named).collect()))
}

fn parse(limits: &str, rules: &[(usize, String)]) -> Contract {
    let rules: Vec<&str> = rules.iter().map(|(_, rule)| rule.as_str()).collect();
    crate::contract(&format!("{limits}{}", rules.join("\n")), &TOOLS)
}

/// Changes the contract: one rule added, removed or renamed to another's name, or other limits.
fn changed(limits: &str, rules: &[(usize, String)], at: Index, other: Index, how: u8) -> Contract {
    let mut rules = rules.to_vec();
    let mut limits = limits.to_owned();
    let place = at.index(rules.len());
    let new = other.index(RULES.len());
    let rule = |name: usize| {
        format!(
            "{}\n",
            RULES[new].replacen("]]", &format!("]]\nname = \"r{name}\""), 1)
        )
    };
    match how {
        0 if rules.len() > 1 => drop(rules.remove(place)),
        1 => {
            let name = rules[place].0;
            rules[place].1 = rule(name);
        }
        2 => limits = LIMITS[other.index(LIMITS.len())].to_owned(),
        _ if rules.iter().all(|(name, _)| *name != new) => rules.push((new, rule(new))),
        _ => {}
    }
    parse(&limits, &rules)
}

fn word(verdict: &Verdict) -> (&'static str, &str) {
    match verdict {
        Verdict::Granted { rule, .. } => ("granted", rule.as_str()),
        Verdict::Ask { rule, .. } => ("ask", rule.as_str()),
        Verdict::Refused { rule, .. } => ("refused", rule.as_str()),
    }
}

/// Returns the rules and checks that take part in a verdict.
fn part(decided: &Decided) -> Vec<String> {
    let rules = decided.rules.iter().flatten();
    let rules = rules.filter(|one| one.says != RuleResult::DoesNotMatch);
    let mut part: Vec<String> = rules.map(|one| one.rule.to_string()).collect();
    part.push(word(&decided.verdict).1.to_owned());
    part
}

/// Returns true if the diff names a part of the verdict on a call of this tool.
fn names(found: &Diff, tool: &str, part: &[String]) -> bool {
    found.entries.iter().any(|entry| {
        let about = entry.tools.is_empty() || entry.tools.iter().any(|one| one == tool);
        about && part.contains(&entry.rule)
    })
}

fn line(at: usize, tool: &str, args: &Value) -> String {
    let result = json!({"results": [{"email": "ann@a.example"}]});
    json!({"task": "t", "call": at, "tool": tool, "args": args, "result": result}).to_string()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 250, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn diff_is_sound((limits, rules) in rules(), at in any::<Index>(), other in any::<Index>(), how in 0..4_u8,
        calls in proptest::collection::vec(call(), 1..10))
    {
        let (old, new) = (parse(&limits, &rules), changed(&limits, &rules, at, other, how));
        let found = diff(&old, &new, &TOOLS);
        let start = |contract| Batch::new(contract, &TOOLS, Asks::Approve, 0).explaining();
        let (mut before, mut after) = (start(&old), start(&new));
        let words = json!({"task": "t", "text": "write to ann@a.example"}).to_string();
        before.decide(&words).unwrap();
        after.decide(&words).unwrap();
        for (at, (tool, args)) in calls.iter().enumerate() {
            let said = |batch: &mut Batch<'_>| batch.decide(&line(at, tool, args)).unwrap().unwrap();
            let (one, other) = (said(&mut before), said(&mut after));
            if word(&one.verdict).0 != word(&other.verdict).0 {
                let part = [part(&one), part(&other)].concat();
                prop_assert!(names(&found, tool, &part), "{tool} {args}: {:?} → {:?}\n{}", word(&one.verdict), word(&other.verdict), found.text());
                // From here on the two records differ, so any verdict may differ.
                break;
            }
            // The records also differ if another rule counts the call.
            if word(&one.verdict) != word(&other.verdict) && word(&one.verdict).0 != "refused" {
                break;
            }
        }
    }

    #[test]
    fn contract_does_not_differ_from_itself((limits, rules) in rules()) {
        let found = diff(&parse(&limits, &rules), &parse(&limits, &rules), &TOOLS);
        prop_assert!(found.is_empty() && found.notes.is_empty());
    }
}

/// Rules and a test of two versions, and the expected text of their diff.
const SHOWN: [(&str, &str, &str); 5] = [
    (
        "[[allow]]\nname = \"r\"\ntool = \"pay.transfer\"\nwhere.amount = { max = 50 }\n\
         [[test]]\ncall = { tool = \"pay.transfer\", args = { amount = 55, to = \"x\" } }\nexpect = \"deny\"",
        "[[allow]]\nname = \"r\"\ntool = \"pay.transfer\"\nwhere.amount = { max = 60 }",
        "becomes allowed: pay.transfer {\"amount\":55,\"to\":\"x\"}: refused by `default` → granted by `r`",
    ),
    (
        "[[allow]]\nname = \"r\"\ntool = \"note.read\"\n\
         [[test]]\ncall = { tool = \"note.read\", args = { id = \"a\" } }\nexpect = \"allow\"",
        "[[allow]]\nname = \"r\"\ntool = \"note.read\"\n[[deny]]\nname = \"no\"\ntool = \"note.*\"",
        "no longer allowed: note.read {\"id\":\"a\"}: granted by `r` → refused by `no`",
    ),
    (
        "[[allow]]\nname = \"r\"\ntool = \"note.read\"",
        "[[ask]]\nname = \"r\"\ntool = \"note.read\"\nreason = \"r\"\n\
         [[test]]\ncall = { tool = \"note.read\", args = { id = \"a\" } }\nexpect = \"ask\"",
        "is asked about now: note.read {\"id\":\"a\"}: granted by `r` → ask by `r`",
    ),
    (
        "[[ask]]\nname = \"r\"\ntool = \"note.read\"\nreason = \"r\"",
        "[[allow]]\nname = \"r\"\ntool = \"note.read\"\n\
         [[test]]\ncall = { tool = \"note.read\", args = { id = \"a\" } }\nexpect = \"allow\"",
        "becomes allowed without asking: note.read {\"id\":\"a\"}: ask by `r` → granted by `r`",
    ),
    (
        "[[allow]]\nname = \"r\"\ntool = \"item.update\"\nafter = \"item.create\"\n[[allow]]\ntool = \"item.create\"\n\
         [[test]]\nearlier = [{ tool = \"item.create\", args = { id = \"a\" }, output = \"untrusted\" }]\n\
         call = { tool = \"item.update\", args = { id = \"a\" } }\nexpect = \"allow\"",
        "[[allow]]\nname = \"r\"\ntool = \"note.read\"",
        "no longer allowed: item.update {\"id\":\"a\"} after `item.create`, whose result anybody may have written: granted",
    ),
];

#[test]
fn tests_that_are_decided_differently_are_shown() {
    for (old, new, words) in SHOWN {
        let found = diff(
            &crate::contract(old, &TOOLS),
            &crate::contract(new, &TOOLS),
            &TOOLS,
        );
        assert_eq!(found.calls.len(), 1);
        let text = found.text();
        assert!(text.contains(words), "{words:?} is not in:\n{text}");
    }
}

#[test]
fn a_shared_test_is_shown_once_and_one_that_both_decide_alike_never() {
    let rules = "[[allow]]\ntool = \"note.read\"\n";
    let test =
        "[[test]]\ncall = { tool = \"note.read\", args = { id = \"a\" } }\nexpect = \"allow\"\n";
    let parse = |text: String| crate::contract(&text, &TOOLS);
    let old = parse(format!("{rules}{test}{test}"));
    let wider = parse(format!("{rules}[[allow]]\ntool = \"mail.send\"\n{test}"));
    assert_eq!(diff(&old, &wider, &TOOLS).calls, []);
    let narrower = parse("[[allow]]\ntool = \"mail.send\"".to_owned());
    assert_eq!(diff(&old, &narrower, &TOOLS).calls.len(), 1);
}

#[test]
fn end_start_and_principal_are_named() {
    let text = crate::text("[[allow]]\nname = \"r\"\ntool = \"mail.send\"");
    let old = Contract::parse("c", &text, &TOOLS).unwrap();
    let new = text.replace("2036-12-31", "2035-12-31");
    let new = new.replacen(
        "owner =",
        "starts = 2026-01-01\nprincipal = \"job\"\nowner =",
        1,
    );
    let new = Contract::parse("c", &new, &TOOLS).unwrap();
    let found = diff(&old, &new, &TOOLS).text();
    for word in [
        "added `starts` (every tool)",
        "changed `expired` (every tool)",
        "changed `principal` (every tool)",
    ] {
        assert!(found.contains(word), "{word:?} is not in:\n{found}");
    }
}

#[test]
fn rules_that_only_change_their_name_decide_nothing_else() {
    let parse = |rules: &str| crate::contract(rules, &TOOLS);
    let found = diff(
        &parse("[[allow]]\nname = \"a\"\ntool = \"mail.send\""),
        &parse("[[allow]]\nname = \"b\"\ntool = \"mail.send\""),
        &TOOLS,
    );
    assert!(found.is_empty());
    assert_eq!(found.notes.len(), 1);
}
