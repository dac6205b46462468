//! Several workspaces and a folder that is only read: tasks act where their contract says, from the command line on.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use bus_schema::{AuthorId, TaskId};
use harness::{Deployment, SOON, eventually};

use crate::cli::run;
use crate::main_job::has;
use crate::scene::{contract, playbook};

const RULES: &str = "[[allow]]\ntool = \"file.*\"\nwhere.path = { one_of = [{ path = \"*.txt\" }, { path = \"@reference/**\" }] }\n";

/// Returns a contract that names its folders.
fn acting(name: &str, folders: &str) -> String {
    format!("{folders}\n{}", contract(name, RULES))
}

/// Returns a playbook that reads a path and writes another.
fn copy(from: &str, to: &str) -> String {
    playbook(&format!(
        "[[step]]\nid = \"read\"\ntool = \"file.read\"\nargs = {{ path = \"{from}\" }}\n\n\
         [[step]]\nid = \"write\"\ntool = \"file.write\"\nargs = {{ path = \"{to}\", text = \"done\" }}\n"
    ))
}

/// Returns what the command line says about both steps of a task.
fn steps_of(deployment: &Deployment, task: TaskId) -> String {
    let task = task.to_string();
    let steps = ["read", "write"].map(|step| run(deployment, &["output", &task, step]));
    steps
        .map(|step| format!("{}\n{}\n", step.printed, step.said))
        .concat()
}

async fn with_folders() -> (Deployment, PathBuf, PathBuf) {
    let deployment = Deployment::provisioned().await;
    let at = |name: &str| deployment.scratch().join(name);
    let (photos, reference) = (at("photos"), at("reference"));
    for folder in [&photos, &reference] {
        fs::create_dir(folder).unwrap();
    }
    fs::write(photos.join("a.txt"), "photos").unwrap();
    fs::write(reference.join("a.md"), "known").unwrap();
    fs::write(deployment.workspace().join("a.txt"), "main").unwrap();
    let config = deployment.dir().config(AuthorId::Runner);
    let mut config = fs::OpenOptions::new().append(true).open(config).unwrap();
    write!(
        config,
        "\n[service.workspaces]\nphotos = {photos:?}\n[service.folders]\nreference = {reference:?}\n"
    )
    .unwrap();
    deployment.start_all().await;
    (deployment, photos, reference)
}

#[tokio::test]
async fn tasks_act_in_the_workspace_and_read_the_folders_of_their_contract() {
    let (deployment, photos, reference) = with_folders().await;
    let read = |path: PathBuf| fs::read_to_string(path).unwrap();
    let names = || fs::read_dir(deployment.workspace()).unwrap().count();
    let before = names();
    let done = async |contract: &str, playbook: &str| {
        let contract = deployment.sign(contract).await;
        let task = deployment.submit(contract, playbook).await;
        let ran = deployment.follow(task, true).await;
        (ran.outcome().to_owned(), steps_of(&deployment, task))
    };
    let in_photos = acting(
        "photos",
        "workspace = \"photos\"\nfolders = [\"reference\"]",
    );
    let (outcome, shown) = done(&in_photos, &copy("a.txt", "b.txt")).await;
    assert_eq!(outcome, "succeeded", "{shown:?}");
    has(&shown, &["photos\n"]);
    assert_eq!(read(photos.join("b.txt")), "done");
    let again = in_photos.replace("version = 1", "version = 2");
    let (outcome, shown) = done(&again, &copy("@reference/a.md", "c.txt")).await;
    assert_eq!(outcome, "succeeded", "{shown:?}");
    has(&shown, &["known\n"]);
    assert_eq!(read(photos.join("c.txt")), "done");
    assert_eq!(names(), before);
    // Policy grants what the bounds permit, and the runner writes nothing there.
    let third = in_photos.replace("version = 1", "version = 3");
    let (outcome, shown) = done(&third, &copy("a.txt", "@reference/a.md")).await;
    assert_ne!(outcome, "succeeded", "{shown:?}");
    has(&shown, &["is in a folder that is only read"]);
    assert_eq!(read(reference.join("a.md")), "known");
    // A contract that names nothing acts in the first workspace.
    let (outcome, shown) = done(&contract("plain", RULES), &copy("a.txt", "b.txt")).await;
    assert_eq!(outcome, "succeeded", "{shown:?}");
    has(&shown, &["main\n"]);
    assert_eq!(read(deployment.workspace().join("b.txt")), "done");
    let plain = contract("plain", RULES).replace("version = 1", "version = 2");
    let (outcome, shown) = done(&plain, &copy("@reference/a.md", "d.txt")).await;
    assert_ne!(outcome, "succeeded", "{shown:?}");
    // A workspace that the runner lacks is named before and after.
    let music = acting("music", "workspace = \"music\"");
    let file = deployment.scratch().join("music.toml");
    fs::write(&file, &music).unwrap();
    for command in [&["contract", "check"][..], &["contract", "sign", "--yes"]] {
        let said = run(&deployment, &[command, &[file.to_str().unwrap()]].concat());
        assert_eq!(said.code, Some(0), "{said:?}");
        let all = format!("{}{}", said.printed, said.said);
        has(
            &all,
            &[
                "the runner has no workspace `music`",
                "`[service.workspaces]`",
            ],
        );
    }
    let task = deployment
        .submit(
            bus_schema::Digest::of(&[music.as_bytes()]),
            &copy("a.txt", "b.txt"),
        )
        .await;
    assert_ne!(deployment.follow(task, true).await.outcome(), "succeeded");
    has(
        &steps_of(&deployment, task),
        &[
            "nothing was done",
            "the workspace `music`, which the runner does not have",
        ],
    );
}

#[tokio::test]
async fn a_runner_whose_folders_overlap_does_not_start_and_a_replaced_one_is_named() {
    let (deployment, _photos, reference) = with_folders().await;
    fs::rename(&reference, deployment.scratch().join("away")).unwrap();
    fs::create_dir(&reference).unwrap();
    eventually(SOON, async || {
        let said = run(&deployment, &["health", "runner"]).said;
        let named = said.contains("the folder") && said.contains("was replaced");
        named.then_some(()).ok_or(said)
    })
    .await;
    deployment.stop(AuthorId::Runner).await;
    let inside = deployment.workspace().join("inside");
    fs::create_dir(&inside).unwrap();
    let config = deployment.dir().config(AuthorId::Runner);
    let text = fs::read_to_string(&config).unwrap();
    let text = text.replace(&format!("{reference:?}"), &format!("{inside:?}"));
    fs::write(&config, text).unwrap();
    deployment.launch(AuthorId::Runner);
    assert!(!deployment.ended("runner").await.success());
    has(&deployment.log("runner"), &["overlaps with"]);
}
