//! Tests of bad input: every stored message that is not an event is junk of the right kind and moves no chain.

use bus_schema::testing::started;
use bus_schema::{
    ActionProposed, AuditFact, AuthorId, ChainScope, ContractRevoked, Deployment, Digest,
    Event as _, ExecutorFact, HaltOrdered, Junk, Owner, Policy, PolicyFact, RosterChanged,
    ServiceStarted, Signature, TaskRejected, Verifier, Worker, WorkerFact, verify, wire,
};

use crate::{
    example::{digest, proposed},
    fixture::{
        Stored, Stream, accepted, body, body_about, deployment, id, key_of, owner, read, refused,
        roster_with, task, uuid,
    },
};

pub(crate) const BOTH: [ChainScope; 2] =
    [ChainScope::Everything, ChainScope::Own(AuthorId::Policy)];

pub(crate) fn example(sees: ChainScope) -> (Stream, Verifier, Stored) {
    let (mut stream, verifier) = Stream::begun(sees);
    let stored = stream.say::<Worker, _>(task(), proposed());
    (stream, verifier, stored)
}

/// The verdict of the two kinds of reader on a tampered event; they must agree.
fn junk(tamper: impl Fn(Stored) -> Stored) -> Junk {
    let found = BOTH.map(|sees| {
        let (_, mut verifier, good) = example(sees);
        let junk = match sees {
            ChainScope::Everything => refused::<AuditFact>(&mut verifier, &tamper(good.clone())),
            ChainScope::Own(_) => refused::<PolicyFact>(&mut verifier, &tamper(good.clone())),
        };
        accepted(&mut verifier, &good.at(9));
        junk
    });
    assert_eq!(found[0], found[1]);
    found[0]
}

fn subject(text: &str) -> Junk {
    junk(|stored| Stored {
        subject: text.to_owned(),
        ..stored
    })
}

#[test]
fn what_is_not_an_events_subject_is_junk() {
    let t = uuid(2);
    for text in [
        "",
        "event",
        "event.worker",
        &format!("event.worker.{t}"),
        &format!("event.worker.{t}.action"),
        &format!("event.worker.{t}.action.proposed.more"),
        &format!("event.worker.{t}.action."),
        &format!("event.worker.{t}..proposed"),
        &format!("event.worker..{t}.action.proposed"),
        &format!("event.worker.{t}.Action.proposed"),
        &format!("event.Worker.{t}.action.proposed"),
        &format!("event.worker.{}.action.proposed", t.to_uppercase()),
        &format!("event.worker.{}.action.proposed", t.replace('-', "")),
        "event.worker.7.action.proposed",
        "event.worker.*.action.proposed",
        &format!("event.engineer.{t}.action.proposed"),
        &format!("blob.worker.{t}.0"),
        &format!(" event.worker.{t}.action.proposed"),
    ] {
        assert_eq!(subject(text), Junk::Subject, "{text:?}");
    }
}

#[test]
fn an_event_stored_under_another_subject_is_junk() {
    let t = uuid(2);
    assert_eq!(
        subject(&format!("event.worker.{}.action.proposed", uuid(3))),
        Junk::Copied
    );
    assert_eq!(subject("event.worker.-.action.proposed"), Junk::Copied);
    assert_eq!(
        subject(&format!("event.worker.{t}.action.expired")),
        Junk::Copied
    );
    // Another author's key does not fit at all.
    assert_eq!(subject("event.policy.action.granted"), Junk::Signature);
}

#[test]
fn a_missing_or_odd_signature_is_junk() {
    let with = |signature: fn(&str) -> Option<String>| {
        junk(move |stored| Stored {
            signature: signature(stored.signature.as_deref().unwrap()),
            ..stored
        })
    };
    assert_eq!(with(|_| None), Junk::Unsigned);
    assert_eq!(with(|_| Some(String::new())), Junk::Unsigned);
    assert_eq!(with(|good| Some(good.to_uppercase())), Junk::Unsigned);
    assert_eq!(with(|good| Some(format!("{good}{good}"))), Junk::Unsigned);
    assert_eq!(with(|good| Some(format!("{good},{good}"))), Junk::Unsigned);
    assert_eq!(with(|good| Some(format!(" {good}"))), Junk::Unsigned);
    assert_eq!(
        with(|good| good.get(..126).map(str::to_owned)),
        Junk::Unsigned
    );
    assert_eq!(with(|_| Some("0".repeat(128))), Junk::Signature);
    assert_eq!(
        with(|good| Some(good.chars().rev().collect())),
        Junk::Signature
    );
}

