//! The command line in a shell: failed output, closed pipes, home folders, byte order marks, signals, and two at once.

use std::{
    fs::{self, File},
    process::{Command, Stdio},
};

use contractual::example;
use harness::{Deployment, SOON, eventually, nats_server};
use rustix::process::{Pid, Signal, kill_process};

use crate::{
    cli::{end, one_sentence, program, run as command},
    main_job::{asked, has, run, up_is_ready, with_documents},
};

/// A folder with a contract and the example's tools, and the paths of both.
fn contract(text: &str) -> (tempfile::TempDir, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (contract, tools) = (
        write("contract.toml", text),
        write("tools.json", example::TOOLS),
    );
    (folder, contract, tools)
}

fn interrupt(child: u32, signal: Signal) {
    let pid = Pid::from_raw(child.try_into().unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

#[tokio::test]
async fn output_that_cannot_be_written_is_an_error_and_a_closed_pipe_is_none() {
    let deployment = Deployment::running().await;
    let (_folder, contract, _) = contract(example::CONTRACT);
    let commands: [&[&str]; 10] = [
        &["--help"],
        &["contract", "check", &contract],
        &["contract", "show", &contract],
        &["contract", "list"],
        &["task", "list", "--json"],
        &["approvals", "list"],
        &["audit", "show"],
        &["audit", "verify"],
        &["certs", "show"],
        &["health", "policy"],
    ];
    for words in commands {
        let mut full = program(Some(deployment.dir().path()), words);
        full.stdout(Stdio::from(
            File::options().write(true).open("/dev/full").unwrap(),
        ));
        let ended = full
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
            .wait_with_output()
            .unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(1), "{words:?}: {said}");
        one_sentence(&said, &["could not be written", "No space left on device"]);
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut closed = program(Some(deployment.dir().path()), words);
        let status = closed.stdout(writer).status().unwrap();
        assert_eq!(status.code(), Some(0), "{words:?}");
    }
}

#[test]
fn no_home_and_relative_folders_are_no_obstacle() {
    let (folder, contract, tools) = contract(example::CONTRACT);
    let check = |change: &dyn Fn(&mut Command)| {
        let mut command = program(None, &["contract", "check", &contract, "--tools", &tools]);
        command
            .current_dir(folder.path())
            .env_remove("XDG_DATA_HOME");
        change(&mut command);
        let ended = end(&mut command);
        assert_eq!(ended.code, Some(0), "{ended:?}");
    };
    check(&|command| {
        command.env_remove("HOME");
    });
    check(&|command| {
        command.env("HOME", "");
    });
    check(&|command| {
        command.env("XDG_DATA_HOME", "data");
    });
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn a_byte_order_mark_is_no_part_of_a_document() {
    let (_folder, contract, tools) = contract(&format!("\u{feff}{}", example::CONTRACT));
    fs::write(&tools, format!("\u{feff}{}", example::TOOLS)).unwrap();
    for verb in ["check", "show"] {
        let words = ["contract", verb, &contract, "--tools", &tools];
        let ended = end(&mut program(None, &words));
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }
}

#[tokio::test]
async fn a_second_up_is_refused_with_the_process_of_the_first() {
    let deployment = Deployment::new();
    let printed = deployment.scratch().join("up.log");
    // Whoever runs the tests may ignore the signal.
    let up = program(Some(deployment.dir().path()), &["up"]);
    let mut first = Command::new("env");
    first
        .arg("--default-signal=HUP")
        .arg(up.get_program())
        .args(up.get_args());
    let mut first = first
        .env("NATS_SERVER", nats_server())
        .stdin(Stdio::null())
        .stdout(File::create(&printed).unwrap())
        .spawn()
        .unwrap();
    up_is_ready(&printed).await;
    let second = command(&deployment, &["up"]);
    assert_eq!(second.code, Some(1), "{second:?}");
    one_sentence(
        &second.said,
        &[&format!("process {} runs ", first.id()), "stop it first"],
    );
    // A terminal that is closed stops everything, as Ctrl-C does.
    interrupt(first.id(), Signal::HUP);
    let status = eventually(SOON, async || first.try_wait().unwrap().ok_or("it runs")).await;
    assert_eq!(status.code(), Some(0), "{status}");
}

#[tokio::test]
async fn a_run_during_a_halt_is_refused_and_submits_nothing() {
    let (deployment, arguments) = with_documents(example::CONTRACT, example::PLAYBOOK).await;
    assert_eq!(command(&deployment, &["halt"]).code, Some(0));
    eventually(SOON, async || {
        let tasks = deployment.gateway().tasks().await.unwrap();
        tasks.halted.then_some(()).ok_or("not halted yet")
    })
    .await;
    let ended = end(&mut run(&deployment, &arguments, &["--yes"]));
    assert_eq!(ended.code, Some(1), "{ended:?}");
    one_sentence(&ended.said, &["halted", "contractual resume"]);
    assert_eq!(deployment.gateway().tasks().await.unwrap().tasks.len(), 0);
}

#[tokio::test]
async fn ctrl_c_in_run_says_that_the_task_goes_on() {
    let (deployment, arguments) = with_documents(example::CONTRACT, example::PLAYBOOK).await;
    for (name, text) in example::INVOICES {
        fs::write(deployment.workspace().join(name), text).unwrap();
    }
    let mut child = run(&deployment, &arguments, &[])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stdin = child.stdin.take().unwrap();
    let (task, _) = asked(&deployment).await;
    interrupt(child.id(), Signal::INT);
    let output = child.wait_with_output().unwrap();
    drop(stdin);
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    let printed = String::from_utf8(output.stdout).unwrap();
    has(
        &printed,
        &[&format!(
            "the task goes on: see `contractual task show {task}`"
        )],
    );
    assert_eq!(command(&deployment, &["deny", &task]).code, Some(0));
}
