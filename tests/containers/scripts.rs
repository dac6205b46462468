//! The commands of `deploy/stack`: first start, upgrade, renewal under load, backup, restore, uninstall, and its
//! errors about missing requirements.

use std::{
    cell::Cell,
    fs,
    io::Read as _,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Duration,
};

use bus_schema::Time;
use harness::{Record, contract, contractual, playbook};

use crate::{
    engine::{SERVICES, docker, health, inspect, root, run, text},
    stack::Stack,
};

/// The arguments, the variables and the expected words of a call.
type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], &'a str);

/// The longest pause between finished actions during a renewal of certificates.
const GAP_MAX: Duration = Duration::from_secs(1);
/// A rule, and a step that it allows.
const MAY_LIST: &str = "[[allow]]\nname = \"list\"\ntool = \"file.list\"\nwhere.path = \".\"\n";
const LIST: &str =
    "[[step]]\nid = \"NAME\"\ntool = \"file.list\"\nargs = { path = \".\", pattern = \"*.txt\" }\n";

/// Runs the script with any arguments and environment variables.
fn script(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(root().join("deploy/stack"));
    command.args(arguments).env("CONTRACTUAL", contractual());
    command.envs(variables.iter().copied());
    command.stdin(Stdio::null()).output().unwrap()
}

/// Runs the script, which must succeed; returns its output.
fn said(arguments: &[&str]) -> String {
    let output = script(arguments, &[]);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output));
    text(&output)
}

/// Runs the script, which must fail; returns its output.
fn refused(arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let output = script(arguments, variables);
    assert!(!output.status.success(), "{arguments:?}: {}", text(&output));
    text(&output)
}

fn verified(dir: &Path) -> String {
    let dir = dir.to_str().unwrap();
    let output = run(contractual(), &["--dir", dir, "audit", "verify"]);
    let said = text(&output);
    assert!(
        output.status.success() && said.contains(" 0 junk"),
        "{said}"
    );
    said
}

/// Signs the example's contract.
fn sign(stack: &Stack) {
    let contract = stack.document("contract.toml", contract());
    let output = stack.deployment.command(&["contract", "sign", &contract]);
    assert!(output.status.success(), "{}", text(&output));
}

/// Runs the example's task.
fn work(stack: &Stack) {
    // There is none before the first run.
    fs::remove_file(stack.deployment.workspace().join("report.md")).ok();
    let contract = stack.document("contract.toml", contract());
    let playbook = stack.document("playbook.toml", playbook());
    let task = [
        "run",
        "--contract",
        &contract,
        "--playbook",
        &playbook,
        "--yes",
    ];
    let output = stack.deployment.command(&task);
    assert!(output.status.success(), "{}", text(&output));
}

fn all_are_healthy() {
    for (service, _) in SERVICES {
        assert_eq!(health(service), "healthy", "{service}");
    }
}

fn containers() -> String {
    let filter = "label=com.docker.compose.project=contractual";
    docker(&["ps", "--all", "--quiet", "--filter", filter])
}

#[tokio::test]
async fn one_command_makes_a_deployment_and_starts_it() {
    let Some(stack) = Stack::files().await else {
        return;
    };
    let scratch = stack.deployment.scratch();
    let at = |name: &str| scratch.join(name).to_str().unwrap().to_owned();
    let (dir, workspace, key) = (at("new"), at("new-workspace"), at("key"));
    fs::write(&key, "tskey-auth-one\n").unwrap();
    said(&["start", &dir, "--workspace", &workspace, "--authkey", &key]);
    all_are_healthy();
    assert_eq!(fs::metadata(&workspace).unwrap().uid(), 10_004);
    fs::write(&key, "tskey-auth-two\n").unwrap();
    said(&["start", &dir, "--authkey", &key]);
    let kept = fs::read_to_string(Path::new(&dir).join("tailscale/authkey")).unwrap();
    assert_eq!(kept, "tskey-auth-two\n");
    let again = refused(&["start", &dir, "--workspace", &workspace], &[]);
    assert!(again.contains("leave --workspace out"), "{again}");
}

