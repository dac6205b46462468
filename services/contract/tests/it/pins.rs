//! Checks that drift reports exactly the differences from the signed context.

use bus_schema::{Digest, Envelope, Pins, Sealed};
use contract::{Catalogue, Contract, Drift, Drifted, LANGUAGE, ReadNow, drift, entries, envelope};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

const RULES: &str = "[[allow]]\ntool = \"t.*\"";

/// A signed contract.
struct Signed {
    text: String,
    pins: Pins,
    envelope: Envelope,
    entries: Vec<u8>,
}

fn entry() -> Value {
    json!({
        "name": "t.a", "description": "Prints.", "effect": "read", "output": "trusted",
        "input_schema": {"type": "object", "properties": {"x": {"type": "integer", "maximum": 9}, "y": {"type": "string"}}},
        "exec": {"argv": ["print", "{x}"], "limits": {"wall_ms": 1000}, "sha256": {"/bin/p~q": "aa"}},
    })
}

fn catalogue(entries: &[Value]) -> Catalogue {
    Catalogue::parse(Value::from(entries.to_vec()).to_string().as_bytes()).unwrap()
}

fn sign(tools: &Catalogue) -> Signed {
    sign_rules(RULES, tools)
}

fn sign_rules(rules: &str, tools: &Catalogue) -> Signed {
    let text = crate::text(rules);
    let contract = Contract::parse("c", &text, tools).unwrap();
    let envelope = envelope(&contract, tools);
    let entries = entries(tools, &envelope);
    let put = Sealed::new(bus_schema::Salt::new([7; 32]), &entries).unwrap();
    Signed {
        text,
        pins: contract::pins(tools, put.content()),
        envelope,
        entries,
    }
}

impl Signed {
    /// Returns the drift with these tools; `found` is the stored content of the signed entries.
    fn drift(&self, tools: &Catalogue, found: Option<&[u8]>) -> Option<Drift> {
        let now = Contract::parse("c", &self.text, tools).map(|now| envelope(&now, tools));
        let now = now.map_err(|problems| problems.to_string());
        let now = ReadNow {
            catalogue: tools,
            envelope: now.as_ref().map_err(String::as_str),
        };
        drift((&self.pins, &self.envelope), found, &now)
    }

    /// Returns the drift as lines, without that of the catalogue as a whole.
    fn lines(&self, tools: &Catalogue) -> Vec<String> {
        let found = self.drift(tools, Some(&self.entries)).unwrap();
        let text = found.text();
        let lines = text
            .lines()
            .filter(|line| !line.starts_with("the whole catalogue"));
        lines.map(str::to_owned).collect()
    }
}

#[test]
fn each_field_that_differs_is_named_with_what_it_was_and_what_it_is() {
    let signed = sign(&catalogue(&[entry()]));
    let cases: [(&str, Value, &[&str]); 9] = [
        (
            "/description",
            json!("Prints\u{202e}"),
            &["`t.a` /description: was \"Prints.\", is \"Prints\\u{202e}\""],
        ),
        (
            "/effect",
            json!("write"),
            &[
                "`t.a` /effect: was \"read\", is \"write\"",
                // Its risk is omitted, so it is asked about after untrusted data.
                "what it allows at most, /tools/t.a/ask: was \"never\", is \"sometimes\"",
            ],
        ),
        (
            "/output",
            json!({"integrity": "untrusted", "secrecy": "secret"}),
            &[
                "`t.a` /output: was \"trusted\", is {\"integrity\":\"untrusted\",\"secrecy\":\"secret\"}",
            ],
        ),
        (
            "/risk",
            json!("high"),
            &["`t.a` /risk: was not there, is \"high\""],
        ),
        (
            "/input_schema/properties/x/maximum",
            json!(10),
            &["`t.a` /input_schema/properties/x/maximum: was 9, is 10"],
        ),
        (
            "/input_schema/properties/a~1b",
            json!({}),
            &["`t.a` /input_schema/properties/a~1b: was not there, is {}"],
        ),
        (
            "/exec/argv/1",
            json!("-{x}"),
            &["`t.a` /exec/argv/1: was \"{x}\", is \"-{x}\""],
        ),
        (
            "/exec/argv",
            json!(["print"]),
            &["`t.a` /exec/argv: was [\"print\",\"{x}\"], is [\"print\"]"],
        ),
        (
            "/effect",
            json!("outward"),
            &[
                "`t.a` /effect: was \"read\", is \"outward\"",
                "what it allows at most, /tools/t.a/ask: was \"never\", is \"sometimes\"",
            ],
        ),
    ];
    for (at, value, said) in cases {
        let mut changed = entry();
        put(&mut changed, at, Some(value));
        assert_eq!(signed.lines(&catalogue(&[changed])), said);
    }
    let mut fewer = entry();
    put(&mut fewer, "/input_schema/properties/y", None);
    let said = "`t.a` /input_schema/properties/y: was {\"type\":\"string\"}, is not there";
    assert_eq!(signed.lines(&catalogue(&[fewer])), [said]);
}

