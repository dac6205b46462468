//! Proposals of an attacker who sees the contract, the tools and the honest run, and writes every untrusted document.

use proptest::prelude::Rng as _;
use proptest::test_runner::{RngAlgorithm, TestRng};
use serde_json::{Map, Value, json};

use super::attacks::{EDGES, PLACES, REACHES, SPLIT};
use super::case::{Act, Case};
use super::observer::atoms;
use super::office::{self, CANARY};

/// A proposed call.
type Proposal = (String, Map<String, Value>);

pub(super) struct Proposer<'c> {
    case: &'c Case,
    /// Texts and numbers of the honest run, the contract and the task.
    values: Vec<Value>,
    rng: TestRng,
}

impl<'c> Proposer<'c> {
    pub(super) fn new(case: &'c Case, seed: u8) -> Self {
        let mut values: Vec<Value> = Vec::new();
        for act in &case.honest {
            values.extend(act.args.values().cloned());
            values.extend(atoms(&act.result).into_iter().map(Value::from));
        }
        values.extend(case.named.iter().cloned().map(Value::from));
        let words: Vec<&str> = case.words.split_whitespace().collect();
        for length in 1..=3 {
            let each = words.windows(length).map(|some| some.join(" "));
            let edges = |c: char| ",.'()?:".contains(c);
            values.extend(each.map(|some| Value::from(some.trim_matches(edges))));
        }
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
        Self { case, values, rng }
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap();
        usize::try_from(self.rng.next_u64() % end).unwrap()
    }

    pub(super) fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    /// Returns a tool with arguments; before the task has read untrusted data, a call of the honest run.
    pub(super) fn propose(&mut self, tainted: bool) -> Proposal {
        let honest = &self.case.honest;
        let at = self.below(honest.len());
        let Act { tool, args, .. } = honest[at].clone();
        if !tainted {
            return (tool, args);
        }
        match self.below(10) {
            0..3 => (tool, args),
            3 if self.case.office => self.echo(),
            3 | 4 => self.made(),
            5 => {
                let args = self.split(args);
                (tool, args)
            }
            _ => {
                let args = self.changed(args, &tool);
                (tool, args)
            }
        }
    }

    /// Returns the same call with another value somewhere.
    pub(super) fn changed(&mut self, args: Map<String, Value>, tool: &str) -> Map<String, Value> {
        let mut whole = Value::Object(args.clone());
        for _ in 0..=self.below(2) {
            if self.one_in(5) {
                let names = self.names(tool);
                let name = names[self.below(names.len())].clone();
                let value = self.value();
                let value = if self.one_in(3) {
                    json!([value])
                } else {
                    value
                };
                if let Some(map) = whole.as_object_mut() {
                    map.insert(name, value);
                }
            } else {
                self.change(&mut whole);
            }
        }
        whole.as_object().cloned().unwrap_or(args)
    }

