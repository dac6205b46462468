//! Requests in parts: the record stores a conversation once, the host gets all of it each time, and each outcome proves the body.

use bus_schema::{AFTER, AuthorId, BLOBS, Content, Digest, Sealed};
use serde_json::{Value, json};

use crate::{
    cli::run,
    models::{Scene, once, said},
};

/// The answers that call a tool.
const CALLS: usize = 5;
/// The words of each answer.
const WORDS: usize = 600;

fn content(fact: &Value, name: &str) -> Content {
    serde_json::from_value(fact[name].clone()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_is_stored_once_and_sent_whole_with_each_request() {
    let wire = "openai-chat";
    let turns: Vec<Value> = (0..CALLS)
        .map(|nth| {
            let path = json!({"path": format!("{nth}.txt")});
            let id = format!("c{nth}");
            once(said(
                wire,
                &"word ".repeat(WORDS),
                &[(&id, "file_read", path)],
            ))
        })
        .chain([once(said(wire, "Done.", &[]))])
        .collect();
    let Some(scene) = Scene::start(wire, &turns).await else {
        return;
    };
    let ran = scene.ran().await;
    assert_eq!(ran.outcome(), "succeeded", "{:?}", ran.events.last());
    // The host gets the whole conversation each time, and what it got before is the beginning.
    let requests = scene.requests();
    assert_eq!(requests.len(), CALLS + 1);
    for (earlier, later) in requests.iter().zip(&requests[1..]) {
        let [before, all] = [earlier, later].map(|one| one["messages"].as_array().unwrap());
        assert!(all.starts_with(before) && all.len() == before.len() + 2);
        assert_eq!(earlier["tools"], later["tools"]);
    }
    // Each request but the first names the one before, and stores one answer and one result.
    let record = scene.deployment.record().await;
    let gateway = scene.deployment.gateway();
    let asked: Vec<_> = record
        .of("action.proposed")
        .filter(|one| one.fact["tool"] == "model.main")
        .map(|one| (one.action(), content(&one.fact, "args")))
        .collect();
    let mut after = None;
    for (_, args) in &asked {
        let bytes = gateway.content(AuthorId::Engine, args).await.unwrap();
        let args_read: Value = serde_json::from_slice(&bytes.unwrap()).unwrap();
        let named = args_read.get(AFTER).cloned();
        assert_eq!(
            named.map(|named| serde_json::from_value(named).unwrap()),
            after
        );
        if after.is_some() {
            assert!(args.len() < 2 * 5 * WORDS as u32, "{}", args.len());
        }
        after = Some(*args);
    }
    // Each outcome proves the very bytes of the body that the host got.
    let owner = scene.deployment.client("owner").await;
    let bodies = scene.world.lines("bodies");
    for ((action, _), body) in asked.iter().zip(&bodies) {
        let mut finished = record.of("action.finished");
        let fact = &finished.find(|one| one.action() == *action).unwrap().fact;
        let output = content(fact, "output");
        let place = output.subject(AuthorId::Egress, 0);
        let get = format!("{}.DIRECT.GET.{BLOBS}.{place}", owner.api);
        let stored = owner.nats.request(get, "".into()).await.unwrap().payload;
        let sealed = Sealed::from_stored(stored.to_vec()).unwrap();
        assert_eq!(sealed.content(), output);
        let proof = sealed.proof_of(&Digest::of(&[body.as_bytes()]));
        assert_eq!(fact["sent"], json!(proof));
        // The command builds the same bytes from the record.
        let (task, action) = (ran.task.to_string(), action.unwrap().to_string());
        let shown = run(&scene.deployment, &["output", &task, &action, "--sent"]);
        assert_eq!(shown.code, Some(0), "{shown:?}");
        assert_eq!(shown.printed, *body);
    }
}
