//! `model test`: a few words to a model, and what came of them.

use serde_json::json;

use crate::{
    cli::run,
    models::{Scene, WIRES, once, said},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_answers_a_few_words_passes_its_test() {
    for wire in WIRES {
        let Some(scene) = Scene::start(wire, &[once(said(wire, "ready", &[]))]).await else {
            return;
        };
        let tested = run(&scene.deployment, &["model", "test", "main"]);
        assert_eq!(tested.code, Some(0), "{wire}: {tested:?}");
        for part in [
            "test-model-1 at api.example.com",
            "answered in",
            "100 tokens",
        ] {
            assert!(tested.printed.contains(part), "{part}: {tested:?}");
        }
        let requests = scene.requests();
        assert_eq!(requests.len(), 1);
        // It can do nothing.
        assert_eq!(requests[0].get("tools"), None, "{}", requests[0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_that_fails_says_where() {
    let wire = "openai-chat";
    let refused = json!([{"status": 401, "body": {"error": {"message": "no such key"}}}]);
    let Some(scene) = Scene::start(wire, &[refused]).await else {
        return;
    };
    let test = |more: &[&str]| run(&scene.deployment, &[&["model", "test"], more].concat());
    let ended = test(&["main"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.said.contains("did not answer"), "{ended:?}");
    assert!(ended.said.contains("401"), "{ended:?}");
    let ended = test(&["mian"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.said.contains("name one of main"), "{ended:?}");
    let ended = test(&["main", "--contract", "other"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.said.contains("no contract in force permits"),
        "{ended:?}"
    );
    let revoked = run(&scene.deployment, &["secret", "revoke", "llm"]);
    assert_eq!(revoked.code, Some(0), "{revoked:?}");
    let ended = test(&["--json", "main"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.said.contains("the owner revoked it"), "{ended:?}");
    assert_eq!(scene.requests().len(), 1);
}
