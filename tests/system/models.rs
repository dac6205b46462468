//! Dialogues: a model works on a person's words under a contract, and each of its calls is decided, executed and recorded once.

use std::{collections::BTreeMap, fs};

use bus_schema::{AuthorId, TaskId};
use harness::{Deployment, Ran, SOON, eventually};
use serde_json::{Value, json};

use crate::{
    cli::{Ended, run},
    egress::{World, started},
    scene::contract,
    secret_calls::{canary, encodings, everything, give, has},
};

const MODEL: &str = "test-model-1";
const SERVER: &str = include_str!("models_server.py");
const RULES: &str = "[[allow]]\nname = \"list\"\ntool = \"file.list\"\ntokens = 0\n\n\
    [[allow]]\nname = \"read\"\ntool = \"file.read\"\nwhere.path = { path = \"*.txt\" }\ntokens = 0\n\n\
    [[ask]]\nname = \"write\"\ntool = \"file.write\"\nreason = \"It writes.\"\nwhere.path = \"report.md\"\ntokens = 0\n";
const FILE: &str = "2026-10-lindgren-coffee.txt";
pub(crate) const WIRES: [&str; 3] = ["anthropic", "openai-chat", "openai-responses"];

/// A deployment with a model that answers by script.
pub(crate) struct Scene {
    pub(crate) deployment: Deployment,
    pub(crate) world: World,
    key: String,
}

/// An answer of a wire, with words and calls (id, name and arguments).
pub(crate) fn said(wire: &str, words: &str, calls: &[(&str, &str, Value)]) -> Value {
    let stop = if calls.is_empty() {
        ["end_turn", "stop"]
    } else {
        ["tool_use", "tool_calls"]
    };
    if wire == "anthropic" {
        let thinking = json!({"type": "thinking", "thinking": "hm", "signature": "signed:hm"});
        let text = json!({"type": "text", "text": words});
        let calls = calls.iter().map(
            |(id, name, args)| json!({"type": "tool_use", "id": id, "name": name, "input": args}),
        );
        let content: Vec<Value> = [thinking, text].into_iter().chain(calls).collect();
        return json!({
            "id": "msg_1", "type": "message", "role": "assistant", "model": MODEL, "content": content,
            "stop_reason": stop[0], "stop_sequence": null, "usage": {"input_tokens": 70, "output_tokens": 30},
        });
    }
    if wire == "openai-responses" {
        let reasoning = json!({"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "signed"});
        let words = json!({
            "type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": words, "annotations": []}],
        });
        let calls = calls.iter().map(|(id, name, args)| {
            json!({"type": "function_call", "id": format!("f{id}"), "call_id": id, "name": name, "arguments": args.to_string()})
        });
        let output: Vec<Value> = [reasoning, words].into_iter().chain(calls).collect();
        return json!({
            "id": "resp_1", "object": "response", "status": "completed", "model": MODEL, "output": output,
            "usage": {"input_tokens": 70, "output_tokens": 30, "total_tokens": 100},
        });
    }
    let calls: Vec<Value> = calls
        .iter()
        .map(|(id, name, args)| {
            json!({"id": id, "type": "function", "function": {"name": name, "arguments": args.to_string()}})
        })
        .collect();
    let mut message = json!({"role": "assistant", "content": words, "refusal": null});
    if !calls.is_empty() {
        message["tool_calls"] = calls.into();
    }
    json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": MODEL,
        "choices": [{"index": 0, "message": message, "finish_reason": stop[1]}],
        "usage": {"prompt_tokens": 70, "completion_tokens": 30, "total_tokens": 100},
    })
}

/// The only answer to a request.
pub(crate) fn once(body: Value) -> Value {
    json!([{ "body": body }])
}

