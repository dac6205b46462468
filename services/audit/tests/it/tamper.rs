//! Tests that change a finished log in every way and check that the error names the place.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use audit::{Bad, Error, Log, Origin, Place, Problem, Refused};
use ed25519_dalek::SigningKey;
use proptest::prelude::*;

use crate::{Home, NOW_NS, files, grow, key, origin};

const SIZE: u64 = 700;

/// A log of 700 entries: two full bundles and one of 188, and an anchor at the same size.
fn base() -> &'static Home {
    static BASE: OnceLock<Home> = OnceLock::new();
    BASE.get_or_init(|| {
        let home = Home::new();
        let mut log = home.create();
        grow(&mut log, 300);
        log.checkpoint(NOW_NS).unwrap();
        grow(&mut log, SIZE);
        log.checkpoint(NOW_NS + 1).unwrap();
        home
    })
}

fn signed_files(home: &Home) -> Vec<PathBuf> {
    let log = home.dir.path().join("log");
    let mut signed = files(&log.join("tile"));
    signed.extend([
        log.join("checkpoint"),
        home.dir.path().join("anchor/checkpoint.last"),
    ]);
    signed
}

fn bundle(home: &Home, name: &str) -> PathBuf {
    home.dir.path().join("log/tile/entries").join(name)
}

/// The encoded entries of a bundle, lengths included.
fn split(bundle: &Path) -> Vec<Vec<u8>> {
    let bytes = fs::read(bundle).unwrap();
    let mut rest = bytes.as_slice();
    let mut found = Vec::new();
    while !rest.is_empty() {
        let len = 2 + usize::from(u16::from_be_bytes([rest[0], rest[1]]));
        found.push(rest[..len].to_vec());
        rest = &rest[len..];
    }
    found
}

/// Index of the entry whose bytes or length hold the byte at `at` of a bundle.
fn index_at(path: &Path, at: usize) -> u64 {
    let first = match path.to_str().unwrap().rsplit("/entries/").next().unwrap() {
        "000" => 0,
        "001" => 256,
        _ => 512,
    };
    let mut end = 0;
    let before = split(path).into_iter().take_while(|entry| {
        end += entry.len();
        end <= at
    });
    first + u64::try_from(before.count()).unwrap()
}

#[test]
fn an_untouched_log_verifies_and_hands_over_each_entry_in_order() {
    let mut next = 0;
    let report = audit::verify(
        &base().places(),
        &origin(),
        &key().verifying_key(),
        |index, entry, bytes| {
            assert_eq!((index, entry.seq), (next, next));
            assert_eq!(entry.encode(), bytes);
            next += 1;
            Ok(())
        },
    );
    assert_eq!((next, report.unwrap().beyond), (SIZE, 0));
}