#[tokio::test]
async fn an_upgrade_makes_what_is_new_and_everything_goes_on() {
    let Some(stack) = Stack::up().await else {
        return;
    };
    sign(&stack);
    work(&stack);
    let dir = stack.deployment.dir();
    // An older version: without one user, and with other permissions.
    fs::remove_dir_all(dir.of("trigger")).unwrap();
    for (name, old, new) in [
        ("local.conf", "NKEY_TRIGGER: ", "NKEY_FORMER: "),
        ("accounts.conf", "trigger.cli.*", "trigger.former.*"),
    ] {
        let path = dir.nats().join(name);
        let now = fs::read_to_string(&path).unwrap();
        assert!(now.contains(old), "{name}");
        fs::write(&path, now.replace(old, new)).unwrap();
    }
    // One key that it needs, and one that it does not.
    let (provision, owner) = (dir.of("provision"), dir.of("owner"));
    let away = |from: &Path| stack.deployment.scratch().join(from.file_name().unwrap());
    for from in [&provision, &owner] {
        fs::rename(from, away(from)).unwrap();
    }
    let said = refused(&["upgrade", dir.path().to_str().unwrap()], &[]);
    assert!(said.contains("provision back for the upgrade"), "{said}");
    fs::rename(away(&provision), &provision).unwrap();
    let before = inspect("nats")["Id"].clone();
    stack.script(&["upgrade"]);
    all_are_healthy();
    assert_ne!(inspect("nats")["Id"], before);
    let rights = fs::read_to_string(dir.nats().join("accounts.conf")).unwrap();
    assert!(rights.contains("trigger.cli.*") && !rights.contains("former"));
    drop(stack.deployment.operator("trigger").await);
    assert!(!owner.exists(), "it was made anew");
    fs::rename(away(&owner), &owner).unwrap();
    verified(dir.path());
    work(&stack);
}

#[tokio::test]
async fn an_upgrade_that_needs_a_key_says_which_and_stops_nothing() {
    let Some(stack) = Stack::up().await else {
        return;
    };
    let dir = stack.deployment.dir();
    fs::remove_dir_all(dir.of("trigger")).unwrap();
    let path = dir.nats().join("local.conf");
    let now = fs::read_to_string(&path).unwrap();
    fs::write(&path, now.replace("NKEY_TRIGGER: ", "NKEY_FORMER: ")).unwrap();
    let away = stack.deployment.scratch().join("key");
    fs::rename(dir.ca_key(), &away).unwrap();
    let before = containers();
    let said = refused(&["upgrade", dir.path().to_str().unwrap()], &[]);
    assert!(
        said.contains("ca-key.pem back and run this again"),
        "{said}"
    );
    assert_eq!(containers(), before);
    fs::rename(&away, dir.ca_key()).unwrap();
    stack.script(&["upgrade"]);
}

/// The longest time between two finished actions, by bus time.
fn longest_gap(record: &Record) -> Duration {
    let finished = record.of("action.finished");
    let finished: Vec<Time> = finished.map(|one| one.stored.stored).collect();
    let pairs = finished.iter().zip(finished.iter().skip(1));
    let gaps = pairs.map(|(one, next)| next.ms_since(*one));
    Duration::from_millis(gaps.max().unwrap())
}

#[tokio::test]
async fn certificates_and_the_authority_are_renewed_while_actions_run() {
    let Some(stack) = Stack::up().await else {
        return;
    };
    let dir = stack.deployment.dir().path().to_str().unwrap().to_owned();
    let rules = format!(
        "contract = \"load\"\nversion = 1\npurpose = \"A test\"\nowner = \"The test\"\nexpires = 2036-12-31\n\n\
         [limits]\ncalls = 500\nwall_time = \"30m\"\noutput_bytes = 16777216\n\n{MAY_LIST}"
    );
    let contract = stack.deployment.sign(&rules).await;
    let steps: String = (0..20)
        .map(|n| LIST.replace("NAME", &format!("list-{n}")))
        .collect();
    let steps = format!("playbook = \"test\"\npurpose = \"A test.\"\n\n{steps}");
    let first = fs::read_to_string(stack.deployment.dir().ca()).unwrap();
    let over = Cell::new(false);
    let load = async || {
        let mut ran = Vec::new();
        while !over.get() {
            let task = stack.deployment.submit(contract, &steps).await;
            ran.push(stack.deployment.follow(task, false).await);
        }
        ran
    };
    let renewing = async {
        for rest in [&[][..], &["--authority"]] {
            let arguments: Vec<String> = ["renew", &dir]
                .iter()
                .chain(rest)
                .map(|one| (*one).to_owned())
                .collect();
            let renewed = tokio::task::spawn_blocking(move || {
                let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
                said(&arguments)
            });
            let said = renewed.await.unwrap();
            assert!(!said.contains("renew it"), "{said}");
        }
        over.set(true);
    };
    let (one, two, ()) = tokio::join!(load(), load(), renewing);
    for ran in one.iter().chain(&two) {
        assert_eq!(ran.outcome(), "succeeded");
        assert_eq!(ran.count("action.finished"), 20);
    }
    let record = stack.deployment.record().await;
    assert_eq!(record.junk().count(), 0);
    let count = |kind| record.count(kind);
    assert_eq!(count("action.started"), count("action.finished"));
    let gap = longest_gap(&record);
    println!(
        "FIGURE renewal in containers: {} actions, longest gap {} ms",
        count("action.finished"),
        gap.as_millis()
    );
    assert!(gap <= GAP_MAX, "{gap:?}");
    let now = fs::read_to_string(stack.deployment.dir().ca()).unwrap();
    assert!(!now.contains(first.trim()));
    all_are_healthy();
    for (service, _) in SERVICES {
        assert_eq!(inspect(service)["RestartCount"], 0, "{service}");
    }
}

