//! Trials: each call that the cage refuses is named, and the cage is that of a real call.

use std::io::Write as _;
use std::process::Command;

use runner::{AskedCall, Observed, Outcome};
use serde_json::json;

use crate::call::{AS_TRIALS, Ground, launcher, program, sh, text};

/// The calls as names, each with its error and how often.
fn named(observed: &Observed) -> Vec<(String, i32, u64)> {
    let calls = observed.calls.iter();
    calls
        .map(|call| (call.name(), call.errno, call.times))
        .collect()
}

async fn asked(ground: &Ground, script: &str) -> Vec<(String, i32, u64)> {
    let trial = ground.attempt(sh(script)).await.unwrap();
    let errors = String::from_utf8_lossy(&trial.finished.diagnostics).into_owned();
    named(&trial.observed.unwrap_or_else(|| panic!("{errors}")))
}

#[tokio::test]
async fn each_refused_call_is_named_and_counted() {
    for (name, script, call) in [
        ("chown", "chown 1 a; chown 1 a", ("fchownat", 1, 2)),
        ("ln", "ln -s a b", ("symlinkat", 1, 1)),
        ("mkfifo", "mkfifo f", ("mknodat", 1, 1)),
        (
            "python3",
            "python3 -c 'import os; os.chown(\"a\", 1, 1)' 2>/dev/null",
            ("chown", 1, 1),
        ),
        ("unshare", "unshare --user true", ("unshare", 1, 1)),
        ("nice", "nice -n 5 true", ("setpriority", 1, 1)),
    ] {
        let ground = Ground::new();
        std::fs::write(ground.workspace.join("a"), "hello").unwrap();
        let calls = asked(&ground, script).await;
        let (call, errno, times) = call;
        assert!(
            calls.contains(&(call.to_owned(), errno, times)),
            "{name}: {calls:?}"
        );
    }
}

#[tokio::test]
async fn calls_with_another_answer_are_told_apart() {
    let ground = Ground::new();
    let code = "import os, socket, threading\n\
                open('a', 'w').close()\n\
                t = threading.Thread(target=print); t.start(); t.join()\n\
                def ask(call):\n\
                \x20   try: call()\n\
                \x20   except OSError as error: print(error.errno)\n\
                ask(lambda: os.chmod('a', 0o600))\n\
                ask(lambda: os.getxattr('a', 'user.a'))\n\
                ask(lambda: os.posix_fallocate(os.open('a', os.O_WRONLY), 0, 10))\n\
                ask(socket.socket)";
    let trial = ground
        .attempt(program("python3".as_ref(), &["-c", code]))
        .await
        .unwrap();
    assert_eq!(text(&trial.finished), "\n95\n1\n", "{trial:?}");
    let calls = named(&trial.observed.unwrap());
    for call in [
        ("chmod", 0),
        ("getxattr", 95),
        ("fallocate", 95),
        ("socket", 1),
    ] {
        let expected = (call.0.to_owned(), call.1, 1);
        assert!(calls.contains(&expected), "{call:?}: {calls:?}");
    }
    // Each thread asks for it, and the C library goes on without.
    assert!(calls.iter().all(|(name, ..)| name != "clone3"), "{calls:?}");
}

#[tokio::test]
async fn a_program_that_is_refused_nothing_has_an_empty_list() {
    let ground = Ground::new();
    let trial = ground
        .attempt(sh("echo out; echo err >&2; exit 3"))
        .await
        .unwrap();
    assert_eq!(trial.observed, Some(Observed::default()));
    let finished = trial.finished;
    assert_eq!(finished.outcome, Outcome::Failed { code: 3 });
    assert_eq!(
        (text(&finished).as_str(), &*finished.diagnostics),
        ("out\n", &b"err\n"[..])
    );
}

#[tokio::test]
async fn calls_before_a_forced_end_are_kept() {
    let ground = Ground::new();
    let mut tool = sh("ln -s a b; ln -s a b; while :; do :; done");
    tool.limits.wall_ms = 1000;
    let trial = ground.attempt(tool).await.unwrap();
    assert_eq!(trial.finished.outcome, Outcome::TimedOut);
    let calls = named(&trial.observed.unwrap());
    assert!(calls.contains(&("symlinkat".to_owned(), 1, 2)), "{calls:?}");
}

/// The processes that work in the workspace.
fn processes(ground: &Ground) -> Vec<std::path::PathBuf> {
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    let here = all.filter(|entry| {
        let folder = std::fs::read_link(entry.path().join("cwd"));
        folder.is_ok_and(|folder| folder == ground.workspace)
    });
    here.map(|entry| entry.path()).collect()
}

