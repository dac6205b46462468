//! Streams of models: words are shown as they arrive, a stream that breaks off costs its reservation, and prices settle money.

use bus_schema::AuthorId;
use serde_json::{Value, json};

use crate::{
    cli::program,
    models::{Scene, WIRES, once, said, script},
    terminal::Terminal,
};

const WORDS: &str = "First the one half, then the other one.";
const PRICES: [&str; 2] = ["--price", "USD input=3.00 output=15.00 cached=0.30"];

/// The money of the outcomes of egress, and the outcomes.
async fn paid(scene: &Scene) -> Vec<(String, Value)> {
    let record = scene.deployment.record().await;
    let of_egress = record
        .of("action.finished")
        .filter(|one| one.by() == Some(AuthorId::Egress));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    of_egress
        .map(|one| {
            let spend = one.fact["usage"]["spend"]["minor"].clone();
            (text(&one.fact["outcome"]), spend)
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_words_of_a_model_are_shown_before_its_answer_has_ended() {
    let held = json!([{"body": said("anthropic", WORDS, &[]), "hold": "go"}]);
    let Some(scene) = Scene::start("anthropic", &[held]).await else {
        return;
    };
    let words = ["run", "Say it", "--contract", "work"];
    let mut command = program(Some(scene.deployment.dir().path()), &words);
    let mut terminal = Terminal::start(&mut command, "");
    let (first, second) = WORDS.split_at(WORDS.len() / 2);
    terminal.shows(first, 1).await;
    // The host has not sent the rest.
    let screen = terminal.screen();
    assert!(
        !screen.contains(second) && !screen.contains("succeeded"),
        "{screen}"
    );
    assert_eq!(paid(&scene).await, []);
    scene.world.write("go");
    let (code, screen) = terminal.ended().await;
    assert_eq!(code, Some(0), "{screen}");
    assert!(screen.contains(WORDS), "{screen}");
    assert_eq!(paid(&scene).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_request_costs_settles_the_money_of_the_task() {
    for wire in WIRES {
        // Each request reserves 0.41, so that only settled ones leave room for three.
        let limits = "spend = [\"USD 0.45\"]\n";
        let turns = script(wire);
        let Some(scene) = Scene::with(wire, &turns, (&PRICES, limits)).await else {
            return;
        };
        let ran = scene.ran().await;
        assert_eq!(ran.outcome(), "succeeded", "{:?}", ran.events.last());
        let cent = ("succeeded".to_owned(), json!(1));
        assert_eq!(paid(&scene).await, vec![cent; 3], "{wire}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_breaks_off_costs_its_reservation() {
    let wire = "openai-chat";
    let cut = json!({"body": said(wire, WORDS, &[]), "cut": true});
    let whole = once(said(wire, WORDS, &[]))[0].clone();
    let limits = "spend = [\"USD 0.45\"]\n";
    let turns = [json!([cut, whole])];
    let Some(scene) = Scene::with(wire, &turns, (&PRICES, limits)).await else {
        return;
    };
    let ran = scene.ran().await;
    // It changed nothing at the host, so it has failed, and the next attempt has no money left.
    assert_eq!(paid(&scene).await, [("failed".to_owned(), Value::Null)]);
    let end = scene.end(&ran).await;
    assert_eq!(end["code"], "refused", "{end}");
    assert!(end["reason"].to_string().contains("USD 0.45"), "{end}");
    assert_eq!(scene.requests().len(), 1);
}
