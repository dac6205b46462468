//! Tests the reader's errors for invalid playbooks; the texts are in `golden/playbook-errors.txt`.

use std::fmt::Write as _;
use std::path::Path;
use worker::{PLAYBOOK_BYTES_MAX, Playbook, STEPS_MAX};

const HEAD: &str = "playbook = \"p\"\npurpose = \"test\"\n";
const A: &str = "[[step]]\nid = \"a\"\ntool = \"file.list\"\n";
const EACH: &str = "[[step]]\nid = \"each\"\ntool = \"file.read\"\nfor_each = \"{a.files}\"\n";
const B: &str = "[[step]]\nid = \"b\"\ntool = \"file.read\"\n";

/// Cases whose playbook is a head, the steps `a` and `each`, a step `b`, and these lines in it.
const IN_STEP_B: &[(&str, &str)] = &[
    ("unknown step key", "on_refused = \"stop\""),
    ("unknown step key far from any", "colour = \"red\""),
    ("args is not a table", "args = 3"),
    ("unknown reference", "args = { x = \"{eech.files}\" }"),
    (
        "unknown reference far from any",
        "args = { x = \"see {nothing.files}\" }",
    ),
    ("forward reference", "args = { x = \"{later.files}\" }"),
    ("reference to itself", "args = { x = \"{b.files}\" }"),
    ("item without for_each", "args = { x = \"{item.path}\" }"),
    ("item in for_each", "for_each = \"{item.path}\""),
    ("field of a list step", "args = { x = \"{each.text}\" }"),
    ("empty reference", "args = { x = \"a {} b\" }"),
    ("open reference", "args = { x = \"a {b\" }"),
    ("lone closing brace", "args = { x = \"a } b\" }"),
    (
        "reference with a space",
        "args = { x = \"{a.files here}\" }",
    ),
    ("reference that ends in a dot", "args = { x = \"{a.}\" }"),
    ("negative index", "args = { x = \"{a.files[-1]}\" }"),
    (
        "index with a leading zero",
        "args = { x = \"{a.files[01]}\" }",
    ),
    ("open index", "args = { x = \"{a.files[1}\" }"),
    ("open quoted field", "args = { x = '{a[\"files}' }"),
    (
        "reference in a text of several lines",
        "args.x = \"\"\"\nfirst\nsecond {c.d}\n\"\"\"",
    ),
    ("reference after an escape", "args = { x = \"\\t{c.d}\" }"),
    ("for_each is text", "for_each = \"all of {a.files}\""),
    ("for_each is a list", "for_each = [1]"),
    ("parallel without for_each", "parallel = true"),
    (
        "parallel is not a boolean",
        "for_each = \"{a}\"\nparallel = \"yes\"",
    ),
    ("refusals are not retried", "on_refusal = { retry = 1 }"),
    ("no retry", "on_failure = { retry = 0 }"),
    ("too many retries", "on_unknown = { retry = 6 }"),
    (
        "retry with a further key",
        "on_failure = { retry = 1, wait = 2 }",
    ),
    ("unknown behaviour", "on_failure = \"ignore\""),
    ("date", "args = { x = 2026-01-01 }"),
    ("not a number", "args = { x = nan }"),
    ("infinite", "args = { x = -inf }"),
    ("integer beyond 2^53 - 1", "args = { x = 9007199254740992 }"),
    ("integer beyond 2^63", "args = { x = 9223372036854775808 }"),
    (
        "several at once",
        "args = { x = \"{c}\", y = nan }\nparallel = 1",
    ),
];

#[test]
fn every_wrong_playbook_is_told_its_place_and_its_fix() {
    let mut cases = documents();
    for (name, lines) in IN_STEP_B {
        let later = "\n[[step]]\nid = \"later\"\ntool = \"file.list\"\n";
        cases.push(((*name).into(), format!("{HEAD}{A}{EACH}{B}{lines}{later}")));
    }
    let mut actual = String::new();
    for (name, text) in cases {
        let Err(diagnostics) = Playbook::parse("p.toml", &text) else {
            panic!("{name}: the playbook was taken");
        };
        for shown in diagnostics.shown() {
            assert!(!shown.fix().is_empty(), "{name}: no fix");
        }
        writeln!(actual, "## {name}\n\n{diagnostics}\n").unwrap();
    }
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/playbook-errors.txt");
    let fresh = Path::new(env!("CARGO_TARGET_TMPDIR")).join("playbook-errors.txt");
    std::fs::write(&fresh, &actual).unwrap();
    let wanted = std::fs::read_to_string(&golden).unwrap_or_default();
    assert!(
        actual == wanted,
        "the messages changed: compare, and if they are better, cp {} {}",
        fresh.display(),
        golden.display()
    );
}

