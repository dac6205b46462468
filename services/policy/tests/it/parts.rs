//! Arguments in parts: policy judges the whole, and takes parts only from earlier calls of the same tool in the same task.

use bus_schema::{ActionId, ActionStarted, Content, Egress, TaskId, json::canonical};
use serde_json::{Value, json};

use crate::world::{World, granted, refused, words};

const RULES: &str = "hosts = [\"api.example.com\"]\n\n[[allow]]\ntool = \"model.*\"\nwhere.model = \"m\"\nfree = [\"messages\"]\n\n\
                     [[allow]]\ntool = \"diary.read\"\n";

/// Two models, and a diary whose pages are secret.
fn world(rules: &str) -> (World, TaskId) {
    let model = |name: &str| {
        json!({
            "name": name, "description": "", "effect": "tell", "risk": "low", "output": "trusted",
            "input_schema": {
                "type": "object", "additionalProperties": false, "required": ["model", "messages"],
                "properties": {"model": {"type": "string"}, "messages": {"type": "string", "maxLength": 60}},
            },
            "http": {
                "method": "POST", "host": "api.example.com", "path": "/v1",
                "body": {"model": {"$value": "model"}, "messages": {"$json": "messages"}}, "answer": {"type": "json"},
                "limits": {"wall_ms": 1000, "request_bytes_max": 1000, "answer_bytes_max": 1000},
            },
        })
    };
    let diary = json!({
        "name": "diary.read", "description": "", "effect": "read", "risk": "low",
        "output": {"integrity": "trusted", "secrecy": "secret"}, "input_schema": {"type": "object"},
    });
    let tools = json!([model("model.a"), model("model.b"), diary]).to_string();
    let mut world = World::with_tools(tools.as_bytes());
    let contract = world.sign(rules);
    let task = world.submit(contract);
    world.turn();
    (world, task)
}

fn args(messages: &Value, after: Option<Content>) -> Vec<u8> {
    let mut args = json!({"model": "m", "messages": messages.to_string()});
    if let Some(after) = after {
        args["$after"] = serde_json::to_value(after).unwrap();
    }
    canonical(&args)
}

/// Proposes a call, and returns its action, its arguments and the verdict.
fn propose(
    world: &mut World,
    (task, tool): (TaskId, &str),
    args: &[u8],
) -> (ActionId, Content, String) {
    let action = ActionId::new(world.id());
    let content = world.propose_as(task, action, tool, args);
    let said = world.turn();
    let verdict = match &refused(&said)[..] {
        [no] => format!("{}: {}", no.rule, world.why(no.why)),
        _ => words(&said).concat(),
    };
    (action, content, verdict)
}

/// Has a call of `model.a` granted and started, and returns its arguments.
fn started(world: &mut World, task: TaskId, args: &[u8]) -> Content {
    let (action, content, verdict) = propose(world, (task, "model.a"), args);
    assert_eq!(verdict, "granted");
    world.say::<Egress, _>(task, ActionStarted { action });
    content
}

#[test]
fn a_call_in_parts_is_judged_as_the_whole() {
    let (mut world, task) = world(RULES);
    let first = started(&mut world, task, &args(&json!(["one"]), None));
    let second = started(&mut world, task, &args(&json!(["two"]), Some(first)));
    // After a restart the parts are read again.
    world.restart();
    let (_, _, verdict) = propose(
        &mut world,
        (task, "model.a"),
        &args(&json!(["x"]), Some(second)),
    );
    assert_eq!(verdict, "granted");
    // The text has room for 60 characters, and each part alone fits.
    let long = json!(["x".repeat(45)]);
    let (_, _, verdict) = propose(&mut world, (task, "model.a"), &args(&long, Some(second)));
    assert!(verdict.starts_with("schema: "), "{verdict}");
    let (_, _, verdict) = propose(&mut world, (task, "model.a"), &args(&long, None));
    assert_eq!(verdict, "granted");
    // What is judged has to stand in the arguments themselves.
    let mut bare = json!({"messages": "[]", "$after": second});
    let (_, _, verdict) = propose(&mut world, (task, "model.a"), &canonical(&bare));
    assert!(verdict.starts_with("schema: "), "{verdict}");
    bare["model"] = json!("other");
    let (_, _, verdict) = propose(&mut world, (task, "model.a"), &canonical(&bare));
    assert!(!verdict.contains("granted"), "{verdict}");
}

