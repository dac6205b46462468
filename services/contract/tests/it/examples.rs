//! Checks the verdicts of the examples against a second implementation of their contracts' sentences.

mod oracle;
mod proposals;

use std::path::PathBuf;

use contract::batch::{Asks, Batch};
use contract::{Catalogue, Contract};
use serde_json::{Map, Value};

use self::oracle::{May, Oracle, Past};
pub(crate) use self::proposals::Attacker;

/// The time of the calls.
const AT: &str = "2026-02-01T12:00:00Z";
/// The number of calls that an attacker proposes for each example, and in one task.
const PROPOSALS: usize = 10_000;
const OF_A_TASK: usize = 50;

/// A completed call.
type Done = (String, Map<String, Value>);

/// One folder of `deploy/examples`.
pub(crate) struct Example {
    pub(crate) name: &'static str,
    /// The asks of the honest task, in order.
    asks: &'static [&'static str],
    oracle: Oracle,
    /// Lines of the contract, each with a weaker replacement.
    weaker: &'static [(&'static str, &'static str)],
    /// The check of all completed calls of one day, over all tasks.
    day: fn(&[Done]) -> bool,
}

pub(crate) const EXAMPLES: [Example; 5] = [
    Example {
        name: "inbox-triage",
        asks: &["send-to-people-i-know"],
        oracle: oracle::inbox,
        weaker: &[
            (
                "where.to = { from = { tool = \"contacts.search\", field = \"results[].email\" } }",
                "where.to = { like = \"*@*\" }",
            ),
            (
                "where.label = [\"invoice\", \"newsletter\", \"travel\", \"needs-answer\"]",
                "where.label = { length = { min = 1 } }",
            ),
            (
                "after = { tool = \"mail.read\", equal = [\"id\"] }",
                "after = \"mail.read\"",
            ),
        ],
        day: |_| true,
    },
    Example {
        name: "invoice-refunds",
        asks: &["larger-refund"],
        oracle: oracle::refunds,
        weaker: &[
            (
                "template = [\"refund-paid\", \"refund-refused\"]",
                "template = { length = { min = 1 } }",
            ),
            ("max = 250 }", "max = 251 }"),
            ("calls = 300, spend = \"EUR 300.00\"", "calls = 300"),
        ],
        day: |done| {
            let paid = |most: f64| {
                let each = done.iter().filter(|(tool, _)| tool == "pay.refund");
                let amounts = each.map(|(_, args)| args["amount"].as_f64().unwrap());
                amounts.filter(|amount| *amount <= most).collect::<Vec<_>>()
            };
            let small = paid(50.0);
            let sum = |amounts: &[f64]| amounts.iter().sum::<f64>();
            sum(&paid(250.0)) < 600.005 && sum(&small) < 200.005 && small.len() <= 20
        },
    },
    Example {
        name: "release-notes",
        asks: &[],
        oracle: oracle::release,
        weaker: &[
            ("docs/releases/*.md", "docs/**"),
            (
                "title = { same_as = \"tag\" }",
                "title = { length = { min = 1 } }",
            ),
            (
                "notes_path = { from = { tool = \"file.write\", argument = \"path\" }, links = true }",
                "notes_path = { length = { min = 1 } }",
            ),
        ],
        day: |_| true,
    },
    Example {
        name: "home-automation",
        asks: &["open-the-front-door"],
        oracle: oracle::home,
        weaker: &[
            (
                "where.door = \"front\"",
                "where.door = [\"front\", \"garage\"]",
            ),
            ("max = 22.5 }", "max = 22.51 }"),
            ("per_hour = { calls = 6 }", "per_hour = { calls = 60 }"),
        ],
        day: |done| {
            done.iter()
                .filter(|(tool, _)| tool == "heating.set")
                .count()
                <= 6
        },
    },
    Example {
        name: "travel-booking",
        asks: &["book-a-flight", "book-a-room"],
        oracle: oracle::travel,
        weaker: &[
            (
                "traveller = { from = \"task\" }, from",
                "traveller = { length = { min = 1 } }, from",
            ),
            (
                "until = { from = \"task\" }",
                "until = { length = { min = 1 } }",
            ),
            (
                "offer = { from = { tool = \"flight.search\", field = \"offers[].id\" } }",
                "offer = { length = { min = 1 } }",
            ),
        ],
        day: |done| {
            let prices = done.iter().filter(|(tool, _)| tool.ends_with(".book"));
            let prices = prices.map(|(_, args)| args["price"].as_f64().unwrap());
            prices.sum::<f64>() < 5_000.005
        },
    },
];

