//! Tests the core of policy from outside, with a bus in memory.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a panic is how a test fails"
)]

mod actions;
mod admission;
mod approvals;
mod budgets;
mod catalogue;
mod config;
mod contracts;
mod devices;
mod history;
mod interleavings;
mod lifecycle;
#[cfg(test)]
mod messages;
mod parts;
mod pins;
#[path = "../../../contract/tests/it/examples/proposals.rs"]
mod proposals;
mod reload;
mod repeats;
mod retries;
mod roles;
#[cfg(test)]
mod runs;
mod same;
mod sessions;
mod slots;
mod spoken;
mod starts;
mod world;

use contract::{Catalogue, Contract};

/// The tools of the conformance set.
fn tools() -> Catalogue {
    Catalogue::parse(include_bytes!(
        "../../../contract/tests/conformance/tools.json"
    ))
    .unwrap()
}

/// The text of a contract with these rules, in force to the end of 2036.
fn text(rules: &str) -> String {
    let head =
        "contract = \"c\"\nversion = 1\npurpose = \"p\"\nowner = \"o\"\nexpires = 2036-12-31";
    format!("{head}\n{rules}")
}

/// The contract of [`text`].
fn contract(rules: &str, tools: &Catalogue) -> Contract {
    Contract::parse("c.toml", &text(rules), tools).unwrap_or_else(|found| panic!("{found}"))
}
