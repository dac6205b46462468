//! A call of a program that does nothing stays cheap.

use actor::Clock;
use std::path::Path;

use crate::call::{Ground, program};

#[tokio::test]
async fn an_empty_program_costs_little() {
    let ground = Ground::new();
    let mut costs_us = Vec::new();
    for _ in 0..100 {
        let clock = Clock::system();
        ground
            .run(program(Path::new("/bin/true"), &[]))
            .await
            .unwrap();
        costs_us.push(clock.elapsed().as_micros());
    }
    costs_us.sort_unstable();
    let (median, worst) = (costs_us[50], costs_us[98]);
    assert!(
        median < 100_000,
        "median {median} µs, 99th percentile {worst} µs"
    );
}
