//! Checks that the service and a batch without a bus give identical verdicts on the same calls.

use std::path::PathBuf;

use bus_schema::json;
use bus_schema::{PolicyFact, TaskId, Usage};
use contract::batch::{Asks, Batch};
use contract::{Catalogue, Contract};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::proposals::Attacker;
use crate::world::{World, answer, words};

/// The number of generated calls under each example, and in one task.
const CALLS: usize = 120;
const OF_A_TASK: usize = 40;

/// The folders of `deploy/examples` that have calls.
const EXAMPLES: [&str; 5] = [
    "inbox-triage",
    "invoice-refunds",
    "release-notes",
    "home-automation",
    "travel-booking",
];

/// A call and its result.
type Made = (String, Map<String, Value>, Value);

/// The verdict on a call: the verdict's name, the rule, and a refusal's reason with its fix.
type Said = (String, String, Option<Value>);

/// Returns the service's verdict on a call, and runs the call if it is granted.
fn of_service(world: &mut World, task: TaskId, (tool, args, result): &Made) -> Said {
    let action = world.propose_json(task, tool, json!(args).to_string().as_bytes());
    let mut facts = world.turn();
    let mut verdict = "granted";
    if let [PolicyFact::ApprovalRequested(_, fact)] = &facts[..] {
        let yes = answer(&fact.draft, true);
        world.carry(task, action, &yes);
        facts = world.turn();
        verdict = "ask";
        assert_eq!(words(&facts), ["granted"]);
    }
    match &facts[..] {
        [PolicyFact::ActionGranted(_, fact)] => {
            let rule = fact.grant.draft.rule.to_string();
            let output = result.to_string();
            let usage = Usage {
                output_bytes: u32::try_from(output.len()).unwrap(),
                ..Usage::default()
            };
            world.start(task, action);
            world.finish_with(task, action, usage, output.as_bytes());
            (verdict.to_owned(), rule, None)
        }
        [PolicyFact::ActionRefused(_, fact)] => {
            let why = serde_json::from_str(&world.why(fact.why)).unwrap();
            ("refused".to_owned(), fact.rule.to_string(), Some(why))
        }
        other => panic!("{other:?}"),
    }
}

fn of_batch(batch: &mut Batch<'_>, task: &str, (tool, args, result): &Made) -> Said {
    // In canonical order, because the violation that is named first depends on the order.
    let args = json::parse(json!(args).to_string().as_bytes(), usize::MAX).unwrap();
    let args: Value = serde_json::from_slice(&json::canonical(&args)).unwrap();
    let line = json!({"task": task, "call": 1, "tool": tool, "args": args, "result": result});
    let said = batch.line(&line.to_string()).unwrap().unwrap();
    let said: Value = serde_json::from_str(&said).unwrap();
    let text = |key: &str| said[key].as_str().unwrap().to_owned();
    let refused = text("verdict") == "refused";
    let mut why = json!({"why": said["why"]});
    if let Some(fix) = said.get("fix") {
        why["fix"] = fix.clone();
    }
    (text("verdict"), text("rule"), refused.then_some(why))
}

/// Decides tasks, each with the owner's text and its calls, in both ways. Returns the number of verdicts of each kind.
fn compare(tools: &str, contract: &str, tasks: &[(String, Vec<Made>)]) -> [usize; 3] {
    let mut world = World::with_tools(tools.as_bytes());
    let signed = world.sign_text(contract);
    let catalogue = Catalogue::parse(tools.as_bytes()).unwrap();
    let parsed = Contract::parse("c", contract, &catalogue).unwrap();
    let now_ms = world.log.now.ns().div_euclid(1_000_000);
    let mut batch = Batch::new(&parsed, &catalogue, Asks::Approve, now_ms);
    let mut kinds = [0; 3];
    for (at, (text, calls)) in tasks.iter().enumerate() {
        let task = TaskId::new(Uuid::from_u128(500 + at as u128));
        world.submit_saying(task, signed, text.as_bytes());
        world.turn();
        let name = at.to_string();
        let first = json!({"task": name, "text": text});
        batch.line(&first.to_string()).unwrap();
        for made in calls {
            let service = of_service(&mut world, task, made);
            assert_eq!(of_batch(&mut batch, &name, made), service, "{made:?}");
            let words = ["granted", "ask", "refused"];
            kinds[words.iter().position(|word| *word == service.0).unwrap()] += 1;
        }
    }
    kinds
}

