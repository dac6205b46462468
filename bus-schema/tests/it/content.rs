//! Tests of content: salted digests, checks at opening, and erasure.

use bus_schema::{AuthorId, CHUNK_BYTES_MAX, CONTENT_BYTES_MAX, Salt, Sealed, Subject};

fn sealed(len: usize) -> Sealed {
    Sealed::new(Salt::new([7; 32]), &vec![42; len]).expect("small enough")
}

#[test]
fn what_was_sealed_opens_to_the_same_bytes() {
    for len in [0, 1, 100, CHUNK_BYTES_MAX, CONTENT_BYTES_MAX] {
        let sealed = sealed(len);
        let content = sealed.content();
        assert_eq!(
            content.open(sealed.stored()).as_deref(),
            Some(sealed.bytes())
        );
        assert_eq!(content.len() as usize, len);
        assert_eq!(content.is_empty(), len == 0);
        assert_eq!(
            Sealed::from_stored(sealed.stored().to_vec()).unwrap(),
            sealed
        );
    }
}

#[test]
fn the_same_bytes_with_another_salt_have_another_name() {
    let other = Sealed::new(Salt::new([8; 32]), sealed(100).bytes()).unwrap();
    assert_ne!(other.content().digest(), sealed(100).content().digest());
    assert_eq!(sealed(100).content().open(other.stored()), None);
}

#[test]
fn erased_cut_extended_or_changed_bytes_do_not_open() {
    let sealed = sealed(100);
    let content = sealed.content();
    assert_eq!(content.open(&[]), None);
    for len in 0..sealed.stored().len() {
        assert_eq!(content.open(&sealed.stored()[..len]), None, "cut at {len}");
        let mut changed = sealed.stored().to_vec();
        changed[len] ^= 1;
        assert_eq!(content.open(&changed), None, "changed at {len}");
    }
    assert_eq!(content.open(&[sealed.stored(), &[0]].concat()), None);
}

#[test]
fn a_wrong_length_does_not_open() {
    let sealed = sealed(100);
    for len in [0_u64, 99, 101] {
        let mut json = serde_json::to_value(sealed.content()).unwrap();
        json["len"] = len.into();
        let content: bus_schema::Content = serde_json::from_value(json).unwrap();
        assert_eq!(content.open(sealed.stored()), None);
    }
}

#[test]
fn four_mebibytes_are_the_most() {
    let most = vec![0; CONTENT_BYTES_MAX];
    Sealed::new(Salt::new([7; 32]), &most).unwrap();
    let more = vec![0; CONTENT_BYTES_MAX + 1];
    Sealed::new(Salt::new([7; 32]), &more).unwrap_err();
    Sealed::from_stored(vec![0; CONTENT_BYTES_MAX + 32]).unwrap();
    Sealed::from_stored(vec![0; CONTENT_BYTES_MAX + 33]).unwrap_err();
    Sealed::from_stored(vec![0; 32]).unwrap();
    Sealed::from_stored(vec![0; 31]).unwrap_err();
}

#[test]
fn salt_and_bytes_fill_one_message_after_the_other() {
    for (len, chunks) in [
        (0, 1),
        (CHUNK_BYTES_MAX - 32, 1),
        (CHUNK_BYTES_MAX - 31, 2),
        (CHUNK_BYTES_MAX, 2),
        (2 * CHUNK_BYTES_MAX - 32, 2),
        (2 * CHUNK_BYTES_MAX - 31, 3),
        (CONTENT_BYTES_MAX, 9),
    ] {
        let sealed = sealed(len);
        assert_eq!(sealed.content().chunks(), chunks, "{len}");
        assert_eq!(
            sealed.stored().chunks(CHUNK_BYTES_MAX).count(),
            chunks,
            "{len}"
        );
    }
}

#[test]
fn a_content_has_one_subject_for_each_message_and_author() {
    let content = sealed(100).content();
    let subject = content.subject(AuthorId::Worker, 3);
    assert_eq!(subject, format!("blob.worker.{}.3", content.digest()));
    assert!(Subject::parse(&subject).is_none());
}

#[test]
fn the_bytes_are_never_printed() {
    let secret = Sealed::new(Salt::new([7; 32]), b"hunter2").unwrap();
    let printed = format!("{secret:?}");
    assert!(
        !printed.contains("hunter2") && !printed.contains("104, 117"),
        "{printed}"
    );
}
