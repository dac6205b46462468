//! Checks that policy decides with the newest catalogue that the owner signed, and with nothing else.

use bus_schema::{AuthorId, CatalogueSigned, Deployment, Draft, Owner, PolicyFact};
use contract::Catalogue;
use policy::{Replay, Step};

use crate::world::{World, key, owner, words};

const RULES: &str = "[[allow]]\ntool = \"t.any\"";
const TOOLS: &str = include_str!("../../../contract/tests/conformance/tools.json");

/// The tools with another description of `t.any`.
fn changed() -> String {
    TOOLS.replace("Takes one argument of each type", "Takes arguments")
}

/// The tools without one of them, which no rule of a test names.
fn without_another() -> String {
    let mut tools: Vec<serde_json::Value> = serde_json::from_str(TOOLS).unwrap();
    tools.retain(|tool| tool["name"] != "zone.set");
    serde_json::to_string(&tools).unwrap()
}

#[test]
fn without_a_signed_catalogue_no_contract_comes_into_force_and_nothing_is_granted() {
    let mut world = World::without_tools();
    world.sign_as(&crate::text("allow = []"), |_| {});
    let facts = world.turn();
    assert_eq!(words(&facts), ["rejected: NoCatalogue"]);
    let PolicyFact::ContractRejected(_, fact) = &facts[0] else {
        panic!("{facts:?}");
    };
    let why = world.why(fact.why);
    assert!(why.contains("no catalogue is signed"), "{why}");
    assert!(why.contains("contractual tool add"), "{why}");
    world.change_tools(TOOLS.as_bytes());
    let contract = world.sign(RULES);
    let task = world.submit(contract);
    world.propose(task, 1);
    world.turn();
    world.propose(task, 1);
    assert_eq!(words(&world.turn()), ["granted"]);
    world.rebuild();
}

#[test]
fn unreadable_or_erased_catalogue_refuses_and_suspends_nothing() {
    for document in [&b"{}"[..], b"[ ]", b"not JSON"] {
        let (mut world, contract, task) = World::with_task(RULES);
        world.sign_catalogue(2, document);
        world.propose(task, 1);
        world.submit(contract);
        assert_eq!(
            words(&world.turn()),
            ["not admitted: NoCatalogue", "NoCatalogue"]
        );
        world.sign_catalogue(3, &Catalogue::document(TOOLS.as_bytes()).unwrap().0);
        world.propose(task, 1);
        assert_eq!(words(&world.turn()), ["granted"]);
        world.rebuild();
    }
    let (mut world, _, task) = World::with_task(RULES);
    world.erase_bytes(&Catalogue::document(TOOLS.as_bytes()).unwrap().0);
    world.restart();
    world.propose(task, 1);
    assert_eq!(words(&world.turn()), ["NoCatalogue"]);
}

#[test]
fn only_a_higher_version_replaces_a_catalogue() {
    let (mut world, _, task) = World::with_task(RULES);
    let (document, _) = Catalogue::document(changed().as_bytes()).unwrap();
    for version in [0, 1] {
        world.sign_catalogue(version, &document);
        world.propose(task, 1);
        assert_eq!(words(&world.turn()), ["granted"], "version {version}");
    }
    world.sign_catalogue(2, &document);
    assert_eq!(words(&world.turn()), ["suspended"]);
    // The older one does not come back, not even with its own version.
    world.sign_catalogue(1, &Catalogue::document(TOOLS.as_bytes()).unwrap().0);
    world.propose(task, 1);
    assert_eq!(words(&world.turn()), ["Suspended"]);
    world.rebuild();
}

#[test]
fn a_change_of_other_tools_suspends_nothing() {
    let (mut world, _, task) = World::with_task(RULES);
    world.change_tools(without_another().as_bytes());
    world.propose(task, 1);
    assert_eq!(words(&world.turn()), ["granted"]);
    world.rebuild();
}

#[test]
fn nothing_is_decided_between_the_signature_and_the_document() {
    let (mut world, _, task) = World::with_task(RULES);
    world.change_tools(changed().as_bytes());
    world.propose(task, 1);
    assert!(!world.step_without_bytes());
    assert_eq!(words(&world.turn()), ["suspended", "Suspended"]);
}

/// Another key, or policy's own, cannot sign a catalogue: readers see junk.
#[test]
fn a_catalogue_of_another_signer_is_junk() {
    for signer in [AuthorId::Policy, AuthorId::Worker] {
        let (mut world, _, task) = World::with_task(RULES);
        let (document, _) = Catalogue::document(changed().as_bytes()).unwrap();
        let document = world.put(AuthorId::Owner, &document);
        world.log.keys.insert(AuthorId::Owner, key(signer));
        let version = 2;
        let fact = CatalogueSigned { version, document };
        let draft = Draft::<Owner>::of(Deployment, fact);
        assert!(world.is_junk(&draft));
        world.propose(task, 1);
        assert_eq!(words(&world.turn()), ["granted"]);
    }
}

#[test]
fn replay_decides_with_the_catalogue_of_the_time() {
    let (mut world, contract, task) = World::with_task(RULES);
    world.propose(task, 1);
    world.turn();
    world.change_tools(changed().as_bytes());
    world.propose(task, 1);
    assert_eq!(words(&world.turn()), ["suspended", "Suspended"]);
    world.sign(RULES);
    world.propose(task, 1);
    assert_eq!(words(&world.turn()), ["activated", "granted"]);
    let other = world.submit(contract);
    world.turn();
    world.propose(other, 2);
    world.turn();
    let mut replay = Replay::new(owner(), world.facts());
    let mut verdicts = Vec::new();
    loop {
        match replay.step() {
            Step::Fetch(fetches) => {
                for fetch in fetches {
                    replay.input(world.fetched(fetch));
                }
            }
            Step::Verdict(said) => verdicts.push(format!("{:?}", said.compared)),
            Step::End => break,
        }
    }
    assert_eq!(verdicts.len(), 4, "{verdicts:?}");
    assert!(
        verdicts.iter().all(|one| one == "Identical"),
        "{verdicts:?}"
    );
}