#[test]
fn a_callers_own_finding_is_named_by_its_index() {
    let bad = audit::verify(
        &base().places(),
        &origin(),
        &key().verifying_key(),
        |index, _, _| {
            if index == 400 {
                Err("has a broken chain".to_owned())
            } else {
                Ok(())
            }
        },
    );
    assert_eq!(
        bad.unwrap_err().to_string(),
        "entry 400: has a broken chain"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn one_flipped_byte_anywhere_is_named(
        file in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        mask in 1..=u8::MAX,
    ) {
        let home = Home::copy_of(base());
        let signed = signed_files(&home);
        let path = &signed[file.index(signed.len())];
        let mut bytes = fs::read(path).unwrap();
        let at = at.index(bytes.len());
        let expected = if path.to_str().unwrap().contains("/entries/") {
            Place::Index(index_at(path, at))
        } else {
            Place::File(path.clone())
        };
        bytes[at] ^= mask;
        fs::write(path, &bytes).unwrap();
        prop_assert_eq!(home.verify().unwrap_err().place, expected);
        // Opening refuses changes in the files that it reads, and never panics.
        let opened = home.open();
        if !path.ends_with("tile/0/000") && !path.ends_with("entries/000") {
            prop_assert!(opened.is_err(), "{}", path.display());
        }
    }

    #[test]
    fn a_file_cut_short_or_made_longer_is_named(
        file in any::<prop::sample::Index>(),
        len in any::<prop::sample::Index>(),
        longer in any::<bool>(),
    ) {
        let home = Home::copy_of(base());
        let signed = signed_files(&home);
        let path = &signed[file.index(signed.len())];
        let mut bytes = fs::read(path).unwrap();
        let len = len.index(bytes.len());
        let entries = path.to_str().unwrap().contains("/entries/");
        let expected = match (entries, longer) {
            (true, false) => Place::Index(index_at(path, len)),
            _ => Place::File(path.clone()),
        };
        if longer { bytes.push(0) } else { bytes.truncate(len) }
        fs::write(path, &bytes).unwrap();
        prop_assert_eq!(home.verify().unwrap_err().place, expected);
    }
}

#[test]
fn a_missing_file_is_named_and_the_log_does_not_open() {
    for nth in 0..signed_files(base()).len() {
        let home = Home::copy_of(base());
        let path = signed_files(&home)[nth].clone();
        fs::remove_file(&path).unwrap();
        let expected = Bad {
            place: Place::File(path.clone()),
            problem: Problem::Missing,
        };
        assert_eq!(home.verify().unwrap_err(), expected);
        let error = home.open().unwrap_err();
        assert!(
            error.to_string().contains(path.to_str().unwrap()),
            "{error}"
        );
    }
}

#[test]
fn one_removed_entry_and_one_swapped_pair_are_named_by_index() {
    let removed = Home::copy_of(base());
    let mut entries = split(&bundle(&removed, "001"));
    entries.remove(44);
    fs::write(bundle(&removed, "001"), entries.concat()).unwrap();
    let expected = Bad {
        place: Place::Index(300),
        problem: Problem::Entry,
    };
    assert_eq!(removed.verify().unwrap_err(), expected);

    let swapped = Home::copy_of(base());
    let mut entries = split(&bundle(&swapped, "002.p/188"));
    entries.swap(88, 89);
    fs::write(bundle(&swapped, "002.p/188"), entries.concat()).unwrap();
    let expected = Bad {
        place: Place::Index(600),
        problem: Problem::Entry,
    };
    assert_eq!(swapped.verify().unwrap_err(), expected);
    assert!(matches!(swapped.open(), Err(Error::Differs { .. })));
}

#[test]
fn an_entry_rewritten_together_with_its_tile_is_named() {
    let home = Home::copy_of(base());
    let path = bundle(&home, "000");
    let mut entries = split(&path);
    let last = entries[77].len() - 20;
    entries[77][last] ^= 1;
    fs::write(&path, entries.concat()).unwrap();
    let tile = home.dir.path().join("log/tile/0/000");
    let mut hashes = fs::read(&tile).unwrap();
    hashes[77 * 32..78 * 32].copy_from_slice(&audit::leaf_hash(&entries[77][2..]));
    fs::write(&tile, hashes).unwrap();
    let bad = home.verify().unwrap_err();
    // Only the tile above detects this change.
    assert!(matches!(bad.place, Place::File(path) if path.ends_with("tile/1/000.p/2")));
}

/// Another log, placed beside the anchor of the base log.
fn replaced(size: u64, origin: &str, key: &SigningKey) -> (Home, Bad, Error) {
    let home = Home::new();
    let name = Origin::try_from(origin).unwrap();
    let mut log = Log::create(&home.places(), &name, key.clone(), NOW_NS + 9).unwrap();
    grow(&mut log, size);
    log.checkpoint(NOW_NS).unwrap();
    drop(log);
    let anchor = "anchor/checkpoint.last";
    fs::copy(base().dir.path().join(anchor), home.dir.path().join(anchor)).unwrap();
    let (bad, error) = (home.verify().unwrap_err(), home.open().unwrap_err());
    (home, bad, error)
}

#[test]
fn a_log_by_another_key_or_origin_is_named_by_its_checkpoint() {
    let (home, bad, error) = replaced(SIZE, crate::ORIGIN, &SigningKey::from_bytes(&[8; 32]));
    let checkpoint = Place::File(home.dir.path().join("log/checkpoint"));
    assert_eq!(
        bad,
        Bad {
            place: checkpoint,
            problem: Problem::Refused(Refused::Signature)
        }
    );
    assert!(matches!(
        error,
        Error::Checkpoint {
            refused: Refused::Signature,
            ..
        }
    ));

    let (home, bad, error) = replaced(SIZE, "contractual/other/audit", &key());
    let checkpoint = Place::File(home.dir.path().join("log/checkpoint"));
    assert_eq!(
        bad,
        Bad {
            place: checkpoint,
            problem: Problem::Refused(Refused::Origin)
        }
    );
    assert!(matches!(
        error,
        Error::Checkpoint {
            refused: Refused::Origin,
            ..
        }
    ));
}

#[test]
fn a_fresh_log_by_the_same_key_is_named_by_the_anchor() {
    let (home, bad, error) = replaced(500, crate::ORIGIN, &key());
    let anchor = Place::File(home.dir.path().join("anchor/checkpoint.last"));
    let problem = Problem::RolledBack {
        log: 500,
        anchor: SIZE,
    };
    assert_eq!(
        bad,
        Bad {
            place: anchor,
            problem
        }
    );
    assert!(matches!(
        error,
        Error::RolledBack {
            log: 500,
            anchor: SIZE
        }
    ));
    for size in [SIZE, 900] {
        let (home, bad, error) = replaced(size, crate::ORIGIN, &key());
        let anchor = Place::File(home.dir.path().join("anchor/checkpoint.last"));
        assert_eq!(
            bad,
            Bad {
                place: anchor,
                problem: Problem::Replaced
            }
        );
        assert!(matches!(error, Error::Replaced { size: SIZE }), "{error}");
    }
}

#[test]
fn a_log_rolled_back_to_an_older_copy_is_refused() {
    let home = Home::new();
    let mut log = home.create();
    grow(&mut log, 300);
    log.checkpoint(NOW_NS).unwrap();
    let older = Home::copy_of(&home);
    grow(&mut log, 301);
    log.checkpoint(NOW_NS).unwrap();
    drop(log);
    let anchor = "anchor/checkpoint.last";
    fs::copy(home.dir.path().join(anchor), older.dir.path().join(anchor)).unwrap();
    let error = older.open().unwrap_err();
    assert!(matches!(
        error,
        Error::RolledBack {
            log: 300,
            anchor: 301
        }
    ));
    let recreated = Log::create(&older.places(), &origin(), key(), NOW_NS);
    assert!(matches!(recreated, Err(Error::Exists { .. })));
}

#[test]
fn tiles_that_do_not_belong_to_the_checkpoint_are_named() {
    let home = Home::copy_of(base());
    let other = Home::new();
    let mut log = Log::create(&other.places(), &origin(), key(), NOW_NS + 9).unwrap();
    grow(&mut log, SIZE);
    log.checkpoint(NOW_NS).unwrap();
    fs::remove_dir_all(home.dir.path().join("log/tile")).unwrap();
    let tiles = home.dir.path().join("log/tile");
    fs::create_dir(&tiles).unwrap();
    crate::copy_tree(&other.dir.path().join("log/tile"), &tiles);
    let checkpoint = Place::File(home.dir.path().join("log/checkpoint"));
    assert_eq!(
        home.verify().unwrap_err(),
        Bad {
            place: checkpoint,
            problem: Problem::Root
        }
    );
    assert!(matches!(home.open(), Err(Error::Differs { .. })));
}

#[test]
fn a_name_that_is_no_tile_is_named() {
    for name in [
        "0/000.p/0",
        "0/0000",
        "9/000",
        "entries/001.p/256",
        "64/000",
        "0/000.p/00",
        "x",
    ] {
        let home = Home::copy_of(base());
        let path = home.dir.path().join("log/tile").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, b"x").unwrap();
        let expected = Bad {
            place: Place::File(path),
            problem: Problem::Foreign,
        };
        assert_eq!(home.verify().unwrap_err(), expected);
        assert!(matches!(home.open(), Err(Error::Foreign { .. })), "{name}");
    }
}

#[test]
fn a_tile_that_changes_while_the_log_is_open_is_not_proven_with() {
    let home = Home::copy_of(base());
    let log = home.open().unwrap();
    assert!(log.prove(5, SIZE).is_ok());
    let tile = home.dir.path().join("log/tile/0/000");
    let mut hashes = fs::read(&tile).unwrap();
    hashes[0] ^= 1;
    fs::write(&tile, hashes).unwrap();
    for size in [10, SIZE] {
        assert!(matches!(log.prove(5, size), Err(Error::Differs { .. })));
        assert!(matches!(log.entry(0), Err(Error::Differs { .. })));
    }
}