#[test]
fn a_signature_by_another_authors_key_is_junk() {
    for author in AuthorId::ALL
        .iter()
        .filter(|author| **author != AuthorId::Worker)
    {
        assert_eq!(
            junk(|stored| stored.signed_by(&key_of(*author))),
            Junk::Signature,
            "{author}"
        );
    }
}

#[test]
fn one_flipped_bit_anywhere_is_junk() {
    let (_, mut verifier, good) = example(ChainScope::Everything);
    for place in 0..good.body.len() * 8 {
        let mut bad = good.clone();
        bad.body[place / 8] ^= 1 << (place % 8);
        assert_eq!(
            refused::<AuditFact>(&mut verifier, &bad),
            Junk::Signature,
            "bit {place}"
        );
    }
}

/// `s + L`: the same signature in a form that a lenient verifier accepts as well.
fn not_canonical(signature: &str) -> String {
    const L: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut bytes = *signature
        .parse::<Signature>()
        .expect("a signature")
        .as_bytes();
    let mut carry = 0;
    for (byte, add) in bytes.iter_mut().skip(32).zip(L) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        [*byte, _] = sum.to_le_bytes();
        carry = sum >> 8;
    }
    Signature::new(bytes).to_string()
}

#[test]
fn a_signature_with_a_non_canonical_s_is_junk() {
    let signature = |stored: Stored| Stored {
        signature: stored.signature.as_deref().map(not_canonical),
        ..stored
    };
    assert_eq!(junk(signature), Junk::Signature);
}

#[test]
fn a_small_order_key_signs_nothing() {
    // The neutral point as key and as R, with s = 0, satisfies the plain equation for every message.
    let neutral: [u8; 32] = std::array::from_fn(|n| u8::from(n == 0));
    let signature: [u8; 64] = std::array::from_fn(|n| u8::from(n == 0));
    let lenient = ed25519_dalek::VerifyingKey::from_bytes(&neutral).unwrap();
    let forged = ed25519_dalek::Signature::from_bytes(&signature);
    ed25519_dalek::Verifier::verify(&lenient, b"anything", &forged).unwrap();
    let key = bus_schema::PublicKey::new(neutral);
    assert!(!verify(&key, b"anything", &Signature::new(signature)));

    let (mut stream, mut verifier) = Stream::begun(ChainScope::Everything);
    let mut weak = roster_with(AuthorId::Worker, None);
    weak.keys.push(bus_schema::AuthorKey {
        author: AuthorId::Worker,
        key,
    });
    accepted(&mut verifier, &stream.say::<Owner, _>(Deployment, weak));
    let mut said = stream.say::<Worker, _>(task(), proposed());
    said.signature = Some(Signature::new(signature).to_string());
    assert_eq!(refused::<AuditFact>(&mut verifier, &said), Junk::Signature);
}

#[test]
fn a_body_that_names_another_author_is_junk() {
    let subject = format!("event.worker.{}.action.proposed", uuid(2));
    let bad = junk(|stored| {
        let body = body(
            AuthorId::Policy,
            &subject,
            "action.proposed.v1",
            (1, Digest::ZERO),
            proposed(),
        );
        stored.with_body(body).signed_by(&key_of(AuthorId::Worker))
    });
    assert_eq!(bad, Junk::Copied);
}

#[test]
fn a_replayed_or_reordered_event_is_junk() {
    for sees in BOTH {
        let (mut stream, mut verifier, first) = example(sees);
        let second = stream.say::<Worker, _>(task(), proposed());
        accepted(&mut verifier, &first);
        accepted(&mut verifier, &second);
        let again = |old: &Stored, at| old.clone().at(at);
        assert_eq!(
            refused::<PolicyFact>(&mut verifier, &again(&second, 10)),
            Junk::Replayed
        );
        assert_eq!(
            refused::<PolicyFact>(&mut verifier, &again(&first, 11)),
            Junk::Replayed
        );
    }
}

#[test]
fn only_who_sees_a_whole_chain_insists_that_none_is_missing() {
    let skipped = |sees| {
        let (mut stream, verifier, _) = example(sees);
        (verifier, stream.say::<Worker, _>(task(), proposed()))
    };
    for sees in [ChainScope::Everything, ChainScope::Own(AuthorId::Worker)] {
        let (mut verifier, second) = skipped(sees);
        assert_eq!(refused::<WorkerFact>(&mut verifier, &second), Junk::Chain);
    }
    let (mut verifier, second) = skipped(ChainScope::Own(AuthorId::Policy));
    accepted(&mut verifier, &second);
}

