//! Tests of the shipped compose file on a real engine: hardening, reachability, faults. `.ci/run containers` runs them.

mod comes_up;
mod engine;
mod faults;
mod hard;
mod images;
mod probe;
mod reach;
mod scripts;
mod stack;
mod table;
mod tailnet;
mod weaker;
