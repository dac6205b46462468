//! Lets policy decide each call of `tests/conformance` after the owner has signed the documents of its case.

use std::path::Path;

use bus_schema::PolicyFact;
use serde::Deserialize;

use crate::world::{World, words};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    rules: String,
    case: Vec<Case>,
}

/// Documents that the owner signs, and the verdict on a call after them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    is: String,
    tool: String,
    args: String,
    verdict: String,
    rule: String,
    code: Option<String>,
    signed: Vec<Signing>,
    /// True if the task begins after that.
    #[serde(default)]
    new_task: bool,
}

/// Another document under the name of the contract, and policy's verdict on it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Signing {
    version: u32,
    rules: String,
    /// `activated`, or `rejected: ` and the code.
    said: String,
    /// Part of the explanation of a rejection.
    #[serde(default)]
    why: String,
}

#[test]
fn every_call_is_decided_by_the_contract_in_force() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/reload.toml");
    let file: File = toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let text = crate::text(&file.rules);
    let wrong: Vec<String> = (file.case.iter())
        .filter_map(|case| Some(format!("{}: {}", case.is, reloaded(&text, case).err()?)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(file.case.len() >= 7, "cases are missing");
}

/// Lets policy itself decide the call, after the owner has signed the documents of the case.
fn reloaded(text: &str, case: &Case) -> Result<(), String> {
    let mut world = World::new();
    let mut contract = world.sign_text(text);
    let mut task = world.submit(contract);
    world.turn();
    for signing in &case.signed {
        let version = format!("version = {}", signing.version);
        let text = crate::text(&signing.rules).replace("version = 1", &version);
        crate::contracts::offer(&mut world, &text, |_| {});
        let facts = world.turn();
        if words(&facts) != [signing.said.as_str()] {
            return Err(format!("version {}: {facts:?}", signing.version));
        }
        if let PolicyFact::ContractActivated(_, fact) = &facts[0] {
            contract = fact.contract;
        }
        if let PolicyFact::ContractRejected(_, fact) = &facts[0] {
            let why = world.why(fact.why);
            if !why.contains(&signing.why) {
                return Err(why);
            }
        }
    }
    if case.new_task {
        task = world.submit(contract);
        world.turn();
    }
    world.propose_json(task, &case.tool, case.args.as_bytes());
    let facts = world.turn();
    let (verdict, rule, code) = match &facts[..] {
        [PolicyFact::ActionGranted(_, fact)] => ("granted", &fact.grant.draft.rule, None),
        [PolicyFact::ApprovalRequested(_, fact)] => ("ask", &fact.draft.rule, None),
        [PolicyFact::ActionRefused(_, fact)] => {
            let code = serde_json::to_value(fact.code).unwrap();
            let code = code.as_str().unwrap().replace('_', "-");
            ("refused", &fact.rule, Some(code))
        }
        other => return Err(format!("{other:?}")),
    };
    world.rebuild();
    let written = (case.verdict.as_str(), case.rule.as_str(), case.code.clone());
    let found = (verdict, rule.as_str(), code);
    if found == written {
        Ok(())
    } else {
        Err(format!("{found:?}"))
    }
}
