//! Tests of roots and proofs at every size at which the layout of the tiles changes.

use audit::{
    Checkpoint, Entry, Error, InclusionProof, Refused, leaf_hash, verify_consistency,
    verify_inclusion,
};
use sha2::{Digest, Sha256};

use crate::{Home, NOW_NS, entry, grow, key, origin};

const SIZES: [u64; 8] = [1, 2, 255, 256, 257, 65_535, 65_536, 65_537];

/// A literal, slow implementation of RFC 6962 section 2.1.
fn naive_root(leaves: &[[u8; 32]]) -> [u8; 32] {
    match leaves {
        [] => Sha256::digest([]).into(),
        [leaf] => *leaf,
        _ => {
            let k = leaves.len().next_power_of_two() / 2;
            let mut hash = Sha256::new();
            hash.update([1]);
            hash.update(naive_root(&leaves[..k]));
            hash.update(naive_root(&leaves[k..]));
            hash.finalize().into()
        }
    }
}

fn proven(
    bytes: &[u8],
    index: u64,
    proof: &InclusionProof,
    checkpoint: &Checkpoint,
) -> Result<Entry, Refused> {
    let key = key().verifying_key();
    verify_inclusion(bytes, index, proof, checkpoint.note(), &key, &origin()).map(|found| found.0)
}

#[test]
fn roots_and_proofs_are_right_at_every_size_where_the_shape_changes() {
    let home = Home::new();
    let mut log = home.create();
    let mut leaves = vec![log.entry(0).unwrap().leaf_hash()];
    leaves.extend((1..SIZES[7]).map(|seq| leaf_hash(&entry(seq).encode())));
    let mut signed = Vec::new();
    for size in SIZES {
        grow(&mut log, size);
        let checkpoint = log.checkpoint(NOW_NS).unwrap();
        assert_eq!(
            checkpoint.root(),
            naive_root(&leaves[..usize::try_from(size).unwrap()])
        );
        assert_eq!(home.verify().unwrap().checkpoint, checkpoint);
        signed.push(checkpoint);
        drop(log);
        log = home.open().unwrap();
        assert_eq!(
            (log.size(), log.root()),
            (size, signed.last().unwrap().root())
        );
    }
    for checkpoint in &signed {
        let size = checkpoint.size();
        for step in 0..20_u64 {
            let index = (step * 7_919 + step) % size;
            let bytes = log.entry(index).unwrap().encode();
            let proof = log.prove(index, size).unwrap();
            assert_eq!(
                proven(&bytes, index, &proof, checkpoint).unwrap().seq,
                index
            );
        }
        for newer in signed.iter().filter(|newer| newer.size() >= size) {
            let proof = log.prove_consistency(size, newer.size()).unwrap();
            verify_consistency(checkpoint, newer, &proof).unwrap();
            let mut longer = proof.clone();
            longer.hashes.push([0; 32]);
            assert_eq!(
                verify_consistency(checkpoint, newer, &longer),
                Err(Refused::Proof)
            );
            if newer.size() > size {
                assert_eq!(
                    verify_consistency(newer, checkpoint, &proof),
                    Err(Refused::ProofShape)
                );
            }
        }
    }
}

#[test]
fn a_proof_with_anything_changed_is_refused() {
    let home = Home::new();
    let mut log = home.create();
    grow(&mut log, 300);
    let older = log.checkpoint(NOW_NS).unwrap();
    grow(&mut log, 700);
    let newer = log.checkpoint(NOW_NS).unwrap();
    let bytes = log.entry(123).unwrap().encode();
    let good = log.prove(123, 700).unwrap();
    assert!(proven(&bytes, 123, &good, &newer).is_ok());

    let change = |edit: &dyn Fn(&mut InclusionProof)| {
        let mut proof = good.clone();
        edit(&mut proof);
        proven(&bytes, proof.index, &proof, &newer)
    };
    assert_eq!(change(&|p| p.index = 124), Err(Refused::EntryIndex));
    assert_eq!(change(&|p| p.index = u64::MAX), Err(Refused::ProofShape));
    assert_eq!(change(&|p| p.size = 699), Err(Refused::ProofShape));
    assert_eq!(change(&|p| p.hashes.clear()), Err(Refused::Proof));
    assert_eq!(change(&|p| p.hashes.push([0; 32])), Err(Refused::Proof));
    assert_eq!(
        change(&|p| p.hashes.truncate(p.hashes.len() - 1)),
        Err(Refused::Proof)
    );
    assert_eq!(change(&|p| p.hashes.swap(0, 1)), Err(Refused::Proof));
    assert_eq!(change(&|p| p.hashes[2][9] ^= 1), Err(Refused::Proof));
    assert_eq!(
        change(&|p| p.hashes.resize(64, [0; 32])),
        Err(Refused::ProofShape)
    );
    assert_eq!(proven(&bytes, 123, &good, &older), Err(Refused::ProofShape));
    assert_eq!(proven(&bytes, 122, &good, &newer), Err(Refused::ProofShape));
    let other = log.entry(122).unwrap().encode();
    assert_eq!(proven(&other, 123, &good, &newer), Err(Refused::EntryIndex));
    let forged = Entry {
        body: b"another".to_vec(),
        ..entry(123)
    }
    .encode();
    assert_eq!(proven(&forged, 123, &good, &newer), Err(Refused::Proof));
    let empty = log
        .prove_consistency(300, 700)
        .map(|p| audit::ConsistencyProof {
            hashes: Vec::new(),
            ..p
        });
    assert_eq!(
        verify_consistency(&older, &newer, &empty.unwrap()),
        Err(Refused::Proof)
    );
}

