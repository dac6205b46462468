//! Checks that every rule, written as TOML, parses to the same rule.

use std::path::Path;

use contract::{Catalogue, Contract};
use serde::Deserialize;

#[derive(Deserialize)]
struct Rules {
    rules: String,
    tools: Option<String>,
}

/// Writes the head of a contract as it is, and each of its rules as the library does.
fn written(rules: &str, contract: &Contract) -> String {
    let mut head: toml::Table = toml::from_str(&crate::text(rules)).unwrap();
    // Under a limit of tokens, `tokens = 0` would have to be written, which says nothing else.
    for word in ["allow", "ask", "deny", "test", "limits"] {
        head.remove(word);
    }
    let rules: Vec<String> = contract.rules().map(ToString::to_string).collect();
    let none = if rules.is_empty() { "allow = []\n" } else { "" };
    let head = toml::to_string(&head).unwrap();
    format!("{none}{head}\n{}", rules.join("\n"))
}

#[test]
fn every_rule_of_the_conformance_set_parses_to_itself_when_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance");
    let mut compared = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|end| end != "toml") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let Rules { rules, tools } = toml::from_str(&text).unwrap();
        let tools = tools.map_or_else(crate::tools, |own| {
            Catalogue::parse(own.as_bytes()).unwrap()
        });
        let contract = crate::contract(&rules, &tools);
        let text = written(&rules, &contract);
        let again = crate::parse(&text, &tools)
            .unwrap_or_else(|found| panic!("{}: {found}", path.display()));
        let (own, other) = (contract.rules(), again.rules());
        assert!(own.eq(other), "{}:\n{text}", path.display());
        compared += contract.rules().count();
    }
    assert!(compared >= 140, "{compared}");
}
