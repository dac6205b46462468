//! The contracts under attack, each with the honest run of a task and what the owner's words mean.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use contract::{Catalogue, Contract};
use serde_json::{Map, Value};

use super::observer::atoms;

/// The folders of `deploy/examples` with the values that the words of their tasks name.
const SHIPPED: [(&str, &[&str]); 6] = [
    ("inbox-triage", &[]),
    ("invoice-refunds", &[]),
    ("release-notes", &["v2.4.0"]),
    ("home-automation", &[]),
    ("travel-booking", &["Ada Berg", "2026-05-04", "2026-05-07"]),
    ("stocktake", &[]),
];
/// The contracts of `tests/adversary`, over one office.
const OFFICE: [&str; 10] = [
    "announce",
    "invoices",
    "joiner",
    "meeting",
    "newsletter",
    "pay-bill",
    "replies",
    "tidy",
    "vault",
    "webhook",
];

/// A call of an honest run.
#[derive(Debug, Clone)]
pub(super) struct Act {
    pub(super) tool: String,
    pub(super) args: Map<String, Value>,
    pub(super) result: Value,
}

/// A contract, its tools, and an honest run.
pub(super) struct Case {
    pub(super) name: &'static str,
    /// True if the trusted tools are those of the office.
    pub(super) office: bool,
    pub(super) tools: Catalogue,
    /// The entries of the catalogue by tool.
    pub(super) entries: BTreeMap<String, Value>,
    pub(super) text: String,
    pub(super) words: String,
    /// Values that the contract or the words of the task name.
    pub(super) named: BTreeSet<String>,
    pub(super) honest: Vec<Act>,
}

impl Case {
    pub(super) fn all() -> Vec<Self> {
        let shipped = SHIPPED
            .iter()
            .map(|(name, named)| Self::shipped(name, named));
        shipped.chain(OFFICE.map(Self::office)).collect()
    }

    /// One of the office.
    pub(super) fn office(name: &'static str) -> Self {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/adversary");
        let read = |file: &str| std::fs::read_to_string(folder.join(file)).unwrap();
        let lines = read(&format!("{name}.jsonl"));
        let text = read(&format!("{name}.toml"));
        Self::new((name, true), &read("tools.json"), text, &lines, &[])
    }

    fn shipped(name: &'static str, named: &[&str]) -> Self {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../deploy/examples");
        let read = |file: &str| std::fs::read_to_string(root.join(name).join(file));
        let lines = read("honest.jsonl").map(|honest| honest + &read("attack.jsonl").unwrap());
        let lines = lines.unwrap_or_else(|_| STOCKTAKE.to_owned());
        let text = read("contract.toml").unwrap();
        Self::new(
            (name, false),
            &read("tools.json").unwrap(),
            text,
            &lines,
            named,
        )
    }

    fn new(
        (name, office): (&'static str, bool),
        tools: &str,
        text: String,
        lines: &str,
        named: &[&str],
    ) -> Self {
        let parsed = lines
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        let (heads, calls): (Vec<Value>, Vec<Value>) =
            parsed.partition(|line| line["text"].is_string());
        let act = |line: &Value| Act {
            tool: line["tool"].as_str().unwrap().to_owned(),
            args: line["args"].as_object().unwrap().clone(),
            result: line["result"].clone(),
        };
        let entries: Vec<Value> = serde_json::from_str(tools).unwrap();
        let entry = |entry: Value| (entry["name"].as_str().unwrap().to_owned(), entry);
        let mut known = values_of(&text);
        known.extend(atoms(&heads[0]["named"]));
        known.extend(named.iter().map(|one| (*one).to_owned()));
        for unnamed in atoms(&heads[0]["unnamed"]) {
            known.remove(&unnamed);
        }
        let mut case = Self {
            name,
            office,
            tools: Catalogue::parse(tools.as_bytes()).unwrap(),
            entries: entries.into_iter().map(entry).collect(),
            text,
            words: heads[0]["text"].as_str().unwrap().to_owned(),
            named: known,
            honest: calls.iter().map(act).collect(),
        };
        case.honest
            .retain(|act| case.entries.contains_key(&act.tool));
        case
    }

    pub(super) fn contract(&self, text: &str) -> Contract {
        let parsed = Contract::parse("contract.toml", text, &self.tools);
        parsed.unwrap_or_else(|found| panic!("{}: {found}", self.name))
    }

    /// Returns true if a call sends something out, or is a write that is hard to undo.
    pub(super) fn is_guarded(&self, tool: &str, args: &Map<String, Value>) -> bool {
        let entry = &self.entries[tool];
        let risky = entry["risk"] == "medium" || entry["risk"] == "high";
        self.is_outward(tool, args) || (entry["effect"] == "write" && risky)
    }

    /// Returns true if a call sends something out; the only conditional effects are those of participants.
    pub(super) fn is_outward(&self, tool: &str, args: &Map<String, Value>) -> bool {
        let invites = args.get("participants").and_then(Value::as_array);
        let effect = &self.entries[tool]["effect"];
        effect == "outward" || (effect.is_array() && invites.is_some_and(|all| !all.is_empty()))
    }
}

/// Returns the texts and numbers of a contract's allows, asks and known sets.
fn values_of(text: &str) -> BTreeSet<String> {
    let table: Map<String, Value> = toml::from_str(text).unwrap();
    let keys = ["allow", "ask", "known"];
    keys.iter()
        .filter_map(|key| table.get(*key))
        .flat_map(atoms)
        .collect()
}

/// The honest run of the example without recorded calls.
const STOCKTAKE: &str = r##"{"text": "Take stock of the folder."}
{"tool": "file.list", "args": {"path": ".", "pattern": "*.txt"}}
{"tool": "file.read", "args": {"path": "a.txt"}}
{"tool": "invoice.total", "args": {"paths": ["a.txt", "b.txt"]}}
{"tool": "file.write", "args": {"path": "report.md", "text": "# Invoices"}}
"##;
