//! The values that a job takes from the body of a message, and the errors of `[message]` with their fixes.

use bus_schema::Digest;
use job::{BODY_BYTES_MAX, Job, NotTaken, Rate, VALUE_CHARS_MAX};
use serde_json::{Value, json};

use crate::document::refused;

const HEAD: &str = "job = \"j\"\npurpose = \"x\"\ncontract = \"c\"\nplaybook = \"p\"\n[when]\ntrigger = \"cli.build\"\n";

fn text(message: &str) -> String {
    format!("{HEAD}[message]\n{message}\n")
}

fn read(message: &str) -> Job {
    Job::parse("job.toml", &text(message)).unwrap_or_else(|error| panic!("{error}"))
}

fn take(message: &str, body: &[u8]) -> Result<Value, NotTaken> {
    read(message).messages.take(body)
}

#[test]
fn a_job_without_conditions_takes_every_body() {
    assert_eq!(take("", &[0xff; 9]), Ok(Value::Null));
    let debounce = read("debounce = \"10s\"\nrate = { runs = 3, per = \"1h\" }").messages;
    assert_eq!(debounce.debounce_ms, Some(10_000));
    let rate = Rate {
        runs: 3,
        per_ms: 3_600_000,
    };
    assert_eq!(debounce.rate, Some(rate));
    assert_eq!(debounce.take(b"no JSON"), Ok(Value::Null));
}

#[test]
fn a_body_is_json_a_cloud_event_or_message_pack() {
    let wanted = json!({"id": 7, "data": {"ref": "main"}});
    let text = wanted.to_string();
    let packed = rmp_serde::to_vec(&wanted).expect("a small value");
    let event =
        json!({"specversion": "1.0", "id": 7, "source": "s", "type": "t", "data": {"ref": "main"}});
    let only = "key = \"id\"\nonly.\"data.ref\" = \"main\"";
    for body in [
        text.into_bytes(),
        packed.clone(),
        event.to_string().into_bytes(),
    ] {
        let taken = take(only, &body).expect("it is taken");
        assert_eq!(taken["data"], wanted["data"]);
    }
    let mut longer = packed;
    longer.push(0xc0);
    for body in [
        &longer[..],
        b"",
        b"[1]",
        b"7",
        b"{\"id\": 7, \"id\": 8}",
        &[0xff; 9],
        format!("{{\"id\": \"{}\"}}", "x".repeat(BODY_BYTES_MAX)).as_bytes(),
        format!("{{\"id\": \"{}\"}}", "x".repeat(VALUE_CHARS_MAX + 1)).as_bytes(),
        "[".repeat(60_000).as_bytes(),
        &[0x91; 60_000],
        b"{\"other\": 7}",
        b"{\"id\": [7]}",
    ] {
        let said = take("key = \"id\"", body);
        assert_eq!(
            said,
            Err(NotTaken::Shape),
            "{:?}",
            &body[..body.len().min(20)]
        );
    }
}

#[test]
fn each_condition_leaves_out_what_it_does_not_match() {
    for (only, yes, no) in [
        ("only.a = \"x\"", json!({"a": "x"}), json!({"a": "y"})),
        (
            "only.a = [1, \"x\", true]",
            json!({"a": true}),
            json!({"a": false}),
        ),
        ("only.a = { is = [2] }", json!({"a": 2}), json!({"a": "2"})),
        (
            "only.a = { prefix = \"re\" }",
            json!({"a": "refs"}),
            json!({"a": 5}),
        ),
        (
            "only.a = { suffix = \"in\" }",
            json!({"a": "main"}),
            json!({}),
        ),
        (
            "only.a = { min = 1, max = 9.5 }",
            json!({"a": 9.5}),
            json!({"a": 9.6}),
        ),
        ("only.a = { max = 3 }", json!({"a": -1}), json!({"a": "1"})),
        (
            "only.a = { present = true }",
            json!({"a": 0}),
            json!({"a": null}),
        ),
        ("only.a = { present = false }", json!({}), json!({"a": 0})),
        (
            "only.\"a.b\" = 1",
            json!({"a": {"b": 1}}),
            json!({"a.b": 1}),
        ),
    ] {
        let said = |body: &Value| take(only, body.to_string().as_bytes());
        assert_eq!(said(&yes), Ok(yes.clone()), "{only}");
        assert_eq!(said(&no), Err(NotTaken::Other), "{only}");
    }
}

#[test]
fn fields_make_the_key_and_fill_slots() {
    let messages = read("key = \"id\"\nslots.month = \"data.month\"").messages;
    let take = |body: &str| messages.take(body.as_bytes());
    let one = take(r#"{"id": 1, "data": {"month": 3}}"#).expect("it is taken");
    let same = take(r#"{"id": 1, "data": {"month": 4}}"#).expect("it is taken");
    let other = take(r#"{"id": 2, "data": {"month": 3}}"#).expect("it is taken");
    let key = |taken: &Value| -> Option<Digest> { messages.key_of("cli.build", taken) };
    assert_eq!(key(&one), key(&same));
    assert_ne!(key(&one), key(&other));
    assert_ne!(key(&one), messages.key_of("cli.other", &one));
    let slots: Vec<_> = messages.slots_of(&one).into_iter().collect();
    assert_eq!(slots, [("month".to_owned(), "3".to_owned())]);
    assert_eq!(take(r#"{"id": 1}"#), Err(NotTaken::Shape));
    assert_eq!(read("").messages.key_of("cli.build", &one), None);
}

#[test]
fn each_error_of_messages_has_its_fix() {
    let cases = [
        ("kay = \"id\"", "`[message]` has no `kay`", "write `key`"),
        ("key = \"a..b\"", "`a..b` names no field", "data.id"),
        ("key = 7", "is not a text", "data.id"),
        (
            "only.a = { prefix = \"x\", min = 1 }",
            "it is no condition",
            "{ prefix = ",
        ),
        (
            "only.a = { like = \"x\" }",
            "a condition has no `like`",
            "is, prefix",
        ),
        ("only.a = []", "it is no condition", "a list of values"),
        ("only = 3", "`only` is not a table", "only.NAME"),
        (
            "rate = { runs = 3 }",
            "needs `runs` and `per`",
            "per = \"1h\"",
        ),
        (
            "rate = { runs = 0, per = \"1h\" }",
            "needs `runs` and `per`",
            "1 to 1000",
        ),
        (
            "debounce = \"2h\"",
            "`debounce` is no such time",
            "1s to 1h",
        ),
    ];
    refused(&cases.map(|(message, problem, fix)| (text(message), problem, fix)));
    let elsewhere = text("key = \"id\"").replace("trigger = \"cli.build\"", "every = \"1h\"");
    refused(&[(elsewhere, "jobs that messages start", "remove it")]);
}
