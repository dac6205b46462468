//! Tests the outcomes of claimed actions, with real files and a real cage.

use std::sync::{Arc, RwLock};

use actor::{Clock, Places};
use bus_schema::{ActionOutcome, Digest, DraftGrant, Money};
use executor::{Done, Execution, Gate, Stops};
use runner::{Folders, Installed, Runner, Servers};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::call::{Ground, on_a_small_volume};
use crate::stream::{draft, installed, task};

struct Hands {
    ground: Ground,
    execution: Execution<Runner>,
    gate: watch::Sender<Gate>,
    stop: watch::Sender<bool>,
}

/// Makes an execution on `ground`, with the senders of its gate and of its stop.
pub(crate) fn execution(
    ground: &Ground,
    installed: Arc<Installed>,
) -> (Execution<Runner>, watch::Sender<Gate>, watch::Sender<bool>) {
    let (gate, held) = watch::channel(Gate::default());
    let (stop, stopped) = watch::channel(false);
    let runner = Runner {
        folders: Arc::new(Folders::from(ground.open())),
        cage: ground.cage(),
        servers: Servers::default(),
        clock: Clock::system(),
        programs: 2,
    };
    let execution = Execution {
        execute: Arc::new(runner),
        installed: RwLock::new(installed),
        stops: Stops {
            gate: held,
            stop: stopped,
        },
        clock: Clock::system(),
    };
    (execution, gate, stop)
}

fn hands() -> Hands {
    let ground = Ground::new();
    let (execution, gate, stop) = execution(&ground, installed());
    Hands {
        ground,
        execution,
        gate,
        stop,
    }
}

impl Hands {
    async fn perform(&self, draft: &DraftGrant, args: &Value) -> Done {
        let args = args.to_string();
        let main = Places::default();
        let done = self.execution.perform(draft, &main, args.as_bytes());
        let done = done.await;
        done.unwrap()
    }

    async fn sh(&self, script: &str, change: impl Fn(&mut DraftGrant)) -> Done {
        let mut draft = draft(1, "sh");
        change(&mut draft);
        self.perform(&draft, &json!({ "script": script })).await
    }

    /// Runs until the script has created `begun`, then calls `stop`.
    async fn stop_while_running(&self, stop: impl FnOnce()) -> Done {
        let begun = self.ground.workspace.join("begun");
        let watching = async {
            while !begun.exists() {
                tokio::task::yield_now().await;
            }
            stop();
        };
        let script = "echo > begun; while true; do :; done";
        tokio::join!(self.sh(script, |_| ()), watching).0
    }
}

fn said(done: &Done) -> Value {
    serde_json::from_slice(&done.output).unwrap()
}

#[tokio::test]
async fn a_file_tool_answers_or_says_why_not() {
    let hands = hands();
    let args = json!({"path": "a.txt", "text": "hello"});
    let done = hands.perform(&draft(1, "file.write"), &args).await;
    assert_eq!(done.outcome, ActionOutcome::Succeeded);
    assert_eq!(said(&done)["bytes"], 5);
    let written = std::fs::read(hands.ground.workspace.join("a.txt")).unwrap();
    assert_eq!(written, b"hello");
    let args = json!({"path": "b.txt"});
    let done = hands.perform(&draft(2, "file.read"), &args).await;
    assert_eq!(done.outcome, ActionOutcome::Failed);
    assert!(said(&done)["error"].as_str().unwrap().contains("b.txt"));
    assert_eq!(done.usage.output_bytes as usize, done.output.len());
}

#[tokio::test]
async fn nothing_runs_in_a_workspace_that_was_replaced() {
    let hands = hands();
    let (workspace, away) = (&hands.ground.workspace, hands.ground.root.join("away"));
    std::fs::rename(workspace, &away).unwrap();
    std::fs::create_dir(workspace).unwrap();
    let args = json!({"path": "a.txt", "text": "hello"});
    let written = hands.perform(&draft(1, "file.write"), &args).await;
    for done in [written, hands.sh("echo > begun", |_| ()).await] {
        assert_eq!(done.outcome, ActionOutcome::Failed);
        // It never began, so nothing was used.
        assert_eq!(done.usage.bytes_out, Some(0));
        let error = said(&done)["error"].as_str().unwrap().to_owned();
        assert!(error.contains("was replaced"), "{error}");
        assert!(error.ends_with(runner::RESTART), "{error}");
    }
    for folder in [workspace, &away] {
        assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0);
    }
}

