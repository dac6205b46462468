//! Checks that slots are read, filled, shown, compared and explained.

use contract::batch::{Asks, Batch};
use contract::{Contract, SlotValues, diff, show};
use serde_json::{Value, json};

/// 2026-02-01, 12:00.
const NOW_MS: i64 = 1_769_947_200_000;
const SLOTS: &str = r#"
[slots.recipient]
kind = "email"
is = { like = "*@x.example" }

[slots.subject]
kind = "text"
optional = true
"#;
const RULES: &str = r#"
[[allow]]
name = "mail"
tool = "mail.send"
where.to = { from = { slot = "recipient" } }
where.body = { optional = true, from = { slot = "subject" } }

[[allow]]
name = "read"
tool = "note.read"
"#;

fn contract(rules: &str) -> Contract {
    let text = crate::text(rules);
    Contract::parse("c.toml", &text, &crate::tools()).unwrap_or_else(|found| panic!("{found}"))
}

fn mail() -> Contract {
    contract(&format!("{SLOTS}{RULES}"))
}

/// Returns the value that a slot of this definition takes for a typed text, or the problem.
fn typed(slot: &str, text: &str) -> Result<Value, String> {
    let rule = "[[allow]]\ntool = \"t.any\"\nwhere.either = { from = { slot = \"one\" } }";
    let contract = contract(&format!("slots.one = {slot}\n{rule}"));
    let value = contract.typed("one", text, NOW_MS);
    value.map_err(|error| error.problem)
}

#[test]
fn typed_value_has_to_be_of_the_kind_of_its_slot() {
    let iban = "DE89 3704 0044 0532 0130 00";
    for (kind, good) in [
        ("email", "o'brien@x.example"),
        ("iban", iban),
        ("url", "https://x.example/a?b=c"),
        ("path", "in/a.txt"),
        ("date", "2030-01-31"),
        ("date", "2030-01-31 18:00"),
        ("date", "2030-01-31T18:00:00+01:00"),
        ("time", "18:30"),
        ("time", "5 pm"),
        ("amount", "EUR 12.50"),
        ("name", "Ann van Berg"),
        ("word", "x7"),
        ("text", "two\nlines, and an = sign"),
    ] {
        let found = typed(&format!("{kind:?}"), good);
        assert_eq!(found, Ok(json!(good)), "{kind}");
    }
    for (text, number) in [
        ("5", json!(5)),
        ("-2.5", json!(-2.5)),
        (" 7 ", json!(7)),
        ("40.0", json!(40)),
    ] {
        assert_eq!(typed("\"number\"", text), Ok(number), "{text}");
    }
    let long = "a".repeat(4097);
    for (kind, bad) in [
        ("email", "ann"),
        ("email", "ann@x.example, bob@x.example"),
        ("email", "<ann@x.example>"),
        ("iban", "DE89 3704 0044 0532 0130 01"),
        ("url", "x.example/a"),
        ("path", "a b.txt"),
        ("date", "tomorrow"),
        ("date", "31.1.2030"),
        ("date", "2030-02-30"),
        ("time", "25:00"),
        ("amount", "12.50"),
        ("number", "1,000"),
        ("number", "five"),
        ("number", "9007199254740993"),
        ("name", "ann"),
        ("word", "two words"),
        ("text", ""),
        ("text", "  "),
        ("text", "a\u{202e}b"),
        ("text", "a\u{0}b"),
        ("text", &long),
    ] {
        let problem = typed(&format!("{kind:?}"), bad).unwrap_err();
        let said = "the value of the slot `one` is not ";
        assert!(problem.starts_with(said), "{kind}: {bad:?}: {problem}");
    }
}

