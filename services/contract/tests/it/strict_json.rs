//! Tests of the strict JSON reader beyond the conformance set, and of the canonical form.

use bus_schema::json;
use contract::{Call, Code, Record, Verdict, decide};
use proptest::prelude::*;

#[test]
fn error_names_the_place() {
    let error = json::parse(b"{\n \"a\": 1,\n \"a\": 2}", 100).unwrap_err();
    let json::Error::Malformed { line, problem, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!((*line, problem.as_str()), (3, "duplicate key \"a\""));
}

#[test]
fn length_bound_is_exact() {
    assert!(json::parse(b"[1]", 3).is_ok());
    assert_eq!(
        json::parse(b"[1]", 2),
        Err(json::Error::TooLong {
            bytes: 3,
            bytes_max: 2
        })
    );
}

#[test]
fn arguments_have_at_most_64_kib() {
    let tools = crate::tools();
    let contract = crate::contract("[[allow]]\ntool = \"*\"", &tools);
    let args = |bytes: usize| format!("{{\"text\":\"{}\"}}", "a".repeat(bytes - 11));
    for (bytes, good) in [(65_536, true), (65_537, false)] {
        let args = args(bytes);
        assert_eq!(args.len(), bytes);
        let call = Call {
            tool: "t.any",
            args: args.as_bytes(),
        };
        let verdict = decide(
            &contract,
            &tools,
            &crate::view(0, &Record::default()),
            &call,
        );
        assert_eq!(
            matches!(verdict, Verdict::Granted { .. }),
            good,
            "{verdict:?}"
        );
        assert!(
            good || matches!(
                verdict,
                Verdict::Refused {
                    code: Code::Arguments,
                    ..
                }
            )
        );
    }
}

#[test]
fn invalid_utf_8_is_refused() {
    assert!(json::parse(b"\"\xff\"", 10).is_err());
    assert!(json::parse(b"\xef\xbb\xbf1", 10).is_err());
}

#[test]
fn canonical_form_is_that_of_the_standard() {
    let text = "{\"b\":[1e0,-0,0.1,1.5e-7,true,null],\"a\\u00e9\":\"\\u20ac\\n/\"}";
    let value = json::parse(text.as_bytes(), 1000).unwrap();
    let expected = "{\"aé\":\"€\\n/\",\"b\":[1,0,0.1,1.5e-7,true,null]}";
    assert_eq!(
        String::from_utf8(json::canonical(&value)).unwrap(),
        expected
    );
}

#[test]
fn neighbouring_integers_never_share_a_canonical_form() {
    for text in [
        "9007199254740992",
        "9007199254740993",
        "-9007199254740993",
        "9007199254740993.0",
    ] {
        assert!(json::parse(text.as_bytes(), 100).is_err(), "{text}");
    }
    assert!(json::parse(b"9007199254740991", 100).is_ok());
}

proptest! {
    #[test]
    fn canonical_form_is_a_fixed_point(number in any::<f64>(), text in ".*", whole in any::<i64>()) {
        let written = serde_json::json!({ "number": number, "text": [text], "whole": whole }).to_string();
        if let Ok(value) = json::parse(written.as_bytes(), 100_000) {
            let canonical = json::canonical(&value);
            let again = json::parse(&canonical, 100_000).unwrap();
            prop_assert_eq!(&again, &value);
            prop_assert_eq!(json::canonical(&again), canonical);
        }
    }

    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _answer = json::parse(&bytes, 100);
    }
}
