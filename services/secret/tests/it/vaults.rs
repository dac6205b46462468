//! Tests the places of values on a server of Vault or OpenBao.

use secret::{SecretTerms, VaultPlace, VaultSource, VaultSourceError, VaultVersion};

use crate::given::terms;

const URL: &str = "https://vault.example.com:8200";

fn place() -> VaultPlace {
    VaultPlace {
        mount: "secret".to_owned(),
        path: "apps/crm".to_owned(),
        field: "key".to_owned(),
        version: VaultVersion::Pinned(3),
        auth: "approle".to_owned(),
        role: "0c1d-role".to_owned(),
    }
}

fn with(change: impl FnOnce(&mut VaultPlace)) -> Result<VaultSource, VaultSourceError> {
    let mut place = place();
    change(&mut place);
    VaultSource::new(URL, place)
}

#[test]
fn terms_with_a_vault_have_one_encoding_and_are_bound_to_all_of_it() {
    let plain = terms(3, &["a.example"], "header:authorization=Bearer {}");
    let same = plain.clone().with_vault(None);
    assert_eq!(
        same.encoded(),
        plain.encoded(),
        "older terms keep their bytes"
    );
    let sources = [
        with(|_| ()),
        with(|place| place.version = VaultVersion::Newest),
        with(|place| place.version = VaultVersion::Pinned(4)),
        with(|place| place.auth = "apps".to_owned()),
        with(|place| place.mount = "team/kv".to_owned()),
        with(|place| place.path = "apps".to_owned()),
        with(|place| place.field = "other".to_owned()),
        with(|place| place.role = "another".to_owned()),
        VaultSource::new("https://other.example.com", place()),
    ];
    let mut seen = vec![plain.digest()];
    for source in sources {
        let terms = plain.clone().with_vault(Some(source.unwrap()));
        let read = SecretTerms::read(&terms.encoded()).unwrap();
        assert_eq!(read, terms);
        assert_eq!(read.with_version(3).unwrap(), terms);
        assert!(!seen.contains(&terms.digest()));
        seen.push(terms.digest());
    }
    let text = String::from_utf8(plain.clone().with_vault(with(|_| ()).ok()).encoded()).unwrap();
    for (from, to) in [
        ("\"version\":3}", "\"version\":0}"),
        ("\"role\":", "\"auth\":\"approle\",\"role\":"),
        (":8200\"", ":8200/\""),
        ("https:", "http:"),
        (
            "\"vault\":",
            "\"token\":{\"url\":\"https://a.example/t\",\"client\":\"me\",\"grant\":\"refresh_token\"},\"vault\":",
        ),
        ("apps/crm", "apps/../crm"),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        assert!(SecretTerms::read(changed.as_bytes()).is_err(), "{changed}");
    }
}

#[test]
fn a_place_leads_nowhere_else() {
    for path in [
        "", "/", "a/", "/a", "a//b", ".", "..", "a/../b", "a/.", "a?b", "a#b", "a%2fb", "a b",
        "\u{e9}", "a\\b",
    ] {
        for refused in [
            with(|place| place.path = path.to_owned()),
            with(|place| place.mount = path.to_owned()),
            with(|place| place.auth = path.to_owned()),
        ] {
            assert!(matches!(refused, Err(VaultSourceError::Name(_))), "{path}");
        }
    }
    for text in ["", "a b", "a\"b", "a\\b", "\u{e9}", &"x".repeat(257)] {
        for refused in [
            with(|place| place.field = text.to_owned()),
            with(|place| place.role = text.to_owned()),
        ] {
            assert!(matches!(refused, Err(VaultSourceError::Text(_))), "{text}");
        }
    }
    for url in [
        "http://vault.example.com",
        "https://vault.example.com/v1",
        "https://vault.example.com?a=b",
        "https://vault.example.com/?a=b",
        "https://vault.example.com#a",
        "https://me@vault.example.com",
        "vault.example.com",
        "",
    ] {
        assert!(VaultSource::new(url, place()).is_err(), "{url}");
    }
    for version in ["0", "", "-1", "latest", "4294967296", "1.0"] {
        assert!(version.parse::<VaultVersion>().is_err(), "{version}");
    }
    assert_eq!("newest".parse(), Ok(VaultVersion::Newest));
    assert_eq!("7".parse(), Ok(VaultVersion::Pinned(7)));
    // A slash at the end is no path.
    let slashed = VaultSource::new(&format!("{URL}/"), place()).unwrap();
    assert_eq!(slashed, with(|_| ()).unwrap());
}
