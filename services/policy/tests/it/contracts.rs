//! Checks the conditions for activating a contract and for admitting a task.

use bus_schema::{
    AuthorId, ContractRevoked, ContractSigned, Deployment, DeploymentId, Digest, Gateway, Owner,
    PolicyFact, Signed, Statement, TaskCancelled, TaskFinished, TaskId, TaskOutcome, TaskStatement,
    TaskSubmitted, Worker,
};
use contract::{Contract, envelope};
use uuid::Uuid;

use crate::world::{START, World, deployment, key, words};

const RULES: &str = "[[allow]]\ntool = \"t.any\"";

#[test]
fn signed_contract_comes_into_force_under_its_name() {
    let mut world = World::new();
    let contract = world.sign(RULES);
    let facts = world.turn();
    let [PolicyFact::ContractActivated(_, fact)] = &facts[..] else {
        panic!("{facts:?}");
    };
    assert_eq!((fact.contract, fact.name.as_str()), (contract, "c"));
    assert_eq!(world.turn().len(), 0);
}

/// Signs any document as the owner, with the envelope of a valid one.
pub(crate) fn offer(world: &mut World, text: &str, change: impl FnOnce(&mut ContractSigned)) {
    let tools = crate::tools();
    let good = Contract::parse("c", &crate::text(RULES), &tools).unwrap();
    let mut fact = ContractSigned {
        contract: Digest::of(&[text.as_bytes()]),
        name: good.name().clone(),
        version: Contract::parse("c", text, &tools).map_or(2, |it| it.version()),
        document: world.put(AuthorId::Owner, text.as_bytes()),
        pins: contract::pins(&tools, world.put(AuthorId::Owner, b"[]")),
        envelope: Contract::parse("c", text, &tools)
            .map_or_else(|_| envelope(&good, &tools), |it| envelope(&it, &tools)),
    };
    change(&mut fact);
    world.say::<Owner, _>(Deployment, fact);
}

#[test]
fn bad_contract_is_rejected_and_leaves_others_in_force() {
    let (mut world, contract, task) = World::with_task(RULES);
    let expired = crate::text(RULES).replace("2036-12-31", "2026-12-31");
    offer(&mut world, &expired, |_| {});
    offer(&mut world, "not a contract", |_| {});
    let other = crate::text("allow = []");
    offer(&mut world, &other, |fact| fact.contract = Digest::ZERO);
    offer(&mut world, &other, |fact| fact.envelope.wall_ms_max += 1);
    let erased = world.put(AuthorId::Owner, b"erased");
    world.log.erase(erased);
    offer(&mut world, &other, |fact| fact.document = erased);
    let facts = world.turn();
    let codes = [
        "Expired",
        "InvalidContract",
        "InvalidContract",
        "EnvelopeDiffers",
        "InvalidContract",
    ];
    assert_eq!(words(&facts), codes.map(|code| format!("rejected: {code}")));
    let PolicyFact::ContractRejected(_, fact) = &facts[1] else {
        panic!("{facts:?}");
    };
    assert!(world.why(fact.why).contains("contract.toml:1:"));
    // The contract in force, offered again without its document, does not change.
    offer(&mut world, &crate::text(RULES), |fact| {
        fact.document = erased;
    });
    assert_eq!(words(&world.turn()), ["rejected: InvalidContract"]);
    world.propose(task, 1);
    assert_eq!(words(&world.turn()), ["granted"]);
    world.submit(contract);
    assert_eq!(words(&world.turn()), ["admitted"]);
    world.rebuild();
}

#[test]
fn explanation_of_a_rejection_has_at_most_4_kib() {
    let mut world = World::new();
    offer(&mut world, &"é = 1\n".repeat(4000), |_| {});
    offer(&mut world, &format!("{}é", "x".repeat(9000)), |_| {});
    for fact in world.turn() {
        let PolicyFact::ContractRejected(_, fact) = fact else {
            panic!("{fact:?}");
        };
        assert!(fact.why.unwrap().len() <= 4096);
    }
}

#[test]
fn contract_that_is_revoked_before_its_verdict_is_rejected() {
    let mut world = World::new();
    let contract = world.sign(RULES);
    world.say::<Owner, _>(Deployment, ContractRevoked { contract });
    assert_eq!(words(&world.turn()), ["rejected: NoContract"]);
}

#[test]
fn revoked_contract_ends_proposals_and_questions_at_once() {
    let rules = "[[ask]]\ntool = \"t.any\"\nreason = \"r\"";
    let (mut world, contract, task) = World::with_task(rules);
    world.propose(task, 1);
    assert_eq!(words(&world.turn()), ["asked"]);
    world.propose(task, 2);
    world.say::<Owner, _>(Deployment, ContractRevoked { contract });
    // Signed again, it applies to later tasks.
    world.sign(rules);
    world.rebuild();
    assert_eq!(
        words(&world.turn()),
        ["activated", "NoContract", "NoContract"]
    );
    world.propose(task, 3);
    assert_eq!(words(&world.turn()), ["asked"]);
    world.say::<Owner, _>(Deployment, ContractRevoked { contract });
    assert_eq!(words(&world.turn()), ["NoContract"]);
    world.propose(task, 4);
    assert_eq!(words(&world.turn()), ["NoContract"]);
    world.submit(contract);
    assert_eq!(words(&world.turn()), ["not admitted: NoContract"]);
}

