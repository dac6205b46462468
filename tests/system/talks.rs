//! A person at a terminal and a model: the contract that is signed first, further words, and requests for another contract.

use std::fs;

use serde_json::{Value, json};

use crate::{
    cli::{program, run},
    executable::executable,
    main_job::has,
    models::{Scene, once, said, script},
    terminal::Terminal,
};

const WIRE: &str = "anthropic";
const ASKED: &str = "sign it? [yes/no] ";
const PLANNED: &str = "or what is too much";

impl Scene {
    /// Starts a command on a terminal; its editor opens the network of this machine.
    fn at_terminal(&self, arguments: &[&str]) -> Terminal {
        let editor = self.deployment.scratch().join("editor");
        executable(
            &editor,
            "#!/bin/sh\nsed -i 's|^hosts = .*|&\\nnetworks = [\"127.0.0.0/8\"]|' \"$1\"\n",
        );
        let mut command = program(Some(self.deployment.dir().path()), arguments);
        Terminal::start(command.env("EDITOR", editor).env_remove("VISUAL"), "")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn words_without_a_contract_get_one_that_a_person_narrows_and_signs() {
    let Some(scene) = Scene::start(WIRE, &script(WIRE)).await else {
        return;
    };
    let words = "Write a report into report.md about 2026-10-lindgren-coffee.txt";
    let piped = run(&scene.deployment, &["run", words]);
    assert_eq!(piped.code, Some(64), "{piped:?}");
    assert!(
        piped.said.contains("contractual contract new --task-text"),
        "{piped:?}"
    );

    let mut terminal = scene.at_terminal(&["run", words]);
    terminal.shows(PLANNED, 1).await;
    let screen = terminal.screen();
    has(
        &screen,
        &[
            "It may read",
            "It may change",
            "It may send",
            "It may spend",
            "`file.move`",
            "at most 500,000 tokens",
            "Everything else is refused.",
        ],
    );
    terminal.types("without bananas\n");
    terminal
        .shows("`bananas` names nothing in the draft", 1)
        .await;
    terminal.shows(PLANNED, 2).await;
    let before = terminal.screen().len();
    terminal.types("without moving, please\n");
    terminal.shows(PLANNED, 3).await;
    let narrowed = terminal.screen()[before..].to_owned();
    assert!(narrowed.contains("`file.write`"), "{narrowed}");
    assert!(!narrowed.contains("`file.move`"), "{narrowed}");
    terminal.types("edit\n");
    terminal.shows(PLANNED, 4).await;
    terminal.types("yes\n");
    terminal.shows(ASKED, 1).await;
    terminal.types("yes\n");
    let (code, screen) = terminal.ended().await;
    assert_eq!(code, Some(0), "{screen}");
    assert!(screen.contains("The report is written."), "{screen}");
    let report = scene.deployment.workspace().join("report.md");
    assert_eq!(fs::read_to_string(report).unwrap(), "done\n");
    let listed = run(&scene.deployment, &["contract", "list", "--json"]);
    let listed: Vec<Value> = serde_json::from_str(&listed.printed).unwrap();
    let signed = listed.iter().find(|one| one["name"] != "work").unwrap();
    assert_eq!(signed["name"], "write-a-report-into-report-md");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_hears_the_signed_words_of_the_person() {
    let turns = [
        once(said(WIRE, "Hello to you.", &[])),
        once(said(WIRE, "Once more to you.", &[])),
    ];
    let Some(scene) = Scene::start(WIRE, &turns).await else {
        return;
    };
    let mut terminal = scene.at_terminal(&["chat", "Hello", "--contract", "work"]);
    terminal.shows("you: ", 1).await;
    terminal.types("and again\n");
    terminal.shows("you: ", 2).await;
    terminal.types("\u{4}");
    let (code, screen) = terminal.ended().await;
    assert_eq!(code, Some(0), "{screen}");
    has(
        &screen,
        &[
            "Hello to you.",
            "the owner: and again",
            "Once more to you.",
            "2 answers",
        ],
    );
    let requests = scene.requests();
    assert_eq!(requests.len(), 2);
    let sent = requests[1]["messages"].as_array().unwrap();
    assert_eq!(sent.last().unwrap()["content"], "and again");
    let verified = run(&scene.deployment, &["audit", "verify"]);
    assert!(verified.printed.contains(" 0 junk"), "{verified:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_asks_for_more_and_a_person_signs_the_next_version() {
    let write = json!({"path": "other.md", "text": "done\n"});
    let write = |id| said(WIRE, "I write.", &[(id, "file_write", write.clone())]);
    let asks = json!({"refused": "1.1", "reason": "The report needs it."});
    let turns = [
        once(write("c1")),
        once(said(WIRE, "I ask.", &[("c2", "contract_request", asks)])),
        once(write("c3")),
        once(said(WIRE, "The other file is written.", &[])),
    ];
    let Some(scene) = Scene::start(WIRE, &turns).await else {
        return;
    };
    let words = [
        "run",
        "Write a report about the coffee",
        "--contract",
        "work",
    ];
    let mut terminal = scene.at_terminal(&words);
    terminal
        .shows("sign the new version? [yes/no/edit] ", 1)
        .await;
    let screen = terminal.screen();
    has(
        &screen,
        &[
            "asks for a change of `work`, version 1",
            "it says: The report needs it.",
            "`path` = other.md: the agent's own",
            "the difference of version 2:",
            "an example: the refused call is then asked about by `write`",
        ],
    );
    terminal.types("yes\n");
    terminal.shows(ASKED, 1).await;
    terminal.types("yes\n");
    let (code, screen) = terminal.ended().await;
    assert_eq!(code, Some(0), "{screen}");
    assert!(screen.contains("The other file is written."), "{screen}");
    let other = scene.deployment.workspace().join("other.md");
    assert_eq!(fs::read_to_string(other).unwrap(), "done\n");
    let record = scene.deployment.record().await;
    let count = |kind: &str| record.of(kind).count();
    assert_eq!(
        (count("contract.requested"), count("contract.answered")),
        (1, 1)
    );
}