#[test]
fn an_event_after_another_predecessor_is_junk() {
    let (_, mut verifier, good) = example(ChainScope::Everything);
    let place = (1, digest(9));
    let body = body(
        AuthorId::Worker,
        &good.subject,
        "action.proposed.v1",
        place,
        proposed(),
    );
    let bad = good.with_body(body).signed_by(&key_of(AuthorId::Worker));
    assert_eq!(refused::<AuditFact>(&mut verifier, &bad), Junk::Chain);
}

/// `author`'s next event in its only chain, with an unknown schema.
fn unknown(stream: &Stream, author: AuthorId, subject: &str, schema: &str) -> Stored {
    let (seq, prev) = stream.tip(author, None);
    let task = subject.split('.').nth(2).and_then(|task| task.parse().ok());
    let (seq, prev) = if author.chain() == bus_schema::Chain::PerTask {
        stream.tip(author, task)
    } else {
        (seq, prev)
    };
    Stored {
        subject: subject.to_owned(),
        signature: None,
        body: body(author, subject, schema, (seq + 1, prev), HaltOrdered {}),
        seq: 5,
    }
    .signed_by(&key_of(author))
}

#[test]
fn a_version_of_owner_or_policy_that_is_not_known_stops_the_reader() {
    let rejected = "event.policy.task.rejected";
    for (author, subject, schema) in [
        (
            AuthorId::Owner,
            "event.owner.halt.ordered",
            "halt.ordered.v2",
        ),
        (
            AuthorId::Owner,
            "event.owner.roster.changed",
            "roster.changed.v2",
        ),
        (AuthorId::Policy, rejected, "task.rejected.v0"),
        (AuthorId::Policy, rejected, "task.rejected.v+1"),
        (AuthorId::Policy, rejected, "task.rejected.v01"),
        (AuthorId::Policy, rejected, "task.rejected.v"),
    ] {
        for sees in BOTH {
            let (stream, mut verifier) = Stream::begun(sees);
            let stored = unknown(&stream, author, subject, schema);
            let stopped = match sees {
                ChainScope::Everything => read::<AuditFact>(&mut verifier, &stored),
                ChainScope::Own(_) => read::<PolicyFact>(&mut verifier, &stored),
            };
            let stopped = stopped.unwrap_err();
            assert_eq!(
                (stopped.by, stopped.seq, stopped.schema.as_str()),
                (author, 5, schema)
            );
        }
    }
}

#[test]
fn a_roster_of_an_unknown_version_stops_a_reader_that_does_not_fold_rosters() {
    let (stream, mut verifier) = Stream::begun(ChainScope::Own(AuthorId::Worker));
    let subject = "event.owner.roster.changed";
    let stored = unknown(&stream, AuthorId::Owner, subject, "roster.changed.v2");
    read::<WorkerFact>(&mut verifier, &stored).unwrap_err();
}

#[test]
fn an_envelope_of_an_unknown_version_stops_the_reader_if_owner_or_policy_signed_it() {
    #[derive(serde::Serialize)]
    struct Later {
        v: u8,
        something: &'static str,
    }
    let later = wire::encode(&Later {
        v: 3,
        something: "new",
    });
    let (_, mut verifier) = Stream::begun(ChainScope::Own(AuthorId::Policy));
    let said = |author: AuthorId, subject: &str| {
        Stored {
            subject: subject.to_owned(),
            signature: None,
            body: later.clone(),
            seq: 5,
        }
        .signed_by(&key_of(author))
    };
    read::<PolicyFact>(
        &mut verifier,
        &said(AuthorId::Owner, "event.owner.halt.ordered"),
    )
    .unwrap_err();
    let worker = said(
        AuthorId::Worker,
        &format!("event.worker.{}.action.proposed", uuid(2)),
    );
    assert_eq!(refused::<PolicyFact>(&mut verifier, &worker), Junk::Version);
}