#[test]
fn changed_files_of_a_program_are_named_with_both_digests() {
    let signed = sign(&catalogue(&[entry()]));
    for (at, digest, said) in [
        (
            "/exec/sha256/~1bin~1p~0q",
            "bb",
            "`t.a` runs /bin/p~q, SHA-256: was \"aa\", is \"bb\"",
        ),
        (
            "/exec/sha256/~1opt~1x.py",
            "cc",
            "`t.a` runs /opt/x.py, SHA-256: was not there, is \"cc\"",
        ),
    ] {
        let mut changed = entry();
        put(&mut changed, at, Some(json!(digest)));
        assert_eq!(signed.lines(&catalogue(&[changed])), [said]);
    }
}

#[test]
fn tools_that_come_and_go_are_named_and_those_of_no_rule_change_nothing() {
    let named = |name: &str| {
        let mut other = entry();
        put(&mut other, "/name", Some(json!(name)));
        other
    };
    let tools = catalogue(&[entry(), named("t.b")]);
    let signed = sign(&tools);
    let told = signed.lines(&catalogue(&[entry(), named("t.c")]));
    assert_eq!(told, ["`t.b` is gone", "`t.c` is new"]);
    let more = catalogue(&[entry(), named("t.b"), named("other")]);
    assert_ne!(signed.pins.catalogue, more.digest());
    assert_eq!(signed.drift(&more, Some(&signed.entries)), None);
    // The contract is unreadable with a catalogue that has none of its tools.
    let told = signed.lines(&catalogue(&[named("other")]));
    assert_eq!(told[..2], ["`t.a` is gone", "`t.b` is gone"]);
    assert!(told[2].starts_with("it cannot be read: "), "{told:?}");
}

#[test]
fn a_rule_about_an_effect_is_read_as_signed_only_while_it_is_about_the_same_tools() {
    let other = |name: &str, effect: &str| {
        let mut other = entry();
        other["name"] = json!(name);
        other["effect"] = json!(effect);
        other
    };
    let rules = "[[allow]]\neffect = \"read\"\nexcept = [\"t.a\"]";
    let signed = sign_rules(rules, &catalogue(&[entry(), other("t.b", "read")]));
    let more = |effect| catalogue(&[entry(), other("t.b", "read"), other("t.c", effect)]);
    assert_eq!(signed.drift(&more("write"), Some(&signed.entries)), None);
    assert_eq!(signed.lines(&more("read")), ["`t.c` is new"]);
    let writes = catalogue(&[entry(), other("t.b", "write"), other("t.c", "read")]);
    let lines = signed.lines(&writes);
    assert!(
        lines.contains(&"`t.b` /effect: was \"read\", is \"write\"".to_owned()),
        "{lines:?}"
    );
}