#[test]
fn indexes_and_sizes_outside_the_log_are_refused() {
    let home = Home::new();
    let mut log = home.create();
    grow(&mut log, 10);
    for (index, size) in [
        (0, 0),
        (10, 10),
        (0, 11),
        (5, 3),
        (u64::MAX, 10),
        (0, u64::MAX),
    ] {
        assert!(matches!(
            log.prove(index, size),
            Err(Error::OutOfRange { .. })
        ));
    }
    for (old, new) in [(0, 0), (0, 5), (6, 5), (1, 11), (u64::MAX, u64::MAX)] {
        assert!(matches!(
            log.prove_consistency(old, new),
            Err(Error::OutOfRange { .. })
        ));
    }
    assert!(matches!(
        log.entry(10),
        Err(Error::OutOfRange {
            asked: 10,
            size: 10
        })
    ));
}

#[test]
fn a_gap_a_repetition_or_too_many_entries_change_nothing() {
    let home = Home::new();
    let mut log = home.create();
    let before = log.root();
    for wrong in [
        vec![entry(0)],
        vec![entry(2)],
        vec![entry(1), entry(3)],
        vec![entry(1), entry(1)],
    ] {
        assert!(matches!(
            log.append(&wrong),
            Err(Error::NotContiguous { .. })
        ));
    }
    let many = vec![entry(1); audit::MAX_BATCH + 1];
    assert!(matches!(log.append(&many), Err(Error::TooMany { .. })));
    assert_eq!((log.size(), log.root()), (1, before));
    log.append(&[entry(1)]).unwrap();
}

#[test]
fn every_entry_reads_back_before_and_after_it_is_signed() {
    let home = Home::new();
    let mut log = home.create();
    grow(&mut log, 600);
    for index in [1, 255, 256, 511, 512, 599] {
        assert_eq!(log.entry(index).unwrap(), entry(index));
    }
    log.checkpoint(NOW_NS).unwrap();
    drop(log);
    let mut log = home.open().unwrap();
    grow(&mut log, 700);
    for index in [1, 255, 256, 511, 512, 599, 600, 699] {
        assert_eq!(log.entry(index).unwrap(), entry(index));
    }
}

#[test]
fn the_log_is_compared_with_the_stream() {
    let home = Home::new();
    let mut log = home.create();
    grow(&mut log, 600);
    let stream = |to: u64| (1..to).map(|seq| (seq, entry(seq).leaf_hash()));
    let agreed = log.compare(649, stream(650)).unwrap();
    assert_eq!((agreed.same, agreed.ahead), (599, 50));
    assert_eq!(log.compare(599, stream(600)).unwrap().ahead, 0);
    let restored = log.compare(400, stream(401));
    assert!(matches!(
        restored,
        Err(Error::StreamShorter {
            stream: 400,
            log: 599
        })
    ));
    let changed = stream(600).map(|(seq, hash)| (seq, if seq == 300 { [1; 32] } else { hash }));
    assert!(matches!(
        log.compare(599, changed),
        Err(Error::StreamDiffers { index: 300 })
    ));
}

#[test]
fn a_view_reads_and_proves_the_same_while_the_log_goes_on() {
    let home = Home::new();
    let mut log = home.create();
    for (size, later) in [(5, 6), (200, 256), (300, 511), (520, 2_000)] {
        grow(&mut log, size);
        assert!(log.view().is_none(), "not signed yet");
        let signed = log.checkpoint(NOW_NS).unwrap();
        let view = log.view().unwrap();
        assert_eq!((view.size(), view.signed()), (size, &signed));
        for end in [size + 1, later] {
            grow(&mut log, end);
            log.checkpoint(NOW_NS).unwrap();
            for index in 0..size {
                let (kept, bytes) = view.entry(index).unwrap();
                assert_eq!(kept.encode(), bytes);
                let proof = view.prove(index).unwrap();
                assert_eq!(proven(&bytes, index, &proof, &signed).unwrap(), kept);
            }
            assert_eq!(view.root_at(size).unwrap(), signed.root());
            assert!(matches!(view.entry(size), Err(Error::OutOfRange { .. })));
            assert!(matches!(view.prove(size), Err(Error::OutOfRange { .. })));
        }
    }
}
