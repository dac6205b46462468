//! The proposer of a task: the engine for a session, the worker for a playbook; nobody else proposes in it or ends it.

use bus_schema::{
    ActionId, ActionProposed, Author, AuthorId, CanPublish, Digest, Engine, Signed, Statement,
    TaskFinished, TaskId, TaskOutcome, TaskStatement, TaskSubmitted, Worker,
};

use crate::world::{World, deployment, key, words};

const RULES: &str = "[[allow]]\ntool = \"t.any\"\nwhere.n = { min = 0, max = 5 }\n";

fn submit(world: &mut World, contract: Digest, is_session: bool) -> TaskId {
    let task = TaskId::new(world.id());
    let playbook = world.put(AuthorId::Gateway, b"p");
    let session = bus_schema::public_key(&key(AuthorId::Audit));
    let statement = TaskStatement {
        session: is_session.then_some(session),
        deployment: deployment(),
        task,
        contract,
        playbook,
        slots: None,
        dialogue: None,
        at: world.log.now,
    };
    let statement = Signed::new(&Statement::Task(statement), &key(AuthorId::Owner));
    let fact = TaskSubmitted {
        statement,
        playbook,
        slots: None,
        dialogue: None,
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
    for is_session in [true, false] {
        let (mut world, contract, _) = World::with_task(RULES);
        let task = submit(&mut world, contract, is_session);
        if is_session {
            propose::<Worker>(&mut world, task);
            finish::<Worker>(&mut world, task);
        } else {
            propose::<Engine>(&mut world, task);
            finish::<Engine>(&mut world, task);
        }
        assert_eq!(world.turn().len(), 0, "session: {is_session}");
        if is_session {
            propose::<Engine>(&mut world, task);
        } else {
            propose::<Worker>(&mut world, task);
        }
        assert_eq!(words(&world.turn()), ["granted"], "session: {is_session}");
    }
}

#[test]
fn an_id_that_another_author_used_is_free_for_the_proposer() {
    let (mut world, contract, _) = World::with_task(RULES);
    let task = submit(&mut world, contract, true);
    let action = propose::<Worker>(&mut world, task);
    world.turn();
    propose_as::<Engine>(&mut world, task, action);
    assert_eq!(words(&world.turn()), ["granted"]);
}