impl Example {
    fn path(&self, file: &str) -> PathBuf {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../deploy/examples");
        root.join(self.name).join(file)
    }

    pub(crate) fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.path(file)).unwrap()
    }

    pub(crate) fn tools(&self) -> Catalogue {
        Catalogue::parse(self.read("tools.json").as_bytes()).unwrap()
    }

    pub(crate) fn contract(&self, tools: &Catalogue) -> Contract {
        let parsed = Contract::parse("contract.toml", &self.read("contract.toml"), tools);
        parsed.unwrap_or_else(|found| panic!("{}: {found}", self.name))
    }

    /// Decides a file of calls; returns the verdicts as text.
    fn decide(&self, calls: &str) -> String {
        let tools = self.tools();
        let contract = self.contract(&tools);
        let mut said = Vec::new();
        let batch = Batch::new(&contract, &tools, Asks::Approve, at_ms());
        batch.run(calls.as_bytes(), &mut said).unwrap();
        String::from_utf8(said).unwrap()
    }

    /// Lets an attacker propose calls under a contract. Returns the number of calls granted and asked about, or the
    /// first verdict that the sentences do not cover.
    fn attacked(&self, contract: &str, asks: Asks) -> Result<(usize, usize), String> {
        let tools = self.tools();
        let contract = Contract::parse("contract.toml", contract, &tools)
            .map_err(|found| found.to_string())?;
        let calls = format!("{}{}", self.read("honest.jsonl"), self.read("attack.jsonl"));
        let mut attacker = Attacker::new(&calls, &tools);
        let (mut granted, mut asked) = (0, 0);
        for task in 0..PROPOSALS / OF_A_TASK {
            let mut batch = Batch::new(&contract, &tools, asks, at_ms());
            let words = attacker.words();
            let mut past = Past::new(&words);
            let first = serde_json::json!({"task": "t", "text": words});
            batch.line(&first.to_string()).unwrap();
            for call in 0..OF_A_TASK {
                let (tool, args, result) = attacker.propose();
                let line = serde_json::json!({"task": "t", "call": call, "tool": tool, "args": args, "result": result});
                let said = batch.line(&line.to_string()).unwrap().unwrap();
                let said: Value = serde_json::from_str(&said).unwrap();
                let may = (self.oracle)(&past, &tool, &args);
                let happens = match said["verdict"].as_str().unwrap() {
                    "granted" if may == May::Freely => true,
                    "ask" if may != May::Never => asks == Asks::Approve,
                    "refused" => false,
                    _ => return Err(format!("{}, task {task}: {line} was {said}", self.name)),
                };
                granted += usize::from(said["verdict"] == "granted");
                asked += usize::from(said["verdict"] == "ask");
                if happens {
                    past.add(tool, args, result);
                }
            }
        }
        Ok((granted, asked))
    }
}