/// The text of a file of an example.
fn read(example: &str, file: &str) -> String {
    let examples = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../deploy/examples");
    std::fs::read_to_string(examples.join(example).join(file)).unwrap()
}

fn generated(example: &str) -> Vec<(String, Vec<Made>)> {
    let calls = format!(
        "{}{}",
        read(example, "honest.jsonl"),
        read(example, "attack.jsonl")
    );
    let tools = Catalogue::parse(read(example, "tools.json").as_bytes()).unwrap();
    let mut attacker = Attacker::new(&calls, &tools);
    let tasks = 0..CALLS / OF_A_TASK;
    tasks
        .map(|_| {
            let words = attacker.words();
            (words, (0..OF_A_TASK).map(|_| attacker.propose()).collect())
        })
        .collect()
}

/// The calls of the folder's own files, each file one task.
fn written(example: &str) -> Vec<(String, Vec<Made>)> {
    let task = |file: &str| {
        let (mut text, mut calls) = (String::new(), Vec::new());
        for line in read(example, file).lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            match line["text"].as_str() {
                Some(words) => words.clone_into(&mut text),
                None => calls.push((
                    line["tool"].as_str().unwrap().to_owned(),
                    line["args"].as_object().unwrap().clone(),
                    line["result"].clone(),
                )),
            }
        }
        (text, calls)
    };
    ["honest.jsonl", "attack.jsonl"].map(task).to_vec()
}

#[test]
fn examples_are_decided_alike_with_and_without_a_bus() {
    let mut kinds = [0; 3];
    for example in EXAMPLES {
        let tasks = [written(example), generated(example)].concat();
        let (tools, contract) = (read(example, "tools.json"), read(example, "contract.toml"));
        let some = compare(&tools, &contract, &tasks);
        kinds = [0, 1, 2].map(|at| kinds[at] + some[at]);
    }
    assert!(kinds.iter().all(|many| *many >= 8), "{kinds:?}");
}

#[test]
fn more_calls_than_a_task_can_reserve_are_decided_alike() {
    let tools = include_str!("../../../contract/tests/conformance/tools.json");
    let made = |_| ("t.any".to_owned(), Map::new(), json!({"found": "x"}));
    let calls: Vec<Made> = (0..120).map(made).collect();
    let contract = crate::text("[[allow]]\ntool = \"t.any\"");
    let kinds = compare(tools, &contract, &[("go".to_owned(), calls)]);
    assert_eq!(kinds, [100, 0, 20]);
}

#[test]
fn odd_results_are_read_alike() {
    let tools = include_str!("../../../contract/tests/conformance/tools.json");
    let contract = crate::text(
        "[[allow]]\ntool = \"t.free\"\n[[allow]]\ntool = \"mail.send\"\n\
         where.to = { from = { tool = \"t.free\", field = \"a.to\" } }\n\
         [[deny]]\ntool = \"mail.send\"\nwhere.body = { from = { tool = \"t.free\", field = \"b\" } }",
    );
    let mail = |to: &str, body: &str| {
        let args = json!({"to": to, "body": body});
        (
            "mail.send".to_owned(),
            args.as_object().unwrap().clone(),
            Value::Null,
        )
    };
    let free = |result: Value| ("t.free".to_owned(), Map::new(), result);
    let inner = json!({"a": {"to": "x@y.example"}}).to_string();
    let large = "x".repeat(900_000);
    for (result, kinds) in [
        (json!({"a": {"to": "x@y.example"}}), [2, 0, 0]),
        (json!(inner), [2, 0, 0]),
        // A JSON text nested inside a result stays text.
        (
            json!({"a": json!({"to": "x@y.example"}).to_string()}),
            [1, 0, 1],
        ),
        (json!({"a": {"to": "x@y.example"}, "c": large}), [2, 0, 0]),
    ] {
        let calls = vec![free(result), mail("x@y.example", "hello")];
        let tasks = [("go".to_owned(), calls)];
        assert_eq!(compare(tools, &contract, &tasks), kinds);
    }
}
