//! Tests which refresh tokens take the place of a value, and that later releases have them.

use bus_schema::{Deployment, HaltOrdered, NotReleased, Owner};

use crate::world::{VALUE, World, draft, refreshed};

fn renewed(world: &mut World, terms: &secret::SecretTerms) -> Result<(), NotReleased> {
    let answer = world.renew(2, terms, "the next one");
    world.end(2, answer)
}

#[test]
fn a_renewal_takes_the_place_of_the_value_that_was_released() {
    let mut world = World::new();
    let terms = world.set_refresh_token(2);
    world.claim(draft(2));
    assert_eq!(renewed(&mut world, &terms), Err(NotReleased::NotClaimed));
    let mut answer = world.ask(2, "crm");
    assert_eq!(world.turn().len(), 1);
    assert_eq!(
        world.opened(answer.try_recv().unwrap()),
        (2, VALUE.to_owned())
    );
    assert_eq!(renewed(&mut world, &terms), Ok(()));
    // The same again has the same answer, and adds nothing.
    let count = world.log.messages.len();
    assert_eq!(renewed(&mut world, &terms), Ok(()));
    assert_eq!(world.log.messages.len(), count);
    world.restart();
    world.claim(draft(3));
    let mut answer = world.ask(3, "crm");
    assert_eq!(world.turn().len(), 1);
    let expected = (2, "the next one".to_owned());
    assert_eq!(world.opened(answer.try_recv().unwrap()), expected);
}

#[test]
fn a_newer_version_of_the_owner_has_the_value_of_the_owner() {
    let mut world = World::new();
    let terms = world.set_refresh_token(2);
    world.claim(draft(2));
    drop(world.ask(2, "crm"));
    assert_eq!(world.turn().len(), 1);
    assert_eq!(renewed(&mut world, &terms), Ok(()));
    world.set_refresh_token(3);
    world.claim(draft(3));
    let mut answer = world.ask(3, "crm");
    assert_eq!(world.turn().len(), 1);
    assert_eq!(
        world.opened(answer.try_recv().unwrap()),
        (3, VALUE.to_owned())
    );
}

#[test]
fn a_halt_after_the_release_loses_no_value() {
    let mut world = World::new();
    let terms = world.set_refresh_token(2);
    world.claim(draft(2));
    drop(world.ask(2, "crm"));
    assert_eq!(world.turn().len(), 1);
    world.say::<Owner, _>(Deployment, HaltOrdered {});
    assert_eq!(renewed(&mut world, &terms), Ok(()));
}

#[test]
fn a_call_that_ends_during_the_exchange_loses_no_value() {
    let mut world = World::new();
    let terms = world.set_refresh_token(2);
    world.claim(draft(2));
    drop(world.ask(2, "crm"));
    assert_eq!(world.turn().len(), 1);
    world.finish(2);
    world.restart();
    assert_eq!(renewed(&mut world, &terms), Ok(()));
    // It is released no more for that action, and later ones have the next value.
    let answer = world.ask(2, "crm");
    assert_eq!(world.end(2, answer).unwrap_err(), NotReleased::NotClaimed);
    world.claim(draft(3));
    let mut answer = world.ask(3, "crm");
    assert_eq!(world.turn().len(), 1);
    let expected = (2, "the next one".to_owned());
    assert_eq!(world.opened(answer.try_recv().unwrap()), expected);
    // A minute later it is too late.
    world.log.now = world.log.now.plus_ms(61_000);
    world.claim(draft(4));
    let answer = world.renew(2, &terms, "one after that");
    assert_eq!(world.end(2, answer), Err(NotReleased::Unread));
}

#[test]
fn nothing_else_takes_the_place_of_a_value() {
    let released = |world: &mut World| {
        world.claim(draft(2));
        let mut answer = world.ask(2, "crm");
        assert_eq!(world.turn().len(), 1);
        answer.try_recv().unwrap().unwrap();
    };
    // Terms that the owner did not sign: another endpoint, or another version.
    let mut world = World::new();
    let terms = world.set_refresh_token(2);
    released(&mut world);
    for other in [
        refreshed(2, "https://evil.example.com/token"),
        refreshed(3, "https://login.example.com/token"),
    ] {
        assert_eq!(renewed(&mut world, &other), Err(NotReleased::Seal));
    }
    // An action for which nothing was released.
    world.claim(draft(3));
    let answer = world.renew(3, &terms, "the next one");
    assert_eq!(world.end(3, answer), Err(NotReleased::NotClaimed));
    world.finish(3);
    let answer = world.renew(3, &terms, "the next one");
    assert_eq!(world.end(3, answer), Err(NotReleased::Unread));
    // A secret that no endpoint takes.
    let mut world = World::new();
    let fixed = world.terms(2);
    released(&mut world);
    assert_eq!(renewed(&mut world, &fixed), Err(NotReleased::Terms));
}