/// Returns how many processes a program has that waits, and how many of them another process traces.
fn looked_at(ground: &Ground) -> (usize, usize) {
    // It opens once the program opens the other end.
    let mut go = std::fs::File::create(ground.workspace.join("go")).unwrap();
    let statuses = processes(ground).into_iter();
    let statuses = statuses.map(|path| std::fs::read_to_string(path.join("status")).unwrap());
    let lines: Vec<String> = statuses
        .filter_map(|status| {
            let mut lines = status.lines();
            let line = lines.find(|line| line.starts_with("TracerPid:"));
            line.map(str::to_owned)
        })
        .collect();
    go.write_all(b"go\n").unwrap();
    let traced = lines.iter().filter(|line| !line.ends_with("\t0"));
    (lines.len(), traced.count())
}

#[test]
fn a_real_call_is_not_traced_and_a_trial_is() {
    for is_trial in [false, true] {
        let ground = Ground::new();
        let made = Command::new("mkfifo")
            .arg(ground.workspace.join("go"))
            .status();
        assert!(made.unwrap().success());
        let entry = sh("read line <go; echo $line");
        let tool = runner::ExecTool::try_from(entry.clone()).unwrap();
        let (cage, workspace, args) = (ground.cage(), ground.open(), json!({}));
        let seen = std::thread::scope(|scope| {
            let looking = scope.spawn(|| looked_at(&ground));
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let ran = scope.spawn(|| {
                runtime.unwrap().block_on(async {
                    if is_trial {
                        ground.attempt(entry).await.unwrap().finished
                    } else {
                        runner::run(&cage, &tool, &args, &workspace).await.unwrap()
                    }
                })
            });
            assert_eq!(text(&ran.join().unwrap()), "go\n");
            looking.join().unwrap()
        });
        assert_eq!(seen, (1, usize::from(is_trial)));
    }
}

#[tokio::test]
async fn a_trial_leaves_no_process_and_no_file() {
    let ground = Ground::new();
    let trial = ground
        .attempt(sh(
            "(setsid sh -c 'sleep 600; :' &) ; kill -9 $PPID; echo $?",
        ))
        .await
        .unwrap();
    // The process that traces it cannot be reached.
    assert_eq!(text(&trial.finished), "1\n", "{trial:?}");
    assert_eq!(std::fs::read_dir(&ground.scratch).unwrap().count(), 0);
    assert!(processes(&ground).is_empty());
}

/// The tests of the cage, once more with trials in the place of calls.
#[test]
fn the_cage_of_a_trial_holds_what_the_cage_of_a_call_holds() {
    if std::env::var_os(AS_TRIALS).is_some() {
        return;
    }
    let again = Command::new(std::env::current_exe().unwrap())
        .args([
            "escape::", "bounds::", "paths::", "common::", "disk::", "signed::",
        ])
        .args(["--test-threads", "2"])
        .current_dir("/")
        .env(AS_TRIALS, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&again.stdout);
    assert!(again.status.success(), "{said}");
    let ran = said.matches(" ... ok\n").count();
    assert!(ran > 50, "{said}");
}

#[tokio::test]
async fn a_trial_needs_the_same_parts_of_the_machine() {
    for name in [
        "supervisor-without-landlock",
        "cage-without-landlock",
        "cage-without-seccomp",
    ] {
        let ground = Ground::new();
        let tool = runner::ExecTool::try_from(sh("echo ran")).unwrap();
        let cage = ground.cage_named(name);
        let refused = {
            let stop = std::future::pending();
            runner::try_program(&cage, &tool, &json!({}), &ground.open(), stop).await
        };
        assert!(
            matches!(refused, Err(runner::ExecError::Refused(_))),
            "{name}: {refused:?}"
        );
    }
    assert!(launcher().is_file());
}

#[test]
fn a_call_is_described_in_one_sentence() {
    let call = |number, errno, times| AskedCall {
        number,
        errno,
        times,
    };
    let chown = u32::try_from(libc::SYS_fchownat).unwrap();
    for (call, said) in [
        (
            call(chown, 1, 2),
            "it asked for `fchownat` 2 times, which the cage refuses (Operation not permitted): programs that change the \
             owner of files do not work here",
        ),
        (
            call(u32::try_from(libc::SYS_fchmodat).unwrap(), 0, 1),
            "it asked for `fchmodat`, which has no effect in the cage: files keep the mode that they have",
        ),
        (
            call(u32::try_from(libc::SYS_reboot).unwrap(), 1, 1),
            "it asked for `reboot`, which the cage refuses (Operation not permitted): it is not on the list of calls that a \
             program may make here",
        ),
        (
            call(100_000, 1, 1),
            "it asked for `number 100000`, which the cage refuses (Operation not permitted): it is not on the list of \
             calls that a program may make here",
        ),
    ] {
        assert_eq!(call.to_string(), said);
    }
}
