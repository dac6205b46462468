//! Integration tests of the contract language: verdicts, messages and properties.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a panic is how a test fails"
)]

mod admission;
mod adversary;
mod catalogue;
mod conformance;
mod diff;
mod draft;
mod envelope;
mod example;
mod examples;
mod explain;
mod fix_property;
mod folders;
mod http;
mod http_pages;
mod http_secrets;
mod known;
mod laws;
mod messages;
mod offers;
mod otherwise;
mod parts;
mod patterns;
mod pins;
mod properties;
mod reach;
mod refusals;
mod round_trip;
mod seen;
mod show;
mod slots;
mod strict_json;
mod witness;
mod words;

use std::sync::LazyLock;

use diagnostic::Diagnostics;

use contract::{Catalogue, Contract, ContractTotals, Record, View};

/// The tools of the conformance set.
fn tools() -> Catalogue {
    Catalogue::parse(include_bytes!("../conformance/tools.json")).unwrap()
}

/// Returns the text of a contract with these rules, in force to the end of 2036.
fn text(rules: &str) -> String {
    let head =
        "contract = \"c\"\nversion = 1\npurpose = \"p\"\nowner = \"o\"\nexpires = 2036-12-31";
    format!("{head}\n{rules}")
}

/// Returns the view at `now_ms` of the only task of a contract, with this record.
fn view<'a>(now_ms: i64, record: &'a Record) -> View<'a> {
    static ALONE: LazyLock<ContractTotals> = LazyLock::new(ContractTotals::default);
    View {
        now_ms,
        record,
        shared: &ALONE,
    }
}

/// Parses a contract whose rules may be dead beside others, as generated and small ones are. Its inline tests hold.
fn parse(text: &str, tools: &Catalogue) -> Result<Contract, Diagnostics> {
    let (contract, faults) = Contract::parse_with_faults("c.toml", text, tools)?;
    let tested = text.contains("[[test]]");
    if tested {
        faults.map(|()| contract)
    } else {
        Ok(contract)
    }
}

/// Parses the contract of [`text`].
fn contract(rules: &str, tools: &Catalogue) -> Contract {
    parse(&text(rules), tools).unwrap_or_else(|found| panic!("{found}"))
}
