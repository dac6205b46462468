//! Decides every call of `tests/conformance` and compares rule, code and fix with the file.
//!
//! To add a case, add a `[[case]]` to a file there, or add a file.

use std::collections::BTreeMap;
use std::path::Path;

use bus_schema::{Counts, RuleId};
use contract::{
    Allowance, Call, Catalogue, Contract, ContractTotals, Labels, Record, SlotValues, Under,
    Verdict, View, decide,
};
use serde::Deserialize;
use serde_json::Value;

/// Minimum number of cases; grows with the set.
const CASES_MIN: usize = 1390;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    rules: String,
    /// The catalogue (JSON) instead of `tools.json`.
    tools: Option<String>,
    case: Vec<Case>,
}

/// One call, the record when it is made, and the expected verdict.
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
    text: Option<String>,
    /// The values of the slots as JSON; absent if none is filled in.
    slots: Option<String>,
    /// True if the values of the slots were erased.
    #[serde(default)]
    slots_erased: bool,
    principal: Option<String>,
    #[serde(default)]
    earlier: Vec<Earlier>,
    #[serde(default)]
    before: Vec<Before>,
    wall_left: Option<u64>,
    output_left: Option<u64>,
    expires_ms: Option<u64>,
    /// The reason of the question.
    reason: Option<String>,
    role: Option<String>,
    quorum: Option<u64>,
    /// The role that can also approve after the escalation delay, or `nobody`.
    escalate: Option<String>,
    /// True if a person has to answer at a terminal.
    attended: Option<bool>,
    /// The secrets that may be released.
    secrets: Option<Vec<String>>,
}

/// A started call of the task.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Earlier {
    tool: String,
    #[serde(default)]
    args: serde_json::Map<String, Value>,
    /// The result as JSON; absent if none was recorded.
    result: Option<String>,
    /// The labels, if different from the catalogue's.
    output: Option<Labels>,
    /// `succeeded`, `failed` or `running`.
    stage: Option<String>,
    /// True if its arguments were determined.
    #[serde(default = "yes")]
    determined: bool,
}

const fn yes() -> bool {
    true
}

/// A grant that counts against the limits.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Before {
    rule: RuleId,
    /// The tool; default the one of the case.
    tool: Option<String>,
    #[serde(default = "one")]
    times: u64,
    /// True if the grant is in another task of the contract.
    #[serde(default)]
    other_task: bool,
    #[serde(default)]
    ago_ms: i64,
    #[serde(default)]
    wall_ms: u64,
    #[serde(default)]
    output_bytes: u64,
    #[serde(default)]
    counts: BTreeMap<String, Value>,
    /// The arguments as JSON; absent if they are not known.
    args: Option<String>,
}

const fn one() -> u64 {
    1
}

impl Before {
    fn reserve(&self) -> Allowance {
        let mut counts = serde_json::to_value(Counts::default()).unwrap();
        for (key, value) in &self.counts {
            counts[key] = value.clone();
        }
        Allowance {
            wall_ms: self.wall_ms,
            output_bytes: self.output_bytes,
            counts: serde_json::from_value(counts).unwrap(),
        }
    }
}

impl Case {
    /// Returns true if the verdict is as in the file; the fix is compared separately.
    fn is_as_written(&self, shown: &Value) -> bool {
        let expected = (
            self.verdict.as_str(),
            self.rule.as_str(),
            self.code.as_deref(),
        );
        let found = (&shown["verdict"], &shown["rule"], shown.get("code"));
        if (found.0.as_str(), found.1.as_str()) != (Some(expected.0), Some(expected.1))
            || found.2.and_then(Value::as_str) != expected.2
        {
            return false;
        }
        let numbers = [
            (self.wall_left, &shown["reserve"]["wall_ms"]),
            (self.output_left, &shown["reserve"]["output_bytes"]),
            (self.expires_ms, &shown["expires_ms"]),
        ];
        if numbers
            .iter()
            .any(|(want, has)| want.is_some() && *want != has.as_u64())
        {
            return false;
        }
        let secrets = self
            .secrets
            .as_ref()
            .map(|secrets| Value::from(secrets.clone()));
        let (nobody, whom) = (Value::from("nobody"), &shown["escalate"]["role"]);
        let whom = if whom.is_null() { &nobody } else { whom };
        let texts = [
            (&self.reason, &shown["reason"]),
            (&self.role, &shown["role"]),
            (&self.escalate, whom),
        ];
        let other = |(want, has): &(&Option<String>, &Value)| {
            want.as_ref().is_some_and(|want| *has != want.as_str())
        };
        !(texts.iter().any(other)
            || self
                .attended
                .is_some_and(|attended| (shown["attended"] == true) != attended)
            || self.quorum.is_some_and(|quorum| shown["quorum"] != quorum)
            || secrets.is_some_and(|secrets| secrets != shown["secrets"]))
    }