#[test]
fn what_was_not_signed_is_never_taken_for_what_was() {
    let signed = sign(&catalogue(&[entry()]));
    let mut changed = entry();
    put(&mut changed, "/description", Some(json!("Deletes.")));
    let now = catalogue(&[changed.clone()]);
    let forged = Value::from(vec![changed]).to_string();
    for found in [None, Some(forged.as_bytes()), Some(b"no JSON".as_slice())] {
        let drift = signed.drift(&now, found).unwrap();
        let unknown = Drifted::Unknown {
            tool: "t.a".parse().unwrap(),
            signed: signed.envelope.tools[0].digest,
            now: now.get("t.a").unwrap().digest(),
        };
        assert_eq!(drift.changes()[0], unknown);
        let text = drift.text();
        for digest in [
            signed.envelope.tools[0].digest,
            now.get("t.a").unwrap().digest(),
        ] {
            assert!(text.contains(&digest.to_string()), "{text}");
        }
    }
}

#[test]
fn an_older_policy_and_another_language_are_named() {
    let tools = catalogue(&[entry()]);
    let mut signed = sign(&tools);
    let own = signed.pins.policy.clone();
    for (version, is_newer) in [("0.0.1", false), ("99.0.0", true), ("odd", true)] {
        signed.pins.policy = version.parse().unwrap();
        let found = signed.drift(&tools, Some(&signed.entries));
        let said = format!(
            "it was signed with version {version}, and this policy is the older {own}: start the newer one again"
        );
        assert_eq!(found.map(|found| found.text()), is_newer.then_some(said));
    }
    signed.pins.policy = own;
    for language in [LANGUAGE - 1, LANGUAGE + 1] {
        signed.pins.language = language;
        let found = signed.drift(&tools, Some(&signed.entries)).unwrap();
        let said = Drifted::Language {
            signed: language,
            now: LANGUAGE,
        };
        assert_eq!(found.changes(), [said]);
    }
}

/// Sets or removes the value at a JSON pointer.
fn put(whole: &mut Value, at: &str, value: Option<Value>) {
    let (parent, key) = at.rsplit_once('/').unwrap();
    let key = key.replace("~1", "/").replace("~0", "~");
    match (whole.pointer_mut(parent).unwrap(), value) {
        (Value::Object(fields), Some(value)) => drop(fields.insert(key, value)),
        (Value::Object(fields), None) => drop(fields.remove(&key)),
        (Value::Array(items), Some(value)) => items[key.parse::<usize>().unwrap()] = value,
        (other, _) => panic!("{other} has no parts"),
    }
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0..3_i32).prop_map(Value::from),
        "[a~/]{0,2}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            fields(inner).prop_map(Value::from),
        ]
    })
}

fn fields(inner: impl Strategy<Value = Value>) -> impl Strategy<Value = Map<String, Value>> {
    let each = proptest::collection::btree_map("[ab~/]{1,2}", inner, 0..3);
    each.prop_map(|each| each.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_signed_with_its_differences_is_what_there_is(
        old in fields(value()), new in fields(value()),
    ) {
        let [old, new] = [old, new].map(|exec| {
            let mut entry = entry();
            put(&mut entry, "/exec", Some(exec.into()));
            entry
        });
        let [before, after] = [&old, &new].map(|entry| catalogue(std::slice::from_ref(entry)));
        let signed = sign(&before);
        let found = signed.drift(&after, Some(&signed.entries));
        let mut patched = old;
        for change in found.iter().flat_map(|found| found.changes()) {
            match change {
                Drifted::Tool { at, signed, now, .. } => {
                    prop_assert_eq!(patched.pointer(at), signed.as_ref());
                    put(&mut patched, at, now.clone());
                }
                Drifted::Catalogue { signed, now } => prop_assert!(signed != now),
                Drifted::Language { .. }
                | Drifted::Policy { .. }
                | Drifted::Gone { .. }
                | Drifted::New { .. }
                | Drifted::Unknown { .. }
                | Drifted::Envelope { .. }
                | Drifted::Unreadable { .. } => prop_assert!(false, "{:?}", change),
            }
        }
        prop_assert_eq!(found.is_none(), before.digest() == after.digest());
        prop_assert_eq!(Digest::of(&[&bus_schema::json::canonical(&patched)]), after.get("t.a").unwrap().digest());
    }
}
