//! Tests of the audit log through its public API, on real directories.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "clippy spares test functions of these, not the functions they share"
)]

mod check;
mod core;
mod crash;
mod entry;
mod merkle;
mod note;
mod places;
mod service;
mod tamper;
mod world;

use std::fs;
use std::path::Path;

use audit::{Entry, Log, Origin, Places, Verdict};
use ed25519_dalek::SigningKey;
use tempfile::TempDir;

const ORIGIN: &str = "contractual/0198c3f0-0000-7000-8000-000000000001/audit";
const NOW_NS: i64 = 1_764_000_000_000_000_000;

fn origin() -> Origin {
    Origin::try_from(ORIGIN).unwrap()
}

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn entry(seq: u64) -> Entry {
    let junk = seq.is_multiple_of(11);
    Entry {
        seq,
        stored_ns: NOW_NS + i64::try_from(seq).unwrap(),
        subject: format!("event.policy.action.granted-{}", seq % 5),
        signature: (!junk).then(|| vec![u8::try_from(seq % 251).unwrap(); 64]),
        body: seq.to_be_bytes().repeat(4),
        verdict: if junk {
            Verdict::Junk(bus_schema::Junk::Signature.into())
        } else {
            Verdict::Genuine
        },
    }
}

fn entries(from: u64, to: u64) -> Vec<Entry> {
    (from..to).map(entry).collect()
}

/// Appends until the log has `size` entries.
fn grow(log: &mut Log, size: u64) {
    while log.size() < size {
        let to = size.min(log.size() + 8_192);
        log.append(&entries(log.size(), to)).unwrap();
    }
}

/// A log directory and its anchor, removed when dropped.
struct Home {
    dir: TempDir,
}

impl Home {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        fs::create_dir(dir.path().join("log")).unwrap();
        fs::create_dir(dir.path().join("anchor")).unwrap();
        Self { dir }
    }

    fn copy_of(other: &Home) -> Self {
        let copy = Self::new();
        copy_tree(other.dir.path(), copy.dir.path());
        copy
    }

    fn places(&self) -> Places {
        places_in(self.dir.path())
    }

    fn create(&self) -> Log {
        Log::create(&self.places(), &origin(), key(), NOW_NS).unwrap()
    }

    fn open(&self) -> Result<Log, audit::Error> {
        Log::open(&self.places(), &origin(), key())
    }

    fn verify(&self) -> Result<audit::Report, audit::Bad> {
        audit::verify(
            &self.places(),
            &origin(),
            &key().verifying_key(),
            |_, _, _| Ok(()),
        )
    }
}

fn places_in(dir: &Path) -> Places {
    Places {
        log: dir.join("log"),
        anchor: dir.join("anchor"),
    }
}

fn copy_tree(from: &Path, to: &Path) {
    for item in fs::read_dir(from).unwrap() {
        let item = item.unwrap();
        let target = to.join(item.file_name());
        if item.file_type().unwrap().is_dir() {
            fs::create_dir_all(&target).unwrap();
            copy_tree(&item.path(), &target);
        } else {
            fs::copy(item.path(), target).unwrap();
        }
    }
}

/// The files below a directory.
fn files(dir: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for item in fs::read_dir(dir).unwrap() {
        let path = item.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}
