//! Tests that the OpenAPI document describes the routes.

use std::collections::BTreeSet;

use bus_schema::{ActionId, Digest, TaskId, Time};
use gateway::{
    api::{
        Carried, CarryApproval, CarryPlan, ContractLabel, Event, Healthy, ProblemBody, SubmitTask,
        Submitted, Summary, Task, TaskState, Tasks,
    },
    http::ROUTES,
};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::world::World;

fn document() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn operations(document: &Value) -> BTreeSet<(String, String)> {
    let paths = document["paths"].as_object().unwrap();
    let of = |(path, item): (&String, &Value)| {
        let methods = item
            .as_object()
            .unwrap()
            .keys()
            .filter(|key| *key != "parameters");
        methods
            .map(|method| (method.to_uppercase(), path.clone()))
            .collect::<Vec<_>>()
    };
    paths.iter().flat_map(of).collect()
}

#[test]
fn document_names_exactly_the_routes() {
    let routes = ROUTES
        .iter()
        .map(|route| (route.method.to_owned(), route.path.to_owned()));
    assert_eq!(operations(&document()), routes.collect());
}

#[tokio::test]
async fn each_operation_asks_for_the_access_that_it_says() {
    let world = World::start().await;
    let document = document();
    let shown: Value =
        serde_json::from_str(&world.ask("GET /v1/openapi.json", &[], "").await.body).unwrap();
    assert_eq!(shown, document);
    let task = world.submitted();
    for (method, path) in operations(&document) {
        let operation = &document["paths"][&path][method.to_lowercase()];
        let open = operation["security"].as_array().is_some_and(Vec::is_empty);
        let concrete = path
            .replace("{id}", &task.to_string())
            .replace("{name}", "github")
            .replace("{action}", &task.to_string())
            .replace("{pairing}", &"0".repeat(32))
            .replace("{author}", "owner")
            .replace("{digest}", &"0".repeat(64))
            .replace("{len}", "1");
        let answer = world.ask(&format!("{method} {concrete}"), &[], "").await;
        assert_eq!(answer.status == 401, !open, "{method} {path}: {answer:?}");
        assert!(
            ![404, 405].contains(&answer.status),
            "{method} {path}: {answer:?}"
        );
        for parameter in path
            .split('{')
            .skip(1)
            .filter_map(|rest| rest.split('}').next())
        {
            let named = document["paths"][&path]["parameters"].as_array().unwrap();
            let found = named.iter().any(|entry| {
                entry["name"] == parameter
                    || entry["$ref"] == format!("#/components/parameters/{parameter}")
            });
            assert!(found, "{path}: {parameter}");
        }
    }
}

#[tokio::test]
async fn schemas_are_the_types() {
    let world = World::start().await;
    let document = document();
    let ready = world.task();
    let (task, action) = (TaskId::new(Uuid::nil()), ActionId::new(Uuid::nil()));
    let (seq, stored) = (1, Time::default());
    let summary = Summary {
        task,
        seq,
        state: TaskState::Running,
        outcome: None,
        refusal: None,
        contract: Some(Digest::ZERO),
        label: Some(ContractLabel {
            name: "sort-inbox".parse().unwrap(),
            version: 1,
        }),
        playbook: None,
        pending: 0,
        granted: 0,
        asked: 0,
        refused: 0,
        unknown: 0,
        submitted: stored,
        updated: stored,
        ended: None,
        complete: true,
    };
    let event = Event {
        seq,
        stored,
        kind: String::new(),
        body: Value::Null,
    };
    let problem = ProblemBody {
        kind: String::new(),
        title: String::new(),
        status: 400,
        detail: String::new(),
    };
    let signed = ready.signed.clone();
    let check = |name: &str, value: &dyn Serialized, optional: &[&str]| {
        let value = value.json();
        let fields: BTreeSet<_> = value.as_object().unwrap().keys().cloned().collect();
        let schema = &document["components"]["schemas"][name];
        let properties = schema["properties"].as_object().unwrap().keys().cloned();
        assert_eq!(properties.collect::<BTreeSet<_>>(), fields, "{name}");
        let required = schema["required"].as_array().unwrap();
        let required = required.iter().map(|field| field.as_str().unwrap());
        let named: BTreeSet<_> = required.chain(optional.iter().copied()).collect();
        assert!(named.iter().eq(&fields), "{name}");
    };
    check("Healthy", &Healthy { ok: true }, &[]);
    check(
        "CarryApproval",
        &CarryApproval {
            signed: signed.clone(),
        },
        &[],
    );
    check(
        "CarryPlan",
        &CarryPlan {
            action,
            signed: signed.clone(),
        },
        &[],
    );
    check(
        "SubmitTask",
        &SubmitTask {
            signed,
            slots: Some(ready.playbook.clone()),
            dialogue: Some(ready.playbook.clone()),
            playbook: ready.playbook,
        },
        &["slots", "dialogue"],
    );
    check("Submitted", &Submitted { task, seq }, &[]);
    check("Carried", &Carried { task, action, seq }, &[]);
    check(
        "Tasks",
        &Tasks {
            halted: false,
            tasks: vec![summary.clone()],
        },
        &[],
    );
    check(
        "Task",
        &Task {
            summary: summary.clone(),
            events: vec![event.clone()],
        },
        &[],
    );
    check("Summary", &summary, &[]);
    check("Event", &event, &[]);
    check("Problem", &problem, &[]);
    let states = [
        TaskState::Submitted,
        TaskState::Admitted,
        TaskState::Rejected,
        TaskState::Running,
        TaskState::Finished,
    ];
    let named = &document["components"]["schemas"]["Summary"]["properties"]["state"]["enum"];
    assert_eq!(*named, serde_json::to_value(states).unwrap());
}

trait Serialized {
    fn json(&self) -> Value;
}

impl<T: Serialize> Serialized for T {
    fn json(&self) -> Value {
        serde_json::to_value(self).unwrap()
    }
}
