//! The main job of a person: the demo to its end, its question, and `run`, `approve`, `deny`.

use std::{
    ffi::OsStr,
    fs,
    io::Write as _,
    os::unix::ffi::OsStrExt as _,
    path::Path,
    process::{Command, Stdio},
};

use bus_schema::{ACTORS, AuthorId};
use contractual::example;
use diagnostic::is_hidden;
use harness::{Deployment, SOON, eventually};
use serde_json::Value;

use crate::cli::{Ended, end, one_sentence, program};

/// Two invoices of 100.50 and 20.25.
fn invoices() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, total) in [("2026-01-a.txt", "100.50"), ("2026-02-b.txt", "20.25")] {
        let text = format!("Invoice\n\nTotal: EUR {total}\n");
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// The demo with its temporary files in `temporary`.
fn demo(temporary: &Path, arguments: &[&str]) -> Command {
    let mut command = program(None, &[&["demo"], arguments].concat());
    command.env("TMPDIR", temporary);
    command
}

/// Runs a command with a text on its standard input.
fn told(command: &mut Command, input: &str) -> Ended {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may end without a question.
    child.stdin.take().unwrap().write_all(input.as_bytes()).ok();
    let output = child.wait_with_output().unwrap();
    Ended {
        code: output.status.code(),
        printed: String::from_utf8(output.stdout).unwrap(),
        said: String::from_utf8(output.stderr).unwrap(),
    }
}

pub(super) fn has(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{word:?} is missing:\n{text}");
    }
}

#[test]
fn the_demo_runs_to_its_end_and_shows_rules_the_smallest_change_and_the_proof() {
    let temporary = tempfile::tempdir().unwrap();
    let ended = end(&mut demo(temporary.path(), &["--yes"]));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    has(
        &ended.printed,
        &[
            "list: file.list by list-the-folder",
            "total: invoice.total by add-up-invoices",
            "report: file.write by write-the-report, signed by a person",
            "tidy: file.delete by default: no rule permits this call of `file.delete`",
            "smallest change that would allow it:",
            "[[ask]]\n              tool = \"file.delete\"\n              where.path = <which path?> # no trusted source",
            "The contract asks for your yes:",
            "contract  stocktake version 1, until 2037-01-01T",
            "rule      write-the-report",
            "reason    The report is written into your folder; a report.md that is there is replaced.",
            "step      report",
            "tool      file.write",
            "arguments {\"path\":\"report.md\",\"text\":\"# Stock-take",
            "answer    valid until 20",
            "signed with --yes",
            "proof    every signature and every chain verifies: owner 3,",
            "0 junk",
            "offline  ",
            "succeeded: 9 granted, 1 asked, 1 refused",
        ],
    );
    assert_eq!(ended.said, "");
}

#[test]
fn the_demo_on_a_folder_writes_the_report_there_and_says_all_of_it_as_json() {
    let (temporary, folder) = (tempfile::tempdir().unwrap(), invoices());
    let path = folder.path().to_str().unwrap();
    let ended = end(&mut demo(temporary.path(), &[path, "--yes", "--json"]));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let report = fs::read_to_string(folder.path().join("report.md")).unwrap();
    has(&report, &["Invoices: 2", "120.75", "2026-01-a.txt"]);
    let lines: Vec<Value> = ended
        .printed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let last = lines.last().unwrap().as_object().unwrap();
    let fields: Vec<_> = last.keys().map(String::as_str).collect();
    let wanted = [
        "asked",
        "events",
        "first_action_ms",
        "granted",
        "outcome",
        "processes",
        "refused",
        "task",
        "total_ms",
        "verified",
    ];
    let mut fields = fields;
    fields.sort_unstable();
    assert_eq!(fields, wanted);
    assert_eq!(last["outcome"], "succeeded");
    assert_eq!(last["verified"], true);
    assert_eq!((&last["asked"], &last["refused"]), (&1.into(), &1.into()));
    assert!(last["task"].is_string() && last["events"].as_u64() > Some(20));
    let (first, total) = (&last["first_action_ms"], &last["total_ms"]);
    assert!(first.as_u64() > Some(0) && first.as_u64() < total.as_u64());
    let names: Vec<_> = last["processes"].as_array().unwrap().iter().collect();
    assert_eq!(names.len(), ACTORS.len() + 1);
    for process in names {
        let bytes = |field: &str| process[field].as_u64().unwrap();
        assert!(bytes("rss_bytes") > 1_000_000, "{process}");
        assert!(bytes("pss_bytes") <= bytes("rss_bytes"), "{process}");
    }
}

