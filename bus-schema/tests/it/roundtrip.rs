//! Tests that decoding inverts encoding, and that the JSON form is readable.

use bus_schema::{
    ActionFinished, ActionOutcome, AuthorId, Body, ContractSigned, Digest, Event, EventId, FACTS,
    Money, Subject, TaskId, Time, Usage, wire,
};
use proptest::prelude::*;
use serde_json::Value;

use crate::{
    example::{content, digest, envelope, events, head, pins, prove, statements},
    fixture::{id, name},
};

fn whole<E: Event>(at: (u64, i64, u128, Option<u128>), prev: [u8; 32], fact: E) -> Body<E> {
    Body {
        v: 1,
        subject: format!("event.x.-.{}", E::KIND),
        schema: format!("{}.v{}", E::KIND, E::V),
        author: AuthorId::Runner,
        task: at.3.map(id::<TaskId>),
        seq: at.0,
        prev: Digest::new(prev),
        id: id(at.2),
        cause: at.3.map(id::<EventId>),
        at: Time::from_ns(at.1),
        fact,
    }
}

fn survives<E: Event + PartialEq>(body: &Body<E>) -> Result<(), TestCaseError> {
    let bytes = wire::encode(body);
    let back: Body<E> = wire::decode(&bytes).expect("what was encoded decodes");
    prop_assert_eq!(&back, body);
    prop_assert_eq!(wire::encode(&back), bytes);
    Ok(())
}

fn place() -> impl Strategy<Value = (u64, i64, u128, Option<u128>)> {
    (
        any::<u64>(),
        any::<i64>(),
        0..u128::from(u32::MAX),
        prop::option::of(0..1_000_u128),
    )
}

proptest! {
    #[test]
    fn an_outcome_survives(
        at in place(), prev: [u8; 32], times: [u32; 3], tokens: Option<u64>, bytes_out: Option<u64>, minor: Option<u64>,
    ) {
        let outcome = ActionOutcome::TimedOut;
        let [wall_ms, cpu_ms, output_bytes] = times;
        let spend = minor.map(|minor| Money { currency: "EUR".parse().unwrap(), minor });
        let usage = Usage { wall_ms, cpu_ms, output_bytes, tokens, bytes_out, spend };
        survives(&whole(at, prev, ActionFinished { action: id(4), outcome, usage, output: content(3), sent: None }))?;
    }

    #[test]
    fn a_contract_survives(at in place(), prev: [u8; 32], hosts in prop::collection::vec(".{0,300}", 0..20), expires: i64, calls: u32, version: u32) {
        let mut envelope = envelope();
        envelope.hosts = hosts;
        envelope.expires = Time::from_ns(expires);
        envelope.tools[0].calls = calls;
        survives(&whole(at, prev, ContractSigned { contract: digest(5), name: name("c"), version, document: content(8), pins: pins(), envelope }))?;
    }

    #[test]
    fn a_time_reads_what_it_writes(ns in -62_000_000_000_000_000_000_i128..62_000_000_000_000_000_000) {
        if let Ok(ns) = i64::try_from(ns) {
            let time = Time::from_ns(ns);
            let text = serde_json::to_string(&time).unwrap();
            prop_assert_eq!(serde_json::from_str::<Time>(&text).unwrap(), time);
        }
    }

    #[test]
    fn what_decodes_encodes_to_the_same_bytes(place: prop::sample::Index, byte: u8) {
        for example in events() {
            let mut bytes = example.body;
            let place = place.index(bytes.len());
            bytes[place] = byte;
            if let Ok(body) = wire::decode::<Body<ActionFinished>>(&bytes) {
                prop_assert_eq!(wire::encode(&body), bytes);
            }
        }
    }
}

#[test]
fn the_bytes_of_every_example_survive() {
    assert_eq!(events().len(), FACTS.len());
    for example in events() {
        assert!(example.stable, "{}", example.kind);
    }
    for (_, statement) in statements() {
        assert_eq!(wire::decode(&wire::encode(&statement)), Ok(statement));
    }
    assert_eq!(wire::decode(&wire::encode(&head())), Ok(head()));
    let (question, answer) = prove();
    assert_eq!(wire::decode(&wire::encode(&question)), Ok(question));
    assert_eq!(wire::decode(&wire::encode(&answer)), Ok(answer));
}

/// Returns true if it contains a list of bare numbers.
fn raw_bytes(value: &Value) -> bool {
    match value {
        Value::Array(items) => {
            items.iter().any(raw_bytes) || (!items.is_empty() && items.iter().all(Value::is_number))
        }
        Value::Object(map) => map.values().any(raw_bytes),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

#[test]
fn as_json_every_fact_shows_bytes_as_hexadecimal_and_times_as_rfc_3339() {
    for spec in FACTS {
        let example = events()
            .into_iter()
            .find(|example| example.kind == spec.kind)
            .unwrap();
        let subject = Subject::parse(&example.subject).unwrap();
        let json = spec.json(subject, &example.schema, &example.body).unwrap();
        assert!(!raw_bytes(&json), "{}: {json}", spec.kind);
        let at = json["at"].as_str().unwrap();
        assert!(at.ends_with('Z') && at.parse::<Time>().is_ok(), "{at}");
    }
    for (name, statement) in statements() {
        let json = serde_json::to_value(statement).unwrap();
        assert!(!raw_bytes(&json), "{name}");
    }
    let answer = serde_json::to_value(prove().1).unwrap();
    assert!(!raw_bytes(&answer), "{answer}");
}
