//! The proposer of a task: the engine for a session or a dialogue, the worker for a playbook; nobody else proposes in it or ends it.

use bus_schema::{
    ActionId, ActionProposed, Author, AuthorId, CanPublish, Digest, Engine, Signed, Statement,
    TaskFinished, TaskId, TaskOutcome, TaskStatement, TaskSubmitted, Worker,
};

use crate::world::{World, deployment, key, words};

const RULES: &str = "[[allow]]\ntool = \"t.any\"\nwhere.n = { min = 0, max = 5 }\n";

/// The sort of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Playbook,
    Session,
    Dialogue,
}

fn submit(world: &mut World, contract: Digest, sort: Sort) -> TaskId {
    let task = TaskId::new(world.id());
    let playbook = world.put(AuthorId::Gateway, b"p");
    let document = world.put(AuthorId::Gateway, b"{}");
    let dialogue = (sort == Sort::Dialogue).then_some(document);
    let session = bus_schema::public_key(&key(AuthorId::Audit));
    let statement = TaskStatement {
        session: (sort == Sort::Session).then_some(session),
        deployment: deployment(),
        task,
        contract,
        playbook,
        slots: None,
        dialogue,
        at: world.log.now,
    };
    let statement = Signed::new(&Statement::Task(statement), &key(AuthorId::Owner));
    let fact = TaskSubmitted {
        statement,
        playbook,
        slots: None,
        dialogue,
    };
    world.say::<bus_schema::Gateway, _>(task, fact);
    world.turn();
    task
}

fn propose<A: Author + CanPublish<ActionProposed>>(world: &mut World, task: TaskId) -> ActionId {
    let action = ActionId::new(world.id());
    propose_as::<A>(world, task, action);
    action
}

fn propose_as<A: Author + CanPublish<ActionProposed>>(
    world: &mut World,
    task: TaskId,
    action: ActionId,
) {
    let args = world.put(A::ID, br#"{"n":1}"#);
    let fact = ActionProposed {
        action,
        step: "call-0".parse().unwrap(),
        index: 0,
        item: 0,
        items: 1,
        attempt: 1,
        tool: "t.any".parse().unwrap(),
        args,
    };
    world.say::<A, _>(task, fact);
}

fn finish<A: Author + CanPublish<TaskFinished>>(world: &mut World, task: TaskId) {
    let outcome = TaskOutcome::Failed;
    let detail = None;
    world.say::<A, _>(task, TaskFinished { outcome, detail });
}

#[test]
fn only_the_proposer_of_a_task_proposes_in_it_and_ends_it() {
    for sort in [Sort::Playbook, Sort::Session, Sort::Dialogue] {
        let (mut world, contract, _) = World::with_task(RULES);
        let task = submit(&mut world, contract, sort);
        let of_engine = sort != Sort::Playbook;
        if of_engine {
            propose::<Worker>(&mut world, task);
            finish::<Worker>(&mut world, task);
        } else {
            propose::<Engine>(&mut world, task);
            finish::<Engine>(&mut world, task);
        }
        assert_eq!(world.turn().len(), 0, "{sort:?}");
        if of_engine {
            propose::<Engine>(&mut world, task);
        } else {
            propose::<Worker>(&mut world, task);
        }
        assert_eq!(words(&world.turn()), ["granted"], "{sort:?}");
    }
}

#[test]
fn a_dialogue_that_the_owner_did_not_sign_is_rejected() {
    let (mut world, contract, _) = World::with_task(RULES);
    let task = TaskId::new(world.id());
    let playbook = world.put(AuthorId::Gateway, b"p");
    let [signed, sent] = [b"{}", b"[]"].map(|document| world.put(AuthorId::Gateway, document));
    let statement = TaskStatement {
        session: None,
        deployment: deployment(),
        task,
        contract,
        playbook,
        slots: None,
        dialogue: Some(signed),
        at: world.log.now,
    };
    let statement = Signed::new(&Statement::Task(statement), &key(AuthorId::Owner));
    let fact = TaskSubmitted {
        statement,
        playbook,
        slots: None,
        dialogue: Some(sent),
    };
    world.say::<bus_schema::Gateway, _>(task, fact);
    assert_eq!(words(&world.turn()), ["not admitted: BadStatement"]);
}

#[test]
fn an_id_that_another_author_used_is_free_for_the_proposer() {
    let (mut world, contract, _) = World::with_task(RULES);
    let task = submit(&mut world, contract, Sort::Session);
    let action = propose::<Worker>(&mut world, task);
    world.turn();
    propose_as::<Engine>(&mut world, task, action);
    assert_eq!(words(&world.turn()), ["granted"]);
}