#[tokio::test]
async fn output_beyond_the_grant_fails() {
    let hands = hands();
    std::fs::write(hands.ground.workspace.join("a.txt"), "x".repeat(101)).unwrap();
    let mut small = draft(1, "file.read");
    small.output_bytes_max = 100;
    let args = json!({"path": "a.txt"});
    let done = hands.perform(&small, &args).await;
    assert_eq!(done.outcome, ActionOutcome::Failed);
    assert!(said(&done)["error"].as_str().unwrap().contains("100 bytes"));
    small.output_bytes_max = 101;
    let done = hands.perform(&small, &args).await;
    assert_eq!(done.outcome, ActionOutcome::Succeeded);
    let done = hands
        .sh("printf %0200d 0", |d| d.output_bytes_max = 100)
        .await;
    assert_eq!(done.outcome, ActionOutcome::Failed);
    assert!(done.output.len() <= 100);
    let said = said(&done);
    assert_eq!(
        said["error"],
        "the program wrote more output than was granted"
    );
}

#[tokio::test]
async fn a_program_answers_with_its_output_alone() {
    let hands = hands();
    let done = hands.sh("echo out; echo err >&2", |_| ()).await;
    assert_eq!(done.outcome, ActionOutcome::Succeeded);
    assert_eq!(done.output, b"out\n");
}

#[tokio::test]
async fn a_failed_program_answers_with_code_and_standard_error() {
    let hands = hands();
    let done = hands.sh("echo out; echo err >&2; exit 3", |_| ()).await;
    assert_eq!(done.outcome, ActionOutcome::Failed);
    let said = said(&done);
    assert_eq!(
        (&said["code"], &said["stderr"]),
        (&json!(3), &json!("err\n"))
    );
    let script = "printf '%060000d' 0 >&2; echo end >&2; exit 1";
    let done = hands.sh(script, |d| d.output_bytes_max = 1000).await;
    assert!(done.output.len() <= 1000);
    let said = self::said(&done)["stderr"].as_str().unwrap().to_owned();
    assert!(said.ends_with("0end\n"), "{said:?}");
}

#[tokio::test]
async fn the_grant_bounds_wall_time_below_the_tool() {
    let hands = hands();
    let done = hands
        .sh("while true; do :; done", |d| d.wall_ms = 200)
        .await;
    assert_eq!(done.outcome, ActionOutcome::TimedOut);
    assert!(done.usage.wall_ms >= 200);
}

#[tokio::test]
async fn arguments_that_do_not_fit_run_nothing() {
    let hands = hands();
    let done = hands.perform(&draft(1, "sh"), &json!({"other": "x"})).await;
    assert_eq!(done.outcome, ActionOutcome::Failed);
    assert!(said(&done)["error"].as_str().unwrap().contains("other"));
}

#[tokio::test]
async fn of_what_never_began_nothing_is_used_and_of_all_else_that_is_not_known() {
    let hands = hands();
    let mut draft = draft(1, "sh");
    draft.counts.spend = Some(Money {
        currency: "EUR".parse().unwrap(),
        minor: 500,
    });
    let used = |done: &Done| {
        let spend = done.usage.spend.map(|money| money.minor);
        (done.usage.tokens, done.usage.bytes_out, spend)
    };
    let nothing = (Some(0), Some(0), Some(0));
    let done = hands.perform(&draft, &json!({"other": "x"})).await;
    assert_eq!(used(&done), nothing);
    for script in ["true", "false"] {
        let done = hands.perform(&draft, &json!({"script": script})).await;
        assert_eq!(used(&done), (None, None, None));
    }
    draft.tool_digest = Digest::ZERO;
    let done = hands.perform(&draft, &json!({"script": "true"})).await;
    assert_eq!(used(&done), nothing);
    hands.stop.send_modify(|stop| *stop = true);
    let done = hands.perform(&draft, &json!({"script": "true"})).await;
    assert_eq!(used(&done), nothing);
}