#[test]
fn bound_of_a_slot_holds_for_its_value() {
    for (slot, good, bad) in [
        (
            "{ kind = \"email\", is = { email = { domain = \"x.example\" } } }",
            "ann@x.example",
            "ann@y.example",
        ),
        ("{ kind = \"number\", is = { max = 50 } }", "50", "51"),
        ("{ kind = \"word\", is = [\"a\", \"b\"] }", "b", "c"),
        ("{ kind = \"word\", is = \"a\" }", "a", "b"),
        (
            "{ kind = \"amount\", is = { prefix = \"EUR\" } }",
            "EUR 5",
            "USD 5",
        ),
        (
            "{ kind = \"date\", is = { date = { from = \"now\", to = \"now+30d\" } } }",
            "2026-02-20",
            "2026-03-20",
        ),
        (
            "{ kind = \"path\", is = { path = \"in/**\" } }",
            "in/a.txt",
            "in/../a.txt",
        ),
        (
            "{ kind = \"text\", is = { length = { max = 3 } } }",
            "abc",
            "abcd",
        ),
        (
            "{ kind = \"text\", is = { links = false } }",
            "abc",
            "see x.example/a",
        ),
    ] {
        assert!(typed(slot, good).is_ok(), "{slot}: {good}");
        let problem = typed(slot, bad).unwrap_err();
        assert!(
            problem.contains("is outside of its bound"),
            "{slot}: {problem}"
        );
    }
}

#[test]
fn values_are_canonical_texts_and_numbers() {
    let mut values = SlotValues::default();
    values.insert("b", json!("x"));
    assert_eq!(values.insert("a", json!(1)), None);
    assert_eq!(values.encode(), br#"{"a":1,"b":"x"}"#);
    assert_eq!(SlotValues::parse(&values.encode()), Some(values));
    for bytes in [
        "",
        "[]",
        "{",
        r#"{"b":"x","a":1}"#,
        r#"{"a": 1}"#,
        r#"{"a":null}"#,
        r#"{"a":true}"#,
        r#"{"a":["x"]}"#,
        r#"{"a":{}}"#,
    ] {
        assert_eq!(SlotValues::parse(bytes.as_bytes()), None, "{bytes}");
    }
    let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(bus_schema::SLOTS_BYTES_MAX));
    assert_eq!(SlotValues::parse(long.as_bytes()), None);
}

#[test]
fn show_names_each_slot_with_what_it_takes() {
    let text = show(&mail(), &crate::tools()).text();
    for said in [
        "The owner fills in `recipient` with each task: an e-mail address that reads like \"*@x.example\".",
        "The owner may fill in `subject` with each task: a text.",
        "`to` is the e-mail address `recipient` that the owner fills in with the task",
        "`body` is left out or is the text `subject` that the owner may fill in with the task",
    ] {
        assert!(text.contains(said), "{said}:\n{text}");
    }
}

#[test]
fn versions_differ_if_a_slot_does() {
    let tools = crate::tools();
    let old = mail();
    for (from, to, rules) in [
        (
            "kind = \"email\"",
            "kind = \"text\"",
            &["task.slots", "mail"][..],
        ),
        ("*@x.example", "*@y.example", &["task.slots"]),
        (
            "optional = true",
            "optional = false",
            &["task.slots", "mail"],
        ),
    ] {
        let new = contract(&format!("{SLOTS}{RULES}").replacen(from, to, 1));
        let found = diff(&old, &new, &tools);
        let named: Vec<&str> = found.entries.iter().map(|one| one.rule.as_str()).collect();
        assert_eq!(named, rules, "{to}: {}", found.text());
        for entry in &found.entries {
            assert_ne!(entry.before, entry.after, "{to}: {}", found.text());
        }
    }
    assert!(diff(&old, &mail(), &tools).is_empty());
}

/// Decides these lines, and returns the verdict or the error of each; `-` for a line without a call.
fn lines(contract: &Contract, explains: bool, lines: &[Value]) -> Vec<String> {
    let tools = crate::tools();
    let batch = Batch::new(contract, &tools, Asks::Approve, NOW_MS);
    let mut batch = if explains { batch.explaining() } else { batch };
    let each = lines
        .iter()
        .map(|line| match batch.line(&line.to_string()) {
            Ok(Some(said)) => said,
            Ok(None) => "-".to_owned(),
            Err(problem) => problem,
        });
    each.collect()
}

