//! Tests of the shipped compose file on a real engine: hardening, reachability, faults. `.ci/run containers` runs them.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "what a test cannot have ends it; figures are printed"
)]

mod comes_up;
mod engine;
mod faults;
mod hard;
mod images;
mod probe;
mod reach;
mod scripts;
mod secrets;
mod servers;
mod stack;
mod table;
mod tailnet;
mod weaker;
