//! Tests the places in which a secret stands in a request.

use secret::{Injected, Injection, InjectionError, Place, Unfit};

use crate::given::{get, value};

fn applied(injection: &Injection, text: &str) -> Vec<Injected> {
    injection.apply(&value(text), &get("/")).unwrap()
}

#[test]
fn each_injection_has_one_spelling_and_its_text() {
    let header = |name: &str| Place::Header(name.to_owned());
    for (text, spelled, place, expected) in [
        (
            "header:Authorization=Bearer {}",
            "header:authorization=Bearer {}",
            header("authorization"),
            "Bearer a:b",
        ),
        (
            "header:X-Api-Key",
            "header:x-api-key={}",
            header("x-api-key"),
            "a:b",
        ),
        (
            "query:key",
            "query:key",
            Place::Query("key".to_owned()),
            "a%3Ab",
        ),
        ("cookie:sid", "cookie:sid", header("cookie"), "sid=a:b"),
        (
            "basic:me",
            "basic:me",
            header("authorization"),
            "Basic bWU6YTpi",
        ),
        ("basic", "basic", header("authorization"), "Basic YTpi"),
    ] {
        let injection: Injection = text.parse().unwrap();
        assert_eq!(injection.to_string(), spelled);
        assert_eq!(spelled.parse(), Ok(injection.clone()));
        let [injected] = &applied(&injection, "a:b")[..] else {
            panic!("{text}");
        };
        assert_eq!(
            (&injected.place, injected.text.as_str()),
            (&place, expected)
        );
        assert_eq!(injection.places(), [place]);
    }
}

#[test]
fn other_texts_are_no_injections() {
    for (text, error) in [
        ("", InjectionError::Form),
        ("authorization", InjectionError::Form),
        ("body:key", InjectionError::Form),
        ("header:=x {}", InjectionError::Header),
        ("header:host", InjectionError::Header),
        ("header:cookie", InjectionError::Header),
        ("header:Content-Length={}", InjectionError::Header),
        ("header:a b", InjectionError::Header),
        ("header:authorization=Bearer", InjectionError::Template),
        ("header:authorization={}{}", InjectionError::Template),
        (
            "header:authorization=Bearer {}\r\nx: y",
            InjectionError::Template,
        ),
        ("header:authorization= {}", InjectionError::Template),
        ("query:", InjectionError::Name),
        ("query:a&b", InjectionError::Name),
        ("cookie:a;b", InjectionError::Name),
        ("basic:", InjectionError::Name),
        ("basic:a:b", InjectionError::Name),
        ("hmac:x-sig={hex}", InjectionError::Hmac),
        ("hmac:x-sig;{body}", InjectionError::Hmac),
        ("hmac:host={hex};{body}", InjectionError::Header),
        ("hmac:x-sig=v1;{body}", InjectionError::Hmac),
        ("hmac:x-sig={hex}{base64};{body}", InjectionError::Hmac),
        ("hmac:x-sig={hex}{body};{body}", InjectionError::Hmac),
        ("hmac:x-sig={hex};{body}{hex}", InjectionError::Hmac),
        ("hmac:x-sig={hex};{secret}{body}", InjectionError::Hmac),
        ("hmac:x-sig={hex};{body}}", InjectionError::Hmac),
        ("hmac:x-sig={hex};{time}", InjectionError::Uncovered),
        ("hmac:x-sig={hex};{body};cookie", InjectionError::Header),
        ("hmac:x-sig={hex};{body};x-sig", InjectionError::Hmac),
        ("sigv4:s3", InjectionError::Scope),
        ("sigv4:/s3", InjectionError::Scope),
        ("sigv4:eu-central-1/s3/x", InjectionError::Scope),
    ] {
        assert_eq!(text.parse::<Injection>(), Err(error), "{text:?}");
    }
}

#[test]
fn a_value_that_would_end_its_place_does_not_fit() {
    for (rule, text, error) in [
        ("header:x-key", "dörfer", Unfit::Header),
        ("header:x-key", " zq", Unfit::Header),
        ("cookie:sid", "zq zq", Unfit::Cookie),
        ("cookie:sid", "zq;zq", Unfit::Cookie),
        ("basic", "zqzq", Unfit::User),
        ("sigv4:eu-central-1/s3", "zqzq", Unfit::AwsKey),
        ("sigv4:eu-central-1/s3", "zqzq:", Unfit::AwsKey),
        ("sigv4:eu-central-1/s3", "zq,zq:zqzq", Unfit::AwsKey),
        ("sigv4:eu-central-1/s3", "zqzq:zqzq:zö", Unfit::AwsKey),
    ] {
        let injection: Injection = rule.parse().unwrap();
        let unfit = injection.fits(&value(text)).unwrap_err();
        assert_eq!(unfit, error, "{rule} {text}");
        assert!(!unfit.to_string().contains(text));
    }
    let injection: Injection = "query:key".parse().unwrap();
    let injected = applied(&injection, "dörf & er");
    assert_eq!(injected[0].text.as_str(), "d%C3%B6rf%20%26%20er");
}
