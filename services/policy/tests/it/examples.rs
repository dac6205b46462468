//! Holds the examples against their contracts' sentences, written down here a second time.

mod oracle;
mod proposals;

use std::path::PathBuf;

use policy::batch::{Asks, Batch};
use policy::{Catalogue, Contract};
use serde_json::Value;

use self::oracle::{May, Oracle, Past};
use self::proposals::Attacker;

/// When the calls are made.
const AT: &str = "2026-02-01T12:00:00Z";
/// How many calls an attacker proposes for each example, and in one task.
const PROPOSALS: usize = 10_000;
const OF_A_TASK: usize = 50;

/// One folder of `deploy/examples`.
struct Example {
    name: &'static str,
    /// What the honest task is asked about, in its order.
    asks: &'static [&'static str],
    oracle: Oracle,
    /// A line of the contract, and a weaker one.
    weaker: (&'static str, &'static str),
}

const EXAMPLES: [Example; 5] = [
    Example {
        name: "inbox-triage",
        asks: &["send-to-people-i-know"],
        oracle: oracle::inbox,
        weaker: (
            "where.to = { from = { tool = \"contacts.search\", field = \"results[].email\" } }",
            "where.to = { like = \"*@*\" }",
        ),
    },
    Example {
        name: "invoice-refunds",
        asks: &["larger-refund"],
        oracle: oracle::refunds,
        weaker: (
            "where.template = [\"refund-paid\", \"refund-refused\"]",
            "where.template = { length = { min = 1 } }",
        ),
    },
    Example {
        name: "release-notes",
        asks: &[],
        oracle: oracle::release,
        weaker: ("docs/releases/*.md", "docs/**"),
    },
    Example {
        name: "home-automation",
        asks: &["open-the-front-door"],
        oracle: oracle::home,
        weaker: (
            "where.door = \"front\"",
            "where.door = [\"front\", \"garage\"]",
        ),
    },
    Example {
        name: "travel-booking",
        asks: &["book-a-flight", "book-a-room"],
        oracle: oracle::travel,
        weaker: (
            "where.traveller = { from = \"task\" }",
            "where.traveller = { length = { min = 1 } }",
        ),
    },
];

impl Example {
    fn read(&self, file: &str) -> String {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../deploy/examples");
        std::fs::read_to_string(root.join(self.name).join(file)).unwrap()
    }

    fn tools(&self) -> Catalogue {
        Catalogue::parse(self.read("tools.json").as_bytes()).unwrap()
    }

    fn contract(&self, tools: &Catalogue) -> Contract {
        let parsed = Contract::parse("contract.toml", &self.read("contract.toml"), tools);
        parsed.unwrap_or_else(|found| panic!("{}: {found}", self.name))
    }

    /// The verdicts on a file of calls, as text.
    fn decide(&self, calls: &str) -> String {
        let tools = self.tools();
        let contract = self.contract(&tools);
        let mut said = Vec::new();
        let batch = Batch::new(&contract, &tools, Asks::Approve, at_ms());
        batch.run(calls.as_bytes(), &mut said).unwrap();
        String::from_utf8(said).unwrap()
    }

    /// Lets an attacker propose calls under a contract; the first verdict that its sentences do not cover, and how
    /// many calls were granted and asked about.
    fn attacked(&self, contract: &str, asks: Asks) -> Result<(usize, usize), String> {
        let tools = self.tools();
        let contract = Contract::parse("contract.toml", contract, &tools)
            .unwrap_or_else(|found| panic!("{}: {found}", self.name));
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
fn every_example_is_decided_as_its_folder_says() {
    for example in EXAMPLES {
        for calls in ["honest", "attack"] {
            let said = example.decide(&example.read(&format!("{calls}.jsonl")));
            let expected = example.read(&format!("{calls}.verdicts.jsonl"));
            assert_eq!(said, expected, "{} {calls}", example.name);
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
            // The attacker comes close enough for the comparison to mean something.
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

#[test]
fn a_contract_with_one_weaker_bound_is_found_out() {
    for example in EXAMPLES {
        let text = example.read("contract.toml");
        let (line, weaker) = example.weaker;
        assert!(text.contains(line), "{}", example.name);
        // Its own tests would refuse it first.
        let rules = text.split("[[test]]").next().unwrap();
        let found = example.attacked(&rules.replace(line, weaker), Asks::Approve);
        assert!(found.is_err(), "{}: {found:?}", example.name);
    }
}