#[test]
fn a_part_is_of_an_earlier_call_of_the_tool_in_the_task() {
    let (mut world, task) = world(RULES);
    let first = started(&mut world, task, &args(&json!(["one"]), None));
    let refused = |world: &mut World, of: (TaskId, &str), args: &[u8]| {
        let (_, _, verdict) = propose(world, of, args);
        assert!(verdict.starts_with("parts: "), "{verdict}");
        verdict
    };
    // Another tool, and another task under the same contract.
    refused(
        &mut world,
        (task, "model.b"),
        &args(&json!([]), Some(first)),
    );
    let contract = world.sign(RULES);
    let other = world.submit(contract);
    world.turn();
    refused(
        &mut world,
        (other, "model.a"),
        &args(&json!([]), Some(first)),
    );
    // A content that is no arguments, and a call that was granted and not started.
    let stray = world.put(bus_schema::AuthorId::Worker, &args(&json!(["stray"]), None));
    refused(
        &mut world,
        (task, "model.a"),
        &args(&json!([]), Some(stray)),
    );
    let (_, open, _) = propose(&mut world, (task, "model.a"), &args(&json!(["open"]), None));
    refused(&mut world, (task, "model.a"), &args(&json!([]), Some(open)));
    // A tool that takes no parts, and a name that is none.
    refused(
        &mut world,
        (task, "diary.read"),
        &canonical(&json!({"$after": first})),
    );
    let verdict = refused(
        &mut world,
        (task, "model.a"),
        &canonical(&json!({"$after": 1, "model": "m", "messages": "[]"})),
    );
    assert!(verdict.contains("send the arguments whole"), "{verdict}");
    // A part that was erased.
    world.log.erase(first);
    world.restart();
    let verdict = refused(
        &mut world,
        (task, "model.a"),
        &args(&json!([]), Some(first)),
    );
    assert!(verdict.contains("was erased"), "{verdict}");
}

#[test]
fn parts_from_before_a_secret_tell_no_less_than_the_whole() {
    let (mut world, task) = world(RULES);
    let first = started(&mut world, task, &args(&json!(["one"]), None));
    let read = world.propose_call(task, "diary.read", b"{}");
    assert_eq!(granted(&world.turn()).len(), 1);
    world.start(task, read);
    let [whole, parts] = [
        args(&json!(["one", "two"]), None),
        args(&json!(["two"]), Some(first)),
    ]
    .map(|args| propose(&mut world, (task, "model.a"), &args).2);
    assert!(!whole.contains("granted"), "{whole}");
    assert_eq!(whole, parts);
}

#[test]
fn a_person_is_asked_about_whole_arguments_alone() {
    let ask = "\n[[ask]]\ntool = \"model.a\"\nreason = \"r\"\nwhere.model = \"m\"\nfree = [\"messages\"]\n\
               when = 'task.calls >= 1'\n";
    let (mut world, task) = world(&format!("{RULES}{ask}"));
    let first = started(&mut world, task, &args(&json!(["one"]), None));
    let [parts, whole] = [
        args(&json!(["two"]), Some(first)),
        args(&json!(["one", "two"]), None),
    ]
    .map(|args| propose(&mut world, (task, "model.a"), &args).2);
    assert!(
        parts.starts_with("parts: ") && parts.contains("send them whole"),
        "{parts}"
    );
    assert_eq!(whole, "asked");
}