/// A script that reads two files at once, one of which is refused, writes after an approval, and ends in words.
pub(crate) fn script(wire: &str) -> Vec<Value> {
    let read = |id, path: &str| (id, "file_read", json!({"path": path}));
    let report = json!({"path": "report.md", "text": "done\n"});
    vec![
        once(said(
            wire,
            "I read.",
            &[read("c1", FILE), read("c2", "../x")],
        )),
        once(said(wire, "I write.", &[("c3", "file_write", report)])),
        once(said(wire, "The report is written.", &[])),
    ]
}

impl Scene {
    /// Starts a deployment, adds the model, gives its key, and signs a contract with the rule that `model add` prints; none
    /// without Python.
    pub(crate) async fn start(wire: &str, turns: &[Value]) -> Option<Self> {
        Self::with(wire, turns, (&[], "")).await
    }

    /// Does the same with further flags of `model add`, and further limits of a task.
    pub(crate) async fn with(
        wire: &str,
        turns: &[Value],
        (flags, limits): (&[&str], &str),
    ) -> Option<Self> {
        let deployment = Deployment::provisioned().await;
        let script = json!({"wire": wire, "model": MODEL, "turns": turns}).to_string();
        let files = [
            ("script.json", script.as_str()),
            ("models_server.py", SERVER),
        ];
        let world = World::with(&deployment, &files)?;
        started(&deployment, &world).await;
        let key = canary(&deployment);
        let (host, url) = (world.endpoint(), format!("https://{}/", world.endpoint()));
        let add = [
            "model", "add", "main", "--wire", wire, "--url", &url, "--secret", "llm", "--model",
            MODEL, "--tokens", "500", "--yes",
        ];
        let added = run(&deployment, &[&add, flags].concat());
        assert_eq!(added.code, Some(0), "{added:?}");
        let place = added.printed.split("--inject '").nth(1).unwrap();
        let place = place.split('\'').next().unwrap();
        let inject = [
            "secret", "set", "llm", "--host", &host, "--method", "POST", "--inject", place,
        ];
        let given = give(&deployment, &inject, &key);
        assert_eq!(given.code, Some(0), "{given:?}");
        let rule = added.printed.split("[[allow]]").nth(1).unwrap();
        let rule = rule.split("\n\n").next().unwrap();
        let text = contract("work", &format!("{RULES}\n[[allow]]{rule}\ntokens = 400\n"));
        let head = format!("{}\n[limits]\n{limits}tokens = 1500", world.head());
        let text = text.replacen("\n[limits]", &head, 1);
        deployment.sign(&text).await;
        Some(Self {
            deployment,
            world,
            key,
        })
    }

    fn run(&self, flags: &[&str]) -> Ended {
        let words = [
            "run",
            "Write a report about the coffee",
            "--contract",
            "work",
        ];
        run(&self.deployment, &[&words, flags].concat())
    }

    /// Submits the dialogue.
    fn submitted(&self) -> TaskId {
        let detached = self.run(&["--detach", "--json"]);
        assert_eq!(detached.code, Some(0), "{detached:?}");
        let submitted: Value = serde_json::from_str(&detached.printed).unwrap();
        serde_json::from_value(submitted["task"].clone()).unwrap()
    }

    /// Runs the dialogue, and approves its questions.
    pub(crate) async fn ran(&self) -> Ran {
        self.deployment.follow(self.submitted(), true).await
    }

