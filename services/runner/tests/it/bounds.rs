//! Tests the bounds of time, output, processes and memory, and that no process outlives its call.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use runner::{ExecTool, Outcome};
use rustix::fs::{Mode, OFlags};

use crate::call::{Ground, launcher, program, sh, text};

#[tokio::test]
async fn typical_programs_run() {
    let ground = Ground::new();
    let ran = ground
        .sh("printf 'b 2\\na 1\\n' | sort | awk '{ s += $2 } END { print s }'")
        .await;
    assert_eq!(
        (ran.outcome, text(&ran).as_str()),
        (Outcome::Succeeded, "3\n"),
        "{ran:?}"
    );
    assert!(ran.diagnostics.is_empty(), "{ran:?}");
    let ran = ground
        .sh(
            "echo x > a && cp a b && mv b c && sed s/x/y/ c > d && mv d c && cat c && wc -l < c && ls && \
             grep -c y c && tar cf - a | tar tf - && find . -name a && date +%Y > /dev/null && \
             x=$(mktemp) && rm a $x && id -u > /dev/null",
        )
        .await;
    assert_eq!(ran.outcome, Outcome::Succeeded, "{ran:?}");
    assert_eq!(text(&ran), "y\n1\na\nc\n1\na\n./a\n");
}

#[tokio::test]
async fn python_runs_with_threads_and_children() {
    let ground = Ground::new();
    let python = PathBuf::from("/usr/bin/python3");
    assert!(
        python.is_file(),
        "install python3: the typical programs of the tools include it"
    );
    let code = "import threading, subprocess, json, sys\n\
                t = threading.Thread(target=lambda: print('thread', flush=True)); t.start(); t.join()\n\
                print(subprocess.run(['echo', 'child'], capture_output=True, text=True).stdout, end='')\n\
                import socket\n\
                try: socket.socket(); print('open')\n\
                except PermissionError: print('refused')";
    let ran = ground.run(program(&python, &["-c", code])).await.unwrap();
    assert_eq!(text(&ran), "thread\nchild\nrefused\n", "{ran:?}");
}

#[tokio::test]
async fn attributes_of_written_files_are_set_unless_the_runner_is_root() {
    let ground = Ground::new();
    let ran = ground
        .sh("echo x > a && sed -i s/x/y/ a && touch b && cat a")
        .await;
    let expected = if rustix::process::geteuid().is_root() {
        ""
    } else {
        "y\n"
    };
    assert_eq!(text(&ran), expected, "{ran:?}");
}

#[tokio::test]
async fn exit_codes_and_signals_are_told_apart() {
    let ground = Ground::new();
    assert_eq!(
        ground.sh("exit 7").await.outcome,
        Outcome::Failed { code: 7 }
    );
    assert_eq!(
        ground.sh("kill -9 $$").await.outcome,
        Outcome::Killed { signal: 9 }
    );
    let ran = ground.sh("echo out; echo err >&2").await;
    assert_eq!(
        (ran.output.as_slice(), ran.diagnostics.as_slice()),
        (&b"out\n"[..], &b"err\n"[..])
    );
}

#[tokio::test]
async fn a_tool_that_ignores_signals_dies_at_its_time() {
    let ground = Ground::new();
    let mut tool = sh("trap '' TERM INT HUP QUIT; echo on; while :; do :; done");
    tool.limits.wall_ms = 300;
    let ran = ground.run(tool).await.unwrap();
    assert_eq!(
        (ran.outcome, text(&ran).as_str()),
        (Outcome::TimedOut, "on\n"),
        "{ran:?}"
    );
    assert!(ran.wall_ms >= 300, "{ran:?}");
}

#[tokio::test]
async fn a_detached_descendant_is_gone_when_the_call_returns() {
    let ground = Ground::new();
    let mut fifo = fifo(&ground);
    let ran = ground
        .sh("exec 3>fifo; (setsid sh -c 'setsid sleep 600 & sleep 600' & ) ; echo x >&3")
        .await;
    assert_eq!(ran.outcome, Outcome::Succeeded, "{ran:?}");
    let mut said = String::new();
    fifo.read_to_string(&mut said).unwrap();
    assert_eq!(said, "x\n");
}

#[tokio::test]
async fn a_fork_bomb_is_ended_with_all_its_processes() {
    let ground = Ground::new();
    let mut fifo = fifo(&ground);
    let ran = ground
        // Each generation stays: one that dies of a failed fork could be gone before it is counted.
        .sh("exec 3>fifo; f() { f | f & sleep 600; }; f")
        .await;
    assert_eq!(ran.outcome, Outcome::ProcessesExceeded, "{ran:?}");
    assert_eq!(fifo.read(&mut [0; 1]).unwrap(), 0);
}

