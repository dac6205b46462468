//! Tests values, terms and the two seals.

use bus_schema::{Digest, Salt, Sealed, SecretSigned};
use secret::{
    FiledSeal, InnerSeal, NotOpened, OuterSeal, Recipients, SealingKey, SecretTerms, SecretValue,
    SignedSeal, TermsError, ValueError, seal,
};
use zeroize::Zeroizing;

use crate::given::{get, key, name, terms, value};

const BEARER: &str = "header:Authorization=Bearer {}";

fn sealed(terms: &SecretTerms, text: &str) -> OuterSeal {
    sealed_twice(terms, text, 9).0
}

/// Seals with these random bytes; returns also the digest that the owner signs.
fn sealed_twice(terms: &SecretTerms, text: &str, random: u8) -> (OuterSeal, Digest) {
    let to = Recipients {
        egress: key(1).public(),
        broker: key(2).public(),
    };
    seal(terms, &value(text), &to, &Zeroizing::new([random; 32])).unwrap()
}

#[test]
fn both_keys_in_their_order_open_a_secret() {
    let terms = terms(3, &["b.example:8443", "a.example", "a.example"], BEARER);
    let outer = sealed(&terms, "the value of a secret");
    let stored = OuterSeal::read(&outer.bytes()).unwrap();
    assert_eq!(stored, outer);
    assert_eq!(stored.terms().unwrap(), terms);
    let inner = stored.open_outer(&key(2)).unwrap();
    let inner = InnerSeal::read(&inner.bytes()).unwrap();
    let (found, opened) = inner.open_inner(&key(1)).unwrap();
    assert_eq!(found, terms);
    assert_eq!(opened.expose(), "the value of a secret");

    assert_eq!(stored.open_outer(&key(1)), Err(NotOpened::Seal));
    assert_eq!(inner.open_inner(&key(2)).unwrap_err(), NotOpened::Seal);
    // The inner seal is none that the broker's key opens as an outer one.
    let turned = OuterSeal::read(&inner.bytes()).unwrap();
    assert_eq!(turned.open_outer(&key(1)), Err(NotOpened::Seal));
    assert_eq!(turned.open_outer(&key(2)), Err(NotOpened::Seal));
}

fn signed(terms: &SecretTerms, outer: &OuterSeal, inner: Digest) -> SecretSigned {
    SecretSigned {
        name: terms.name().clone(),
        version: terms.version(),
        terms: terms.digest(),
        sealed: Sealed::new(Salt::new([3; 32]), &outer.bytes())
            .unwrap()
            .content(),
        inner: Some(inner),
    }
}

#[test]
fn another_value_takes_the_place_of_a_secret_only_without_its_digest() {
    let terms = terms(3, &["a.example"], BEARER);
    let (outer, inner) = sealed_twice(&terms, "the value of the owner", 9);
    let signed = signed(&terms, &outer, inner);
    // A thief with the broker's key needs no other one to seal a value of its own under the same terms.
    let (forged, _) = sealed_twice(&terms, "the value of a thief", 8);
    let forged = forged.open_outer(&key(2)).unwrap();
    let (found, value) = forged.open_inner(&key(1)).unwrap();
    assert_eq!((found, value.expose()), (terms, "the value of a thief"));
    assert_eq!(
        forged.open_signed(&key(1), &signed).unwrap_err(),
        NotOpened::Foreign
    );
    let mine = outer.open_outer(&key(2)).unwrap();
    let (_, value) = mine.open_signed(&key(1), &signed).unwrap();
    assert_eq!(value.expose(), "the value of the owner");
}