#[test]
fn an_unknown_version_or_kind_of_anybody_else_is_junk_and_the_chain_goes_on_behind_it() {
    let proposed_at = format!("event.worker.{}.action.proposed", uuid(2));
    let dreamt_at = format!("event.worker.{}.action.dreamt", uuid(2));
    let granted_at = format!("event.worker.{}.action.granted", uuid(2));
    for (subject, schema, junk) in [
        (&proposed_at, "action.proposed.v2", Junk::Version),
        (&proposed_at, "task.finished.v1", Junk::Malformed),
        (&dreamt_at, "action.dreamt.v1", Junk::Kind),
        // Known, but the worker may not publish it.
        (&granted_at, "action.granted.v1", Junk::Kind),
    ] {
        for sees in BOTH {
            let (stream, mut verifier) = Stream::begun(sees);
            let stored = unknown(&stream, AuthorId::Worker, subject, schema);
            let found = match sees {
                ChainScope::Everything => read::<AuditFact>(&mut verifier, &stored),
                ChainScope::Own(_) => read::<PolicyFact>(&mut verifier, &stored),
            };
            assert_eq!(found.unwrap(), Err(junk), "{schema}");
            assert_eq!(verifier.tip(AuthorId::Worker, Some(task())).seq, 1);
            let mut next = unknown(
                &stream,
                AuthorId::Worker,
                &proposed_at,
                "action.proposed.v1",
            );
            let place = (2, Digest::of(&[&stored.body]));
            next.body = body(
                AuthorId::Worker,
                &proposed_at,
                "action.proposed.v1",
                place,
                proposed(),
            );
            accepted(
                &mut verifier,
                &next.signed_by(&key_of(AuthorId::Worker)).at(6),
            );
        }
    }
}

#[test]
fn a_fact_about_the_wrong_scope_is_junk() {
    let (_, mut verifier) = Stream::begun(ChainScope::Everything);
    let subject = "event.worker.-.action.proposed";
    let place = (1, Digest::ZERO);
    let stored = Stored {
        subject: subject.to_owned(),
        signature: None,
        body: body(
            AuthorId::Worker,
            subject,
            "action.proposed.v1",
            place,
            proposed(),
        ),
        seq: 5,
    };
    let stored = stored.signed_by(&key_of(AuthorId::Worker));
    assert_eq!(
        read::<PolicyFact>(&mut verifier, &stored).unwrap(),
        Err(Junk::Subject)
    );
}

#[test]
fn an_envelope_that_names_another_task_than_its_subject_is_junk() {
    let (stream, mut verifier) = Stream::begun(ChainScope::Everything);
    let other = "event.worker.-.action.proposed";
    let subject = format!("event.worker.{}.action.proposed", uuid(2));
    for (named, task) in [
        (other, Some(task())),
        (&subject, None),
        (&subject, Some(id(3))),
    ] {
        let body = body_about(
            AuthorId::Worker,
            task,
            named,
            "action.proposed.v1",
            stream.tip(AuthorId::Worker, task),
            proposed(),
        );
        let stored = Stored {
            subject: named.to_owned(),
            signature: None,
            body,
            seq: 5,
        };
        let stored = stored.signed_by(&key_of(AuthorId::Worker));
        assert_eq!(refused::<PolicyFact>(&mut verifier, &stored), Junk::Copied);
    }
}

#[test]
fn junk_moves_only_the_subtree_that_an_append_expects() {
    let (_, mut verifier, good) = example(ChainScope::Own(AuthorId::Worker));
    let mut bad = good.clone().at(7);
    bad.signature = None;
    assert_eq!(refused::<WorkerFact>(&mut verifier, &bad), Junk::Unsigned);
    assert_eq!(verifier.subtree(AuthorId::Worker, Some(task())), 7);
    assert_eq!(verifier.subtree(AuthorId::Worker, None), 0);
}

#[test]
fn a_kind_that_the_reader_does_not_fold_is_genuine_all_the_same() {
    let (mut stream, mut verifier) = Stream::begun(ChainScope::Own(AuthorId::Runner));
    let other = stream.say::<Policy, _>(
        task(),
        TaskRejected {
            code: bus_schema::RefusalCode::Halted,
            why: None,
        },
    );
    assert_eq!(
        read::<ExecutorFact>(&mut verifier, &other).unwrap(),
        Ok(false)
    );
    let fact = stream.say::<Owner, _>(
        Deployment,
        ContractRevoked {
            contract: digest(5),
        },
    );
    assert_eq!(
        read::<ExecutorFact>(&mut verifier, &fact).unwrap(),
        Ok(true)
    );
    let own = stream.say::<Worker, ServiceStarted>(Deployment, started());
    assert_eq!(
        read::<ExecutorFact>(&mut verifier, &own).unwrap(),
        Ok(false)
    );
    assert_eq!(ActionProposed::KIND, "action.proposed");
    assert_eq!((RosterChanged::V, deployment()), (1, id(1)));
    assert_eq!(verifier.owner(), owner());
}
