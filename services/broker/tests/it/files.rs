//! Tests sealed values in files, and which sealed values are fetched again.

use actor::Core as _;
use bus_schema::NotReleased;

use crate::world::{VALUE, World, draft, id, name, said};

/// Claims the action, asks for the secret, and returns its version and value.
fn released(world: &mut World, n: u32) -> Result<(u32, String), NotReleased> {
    world.claim(draft(n));
    let mut answer = world.ask(n, "crm");
    let on_record = world.turn();
    let reply = answer.try_recv().unwrap();
    assert_eq!(on_record.len(), usize::from(reply.is_ok()));
    reply.map(|reply| world.opened(Ok(reply)))
}

#[test]
fn a_value_in_a_file_is_released_as_one_on_the_record() {
    let mut world = World::new();
    world.set_in_file(2);
    world.claim(draft(2));
    let mut answer = world.ask(2, "crm");
    assert_eq!(said(&world.turn()), [(id(2), name("crm"), 2)]);
    let opened = world.opened(answer.try_recv().unwrap());
    assert_eq!(opened, (2, VALUE.to_owned()));
}

#[test]
fn without_the_signed_file_nothing_is_released() {
    type Change = fn(&mut World, &str);
    let changes: [(Change, NotReleased); 6] = [
        (
            |world, file| drop(world.files.remove(file)),
            NotReleased::NoFile,
        ),
        (
            |world, file| drop(world.files.insert(file.to_owned(), Vec::new())),
            NotReleased::OtherFile,
        ),
        (
            |world, file| world.files.get_mut(file).unwrap().push(0),
            NotReleased::OtherFile,
        ),
        (
            |world, file| *world.files.get_mut(file).unwrap().last_mut().unwrap() ^= 1,
            NotReleased::OtherFile,
        ),
        // The file of another version, whose seals open as well.
        (
            |world, file| {
                let other = world.set_in_file(3);
                let other = world.files[&other].clone();
                world
                    .files
                    .insert("crm.3".to_owned(), world.files[file].clone());
                world.files.insert(file.to_owned(), other);
            },
            NotReleased::OtherFile,
        ),
        // The form of the record in the file.
        (
            |world, file| drop(world.files.insert(file.to_owned(), b"{}".to_vec())),
            NotReleased::OtherFile,
        ),
    ];
    for (change, why) in changes {
        let mut world = World::new();
        let file = world.set_in_file(2);
        change(&mut world, &file);
        assert_eq!(released(&mut world, 2), Err(why));
    }
}

#[test]
fn a_file_that_is_removed_withdraws_its_value_at_once() {
    let mut world = World::new();
    let file = world.set_in_file(2);
    assert!(released(&mut world, 2).is_ok());
    let kept = world.files.remove(&file).unwrap();
    assert_eq!(released(&mut world, 3), Err(NotReleased::NoFile));
    world.files.insert(file, kept);
    assert!(released(&mut world, 4).is_ok());
}

#[test]
fn a_value_on_the_record_is_fetched_once_for_each_version() {
    let mut world = World::new();
    for n in 2..5 {
        assert_eq!(released(&mut world, n).unwrap().0, 1);
    }
    assert_eq!(world.fetches.get(), 1);
    world.set(2, &["api.example.com"]);
    assert_eq!(released(&mut world, 5).unwrap().0, 2);
    assert_eq!(world.fetches.get(), 2);
    world.restart();
    assert_eq!(released(&mut world, 6).unwrap().0, 2);
    assert_eq!(world.fetches.get(), 3);
}

#[test]
fn the_stream_is_read_at_once_from_the_grant_to_the_release() {
    let mut world = World::new();
    assert!(!world.core.hurries());
    let mut other = draft(2);
    other.secrets.clear();
    world.claim(other);
    assert!(!world.core.hurries(), "no secret is needed");
    world.grant(draft(3));
    assert!(world.core.hurries());
    world.start(3);
    assert!(world.core.hurries());
    let _answer = world.ask(3, "crm");
    assert_eq!(world.turn().len(), 1);
    assert!(!world.core.hurries());
    world.grant(draft(4));
    world.start(4);
    world.finish(4);
    assert!(!world.core.hurries(), "it ended without a release");
}