    fn now_ms(&self) -> i64 {
        let now = self.now.as_ref();
        now.map_or(0, |now| {
            now.parse::<jiff::Timestamp>().unwrap().as_millisecond()
        })
    }

    fn on_record(&self, tools: &Catalogue) -> (Record, ContractTotals) {
        let principal = self.principal.as_deref().unwrap_or("session");
        let mut record = Record::new(principal, self.text.clone());
        let values = self.slots.as_deref().unwrap_or("{}");
        let values: Value = serde_json::from_str(values).unwrap();
        let values = SlotValues::parse(&bus_schema::json::canonical(&values)).unwrap();
        record.fill((!self.slots_erased).then_some(values));
        let mut shared = ContractTotals::default();
        for one in &self.earlier {
            let labels = one
                .output
                .or_else(|| tools.get(&one.tool).map(contract::Tool::output));
            let known = tools.get(&one.tool).filter(|_| one.output.is_none());
            let started = match known {
                Some(tool) => record.start_labelled(
                    &one.tool,
                    one.args.clone(),
                    (tool.output_labels(), one.determined),
                ),
                None => record.start(
                    &one.tool,
                    one.args.clone(),
                    (labels.expect("a tool"), one.determined),
                ),
            };
            let result = one.result.as_ref();
            let result = result.map(|result| serde_json::from_str(result).unwrap());
            let result = result.filter(|result| known.is_none_or(|tool| tool.takes_result(result)));
            match one.stage.as_deref() {
                None | Some("succeeded") => record.succeed(&started, result),
                Some("failed") => record.fail(&started),
                Some("running") => {}
                Some(other) => panic!("{other:?} is no stage"),
            }
        }
        for one in &self.before {
            for _ in 0..one.times {
                let reserve = one.reserve();
                let under = Under {
                    rule: &one.rule,
                    tool: one.tool.as_deref().unwrap_or(&self.tool),
                };
                shared.reserve(self.now_ms() - one.ago_ms, under, &reserve);
                if !one.other_task {
                    record.used.reserve(under, &reserve);
                    let args = one.args.as_ref();
                    let args = args.map(|args| serde_json::from_str(args).unwrap());
                    record.take(&one.rule, args);
                }
            }
        }
        (record, shared)
    }
}

#[test]
fn every_case_is_decided_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance");
    let (mut cases, mut wrong) = (0, Vec::new());
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let file: File = toml::from_str(&std::fs::read_to_string(&path).unwrap())
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let own = file.tools.as_ref();
        let tools = own.map_or_else(crate::tools, |text| {
            Catalogue::parse(text.as_bytes())
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        });
        let text = crate::text(&file.rules);
        let contract = crate::parse(&text, &tools)
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
    let (record, shared) = case.on_record(tools);
    let view = View {
        now_ms: case.now_ms(),
        record: &record,
        shared: &shared,
    };
    let call = Call {
        tool: &case.tool,
        args: case.args.as_bytes(),
    };
    let verdict = decide(contract, tools, &view, &call);
    let shown = serde_json::to_value(&verdict).unwrap();
    if !case.is_as_written(&shown) {
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
    if matches!(fix.change(), contract::Change::Narrow { .. }) {
        return Ok(());
    }
    let Some(toml) = filled(&fix, &call) else {
        return Ok(());
    };
    let text = changed(text, &fix, &toml);
    let fixed =
        crate::parse(&text, tools).map_err(|found| format!("the fix cannot be read: {found}"))?;
    match decide(&fixed, tools, &view, &call) {
        Verdict::Granted { .. } | Verdict::Ask { .. } => Ok(()),
        Verdict::Refused { why, .. } => Err(format!("the fix as text does not help: {why}")),
    }
}