#[test]
fn only_egress_renews_a_secret() {
    let terms = terms(3, &["a.example"], BEARER);
    let (outer, inner) = sealed_twice(&terms, "the first refresh token", 9);
    let signed = signed(&terms, &outer, inner);
    let random = Zeroizing::new([7; 32]);
    let next = value("the next refresh token");
    let renewed = InnerSeal::renew(&terms, &next, &key(1), &random).unwrap();
    let stored = renewed.wrap(&key(2).public(), &random).unwrap();
    let renewed = stored.open_outer(&key(2)).unwrap();
    let (found, value) = renewed.open_signed(&key(1), &signed).unwrap();
    assert_eq!((&found, value.expose()), (&terms, next.expose()));
    // Neither under another key, nor under other terms.
    let foreign = InnerSeal::renew(&terms, &next, &key(2), &random).unwrap();
    for key in [key(1), key(2)] {
        assert_eq!(
            renewed.open_inner(&key).unwrap_err(),
            NotOpened::Seal,
            "it is no seal for everybody"
        );
    }
    assert_eq!(
        foreign.open_signed(&key(1), &signed).unwrap_err(),
        NotOpened::Foreign
    );
    let bytes = renewed.bytes();
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        let opened =
            InnerSeal::read(&changed).and_then(|inner| inner.open_signed(&key(1), &signed));
        assert!(opened.is_err(), "{at}");
    }
}

#[test]
fn a_seal_holds_only_with_its_terms() {
    let mine = terms(1, &["a.example"], BEARER);
    let outer = sealed(&mine, "the value of a secret").bytes();
    for other in [
        terms(2, &["a.example"], BEARER),
        terms(1, &["b.example"], BEARER),
        terms(1, &["a.example"], "header:authorization=Basic {}"),
    ] {
        let (mine, other) = (mine.encoded(), other.encoded());
        if mine.len() != other.len() {
            continue;
        }
        let at = outer.windows(mine.len()).position(|part| part == mine);
        let at = at.unwrap();
        let mut changed = outer.clone();
        changed[at..at + mine.len()].copy_from_slice(&other);
        let changed = OuterSeal::read(&changed).unwrap();
        assert_eq!(changed.open_outer(&key(2)), Err(NotOpened::Seal));
    }
    for at in 0..outer.len() {
        let mut changed = outer.clone();
        changed[at] ^= 1;
        let opened = OuterSeal::read(&changed).and_then(|outer| {
            outer.terms()?;
            outer.open_outer(&key(2))
        });
        assert!(opened.is_err(), "{at}");
    }
}

#[test]
fn terms_have_one_encoding() {
    let one = terms(1, &["a.example", "b.example:8443"], BEARER);
    let text = String::from_utf8(one.encoded()).unwrap();
    let expected = r#"{"hosts":["a.example","b.example:8443"],"inject":"header:authorization=Bearer {}","methods":["GET","POST"],"name":"crm","version":1}"#;
    assert_eq!(text, expected);
    assert_eq!(SecretTerms::read(text.as_bytes()), Ok(one.clone()));
    for (from, to) in [
        ("a.example", "A.example"),
        ("\"GET\",\"POST\"", "\"POST\",\"GET\""),
        ("\"GET\"", "\"TRACE\""),
        ("a.example", "c.example"),
        ("authorization", "Authorization"),
        ("\"version\":1", "\"version\":01"),
        ("\"version\":1", "\"version\":1,\"more\":1"),
        ("{\"hosts\"", "{ \"hosts\""),
    ] {
        let changed = text.replace(from, to);
        assert_ne!(changed, text);
        assert!(SecretTerms::read(changed.as_bytes()).is_err(), "{changed}");
    }
    let none = |version, hosts, methods| {
        SecretTerms::new(
            name("crm"),
            version,
            hosts,
            methods,
            BEARER.parse().unwrap(),
        )
    };
    let host = || vec!["a.example".parse().unwrap()];
    let get = || vec!["GET".parse().unwrap()];
    assert_eq!(none(1, Vec::new(), get()), Err(TermsError::Hosts));
    assert_eq!(none(1, host(), Vec::new()), Err(TermsError::Methods));
    assert_eq!(none(0, host(), get()), Err(TermsError::Version));
    let (get, head) = ("GET".parse().unwrap(), "HEAD".parse().unwrap());
    assert!(one.permit(&"a.example".parse().unwrap(), get));
    assert!(!one.permit(&"a.example".parse().unwrap(), head));
    assert!(!one.permit(&"a.example:8443".parse().unwrap(), get));
}

