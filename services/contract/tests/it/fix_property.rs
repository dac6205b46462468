//! Checks that no fix contains what occurs only in untrusted results of its task.

use contract::batch::{Asks, Batch};
use contract::{Catalogue, Contract, Verdict};
use proptest::prelude::Rng as _;
use proptest::test_runner::{RngAlgorithm, TestRng};
use serde_json::{Map, Value, json};

use crate::examples::EXAMPLES;

/// The tasks for each contract, and the calls of a task.
const TASKS: usize = 60;
const OF_A_TASK: usize = 30;
/// The length of the texts of which a fix may not contain one.
const CHARS: usize = 4;
/// The characters of the texts of untrusted results: no word of a contract or of a fix has four of them in a row.
const RARE: &[u8] = b"qxzjkvwQXZJKVW0987";
/// The time of the calls: 2026-02-01, 12:00.
const NOW_MS: i64 = 1_769_947_200_000;

/// An attacker that writes random texts into every untrusted result and builds arguments of them.
struct Attack {
    rng: TestRng,
    texts: Vec<String>,
}

impl Attack {
    fn new(seed: u8) -> Self {
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
        let mut attack = Self {
            rng,
            texts: Vec::new(),
        };
        for _ in 0..12 {
            let text = attack.text();
            attack.texts.push(text);
        }
        let digits = (attack.below(9_000_000) + 1_000_000).to_string();
        attack.texts.push(digits);
        attack
    }

    fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap();
        usize::try_from(self.rng.next_u64() % end).unwrap()
    }

    fn text(&mut self) -> String {
        let length = self.below(20) + CHARS;
        let each = (0..length).map(|_| char::from(RARE[self.below(RARE.len())]));
        each.collect()
    }

    fn one(&mut self) -> String {
        let at = self.below(self.texts.len());
        self.texts[at].clone()
    }

    /// Returns a text of a result, or one built of it.
    fn stolen(&mut self) -> String {
        let text = self.one();
        match self.below(9) {
            0 => format!("{text}@{}.example", self.one().to_lowercase()),
            1 => format!("https://{}.example/{text}", self.one().to_lowercase()),
            2 => format!("../{text}/{}", self.one()),
            3 => format!("/{text}"),
            4 => text[..CHARS].to_owned(),
            5 => text.repeat(30),
            6 => format!("x{}", &text[text.len() - CHARS..]),
            7 => format!("{text}\u{202e}\n{}", self.one()),
            _ => text,
        }
    }

    /// Returns a value for an argument with this schema.
    fn value(&mut self, schema: &Value) -> Value {
        let own = &schema["type"];
        let several = own.as_array().map(Vec::as_slice);
        let kinds: Vec<&str> = several
            .unwrap_or(std::slice::from_ref(own))
            .iter()
            .map(|kind| kind.as_str().unwrap_or("string"))
            .collect();
        let at = self.below(kinds.len());
        match kinds[at] {
            "integer" => json!(self.texts[12].parse::<i64>().unwrap()),
            "number" => match self.below(2) {
                0 => json!(self.texts[12].parse::<i64>().unwrap()),
                _ => json!(self.below(900) + 1),
            },
            "boolean" => json!(self.below(2) == 0),
            "null" => Value::Null,
            "array" => {
                let items = schema["items"].clone();
                let length = self.below(3) + 1;
                Value::Array((0..length).map(|_| self.value(&items)).collect())
            }
            "object" => self.object(schema).into(),
            _ => match schema["enum"].as_array() {
                Some(all) => all[self.below(all.len())].clone(),
                None => json!(self.stolen()),
            },
        }
    }

    fn object(&mut self, schema: &Value) -> Map<String, Value> {
        let mut object = Map::new();
        for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
            if self.below(4) > 0 {
                object.insert(name.clone(), self.value(inner));
            }
        }
        if schema["additionalProperties"] == true {
            object.insert(self.one(), json!(self.stolen()));
        }
        object
    }

    /// Returns a call: of what the honest task did, or of the tool's schema, or between them.
    fn call(&mut self, tools: &Catalogue, honest: &[Value]) -> Value {
        let all: Vec<_> = tools.tools().collect();
        let at = self.below(all.len());
        let mut tool = all[at];
        let mut args = Map::new();
        if self.below(2) == 0 && !honest.is_empty() {
            let line = honest[self.below(honest.len())].clone();
            tool = tools.get(line["tool"].as_str().unwrap()).unwrap_or(tool);
            args = line["args"].as_object().unwrap().clone();
        }
        for (name, value) in self.object(tool.input_schema()) {
            if args.is_empty() || self.below(2) == 0 || !args.contains_key(&name) {
                args.insert(name, value);
            }
        }
        json!({"task": "t", "call": 1, "tool": tool.name().as_str(), "args": args})
    }

    /// The result of every tool that anybody can write to.
    fn result(&self) -> Value {
        json!({"text": self.texts.join(" "), "results": [{"email": self.texts[0], "id": self.texts[1]}], "n": self.texts[12]})
    }

    /// Returns a text of the results that stands in `fix`.
    fn found_in<'f>(&self, fix: &'f str) -> Option<&'f str> {
        let ends = |at: usize| fix.get(at..at + CHARS);
        let lower: Vec<String> = self.texts.iter().map(|text| text.to_lowercase()).collect();
        (0..fix.len()).filter_map(ends).find(|part| {
            let part = part.to_lowercase();
            lower.iter().any(|text| text.contains(&part))
        })
    }
}

