//! Tests of valid and invalid catalogues.

use contract::{
    Catalogue, CatalogueError, Contract, Drifted, Effect, Integrity, Risk, Secrecy,
    catalogue_changes,
};

fn one(schema: &str) -> Result<Catalogue, String> {
    let text = format!(
        "[{{\"name\":\"a\",\"description\":\"\",\"effect\":\"read\",\"output\":\"trusted\",\"input_schema\":{schema}}}]"
    );
    Catalogue::parse(text.as_bytes()).map_err(|error| error.to_string())
}

fn named(names: &[&str]) -> Result<Catalogue, String> {
    let each = names.iter().map(|name| {
        format!("{{\"name\":{name:?},\"description\":\"\",\"effect\":\"read\",\"output\":\"trusted\",\"input_schema\":{{\"type\":\"object\"}}}}")
    });
    let text = format!("[{}]", each.collect::<Vec<_>>().join(","));
    Catalogue::parse(text.as_bytes()).map_err(|error| error.to_string())
}

#[test]
fn labels_and_effects_are_read() {
    let tools = crate::tools();
    let deep = tools.get("t.deep").unwrap();
    assert_eq!(
        (deep.effects().most(), deep.output().secrecy),
        (Effect::Write, Secrecy::Secret)
    );
    assert_eq!(deep.output().integrity, Integrity::Untrusted);
    assert_eq!(
        tools.get("t.any").unwrap().output().secrecy,
        Secrecy::Private
    );
}

#[test]
fn reference_that_leads_out_is_refused_at_load() {
    for target in [
        "http://a/b",
        "https://a/b#/c",
        "file:///etc/passwd",
        "other.json",
        "urn:x",
    ] {
        let schema =
            format!("{{\"type\":\"object\",\"properties\":{{\"x\":{{\"$ref\":{target:?}}}}}}}");
        let error = one(&schema).unwrap_err();
        assert!(error.contains("is external"), "{error}");
    }
}

#[test]
fn dangling_reference_is_refused_at_load() {
    assert!(one("{\"type\":\"object\",\"properties\":{\"x\":{\"$ref\":\"#/$defs/no\"}}}").is_err());
}

#[test]
fn other_dialect_is_refused_at_load() {
    let schema = |dialect: &str| format!("{{\"$schema\":\"{dialect}\",\"type\":\"object\"}}");
    for known in [
        "https://json-schema.org/draft/2020-12/schema",
        "http://json-schema.org/draft-07/schema#",
    ] {
        assert_eq!(one(&schema(known)).map(drop), Ok(()));
    }
    let other = one(&schema("http://json-schema.org/draft-04/schema#"));
    assert!(other.unwrap_err().contains("dialect"));
}

#[test]
fn pattern_that_needs_backtracking_is_refused_at_load() {
    let schema = "{\"type\":\"object\",\"properties\":{\"x\":{\"pattern\":\"(a)\\\\1\"}}}";
    assert!(one(schema).is_err());
}

#[test]
fn schema_must_be_of_an_object() {
    assert!(one("{}").unwrap_err().contains("type"));
    assert!(one("{\"type\":\"strnig\"}").is_err());
    assert!(one("{\"type\":\"object\",\"required\":5}").is_err());
}

#[test]
fn names_that_differ_in_nothing_but_case_are_refused() {
    assert!(named(&["a.b", "A.b"]).unwrap_err().contains("twice"));
    assert!(named(&["a.b", "a.b"]).unwrap_err().contains("twice"));
    assert!(named(&["a.b", "a.c"]).is_ok());
}

#[test]
fn names_have_a_fixed_alphabet() {
    for name in ["", "a..b", ".a", "a b", "a*", "\u{430}", "a/b"] {
        assert!(named(&[name]).unwrap_err().contains("tool 1"), "{name}");
    }
}

#[test]
fn unknown_and_missing_keys_are_refused() {
    for text in [
        "[{\"name\":\"a\"}]",
        "[{\"name\":\"a\",\"description\":\"\",\"effect\":\"read\",\"output\":\"trusted\",\"input_schema\":{\"type\":\"object\"},\"risk\":1}]",
        "[{\"name\":\"a\",\"description\":\"\",\"effect\":\"reed\",\"output\":\"trusted\",\"input_schema\":{\"type\":\"object\"}}]",
        "{}",
    ] {
        assert!(Catalogue::parse(text.as_bytes()).is_err(), "{text}");
    }
}