#[test]
fn the_demo_on_a_folder_with_odd_files_does_its_job_and_its_report_names_each_of_them() {
    let (temporary, folder) = (tempfile::tempdir().unwrap(), invoices());
    let write = |name: &[u8], text: &str| {
        fs::write(folder.path().join(OsStr::from_bytes(name)), text).unwrap();
    };
    write(b"line\nend.txt", "Total: EUR 1.00\n");
    write(b"caf\xe9.txt", "Total: EUR 2.00\n");
    write(b"quote\".txt", "Total: EUR 3.00\r\n");
    write(b"letter.txt", "Dear Sir or Madam\n");
    write(b"dollars.txt", "Total: USD 4.00\n");
    write(b"comma.txt", "Total: EUR 1204,50\n");
    std::os::unix::fs::symlink("2026-01-a.txt", folder.path().join("again.txt")).unwrap();
    fs::create_dir(folder.path().join("below")).unwrap();
    let path = folder.path().to_str().unwrap();
    let ended = end(&mut demo(temporary.path(), &[path, "--yes", "--json"]));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let report = fs::read_to_string(folder.path().join("report.md")).unwrap();
    has(
        &report,
        &[
            "- Invoices: 3\n- Total: EUR 123.75\n",
            "3 of 6 files are not in the total; 3 entries were left out: 1 link, 2 odd names.",
            "letter.txt: it has no line such as Total: EUR 1204.50",
            "dollars.txt: its total is not an amount such as EUR 1204.50",
            "comma.txt: its total is not an amount such as EUR 1204.50",
            "again.txt: a symbolic link",
            "line\\u{a}end.txt: its name has",
            "caf\\xe9.txt: its name has",
        ],
    );
    let last: Value = serde_json::from_str(ended.printed.lines().last().unwrap()).unwrap();
    assert_eq!(last["left_out"].as_array().unwrap().len(), 3, "{last}");
    // Without one file that the task sees there is nothing to add up.
    for name in [
        "2026-01-a.txt",
        "2026-02-b.txt",
        "letter.txt",
        "dollars.txt",
        "comma.txt",
    ] {
        fs::remove_file(folder.path().join(name)).unwrap();
    }
    fs::remove_file(folder.path().join("quote\".txt")).unwrap();
    let ended = end(&mut demo(temporary.path(), &[path, "--yes"]));
    assert_eq!(ended.code, Some(64), "{ended:?}");
    one_sentence(&ended.said, &["no file *.txt", "2 odd names"]);
}

