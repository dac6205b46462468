//! Decides every call of `tests/conformance` and compares rule, code and fix with the file.
//!
//! To add a case, add a `[[case]]` to a file there, or a file.

use std::collections::BTreeMap;
use std::path::Path;

use bus_schema::RuleId;
use policy::{Call, Catalogue, Contract, Task, Verdict, decide};
use serde::Deserialize;

/// The least number of cases; grows with the set.
const CASES_MIN: usize = 148;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    rules: String,
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    is: String,
    tool: String,
    args: String,
    verdict: String,
    rule: String,
    code: Option<String>,
    fix: Option<String>,
    #[serde(default)]
    no_fix: bool,
    now: Option<String>,
    #[serde(default)]
    calls: u64,
    #[serde(default)]
    by_rule: BTreeMap<RuleId, u64>,
    #[serde(default)]
    wall_ms: u64,
    #[serde(default)]
    output_bytes: u64,
    wall_left: Option<u64>,
    output_left: Option<u64>,
    expires_ms: Option<u64>,
}

#[test]
fn every_case_is_decided_as_written() {
    let tools = crate::tools();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance");
    let (mut cases, mut wrong) = (0, Vec::new());
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let file: File = toml::from_str(&std::fs::read_to_string(&path).unwrap())
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let text = crate::text(&file.rules);
        let contract = Contract::parse("case", &text, &tools)
            .unwrap_or_else(|found| panic!("{}: {found}", path.display()));
        for case in &file.case {
            cases += 1;
            if let Err(what) = check(&contract, &tools, &text, case) {
                wrong.push(format!("{}: {}: {what}", path.display(), case.is));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(cases >= CASES_MIN, "only {cases} cases were found");
}

fn check(contract: &Contract, tools: &Catalogue, text: &str, case: &Case) -> Result<(), String> {
    let task = Task {
        now_ms: case.now.as_ref().map_or(0, |now| {
            now.parse::<jiff::Timestamp>().unwrap().as_millisecond()
        }),
        calls: case.calls,
        calls_by_rule: case.by_rule.clone(),
        wall_ms: case.wall_ms,
        output_bytes: case.output_bytes,
    };
    let call = Call {
        tool: &case.tool,
        args: case.args.as_bytes(),
    };
    let verdict = decide(contract, tools, &task, &call);
    let shown = serde_json::to_value(&verdict).unwrap();
    let expected = (
        case.verdict.as_str(),
        case.rule.as_str(),
        case.code.as_deref(),
    );
    let found = (&shown["verdict"], &shown["rule"], shown.get("code"));
    if (found.0.as_str(), found.1.as_str()) != (Some(expected.0), Some(expected.1))
        || found.2.and_then(serde_json::Value::as_str) != expected.2
    {
        return Err(format!("{shown}"));
    }
    let numbers = [
        (case.wall_left, &shown["reserve"]["wall_ms"]),
        (case.output_left, &shown["reserve"]["output_bytes"]),
        (case.expires_ms, &shown["expires_ms"]),
    ];
    if numbers
        .iter()
        .any(|(want, has)| want.is_some() && *want != has.as_u64())
    {
        return Err(format!("{shown}"));
    }
    let Verdict::Refused { fix, .. } = verdict else {
        return Ok(());
    };
    let told = fix.as_ref().map(ToString::to_string).unwrap_or_default();
    let missing = case
        .fix
        .as_ref()
        .is_some_and(|fix| !told.contains(fix.trim_end()));
    if missing || (case.no_fix && fix.is_some()) {
        return Err(format!("fix: {told}"));
    }
    let Some(fix) = fix else { return Ok(()) };
    if *fix.change() != policy::Change::AddRule {
        return Ok(());
    }
    let text = format!("{}\n{}", text.replace("allow = []", ""), fix.toml());
    let added = Contract::parse("fixed", &text, tools).map_err(|found| found.to_string())?;
    match decide(&added, tools, &task, &call) {
        Verdict::Granted { .. } | Verdict::Ask { .. } => Ok(()),
        Verdict::Refused { why, .. } => Err(format!("the fix as text does not help: {why}")),
    }
}