#[tokio::test]
async fn a_backup_is_restored_elsewhere_and_starts_with_a_clean_record() {
    let Some(stack) = Stack::up().await else {
        return;
    };
    sign(&stack);
    work(&stack);
    let scratch = stack.deployment.scratch();
    let old = stack.deployment.dir().path().to_str().unwrap();
    let at = |name: &str| scratch.join(name).to_str().unwrap().to_owned();
    let (file, dir, workspace) = (at("backup.tar.gz"), at("restored"), at("moved"));
    stack.script(&["backup", &file]);
    all_are_healthy();
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let before = fs::read(&file).unwrap();
    let again = refused(&["backup", old, &file], &[]);
    assert!(again.contains("exists: name another file"), "{again}");
    assert_eq!(fs::read(&file).unwrap(), before);
    stack.script(&["stop"]);
    fs::create_dir(&workspace).unwrap();
    std::os::unix::fs::chown(&workspace, Some(10_004), None).unwrap();
    said(&["restore", &file, &dir, "--workspace", &workspace]);
    for name in [
        "compose.env",
        "deployment.toml",
        "nats-cli/nats/context/audit-reader.json",
    ] {
        let now = fs::read_to_string(Path::new(&dir).join(name)).unwrap();
        let (new, was) = (&dir, format!("{old}/"));
        let moved = now.contains(new.as_str()) || now.contains(&workspace);
        assert!(moved && !now.contains(&was), "{name}: {now}");
    }
    for path in ["owner/signing.pem", "policy/key.pem", "audit/log"] {
        let of = |dir: &str| {
            let found = fs::metadata(Path::new(dir).join(path)).unwrap();
            (found.uid(), found.mode())
        };
        assert_eq!(of(old), of(&dir), "{path}");
    }
    said(&["start", &dir]);
    all_are_healthy();
    verified(Path::new(&dir));
    let onto = refused(&["restore", &file, &dir], &[]);
    assert!(onto.contains("exists: move it away"), "{onto}");
}

/// A file system of bounded size.
struct Small(PathBuf);

impl Drop for Small {
    fn drop(&mut self) {
        run("umount", &["--lazy", self.0.to_str().unwrap()]);
    }
}

#[tokio::test]
async fn a_backup_without_room_leaves_nothing_and_starts_what_ran() {
    let Some(stack) = Stack::up().await else {
        return;
    };
    let mut ballast = vec![0; 1 << 20];
    fs::File::open("/dev/urandom")
        .unwrap()
        .read_exact(&mut ballast)
        .unwrap();
    fs::write(stack.deployment.dir().path().join("ballast"), ballast).unwrap();
    let at = stack.deployment.scratch().join("small");
    fs::create_dir(&at).unwrap();
    let mounted = run(
        "mount",
        &[
            "-t",
            "tmpfs",
            "-o",
            "size=256k",
            "tmpfs",
            at.to_str().unwrap(),
        ],
    );
    assert!(mounted.status.success(), "{}", text(&mounted));
    let small = Small(at);
    let file = small.0.join("backup.tar.gz");
    let dir = stack.deployment.dir().path().to_str().unwrap();
    let said = refused(&["backup", dir, file.to_str().unwrap()], &[]);
    assert!(said.contains("could not be written: make room"), "{said}");
    assert_eq!(fs::read_dir(&small.0).unwrap().count(), 0);
    all_are_healthy();
    // A truncated file is not a backup, and leaves nothing behind.
    let broken = small.0.join("broken.tar.gz");
    fs::write(&broken, "no archive").unwrap();
    let into = stack.deployment.scratch().join("into");
    let arguments = ["restore", broken.to_str().unwrap(), into.to_str().unwrap()];
    assert!(refused(&arguments, &[]).contains("cannot be unpacked"));
    assert!(!into.exists());
}

