//! Checks that what the owner says to a running task counts, once and in order, and that nobody else can say it or move the task.

use bus_schema::{
    AmendStatement, AuthorId, ContractAnswered, DeploymentId, Digest, Gateway, SAID_BYTES_MAX,
    SaidStatement, Signed, Statement, TaskId, TaskSaid,
};
use uuid::Uuid;

use crate::world::{START, USAGE, World, deployment, key, words};

const SPOKEN: &str = "[[allow]]\ntool = \"mail.send\"\nwhere.to = { from = \"task\" }";
const FIRST: &str =
    "[[allow]]\nname = \"any\"\ntool = \"t.any\"\nwhere.n = { max = 1 }\ncalls = 2\n";

/// A change of a statement before it is signed.
type Falsify<S> = fn(&mut S);

fn other() -> Uuid {
    Uuid::from_u128(99)
}

fn mail(world: &mut World, task: TaskId, to: &str) -> Vec<String> {
    let args = format!(r#"{{"body":"hi","to":"{to}"}}"#);
    world.propose_json(task, "mail.send", args.as_bytes());
    words(&world.turn())
}

fn statement(world: &mut World, task: TaskId, number: u16, words: &str) -> SaidStatement {
    SaidStatement {
        deployment: deployment(),
        task,
        number,
        words: world.put(AuthorId::Gateway, words.as_bytes()),
        at: START,
    }
}

fn carry(world: &mut World, task: TaskId, said: SaidStatement, by: AuthorId) {
    let words = said.words;
    let statement = Signed::new(&Statement::Said(said), &key(by));
    world.say::<Gateway, _>(task, TaskSaid { statement, words });
}

#[test]
fn further_words_of_the_owner_count_as_the_task_does() {
    let (mut world, _, task) = World::with_task(SPOKEN);
    assert_eq!(mail(&mut world, task, "ann@b.example"), ["NotAllowed"]);
    let said = statement(&mut world, task, 0, "Write to ann@b.example");
    carry(&mut world, task, said, AuthorId::Owner);
    world.restart();
    assert_eq!(mail(&mut world, task, "ann@b.example"), ["granted"]);
    assert_eq!(mail(&mut world, task, "bob@b.example"), ["NotAllowed"]);
    let said = statement(&mut world, task, 1, "and to bob@b.example");
    carry(&mut world, task, said, AuthorId::Owner);
    world.rebuild();
    assert_eq!(mail(&mut world, task, "bob@b.example"), ["granted"]);
    assert_eq!(mail(&mut world, task, "ann@b.example"), ["granted"]);
}

#[test]
fn no_words_count_if_some_of_them_were_erased() {
    let (mut world, _, task) = World::with_task(SPOKEN);
    for (number, text) in [(0, "Write to ann@b.example"), (1, "and to bob@b.example")] {
        let said = statement(&mut world, task, number, text);
        carry(&mut world, task, said, AuthorId::Owner);
    }
    world.erase_bytes(b"and to bob@b.example");
    assert_eq!(mail(&mut world, task, "ann@b.example"), ["NotAllowed"]);
}

#[test]
fn a_stolen_gateway_puts_no_words_into_the_owners_mouth() {
    let changes: [(&str, Falsify<SaidStatement>); 5] = [
        ("another task", |said| said.task = TaskId::new(other())),
        ("another deployment", |said| {
            said.deployment = DeploymentId::new(other())
        }),
        ("a later number", |said| said.number = 1),
        ("a number far too high", |said| said.number = u16::MAX),
        ("nothing", |_| ()),
    ];
    for (change, apply) in changes {
        for by in [AuthorId::Owner, AuthorId::Gateway] {
            let (mut world, _, task) = World::with_task(SPOKEN);
            let mut said = statement(&mut world, task, 0, "Write to eve@b.example");
            apply(&mut said);
            carry(&mut world, task, said, by);
            let genuine = change == "nothing" && by == AuthorId::Owner;
            let expected = if genuine { "granted" } else { "NotAllowed" };
            assert_eq!(
                mail(&mut world, task, "eve@b.example"),
                [expected],
                "{change} {by}"
            );
        }
    }
    let (mut world, _, task) = World::with_task(SPOKEN);
    // Other words than the signed ones.
    let said = statement(&mut world, task, 0, "Write to ann@b.example");
    let others = world.put(AuthorId::Gateway, b"Write to eve@b.example");
    let statement_of =
        |said: &SaidStatement| Signed::new(&Statement::Said(said.clone()), &key(AuthorId::Owner));
    let swapped = TaskSaid {
        statement: statement_of(&said),
        words: others,
    };
    world.say::<Gateway, _>(task, swapped);
    assert_eq!(mail(&mut world, task, "eve@b.example"), ["NotAllowed"]);
    // Words too long to be said.
    let long = format!("Write to eve@b.example {}", "x".repeat(SAID_BYTES_MAX));
    let said = statement(&mut world, task, 0, &long);
    carry(&mut world, task, said, AuthorId::Owner);
    assert_eq!(mail(&mut world, task, "eve@b.example"), ["NotAllowed"]);
    // The second words first: they wait for nothing and are lost, until they are said in their order.
    let second = statement(&mut world, task, 1, "and to bob@b.example");
    carry(&mut world, task, second.clone(), AuthorId::Owner);
    assert_eq!(mail(&mut world, task, "bob@b.example"), ["NotAllowed"]);
    let first = statement(&mut world, task, 0, "Write to ann@b.example");
    carry(&mut world, task, first, AuthorId::Owner);
    assert_eq!(mail(&mut world, task, "bob@b.example"), ["NotAllowed"]);
    carry(&mut world, task, second, AuthorId::Owner);
    assert_eq!(mail(&mut world, task, "bob@b.example"), ["granted"]);
}

/// The second version, with more room.
fn second(world: &mut World) -> Digest {
    let text = crate::text(&FIRST.replace("max = 1", "max = 2"));
    let text = text.replace("version = 1", "version = 2");
    world.sign_text(&text)
}

fn digest_of_second() -> Digest {
    let mut world = World::new();
    second(&mut world)
}

fn amendment(task: TaskId, from: Digest) -> AmendStatement {
    AmendStatement {
        deployment: deployment(),
        task,
        request: 0,
        from,
        to: Some(digest_of_second()),
        at: START,
    }
}

fn amend(world: &mut World, task: TaskId, said: AmendStatement, by: AuthorId) {
    let statement = Signed::new(&Statement::Amend(said), &key(by));
    world.say::<Gateway, _>(task, ContractAnswered { statement });
}

/// Proposes the call, executes it if it is granted, and returns the verdict.
fn called(world: &mut World, task: TaskId, n: i64) -> Vec<String> {
    let action = world.propose(task, n);
    let said = words(&world.turn());
    if said == ["granted"] {
        world.start(task, action);
        world.finish(task, action, USAGE);
    }
    said
}

#[test]
fn a_signed_answer_moves_the_task_and_what_it_used_stays_counted() {
    for signed_first in [false, true] {
        let (mut world, contract, task) = World::with_task(FIRST);
        assert_eq!(called(&mut world, task, 1), ["granted"]);
        assert_eq!(called(&mut world, task, 2), ["NotAllowed"]);
        if signed_first {
            second(&mut world);
            world.turn();
            assert_eq!(called(&mut world, task, 1), ["NoContract"]);
        }
        amend(&mut world, task, amendment(task, contract), AuthorId::Owner);
        if !signed_first {
            // Until the new version is in force, the old one holds.
            assert_eq!(called(&mut world, task, 2), ["NotAllowed"]);
            // A proposal that waits is decided under the new version.
            second(&mut world);
            assert_eq!(words(&world.turn()), ["activated"]);
        }
        world.rebuild();
        assert_eq!(called(&mut world, task, 2), ["granted"], "{signed_first}");
        assert_eq!(called(&mut world, task, 2), ["Limit"], "{signed_first}");
    }
}

#[test]
fn a_later_no_takes_a_yes_back_and_no_answer_counts_twice() {
    let (mut world, contract, task) = World::with_task(FIRST);
    let yes = amendment(task, contract);
    let no = AmendStatement {
        to: None,
        ..yes.clone()
    };
    for said in [yes.clone(), no, yes] {
        amend(&mut world, task, said, AuthorId::Owner);
    }
    second(&mut world);
    assert_eq!(words(&world.turn()), ["activated"]);
    assert_eq!(called(&mut world, task, 2), ["NoContract"]);
}

#[test]
fn a_stolen_gateway_moves_no_task() {
    let changes: [(&str, Falsify<AmendStatement>); 5] = [
        ("another task", |said| said.task = TaskId::new(other())),
        ("another deployment", |said| {
            said.deployment = DeploymentId::new(other())
        }),
        ("another contract before", |said| said.from = Digest::ZERO),
        ("a refusal", |said| said.to = None),
        ("nothing", |_| ()),
    ];
    for (change, apply) in changes {
        for by in [AuthorId::Owner, AuthorId::Gateway, AuthorId::Engine] {
            let (mut world, contract, task) = World::with_task(FIRST);
            let mut said = amendment(task, contract);
            apply(&mut said);
            amend(&mut world, task, said, by);
            second(&mut world);
            world.turn();
            let genuine = change == "nothing" && by == AuthorId::Owner;
            let expected = if genuine { "granted" } else { "NoContract" };
            assert_eq!(called(&mut world, task, 2), [expected], "{change} {by}");
        }
    }
}
