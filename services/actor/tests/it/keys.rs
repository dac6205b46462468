//! Tests of seeds and signing keys: round trips, no replacement, and no secrets in `Debug`.

use std::fs;
use std::process::Command;

use actor::files::Written;
use actor::{nkey, signing_key};
use ed25519_dalek::Signer;

#[test]
fn user_seed_is_made_once_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.nk");
    let (made, first) = nkey::UserKey::create(&path).unwrap();
    let (kept, second) = nkey::UserKey::create(&path).unwrap();
    assert_eq!((first, second), (Written::Created, Written::Kept));
    assert_eq!((made.public(), made.seed()), (kept.public(), kept.seed()));
    assert!(made.public().starts_with('U') && made.seed().starts_with("SU"));
    let pair = nkeys::KeyPair::from_seed(made.seed()).unwrap();
    assert_eq!(pair.public_key(), made.public());
}

#[test]
fn seed_of_another_kind_or_with_a_wrong_checksum_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let user = nkeys::KeyPair::new_user().seed().unwrap();
    let flipped = format!(
        "{}{}",
        &user[..57],
        if user.ends_with('A') { 'B' } else { 'A' }
    );
    for (name, text) in [
        ("account", nkeys::KeyPair::new_account().seed().unwrap()),
        ("flipped", flipped),
        ("empty", String::new()),
    ] {
        let path = dir.path().join(name);
        actor::files::write_new(&path, text.as_bytes()).unwrap();
        assert!(
            matches!(
                nkey::UserKey::create(&path),
                Err(nkey::Error::NotASeed { .. })
            ),
            "{name}"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}

#[test]
fn signing_key_is_made_once_kept_and_readable_by_openssl_where_present() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.pem");
    let (made, first) = signing_key::create(&path).unwrap();
    let (kept, second) = signing_key::create(&path).unwrap();
    assert_eq!((first, second), (Written::Created, Written::Kept));
    assert!(
        kept.verifying_key()
            .verify_strict(b"m", &made.sign(b"m"))
            .is_ok()
    );
    assert!(
        fs::read_to_string(&path)
            .unwrap()
            .starts_with("-----BEGIN PRIVATE KEY-----\n")
    );
    let openssl = Command::new("openssl")
        .args(["pkey", "-noout", "-text", "-in"])
        .arg(&path)
        .output();
    if let Ok(output) = openssl {
        assert!(String::from_utf8_lossy(&output.stdout).contains("ED25519 Private-Key"));
    }
}

#[test]
fn file_without_a_signing_key_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.pem");
    actor::files::write_new(&path, b"not a key").unwrap();
    assert!(matches!(
        signing_key::create(&path),
        Err(signing_key::Error::NotAKey { .. })
    ));
    assert_eq!(fs::read(&path).unwrap(), b"not a key");
}

#[test]
fn debug_output_holds_no_secret() {
    let dir = tempfile::tempdir().unwrap();
    let (user, _) = nkey::UserKey::create(&dir.path().join("a.nk")).unwrap();
    let (signing, _) = signing_key::create(&dir.path().join("a.pem")).unwrap();
    let shown = format!("{user:?} {signing:?}");
    assert!(!shown.contains(user.seed()) && !shown.contains("PRIVATE KEY"));
    let secret: String = signing
        .to_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert!(!shown.contains(&secret) && !shown.contains(&format!("{:?}", signing.to_bytes())));
}
