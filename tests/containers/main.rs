//! The shipped compose file on a real engine: hardening, reachability, faults, figures. `.ci/run containers` runs it.

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
