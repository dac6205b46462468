//! Checks what a catalogue may be.

use policy::{Catalogue, Effect, Integrity, Secrecy};

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
        assert!(error.contains("leads out of it"), "{error}");
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
