//! Tests the meaning of references.

use crate::run::Run;
use worker::{ARGS_BYTES_MAX, Playbook};

/// Returns the canonical value of `x = VALUE` after a step `a` with this output.
fn value(output: &str, toml: &str) -> String {
    let mut run = Run::new(&two_steps(toml));
    let sentence = run.sentence(&[output]);
    assert_eq!(sentence, "Every action succeeded.", "{toml}");
    let args = run.args_of(1, 0);
    args.strip_prefix(r#"{"x":"#)
        .unwrap()
        .strip_suffix('}')
        .unwrap()
        .into()
}

/// Returns the reason that `x = VALUE` after a step `a` with this output stops the task.
fn failure(output: &str, toml: &str) -> String {
    let sentence = Run::new(&two_steps(toml)).sentence(&[output]);
    let reason = sentence
        .strip_prefix("Step `b` failed: ")
        .unwrap_or_else(|| panic!("{sentence}"));
    reason.into()
}

fn two_steps(toml: &str) -> String {
    format!(
        "playbook = \"p\"\npurpose = \"test\"\n[[step]]\nid = \"a\"\ntool = \"t.t\"\n\
         [[step]]\nid = \"b\"\ntool = \"t.t\"\nargs = {{ x = {toml} }}\n"
    )
}

#[test]
fn a_reference_alone_keeps_its_type() {
    let output = r#"{"n":7,"f":1.5,"b":true,"z":null,"s":"é","l":[1,"two"],"o":{"b":1,"a":2}}"#;
    for (toml, wanted) in [
        ("'{a.n}'", "7"),
        ("'{a.f}'", "1.5"),
        ("'{a.b}'", "true"),
        ("'{a.z}'", "null"),
        ("'{a.s}'", "\"é\""),
        ("'{a.l}'", r#"[1,"two"]"#),
        ("'{a.l[1]}'", "\"two\""),
        ("'{a.o}'", r#"{"a":2,"b":1}"#),
        ("['{a.n}', { y = '{a.n}' }]", r#"[7,{"y":7}]"#),
    ] {
        assert_eq!(value(output, toml), wanted, "{toml}");
    }
}

#[test]
fn a_reference_in_a_text_becomes_text() {
    let output = r#"{"n":7,"f":1e21,"s":"é","l":["one",2,[3]],"o":{"b":1,"a":2},"e":[]}"#;
    for (toml, wanted) in [
        ("'n={a.n}'", "\"n=7\""),
        ("'{a.n}{a.n}'", "\"77\""),
        ("' {a.s}'", "\" é\""),
        ("'f={a.f}'", "\"f=1e+21\""),
        ("'l:{a.l}'", r#""l:one\n2\n[3]""#),
        ("'o:{a.o}'", r#""o:{\"a\":2,\"b\":1}""#),
        ("'e:{a.e}'", "\"e:\""),
    ] {
        assert_eq!(value(output, toml), wanted, "{toml}");
    }
}

#[test]
fn doubled_braces_are_braces() {
    assert_eq!(value("{}", "'{{a.n}} and }}{{'"), "\"{a.n} and }{\"");
    assert_eq!(value(r#"{"n":1}"#, "'{{{a.n}}}'"), "\"{1}\"");
}

#[test]
fn what_an_output_holds_is_never_read_as_a_reference() {
    assert_eq!(value(r#"{"s":"{a.s} {{"}"#, "'{a.s}'"), "\"{a.s} {{\"");
}

#[test]
fn a_projection_maps_over_lists() {
    let output = r#"{"l":[{"p":"x","q":[{"r":1},{"r":2}]},{"p":"y","q":[]}]}"#;
    assert_eq!(value(output, "'{a.l.*.p}'"), r#"["x","y"]"#);
    assert_eq!(value(output, "'{a.l.*.q.*.r}'"), "[[1,2],[]]");
    assert_eq!(value(output, "'{a.l[0].q.*.r}'"), "[1,2]");
}

#[test]
fn text_is_the_whole_output_even_when_it_is_json() {
    assert_eq!(value("plain\n", "'{a.text}'"), r#""plain\n""#);
    assert_eq!(value(r#"{"text":1}"#, "'{a.text}'"), r#""{\"text\":1}""#);
    assert_eq!(value(r#"{"text":1}"#, "'{a[\"text\"]}'"), "1");
    assert_eq!(value(r#"{"o":{"text":1}}"#, "'{a.o.text}'"), "1");
    assert_eq!(value(r#"{"odd key.":1}"#, "'{a[\"odd key.\"]}'"), "1");
}

#[test]
fn a_reference_that_names_nothing_says_what_is_there() {
    for (output, toml, wanted) in [
        (
            r#"{"files":[]}"#,
            "'{a.filez}'",
            "`{a.filez}` names nothing, because `a` is an object with the fields `files`.",
        ),
        (
            "{}",
            "'{a.f}'",
            "`{a.f}` names nothing, because `a` is an object without fields.",
        ),
        (
            r#"{"l":[1]}"#,
            "'{a.l[1]}'",
            "`{a.l[1]}` names nothing, because `a.l` is a list of 1 items.",
        ),
        (
            r#"{"l":[1]}"#,
            "'{a.l.x}'",
            "`{a.l.x}` names nothing, because `a.l` is a list.",
        ),
        (
            r#"{"l":"s"}"#,
            "'{a.l.*}'",
            "`{a.l.*}` names nothing, because `a.l` is a string.",
        ),
        (
            r#"{"l":[{"p":1},2]}"#,
            "'{a.l.*.p}'",
            "`{a.l.*.p}` names nothing, because `a.l.*` is a number.",
        ),
        (
            "no",
            "'{a.x}'",
            "`{a.x}` names nothing, because the output of step `a` is not strict JSON (expected ident at line 1 column 2); as text it is `{a.text}`.",
        ),
        (
            "",
            "'{a}'",
            "`{a}` names nothing, because the output of step `a` is not strict JSON (EOF while parsing a value at line 1 column 0); as text it is `{a.text}`.",
        ),
        (
            r#"{"k":1,"k":2}"#,
            "'{a.k}'",
            "`{a.k}` names nothing, because the output of step `a` is not strict JSON (duplicate key \"k\" at line 1 column 10); as text it is `{a.text}`.",
        ),
        (
            "{\"n\":9007199254740992}",
            "'{a.n}'",
            "its arguments are an integer beyond ±9007199254740991 (9007199254740992).",
        ),
    ] {
        assert_eq!(failure(output, toml), wanted);
    }
}

#[test]
fn deep_and_large_outputs_are_refused() {
    let deep = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
    assert_eq!(value(&deep(31), "'{a}'"), deep(31));
    assert!(failure(&deep(32), "'{a}'").contains("nested deeper than 32"));
    assert!(failure(&deep(33), "'{a}'").contains("nested deeper than 32"));
    assert!(failure(&deep(100_000), "'{a}'").contains("not strict JSON"));
    let large = "x".repeat(ARGS_BYTES_MAX - r#"{"x":""}"#.len());
    assert_eq!(value(&large, "'{a.text}'").len(), large.len() + 2);
    assert!(failure(&format!("{large}x"), "'{a.text}'").contains("65537 bytes long"));
    assert!(failure(&"x".repeat(ARGS_BYTES_MAX + 1), "'{a.text}'").contains("larger than allowed"));
    assert!(failure(&"x".repeat(1_048_577), "'{a.text}'").contains("longer than 1048576 bytes"));
    let many = format!("'{}'", "{a.text}".repeat(20_000));
    assert!(failure(&"x".repeat(60_000), &many).contains("larger than allowed"));
}

#[test]
fn an_output_that_is_not_utf8_is_not_text() {
    let mut run = Run::new(&two_steps("'{a.text}'"));
    let outcome = run.finish(|_, _| (crate::run::End::Succeeded, vec![b'x', 0xff]));
    let sentence = outcome.sentence(&run.playbook);
    assert!(
        sentence.contains("is not UTF-8 text at byte 1"),
        "{sentence}"
    );
}

#[test]
fn a_playbook_is_read_again_from_its_own_text() {
    let text = two_steps("'{a.n}'");
    let playbook = Playbook::parse("p", &text).unwrap();
    let json = serde_json::to_string(&playbook).unwrap();
    assert_eq!(serde_json::from_str::<Playbook>(&json).unwrap(), playbook);
    let broken = serde_json::to_string(&text.replace("a.n", "c.n")).unwrap();
    assert!(serde_json::from_str::<Playbook>(&broken).is_err());
}

#[test]
fn a_step_called_slot_comes_before_the_slots() {
    let text = two_steps("'{slot.n}'").replace("\"a\"", "\"slot\"");
    let mut run = Run::new(&text);
    assert_eq!(run.sentence(&[r#"{"n":7}"#]), "Every action succeeded.");
    assert_eq!(run.args_of(1, 0), r#"{"x":7}"#);
}

#[test]
fn a_slot_is_named() {
    for text in ["{slot}", "{slot[0]}", "{slot.*}"] {
        let found = Playbook::parse("p", &two_steps(&format!("'{text}'"))).unwrap_err();
        assert!(
            found.to_string().contains("`slot` alone is no value"),
            "{found}"
        );
    }
}
