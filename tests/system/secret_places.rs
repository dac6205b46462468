//! Sealed values in files, and values that the owner replaces while calls carry them.

use std::{fs, path::PathBuf};

use bus_schema::Digest;
use harness::{Deployment, Ran};

use crate::{
    cli::{Ended, run},
    egress::{World, failure, signed_under},
    scene::playbook,
    secret_calls::{KEYS, canary, echo, encodings, everything, give, has, set, with_tool},
};

fn folder(deployment: &Deployment) -> PathBuf {
    deployment.dir().of("broker").join("secrets")
}

/// Gives the secret `crm`, sealed into a file of the broker's folder.
fn set_in_file(deployment: &Deployment, world: &World, value: &str, more: &[&str]) -> Ended {
    let (host, folder) = (world.endpoint(), folder(deployment));
    let inject = "header:authorization=Bearer {}";
    let arguments = ["secret", "set", "crm", "--host", &host, "--inject", inject];
    let place = ["--folder", folder.to_str().unwrap()];
    give(deployment, &[&arguments[..], &place, more].concat(), value)
}

fn seen(world: &World, value: &str) -> bool {
    let digest = Digest::of(&[format!("Bearer {value}").as_bytes()]);
    world.seen().contains(&digest.to_string())
}

async fn refused(deployment: &Deployment, world: &World) -> String {
    let before = world.requests().len();
    let ran = echo(deployment, world, "all").await;
    assert_eq!(ran.outcomes(), ["failed"]);
    assert_eq!(world.requests().len(), before);
    failure(deployment, &ran)
}

#[tokio::test]
async fn a_value_in_a_file_does_its_work_and_its_file_alone_withdraws_it() {
    let Some((deployment, world)) = with_tool().await else {
        return;
    };
    // No folder: nothing is signed.
    let ended = set_in_file(&deployment, &world, "a value without a folder", &[]);
    assert_eq!(ended.code, Some(64), "{ended:?}");
    assert!(
        ended.said.contains("make sure the folder exists"),
        "{ended:?}"
    );
    assert_eq!(deployment.record().await.count("secret.signed"), 0);

    fs::create_dir(folder(&deployment)).unwrap();
    let value = canary(&deployment);
    let ended = set_in_file(&deployment, &world, &value, &[]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.printed.contains("file     crm.1"), "{ended:?}");
    let ran = echo(&deployment, &world, "all").await;
    assert_eq!(ran.outcome(), "succeeded");
    assert!(seen(&world, &value));
    let encodings = encodings(&value);
    for (place, bytes) in everything(&deployment).await {
        assert!(!has(&bytes, &encodings), "{place} shows the secret");
    }

    let file = folder(&deployment).join("crm.1");
    let kept = fs::read(&file).unwrap();
    for (change, sentence) in [
        (Vec::new(), "not the one that the owner signed"),
        (vec![0; 1 << 20], "cannot be read"),
    ] {
        fs::write(&file, change).unwrap();
        let error = refused(&deployment, &world).await;
        assert!(error.contains(sentence), "{error}");
    }
    fs::remove_file(&file).unwrap();
    let error = refused(&deployment, &world).await;
    assert!(error.contains("not in the broker's folder"), "{error}");
    let doctor = run(&deployment, &["doctor"]);
    let missing = format!("their files are missing: {}", file.display());
    assert!(doctor.printed.contains(&missing), "{doctor:?}");
    std::os::unix::fs::symlink("/dev/zero", &file).unwrap();
    let error = refused(&deployment, &world).await;
    assert!(error.contains("cannot be read"), "{error}");
    fs::remove_file(&file).unwrap();
    fs::write(&file, kept).unwrap();
    assert_eq!(
        echo(&deployment, &world, "all").await.outcome(),
        "succeeded"
    );
}