/// Lets an attacker call every tool after an untrusted result; returns the number of fixes with and without open places.
fn attacked(
    contract: &Contract,
    tools: &Catalogue,
    honest: &[Value],
    words: &str,
) -> (usize, usize) {
    let reader = tools
        .tools()
        .find(|tool| tool.output().integrity == contract::Integrity::Untrusted)
        .map(|tool| tool.name().to_string());
    let (mut open, mut whole) = (0, 0);
    for task in 0..TASKS {
        let mut attack = Attack::new(u8::try_from(task).unwrap());
        let mut batch = Batch::new(contract, tools, Asks::Approve, NOW_MS);
        let first = json!({"task": "t", "text": words});
        batch.line(&first.to_string()).unwrap();
        let mut tainted = false;
        for _ in 0..OF_A_TASK {
            let mut line = attack.call(tools, honest);
            let tool = line["tool"].as_str().unwrap().to_owned();
            let untrusted = json!({"integrity": "untrusted", "secrecy": "private"});
            // Also a trusted tool may return what anybody has written.
            if Some(&tool) == reader.as_ref() || attack.below(2) == 0 {
                line["result"] = attack.result();
                line["output"] = untrusted;
            }
            let said = batch.decide(&line.to_string()).unwrap().unwrap();
            match said.verdict {
                Verdict::Refused { fix: Some(fix), .. } if tainted => {
                    let text = fix.to_string();
                    let found = attack.found_in(&text);
                    assert_eq!(found, None, "{line}\n{text}");
                    open += usize::from(!fix.open().is_empty());
                    whole += usize::from(fix.open().is_empty());
                }
                Verdict::Refused { .. } => {}
                Verdict::Granted { .. } | Verdict::Ask { .. } => {
                    tainted |= !line["output"].is_null();
                }
            }
        }
    }
    (open, whole)
}

#[test]
fn no_fix_for_an_attack_on_an_example_has_a_text_of_an_untrusted_result() {
    for example in EXAMPLES {
        let tools = example.tools();
        let contract = example.contract(&tools);
        let lines = example.read("honest.jsonl");
        let lines: Vec<Value> = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let words = lines[0]["text"].as_str().unwrap();
        let (open, _) = attacked(&contract, &tools, &lines[1..], words);
        assert!(open >= 40, "{}: {open}", example.name);
    }
}

#[test]
fn no_fix_under_a_contract_of_every_bound_has_a_text_of_an_untrusted_result() {
    let tools = crate::tools();
    let rules = r#"
        [limits]
        calls = 1000
        bytes_out = 2000
        spend = "EUR 900.00"
        [[allow]]
        tool = "note.read"
        [[allow]]
        tool = "t.any"
        where.text = { prefix = "a" }
        where.path = { path = "in/**" }
        where.n = { min = 1, max = 9 }
        where.list = { length = { max = 2 }, every = ["a", "b"] }
        [[allow]]
        tool = "t.free"
        where.a = 1
        only = true
        [[ask]]
        tool = "mail.send"
        where.to = { email = { domain = "x.example" } }
        where.body = { length = { max = 30 } }
        reason = "r"
        spend = "nothing"
        [[allow]]
        tool = "web.post"
        where.url = { url = { host = "x.example" } }
        where.host = { host = "x.example" }
        spend = "nothing"
        [[allow]]
        tool = "pay.send"
        where.to = { from = "task" }
        where.day = { optional = true, date = { from = "now" } }
        spend = { argument = "amount", currency = { argument = "currency" } }
        per_task = { calls = 9, sum = { amount = 100 } }
        [[allow]]
        tool = "item.update"
        where.owner = { fields = { email = { email = { domain = "x.example" } } } }
        where.lines = { every = { fields = { sku = ["a"], qty = { max = 3 } } } }
        [[deny]]
        tool = "item.create"
        where.id = { like = "*x*" }
    "#;
    let contract = crate::contract(rules, &tools);
    let (open, whole) = attacked(&contract, &tools, &[], "Pay ann what is due");
    assert!(open > 200 && whole > 0, "{open} {whole}");
}
