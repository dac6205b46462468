//! The demo, killed at random moments: no process and no file is left.

use std::{
    fs,
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use harness::{SOON, eventually, nats_server};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::kill::{no_process_of, processes_of, spread};

/// The demo with its temporary files below `folder`, and its output in a file beside them.
fn demo(folder: &Path) -> Child {
    let temporary = folder.join("tmp");
    fs::create_dir(&temporary).unwrap();
    // Whoever runs the tests may ignore the signal.
    Command::new("env")
        .arg("--default-signal=HUP")
        .arg(harness::contractual())
        .args(["demo", "--yes"])
        .env("TMPDIR", &temporary)
        .env("NATS_SERVER", nats_server())
        .stdin(Stdio::null())
        .stdout(fs::File::create(folder.join("printed")).unwrap())
        .stderr(Stdio::null())
        // Its own process group, as a shell gives it, to receive the signals of a terminal.
        .process_group(0)
        .spawn()
        .unwrap()
}

fn signal(demo: &Child, signal: Signal) {
    let group = i32::try_from(demo.id())
        .ok()
        .and_then(Pid::from_raw)
        .unwrap();
    kill_process_group(group, signal).unwrap();
}

#[tokio::test]
async fn a_signal_ends_the_demo_at_any_moment_and_leaves_nothing() {
    for seed in 0..10 {
        let folder = tempfile::tempdir().unwrap();
        let moment = Duration::from_millis(seed * 250 + spread(seed) % 250);
        let mut demo = demo(folder.path());
        tokio::time::sleep(moment).await;
        let proven = fs::read_to_string(folder.path().join("printed"))
            .unwrap()
            .contains("proof ");
        let running = demo.try_wait().unwrap().is_none();
        let sent = [Signal::INT, Signal::HUP, Signal::TERM][usize::try_from(seed % 3).unwrap()];
        if running {
            signal(&demo, sent);
        }
        let status = eventually(SOON, async || {
            demo.try_wait().unwrap().ok_or("it does not end")
        })
        .await;
        let interrupted = status.code() == Some(130) || status.signal() == Some(sent.as_raw());
        assert!(
            interrupted || (proven && status.success()),
            "after {moment:?}: {status}"
        );
        let left = processes_of(folder.path());
        assert_eq!(left, Vec::<String>::new(), "after {moment:?}");
        let left: Vec<_> = fs::read_dir(folder.path().join("tmp")).unwrap().collect();
        assert!(left.is_empty(), "after {moment:?}: {left:?}");
    }
}

#[tokio::test]
async fn killing_the_demo_kills_every_process_of_it() {
    for seed in 100..108 {
        let folder = tempfile::tempdir().unwrap();
        let moment = Duration::from_millis((seed - 100) * 300 + spread(seed) % 300);
        let mut demo = demo(folder.path());
        tokio::time::sleep(moment).await;
        if demo.try_wait().unwrap().is_none() {
            signal(&demo, Signal::KILL);
        }
        demo.wait().unwrap();
        no_process_of(folder.path()).await;
    }
}
