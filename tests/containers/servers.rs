//! An MCP server in an image that was made of the runner's: imported, called under a contract, and held in its cage.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use harness::contractual;
use serde_json::Value;

use crate::{
    engine::{container, docker, root, run, text},
    stack::Stack,
};

const IMAGE: &str = "contractual-test/runner:1";
const SERVER: &str = include_str!("escapes.py");
const PACKAGE: &str = "/opt/mcp/out";
const SCRIPT: &str = "/opt/mcp/out/escapes.py";
const PYTHON: &str = "/usr/bin/python3";
const CONTRACT: &str = "contract = \"escapes\"\nversion = 1\npurpose = \"A test\"\nowner = \"The test\"\nexpires = 2036-12-31\n\
     [[allow]]\ntool = \"out.*\"\n";
const PLAYBOOK: &str = "playbook = \"escapes\"\npurpose = \"A test.\"\n[[step]]\nid = \"escape\"\ntool = \"out.escape\"\nargs = {}\n";

fn copied(words: &[&str]) {
    let (program, words) = words.split_first().unwrap();
    let copied = run(program, words);
    assert!(copied.status.success(), "{words:?}: {}", text(&copied));
}

/// Builds the image of a folder, with the engine's own builder.
fn build(folder: &Path) {
    let mut command = Command::new("docker");
    command
        .args(["build", "--quiet", "--tag", IMAGE])
        .arg(folder);
    command.env("DOCKER_BUILDKIT", "0").stdin(Stdio::null());
    let built = command.output().unwrap();
    assert!(built.status.success(), "{}", text(&built));
}

/// Builds an image of the runner's with this machine's Python, and the server; returns the name of the program.
fn built(folder: &Path) -> String {
    let about =
        "import sys, sysconfig; print(sys._base_executable); print(sysconfig.get_path('stdlib'))";
    let about = text(&run(PYTHON, &["-I", "-c", about]));
    let (program, library) = about.trim().split_once('\n').unwrap();
    let program = fs::canonicalize(program).unwrap();
    let program = program.to_str().unwrap();
    let inside = |path: &str| {
        let target = folder.join("root").join(path.trim_start_matches('/'));
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        target.to_str().unwrap().to_owned()
    };
    copied(&["cp", program, &inside(program)]);
    copied(&["cp", "--recursive", library, &inside(library)]);
    let linked = text(&run("ldd", &[program]));
    for word in linked
        .split_whitespace()
        .filter(|word| word.starts_with('/'))
    {
        copied(&["cp", "--dereference", word, &inside(word)]);
    }
    fs::write(inside(SCRIPT), SERVER).unwrap();
    let file = "FROM contractual/runner:0.1.0\nCOPY root /\n";
    fs::write(folder.join("Dockerfile"), file).unwrap();
    build(folder);
    let name = Path::new(program).file_name().unwrap();
    name.to_str().unwrap().to_owned()
}

fn outcomes(json: &Value) -> Vec<(&str, &str)> {
    let all = json.as_object().unwrap().iter();
    all.map(|(name, outcome)| (name.as_str(), outcome.as_str().unwrap()))
        .collect()
}

/// Runs `deploy/stack import` for the server, in the test's own folder; returns the file of its entries.
fn imported(stack: &Stack, python: &str) -> String {
    let scratch = stack.deployment.scratch();
    let mut import = Command::new(root().join("deploy/stack"));
    import.arg("import").arg(stack.deployment.dir().path());
    import.args(["out", "--write", "--package", PACKAGE, "--", python, SCRIPT]);
    import
        .env("CONTRACTUAL", contractual())
        .current_dir(scratch);
    let imported = import.stdin(Stdio::null()).output().unwrap();
    assert!(imported.status.success(), "{}", text(&imported));
    scratch.join("out.json").to_str().unwrap().to_owned()
}

/// Runs the task with the signed tool; returns its output.
fn called(stack: &Stack, entries: &str) -> Value {
    let contract = stack.document("contract.toml", CONTRACT);
    let playbook = stack.document("playbook.toml", PLAYBOOK);
    stack.said(&["tool", "add", entries, "--yes"]);
    stack.said(&["contract", "sign", &contract]);
    stack.output((&contract, &playbook), "escape")
}

#[tokio::test]
async fn a_server_of_another_image_is_called_and_held_in_its_cage() {
    let Some(stack) = Stack::files().await else {
        return;
    };
    let context = stack.deployment.scratch().join("image");
    fs::create_dir(&context).unwrap();
    let shipped = root().join("deploy/docker-compose.yml");
    let base = stack.compose(&shipped, &["build", "--quiet"]);
    assert!(base.status.success(), "{}", text(&base));
    let python = built(&context);
    let services = format!("services:\n  runner:\n    image: {IMAGE}\n");
    fs::write(stack.deployment.dir().path().join("folders.yml"), services).unwrap();
    stack.script(&["start"]);

    let output = called(&stack, &imported(&stack, &python));
    let caged = outcomes(&output["structuredContent"]);
    let free = docker(&["exec", &container("runner"), &python, SCRIPT, "free"]);
    let free: Value = serde_json::from_str(&free).unwrap();
    let free = outcomes(&free);
    assert!(
        free.len() > 5 && free.len() == caged.len(),
        "{free:?} {caged:?}"
    );
    // Each of them works in the same container without the cage.
    let all = |outcomes: &[(&str, &str)], expected: &str| {
        outcomes.iter().all(|(_, outcome)| *outcome == expected)
    };
    assert!(all(&free, "worked"), "{free:?}");
    assert!(all(&caged, "refused"), "{caged:?}");

    // An image of another runner does not start.
    fs::write(context.join("Dockerfile"), "FROM scratch\nCOPY root /\n").unwrap();
    build(&context);
    let refused = stack.try_script(&["start"]);
    let said = text(&refused);
    let reason = "was not made of the present contractual/runner:0.1.0: build it again";
    assert!(!refused.status.success() && said.contains(reason), "{said}");
}