#[tokio::test]
async fn orphans_that_end_do_not_count_for_ever() {
    let ground = Ground::new();
    // Each substitution waits for its orphan, so that a busy machine has no more of them alive than an idle one.
    let ran = ground
        .sh("i=0; while [ $i -lt 1000 ]; do : \"$( (true & ) )\"; i=$((i+1)); done; echo end")
        .await;
    assert_eq!(
        (ran.outcome, text(&ran).as_str()),
        (Outcome::Succeeded, "end\n"),
        "{ran:?}"
    );
}

#[tokio::test]
async fn endless_output_is_cut_and_ends_the_call() {
    let ground = Ground::new();
    for script in ["yes", "yes | tr -d '\\n'", "yes | head -c 1000000000"] {
        let ran = ground.sh(script).await;
        assert_eq!(
            (ran.outcome, ran.truncated),
            (Outcome::OutputExceeded, true),
            "{script}"
        );
        assert_eq!(ran.output.len(), 64 * 1024);
    }
    let ran = ground
        .sh("head -c 65536 /usr/bin/env /usr/bin/env | head -c 65536")
        .await;
    assert_eq!((ran.outcome, ran.truncated), (Outcome::Succeeded, false));
    assert_eq!(ran.output.len(), 64 * 1024);
}

#[tokio::test]
async fn endless_diagnostics_are_cut_and_do_not_block() {
    let ground = Ground::new();
    let ran = ground.sh("yes | head -c 10000000 >&2; echo end").await;
    assert_eq!(
        (ran.outcome, text(&ran).as_str()),
        (Outcome::Succeeded, "end\n")
    );
    assert_eq!((ran.diagnostics.len(), ran.truncated), (64 * 1024, true));
}

#[tokio::test]
async fn memory_file_size_and_processor_time_are_bounded() {
    let ground = Ground::new();
    let mut tool = sh("exec awk 'BEGIN { s = \"x\"; while (1) s = s s }'");
    tool.limits.memory_bytes_max = 64 * 1024 * 1024;
    let ran = ground.run(tool).await.unwrap();
    assert!(
        matches!(ran.outcome, Outcome::Failed { .. } | Outcome::Killed { .. }),
        "{ran:?}"
    );
    let ran = ground.sh("exec yes > big").await;
    assert_eq!(ran.outcome, Outcome::Killed { signal: 25 }, "{ran:?}");
    assert_eq!(
        std::fs::metadata(ground.workspace.join("big"))
            .unwrap()
            .len(),
        4 * 1024 * 1024
    );
    let mut tool = sh("while :; do :; done");
    tool.limits.cpu_ms_max = 1000;
    assert_eq!(
        ground.run(tool).await.unwrap().outcome,
        Outcome::Killed { signal: 24 }
    );
}

#[tokio::test]
async fn dropping_the_call_kills_every_process() {
    let ground = Ground::new();
    let mut fifo = fifo(&ground);
    fifo.set_blocking();
    let tool =
        ExecTool::try_from(sh("exec 3>fifo; setsid sleep 600 & echo x >&3; sleep 600")).unwrap();
    let (cage, workspace, args) = (ground.cage(), ground.open(), serde_json::json!({}));
    let started = tokio::task::spawn_blocking(move || {
        fifo.wait_for_byte();
        fifo
    });
    let mut fifo = tokio::select! {
        ended = runner::run(&cage, &tool, &args, &workspace) => panic!("{ended:?}"),
        fifo = started => fifo.unwrap(),
    };
    let mut rest = String::new();
    fifo.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "\n");
}

#[test]
fn the_death_of_the_runner_kills_every_process() {
    let ground = Ground::new();
    let mut fifo = fifo(&ground);
    fifo.set_blocking();
    let mut host = Command::new(launcher())
        .arg("host")
        .args([&ground.workspace, &ground.scratch])
        .arg("exec 3>fifo; setsid sleep 600 & echo x >&3; sleep 600")
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    fifo.wait_for_byte();
    host.kill().unwrap();
    host.wait().unwrap();
    let mut rest = String::new();
    fifo.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "\n");
}

/// A fifo in the workspace that processes of the tool hold open: reading it reaches EOF when the last of them ends.
struct Fifo(File);

fn fifo(ground: &Ground) -> Fifo {
    let path = ground.workspace.join("fifo");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &path,
        rustix::fs::FileType::Fifo,
        Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Fifo(File::from(
        rustix::fs::open(&path, flags, Mode::empty()).unwrap(),
    ))
}

impl Fifo {
    fn set_blocking(&mut self) {
        rustix::fs::fcntl_setfl(&self.0, OFlags::empty()).unwrap();
    }

    /// Waits for the first byte, even before a process opens the fifo.
    fn wait_for_byte(&mut self) {
        let mut fds = [rustix::event::PollFd::new(
            &self.0,
            rustix::event::PollFlags::IN,
        )];
        rustix::event::poll(&mut fds, None).unwrap();
        assert_eq!(self.read(&mut [0; 1]).unwrap(), 1);
    }
}

impl Read for Fifo {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(buffer)
    }
}
