//! Tests of the content of certificates, and of refused pairs, names and dates.

use std::time::{Duration, SystemTime};

use deployment::pki::{CA_DAYS, Ca, Error, LEAF_DAYS_MAX, Side, certificates};
use x509_parser::prelude::*;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

fn unix(at: SystemTime) -> i64 {
    i64::try_from(at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

#[test]
fn leaf_has_names_uses_and_dates_it_should_have() {
    let ca = Ca::create(now()).unwrap();
    let leaf = ca
        .issue("policy", &["policy", "localhost"], Side::Server, 30, now())
        .unwrap();
    let (_, pem) = parse_x509_pem(leaf.cert_pem.as_bytes()).unwrap();
    let cert = pem.parse_x509().unwrap();
    let names: Vec<String> = cert
        .subject_alternative_name()
        .unwrap()
        .unwrap()
        .value
        .general_names
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        names,
        [
            "DNSName(policy)",
            "DNSName(localhost)",
            "IPAddress(7f:00:00:01)",
            "URI(spiffe://contractual.local/policy)"
        ]
    );
    let uses = cert.extended_key_usage().unwrap().unwrap().value;
    assert!(uses.server_auth && !uses.client_auth && !uses.any && !uses.code_signing);
    let usage = cert.key_usage().unwrap().unwrap();
    assert!(usage.critical && usage.value.flags == 1);
    assert!(!cert.is_ca());
    assert_eq!(cert.validity().not_before.timestamp(), unix(now()) - 3_600);
    assert_eq!(
        cert.validity().not_after.timestamp(),
        unix(now() + 30 * DAY)
    );
    assert_eq!(cert.raw_serial().len(), 16);
    assert_eq!(
        ca.check(&leaf.key_pem, &leaf.cert_pem, now()).unwrap(),
        now() + 30 * DAY
    );
}

#[test]
fn a_clients_certificate_is_no_servers() {
    let ca = Ca::create(now()).unwrap();
    let leaf = ca.issue("policy", &["policy"], Side::Client, 30, now());
    let (_, pem) = parse_x509_pem(leaf.unwrap().cert_pem.as_bytes()).unwrap();
    let cert = pem.parse_x509().unwrap();
    let uses = cert.extended_key_usage().unwrap().unwrap().value;
    assert!(uses.client_auth && !uses.server_auth);
    let names = cert.subject_alternative_name().unwrap().unwrap().value;
    let names = names.general_names.iter().map(ToString::to_string);
    let expected = ["DNSName(policy)", "URI(spiffe://contractual.local/policy)"];
    assert!(names.eq(expected));
}

#[test]
fn authority_can_sign_leaves_only_for_ten_years() {
    let ca = Ca::create(now()).unwrap();
    let (_, pem) = parse_x509_pem(ca.cert_pem().as_bytes()).unwrap();
    let cert = pem.parse_x509().unwrap();
    let constraints = cert.basic_constraints().unwrap().unwrap();
    assert!(constraints.critical && constraints.value.ca);
    assert_eq!(constraints.value.path_len_constraint, Some(0));
    let usage = cert.key_usage().unwrap().unwrap().value;
    assert!(usage.key_cert_sign() && usage.crl_sign() && !usage.digital_signature());
    assert_eq!(
        cert.validity().not_after.timestamp(),
        unix(now() + CA_DAYS * DAY)
    );
}

#[test]
fn of_several_authorities_the_one_of_the_key_signs() {
    let (old, new) = (Ca::create(now()).unwrap(), Ca::create(now()).unwrap());
    let both = [new.cert_pem(), old.cert_pem()].concat();
    assert_eq!(certificates(&both).count(), 2);
    for ca in [&old, &new] {
        let loaded = Ca::load(ca.key_pem(), &both, now()).unwrap();
        let leaf = loaded.issue("a", &[], Side::Client, 1, now()).unwrap();
        assert!(ca.check(&leaf.key_pem, &leaf.cert_pem, now()).is_ok());
    }
    let stranger = Ca::create(now()).unwrap();
    assert!(Ca::load(stranger.key_pem(), &both, now()).is_err());
}

#[test]
fn serials_differ() {
    let ca = Ca::create(now()).unwrap();
    let issue = || ca.issue("a", &[], Side::Client, 1, now()).unwrap().cert_pem;
    let serial = |pem: String| {
        parse_x509_pem(pem.as_bytes())
            .unwrap()
            .1
            .parse_x509()
            .unwrap()
            .raw_serial()
            .to_vec()
    };
    assert_ne!(serial(issue()), serial(issue()));
}

#[test]
fn loaded_authority_issues_what_the_first_one_accepts() {
    let ca = Ca::create(now()).unwrap();
    let loaded = Ca::load(ca.key_pem(), ca.cert_pem(), now()).unwrap();
    let leaf = loaded
        .issue("runner", &["runner"], Side::Client, 1, now())
        .unwrap();
    assert!(ca.check(&leaf.key_pem, &leaf.cert_pem, now()).is_ok());
}

#[test]
fn wrong_pairs_are_refused() {
    let (ca, other) = (Ca::create(now()).unwrap(), Ca::create(now()).unwrap());
    let leaf = ca.issue("a", &[], Side::Client, 1, now()).unwrap();
    let load = |key: &str, cert: &str| Ca::load(key, cert, now()).unwrap_err();
    assert!(matches!(
        load(other.key_pem(), ca.cert_pem()),
        Error::Mismatch
    ));
    assert!(matches!(load(&leaf.key_pem, &leaf.cert_pem), Error::NotACa));
    assert!(matches!(load("x", ca.cert_pem()), Error::NotAKey));
    assert!(matches!(load(ca.key_pem(), "x"), Error::NotACertificate));
    let two = format!("{}{}", ca.cert_pem(), other.cert_pem());
    let both = ca.check(&leaf.key_pem, &two, now());
    assert!(matches!(both, Err(Error::NotACertificate)));
    let check = |by: &Ca, key: &str| by.check(key, &leaf.cert_pem, now()).unwrap_err();
    assert!(matches!(check(&other, &leaf.key_pem), Error::NotSignedHere));
    assert!(matches!(check(&ca, other.key_pem()), Error::Mismatch));
}

#[test]
fn pairs_outside_their_dates_are_refused() {
    let ca = Ca::create(now()).unwrap();
    let leaf = ca.issue("a", &[], Side::Client, 1, now()).unwrap();
    let check = |at| ca.check(&leaf.key_pem, &leaf.cert_pem, at);
    assert!(check(now() - Duration::from_secs(3_599)).is_ok());
    assert!(matches!(
        check(now() - Duration::from_secs(3_601)),
        Err(Error::NotValidNow)
    ));
    assert!(matches!(
        check(now() + DAY + Duration::from_secs(1)),
        Err(Error::NotValidNow)
    ));
    let late = Ca::load(ca.key_pem(), ca.cert_pem(), now() + (CA_DAYS + 1) * DAY);
    assert!(matches!(late, Err(Error::NotValidNow)));
    let end = now() + (CA_DAYS - 1) * DAY;
    assert!(matches!(
        ca.issue("a", &[], Side::Client, 2, end),
        Err(Error::OutlivesCa)
    ));
}

#[test]
fn bad_names_and_validities_are_refused() {
    let ca = Ca::create(now()).unwrap();
    let long = "a".repeat(64);
    for name in ["", "A", "1a", "a/b", "a.b", "-a", "a-", "a\n", "ä", &long] {
        let made = ca.issue(name, &[], Side::Client, 1, now());
        assert!(matches!(made, Err(Error::Name { .. })), "{name:?}");
    }
    for host in ["", ".", "a..b", "*.a", "a_b", "A", "a.", &long] {
        let made = ca.issue("a", &[host], Side::Client, 1, now());
        assert!(matches!(made, Err(Error::DnsName { .. })), "{host:?}");
    }
    for days in [0, LEAF_DAYS_MAX + 1, u32::MAX] {
        assert!(matches!(
            ca.issue("a", &[], Side::Client, days, now()),
            Err(Error::Days)
        ));
    }
    let before = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
    assert!(matches!(Ca::create(before), Err(Error::Clock)));
}
