//! Tests of the format of a signed checkpoint.

use audit::{Checkpoint, MAX_NOTE_BYTES, Origin, Refused};
use ed25519_dalek::SigningKey;
use signed_note::{Note, StandardSigner};

use crate::{Home, NOW_NS, ORIGIN, key, origin};

/// The library's signer, an implementation that is independent of the log's.
fn signer(name: &str, key: &SigningKey) -> StandardSigner {
    let public = signed_note::new_ed25519_verifier_key(name, &key.verifying_key());
    let id = public.split('+').nth(1).unwrap().to_owned();
    let mut typed = vec![1];
    typed.extend_from_slice(&key.to_bytes());
    StandardSigner::new(&format!("PRIVATE+KEY+{name}+{id}+{}", base64(&typed))).unwrap()
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let mut word = 0_u32;
        for i in 0..3 {
            word = word << 8 | u32::from(chunk.get(i).copied().unwrap_or(0));
        }
        for i in 0..4 {
            let digit = DIGITS[usize::try_from(word >> (18 - 6 * i) & 63).unwrap()];
            text.push(if i > chunk.len() {
                '='
            } else {
                char::from(digit)
            });
        }
    }
    text
}

fn text(size: &str) -> String {
    format!("{ORIGIN}\n{size}\n{}\ntime 5\n", base64(&[9; 32]))
}

fn signed(text: &str, signers: &[&dyn signed_note::Signer]) -> Vec<u8> {
    let mut note = Note::new(text.as_bytes(), &[]).unwrap();
    note.add_sigs(signers).unwrap();
    note.to_bytes()
}

fn parse(note: &[u8]) -> Result<Checkpoint, Refused> {
    Checkpoint::parse(note, &origin(), &key().verifying_key())
}

#[test]
fn a_note_signed_by_the_library_is_accepted() {
    let checkpoint = parse(&signed(&text("700"), &[&signer(ORIGIN, &key())])).unwrap();
    assert_eq!(
        (checkpoint.size(), checkpoint.root(), checkpoint.time_ns()),
        (700, [9; 32], 5)
    );
}

#[test]
fn a_checkpoint_of_the_log_is_accepted_by_the_library() {
    let log = Home::new();
    let checkpoint = log.create().checkpoint(NOW_NS).unwrap();
    let verifier = signed_note::StandardVerifier::new(&signed_note::new_ed25519_verifier_key(
        ORIGIN,
        &key().verifying_key(),
    ));
    let known = signed_note::VerifierList::new(vec![Box::new(verifier.unwrap())]);
    let (good, unknown) = Note::from_bytes(checkpoint.note())
        .unwrap()
        .verify(&known)
        .unwrap();
    assert_eq!((good.len(), unknown.len()), (1, 0));
}

#[test]
fn signatures_by_unknown_keys_are_ignored_even_if_they_are_bad() {
    let witness = signer("witness.example", &SigningKey::from_bytes(&[8; 32]));
    let both = signed(&text("700"), &[&signer(ORIGIN, &key()), &witness]);
    assert_eq!(parse(&both).unwrap().size(), 700);
    let mut bad = both.clone();
    let at = bad.len() - 10;
    bad[at] = if bad[at] == b'A' { b'B' } else { b'A' };
    assert_eq!(parse(&bad).unwrap().size(), 700);
}

#[test]
fn a_note_whose_known_signature_is_bad_is_refused_whatever_else_signed_it() {
    let witness = signer("witness.example", &SigningKey::from_bytes(&[8; 32]));
    let mine = signed(&text("700"), &[&signer(ORIGIN, &key())]);
    let signature = mine.split(|b| *b == b'\n').nth(5).unwrap().to_vec();
    let mut other = signed(&text("701"), &[&witness]);
    assert_eq!(parse(&other), Err(Refused::Signature));
    other.extend_from_slice(&signature);
    other.push(b'\n');
    assert_eq!(parse(&other), Err(Refused::Signature));
}

#[test]
fn another_key_or_origin_is_refused_by_name() {
    let stranger = SigningKey::from_bytes(&[8; 32]);
    let forged = signed(&text("700"), &[&signer(ORIGIN, &stranger)]);
    assert_eq!(parse(&forged), Err(Refused::Signature));
    let elsewhere = "contractual/other/audit";
    let note = signed(
        &text("700").replace(ORIGIN, elsewhere),
        &[&signer(elsewhere, &key())],
    );
    assert_eq!(parse(&note), Err(Refused::Origin));
}

#[test]
fn a_size_of_zero_or_beyond_the_bound_is_refused() {
    for size in [
        "0",
        "1099511627777",
        "9223372036854775808",
        "18446744073709551615",
    ] {
        let note = signed(&text(size), &[&signer(ORIGIN, &key())]);
        assert_eq!(parse(&note), Err(Refused::Size), "{size}");
    }
}

#[test]
fn signed_text_that_is_no_checkpoint_is_refused() {
    let good = text("700");
    for bad in [
        text("18446744073709551616"),
        text("-1"),
        text("+7"),
        text("0700"),
        text(""),
        good.replace("time 5\n", ""),
        good.replace("time 5", "time 05"),
        good.replace("time 5", "time 9223372036854775808"),
        good.replace("time 5", "time 5\nmore"),
        good.replace("CQkJ", "CQk"),
    ] {
        let note = signed(&bad, &[&signer(ORIGIN, &key())]);
        assert_eq!(parse(&note), Err(Refused::NoteMalformed), "{bad}");
    }
    let mut unsigned = text("700").into_bytes();
    for end in ["", "\n"] {
        unsigned.extend(end.as_bytes());
        assert_eq!(parse(&unsigned), Err(Refused::Unsigned));
    }
    let long = vec![b'a'; MAX_NOTE_BYTES + 1];
    assert_eq!(parse(&long), Err(Refused::NoteTooLarge));
    assert_eq!(parse(b""), Err(Refused::Unsigned));
}

#[test]
fn an_origin_is_the_name_of_one_deployment() {
    for bad in [
        "",
        "contractual//audit",
        "contractual/a b/audit",
        "contractual/a/b/audit",
        "a/audit",
        "contractual/a\n/audit",
        "contractual/a+b/audit",
        "contractual/a/audit/",
    ] {
        assert_eq!(Origin::try_from(bad), Err(Refused::OriginForm), "{bad}");
    }
}
