//! The starts of the deployment: all of its main actors start, in any order, and the restart of some of them is none.

use bus_schema::{
    AuthorId, DeploymentStarts, Meta, START_ACTORS, START_MS_MAX, STARTS_MAX, Time,
    testing::event_id,
};

use crate::fixture::T0;

fn meta(by: AuthorId, seq: u64, stored: Time) -> Meta {
    Meta {
        by,
        task: None,
        id: event_id(seq),
        cause: None,
        seq,
        stored,
        at: stored,
    }
}

/// Folds the start of each of these actors, and returns the number of starts of the deployment that were complete.
fn fold(starts: &mut DeploymentStarts, actors: &[AuthorId], from: u64) -> usize {
    let metas = (from..).zip(actors);
    let metas = metas.map(|(seq, by)| meta(*by, seq, T0.plus_ms(seq * 1_000)));
    metas.filter(|meta| starts.fold(meta)).count()
}

#[test]
fn a_start_is_complete_with_the_last_of_the_main_actors() {
    let mut starts = DeploymentStarts::default();
    let (last, others) = START_ACTORS.split_last().unwrap();
    assert_eq!(fold(&mut starts, others, 1), 0);
    // Others, and those that start once more, are not the last one.
    let more = [AuthorId::Ui, AuthorId::Policy, AuthorId::Egress];
    assert_eq!((fold(&mut starts, &more, 6), starts.last()), (0, None));
    assert_eq!(fold(&mut starts, &[*last], 9), 1);
    let at = T0.plus_ms(9_000);
    assert_eq!(starts.last(), Some((event_id(9), at)));
    assert_eq!(
        (starts.at(event_id(9)), starts.at(event_id(8))),
        (Some(at), None)
    );
}

#[test]
fn the_restart_of_some_actors_is_no_start() {
    let mut starts = DeploymentStarts::default();
    assert_eq!(fold(&mut starts, &START_ACTORS, 1), 1);
    for from in (10..90).step_by(10) {
        let some = [AuthorId::Scheduler, AuthorId::Worker, AuthorId::Policy];
        assert_eq!(fold(&mut starts, &some, from), 0);
    }
    assert_eq!(fold(&mut starts, &START_ACTORS, 90), 1);
}

#[test]
fn actors_that_start_far_from_each_other_are_no_start() {
    let mut starts = DeploymentStarts::default();
    let each = START_MS_MAX / 1_000 / 3;
    let slow = (1..).zip(START_ACTORS.iter().cycle().take(24));
    let mut slow = slow.map(|(n, by)| meta(*by, n, T0.plus_ms(n * each * 1_000)));
    assert!(!slow.any(|meta| starts.fold(&meta)));
}

#[test]
fn a_bounded_number_of_starts_is_remembered() {
    let mut starts = DeploymentStarts::default();
    for round in 0..=STARTS_MAX as u64 {
        assert_eq!(fold(&mut starts, &START_ACTORS, 1 + round * 6), 1);
    }
    assert_eq!(starts.at(event_id(6)), None);
    assert!(starts.at(event_id(12)).is_some());
}