#[test]
fn digest_covers_the_description_and_not_the_spelling() {
    let digest = |text: &str| Catalogue::parse(text.as_bytes()).unwrap().digest();
    let text = "[{\"name\":\"a\",\"description\":\"x\",\"effect\":\"read\",\"output\":\"trusted\",\"input_schema\":{\"type\":\"object\"}}]";
    assert_eq!(digest(text), digest(&text.replace(':', " :\n")));
    assert_ne!(digest(text), digest(&text.replace("\"x\"", "\"y\"")));
}

#[test]
fn tool_digest_is_that_of_the_canonical_entry() {
    let tools = named(&["a.b"]).unwrap();
    let canonical = "{\"description\":\"\",\"effect\":\"read\",\"input_schema\":{\"type\":\"object\"},\"name\":\"a.b\",\"output\":\"trusted\"}";
    assert_eq!(
        tools.get("a.b").unwrap().digest(),
        bus_schema::Digest::of(&[canonical.as_bytes()])
    );
}

fn with_effect(when: &str, schema: &str) -> Result<Catalogue, String> {
    let text = format!(
        "[{{\"name\":\"a\",\"description\":\"\",\"output\":\"trusted\",\"input_schema\":{schema},\
          \"effect\":[{{\"when\":{when:?},\"effect\":\"outward\"}},{{\"effect\":\"read\"}}]}}]"
    );
    Catalogue::parse(text.as_bytes()).map_err(|error| error.to_string())
}

#[test]
fn effect_that_names_no_argument_is_refused_at_load() {
    let schema = r#"{"type":"object","properties":{"participants":{"type":"array","items":{"type":"string"}},
        "to":{"type":"object","properties":{"email":{"type":"string"}}}}}"#;
    let open = r#"{"type":"object","additionalProperties":true}"#;
    for (when, schema, names) in [
        (
            "args has participants && !args.participants.isEmpty()",
            schema,
            true,
        ),
        (
            "args has participant && !args.participant.isEmpty()",
            schema,
            false,
        ),
        (
            "args has to && args.to has email && args.to.email like \"*@x\"",
            schema,
            true,
        ),
        ("args has to && args.to has mail", schema, false),
        ("args has anything", open, true),
    ] {
        let read = with_effect(when, schema);
        assert_eq!(read.is_ok(), names, "{when}: {read:?}");
        if let Err(error) = read {
            assert!(error.contains("there is no argument"), "{error}");
        }
    }
    let error = with_effect("args.participant.isEmpty()", schema).unwrap_err();
    assert!(
        error.contains("did you mean `args.participants`?"),
        "{error}"
    );
}

fn say(schema: &str, args: &str) -> bool {
    let tools = one(schema).unwrap();
    let contract = crate::contract("[[allow]]\ntool = \"a\"", &tools);
    let call = contract::Call {
        tool: "a",
        args: args.as_bytes(),
    };
    let record = contract::Record::default();
    let verdict = contract::decide(&contract, &tools, &crate::view(0, &record), &call);
    matches!(verdict, contract::Verdict::Granted { .. })
}