#[tokio::test]
async fn uninstall_takes_what_the_engine_has_and_everything_takes_the_folder() {
    let Some(stack) = Stack::up().await else {
        return;
    };
    sign(&stack);
    work(&stack);
    let dir = stack.deployment.dir().path();
    let environment = fs::read_to_string(dir.join("compose.env")).unwrap();
    let ours = |service: &str| {
        let image = format!("contractual/{service}:0.1.0");
        run("docker", &["image", "inspect", &image])
            .status
            .success()
    };
    assert!(ours("policy"));
    stack.script(&["uninstall"]);
    assert_eq!(containers(), "");
    assert!(!docker(&["network", "ls", "--format", "{{.Name}}"]).contains("contractual"));
    for (service, _) in SERVICES {
        assert!(!ours(service), "{service}");
    }
    // All important files are still there.
    stack.script(&["start"]);
    all_are_healthy();
    verified(dir);
    said(&["uninstall", "--everything", dir.to_str().unwrap()]);
    assert!(!dir.exists());
    assert_eq!(containers(), "");
    assert!(stack.deployment.workspace().join("report.md").exists());
    // The end of the test runs compose once more.
    fs::create_dir(dir).unwrap();
    fs::write(dir.join("compose.env"), environment).unwrap();
}

/// A folder with these programs and nothing else, for `PATH`.
fn path(folder: &Path, names: &[&str]) -> String {
    fs::create_dir_all(folder).unwrap();
    for name in names {
        let found = ["/usr/bin", "/bin"].map(|at| Path::new(at).join(name));
        let found = found.iter().find(|path| path.exists()).unwrap();
        std::os::unix::fs::symlink(found, folder.join(name)).unwrap();
    }
    folder.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn whatever_is_missing_is_said_before_anything_starts() {
    let Some(stack) = Stack::files().await else {
        return;
    };
    let scratch = stack.deployment.scratch();
    let dir = stack.deployment.dir().path().to_str().unwrap();
    let none = scratch.join("none");
    let none = none.to_str().unwrap();
    let bare = path(
        &scratch.join("bare"),
        &["bash", "dirname", "sed", "realpath"],
    );
    let alone = scratch.join("alone");
    let without = path(&alone, &["bash", "dirname", "sed", "realpath"]);
    // An engine's client that has no compose.
    std::os::unix::fs::symlink("/bin/false", alone.join("docker")).unwrap();
    let cases: [Case<'_>; 9] = [
        (
            &["start", dir],
            &[("PATH", bare.as_str())],
            "docker is missing",
        ),
        (
            &["start", dir],
            &[("PATH", without.as_str())],
            "docker compose is missing",
        ),
        (
            &["start", dir],
            &[("DOCKER_HOST", "unix:///nowhere")],
            "the engine does not answer",
        ),
        (
            &["start", dir],
            &[("CONTRACTUAL", "/nowhere")],
            "contractual is missing",
        ),
        (&["start", none], &[], "holds no deployment"),
        (
            &["start", none, "--authkey", "key"],
            &[],
            "needs --workspace",
        ),
        (&["upgrade", none], &[], "holds no deployment"),
        (&["restore", none, none], &[], "does not exist: name a file"),
        (&["restart", dir], &[], "deploy/stack start DIR"),
    ];
    for (arguments, variables, words) in cases {
        let said = refused(arguments, variables);
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
    // Missing parts of a deployment.
    let moved = scratch.join("moved");
    for (path, words) in [
        (
            stack.deployment.dir().of("tailscale").join("authkey"),
            "auth key is missing",
        ),
        (
            stack.deployment.workspace().to_owned(),
            "is missing: make it",
        ),
        (
            stack.deployment.dir().path().join("trust"),
            "made by an older version",
        ),
    ] {
        fs::rename(&path, &moved).unwrap();
        let said = refused(&["start", dir], &[]);
        fs::rename(&moved, &path).unwrap();
        assert!(said.contains(words), "{}: {said}", path.display());
    }
    assert_eq!(containers(), "");
}
