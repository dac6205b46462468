//! Tests which requests are answered, with what, and what is on record before.

use actor::Core as _;
use bus_schema::{
    ActionStarted, ContractRevoked, Deployment, Digest, Envelope, HaltLifted, HaltOrdered,
    NotReleased, Owner, Runner, SecretRevoked, TaskCancelled,
};

use crate::world::{VALUE, WALL_MS, World, contract, draft, envelope, id, name, said, task};

#[test]
fn a_claimed_action_gets_its_secret_once_the_release_is_on_record() {
    let mut world = World::new();
    world.claim(draft(2));
    let mut answer = world.ask(2, "crm");
    let mut released = Vec::new();
    while released.is_empty() {
        assert!(answer.try_recv().is_err(), "nothing is answered before");
        assert!(world.step(&mut released));
    }
    assert_eq!(said(&released), [(id(2), name("crm"), 1)]);
    assert_eq!(world.turn(), []);
    assert_eq!(
        world.opened(answer.try_recv().unwrap()),
        (1, VALUE.to_owned())
    );

    // The same request again has the same answer, and needs no second release; also after a restart.
    let mut again = world.ask(2, "crm");
    assert_eq!(world.turn(), []);
    assert_eq!(world.opened(again.try_recv().unwrap()).0, 1);
    world.restart();
    let mut again = world.ask(2, "crm");
    assert_eq!(world.turn(), []);
    assert_eq!(world.opened(again.try_recv().unwrap()).0, 1);
}

/// Asks for the secret of an action that the change made, and returns the reason against it.
fn refused(world: &mut World, secret: &str) -> NotReleased {
    let answer = world.ask(2, secret);
    world.end(2, answer).unwrap_err()
}

#[test]
fn nobody_without_a_claim_gets_anything() {
    let mut world = World::new();
    assert_eq!(refused(&mut world, "crm"), NotReleased::NotClaimed);
    world.grant(draft(2));
    assert_eq!(refused(&mut world, "crm"), NotReleased::NotClaimed);
    // The runner claims nothing of egress's.
    world.say::<Runner, _>(task(), ActionStarted { action: id(2) });
    assert_eq!(refused(&mut world, "crm"), NotReleased::NotClaimed);
    world.start(2);
    world.finish(2);
    assert_eq!(refused(&mut world, "crm"), NotReleased::NotClaimed);
    // A second grant of the action, and a second claim, count for nothing.
    world.grant(draft(2));
    world.start(2);
    assert_eq!(refused(&mut world, "crm"), NotReleased::NotClaimed);
}

#[test]
fn a_claim_that_came_late_counts_for_nothing() {
    let mut world = World::new();
    world.grant(draft(2));
    world.log.now = world.log.now.plus_ms(30_001);
    world.start(2);
    assert_eq!(refused(&mut world, "crm"), NotReleased::NotClaimed);
}

#[test]
fn the_end_of_an_action_ends_its_release() {
    let mut world = World::new();
    world.claim(draft(2));
    world.log.now = world.log.now.plus_ms(u64::from(WALL_MS) + 60_000);
    assert_eq!(refused(&mut world, "crm"), NotReleased::Ended);
}

#[test]
fn what_the_owner_did_not_sign_is_not_released() {
    type Change = fn(&mut bus_schema::DraftGrant);
    let cases: [(Change, NotReleased); 7] = [
        (|d| d.secrets.clear(), NotReleased::NotNamed),
        (|d| d.secrets = vec![name("other")], NotReleased::NotNamed),
        (|d| d.tool = name("web.read"), NotReleased::OutsideEnvelope),
        (
            |d| d.tool_digest = Digest::ZERO,
            NotReleased::OutsideEnvelope,
        ),
        (|d| d.wall_ms = WALL_MS + 1, NotReleased::OutsideEnvelope),
        (
            |d| d.contract = Digest::new([6; 32]),
            NotReleased::NoContract,
        ),
        (|d| d.deployment = id(8), NotReleased::OutsideEnvelope),
    ];
    for (change, why) in cases {
        let mut world = World::new();
        let mut draft = draft(2);
        change(&mut draft);
        world.claim(draft);
        assert_eq!(refused(&mut world, "crm"), why);
    }
}