fn documents() -> Vec<(String, String)> {
    let step = |lines: &str| format!("{HEAD}[[step]]\n{lines}\n");
    let nested = format!("{HEAD}{A}args.x = {}1{}\n", "[".repeat(32), "]".repeat(32));
    let deeper = format!(
        "{HEAD}{A}args.x = {}1{}\n",
        "[".repeat(5_000),
        "]".repeat(5_000)
    );
    let dotted = format!("{HEAD}{A}args{} = 1\n", ".x".repeat(50_000));
    let many = (0..=STEPS_MAX).fold(HEAD.to_string(), |text, n| {
        format!("{text}[[step]]\nid = \"s{n}\"\ntool = \"t.t\"\n")
    });
    let long = format!("{HEAD}{A}args.x = \"{{a.{}}}\"\n", "x".repeat(256));
    [
        ("empty document", String::new()),
        ("not TOML", format!("{HEAD}[[step]\n")),
        ("duplicate key", format!("{HEAD}purpose = \"twice\"\n{A}")),
        ("no steps", HEAD.into()),
        ("empty list of steps", format!("{HEAD}step = []\n")),
        ("step is one table", format!("{HEAD}[step]\nid = \"a\"\n")),
        ("unknown key", format!("porpose = \"x\"\n{HEAD}{A}")),
        (
            "name is not a slug",
            format!("{}{A}", HEAD.replace("\"p\"", "\"My Book\"")),
        ),
        (
            "purpose is empty",
            format!("{}{A}", HEAD.replace("\"test\"", "\" \"")),
        ),
        (
            "purpose is a number",
            format!("{}{A}", HEAD.replace("\"test\"", "1")),
        ),
        ("step without id and tool", step("args = {}")),
        (
            "step id is not a slug",
            step("id = \"A b\"\ntool = \"t.t\""),
        ),
        ("step id is item", step("id = \"item\"\ntool = \"t.t\"")),
        (
            "tool name with a space",
            step("id = \"a\"\ntool = \"file list\""),
        ),
        ("duplicate id", format!("{HEAD}{A}{A}")),
        ("too many steps", many),
        (
            "too large",
            format!("{HEAD}{A}#{}", " ".repeat(PLAYBOOK_BYTES_MAX)),
        ),
        ("too deep", nested),
        ("far too deep", deeper),
        ("dotted key far too deep", dotted),
        ("long reference", long),
    ]
    .map(|(name, text)| (name.to_string(), text))
    .into()
}

#[test]
fn countless_problems_are_still_an_error() {
    let lines = (0..20_000).fold(String::new(), |text, n| format!("{text}k{n} = 1\n"));
    let diagnostics = Playbook::parse("p", &format!("{HEAD}{lines}{A}")).unwrap_err();
    assert_eq!(diagnostics.shown().len() + diagnostics.hidden(), 200);
}

#[test]
fn the_largest_allowed_playbook_is_taken() {
    let text = (0..STEPS_MAX).fold(HEAD.to_string(), |text, n| {
        format!("{text}[[step]]\nid = \"s{n}\"\ntool = \"t.t\"\n")
    });
    let text = format!("{text}#{}", " ".repeat(PLAYBOOK_BYTES_MAX - text.len() - 1));
    assert_eq!(
        Playbook::parse("p", &text).unwrap().steps().len(),
        STEPS_MAX
    );
    let deep = format!("{HEAD}{A}args.x = {}1{}\n", "[".repeat(31), "]".repeat(31));
    assert!(Playbook::parse("p", &deep).is_ok());
}
