//! Tests of rosters: the validity of keys depends only on places in the stream.

use bus_schema::testing::started;
use bus_schema::{
    AuthorId, ChainScope, ContractRevoked, Deployment, Junk, Owner, PolicyFact, RosterChanged,
    ServiceStarted, Verifier, Worker,
};

use crate::{
    example::{digest, proposed},
    fixture::{
        Stored, Stream, accepted, body, deployment, id, key_of, new_key, owner, read, refused,
        roster, roster_with, task,
    },
};

const FILTERED: ChainScope = ChainScope::Own(AuthorId::Policy);

fn worker_says(stream: &mut Stream, key: &ed25519_dalek::SigningKey) -> Stored {
    stream.say_with::<Worker, _>(task(), proposed(), key)
}

#[test]
fn nothing_but_the_owners_word_counts_before_the_first_roster() {
    let mut stream = Stream::default();
    let mut verifier = Verifier::new(owner(), ChainScope::Everything);
    assert_eq!(verifier.deployment(), None);
    let early = worker_says(&mut stream, &key_of(AuthorId::Worker));
    assert_eq!(refused::<PolicyFact>(&mut verifier, &early), Junk::NoKey);
    let first = stream.say::<Owner, _>(Deployment, roster());
    accepted(&mut verifier, &first);
    assert_eq!(verifier.deployment(), Some(deployment()));
    // A later valid key does not make earlier events valid.
    assert_eq!(refused::<PolicyFact>(&mut verifier, &early), Junk::NoKey);
    let at_roster = early.clone().at(first.seq);
    assert_eq!(
        refused::<PolicyFact>(&mut verifier, &at_roster),
        Junk::NoKey
    );
    accepted(&mut verifier, &early.at(3));
}

#[test]
fn after_a_rotation_the_old_key_signs_nothing_new() {
    let (old, new) = (key_of(AuthorId::Worker), new_key(AuthorId::Worker));
    let (mut stream, mut verifier) = Stream::begun(FILTERED);
    let before = worker_says(&mut stream, &old);
    accepted(&mut verifier, &before);
    let rotated = stream.say::<Owner, _>(Deployment, roster_with(AuthorId::Worker, Some(&new)));
    accepted(&mut verifier, &rotated);
    assert_eq!(
        verifier.key(AuthorId::Worker),
        Some(bus_schema::public_key(&new))
    );
    let late = worker_says(&mut stream.clone(), &old);
    assert_eq!(refused::<PolicyFact>(&mut verifier, &late), Junk::Signature);
    accepted(&mut verifier, &worker_says(&mut stream, &new));
    // A reader from the start still accepts the old key's events from its time.
    let mut again = Verifier::new(owner(), FILTERED);
    let first = Stream::default().say::<Owner, _>(Deployment, roster());
    for stored in [&first, &before, &rotated] {
        accepted(&mut again, stored);
    }
}

#[test]
fn the_new_key_signs_nothing_at_or_before_its_roster() {
    let new = new_key(AuthorId::Worker);
    let (mut stream, mut verifier) = Stream::begun(FILTERED);
    let rotated = stream.say::<Owner, _>(Deployment, roster_with(AuthorId::Worker, Some(&new)));
    let said = worker_says(&mut stream, &new);
    accepted(&mut verifier, &rotated);
    let at_roster = said.clone().at(rotated.seq);
    assert_eq!(
        refused::<PolicyFact>(&mut verifier, &at_roster),
        Junk::Signature
    );
    accepted(&mut verifier, &said.at(rotated.seq + 1));
}

#[test]
fn an_old_key_can_come_back() {
    let (old, new) = (key_of(AuthorId::Worker), new_key(AuthorId::Worker));
    let (mut stream, mut verifier) = Stream::begun(ChainScope::Everything);
    let away = stream.say::<Owner, _>(Deployment, roster_with(AuthorId::Worker, Some(&new)));
    accepted(&mut verifier, &away);
    let meanwhile = worker_says(&mut stream.clone(), &old);
    assert_eq!(
        refused::<PolicyFact>(&mut verifier, &meanwhile),
        Junk::Signature
    );
    let back = stream.say::<Owner, _>(Deployment, roster());
    accepted(&mut verifier, &back);
    assert_eq!(
        refused::<PolicyFact>(&mut verifier, &meanwhile),
        Junk::Signature
    );
    assert_eq!(
        refused::<PolicyFact>(&mut verifier, &worker_says(&mut stream.clone(), &new)),
        Junk::Signature
    );
    accepted(&mut verifier, &worker_says(&mut stream, &old));
}

#[test]
fn an_author_that_the_roster_drops_has_no_key() {
    let (mut stream, mut verifier) = Stream::begun(FILTERED);
    accepted(
        &mut verifier,
        &worker_says(&mut stream, &key_of(AuthorId::Worker)),
    );
    let dropped = stream.say::<Owner, _>(Deployment, roster_with(AuthorId::Worker, None));
    accepted(&mut verifier, &dropped);
    assert_eq!(verifier.key(AuthorId::Worker), None);
    let late = worker_says(&mut stream, &key_of(AuthorId::Worker));
    assert_eq!(refused::<PolicyFact>(&mut verifier, &late), Junk::NoKey);
    assert_eq!(
        verifier.check_message(AuthorId::Worker, b"live", &"0".repeat(128)),
        Err(Junk::NoKey)
    );
}