#[test]
fn cancelled_task_is_granted_nothing_and_its_questions_end() {
    let rules = "[[ask]]\ntool = \"t.any\"\nreason = \"r\"";
    let (mut world, contract, task) = World::with_task(rules);
    world.propose(task, 1);
    assert_eq!(words(&world.turn()), ["asked"]);
    world.propose(task, 2);
    world.say::<Owner, _>(task, TaskCancelled {});
    world.rebuild();
    assert_eq!(words(&world.turn()), ["Cancelled", "Cancelled"]);
    world.propose(task, 3);
    assert_eq!(words(&world.turn()), ["Cancelled"]);
    let other = world.submit(contract);
    assert_eq!(words(&world.turn()), ["admitted"]);
    world.propose(other, 4);
    assert_eq!(words(&world.turn()), ["asked"]);
}

#[test]
fn task_that_is_cancelled_before_its_admission_is_rejected() {
    let mut world = World::new();
    let contract = world.sign(RULES);
    let task = world.submit(contract);
    world.say::<Owner, _>(task, TaskCancelled {});
    let said = words(&world.turn());
    assert_eq!(said, ["activated", "not admitted: Cancelled"]);
}

#[test]
fn task_waits_for_the_verdict_on_its_contract() {
    let mut world = World::new();
    let contract = world.sign(RULES);
    world.submit(contract);
    assert!(!world.step_without_bytes(), "the document is not here yet");
    assert_eq!(words(&world.turn()), ["activated", "admitted"]);
}

#[test]
fn task_under_no_or_an_expired_contract_is_rejected() {
    let mut world = World::new();
    let contract = world.sign_text(&crate::text(RULES).replace("2036-12-31", "2027-01-20"));
    world.submit(Digest::ZERO);
    world.turn();
    world.log.now = "2027-01-20T23:59:59.999Z".parse().unwrap();
    world.submit(contract);
    assert_eq!(words(&world.turn()), ["admitted"]);
    world.pass_ms(1);
    world.submit(contract);
    assert_eq!(words(&world.turn()), ["not admitted: Expired"]);
}

#[test]
fn statement_that_is_not_the_owners_word_about_this_task_is_rejected() {
    let (mut world, contract, _) = World::with_task(RULES);
    let playbook = world.put(AuthorId::Gateway, b"p");
    let other = world.put(AuthorId::Gateway, b"q");
    let ids: Vec<_> = (1..=5).map(|id| TaskId::new(Uuid::from_u128(id))).collect();
    let said = |task: usize| TaskStatement {
        session: None,
        dialogue: None,
        deployment: deployment(),
        task: ids[task],
        contract,
        playbook,
        slots: None,
        at: START,
    };
    let elsewhere = TaskStatement {
        deployment: DeploymentId::new(Uuid::nil()),
        ..said(1)
    };
    let swapped = TaskStatement {
        playbook: other,
        ..said(3)
    };
    let tries = [
        (said(0), AuthorId::Gateway),
        (elsewhere, AuthorId::Owner),
        (said(0), AuthorId::Owner),
        (swapped, AuthorId::Owner),
    ];
    for (task, (said, by)) in tries.into_iter().enumerate() {
        let statement = Signed::new(&Statement::Task(said), &key(by));
        let fact = TaskSubmitted {
            statement,
            playbook,
            slots: None,
            dialogue: None,
        };
        world.say::<Gateway, _>(ids[task], fact);
        assert_eq!(
            words(&world.turn()),
            ["not admitted: BadStatement"],
            "{task}"
        );
    }
    let statement = Signed::new(&Statement::Task(said(4)), &key(AuthorId::Owner));
    let fact = TaskSubmitted {
        statement,
        playbook,
        slots: None,
        dialogue: None,
    };
    world.say::<Gateway, _>(ids[4], fact);
    assert_eq!(words(&world.turn()), ["admitted"]);
}

#[test]
fn task_id_is_used_once() {
    let (mut world, contract, task) = World::with_task(RULES);
    world.submit_as(task, contract);
    assert_eq!(words(&world.turn()), ["not admitted: Reused"]);
    world.propose(task, 1);
    assert_eq!(words(&world.turn()), ["granted"]);
    let end = TaskFinished {
        outcome: TaskOutcome::Succeeded,
        detail: None,
    };
    world.say::<Worker, _>(task, end);
    world.restart();
    world.submit_as(task, contract);
    assert_eq!(words(&world.turn()), ["not admitted: Reused"]);
    // Only the first of two waiting submissions counts.
    let twice = TaskId::new(Uuid::from_u128(7));
    world.submit_as(twice, contract);
    world.submit_as(twice, contract);
    assert_eq!(words(&world.turn()), ["admitted", "not admitted: Reused"]);
    world.propose(twice, 1);
    assert_eq!(words(&world.turn()), ["granted"]);
    world.rebuild();
}