/// Returns the TOML of a fix, with the values of the call in its open places; `None` if one has no plain value.
fn filled(fix: &contract::Fix, call: &Call<'_>) -> Option<String> {
    if fix.open().is_empty() {
        return Some(fix.toml().to_owned());
    }
    let unfilled = toml::from_str::<toml::Table>(fix.toml());
    assert!(unfilled.is_err(), "an open place reads as a value: {fix}");
    let args: Value = serde_json::from_slice(call.args).unwrap();
    let mut text = String::new();
    for line in fix.toml().lines() {
        let Some((start, rest)) = line.split_once('<') else {
            text.push_str(&format!("{line}\n"));
            continue;
        };
        let (_, end) = rest.split_once('>').unwrap();
        let name = line.split([' ', '.']).nth(1).unwrap();
        let value = args.get(name).filter(|_| line.starts_with("where."))?;
        if value.is_array() || value.is_object() || start.contains("length") {
            return None;
        }
        text.push_str(&format!("{start}{value}{end}\n"));
    }
    Some(text)
}

/// Applies the TOML of a fix to the text of a contract.
fn changed(text: &str, fix: &contract::Fix, toml: &str) -> String {
    if *fix.change() == contract::Change::AddRule {
        return format!("{}\n{toml}", text.replace("allow = []", ""));
    }
    let mut whole: toml::Table = toml::from_str(text).unwrap();
    let snippet: toml::Table = toml::from_str(toml).unwrap();
    let place = match fix.change() {
        contract::Change::ChangeRule { rule } => rule_of(&mut whole, rule.as_str()),
        contract::Change::RaiseLimit { period } => {
            let limits = table(&mut whole, "limits");
            match period {
                contract::Period::Task => limits,
                contract::Period::Hour => table(limits, "hour"),
                contract::Period::Day => table(limits, "day"),
                contract::Period::Contract => table(limits, "contract"),
            }
        }
        contract::Change::ChangeHead => &mut whole,
        contract::Change::AddRule | contract::Change::Narrow { .. } => unreachable!(),
    };
    for (key, value) in snippet {
        match (key.as_str(), value) {
            ("where", toml::Value::Table(bounds)) => table(place, "where").extend(bounds),
            ("calls", value) if place.contains_key("per_task") => {
                table(place, "per_task").insert(key, value);
            }
            (_, value) => drop(place.insert(key, value)),
        }
    }
    toml::to_string(&whole).unwrap()
}

fn table<'t>(of: &'t mut toml::Table, key: &str) -> &'t mut toml::Table {
    let inner = of.entry(key).or_insert_with(|| toml::Table::new().into());
    inner.as_table_mut().unwrap()
}

/// Returns the rule of this name, or at this position of its kind.
fn rule_of<'t>(of: &'t mut toml::Table, id: &str) -> &'t mut toml::Table {
    let place = id.split_once('.');
    let place = place.map(|(word, place)| (word, place.parse::<usize>().unwrap() - 1));
    for (word, rules) in of.iter_mut() {
        for (at, rule) in rules.as_array_mut().into_iter().flatten().enumerate() {
            let rule = rule.as_table_mut().unwrap();
            let same = match place {
                Some(place) => place == (word.as_str(), at),
                None => rule.get("name").and_then(toml::Value::as_str) == Some(id),
            };
            if same && ["allow", "ask", "deny"].contains(&word.as_str()) {
                return rule;
            }
        }
    }
    panic!("no rule `{id}`");
}
