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
    ("if is text", "if = \"{a.n} > 1\""),
    ("condition without a value", "if = { min = 1 }"),
    (
        "condition without a comparison",
        "if = { value = \"{a.n}\" }",
    ),
    (
        "condition with two comparisons",
        "if = { value = \"{a.n}\", min = 1, is = 2 }",
    ),
    (
        "condition with an unknown key",
        "if = { value = \"{a.n}\", mim = 1 }",
    ),
    (
        "condition on a text",
        "if = { value = \"n={a.n}\", is = \"n=1\" }",
    ),
    (
        "condition on a later step",
        "if = { value = \"{later.n}\", is = 1 }",
    ),
    (
        "condition that nothing meets",
        "if = { value = \"{a.n}\", min = 2, max = 1 }",
    ),
    (
        "if and unless alike",
        "if = { value = \"{a.n}\", is = 1 }\nunless = { value = \"{a.n}\", is = 1 }",
    ),
    ("otherwise is unknown", "otherwise = \"latr\""),
    ("otherwise comes before", "otherwise = \"a\""),
    ("otherwise is itself", "otherwise = \"b\""),
    (
        "otherwise that is never taken",
        "otherwise = \"later\"\non_failure = \"continue\"\non_refusal = \"continue\"",
    ),
    ("repeat without a bound", "repeat = { times = \"{a.n}\" }"),
    (
        "repeat until without a bound",
        "repeat = { until = { value = \"{b.n}\", is = 1 } }",
    ),
    ("repeat zero times", "repeat = 0"),
    ("repeat too often", "repeat = 1001"),
    (
        "repeat with a wrong pause",
        "repeat = { at_most = 2, pause = \"1 minute\" }",
    ),
    ("repeat and for_each", "repeat = 2\nfor_each = \"{a.l}\""),
    ("repeat in parallel", "repeat = 2\nparallel = true"),
    ("at_most alone", "at_most = 2"),
    ("wait with a tool", "wait = \"1m\""),
    ("unknown input", "args = { x = \"{input.folder}\" }"),
    ("input alone", "args = { x = \"{input}\" }"),
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

#[expect(
    clippy::too_many_lines,
    reason = "a table is as long as the errors that it lists"
)]
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
    let input =
        |lines: &str| format!("{HEAD}[input.kind]\n{lines}\n{A}args.x = \"{{input.kidn}}\"\n");
    let two = |first: &str, second: &str| {
        format!(
            "{HEAD}{A}[[step]]\nid = \"x\"\n{first}\n[[step]]\nid = \"y\"\ntool = \"t.t\"\n{second}\n"
        )
    };
    let short = "[input.kind]\ntype = \"string\"\nis = [\"full\", \"short\"]\n";
    [
        ("input without a type", input("default = 1")),
        ("input of an unknown type", input("type = \"strin\"")),
        (
            "input with an unknown key",
            input("type = \"string\"\ndefalt = \"x\""),
        ),
        (
            "input with a wrong default",
            input("type = \"integer\"\nis = { max = 3 }\ndefault = 4"),
        ),
        (
            "input with a bound that is none",
            input("type = \"string\"\nis = { present = true }"),
        ),
        (
            "input with a wrong name",
            format!("{HEAD}[input.Kind]\ntype = \"string\"\n{A}"),
        ),
        ("inputs are no table", format!("input = 1\n{HEAD}{A}")),
        (
            "given to no input",
            format!("{HEAD}{short}{A}[given]\nknd = \"full\"\n"),
        ),
        (
            "given wrongly",
            format!("{HEAD}{short}{A}[given]\nkind = \"fast\"\n"),
        ),
        (
            "condition that no input meets",
            format!("{HEAD}{short}{A}if = {{ value = \"{{input.kind}}\", is = \"shrt\" }}\n"),
        ),
        (
            "number of an input that is none",
            format!("{HEAD}{short}{A}unless = {{ value = \"{{input.kind}}\", min = 1 }}\n"),
        ),
        ("wait is a number", two("wait = 5", "")),
        ("wait without a unit", two("wait = \"5\"", "")),
        ("wait too long", two("wait = \"32d\"", "")),
        ("result of a wait", two("wait = \"1s\"", "args.x = \"{x}\"")),
        (
            "result that may be missing",
            two(
                "tool = \"t.t\"\nif = { value = \"{a.n}\", is = 1 }",
                "args.x = \"{x.text}\"",
            ),
        ),
        (
            "result of a step that may fail",
            format!(
                "{}[[step]]\nid = \"z\"\ntool = \"t.t\"\nargs.x = \"{{x}}\"\n",
                two("tool = \"t.t\"\notherwise = \"y\"", "")
            ),
        ),
        (
            "result of the step that was replaced",
            two("tool = \"t.t\"\notherwise = \"y\"", "args.x = \"{x}\""),
        ),
        (
            "summary of an unknown step",
            format!("summary = \"{{b.n}}\"\n{HEAD}{A}"),
        ),
        ("summary is a list", format!("summary = [1]\n{HEAD}{A}")),
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

#[test]
fn results_that_are_there_in_every_case_are_taken() {
    let plain = "tool = \"t.t\"\n";
    let when = "if = { value = \"{a.n}\", is = 1 }\n";
    for (first, second) in [
        (when, when),
        (when, "if = { value = \"{x}\", present = true }\n"),
        (
            when,
            "unless = { value = \"{x.field}\", present = false }\n",
        ),
        (when, "on_failure = \"continue\"\n"),
        (
            "otherwise = \"z\"\n",
            "if = { value = \"{x}\", present = true }\n",
        ),
        ("on_failure = \"continue\"\n", ""),
    ] {
        let text = format!(
            "{HEAD}{A}[[step]]\nid = \"x\"\n{plain}{first}[[step]]\nid = \"y\"\n{plain}{second}args.x = \"{{x}}\"\n\
             [[step]]\nid = \"z\"\n{plain}"
        );
        Playbook::parse("p", &text).unwrap_or_else(|e| panic!("{e}"));
    }
}
