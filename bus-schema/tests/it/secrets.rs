//! Tests which version of a secret counts, and the answers about it on the wire.

use bus_schema::{
    Content, Digest, NotReleased, ReleasedSecret, SecretName, SecretRevoked, SecretSigned, Secrets,
    wire,
};

use crate::{
    example::{content, digest},
    fixture::name,
};

fn signed(version: u32) -> SecretSigned {
    SecretSigned {
        name: name("crm"),
        version,
        terms: digest(1),
        sealed: content(2),
        inner: Some(digest(3)),
    }
}

fn revoked(version: u32) -> SecretRevoked {
    let name = name("crm");
    SecretRevoked { name, version }
}

fn usable(secrets: &Secrets) -> Result<u32, NotReleased> {
    secrets.usable(&name("crm")).map(|signed| signed.version)
}

#[test]
fn only_the_newest_version_counts_and_no_older_one_comes_back() {
    let mut secrets = Secrets::default();
    assert_eq!(usable(&secrets), Err(NotReleased::Unknown));
    secrets.revoke(&revoked(1));
    assert_eq!(usable(&secrets), Err(NotReleased::Unknown));
    secrets.sign(signed(2));
    secrets.sign(signed(1));
    assert_eq!(usable(&secrets), Ok(2));
    secrets.revoke(&revoked(1));
    assert_eq!(usable(&secrets), Ok(2));
    secrets.revoke(&revoked(2));
    secrets.sign(signed(2));
    assert_eq!(usable(&secrets), Err(NotReleased::Revoked));
    secrets.sign(signed(3));
    assert_eq!(usable(&secrets), Ok(3));
    let kept = wire::encode(&secrets);
    assert_eq!(wire::decode::<Secrets>(&kept), Ok(secrets));
}

/// A signature in the older form.
#[derive(serde::Serialize)]
struct Older {
    name: SecretName,
    version: u32,
    terms: Digest,
    sealed: Content,
}

#[test]
fn a_signature_that_does_not_bind_its_value_is_read_and_releases_nothing() {
    let (version, terms, sealed) = (2, digest(1), content(2));
    let older = Older {
        name: name("crm"),
        version,
        terms,
        sealed,
    };
    let older: SecretSigned = wire::decode(&wire::encode(&older)).unwrap();
    assert_eq!(
        older,
        SecretSigned {
            inner: None,
            ..signed(2)
        }
    );
    let mut secrets = Secrets::default();
    secrets.sign(signed(1));
    secrets.sign(older);
    assert_eq!(usable(&secrets), Err(NotReleased::Unbound));
    secrets.sign(signed(3));
    assert_eq!(usable(&secrets), Ok(3));
}

#[test]
fn both_answers_of_the_broker_survive_the_wire() {
    let sealed = ReleasedSecret {
        version: 1,
        sealed: vec![0, 255],
    };
    for answer in [Ok(sealed), Err(NotReleased::NotClaimed)] {
        let bytes = wire::encode(&answer);
        let read: Result<Result<ReleasedSecret, NotReleased>, _> = wire::decode(&bytes);
        assert_eq!(read, Ok(answer));
    }
}
