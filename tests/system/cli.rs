//! The command line for a person: help, exit codes, first runs, mistakes, and secrets that it never shows.

use std::{
    collections::BTreeMap,
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Stdio},
};

use bus_schema::AuthorId;
use contractual::example;
use harness::{Deployment, SOON, eventually, nats_server, playbook};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::{executable::executable, kill};

/// The result of a command.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) code: Option<i32>,
    pub(super) printed: String,
    pub(super) said: String,
}

/// The program with its own environment.
pub(super) fn program(dir: Option<&Path>, arguments: &[&str]) -> Command {
    let mut command = Command::new(harness::contractual());
    if let Some(dir) = dir {
        command.arg("--dir").arg(dir);
    }
    command
        .args(arguments)
        .stdin(Stdio::null())
        .env("NATS_SERVER", nats_server());
    command
}

pub(super) fn end(command: &mut Command) -> Ended {
    let output = command.output().unwrap();
    Ended {
        code: output.status.code(),
        printed: String::from_utf8(output.stdout).unwrap(),
        said: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A text that names a command names one that exists, with options that it has.
pub(super) fn exists(command: &str) {
    let words = command.split(" <").next().unwrap();
    let words = words.strip_prefix("contractual ").expect(command);
    let mut shell = Command::new("sh");
    let line = format!("exec \"$0\" {words} --help");
    let help = end(shell.arg("-c").arg(line).arg(harness::contractual()));
    assert_eq!(help.code, Some(0), "{command}: {}", help.said);
}

pub(super) fn run(deployment: &Deployment, arguments: &[&str]) -> Ended {
    end(&mut program(Some(deployment.dir().path()), arguments))
}

/// Signs the tools of a file.
pub(super) fn add_tools(deployment: &Deployment, file: &Path) -> Ended {
    let added = run(
        deployment,
        &["tool", "add", file.to_str().unwrap(), "--yes"],
    );
    assert_eq!(added.code, Some(0), "{added:?}");
    added
}

/// Runs it while something else happens.
pub(super) async fn run_beside(deployment: &Deployment, arguments: &[&str]) -> Ended {
    let mut command = program(Some(deployment.dir().path()), arguments);
    let running = tokio::task::spawn_blocking(move || end(&mut command));
    running.await.unwrap()
}

/// Checks that a command printed one line, with all of `words` in it.
pub(super) fn one_sentence(said: &str, words: &[&str]) {
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines.len(), 1, "{said}");
    for word in words {
        assert!(said.contains(word), "{word}: {said}");
    }
}

fn helps(path: &[String], found: &mut BTreeMap<String, String>) {
    let arguments: Vec<_> = path.iter().map(String::as_str).chain(["--help"]).collect();
    let help = end(&mut program(None, &arguments));
    assert_eq!(help.code, Some(0), "{path:?}: {}", help.said);
    let commands = help.printed.split("Commands:\n").nth(1).unwrap_or_default();
    let commands = commands.lines().take_while(|line| !line.is_empty());
    for line in commands {
        let is_name = line.starts_with("  ") && !line.starts_with("   ");
        match line.split_whitespace().next() {
            Some(name) if is_name && name != "help" => {
                helps(&[path, &[name.to_owned()]].concat(), found);
            }
            _ => {}
        }
    }
    found.insert(path.join(" "), help.printed);
}

#[test]
fn every_command_has_help_with_an_example_that_names_it() {
    let mut found = BTreeMap::new();
    helps(&[], &mut found);
    assert!(
        found[""].contains(
            "Exit codes: 0 done · 1 failed · 2 a check found a problem · 64 invalid input"
        )
    );
    found.remove("");
    assert!(found.len() > 25, "{:?}", found.keys());
    for (path, help) in found {
        let example = help.lines().find(|line| line.starts_with("Example: "));
        let example = example.unwrap_or_else(|| panic!("{path}: {help}"));
        assert!(
            example.contains(&format!("contractual {path}")),
            "{path}: {example}"
        );
    }
}

#[test]
fn wrong_input_ends_with_64_and_a_failed_check_with_2() {
    let deployment = Deployment::new();
    assert_eq!(run(&deployment, &["no-such-command"]).code, Some(64));
    assert_eq!(
        run(&deployment, &["task", "show", "not-an-id"]).code,
        Some(64)
    );
    for arguments in [
        &["task", "list"][..],
        &["up"],
        &["provision"],
        &["halt"],
        &["audit", "verify"],
    ] {
        let missing = Path::new("/nonexistent/state");
        let ended = end(&mut program(Some(missing), arguments));
        assert_eq!(ended.code, Some(64), "{arguments:?}: {}", ended.said);
        one_sentence(
            &ended.said,
            &["/nonexistent/state", "contractual init --dir"],
        );
    }
    let doctor = run(&deployment, &["doctor"]);
    assert_eq!(doctor.code, Some(2), "{doctor:?}");
    assert!(
        doctor.printed.contains("run `contractual up --dir "),
        "{}",
        doctor.printed
    );
    let list = run(&deployment, &["task", "list"]);
    assert_eq!(list.code, Some(1), "{list:?}");
    one_sentence(&list.said, &["the gateway at", "is it running?"]);
    let halt = run(&deployment, &["halt"]);
    assert_eq!(halt.code, Some(1), "{halt:?}");
    one_sentence(&halt.said, &["is nats-server running?"]);
}

#[test]
fn a_broken_contract_is_named_by_line_and_column_with_its_fix() {
    let deployment = Deployment::new();
    let file = deployment.scratch().join("broken.toml");
    let check = |text: &str| {
        fs::write(&file, text).unwrap();
        run(&deployment, &["contract", "check", file.to_str().unwrap()])
    };
    let good = check(example::CONTRACT);
    assert_eq!(good.code, Some(0), "{}", good.said);
    assert!(good.printed.contains("stocktake: good"), "{}", good.printed);

    let at = |text: &str, word: &str| {
        let line = text.lines().position(|line| line.contains(word)).unwrap();
        let column = text.lines().nth(line).unwrap().find(word).unwrap();
        format!("broken.toml:{}:{}", line + 1, column + 1)
    };
    for (from, to, place) in [
        ("calls        = 2000", "cals         = 2000", "cals"),
        (
            "tool = \"file.list\"",
            "tool = \"file.lst\"",
            "\"file.lst\"",
        ),
        (
            "expires  = 2036-12-31",
            "expires  = 2016-12-31",
            "2016-12-31",
        ),
        ("\"30m\"", "\"30 fortnights\"", "\"30 fortnights\""),
        ("expect = \"allow\"", "expect = \"perhaps\"", "\"perhaps\""),
    ] {
        let broken = example::CONTRACT.replacen(from, to, 1);
        assert_ne!(broken, example::CONTRACT, "{from}");
        let ended = check(&broken);
        assert_eq!(ended.code, Some(64), "{to}: {}", ended.said);
        assert!(
            ended.said.contains(&at(&broken, place)),
            "{to}: {}",
            ended.said
        );
        assert!(ended.said.contains("fix: "), "{to}: {}", ended.said);
        assert_eq!(ended.printed, "");
    }
    let ended = check("contract = [");
    assert_eq!(ended.code, Some(64));
    assert!(ended.said.contains("broken.toml:1:"), "{}", ended.said);
    // A failed test in the contract is also an error of the contract.
    let ended = check(&example::CONTRACT.replacen("expect = \"deny\"", "expect = \"allow\"", 1));
    assert_eq!(ended.code, Some(64), "{}", ended.said);
}

#[test]
fn a_missing_or_old_nats_server_is_said_in_one_sentence() {
    let deployment = Deployment::new();
    let up = |server: &Path| {
        let mut command = program(Some(deployment.dir().path()), &["up"]);
        end(command.env("NATS_SERVER", server))
    };
    let ended = up(Path::new("/nonexistent"));
    assert_eq!(ended.code, Some(1), "{}", ended.said);
    one_sentence(
        &ended.said,
        &[
            "NATS_SERVER names /nonexistent",
            "does not exist",
            "or unset it",
        ],
    );
    let old = deployment.scratch().join("old-nats-server");
    executable(&old, "#!/bin/sh\necho 'nats-server: v2.10.4'\n");
    let ended = up(&old);
    assert_eq!(ended.code, Some(1), "{}", ended.said);
    one_sentence(&ended.said, &["2.10.4", "too old", "2.15.1 or newer"]);
}

#[tokio::test]
async fn a_port_that_is_taken_is_said() {
    let deployment = Deployment::new();
    let taken = TcpListener::bind(deployment.file().bus).unwrap();
    let ended = run(&deployment, &["up"]);
    assert_eq!(ended.code, Some(1), "{}", ended.said);
    let port = deployment.file().bus.to_string();
    assert!(
        ended.said.contains(&port) && ended.said.contains("in use"),
        "{}",
        ended.said
    );
    drop(taken);

    deployment.nats().start().await;
    deployment.provision().await;
    let _taken = TcpListener::bind(deployment.file().gateway).unwrap();
    let ended = run(&deployment, &["service", "gateway"]);
    assert_eq!(ended.code, Some(1), "{}", ended.said);
    let last = ended.said.lines().last().unwrap();
    let port = deployment.file().gateway.to_string();
    assert!(last.contains(&port) && last.contains("in use"), "{last}");
}

#[test]
fn a_workspace_that_cannot_be_written_is_found() {
    let deployment = Deployment::new();
    fs::set_permissions(deployment.workspace(), fs::Permissions::from_mode(0o555)).unwrap();
    // Root could write it in any case.
    let mut command = Command::new("setpriv");
    let ended = end(command
        .args(["--bounding-set", "-dac_override", "--"])
        .arg(harness::contractual())
        .arg("--dir")
        .arg(deployment.dir().path())
        .arg("doctor")
        .env("NATS_SERVER", nats_server()));
    assert_eq!(ended.code, Some(2), "{ended:?}");
    let line = ended
        .printed
        .lines()
        .find(|line| line.contains(" workspace "))
        .unwrap();
    assert!(
        line.starts_with("BAD ") && line.contains("make it a folder you can write to"),
        "{line}"
    );
}

#[tokio::test]
async fn doctor_finds_nothing_on_a_good_deployment_and_names_a_service_that_hangs() {
    let deployment = Deployment::running().await;
    eventually(SOON, async || {
        let doctor = run(&deployment, &["doctor"]);
        let good = doctor.code == Some(0) && !doctor.printed.contains("BAD");
        if good { Ok(()) } else { Err(doctor.printed) }
    })
    .await;
    deployment.freeze("worker", true);
    the_only_finding(&deployment, "worker", "hangs", "read its log").await;
    let health = run(&deployment, &["health", "worker"]);
    assert_eq!(health.code, Some(2), "{health:?}");
    deployment.freeze("worker", false);
    eventually(SOON, async || {
        match run(&deployment, &["health", "worker"]) {
            Ended { code: Some(0), .. } => Ok(()),
            ended => Err(format!("{ended:?}")),
        }
    })
    .await;
}

/// Waits until `doctor` has one bad finding; checks that it is this one.
pub(super) async fn the_only_finding(deployment: &Deployment, what: &str, text: &str, fix: &str) {
    let bad = eventually(SOON, async || {
        let doctor = run(deployment, &["doctor", "--json"]);
        let found: Vec<Value> = serde_json::from_str(&doctor.printed).expect("it is JSON");
        let mut bad = found.into_iter().filter(|one| one["ok"] == false);
        match (bad.next(), bad.next()) {
            (Some(one), None) => Ok(one),
            _ => Err(doctor.printed),
        }
    })
    .await;
    assert_eq!(bad["what"], what);
    let says = |field: &str, words| bad[field].as_str().is_some_and(|said| said.contains(words));
    assert!(says("text", text) && says("fix", fix), "{bad:?}");
}

#[tokio::test]
async fn doctor_names_permissions_that_are_not_this_versions_and_its_fix_puts_them_back() {
    let deployment = Deployment::running().await;
    let permissions = deployment.dir().nats().join("accounts.conf");
    let shipped = fs::read_to_string(&permissions).unwrap();
    let wider = shipped.replace("event.worker.*.task.finished", "event.>");
    assert_ne!(wider, shipped);
    fs::write(&permissions, wider).unwrap();
    let text = permissions.to_str().unwrap();
    the_only_finding(
        &deployment,
        "server's files",
        text,
        "contractual init --dir",
    )
    .await;
    let ended = run(&deployment, &["init"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(fs::read_to_string(&permissions).unwrap(), shipped);
    assert_eq!(run(&deployment, &["doctor"]).code, Some(0));
}

#[tokio::test]
async fn up_runs_a_deployment_in_a_relative_folder_until_it_is_asked_to_stop() {
    let files = Deployment::new();
    let parent = files.dir().path().parent().unwrap();
    let printed = files.scratch().join("up.log");
    let mut up = program(Some(Path::new("state")), &["up"])
        .current_dir(parent)
        .stdout(fs::File::create(&printed).unwrap())
        .spawn()
        .unwrap();
    eventually(SOON, async || {
        let printed = fs::read_to_string(&printed).unwrap();
        if printed.contains("ready: the gateway listens") {
            Ok(())
        } else {
            Err(printed)
        }
    })
    .await;
    let contract = files.sign(example::CONTRACT).await;
    let task = files.submit(contract, playbook()).await;
    assert_eq!(files.follow(task, true).await.outcome(), "succeeded");
    let pid = i32::try_from(up.id()).ok().and_then(Pid::from_raw).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let status = eventually(SOON, async || {
        up.try_wait().unwrap().ok_or("it does not end")
    })
    .await;
    assert_eq!(status.code(), Some(0));
    assert_eq!(kill::processes_of(files.dir().path()), Vec::<String>::new());
}

#[tokio::test]
async fn json_is_json_on_every_line() {
    let deployment = Deployment::running().await;
    let ran = deployment.run_demo_task().await;
    let record = deployment.record().await;
    let json = |arguments: &[&str]| -> Vec<Value> {
        let ended = run(&deployment, &[arguments, &["--json"]].concat());
        assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.said);
        let parse = |line: &str| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
        };
        ended.printed.lines().map(parse).collect()
    };
    let tasks = json(&["task", "list"]);
    assert_eq!(tasks[0]["tasks"][0]["task"], ran.task.to_string());
    assert_eq!(tasks[0]["tasks"][0]["outcome"], "succeeded");
    let task = json(&["task", "show", &ran.task.to_string()]);
    assert_eq!(
        task[0]["events"].as_array().unwrap().len(),
        ran.events.len()
    );
    let shown = json(&["audit", "show"]);
    assert!(shown.len() >= record.messages.len());
    assert!(
        shown
            .iter()
            .zip(&record.messages)
            .all(|(line, message)| line["body"]["fact"] == message.fact)
    );
    let part = json(&["audit", "show", "--from", "5", "--limit", "3"]);
    assert_eq!(
        part.iter()
            .map(|line| line["seq"].as_u64().unwrap())
            .collect::<Vec<_>>(),
        [5, 6, 7]
    );
    let verified = json(&["audit", "verify"]);
    assert_eq!(verified[0]["junk"], 0);
    let contract = deployment.scratch().join("contract.toml");
    fs::write(&contract, example::CONTRACT).unwrap();
    let checked = json(&["contract", "check", contract.to_str().unwrap()]);
    assert_eq!(checked[0]["name"], "stocktake");
    eventually(SOON, async || {
        match run(&deployment, &["health", "policy", "--json"]) {
            Ended { code: Some(0), .. } => Ok(()),
            ended => Err(format!("{ended:?}")),
        }
    })
    .await;
}

#[tokio::test]
async fn halt_kills_what_runs_and_resume_lets_it_go_on() {
    let deployment = kill::everything().await;
    let contract = deployment.sign(&kill::contract("30m")).await;
    let held = deployment
        .submit(contract, &kill::held("held", "\"stop\""))
        .await;
    eventually(SOON, async || match kill::lines(&deployment) {
        found if found.len() == 1 => Ok(()),
        found => Err(format!("{found:?}")),
    })
    .await;
    // It needs no gateway.
    deployment.kill(AuthorId::Gateway);
    let halt = run(&deployment, &["halt"]);
    assert_eq!(halt.code, Some(0), "{}", halt.said);
    eventually(SOON, async || {
        match kill::processes_of(deployment.workspace()) {
            left if left.is_empty() => Ok(()),
            left => Err(left.join("\n")),
        }
    })
    .await;
    deployment.start(AuthorId::Gateway).await;
    let ran = deployment.follow(held, true).await;
    assert_eq!((ran.outcome(), ran.outcomes()), ("failed", vec!["killed"]));

    let listed = run(&deployment, &["task", "list"]);
    assert!(listed.printed.starts_with("HALTED"), "{}", listed.printed);
    let waiting = deployment.submit(contract, playbook()).await;
    eventually(SOON, async || {
        let kinds = deployment.gateway().task(waiting).await.unwrap().events;
        if kinds.len() == 3 {
            Ok(())
        } else {
            Err(format!("{} events", kinds.len()))
        }
    })
    .await;
    let resume = run(&deployment, &["resume"]);
    assert_eq!(resume.code, Some(0), "{}", resume.said);
    let ran = deployment.follow(waiting, true).await;
    assert_eq!(
        (ran.outcome(), ran.count("action.granted")),
        ("succeeded", 9)
    );
    let record = deployment.record().await;
    let resumed = record.of("halt.lifted").next().unwrap().stored.seq;
    let granted = record
        .of("action.granted")
        .filter(|one| one.task() == Some(waiting));
    assert!(granted.into_iter().all(|one| one.stored.seq > resumed));
}
