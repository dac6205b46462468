//! The progress of a step with many items: a bar on a terminal, and nothing of it elsewhere.

use crate::{
    cli::end,
    main_job::{run, with_documents},
    scene::{MAY_LIST, contract},
    terminal::Terminal,
};

const MANY: &str = "playbook = \"many\"\npurpose = \"A test.\"\n[[step]]\nid = \"look\"\ntool = \"file.list\"\n\
    args = { path = \".\", pattern = \"*.txt\" }\nrepeat = 12\n";

#[tokio::test]
async fn a_step_with_many_items_has_a_bar_on_a_terminal_alone() {
    let (deployment, arguments) = with_documents(&contract("week", MAY_LIST), MANY).await;
    let mut terminal = Terminal::start(&mut run(&deployment, &arguments, &[]), "");
    let (code, screen) = terminal.ended().await;
    assert_eq!(code, Some(0), "{screen}");
    for done in 0..12 {
        let count = format!("] {done} of 12 items\r");
        assert!(screen.contains(&count), "{count:?}: {screen}");
    }
    assert!(
        screen.contains("look [############------------] 6 of"),
        "{screen}"
    );
    assert!(!screen.contains("12 of 12"), "{screen}");
    // The last of it is cleared before the end of the task is said.
    let end = screen.rsplit("\u{1b}[2K").next().unwrap();
    assert!(end.contains("ms  worker   "), "{end:?}");

    let piped = end_of(&deployment, &arguments);
    assert!(
        piped.contains("look 12/12") && !piped.contains("of 12 items"),
        "{piped}"
    );
}

fn end_of(deployment: &harness::Deployment, arguments: &[String; 4]) -> String {
    let ended = end(&mut run(deployment, arguments, &[]));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.printed
}
