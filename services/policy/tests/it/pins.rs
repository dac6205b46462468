//! Checks that a contract is suspended if it is not read as it was signed, and checks the reasons.

use bus_schema::{ContractActivated, Deployment, Pins, Policy, PolicyFact};
use contract::{Catalogue, LANGUAGE, entries, envelope};

use crate::world::{World, words};

const RULES: &str = "[[allow]]\ntool = \"t.*\"";

/// A contract that a policy of another version brought into force is suspended by this one.
#[test]
fn downgrade_of_policy_or_language_suspends_until_it_is_signed_again() {
    type Change = fn(&mut Pins);
    let cases: [(Change, &str); 3] = [
        (
            |pins| pins.policy = "99.0.0".parse().unwrap(),
            "this policy is the older",
        ),
        (
            |pins| pins.language = LANGUAGE + 1,
            "signed for version 3 of the contract language",
        ),
        (
            |pins| pins.language = LANGUAGE - 1,
            "signed for version 1 of the contract language",
        ),
    ];
    for (change, said) in cases {
        let mut world = World::new();
        let contract = world.sign_as(&crate::text(RULES), |fact| change(&mut fact.pins));
        let name = "c".parse().unwrap();
        world.say::<Policy, _>(
            Deployment,
            ContractActivated {
                contract,
                name,
                supersedes: None,
            },
        );
        let task = world.submit(contract);
        let facts = world.turn();
        assert_eq!(words(&facts), ["suspended", "not admitted: Suspended"]);
        let PolicyFact::ContractSuspended(_, fact) = &facts[0] else {
            panic!("{facts:?}");
        };
        let why = world.why(fact.why);
        assert!(why.contains(said), "{why}");
        world.sign(RULES);
        assert_eq!(words(&world.turn()), ["activated"]);
        world.submit_as(task, contract);
        assert_eq!(words(&world.turn()), ["not admitted: Reused"]);
        world.submit(contract);
        assert_eq!(words(&world.turn()), ["admitted"]);
        world.rebuild();
    }
}

#[test]
fn a_contract_of_a_newer_policy_does_not_come_into_force() {
    let mut world = World::new();
    world.sign_as(&crate::text(RULES), |fact| {
        fact.pins.policy = "99.0.0".parse().unwrap();
    });
    let facts = world.turn();
    let [PolicyFact::ContractRejected(_, fact)] = &facts[..] else {
        panic!("{facts:?}");
    };
    let why = world.why(fact.why);
    assert!(why.contains("signed with version 99.0.0"), "{why}");
}

#[test]
fn a_suspension_without_the_signed_tools_gives_both_digests() {
    let (mut world, ..) = World::with_task(RULES);
    let tools = include_str!("../../../contract/tests/conformance/tools.json");
    let changed = tools.replace("Takes one argument of each type", "Takes arguments");
    let (old, new) = (
        crate::tools(),
        Catalogue::parse(changed.as_bytes()).unwrap(),
    );
    let digest = |tools: &Catalogue| tools.get("t.any").unwrap().digest();
    let contract = crate::contract(RULES, &old);
    world.erase_bytes(&entries(&old, &envelope(&contract, &old)));
    world.change_tools(changed.as_bytes());
    let facts = world.turn();
    let [PolicyFact::ContractSuspended(_, fact)] = &facts[..] else {
        panic!("{facts:?}");
    };
    let why = world.why(fact.why);
    for digest in [digest(&old), digest(&new)] {
        assert!(why.contains(&digest.to_string()), "{why}");
    }
}