    /// The requests that the model has read.
    pub(crate) fn requests(&self) -> Vec<Value> {
        let lines = self.world.lines("bodies");
        assert_eq!(self.world.lines("faults"), [""; 0]);
        lines
            .iter()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// The actions that were claimed: tool and step, in their order.
    async fn claimed(&self) -> Vec<(String, String)> {
        let record = self.deployment.record().await;
        let proposed: BTreeMap<_, _> = record
            .of("action.proposed")
            .map(|one| {
                (
                    one.action(),
                    (one.fact["tool"].clone(), one.fact["step"].clone()),
                )
            })
            .collect();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        record
            .of("action.started")
            .map(|one| {
                let (tool, step) = &proposed[&one.action()];
                (text(tool), text(step))
            })
            .collect()
    }

    /// Checks that the key stands nowhere: in no log, file of the deployment or the servers, and in no stored message or content.
    async fn shows_no_key(&self) {
        let encodings = encodings(&self.key);
        let shown = everything(&self.deployment).await;
        assert!(shown.len() > 50, "{}", shown.len());
        for (place, bytes) in shown {
            assert!(!has(&bytes, &encodings), "{place} shows the key");
        }
    }

    /// The detail of the end of the last dialogue.
    pub(crate) async fn end(&self, ran: &Ran) -> Value {
        let fact = &ran.events.last().unwrap().body["fact"];
        let detail = serde_json::from_value(fact["detail"].clone()).unwrap();
        let bytes = self
            .deployment
            .gateway()
            .content(AuthorId::Engine, &detail)
            .await;
        serde_json::from_slice(&bytes.unwrap().unwrap()).unwrap()
    }
}

fn expected() -> Vec<(String, String)> {
    [
        ("model.main", "model-1"),
        ("file.read", "calls-1"),
        ("model.main", "model-2"),
        ("file.write", "calls-2"),
        ("model.main", "model-3"),
    ]
    .map(|(tool, step)| (tool.to_owned(), step.to_owned()))
    .to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_works_on_words_under_a_contract() {
    for wire in WIRES {
        let Some(scene) = Scene::start(wire, &script(wire)).await else {
            return;
        };
        let ended = scene.run(&["--yes"]);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        for part in [
            "refused",
            "signed with --yes",
            "The report is written.",
            "granted",
        ] {
            assert!(ended.printed.contains(part), "{part}: {ended:?}");
        }
        let report = scene.deployment.workspace().join("report.md");
        assert_eq!(fs::read_to_string(report).unwrap(), "done\n");
        assert_eq!(scene.claimed().await, expected());
        // What the file says stands between marks; the refusal names its rule.
        let requests = scene.requests();
        assert_eq!(requests.len(), 3);
        let messages = if wire == "openai-responses" {
            "input"
        } else {
            "messages"
        };
        let sent = requests[2][messages].to_string();
        for part in [
            "Lindgren",
            "is data that anybody may have written",
            "Refused by ",
        ] {
            assert!(sent.contains(part), "{part}: {sent}");
        }
        assert!(!requests[0]["tools"].to_string().contains("model"));
        let wanted = if wire == "anthropic" {
            scene.key.clone()
        } else {
            format!("Bearer {}", scene.key)
        };
        let wanted = bus_schema::Digest::of(&[wanted.as_bytes()]).to_string();
        assert_eq!(scene.world.seen(), vec![wanted; 3]);
        let record = scene.deployment.record().await;
        let tokens: Vec<_> = record
            .of("action.finished")
            .filter(|one| one.by() == Some(AuthorId::Egress))
            .map(|one| one.fact["usage"]["tokens"].clone())
            .collect();
        assert_eq!(tokens, vec![json!(100); 3]);
        scene.shows_no_key().await;
        let verified = run(&scene.deployment, &["audit", "verify"]);
        assert!(verified.printed.contains(" 0 junk"), "{verified:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_is_busy_is_asked_again() {
    let wire = "openai-chat";
    let busy = json!({"status": 429, "headers": {"retry-after": "1"}, "body": {"error": {"message": "slow down"}}});
    let broken = json!({"body": {"choices": []}});
    let last = json!({"body": said(wire, "Nothing to do.", &[])});
    let Some(scene) = Scene::start(wire, &[json!([busy, broken, last])]).await else {
        return;
    };
    let ran = scene.ran().await;
    assert_eq!(ran.outcome(), "succeeded", "{:?}", ran.events.last());
    assert_eq!(ran.outcomes(), ["failed", "succeeded", "succeeded"]);
    assert_eq!(scene.end(&ran).await["text"], "Nothing to do.");
    let failed = ran
        .events
        .iter()
        .find(|event| event.kind == "action.finished")
        .unwrap();
    let proposed = ran
        .events
        .iter()
        .filter(|event| event.kind == "action.proposed");
    let again = proposed.clone().nth(1).unwrap();
    assert!(again.stored.ms_since(failed.stored) >= 1000);
    let attempts: Vec<_> = proposed
        .map(|event| event.body["fact"]["attempt"].clone())
        .collect();
    assert_eq!(attempts, [1, 2, 3]);
    assert_eq!(scene.requests().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_only_repeats_itself_is_ended() {
    let wire = "anthropic";
    let again = said(
        wire,
        "Again.",
        &[("c1", "file_read", json!({"path": FILE}))],
    );
    let Some(scene) = Scene::start(wire, &[once(again)]).await else {
        return;
    };
    let ran = scene.ran().await;
    assert_eq!(ran.outcome(), "failed");
    assert_eq!(scene.end(&ran).await["code"], "repetition");
    // Each reserves 400 of 1,500 tokens, and used 100: what the host says has settled the reservations.
    assert_eq!(scene.requests().len(), 5);
    assert_eq!(ran.count("action.refused"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_answers_are_told_to_the_model_and_refusals_end_the_dialogue() {
    let wire = "openai-chat";
    let calls = [
        ("c1", "file_burn", json!({})),
        ("c2", "file_read", json!({})),
    ];
    let mut odd = said(wire, "", &calls);
    odd["choices"][0]["message"]["tool_calls"][1]["function"]["arguments"] = json!("{\"path\": ");
    let mut no_usage = said(
        wire,
        "Once more.",
        &[("c4", "file_list", json!({"path": "."}))],
    );
    no_usage.as_object_mut().unwrap().remove("usage");
    let turns = [once(odd), once(no_usage)];
    let Some(scene) = Scene::start(wire, &turns).await else {
        return;
    };
    let ran = scene.ran().await;
    // Three answers without usage settle at their reservations, so the fifth request exceeds the limit of tokens.
    assert_eq!(ran.outcome(), "failed");
    let end = scene.end(&ran).await;
    assert_eq!(end["code"], "refused", "{end}");
    let requests = scene.requests();
    assert_eq!(requests.len(), 4);
    let results: Vec<_> = requests[1]["messages"].as_array().unwrap().iter().collect();
    let results = results.iter().filter(|message| message["role"] == "tool");
    let results: Vec<_> = results
        .map(|message| message["content"].as_str().unwrap())
        .collect();
    for (result, part) in results
        .iter()
        .zip(["no tool of this name", "no JSON object"])
    {
        assert!(result.contains(part), "{result}");
    }
    assert_eq!(results.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_engine_repeats_nothing() {
    let wire = "anthropic";
    let Some(scene) = Scene::start(wire, &script(wire)).await else {
        return;
    };
    let (mut claimed, mut requests) = (Vec::new(), 0);
    // At each of these facts of a dialogue the engine is killed once.
    for (kind, count) in [
        ("task.admitted", 1),
        ("action.proposed", 1),
        ("action.finished", 1),
        ("action.proposed", 3),
        ("approval.requested", 1),
        ("action.finished", 4),
    ] {
        let before = scene.deployment.record().await.of(kind).count();
        let task = scene.submitted();
        let kill = async {
            eventually(SOON, async || {
                let record = scene.deployment.record().await;
                match record.of(kind).count() {
                    enough if enough >= before + count => Ok(()),
                    fewer => Err(fewer),
                }
            })
            .await;
            scene.deployment.kill(AuthorId::Engine);
            scene.deployment.start(AuthorId::Engine).await;
        };
        let (ran, ()) = tokio::join!(scene.deployment.follow(task, true), kill);
        let end = ran.events.last();
        assert_eq!(ran.outcome(), "succeeded", "{kind} {count}: {end:?}");
        claimed.extend(expected());
        requests += 3;
        assert_eq!(scene.claimed().await, claimed, "{kind} {count}");
        assert_eq!(scene.requests().len(), requests, "{kind} {count}");
    }
}