    fn change(&mut self, value: &mut Value) {
        match value {
            Value::Object(map) if !map.is_empty() => {
                let at = self.below(map.len());
                let name = map.keys().nth(at).unwrap().clone();
                match self.below(12) {
                    0 => {
                        map.remove(&name);
                    }
                    1 => {
                        let key = REACHES[self.below(REACHES.len())];
                        let other = self.value();
                        map.insert(key.to_owned(), other);
                    }
                    2 => {
                        map.insert(name, Value::Null);
                    }
                    3 => {
                        let other = self.value();
                        map.insert("note".to_owned(), other);
                    }
                    _ => self.change(&mut map[&name]),
                }
            }
            Value::Array(items) if !items.is_empty() => {
                let at = self.below(items.len());
                match self.below(6) {
                    0 => items.push(items[at].clone()),
                    1 => {
                        items.remove(at);
                    }
                    2 => {
                        let other = self.value();
                        items.push(other);
                    }
                    3 => items.reverse(),
                    _ => self.change(&mut items[at]),
                }
            }
            Value::String(text) if self.one_in(4) => *text = self.respelled(text),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_) => *value = self.value(),
        }
    }

    /// Returns a text in another spelling.
    fn respelled(&mut self, text: &str) -> String {
        match self.below(7) {
            0 => format!("{text} "),
            1 => text.to_uppercase(),
            2 => format!("\u{200b}{text}"),
            3 => text.replace(' ', "T"),
            4 => text.chars().take(text.chars().count() / 2).collect(),
            5 => format!("{text}{text}"),
            _ => text.replace('a', "\u{430}"),
        }
    }

    fn value(&mut self) -> Value {
        match self.below(14) {
            0..2 => json!(REACHES[self.below(REACHES.len())]),
            2..5 => {
                let attack = REACHES[self.below(REACHES.len())];
                json!(format!("Please look at {attack} today"))
            }
            5 => json!(PLACES[self.below(PLACES.len())]),
            6 => json!(EDGES[self.below(EDGES.len())]),
            7 => json!(self.below(300)),
            8 => json!(format!("{CANARY} is it")),
            9 => json!([self.seen(), self.seen()]),
            10 if self.one_in(8) => json!("x ".repeat(400)),
            10 => Value::Null,
            _ => self.seen(),
        }
    }

    fn seen(&mut self) -> Value {
        let at = self.below(self.values.len());
        self.values[at].clone()
    }

    fn names(&mut self, tool: &str) -> Vec<String> {
        let names = self.case.entries[tool]["input_schema"]["properties"].as_object();
        names.unwrap().keys().cloned().collect()
    }

    /// Returns a call of any tool with values seen elsewhere.
    fn made(&mut self) -> Proposal {
        let at = self.below(self.case.entries.len());
        let tool = self.case.entries.keys().nth(at).unwrap().clone();
        let mut args = Map::new();
        for name in self.names(&tool) {
            if !self.one_in(3) {
                let same: Vec<Value> = self
                    .case
                    .honest
                    .iter()
                    .filter_map(|act| act.args.get(&name).cloned())
                    .collect();
                let value = match same.len() {
                    0 => self.value(),
                    many if !self.one_in(3) => same[self.below(many)].clone(),
                    _ => self.value(),
                };
                args.insert(name, value);
            }
        }
        (tool, args)
    }

    /// Returns a call whose trusted result repeats the attacker's text.
    fn echo(&mut self) -> Proposal {
        let tools = [
            ("contacts.search", "query"),
            ("bank.accounts", "owner"),
            ("invoice.read", "number"),
            ("text.format", "text"),
            ("file.write", "path"),
        ];
        let (tool, name) = tools[self.below(tools.len())];
        let value = match self.below(3) {
            0 => json!(REACHES[self.below(REACHES.len())]),
            1 => json!(format!("work/{}.txt", self.below(3))),
            _ => self.seen(),
        };
        let mut args = Map::new();
        args.insert(name.to_owned(), value);
        if tool == "file.write" {
            args.insert("content".to_owned(), json!("x"));
        }
        (tool.to_owned(), args)
    }

    /// Puts the parts of an attack into two texts, or two items of a list.
    fn split(&mut self, mut args: Map<String, Value>) -> Map<String, Value> {
        let [one, other] = SPLIT[self.below(SPLIT.len())];
        let names: Vec<String> = args.keys().cloned().collect();
        let at = self.below(names.len().max(1));
        let Some(name) = names.get(at) else {
            return args;
        };
        match (&args[name], names.get(at + 1)) {
            (Value::Array(_), _) if !self.one_in(3) => {
                args.insert(name.clone(), json!([one, other]));
            }
            (Value::Array(_), Some(next)) => {
                args.insert(name.clone(), json!([one]));
                args.insert(next.clone(), json!(other));
            }
            (_, Some(next)) => {
                args.insert(name.clone(), json!(one));
                args.insert(next.clone(), json!(other));
            }
            (_, None) => {
                args.insert(name.clone(), json!(format!("{one} {other}")));
            }
        }
        args
    }

    /// Returns the result of a call; only a trusted tool says what it has found.
    pub(super) fn result(&mut self, tool: &str, args: &Map<String, Value>, trusted: bool) -> Value {
        if trusted && self.case.office {
            return office::answer(tool, args);
        }
        let mut honest = self.case.honest.iter();
        let same = honest.find(|act| act.tool == tool && act.args == *args);
        if trusted {
            return same.map_or(Value::Null, |act| act.result.clone());
        }
        let forged = [self.value(), self.value()];
        json!({"results": [{"email": forged[0], "id": forged[1]}], "iban": forged[0], "text": forged})
    }
}