#[test]
fn lines_fill_the_slots_of_a_task_before_its_first_call() {
    let contract = mail();
    let call = |task: &str, to: &str| json!({"task": task, "call": 1, "tool": "mail.send", "args": {"to": to, "body": "b"}});
    let fills = |task: &str, slots: Value| json!({"task": task, "slots": slots});
    let good = json!({"recipient": "ann@x.example", "subject": "b"});
    let said = lines(
        &contract,
        false,
        &[
            fills("a", good.clone()),
            call("a", "ann@x.example"),
            call("a", "bob@x.example"),
            fills("a", good.clone()),
            fills("b", json!({"recipient": "ann@y.example"})),
            fills("c", json!({"subject": "b"})),
            fills("d", json!({"recipient": "ann@x.example", "size": 5})),
            call("e", "ann@x.example"),
        ],
    );
    for (at, word) in [
        (0, "-"),
        (1, "\"granted\""),
        (2, "\"refused\""),
        (3, "is not its first one; put it first"),
        (4, "outside of its bound"),
        (5, "does not fill in the slot `recipient`"),
        (6, "has no slot \"size\""),
        (7, "\"refused\""),
    ] {
        assert!(said[at].contains(word), "{word}: {}", said[at]);
    }
}

#[test]
fn explanation_says_that_the_slot_determines_the_argument() {
    let contract = mail();
    let args = json!({"to": "ann@x.example", "body": "b"});
    let slots = json!({"recipient": "ann@x.example", "subject": "b"});
    let said = lines(
        &contract,
        true,
        &[
            json!({"tool": "note.read", "args": {}, "slots": slots}),
            json!({"tool": "mail.send", "args": args}),
        ],
    );
    let by = "`to` has only this value by what the owner filled in as `recipient`";
    assert!(said[1].contains(by), "{}", said[1]);
    assert!(said[1].contains("\"granted\""), "{}", said[1]);
}

#[test]
fn refusal_says_what_the_owner_fills_in() {
    let contract = mail();
    let slots = json!({"recipient": "ann@x.example"});
    let args = json!({"to": "eve@x.example", "body": "b"});
    let said = lines(
        &contract,
        true,
        &[json!({"tool": "mail.send", "args": args, "slots": slots})],
    );
    let why = "the e-mail address `recipient` that the owner fills in with the task";
    assert!(said[0].contains(why), "{}", said[0]);
}

#[test]
fn inline_test_fills_the_slots_of_its_task() {
    let rules = format!("{SLOTS}{RULES}");
    let tests = r#"
[[test]]
name = "ann"
slots = { recipient = "ann@x.example", subject = "b" }
call = { tool = "mail.send", args = { to = "ann@x.example", body = "b" } }
expect = "allow"

[[test]]
like = "ann"
slots = { recipient = "bob@x.example" }
expect = "deny"

[[test]]
like = "ann"
slots = { recipient = "bob@x.example" }
args = { to = "bob@x.example" }
earlier = [{ tool = "note.read" }]
expect = "allow"

[[test]]
call = { tool = "note.read" }
expect = "allow"
"#;
    contract(&format!("{rules}{tests}"));
}

#[test]
fn fix_after_untrusted_data_may_name_what_the_owner_filled_in() {
    let rules = format!(
        "{SLOTS}{RULES}\n[[allow]]\nname = \"me\"\ntool = \"list.send\"\nwhere.subject = \"s\"\nwhere.to = {{ only_items = [\"me@x.example\"] }}\n"
    );
    let contract = contract(&rules);
    let slots = json!({"recipient": "ann@x.example"});
    let said = |to: &str| {
        let args = json!({"to": [to], "subject": "s"});
        let lines = lines(
            &contract,
            false,
            &[
                json!({"task": "a", "slots": slots}),
                json!({"task": "a", "call": 1, "tool": "note.read", "args": {}}),
                json!({"task": "a", "call": 2, "tool": "list.send", "args": args}),
            ],
        );
        let verdict: Value = serde_json::from_str(&lines[2]).unwrap();
        verdict["fix"].to_string()
    };
    assert!(
        said("ann@x.example").contains("ann@x.example"),
        "{}",
        said("ann@x.example")
    );
    assert!(
        !said("eve@y.example").contains("eve"),
        "{}",
        said("eve@y.example")
    );
}
