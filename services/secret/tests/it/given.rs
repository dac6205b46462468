//! Values, keys and terms of the tests.

use bus_schema::SecretName;
use secret::{Outgoing, SealingKey, SecretTerms, SecretValue};
use zeroize::Zeroizing;

pub(crate) fn name(text: &str) -> SecretName {
    text.parse().unwrap()
}

pub(crate) fn value(text: &str) -> SecretValue {
    SecretValue::new(Zeroizing::new(text.as_bytes().to_vec())).unwrap()
}

pub(crate) fn key(n: u8) -> SealingKey {
    SealingKey::of(&Zeroizing::new([n; 32]))
}

pub(crate) fn terms(version: u32, hosts: &[&str], inject: &str) -> SecretTerms {
    let hosts = hosts.iter().map(|host| host.parse().unwrap()).collect();
    let methods = ["POST", "GET"].map(|one| one.parse().unwrap()).to_vec();
    let inject = inject.parse().unwrap();
    SecretTerms::new(name("crm"), version, hosts, methods, inject).unwrap()
}

/// A request at 2015-08-30T12:36:00Z.
pub(crate) fn get(path: &str) -> Outgoing<'_> {
    let (path, query) = match path.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (path, None),
    };
    Outgoing {
        method: "GET".parse().unwrap(),
        host: "example.amazonaws.com",
        path,
        query,
        content_type: None,
        body: b"",
        at: "2015-08-30T12:36:00Z".parse().unwrap(),
    }
}
