//! A person logs in for a secret, and calls carry the token that it leads to.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::Stdio,
};

use harness::{Deployment, SOON, eventually};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::{
    canary::{KEYS_SERVER, tool},
    cli::program,
    egress::{World, call_under, started},
    secret_calls::{canary, encodings, everything, give, has},
};

/// Starts a deployment with a host that lets people log in; returns the canary in its secrets as well.
async fn with_host() -> Option<(Deployment, World, String)> {
    let deployment = Deployment::provisioned().await;
    let canary = canary(&deployment);
    let keys = json!({"refresh": format!("{canary}refresh {canary}secret")}).to_string();
    let files = [
        ("keys.json", keys.as_str()),
        ("keys_server.py", KEYS_SERVER),
    ];
    let world = World::with(&deployment, &files)?;
    started(&deployment, &world).await;
    let tools: [Value; 1] = [tool(&world, "refresh")];
    world.add(&deployment, &tools);
    Some((deployment, world, canary))
}

/// The arguments of a login for this scope.
fn arguments(world: &World, scope: &str) -> Vec<String> {
    let host = world.endpoint();
    let [device, token] = ["device", "token"].map(|path| format!("https://{host}/{path}"));
    let login = [
        "secret",
        "login",
        "refresh",
        "--client",
        "me",
        "--client-secret",
    ];
    let mut arguments: Vec<String> = login.map(str::to_owned).into();
    for (name, value) in [
        ("--device-url", device),
        ("--token-url", token),
        ("--scope", scope.to_owned()),
        ("--host", host),
        ("--authority", world.authority()),
        ("--network", "127.0.0.0/8".to_owned()),
        ("--nameserver", world.nameserver()),
    ] {
        arguments.extend([name.to_owned(), value]);
    }
    arguments
}

#[tokio::test]
async fn a_login_that_is_interrupted_signs_nothing() {
    let Some((deployment, world, canary)) = with_host().await else {
        return;
    };
    let arguments = arguments(&world, "nobody");
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut command = program(Some(deployment.dir().path()), &arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut running = command.spawn().unwrap();
    writeln!(running.stdin.take().unwrap(), "{canary}secret").unwrap();
    let mut printed = BufReader::new(running.stdout.take().unwrap()).lines();
    // The code is shown, and the host says that nobody has approved.
    assert!(printed.any(|line| line.unwrap().contains("WDJB-MJHT")));
    eventually(SOON, async || {
        let sent = world.requests();
        let polled = sent.iter().any(|one| one.contains("device_code=never"));
        polled.then_some(()).ok_or(sent.len())
    })
    .await;
    let pid = Pid::from_child(&running);
    kill_process(pid, Signal::INT).unwrap();
    let ended = running.wait().unwrap();
    assert!(!ended.success(), "{ended:?}");
    let record = deployment.record().await;
    assert_eq!(record.count("secret.signed"), 0);
    let encodings = encodings(&canary);
    for (place, bytes) in everything(&deployment).await {
        let is_of_host = place.ends_with("/world/requests");
        assert!(
            is_of_host || !has(&bytes, &encodings),
            "{place} shows a secret"
        );
    }
}

#[tokio::test]
async fn a_login_in_a_browser_gives_a_secret_whose_tokens_calls_carry() {
    let Some((deployment, world, canary)) = with_host().await else {
        return;
    };
    let login = |scope: &str| {
        let arguments = arguments(&world, scope);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
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