#[test]
fn a_roster_cannot_replace_the_owner() {
    let (mut stream, mut verifier) = Stream::begun(FILTERED);
    let mut usurped = roster();
    let key = bus_schema::public_key(&new_key(AuthorId::Owner));
    usurped.keys.push(bus_schema::AuthorKey {
        author: AuthorId::Owner,
        key,
    });
    accepted(&mut verifier, &stream.say::<Owner, _>(Deployment, usurped));
    assert_eq!(verifier.key(AuthorId::Owner), Some(owner()));
    let revoked = ContractRevoked {
        contract: digest(5),
    };
    let by_new =
        stream
            .clone()
            .say_with::<Owner, _>(Deployment, revoked.clone(), &new_key(AuthorId::Owner));
    assert_eq!(
        refused::<PolicyFact>(&mut verifier, &by_new),
        Junk::Signature
    );
    accepted(&mut verifier, &stream.say::<Owner, _>(Deployment, revoked));
}

#[test]
fn what_the_owner_said_to_another_deployment_changes_nothing() {
    let (stream, mut verifier) = Stream::begun(FILTERED);
    let mut elsewhere = stream.clone();
    // It was published there and never here, so the next one continues another chain.
    let contract = digest(5);
    elsewhere.say::<Owner, _>(Deployment, ContractRevoked { contract });
    let lifted = elsewhere.say::<Owner, _>(Deployment, bus_schema::HaltLifted {});
    assert_eq!(refused::<PolicyFact>(&mut verifier, &lifted), Junk::Chain);
    let foreign = RosterChanged {
        deployment: id(99),
        keys: Vec::new(),
        sealing: Vec::new(),
    };
    let foreign = elsewhere.say::<Owner, _>(Deployment, foreign);
    assert_eq!(refused::<PolicyFact>(&mut verifier, &foreign), Junk::Chain);
    assert_eq!(verifier.deployment(), Some(deployment()));
    accepted(
        &mut verifier,
        &worker_says(&mut stream.clone(), &key_of(AuthorId::Worker)),
    );
}

#[test]
fn who_sees_the_owners_whole_chain_goes_on_behind_a_roster_that_does_not_belong_here() {
    let (mut stream, mut verifier) = Stream::begun(ChainScope::Everything);
    let foreign = RosterChanged {
        deployment: id(99),
        keys: Vec::new(),
        sealing: Vec::new(),
    };
    let foreign = stream.say::<Owner, _>(Deployment, foreign);
    assert_eq!(
        read::<PolicyFact>(&mut verifier, &foreign).unwrap(),
        Err(Junk::Copied)
    );
    accepted(&mut verifier, &stream.say::<Owner, _>(Deployment, roster()));
}

#[test]
fn a_roster_that_is_not_the_owners_is_junk() {
    let (mut stream, mut verifier) = Stream::begun(FILTERED);
    let signed =
        stream
            .clone()
            .say_with::<Owner, _>(Deployment, roster(), &key_of(AuthorId::Policy));
    assert_eq!(
        refused::<PolicyFact>(&mut verifier, &signed),
        Junk::Signature
    );
    // Under policy's own name it is a kind that policy may not publish, and still the next of its chain.
    let subject = "event.policy.roster.changed";
    let (seq, prev) = stream.tip(AuthorId::Policy, None);
    let mut usurped = roster_with(AuthorId::Worker, Some(&new_key(AuthorId::Worker)));
    usurped.deployment = deployment();
    let own = Stored {
        subject: subject.to_owned(),
        signature: None,
        body: body(
            AuthorId::Policy,
            subject,
            "roster.changed.v1",
            (seq + 1, prev),
            usurped,
        ),
        seq: 7,
    };
    let read = read::<PolicyFact>(&mut verifier, &own.signed_by(&key_of(AuthorId::Policy)));
    assert_eq!(read.unwrap(), Err(Junk::Kind));
    assert_eq!(verifier.tip(AuthorId::Policy, None).seq, 1);
    accepted(
        &mut verifier,
        &worker_says(&mut stream, &key_of(AuthorId::Worker)).at(8),
    );
}

#[test]
fn a_back_dated_event_by_an_old_key_is_junk() {
    let new = new_key(AuthorId::Worker);
    let (mut stream, mut verifier) = Stream::begun(FILTERED);
    // `at` is long before the rotation, as a thief would write it.
    let before = stream.clone().say_with::<Worker, ServiceStarted>(
        Deployment,
        started(),
        &key_of(AuthorId::Worker),
    );
    accepted(
        &mut verifier,
        &stream.say::<Owner, _>(Deployment, roster_with(AuthorId::Worker, Some(&new))),
    );
    assert_eq!(
        refused::<PolicyFact>(&mut verifier, &before.at(9)),
        Junk::Signature
    );
}

#[test]
fn a_key_that_a_roster_repeated_ends_with_the_roster_that_replaces_it() {
    let (old, new) = (key_of(AuthorId::Worker), new_key(AuthorId::Worker));
    let (mut stream, mut verifier) = Stream::begun(FILTERED);
    let again = stream.say::<Owner, _>(Deployment, roster());
    accepted(&mut verifier, &again);
    let rotated = stream.say::<Owner, _>(Deployment, roster_with(AuthorId::Worker, Some(&new)));
    accepted(&mut verifier, &rotated);
    let late = worker_says(&mut stream.clone(), &old);
    assert_eq!(refused::<PolicyFact>(&mut verifier, &late), Junk::Signature);
    accepted(&mut verifier, &worker_says(&mut stream, &new));
}