#[tokio::test]
async fn a_halt_kills_what_runs() {
    let hands = hands();
    let halt = || {
        drop(hands.gate.send_replace(Gate {
            halted: true,
            ..Gate::default()
        }))
    };
    let done = hands.stop_while_running(halt).await;
    assert_eq!(done.outcome, ActionOutcome::Killed);
    // Every process of the call has ended and its temporary folder is removed.
    assert_eq!(std::fs::read_dir(&hands.ground.scratch).unwrap().count(), 0);
    let args = json!({"path": "a.txt", "text": "hello"});
    let done = hands.perform(&draft(2, "file.write"), &args).await;
    assert_eq!(done.outcome, ActionOutcome::Killed);
    assert!(!hands.ground.workspace.join("a.txt").exists());
}

#[tokio::test]
async fn cancellation_kills_the_program_of_its_task_alone() {
    let hands = hands();
    let cancelled = |n| Gate {
        cancelled: [task(n)].into(),
        ..Gate::default()
    };
    let kill = || {
        hands.gate.send_replace(cancelled(1));
    };
    let done = hands.stop_while_running(kill).await;
    assert_eq!(done.outcome, ActionOutcome::Killed);
    let done = hands.sh("echo begun", |_| ()).await;
    assert_eq!(done.outcome, ActionOutcome::Killed);
    hands.gate.send_replace(cancelled(2));
    let done = hands.sh("echo begun", |_| ()).await;
    assert_eq!(done.outcome, ActionOutcome::Succeeded);
}

#[tokio::test]
async fn a_stop_kills_what_runs() {
    let hands = hands();
    let done = hands
        .stop_while_running(|| hands.stop.send_modify(|stop| *stop = true))
        .await;
    assert_eq!(done.outcome, ActionOutcome::Killed);
}

#[tokio::test]
async fn nothing_starts_under_a_contract_that_was_revoked_meanwhile() {
    let hands = hands();
    let draft = draft(1, "file.write");
    hands.gate.send_replace(Gate {
        halted: false,
        revoked: [draft.contract].into(),
        ..Gate::default()
    });
    let args = json!({"path": "a.txt", "text": "hello"});
    let done = hands.perform(&draft, &args).await;
    assert_eq!(done.outcome, ActionOutcome::Killed);
    assert!(!hands.ground.workspace.join("a.txt").exists());
}

#[tokio::test]
async fn a_program_that_adds_too_much_fails_and_says_which_limit_it_was() {
    let hands = hands();
    for (script, limit) in [
        (
            "for i in 1 2 3 4 5 6 7; do yes | head -c 4000000 > f$i; done; rm f*; cd $TMPDIR; \
          i=0; while [ $i -lt 25 ]; do yes | head -c 4000000 > f$i; i=$((i + 1)); done",
            "added_bytes_max",
        ),
        (
            "i=0; while [ $i -le 1000 ]; do : > g$i; i=$((i + 1)); done",
            "added_files_max",
        ),
    ] {
        let done = hands.sh(script, |_| ()).await;
        assert_eq!(done.outcome, ActionOutcome::Failed);
        let said = said(&done);
        let error = said["error"].as_str().unwrap();
        assert!(error.contains(limit), "{error}");
    }
}

#[tokio::test]
async fn on_a_full_volume_nothing_begins_that_could_write() {
    if !on_a_small_volume("execution::on_a_full_volume_nothing_begins_that_could_write") {
        return;
    }
    let hands = hands();
    let big = hands.ground.workspace.join("big.txt");
    std::fs::write(&big, vec![b'x'; 65_000_000]).unwrap();
    std::fs::write(hands.ground.workspace.join("a.txt"), "a").unwrap();
    let write = json!({"path": "b.txt", "text": "b"});
    let refused = |done: &Done| {
        assert_eq!(done.outcome, ActionOutcome::Failed);
        assert_eq!(done.usage.bytes_out, Some(0));
        let error = said(done)["error"].to_string();
        assert!(error.contains("nearly full; free some space"), "{error}");
    };
    refused(&hands.perform(&draft(1, "file.write"), &write).await);
    refused(&hands.sh("true", |_| ()).await);
    let read = json!({"path": "a.txt"});
    let done = hands.perform(&draft(2, "file.read"), &read).await;
    assert_eq!(done.outcome, ActionOutcome::Succeeded);
    std::fs::remove_file(&big).unwrap();
    let done = hands.perform(&draft(3, "file.write"), &write).await;
    assert_eq!(done.outcome, ActionOutcome::Succeeded);
}