#[test]
fn what_the_envelope_lacks_is_not_released() {
    type Change = fn(&mut Envelope);
    let cases: [(Change, NotReleased); 4] = [
        (|e| e.secrets.clear(), NotReleased::NotNamed),
        (|e| e.hosts.clear(), NotReleased::Host),
        (
            |e| e.hosts = vec!["api.example.com:8443".to_owned()],
            NotReleased::Host,
        ),
        (|e| e.tools.clear(), NotReleased::OutsideEnvelope),
    ];
    for (change, why) in cases {
        let mut envelope = envelope();
        change(&mut envelope);
        let mut world = World::with(envelope);
        world.claim(draft(2));
        assert_eq!(refused(&mut world, "crm"), why);
    }
}

#[test]
fn a_tool_gets_no_secret_but_its_own() {
    let mut world = World::new();
    let mut other = draft(2);
    other.tool = name("web.read");
    let document = crate::world::document();
    let catalogue = contract::Catalogue::parse(&document).unwrap();
    other.tool_digest = catalogue.get("web.read").unwrap().digest();
    world.claim(other);
    assert_eq!(refused(&mut world, "crm"), NotReleased::Tool);
    assert_eq!(refused(&mut world, "other"), NotReleased::NotNamed);
}

#[test]
fn the_owner_stops_releases() {
    let mut world = World::new();
    world.claim(draft(2));
    world.say::<Owner, _>(Deployment, HaltOrdered {});
    assert_eq!(refused(&mut world, "crm"), NotReleased::Halted);
    world.say::<Owner, _>(Deployment, HaltLifted {});
    let contract = contract();
    let mut revoked = World::new();
    revoked.claim(draft(2));
    revoked.say::<Owner, _>(Deployment, ContractRevoked { contract });
    assert_eq!(refused(&mut revoked, "crm"), NotReleased::NoContract);
    world.say::<Owner, _>(task(), TaskCancelled {});
    assert_eq!(refused(&mut world, "crm"), NotReleased::Cancelled);
}

#[test]
fn a_revoked_secret_is_released_again_only_in_a_newer_version() {
    let mut world = World::new();
    world.claim(draft(2));
    let (secret, version) = (name("crm"), 1);
    let fact = SecretRevoked {
        name: secret,
        version,
    };
    world.say::<Owner, _>(Deployment, fact);
    assert_eq!(refused(&mut world, "crm"), NotReleased::Revoked);
    world.set(1, &["api.example.com"]);
    assert_eq!(refused(&mut world, "crm"), NotReleased::Revoked);
    world.set(2, &["api.example.com"]);
    let mut answer = world.ask(2, "crm");
    assert_eq!(said(&world.turn()), [(id(2), name("crm"), 2)]);
    assert_eq!(world.opened(answer.try_recv().unwrap()).0, 2);
    // Another version for the same claim would be a second release.
    world.set(3, &["api.example.com"]);
    assert_eq!(refused(&mut world, "crm"), NotReleased::Replaced);
}

#[test]
fn a_secret_is_for_its_own_hosts_and_as_the_owner_signed_it() {
    let mut world = World::new();
    world.claim(draft(2));
    world.set(2, &["other.example.com"]);
    assert_eq!(refused(&mut world, "crm"), NotReleased::Terms);
    // The bytes of another version under the owner's signature of this one.
    let second = world.set(3, &["api.example.com"]);
    let mut forged = world.set(4, &["api.example.com"]);
    (forged.version, forged.sealed) = (5, second.sealed);
    world.say::<Owner, _>(Deployment, forged.clone());
    assert_eq!(refused(&mut world, "crm"), NotReleased::Seal);
    (forged.version, forged.terms) = (6, second.terms);
    world.say::<Owner, _>(Deployment, forged);
    assert_eq!(refused(&mut world, "crm"), NotReleased::Seal);
    let erased = world.set(7, &["api.example.com"]);
    world.log.erase(erased.sealed);
    assert_eq!(refused(&mut world, "crm"), NotReleased::Erased);
}

#[test]
fn a_request_waits_for_the_claim_that_is_still_to_be_read() {
    let mut world = World::new();
    world.grant(draft(2));
    let mut answer = world.ask(2, "crm");
    assert_eq!(world.turn(), []);
    assert!(answer.try_recv().is_err());
    world.start(2);
    assert_eq!(said(&world.turn()), [(id(2), name("crm"), 1)]);
    assert!(answer.try_recv().unwrap().is_ok());
    assert!(!world.core.hurries());
}