fn at_ms() -> i64 {
    AT.parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

#[test]
fn golden_every_example_is_decided_as_its_folder_says() {
    let write = std::env::var_os("GOLDEN").is_some_and(|how| how == "write");
    for example in EXAMPLES {
        for calls in ["honest", "attack"] {
            let said = example.decide(&example.read(&format!("{calls}.jsonl")));
            let file = format!("{calls}.verdicts.jsonl");
            if write {
                std::fs::write(example.path(&file), &said).unwrap();
            }
            assert_eq!(said, example.read(&file), "{} {file}", example.name);
        }
    }
}

#[test]
fn honest_tasks_run_through_with_the_questions_that_the_contract_names() {
    for example in EXAMPLES {
        let said = example.decide(&example.read("honest.jsonl"));
        let said: Vec<Value> = said
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert!(
            said.iter().all(|one| one["verdict"] != "refused"),
            "{}",
            example.name
        );
        let asks = said.iter().filter(|one| one["verdict"] == "ask");
        let asks: Vec<&str> = asks.map(|one| one["rule"].as_str().unwrap()).collect();
        assert_eq!(asks, example.asks, "{}", example.name);
    }
}

#[test]
fn ten_thousand_calls_of_an_attacker_get_nothing_outside_of_the_sentences() {
    for example in EXAMPLES {
        for asks in [Asks::Deny, Asks::Approve] {
            let (granted, asked) = example
                .attacked(&example.read("contract.toml"), asks)
                .unwrap();
            // Enough calls must be granted for a meaningful comparison.
            assert!(
                granted >= PROPOSALS / 50,
                "{}: {granted} granted",
                example.name
            );
            assert!(
                asked >= example.asks.len() * 5,
                "{}: {asked} asked",
                example.name
            );
        }
    }
}

/// Lets an attacker propose calls in many tasks of one day, with every ask approved; returns the completed calls.
fn day(example: &Example, contract: &Contract, tools: &Catalogue) -> Vec<Done> {
    let calls = format!(
        "{}{}",
        example.read("honest.jsonl"),
        example.read("attack.jsonl")
    );
    let mut attacker = Attacker::new(&calls, tools);
    let mut batch = Batch::new(contract, tools, Asks::Approve, at_ms());
    let mut done = Vec::new();
    for task in 0..40 {
        let words = attacker.words();
        let first = serde_json::json!({"task": task.to_string(), "text": words});
        batch.line(&first.to_string()).unwrap();
        for _ in 0..OF_A_TASK {
            let (tool, args, result) = attacker.propose();
            let line = serde_json::json!({"task": task.to_string(), "call": 1, "tool": tool, "args": args, "result": result});
            let said = batch.decide(&line.to_string()).unwrap().unwrap();
            if !matches!(said.verdict, contract::Verdict::Refused { .. }) {
                done.push((tool, args));
            }
        }
    }
    done
}

#[test]
fn many_tasks_of_one_day_stay_within_what_the_contract_says_of_all_of_them() {
    for example in EXAMPLES {
        let tools = example.tools();
        let done = day(&example, &example.contract(&tools), &tools);
        assert!(done.len() > 200, "{}: {}", example.name, done.len());
        assert!((example.day)(&done), "{}", example.name);
        // Without the limits over all tasks, the check fails.
        let rules = example.read("contract.toml");
        let rules = rules.split("[[test]]").next().unwrap();
        let alone: String = rules
            .split_inclusive('\n')
            .filter(|line| !line.starts_with("per_day") && !line.starts_with("per_hour"))
            .collect();
        let alone = alone
            .replace("[limits.day]\nspend = \"EUR 600.00\"\n", "")
            .replace("[limits.contract]\nspend = \"EUR 5000.00\"\n", "");
        if alone != rules {
            let weaker = Contract::parse("weaker", &alone, &tools).unwrap();
            assert!(
                !(example.day)(&day(&example, &weaker, &tools)),
                "{}",
                example.name
            );
        }
    }
}

#[test]
fn no_door_opens_at_night_whatever_is_proposed() {
    let example = &EXAMPLES[3];
    let tools = example.tools();
    let contract = example.contract(&tools);
    let line = r#"{"task": "t", "call": 1, "tool": "door.unlock", "args": {"door": "front"}}"#;
    let mut open = Vec::new();
    for hour in 0..24 {
        let now_ms = at_ms() - 12 * 3_600_000 + hour * 3_600_000;
        let mut batch = Batch::new(&contract, &tools, Asks::Approve, now_ms);
        let said = batch.decide(line).unwrap().unwrap();
        if !matches!(said.verdict, contract::Verdict::Refused { .. }) {
            open.push(hour);
        }
    }
    assert_eq!(open, (5..21).collect::<Vec<i64>>());
}

#[test]
fn a_contract_with_one_weaker_bound_is_found_out() {
    for example in EXAMPLES {
        let text = example.read("contract.toml");
        for (line, weaker) in example.weaker {
            assert!(text.contains(line), "{}: {line}", example.name);
            // The inline tests would refuse the weaker contract first.
            let rules = text.split("[[test]]").next().unwrap();
            let found = example.attacked(&rules.replace(line, weaker), Asks::Approve);
            assert!(found.is_err(), "{} with {weaker}: {found:?}", example.name);
        }
    }
}
