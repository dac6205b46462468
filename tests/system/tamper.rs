//! Changes of the stored record: a check names the first bad place, and audit stops.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use bus_schema::{ActionId, AuthorId, Content, TaskId};
use harness::{Deployment, SOON, contract, eventually, nats_server, playbook};
use serde_json::json;

/// The entries of the example's run: one bundle that is not full.
const BUNDLES: &str = "audit/log/tile/entries";

/// Copies a folder with the modes of its files.
fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status();
    assert!(status.unwrap().success(), "{}", from.display());
}

/// A copy of the files that `audit verify --offline` reads.
fn copy_of(deployment: &Deployment, name: &str) -> PathBuf {
    let place = deployment.scratch().join(name);
    fs::create_dir(&place).unwrap();
    for part in ["deployment.toml", "owner", "audit"] {
        copy(&deployment.dir().path().join(part), &place.join(part));
    }
    place
}

fn run(dir: &Path, arguments: &[&str]) -> Output {
    Command::new(harness::contractual())
        .arg("--dir")
        .arg(dir)
        .args(arguments)
        .env("NATS_SERVER", nats_server())
        .output()
        .unwrap()
}

/// The exit code of a check, and its output.
fn verify(dir: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = run(dir, &[&["audit", "verify"], arguments].concat());
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

/// The one bundle of entries in a copy.
fn bundle(dir: &Path) -> PathBuf {
    let partial = dir.join(BUNDLES).join("000.p");
    let mut files: Vec<_> = fs::read_dir(&partial)
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files.remove(0)
}

/// The entries of a bundle, each with its length before it.
fn entries(bundle: &Path) -> Vec<Vec<u8>> {
    let bytes = fs::read(bundle).unwrap();
    let (mut rest, mut found) = (bytes.as_slice(), Vec::new());
    while !rest.is_empty() {
        let len = 2 + usize::from(u16::from_be_bytes([rest[0], rest[1]]));
        found.push(rest[..len].to_vec());
        rest = &rest[len..];
    }
    found
}

/// Waits until the log has all stored messages, and stops all writers.
async fn settled(deployment: &Deployment) {
    let last = deployment.record().await.last();
    let operator = deployment.operator("owner").await;
    let audit = deployment
        .record()
        .await
        .verifier()
        .key(AuthorId::Audit)
        .unwrap();
    operator.head(&audit, last, SOON).await.unwrap();
}

#[tokio::test]
async fn every_change_of_the_log_is_found_and_its_first_place_named() {
    let deployment = Deployment::running().await;
    deployment.run_demo_task().await;
    settled(&deployment).await;
    deployment.stop(AuthorId::Audit).await;

    let untouched = copy_of(&deployment, "untouched");
    let (code, said) = verify(&untouched, &["--offline"]);
    assert_eq!(code, Some(0), "{said}");
    let all = entries(&bundle(&untouched));
    assert!(all.len() > 40, "{}", all.len());

    for place in [0, 1, 7, all.len() / 2, all.len() - 1] {
        let dir = copy_of(&deployment, &format!("flipped-{place}"));
        let mut changed = all.clone();
        let middle = changed[place].len() / 2;
        changed[place][middle] ^= 1;
        fs::write(bundle(&dir), changed.concat()).unwrap();
        let (code, said) = verify(&dir, &["--offline"]);
        assert_eq!(code, Some(2), "{said}");
        assert!(
            said.contains(&format!("entry {place}: ")),
            "{place}: {said}"
        );
    }
    for place in [2, 20, all.len() - 1] {
        let dir = copy_of(&deployment, &format!("removed-{place}"));
        let mut changed = all.clone();
        changed.remove(place);
        fs::write(bundle(&dir), changed.concat()).unwrap();
        let (code, said) = verify(&dir, &["--offline"]);
        assert_eq!(code, Some(2), "{said}");
        assert!(
            said.contains(&format!("entry {place}: ")),
            "{place}: {said}"
        );
    }
    for place in [3, all.len() - 2] {
        let dir = copy_of(&deployment, &format!("swapped-{place}"));
        let mut changed = all.clone();
        changed.swap(place, place + 1);
        fs::write(bundle(&dir), changed.concat()).unwrap();
        let (code, said) = verify(&dir, &["--offline"]);
        assert_eq!(code, Some(2), "{said}");
        assert!(
            said.contains(&format!("entry {place}: ")),
            "{place}: {said}"
        );
    }
}

#[tokio::test]
async fn without_a_server_the_files_are_verified_and_the_rest_is_named() {
    let deployment = Deployment::running().await;
    deployment.run_demo_task().await;
    settled(&deployment).await;
    deployment.stop(AuthorId::Audit).await;
    assert!(deployment.nats().kill());
    let dir = copy_of(&deployment, "down");
    let (code, said) = verify(&dir, &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("not compared: the stream, because"), "{said}");
    assert!(!said.contains("damaged"), "{said}");

    let tail = dir.join("audit/log/tail");
    let mut bytes = fs::read(&tail).unwrap();
    bytes[30] ^= 1;
    fs::write(&tail, &bytes).unwrap();
    let (code, said) = verify(&dir, &["--offline"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("audit/log/tail, a working file"), "{said}");

    let checkpoint = dir.join("audit/log/checkpoint");
    let note = fs::read_to_string(&checkpoint).unwrap();
    let (unsigned, _) = note.split_once("\u{2014} ").unwrap();
    fs::write(&checkpoint, unsigned).unwrap();
    for arguments in [&[][..], &["--offline"]] {
        let (code, said) = verify(&dir, arguments);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("the checkpoint has no signature"), "{said}");
    }
}

#[tokio::test]
async fn a_log_from_elsewhere_is_named_as_such() {
    let (one, other) = tokio::join!(Deployment::running(), Deployment::running());
    for deployment in [&one, &other] {
        settled(deployment).await;
        deployment.stop(AuthorId::Audit).await;
    }
    let dir = copy_of(&one, "replaced");
    for part in ["log", "anchor"] {
        let place = dir.join("audit").join(part);
        fs::remove_dir_all(&place).unwrap();
        copy(&other.dir().path().join("audit").join(part), &place);
    }
    let (code, said) = verify(&dir, &["--offline"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("entry 1: "), "{said}");

    // Roll back only the log, not the anchor.
    let dir = copy_of(&one, "half");
    fs::remove_dir_all(dir.join("audit/log")).unwrap();
    copy(
        &other.dir().path().join("audit/log"),
        &dir.join("audit/log"),
    );
    assert_eq!(verify(&dir, &["--offline"]).0, Some(2));
}

#[tokio::test]
async fn a_stream_from_another_run_is_not_taken_for_the_one_in_the_log() {
    let deployment = Deployment::running().await;
    deployment.run_demo_task().await;
    settled(&deployment).await;
    let (code, said) = verify(deployment.dir().path(), &[]);
    assert_eq!(code, Some(0), "{said}");
    stop_everything(&deployment).await;
    let earlier = deployment.scratch().join("earlier");
    copy(&deployment.nats().store(), &earlier);

    // The same stream, as it was before the last task.
    deployment.nats().start().await;
    deployment.start_all().await;
    let covered = deployment.record().await.last();
    deployment.run_demo_task().await;
    settled(&deployment).await;
    stop_everything(&deployment).await;
    put_back(&earlier, &deployment.nats().store());
    deployment.nats().start().await;
    let (code, said) = verify(deployment.dir().path(), &[]);
    assert_eq!(code, Some(2), "{said}");
    let first = said
        .split("entry ")
        .nth(1)
        .and_then(|rest| rest.split(':').next());
    let first: u64 = first.unwrap_or_else(|| panic!("{said}")).parse().unwrap();
    assert!(first <= covered, "{first} {covered}: {said}");
    assert!(said.contains("not in the stream"), "{said}");
    // Audit proves nothing on it, so nothing is granted.
    deployment.launch(AuthorId::Audit);
    unhealthy(
        &deployment,
        AuthorId::Audit,
        "the stream is shorter than the log",
    )
    .await;
}

async fn stop_everything(deployment: &Deployment) {
    for author in bus_schema::ACTORS {
        deployment.stop(*author).await;
    }
    deployment.nats().stop().await;
}

fn put_back(from: &Path, to: &Path) {
    fs::remove_dir_all(to).unwrap();
    copy(from, to);
}

async fn unhealthy(deployment: &Deployment, author: AuthorId, why: &str) {
    eventually(SOON, async || match deployment.health(author) {
        Err(said) if said.to_string().contains(why) => Ok(()),
        other => Err(format!("{other:?}\n{}", deployment.log(author.name()))),
    })
    .await;
}

#[tokio::test]
async fn an_erased_content_leaves_every_proof_and_is_shown_as_erased() {
    let deployment = Deployment::running().await;
    let ran = deployment.run_demo_task().await;
    settled(&deployment).await;
    let shown = show(&deployment, ran.task);
    assert!(
        shown.contains("Kessel") && !shown.contains("(erased)"),
        "{shown}"
    );

    let read = ran.events.iter().find_map(|event| {
        let output = event.body["fact"].get("output")?.clone();
        let content: Content = serde_json::from_value(output).ok()?;
        (content.len() > 300).then_some(content)
    });
    let subject = read.unwrap().subject(AuthorId::Runner, 0);
    let provision = deployment.client("provision").await;
    let answer = provision
        .api("STREAM.PURGE.BLOBS", &json!({"filter": subject}))
        .await
        .unwrap();
    assert_eq!(
        (&answer["success"], &answer["purged"]),
        (&json!(true), &json!(1)),
        "{answer}"
    );

    let shown = show(&deployment, ran.task);
    assert_eq!(shown.matches("(erased)").count(), 1, "{shown}");
    for arguments in [&[][..], &["--offline"]] {
        let (code, said) = verify(deployment.dir().path(), arguments);
        assert_eq!(code, Some(0), "{said}");
    }
    let proven =
        contractual::command::audit::verify::running(&deployment.opened(), Some(ran.task)).await;
    assert_eq!(
        proven.unwrap().included,
        u64::try_from(ran.events.len()).unwrap()
    );
}

fn show(deployment: &Deployment, task: TaskId) -> String {
    let output = run(
        deployment.dir().path(),
        &["task", "show", &task.to_string()],
    );
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

/// A task that waits for its first grant continues after `repair`.
async fn waits_until(deployment: &Deployment, repair: impl AsyncFnOnce()) {
    unhealthy(
        deployment,
        AuthorId::Policy,
        "audit's log is not up to date",
    )
    .await;
    let contract = deployment.sign(contract()).await;
    let task = deployment.submit(contract, playbook()).await;
    let kinds = async || {
        let task = deployment.gateway().task(task).await.unwrap();
        task.events
            .into_iter()
            .map(|event| event.kind)
            .collect::<Vec<_>>()
    };
    let waiting = ["task.submitted", "task.admitted", "action.proposed"];
    eventually(SOON, async || {
        let kinds = kinds().await;
        if kinds == waiting {
            Ok(())
        } else {
            Err(format!("{kinds:?}"))
        }
    })
    .await;
    repair().await;
    // Nothing is granted while audit is stopped.
    assert_eq!(kinds().await, waiting);
    deployment.launch(AuthorId::Audit);
    let ran = deployment.follow(task, true).await;
    assert_eq!(ran.outcome(), "succeeded");
    let granted: Vec<Option<ActionId>> = deployment
        .record()
        .await
        .of("action.granted")
        .filter(|one| one.task() == Some(task))
        .map(harness::Message::action)
        .collect();
    assert_eq!(granted.len(), 9);
}

#[tokio::test]
async fn nothing_is_granted_on_a_log_that_is_shorter_than_its_checkpoint() {
    let deployment = Deployment::running().await;
    settled(&deployment).await;
    deployment.stop(AuthorId::Audit).await;
    let log = deployment.dir().of("audit").join("log");
    let earlier = deployment.scratch().join("earlier");
    copy(&log, &earlier);
    deployment.start(AuthorId::Audit).await;
    deployment.run_demo_task().await;
    settled(&deployment).await;
    deployment.stop(AuthorId::Audit).await;
    let newest = deployment.scratch().join("newest");
    copy(&log, &newest);

    put_back(&earlier, &log);
    deployment.launch(AuthorId::Audit);
    let status = deployment.ended("audit").await;
    assert_eq!(status.code(), Some(1));
    let said = deployment.log("audit");
    assert!(said.contains("the log was rolled back"), "{said}");
    waits_until(&deployment, async || put_back(&newest, &log)).await;
}

#[tokio::test]
async fn nothing_is_granted_on_a_log_that_differs_from_the_stream() {
    let deployment = Deployment::running().await;
    settled(&deployment).await;
    // The same deployment with the same keys and an empty bus.
    stop_everything(&deployment).await;
    let folder = deployment.dir().of("audit");
    let (store, first) = (
        deployment.nats().store(),
        deployment.scratch().join("first"),
    );
    copy(&store, &first);
    for part in ["log", "anchor", "state"] {
        fs::rename(folder.join(part), folder.join(format!("{part}-first"))).unwrap();
    }
    fs::remove_dir_all(&store).unwrap();
    deployment.nats().start().await;
    deployment.provision().await;
    // The runner would continue in neither stream without the owner's adoption.
    let others = bus_schema::ACTORS.iter();
    let others = others.filter(|author| **author != AuthorId::Runner);
    for author in others.clone() {
        deployment.start(*author).await;
    }
    settled(&deployment).await;
    for author in others {
        deployment.stop(*author).await;
    }
    deployment.nats().stop().await;

    put_back(&first, &store);
    deployment.nats().start().await;
    for author in bus_schema::ACTORS {
        deployment.launch(*author);
    }
    unhealthy(&deployment, AuthorId::Audit, "log and stream disagree").await;
    waits_until(&deployment, async || {
        deployment.stop(AuthorId::Audit).await;
        for part in ["log", "anchor", "state"] {
            put_back(&folder.join(format!("{part}-first")), &folder.join(part));
        }
    })
    .await;
}
