//! Secrets that calls carry to a host outside: they do their work there, and stand nowhere else.

use std::{fs, io::Write as _, process::Stdio};

use bus_schema::{AuthorId, Digest};
use data_encoding::{BASE64_NOPAD, HEXLOWER};
use harness::{Deployment, Message};
use serde_json::{Value, json};

use crate::{
    cli::{Ended, program, run},
    egress::{World, call_under, deployed, failure, output},
    secrets::{files, shown},
};

pub(crate) const KEYS: &str = "secrets = [\"crm\"]\n";

/// Runs a command with a value on its standard input.
pub(crate) fn give(deployment: &Deployment, arguments: &[&str], value: &str) -> Ended {
    let mut command = program(Some(deployment.dir().path()), arguments);
    command.stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = command.spawn().unwrap();
    let mut input = running.stdin.take().unwrap();
    // A command that refuses its arguments reads no value.
    writeln!(input, "{value}").ok();
    drop(input);
    let ended = running.wait_with_output().unwrap();
    Ended {
        code: ended.status.code(),
        printed: String::from_utf8(ended.stdout).unwrap(),
        said: String::from_utf8(ended.stderr).unwrap(),
    }
}

/// Gives the secret `crm` for a host.
pub(crate) fn set(deployment: &Deployment, host: &str, value: &str) -> Ended {
    let inject = "header:authorization=Bearer {}";
    let arguments = ["secret", "set", "crm", "--host", host, "--inject", inject];
    let ended = give(deployment, &arguments, value);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(!ended.printed.contains(value) && !ended.said.contains(value));
    ended
}

/// Starts a deployment with a tool that uses the secret.
pub(crate) async fn with_tool() -> Option<(Deployment, World)> {
    let (deployment, world) = deployed().await?;
    let tool = world.tool("world.echo", |tool| {
        tool["http"]["path"] = json!("/v2/echo/{item}");
        tool["http"]["secret"] = json!("crm");
        tool["http"]["answer"] = json!({"type": "json", "fields": {"echo": "/echo"}});
    });
    world.add(&deployment, &[tool]);
    Some((deployment, world))
}

pub(crate) async fn echo(deployment: &Deployment, world: &World, item: &str) -> harness::Ran {
    call_under(deployment, (&world.head(), KEYS), "world.echo", item).await
}

/// Returns the error of a call that failed, and nothing was sent.
async fn refused(deployment: &Deployment, world: &World) -> String {
    let before = world.requests().len();
    let ran = echo(deployment, world, "all").await;
    assert_eq!(ran.outcomes(), ["failed"]);
    assert_eq!(world.requests().len(), before);
    let error = failure(deployment, &ran);
    let start = "nothing was sent, because the secret `crm` was not available: ";
    assert!(error.starts_with(start), "{error}");
    error
}

/// A value that stands nowhere else, of letters and digits.
pub(crate) fn canary(deployment: &Deployment) -> String {
    let salt = deployment.opened().clock.salt().to_string();
    format!("canary{}", &salt[..32])
}

/// The encodings of a value of letters and digits.
pub(crate) fn encodings(value: &str) -> Vec<String> {
    let aligned = (0..3).map(|before| {
        let text = BASE64_NOPAD.encode(format!("{}{value}", &"xx"[..before]).as_bytes());
        // Only the digits that have no bit of what is around.
        text[(before * 8).div_ceil(6)..(before + value.len()) * 8 / 6].to_owned()
    });
    let hex = HEXLOWER.encode(value.as_bytes());
    let percent = value.bytes().map(|byte| format!("%{byte:02x}"));
    let escaped = value.bytes().map(|byte| format!("\\u{byte:04x}"));
    let others = [
        value.to_owned(),
        hex.to_uppercase(),
        percent.collect(),
        escaped.collect(),
        hex,
    ];
    aligned.chain(others).collect()
}

pub(crate) fn has(bytes: &[u8], encodings: &[String]) -> bool {
    let is_there = |text: &String| {
        bytes
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    };
    encodings.iter().any(is_there)
}

/// Everything that can be seen of the deployment, its own folder included.
pub(crate) async fn everything(deployment: &Deployment) -> Vec<(String, Vec<u8>)> {
    let mut shown = shown(deployment).await;
    // The deployment's folder, and everything beside it: the servers of the world keep only a digest.
    for folder in [deployment.dir().path(), deployment.scratch()] {
        let files = files(folder).into_iter();
        shown.extend(files.map(|(path, bytes)| (path.display().to_string(), bytes)));
    }
    shown
}

