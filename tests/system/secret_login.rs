//! A person logs in for a secret, and calls carry the token that it leads to.

use harness::Deployment;
use serde_json::{Value, json};

use crate::{
    canary::{KEYS_SERVER, tool},
    egress::{World, call_under, started},
    secret_calls::{canary, encodings, everything, give, has},
};

#[tokio::test]
async fn a_login_in_a_browser_gives_a_secret_whose_tokens_calls_carry() {
    let deployment = Deployment::provisioned().await;
    let canary = canary(&deployment);
    let keys = json!({"refresh": format!("{canary}refresh {canary}secret")}).to_string();
    let files = [
        ("keys.json", keys.as_str()),
        ("keys_server.py", KEYS_SERVER),
    ];
    let Some(world) = World::with(&deployment, &files) else {
        return;
    };
    started(&deployment, &world).await;
    let tools: [Value; 1] = [tool(&world, "refresh")];
    world.add(&deployment, &tools);
    let (host, authority, server) = (world.endpoint(), world.authority(), world.nameserver());
    let [device, token] = ["device", "token"].map(|path| format!("https://{host}/{path}"));
    let login = |scope: &str| {
        let arguments = [
            "secret",
            "login",
            "refresh",
            "--device-url",
            &device,
            "--token-url",
            &token,
            "--client",
            "me",
            "--scope",
            scope,
            "--host",
            &host,
            "--client-secret",
            "--authority",
            &authority,
            "--network",
            "127.0.0.0/8",
            "--nameserver",
            &server,
        ];
        give(&deployment, &arguments, &format!("{canary}secret"))
    };
    let refused = login("another");
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.said.contains("invalid_request"), "{refused:?}");
    let given = login("read write");
    assert_eq!(given.code, Some(0), "{given:?}");
    for words in ["https://api.example.com/activate", "WDJB-MJHT"] {
        assert!(given.printed.contains(words), "{given:?}");
    }
    let encodings = encodings(&canary);
    for ended in [&refused, &given] {
        let shown = has(
            format!("{}{}", ended.printed, ended.said).as_bytes(),
            &encodings,
        );
        assert!(!shown, "{ended:?}");
    }
    let keys = "secrets = [\"refresh\"]\n";
    let ran = call_under(&deployment, (&world.head(), keys), "keys.refresh", "x").await;
    assert_eq!(ran.outcome(), "succeeded", "{:?}", ran.outcomes());
    assert_eq!(
        world.lines("verified"),
        ["login", "token of refresh", "refresh"]
    );
    for (place, bytes) in everything(&deployment).await {
        let is_of_host = place.ends_with("/world/requests");
        assert!(
            is_of_host || !has(&bytes, &encodings),
            "{place} shows a secret"
        );
    }
}
