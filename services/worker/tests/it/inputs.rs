//! Tests the inputs of playbooks: values that fit, values that do not, and the text that the owner signs.

use std::collections::BTreeMap;

use crate::run::Run;
use serde_json::{Value, json};
use worker::{INPUT_BYTES_MAX, Playbook};

const TEXT: &str = r#"
playbook = "report"
purpose = "test"

[input.folder]
type = "string"
about = "The folder with the invoices."

[input.days]
type = "integer"
is = { min = 1, max = 9 }
default = 7

[input.kind]
type = "string"
is = ["full", "short"]
default = "full"

[input.share]
type = "number"
default = 0.5

[input.files]
type = "list"
is = { suffix = ".txt" }
default = []

[input.dry]
type = "boolean"
default = false

[[step]]
id = "a"
tool = "t.t"
args = { folder = "{input.folder}", days = "{input.days}", text = "{input.days} days: {input.files}", dry = "{input.dry}" }

[[step]]
id = "each"
tool = "t.t"
for_each = "{input.files}"
args.x = "{item}"
"#;

fn playbook() -> Playbook {
    Playbook::parse("report.toml", TEXT).unwrap_or_else(|e| panic!("{e}"))
}

fn given(pairs: &[(&str, Value)]) -> BTreeMap<String, Value> {
    let pairs = pairs.iter().cloned();
    pairs.map(|(name, value)| (name.into(), value)).collect()
}

fn wrong(pairs: &[(&str, Value)]) -> String {
    playbook()
        .with_inputs(&given(pairs))
        .unwrap_err()
        .to_string()
}

#[test]
fn values_become_part_of_the_text_and_of_the_arguments() {
    let folder = "it's \"2027\"\n}{ [given] \\ é";
    let values = [
        ("folder", json!(folder)),
        ("days", json!(3)),
        ("files", json!(["a.txt", "b.txt"])),
    ];
    let filled = playbook().with_inputs(&given(&values)).unwrap();
    assert!(filled.source().starts_with(TEXT.trim_end()));
    assert!(filled.missing().next().is_none());
    let mut run = Run::new(filled.source());
    assert_eq!(run.sentence(&["{}"]), "Every action succeeded.");
    let args: Value = serde_json::from_str(run.args_of(0, 0)).unwrap();
    let wanted = json!({"folder": folder, "days": 3, "text": "3 days: a.txt\nb.txt", "dry": false});
    assert_eq!(args, wanted);
    assert_eq!(run.args_of(1, 1), r#"{"x":"b.txt"}"#);
    let again = filled.with_inputs(&given(&[("days", json!(4))]));
    assert_eq!(
        again.unwrap_err().to_string(),
        "the playbook has values under `[given]` already; remove that table"
    );
}

#[test]
fn a_playbook_without_values_is_signed_as_it_is() {
    let text = TEXT.replace("about = ", "default = \".\"\nabout = ");
    let playbook = Playbook::parse("p", &text).unwrap();
    let same = playbook.with_inputs(&BTreeMap::new()).unwrap();
    assert_eq!(same.source(), text);
    assert_eq!(same.input_values()["folder"], ".");
}

#[test]
fn wrong_and_missing_values_are_sentences_with_the_fix() {
    let folder = ("folder", json!("."));
    for (pairs, sentence) in [
        (vec![], "the input `folder` has no value; it is a string"),
        (
            vec![("foldr", json!("."))],
            "the playbook `report` has no input `foldr`; did you mean `folder`?",
        ),
        (
            vec![("zzzzzzzz", json!("."))],
            "the playbook `report` has no input `zzzzzzzz`; it has `days`, `dry`, `files`, `folder`, `kind`, `share`",
        ),
        (
            vec![("folder", json!(1))],
            "the value of the input `folder` is not a string; write a string",
        ),
        (
            vec![folder.clone(), ("days", json!(10))],
            "the value of the input `days` is not an integer from 1 to 9; write an integer from 1 to 9",
        ),
        (
            vec![folder.clone(), ("days", json!(1.5))],
            "the value of the input `days` is not an integer from 1 to 9; write an integer from 1 to 9",
        ),
        (
            vec![folder.clone(), ("kind", json!("ful"))],
            "the value of the input `kind` is not a string that is \"full\" or \"short\"; write a string that is \"full\" or \"short\"",
        ),
        (
            vec![folder.clone(), ("files", json!(["a.txt", "b"]))],
            "the value of the input `files` is not a list, each item one that ends with \".txt\"; write a list, each item one that ends with \".txt\"",
        ),
        (
            vec![folder.clone(), ("share", json!(9_007_199_254_740_992_i64))],
            "the value of the input `share` is beyond 2^53 - 1, which JSON readers disagree about; write a number",
        ),
        (
            vec![("folder", json!("a\u{202e}b"))],
            "the value of the input `folder` has invisible characters; write a string",
        ),
    ] {
        assert_eq!(wrong(&pairs), sentence);
    }
    let long = wrong(&[("folder", json!("x".repeat(INPUT_BYTES_MAX)))]);
    assert!(long.contains("bytes; at most"), "{long}");
    let playbook = Playbook::parse(
        "p",
        "playbook = \"p\"\npurpose = \"t\"\n[[step]]\nid = \"a\"\ntool = \"t.t\"\n",
    )
    .unwrap();
    assert_eq!(
        playbook
            .with_inputs(&given(&[("x", json!(1))]))
            .unwrap_err()
            .to_string(),
        "the playbook `p` has no input `x`; declare it under `[input]` first"
    );
}

#[test]
fn typed_values_have_the_type_of_the_input() {
    let playbook = playbook();
    for (name, text, value) in [
        ("folder", "7", json!("7")),
        ("days", " 7", json!(7)),
        ("share", "1e-2", json!(0.01)),
        ("dry", "true", json!(true)),
        ("files", "a.txt\n\nb.txt\n", json!(["a.txt", "b.txt"])),
        ("files", r#"["a.txt"]"#, json!(["a.txt"])),
        ("files", "", json!([])),
    ] {
        assert_eq!(playbook.typed(name, text).unwrap(), value);
    }
    for (name, text) in [
        ("days", "seven"),
        ("days", "0"),
        ("dry", "yes"),
        ("share", "\"1\""),
        ("share", "1e999"),
        ("files", "[\"a.txt\""),
        ("files", "[[\"a.txt\"]]"),
        ("kind", "none"),
    ] {
        assert!(playbook.typed(name, text).is_err(), "{name} {text}");
    }
}