#[tokio::test]
async fn a_secret_does_its_work_and_stands_nowhere() {
    let Some((deployment, world)) = with_tool().await else {
        return;
    };
    let canary = canary(&deployment);
    set(&deployment, &world.endpoint(), &canary);
    let ran = echo(&deployment, &world, "all").await;
    let end = ran.events.last();
    assert_eq!(ran.outcome(), "succeeded", "{end:?}");
    let wanted = Digest::of(&[format!("Bearer {canary}").as_bytes()]);
    assert_eq!(world.seen(), [wanted.to_string()]);
    let echoed = output(&deployment, &ran)["echo"].clone();
    let texts: Vec<&Value> = echoed
        .as_object()
        .unwrap()
        .values()
        .flat_map(|one| {
            one.as_array()
                .map_or_else(|| vec![one], |all| all.iter().collect())
        })
        .collect();
    assert_eq!(texts.len(), 12);
    for text in texts {
        let text = text.as_str().unwrap();
        assert_eq!(text.matches("[secret crm]").count(), 1, "{text}");
    }
    // An error that repeats it as well.
    let ran = echo(&deployment, &world, "refused").await;
    assert_eq!(ran.outcomes(), ["failed"]);
    let error = output(&deployment, &ran)["error"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(error.contains("the code 401"), "{error}");
    assert!(error.contains("[secret crm]"), "{error}");
    assert_eq!(world.seen().len(), 2);

    let record = deployment.record().await;
    let place = |kind: &str| -> Vec<u64> {
        let found = record
            .of(kind)
            .filter(|one| one.by() != Some(AuthorId::Owner));
        found.map(|one| one.stored.seq).collect()
    };
    let (started, released) = (place("action.started"), place("secret.released"));
    let finished = place("action.finished");
    assert_eq!(released.len(), 2);
    for n in 0..2 {
        assert!(started[n] < released[n] && released[n] < finished[n]);
    }
    let by: Vec<_> = record
        .of("secret.released")
        .filter_map(Message::by)
        .collect();
    assert_eq!(by, [AuthorId::Broker, AuthorId::Broker]);

    let listed = run(&deployment, &["secret", "list"]);
    assert!(listed.printed.contains("crm"), "{listed:?}");
    let printed = run(&deployment, &["--json", "secret", "show", "crm"]).printed;
    let shown_secret: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(shown_secret["inject"], "header:authorization=Bearer {}");

    let encodings = encodings(&canary);
    let sample = BASE64_NOPAD.encode(format!("Bearer {canary}").as_bytes());
    assert!(has(sample.as_bytes(), &encodings));
    for (place, bytes) in everything(&deployment).await {
        assert!(!has(&bytes, &encodings), "{place} shows the secret");
    }
    let verified = run(&deployment, &["audit", "verify"]);
    assert!(verified.printed.contains(" 0 junk"), "{verified:?}");
}

#[tokio::test]
async fn without_its_secret_a_call_sends_nothing() {
    let Some((deployment, world)) = with_tool().await else {
        return;
    };
    let file = deployment.scratch().join("contract.toml");
    let rule = "[[allow]]\ntool = \"world.echo\"\n";
    fs::write(&file, world.contract("echo", rule)).unwrap();
    let file = file.to_str().unwrap();
    let checked = run(&deployment, &["contract", "check", file]);
    assert_eq!(checked.code, Some(64), "{checked:?}");
    for part in [
        "`world.echo` uses the secret `crm`, which this rule does not name",
        "write `secrets = [\"crm\"]`",
    ] {
        assert!(checked.said.contains(part), "{}", checked.said);
    }

    let error = refused(&deployment, &world).await;
    assert!(error.contains("there is no secret of this name"), "{error}");
    set(&deployment, "other.example.com", "a value for another host");
    let error = refused(&deployment, &world).await;
    assert!(error.contains("not for the host"), "{error}");
    set(&deployment, &world.endpoint(), "a value for this host");
    let ran = echo(&deployment, &world, "all").await;
    assert_eq!(ran.outcome(), "succeeded");

    deployment.stop(AuthorId::Broker).await;
    let error = refused(&deployment, &world).await;
    assert!(error.contains("broker does not answer"), "{error}");
    deployment.start(AuthorId::Broker).await;
    let ran = echo(&deployment, &world, "all").await;
    assert_eq!(ran.outcome(), "succeeded");

    let revoked = run(&deployment, &["secret", "revoke", "crm"]);
    assert_eq!(revoked.code, Some(0), "{revoked:?}");
    let error = refused(&deployment, &world).await;
    assert!(error.contains("the owner revoked it"), "{error}");
    let rotated = give(
        &deployment,
        &["secret", "rotate", "crm"],
        "another value for this host",
    );
    assert_eq!(rotated.code, Some(0), "{rotated:?}");
    let ran = echo(&deployment, &world, "all").await;
    assert_eq!(ran.outcome(), "succeeded");
    let seen = Digest::of(&[b"Bearer another value for this host"]);
    assert_eq!(world.seen().last(), Some(&seen.to_string()));
}