#[test]
fn references_close_what_they_name_or_are_refused_at_load() {
    let person = r#"{"type":"object","properties":{"name":{"type":"object","properties":{"first":{"type":"string"}}}}}"#;
    let schema = |target: &str| {
        format!(
            r##"{{"type":"object","properties":{{"one":{{"$ref":{target:?}}},"two":{person}}},
            "$defs":{{"person":{person},"more":{{"person":{person}}}}},"components":{{"person":{person}}}}}"##
        )
    };
    for target in ["#/$defs/person", "#/properties/two"] {
        assert!(say(&schema(target), r#"{"one":{"name":{"first":"x"}}}"#));
        assert!(!say(
            &schema(target),
            r#"{"one":{"name":{"first":"x","more":1}}}"#
        ));
        assert!(!say(&schema(target), r#"{"one":{"more":1}}"#));
    }
    for target in [
        "#/components/person",
        "#/$defs/more/person",
        "#person",
        "#/$defs",
    ] {
        let error = one(&schema(target)).unwrap_err();
        assert!(
            error.contains("does not name a schema"),
            "{target}: {error}"
        );
    }
    let inner = r#"{"type":"object","properties":{"x":{"$id":"http://a/b","type":"string"}}}"#;
    assert!(one(inner).unwrap_err().contains("`$id`"));
}

#[test]
fn formats_are_checked_and_unknown_ones_refused_at_load() {
    let schema = |format: &str| {
        format!(
            r#"{{"type":"object","properties":{{"x":{{"type":"string","format":{format:?}}}}}}}"#
        )
    };
    for (format, right, wrong) in [
        ("date", "2026-02-28", "2026-02-30"),
        ("date-time", "2026-02-28T12:00:00Z", "tomorrow"),
        ("date-time", "2026-02-28T12:00", "2026-02-28"),
        ("email", "a@b.example", "a"),
        ("uri", "https://a.example/b", "a b"),
        ("uuid", "00000000-0000-0000-0000-000000000000", "0"),
        ("ipv4", "127.0.0.1", "127.0.0"),
        ("hostname", "a.example", "-a"),
    ] {
        let text = |value: &str| format!(r#"{{"x":{value:?}}}"#);
        assert!(say(&schema(format), &text(right)), "{format} {right}");
        assert!(!say(&schema(format), &text(wrong)), "{format} {wrong}");
    }
    assert!(say(&schema("password"), r#"{"x":"anything"}"#));
    assert!(one(&schema("colour")).is_err());
}

#[test]
fn bound_on_paths_is_refused_where_a_program_gets_text() {
    let tools = |kind: &str, list: &str| {
        let argument = format!("{{\"value\":{{\"name\":\"at\",\"kind\":{kind:?}}}}}");
        let text = format!(
            "[{{\"name\":\"a\",\"description\":\"\",\"effect\":\"read\",\"output\":\"trusted\",\"input_schema\":\
             {{\"type\":\"object\",\"properties\":{{\"at\":{list}}}}},\"exec\":{{\"argv\":[{argument}]}}}}]"
        );
        Catalogue::parse(text.as_bytes()).unwrap()
    };
    let (text, texts) = (
        "{\"type\":\"string\"}",
        "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}",
    );
    let parse = |bound: &str, tools: &Catalogue| {
        let text = crate::text(&format!("[[allow]]\ntool = \"*\"\nwhere.at = {bound}"));
        Contract::parse("c", &text, tools).map_err(|problems| problems.to_string())
    };
    for (bound, schema, wrong, right) in [
        ("{ path = \"in/**\" }", text, "text", "path"),
        ("{ every = { path = \"in/**\" } }", texts, "list", "paths"),
        ("{ not = { path = \"in/**\" } }", text, "text", "path"),
        ("{ path = \"in/**\" }", text, "text", "folder"),
    ] {
        let error = parse(bound, &tools(wrong, schema)).unwrap_err();
        assert!(
            error.contains("as text") && error.contains("\"kind\""),
            "{error}"
        );
        assert!(parse(bound, &tools(right, schema)).is_ok());
        assert!(parse("{ length = { max = 9 } }", &tools(wrong, schema)).is_ok());
    }
}

/// One tool with this effect and risk.
fn risky(effect: &str, risk: &str) -> Catalogue {
    let text = format!(
        "[{{\"name\":\"a\",\"description\":\"\",\"effect\":{effect},{risk}\"output\":\"trusted\",\
         \"input_schema\":{{\"type\":\"object\",\"properties\":{{\"to\":{{\"type\":\"string\"}}}}}}}}]"
    );
    Catalogue::parse(text.as_bytes()).unwrap()
}

#[test]
fn risk_that_is_omitted_is_high_unless_the_tool_only_reads() {
    let sometimes = "[{\"when\":\"args has to\",\"effect\":\"write\"},{\"effect\":\"read\"}]";
    for (effect, risk, taken) in [
        ("\"read\"", "", None),
        ("\"write\"", "", Some(Risk::High)),
        ("\"outward\"", "", Some(Risk::High)),
        (sometimes, "", Some(Risk::High)),
        ("\"write\"", "\"risk\":\"low\",", Some(Risk::Low)),
        ("\"read\"", "\"risk\":\"medium\",", Some(Risk::Medium)),
    ] {
        let tools = risky(effect, risk);
        let tool = tools.get("a").unwrap();
        assert_eq!(tool.risk(), taken, "{effect} {risk}");
        assert_eq!(tool.written_risk().is_none(), risk.is_empty());
    }
}

#[test]
fn a_signed_catalogue_is_canonical() {
    let text = b"\xef\xbb\xbf[ {\"output\":\"trusted\", \"name\":\"a\",\"description\":\"\",\"effect\":\"read\",\"input_schema\":{\"type\":\"object\"}} ]";
    let (document, catalogue) = Catalogue::document(text).unwrap();
    assert!(document.starts_with(b"[{\"description\":\"\""));
    let signed = Catalogue::parse_signed(&document).unwrap();
    assert_eq!(signed.digest(), catalogue.digest());
    for other in [&text[3..], b"[ ]", b"{}", b""] {
        assert!(Catalogue::parse_signed(other).is_err());
    }
    let long = vec![b' '; contract::CATALOGUE_BYTES_MAX + 1];
    let error = Catalogue::parse_signed(&long).unwrap_err();
    assert!(matches!(error, CatalogueError::Json(_)), "{error}");
}

#[test]
fn changes_between_catalogues_name_each_tool() {
    let (was, now) = (named(&["a", "b"]).unwrap(), named(&["b", "c"]).unwrap());
    let lines =
        |changes: &[Drifted]| -> Vec<String> { changes.iter().map(ToString::to_string).collect() };
    assert_eq!(
        lines(&catalogue_changes(&was, &now)),
        ["`a` is gone", "`c` is new"]
    );
    assert_eq!(lines(&catalogue_changes(&was, &was)), [""; 0]);
    let (was, now) = (
        risky("\"read\"", ""),
        risky("\"write\"", "\"risk\":\"low\","),
    );
    assert_eq!(
        lines(&catalogue_changes(&was, &now)),
        [
            "`a` /effect: was \"read\", is \"write\"",
            "`a` /risk: was not there, is \"low\""
        ]
    );
}

/// A write without a risk is asked about after untrusted data, as one that cannot be undone.
#[test]
fn a_write_without_a_risk_is_guarded_after_untrusted_data() {
    let text = |risk: &str| {
        format!(
            "[{{\"name\":\"n.read\",\"description\":\"\",\"effect\":\"read\",\"output\":\"untrusted\",\"input_schema\":{{\"type\":\"object\"}}}},\
             {{\"name\":\"n.put\",\"description\":\"\",\"effect\":\"write\",{risk}\"output\":\"trusted\",\
             \"input_schema\":{{\"type\":\"object\",\"properties\":{{\"x\":{{\"type\":\"string\"}}}}}}}}]"
        )
    };
    let rules = "[[allow]]\ntool = \"n.*\"";
    for (risk, verdict) in [("", "asked"), ("\"risk\":\"low\",", "granted")] {
        let tools = Catalogue::parse(text(risk).as_bytes()).unwrap();
        let contract = Contract::parse("c", &crate::text(rules), &tools).unwrap();
        let mut record = contract::Record::new("session", Some("go".to_owned()));
        record.taint("n.read", tools.get("n.read").unwrap().output());
        let shared = contract::ContractTotals::default();
        let view = contract::View {
            now_ms: 1_800_000_000_000,
            record: &record,
            shared: &shared,
        };
        let call = contract::Call {
            tool: "n.put",
            args: br#"{"x":"y"}"#,
        };
        let said = match contract::decide(&contract, &tools, &view, &call) {
            contract::Verdict::Granted { .. } => "granted",
            contract::Verdict::Ask { .. } => "asked",
            contract::Verdict::Refused { .. } => "refused",
        };
        assert_eq!(said, verdict, "{risk}");
    }
}

#[test]
fn one_call_is_compared_with_the_schemas_of_its_tool() {
    let text = r#"[{"name": "a", "description": "", "effect": "read", "output": "trusted",
        "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}},
        "output_schema": {"type": "object", "properties": {"lines": {"type": "integer"}}}}]"#;
    let catalogue = Catalogue::parse(text.as_bytes()).unwrap();
    let tool = catalogue.get("a").unwrap();
    let arguments = |text: &str| tool.check_arguments(&serde_json::from_str(text).unwrap());
    assert_eq!(arguments(r#"{"path": "secret"}"#), Ok(()));
    for (text, problem) in [
        (r#"{"path": 1}"#, "at /path: "),
        (r#"{"other": "secret"}"#, "at /: "),
    ] {
        let said = arguments(text).unwrap_err();
        assert!(
            said.starts_with(problem) && !said.contains("secret"),
            "{said}"
        );
    }
    let output = |text: &[u8]| tool.check_output(text).unwrap();
    assert_eq!(output(br#"{"lines": 2}"#), Ok(()));
    for (text, problem) in [
        (&br#"{"lines": "secret"}"#[..], "at /lines: "),
        (b"secret", "at /: "),
        (b"\xff", "neither strict JSON nor a text"),
        (
            br#"{"lines": 1, "lines": 2}"#,
            "neither strict JSON nor a text",
        ),
    ] {
        let said = output(text).unwrap_err();
        assert!(said.contains(problem) && !said.contains("secret"), "{said}");
    }
    let open = one(r#"{"type": "object"}"#).unwrap();
    assert_eq!(open.get("a").unwrap().check_output(b"\xff"), None);
}
