//! Checks the version of a contract that is in force, and the effect on actions under the previous one.

use bus_schema::{Digest, PolicyFact, TaskId};

use crate::world::{World, answer, asked, words};

const ALLOW: &str = "[[allow]]\ntool = \"t.any\"";
const ASK: &str = "[[ask]]\ntool = \"t.any\"\nreason = \"r\"";

fn version(rules: &str, version: u32) -> String {
    crate::text(rules).replace("version = 1", &format!("version = {version}"))
}

fn with(world: &mut World, rules: &str) -> (Digest, TaskId) {
    let contract = world.sign(rules);
    let task = world.submit(contract);
    assert_eq!(words(&world.turn()), ["activated", "admitted"]);
    (contract, task)
}

#[test]
fn newer_version_takes_the_place_of_the_older_one() {
    let mut world = World::new();
    let (old, task) = with(&mut world, ASK);
    let asked_one = world.propose(task, 1);
    let draft = asked(&world.turn());
    let new = world.sign_text(&version(ALLOW, 2));
    let facts = world.turn();
    assert_eq!(words(&facts), ["activated", "NoContract"]);
    let PolicyFact::ContractActivated(_, fact) = &facts[0] else {
        panic!("{facts:?}");
    };
    assert_eq!((fact.contract, fact.supersedes), (new, Some(old)));
    // An approval is valid only for the version it was given under.
    world.carry(task, asked_one, &answer(&draft, true));
    world.propose(task, 2);
    world.submit(old);
    let said = words(&world.turn());
    assert_eq!(
        said,
        [
            "not taken: ApprovalNotOpen",
            "not admitted: NoContract",
            "NoContract"
        ]
    );
    let task = world.submit(new);
    assert_eq!(words(&world.turn()), ["admitted"]);
    world.propose(task, 3);
    assert_eq!(words(&world.turn()), ["granted"]);
    world.rebuild();
}

#[test]
fn version_that_is_no_newer_leaves_the_one_in_force_and_says_so() {
    let mut world = World::new();
    world.sign_text(&version(ALLOW, 3));
    assert_eq!(words(&world.turn()), ["activated"]);
    for older in [1, 3] {
        world.sign_text(&version(ASK, older));
        let facts = world.turn();
        assert_eq!(words(&facts), ["rejected: NotNewer"]);
        let PolicyFact::ContractRejected(_, fact) = &facts[0] else {
            panic!("{facts:?}");
        };
        let why = world.why(fact.why);
        assert!(why.contains("write `version = 4`"), "{why}");
        assert!(why.ends_with("version 3 of `c` stays in force"), "{why}");
    }
    // The same contract may be signed again.
    world.sign_text(&version(ALLOW, 3));
    assert_eq!(words(&world.turn()), ["activated"]);
    world.rebuild();
}

#[test]
fn contracts_of_other_names_stand_side_by_side() {
    let mut world = World::new();
    let (_, task) = with(&mut world, ALLOW);
    let other = crate::text(ALLOW).replace("contract = \"c\"", "contract = \"d\"");
    world.sign_text(&other);
    world.propose(task, 1);
    assert_eq!(words(&world.turn()), ["activated", "granted"]);
}

#[test]
fn expired_version_does_not_stand_in_the_way_of_another_with_its_number() {
    let mut world = World::new();
    let short = crate::text(ALLOW).replace("2036-12-31", "2027-02-01");
    world.sign_text(&short);
    assert_eq!(words(&world.turn()), ["activated"]);
    world.sign_text(&crate::text(ASK));
    assert_eq!(words(&world.turn()), ["rejected: NotNewer"]);
    world.pass_ms(30 * 24 * 60 * 60 * 1000);
    world.sign_text(&crate::text(ASK));
    assert_eq!(words(&world.turn()), ["activated"]);
    world.rebuild();
}