#[test]
fn a_value_is_text_without_control_characters() {
    let read = |bytes: &[u8]| SecretValue::new(Zeroizing::new(bytes.to_vec()));
    for (bytes, error) in [
        (&b""[..], ValueError::Empty),
        (b"a\nb", ValueError::Line),
        (b"a\r", ValueError::Line),
        (b"a\0b", ValueError::Zero),
        (b"a\x1bb", ValueError::Control),
        ("a\u{85}b".as_bytes(), ValueError::Control),
        (b"a\xffb", ValueError::Text),
        (&[b'a'; 8193], ValueError::Large),
    ] {
        assert_eq!(read(bytes), Err(error));
    }
    assert!(!read(&[b'a'; 8192]).unwrap().is_short());
    assert!(read(b"fifteen letters").unwrap().is_short());
    assert!(!read(b"sixteen letters!").unwrap().is_short());
}

#[test]
fn nothing_shows_a_value_or_a_key() {
    let canary = "a canary that nobody may see";
    let value = value(canary);
    assert_eq!(format!("{value:?}"), "28 bytes");
    let injected = "query:key".parse::<secret::Injection>().unwrap();
    let injected = injected.apply(&value, &get("/")).unwrap();
    let scrubber = secret::Scrubber::new(&name("crm"), &[canary]);
    let key = key(7);
    let text = String::from_utf8(key.text().to_vec()).unwrap();
    let shown = format!("{value:?} {injected:?} {scrubber:?} {key:?}");
    assert!(!shown.contains("canary"), "{shown}");
    assert!(!shown.contains(text.trim()), "{shown}");
}

#[test]
fn a_key_file_is_64_digits() {
    let key = key(1);
    let text = key.text();
    assert_eq!(text.len(), 65);
    let read = SealingKey::read(&text).unwrap();
    assert_eq!(read.public(), key.public());
    let upper = text.to_ascii_uppercase();
    for wrong in [&b""[..], b"00", &text[1..], &[b'g'; 64], &upper] {
        assert!(SealingKey::read(wrong).is_err());
    }
}

#[test]
fn content_of_a_value_in_a_file_has_one_form_and_names_one_file() {
    let terms = terms(3, &["a.example"], BEARER);
    let outer = sealed(&terms, "the value of a secret");
    let filed = FiledSeal::of(&outer).unwrap();
    let bytes = filed.bytes();
    let SignedSeal::File(read) = SignedSeal::read(&bytes).unwrap() else {
        panic!("it names a file");
    };
    assert_eq!(*read, filed);
    assert_eq!(read.terms(), &terms);
    assert_eq!(read.open(&outer.bytes()).unwrap(), outer);
    let SignedSeal::Record(read) = SignedSeal::read(&outer.bytes()).unwrap() else {
        panic!("it is the value itself");
    };
    assert_eq!(read, outer);

    let other = sealed_twice(&terms, "the value of a secret", 10).0;
    for file in [other.bytes(), bytes.clone(), Vec::new()] {
        assert_eq!(filed.open(&file), Err(NotOpened::Encoding));
    }
    let text = String::from_utf8(bytes).unwrap();
    for wrong in [
        text.replace("\"file\":", "\"files\":"),
        text.replace("\"terms\":", "\"x\":1,\"terms\":"),
        text.replace("\"version\":3", "\"version\":0"),
        text.replace("{\"file\"", "{ \"file\""),
        format!("{text}\n"),
        text.replace(":\"", ":\"0"),
        "{}".to_owned(),
        "{".to_owned(),
    ] {
        assert_ne!(wrong, text);
        assert!(SignedSeal::read(wrong.as_bytes()).is_err(), "{wrong}");
    }
}