#[test]
fn a_demo_in_a_folder_of_its_own_stays_there_and_goes_on() {
    let (temporary, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let dir = folder.path().join("state");
    let arguments = ["--dir", dir.to_str().unwrap(), "--yes", "--json"];
    let mut events = 0;
    for _ in 0..2 {
        let ended = end(&mut demo(temporary.path(), &arguments));
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let last: Value = serde_json::from_str(ended.printed.lines().last().unwrap()).unwrap();
        assert_eq!(last["verified"], true);
        // The second run also proves the messages of the first one.
        let seen = last["events"].as_u64().unwrap();
        assert!(seen > events + 20, "{events}, then {seen}");
        events = seen;
    }
    let task = end(&mut program(Some(&dir), &["audit", "verify", "--offline"]));
    assert_eq!(task.code, Some(0), "{task:?}");
}

#[test]
fn the_question_is_answered_on_standard_input_and_its_end_is_a_no() {
    for (input, code, verdict) in [
        ("perhaps\nyes\n", 0, "signed by a person"),
        ("no\n", 1, "the task ended as failed"),
        ("", 1, "no answer at EOF: denied"),
    ] {
        let (temporary, folder) = (tempfile::tempdir().unwrap(), invoices());
        let path = folder.path().to_str().unwrap();
        let ended = told(&mut demo(temporary.path(), &[path]), input);
        assert_eq!(ended.code, Some(code), "{input:?}: {ended:?}");
        has(&format!("{}{}", ended.printed, ended.said), &[verdict]);
        let elsewhere = format!(
            "to answer from elsewhere: contractual approve --dir {}",
            temporary.path().display()
        );
        has(&ended.printed, &[&elsewhere]);
        assert_eq!(folder.path().join("report.md").exists(), code == 0);
    }
}

#[test]
fn json_ends_with_the_object_also_when_the_demo_fails_early() {
    let temporary = tempfile::tempdir().unwrap();
    let mut command = demo(temporary.path(), &["--yes", "--json"]);
    let ended = end(command.env("NATS_SERVER", "/nonexistent"));
    assert_eq!(ended.code, Some(1), "{ended:?}");
    one_sentence(&ended.said, &["NATS_SERVER names /nonexistent"]);
    let last: Value = serde_json::from_str(ended.printed.lines().last().unwrap()).unwrap();
    assert_eq!(last["verified"], false);
    assert!(
        last["task"].is_null() && last["first_action_ms"].is_null(),
        "{last}"
    );
    has(last["error"].as_str().unwrap(), &["does not exist"]);
}

#[test]
fn another_folder_than_the_deployment_works_on_is_refused() {
    let deployment = Deployment::new();
    let other = invoices();
    let (dir, path) = (deployment.dir().path(), other.path().to_str().unwrap());
    let ended = end(&mut program(Some(dir), &["demo", path, "--yes"]));
    assert_eq!(ended.code, Some(64), "{ended:?}");
    let workspace = deployment.workspace().display().to_string();
    one_sentence(&ended.said, &[path, &workspace, "another --dir"]);
    assert!(!other.path().join("report.md").exists());
}

/// A running deployment, and files with the example's contract and playbook.
pub(super) async fn with_files() -> (Deployment, [String; 4]) {
    let (deployment, arguments) = with_documents(example::CONTRACT, example::PLAYBOOK).await;
    for (name, text) in example::INVOICES {
        fs::write(deployment.workspace().join(name), text).unwrap();
    }
    (deployment, arguments)
}

/// A running deployment with this contract signed, and files with it and a playbook.
pub(super) async fn with_documents(contract: &str, playbook: &str) -> (Deployment, [String; 4]) {
    let deployment = Deployment::running().await;
    let file = |name: &str, text: &str| {
        let path = deployment.scratch().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let arguments = [
        "--contract".to_owned(),
        file("contract.toml", contract),
        "--playbook".to_owned(),
        file("playbook.toml", playbook),
    ];
    deployment.sign(contract).await;
    (deployment, arguments)
}

pub(super) fn run(deployment: &Deployment, arguments: &[String; 4], more: &[&str]) -> Command {
    let arguments = arguments.iter().map(String::as_str);
    let arguments: Vec<_> = std::iter::once("run")
        .chain(arguments)
        .chain(more.iter().copied())
        .collect();
    program(Some(deployment.dir().path()), &arguments)
}

/// The task that was submitted last, and the action that it asks about.
pub(super) async fn asked(deployment: &Deployment) -> (String, String) {
    eventually(SOON, async || {
        let tasks = deployment.gateway().tasks().await.unwrap().tasks;
        let task = tasks.first().ok_or("no task")?.task;
        let events = deployment.gateway().task(task).await.unwrap().events;
        let asks = |event: &&gateway::api::Event| event.kind == "approval.requested";
        let event = events.iter().find(asks).ok_or("nothing is asked")?;
        let action = event.body["fact"]["draft"]["action"].as_str().unwrap();
        Ok::<_, &str>((task.to_string(), action.to_owned()))
    })
    .await
}

#[tokio::test]
async fn run_follows_a_task_and_its_answer_decides() {
    let (deployment, arguments) = with_files().await;
    let ended = told(&mut run(&deployment, &arguments, &[]), "yes\n");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    has(
        &ended.printed,
        &["The contract asks for your yes:", "report.md"],
    );
    let ended = told(&mut run(&deployment, &arguments, &[]), "no\n");
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.said.contains("the task ended as failed"),
        "{}",
        ended.said
    );
    let ended = end(&mut run(&deployment, &arguments, &["--yes", "--json"]));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let is_json = |line: &str| serde_json::from_str::<Value>(line).is_ok();
    assert!(ended.printed.lines().all(is_json), "{}", ended.printed);
}

/// A task that asks about writing a text with hidden characters.
const ASKS: &str = r#"
contract = "asks"
version  = 1
purpose  = "Ask about each write"
owner    = "The person who signs this"
expires  = 2036-12-31

[[ask]]
name = "write"
tool = "file.write"
reason = "A file is written."
"#;
const HIDES: &str = r#"
playbook = "hides"
purpose = "One write of what no terminal shows."

[[step]]
id = "w"
tool = "file.write"
args = { path = "h\u0430.txt", text = "tag=[\U000E0041] vs16=[\uFE0F] vs17=[\U000E0100] shy=[\u00AD] wj=[\u2060] mvs=[\u180E] filler=[\u3164] half=[\uFFA0] cgj=[\u034F] ls=[\u2028] ps=[\u2029] alm=[\u061C] iss=[\u206A] ia=[\uFFF9] zwsp=[\u200B] rlo=[\u202E] esc=[\u001B] csi=[\u009B] del=[\u007F] lines=[\n\n  sign it? [yes/no] ]" }
"#;

#[tokio::test]
async fn a_question_hides_nothing_and_says_what_is_unusual() {
    let (deployment, arguments) = with_documents(ASKS, HIDES).await;
    let hidden = |text: &str| {
        let hidden = text.chars().find(|c| *c != '\n' && is_hidden(*c));
        assert_eq!(hidden, None, "{text}");
    };
    let ended = told(&mut run(&deployment, &arguments, &[]), "no\n");
    hidden(&ended.printed);
    hidden(&ended.said);
    has(
        &ended.printed,
        &[
            "rlo=[\\u{202e}] esc=[\\u001b] csi=[\\u{9b}] del=[\\u{7f}] lines=[\\n\\n  sign it? [yes/no] ]",
            "unusual   18 invisible characters, ",
            "; an escape sequence \\u....; a word of several scripts, Cyrillic and Latin: h\u{430}.txt",
        ],
    );
    let (task, _) = asked(&deployment).await;
    for words in [
        vec!["task", "show", &task],
        vec!["task", "show", &task, "--json"],
        vec!["audit", "show"],
        vec!["audit", "show", "--json"],
    ] {
        let ended = end(&mut program(Some(deployment.dir().path()), &words));
        assert_eq!(ended.code, Some(0), "{ended:?}");
        hidden(&ended.printed);
        hidden(&ended.said);
    }
}

#[tokio::test]
async fn approve_and_deny_answer_a_detached_task() {
    let (deployment, arguments) = with_files().await;
    for (answer, said, outcome) in [
        ("approve", "approved", "succeeded"),
        ("deny", "denied", "failed"),
    ] {
        let ended = end(&mut run(&deployment, &arguments, &["--detach"]));
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let (task, action) = asked(&deployment).await;
        has(&ended.printed, &[&task]);
        let words = [answer, &task, &action];
        let ended = end(&mut program(Some(deployment.dir().path()), &words));
        assert_eq!(ended.code, Some(0), "{ended:?}");
        has(&ended.printed, &["contract  stocktake version 1", said]);
        let ran = deployment.follow(task.parse().unwrap(), false).await;
        assert_eq!(ran.outcome(), outcome);
        let ended = end(&mut program(Some(deployment.dir().path()), &words));
        assert_eq!(ended.code, Some(1), "{ended:?}");
        let decided = if answer == "approve" {
            "granted"
        } else {
            "refused"
        };
        let decided =
            format!("the question of action {action} has ended: the action was {decided}");
        one_sentence(&ended.said, &[&decided, &task]);
    }
}

#[tokio::test]
async fn what_dies_under_up_comes_back_and_work_goes_on() {
    let files = Deployment::new();
    let printed = files.scratch().join("up.log");
    let mut up = program(Some(files.dir().path()), &["up"])
        .stdout(fs::File::create(&printed).unwrap())
        .spawn()
        .unwrap();
    let log = || fs::read_to_string(&printed).unwrap();
    let says = async |word: &str, times: usize| {
        eventually(SOON, async || match log() {
            log if log.matches(word).count() >= times => Ok(()),
            log => Err(log),
        })
        .await;
    };
    says("ready: the gateway listens", 1).await;
    let contract = files.sign(example::CONTRACT).await;
    for author in ["policy", "runner", "nats"] {
        let pid = pid_under(up.id(), author);
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        says(&format!("{author:<8} ended with signal: 9"), 1).await;
        eventually(SOON, async || match find_under(up.id(), author) {
            Some(again) if again != pid => Ok(()),
            found => Err(format!("{author}: {found:?}")),
        })
        .await;
        let task = files.submit(contract, example::PLAYBOOK).await;
        let ran = files.follow(task, true).await;
        assert_eq!(ran.outcome(), "succeeded", "{}", log());
    }
    let pid = i32::try_from(up.id()).unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(up.wait().unwrap().code(), Some(0));
}

#[tokio::test]
async fn up_ends_with_an_error_when_a_service_gives_up() {
    let files = Deployment::new();
    let printed = files.scratch().join("up.log");
    let mut up = program(Some(files.dir().path()), &["up"])
        .stdout(fs::File::create(&printed).unwrap())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    up_is_ready(&printed).await;
    // Its next start has an invalid configuration: exit code 64.
    fs::write(files.dir().config(AuthorId::Worker), "not = [valid").unwrap();
    let pid = pid_under(up.id(), "worker");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    eventually(SOON, async || up.try_wait().unwrap().ok_or("it goes on")).await;
    let output = up.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    has(&said, &["worker does not run any more", "gave up"]);
}

/// The process of a service, or of the server, among those that `parent` started.
fn find_under(parent: u32, name: &str) -> Option<rustix::process::Pid> {
    let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).ok()?;
    let mut pids = children.split_whitespace();
    let pid = pids.find(|pid| {
        let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words: Vec<_> = command.split(|byte| *byte == 0).collect();
        match words.get(1) {
            Some(&b"service") => words.get(2) == Some(&name.as_bytes()),
            Some(&b"-c") => name == "nats",
            _ => false,
        }
    })?;
    rustix::process::Pid::from_raw(pid.parse().ok()?)
}

fn pid_under(parent: u32, name: &str) -> rustix::process::Pid {
    find_under(parent, name).unwrap_or_else(|| panic!("{name} does not run"))
}

/// Waits until `up`, whose output is in this file, is ready.
pub(crate) async fn up_is_ready(printed: &Path) {
    eventually(SOON, async || match fs::read_to_string(printed).unwrap() {
        log if log.contains("ready: the gateway listens") => Ok(()),
        log => Err(log),
    })
    .await;
}