#[tokio::test]
async fn a_new_value_has_a_file_of_its_own_and_its_place_never_changes_by_chance() {
    let Some((deployment, world)) = with_tool().await else {
        return;
    };
    fs::create_dir(folder(&deployment)).unwrap();
    let ended = set_in_file(&deployment, &world, "the first value", &[]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let place = folder(&deployment);
    let place = ["--folder", place.to_str().unwrap()];
    let rotate = |value: &str, more: &[&str]| {
        give(
            &deployment,
            &[&["secret", "rotate", "crm"], more].concat(),
            value,
        )
    };
    let ended = rotate("the second value", &[]);
    assert_eq!(ended.code, Some(64), "{ended:?}");
    assert!(ended.said.contains("kept in a file"), "{ended:?}");
    let ended = rotate("the second value", &place);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(echo(&deployment, &world, "all").await.outcome() == "succeeded");
    assert!(seen(&world, "the second value") && !seen(&world, "the first value"));
    let names: Vec<_> = fs::read_dir(folder(&deployment)).unwrap().collect();
    assert_eq!(
        names.len(),
        2,
        "nothing of an earlier version is overwritten"
    );

    // A file in its way is never overwritten, and nothing is signed then.
    let taken = folder(&deployment).join("crm.3");
    fs::write(&taken, "of somebody").unwrap();
    let ended = rotate("the third value", &place);
    assert_eq!(ended.code, Some(64), "{ended:?}");
    assert!(ended.said.contains("never overwritten"), "{ended:?}");
    assert_eq!(fs::read(&taken).unwrap(), b"of somebody");
    assert_eq!(deployment.record().await.count("secret.signed"), 2);

    let refresh = [
        "--token-url",
        "https://login.example.com/token",
        "--client",
        "me",
    ];
    let refresh = [&refresh[..], &["--grant", "refresh_token"]].concat();
    let ended = set_in_file(&deployment, &world, "a refresh token", &refresh);
    assert_eq!(ended.code, Some(64), "{ended:?}");
    assert!(
        ended.said.contains("may be replaced at each use"),
        "{ended:?}"
    );

    let forgotten = run(&deployment, &["secret", "forget", "crm"]);
    let files = "delete its files `crm.1` to `crm.2` as well";
    assert!(forgotten.printed.contains(files), "{forgotten:?}");
    // Back to the record.
    set(&deployment, &world.endpoint(), "a value on the record");
    let shown = run(&deployment, &["secret", "show", "crm"]);
    assert!(!shown.printed.contains("file"), "{shown:?}");
    assert!(echo(&deployment, &world, "all").await.outcome() == "succeeded");
    assert!(seen(&world, "a value on the record"));
}

fn digest(version: u64) -> String {
    Digest::of(&[format!("Bearer the value {version}").as_bytes()]).to_string()
}

/// Checks that a call ended truthfully; returns true if it was sent.
fn is_sent(deployment: &Deployment, ran: &Ran) -> bool {
    if ran.outcomes() == ["succeeded"] {
        return true;
    }
    assert_eq!(ran.outcomes(), ["failed"]);
    let error = failure(deployment, ran);
    assert!(error.contains("nothing was sent"), "{error}");
    assert!(error.contains("another version"), "{error}");
    false
}

#[tokio::test]
async fn values_replaced_under_load_are_each_whole_and_the_newest_one_wins() {
    let Some((deployment, world)) = with_tool().await else {
        return;
    };
    set(&deployment, &world.endpoint(), "the value 1");
    let contract = signed_under(&deployment, (&world.head(), KEYS), "world.echo").await;
    let mut tasks = Vec::new();
    for version in 1..=4 {
        for _ in 0..8 {
            let args = format!("args = {{ item = \"{}\" }}", tasks.len());
            let step = format!("[[step]]\nid = \"call\"\ntool = \"world.echo\"\n{args}\n");
            tasks.push(deployment.submit(contract, &playbook(&step)).await);
        }
        if version == 1 {
            // At least one call is over by then, and others are under way.
            deployment.follow(tasks[0], false).await;
        }
        let value = format!("the value {}", version + 1);
        let ended = give(&deployment, &["secret", "rotate", "crm"], &value);
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }
    let mut sent = Vec::new();
    for task in tasks {
        let ran = deployment.follow(task, false).await;
        sent.extend(is_sent(&deployment, &ran).then_some(task));
    }
    let record = deployment.record().await;
    let released = record.of("secret.released");
    let released = released.filter(|one| one.task().is_some_and(|task| sent.contains(&task)));
    let released = released.map(|one| digest(one.fact["version"].as_u64().unwrap()));
    let mut released: Vec<_> = released.collect();
    let mut seen = world.seen();
    seen.sort();
    released.sort();
    assert_eq!(
        seen, released,
        "each call carries the version of its release"
    );
    assert_eq!(
        seen.len(),
        sent.len(),
        "a secret is released once for a call"
    );
    assert!(
        seen.contains(&digest(1)),
        "a call came before the first replacement"
    );
    assert_eq!(
        echo(&deployment, &world, "all").await.outcome(),
        "succeeded"
    );
    assert_eq!(world.seen().last(), Some(&digest(5)));
}
