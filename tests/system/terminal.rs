//! Questions on a terminal and from elsewhere: an answer counts only for the question that was shown.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
};

use harness::{SOON, eventually};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::{
    cli::{end, one_sentence, program},
    main_job::{asked, has, run, with_documents},
    scene::contract,
};

const PROMPT: &str = "sign it? [yes/no] ";
pub(crate) const PLAYBOOK: &str = r#"
playbook = "one-write"
purpose = "One write."

[[step]]
id = "write"
tool = "file.write"
args = { path = "a.txt", text = "written" }
"#;
const IN_SEQUENCE: &str = r#"
playbook = "in-sequence"
purpose = "Two writes, one after the other."

[[step]]
id = "one"
tool = "file.write"
args = { path = "a.txt", text = "written" }
on_refusal = "continue"

[[step]]
id = "two"
tool = "file.write"
args = { path = "b.txt", text = "written" }
on_refusal = "continue"
"#;
const TOGETHER: &str = r#"
playbook = "together"
purpose = "A write to each file, at once."

[[step]]
id = "list"
tool = "file.list"
args = { path = ".", pattern = "*.note" }

[[step]]
id = "write"
for_each = "{list.files}"
parallel = true
tool = "file.write"
args = { path = "{item.path}", text = "written" }
on_refusal = "continue"
"#;

/// A contract that asks about each write, for this long.
pub(crate) fn asks(expires: &str) -> String {
    format!(
        r#"
contract = "asks"
version  = 1
purpose  = "Ask about each write"
owner    = "The person who signs this"
expires  = 2036-12-31

[[allow]]
tool = "file.list"

[[ask]]
name = "write"
tool = "file.write"
reason = "A file is written."
expires = "{expires}"
"#
    )
}

/// A program on a terminal of its own.
pub(crate) struct Terminal {
    keys: File,
    screen: Arc<Mutex<Vec<u8>>>,
    child: Child,
}

impl Terminal {
    /// Starts the command after `ahead` was typed.
    pub(crate) fn start(command: &mut Command, ahead: &str) -> Self {
        let master =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let path = name.to_str().unwrap().to_owned();
        let open = || {
            let mut options = File::options();
            options.read(true).write(true).open(&path).unwrap()
        };
        let first = open();
        let mut keys = File::from(master);
        keys.write_all(ahead.as_bytes()).unwrap();
        let child = command
            .stdin(Stdio::from(open()))
            .stdout(Stdio::from(open()))
            .stderr(Stdio::from(open()))
            .spawn()
            .unwrap();
        // The command holds copies until the next one is set.
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        drop(first);
        let screen = Arc::new(Mutex::new(Vec::new()));
        let (mut reader, shown) = (keys.try_clone().unwrap(), Arc::clone(&screen));
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            // Fails once the last end of the program is closed.
            while let Ok(n @ 1..) = reader.read(&mut bytes) {
                shown.lock().unwrap().extend(&bytes[..n]);
            }
        });
        Self {
            keys,
            screen,
            child,
        }
    }

    /// Types a text.
    pub(crate) fn types(&mut self, text: &str) {
        self.keys.write_all(text.as_bytes()).unwrap();
    }

    /// Returns everything that was shown.
    pub(crate) fn screen(&self) -> String {
        String::from_utf8_lossy(&self.screen.lock().unwrap()).into_owned()
    }

    /// Waits until the word is on the screen this often.
    pub(crate) async fn shows(&self, word: &str, times: usize) {
        eventually(SOON, async || match self.screen() {
            screen if screen.matches(word).count() >= times => Ok(()),
            screen => Err(screen),
        })
        .await;
    }

    /// Waits for the program's end.
    pub(crate) async fn ended(&mut self) -> (Option<i32>, String) {
        let child = &mut self.child;
        let status = eventually(SOON, async || child.try_wait().unwrap().ok_or("it runs")).await;
        (status.code(), self.screen())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[tokio::test]
async fn lines_that_were_typed_before_a_question_do_not_answer_it() {
    let (deployment, arguments) = with_documents(&asks("1m"), PLAYBOOK).await;
    for ahead in ["y\n", "yes\n", "ls\nyes\ncd ..\n", "yes\nye"] {
        let mut terminal = Terminal::start(&mut run(&deployment, &arguments, &[]), ahead);
        terminal.shows(PROMPT, 1).await;
        terminal.types("no\n");
        let (code, screen) = terminal.ended().await;
        assert_eq!(code, Some(1), "{ahead:?}: {screen}");
        assert!(!screen.contains("granted"), "{ahead:?}: {screen}");
        assert!(!deployment.workspace().join("a.txt").exists());
    }
}

#[tokio::test]
async fn missing_slots_are_asked_for_until_a_value_fits() {
    let text = contract(
        "filled",
        "[slots]\nfile = \"path\"\n\n[[allow]]\ntool = \"file.write\"\n\
         where.path = { from = { slot = \"file\" } }\n",
    );
    let steps = PLAYBOOK.replace("a.txt", "{slot.file}");
    let (deployment, arguments) = with_documents(&text, &steps).await;
    let mut terminal = Terminal::start(&mut run(&deployment, &arguments, &[]), "ahead.md\n");
    terminal.shows("file (a path): ", 1).await;
    terminal.types("notes\n");
    terminal
        .shows("the value of the slot `file` is not a path", 1)
        .await;
    terminal.shows("file (a path): ", 2).await;
    terminal.types("notes.md\n");
    let (code, screen) = terminal.ended().await;
    assert_eq!(code, Some(0), "{screen}");
    assert!(deployment.workspace().join("notes.md").exists());
}

#[tokio::test]
async fn only_a_whole_word_is_an_answer() {
    let (deployment, arguments) = with_documents(&asks("1m"), PLAYBOOK).await;
    let mut terminal = Terminal::start(&mut run(&deployment, &arguments, &[]), "");
    let wrong = [
        "y",
        "YES",
        " yes",
        "yes ",
        "yes yes",
        "yess",
        "",
        &"yes".repeat(100),
    ];
    for (times, line) in wrong.iter().enumerate() {
        terminal.shows(PROMPT, times + 1).await;
        assert!(!terminal.screen().contains("granted"), "{line:?}");
        terminal.types(&format!("{line}\n"));
    }
    terminal
        .shows("answer with the whole word", wrong.len())
        .await;
    terminal.types("yes\n");
    let (code, screen) = terminal.ended().await;
    assert_eq!(code, Some(0), "{screen}");
    assert!(deployment.workspace().join("a.txt").exists());
}

#[tokio::test]
async fn a_wider_version_is_not_signed_by_lines_that_were_typed_before() {
    let (deployment, arguments) = with_documents(&asks("1m"), PLAYBOOK).await;
    let wider = deployment.scratch().join("wider.toml");
    let text = std::fs::read_to_string(&arguments[1]).unwrap();
    let text = text.replace("version  = 1", "version  = 2");
    std::fs::write(
        &wider,
        format!("{text}\n[[allow]]\ntool = \"file.delete\"\n"),
    )
    .unwrap();
    let words = ["contract", "sign", wider.to_str().unwrap()];
    let mut sign = program(Some(deployment.dir().path()), &words);
    let mut terminal = Terminal::start(&mut sign, "yes\nyes\n");
    terminal.shows(PROMPT, 1).await;
    terminal.types("no\n");
    let (code, screen) = terminal.ended().await;
    assert_eq!(code, Some(130), "{screen}");
    assert!(!screen.contains("signed as message"), "{screen}");
    let mut terminal = Terminal::start(&mut sign, "no\n");
    terminal.shows(PROMPT, 1).await;
    terminal.types("yes\n");
    let (code, screen) = terminal.ended().await;
    assert_eq!(code, Some(0), "{screen}");
}

#[tokio::test]
async fn a_question_ends_with_an_answer_from_elsewhere() {
    let (deployment, arguments) = with_documents(&asks("1m"), PLAYBOOK).await;
    for (answer, code) in [("approve", 0), ("deny", 1)] {
        let mut terminal = Terminal::start(&mut run(&deployment, &arguments, &[]), "");
        terminal.shows(PROMPT, 1).await;
        let (task, _) = asked(&deployment).await;
        let words = [answer, &task];
        let ended = end(&mut program(Some(deployment.dir().path()), &words));
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let (ended, screen) = terminal.ended().await;
        assert_eq!(ended, Some(code), "{screen}");
        has(
            &screen,
            &["this question has ended: nothing was signed here"],
        );
    }
}

#[tokio::test]
async fn a_question_ends_when_it_expires_and_the_next_one_is_shown() {
    let (deployment, arguments) = with_documents(&asks("2s"), IN_SEQUENCE).await;
    // A pipe that stays open: no line comes, and no EOF.
    let mut child = run(&deployment, &arguments, &[])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stdin = child.stdin.take().unwrap();
    let output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap());
    let output = tokio::time::timeout(SOON, output)
        .await
        .expect("it ends")
        .unwrap();
    drop(stdin);
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        printed.matches("The contract asks for your yes:").count(),
        2,
        "{printed}"
    );
}

#[tokio::test]
async fn pending_questions_are_listed_and_answered_by_the_beginning_of_an_id() {
    let (deployment, arguments) = with_documents(&asks("1m"), TOGETHER).await;
    for name in ["a.note", "b.note"] {
        std::fs::write(deployment.workspace().join(name), "before").unwrap();
    }
    let dir = deployment.dir().path();
    let said = |words: &[&str]| end(&mut program(Some(dir), words));
    let none = said(&["approvals", "list"]);
    assert_eq!(none.printed.trim_end(), "no question is pending");
    let ended = end(&mut run(&deployment, &arguments, &["--detach"]));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let listed = eventually(SOON, async || {
        let listed = said(&["approvals", "list", "--json"]);
        let listed: Vec<serde_json::Value> = serde_json::from_str(&listed.printed).unwrap();
        (listed.len() == 2).then_some(listed).ok_or("not both yet")
    })
    .await;
    let id = |n: usize, name: &str| listed[n][name].as_str().unwrap().to_owned();
    let (task, one, two) = (id(0, "task"), id(0, "action"), id(1, "action"));
    let text = said(&["approvals", "list"]).printed;
    has(
        &text,
        &[
            "file.write by write, until ",
            &format!("contractual approve {task} {one}"),
        ],
    );
    // Two questions are pending: the action has to be named.
    let ended = said(&["approve", &task]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    one_sentence(&ended.said, &["has 2 pending questions", &one, &two]);
    let ended = said(&["approve", &task[..35], &one[..35]]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let file = eventually(SOON, async || {
        let texts = ["a.note", "b.note"]
            .map(|name| std::fs::read_to_string(deployment.workspace().join(name)).unwrap());
        texts
            .iter()
            .position(|text| text == "written")
            .ok_or("not yet")
    })
    .await;
    let ended = said(&["deny", &task]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let ran = deployment.follow(task.parse().unwrap(), false).await;
    assert_eq!(ran.outcome(), "succeeded");
    let other = deployment.workspace().join(["b.note", "a.note"][file]);
    assert_eq!(std::fs::read_to_string(other).unwrap(), "before");
    for (words, problem) in [
        (vec!["approve", "ffffffff"], "no task ffffffff"),
        (vec!["approve", &task, "ffffffff"], "no action ffffffff"),
    ] {
        let ended = said(&words);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        one_sentence(&ended.said, &[problem]);
    }
    let ended = said(&["approve", "no-id"]);
    assert_eq!(ended.code, Some(64), "{ended:?}");
    has(&ended.said, &["not an id"]);
}

#[tokio::test]
async fn attended_question_is_signed_at_a_terminal_only() {
    let attended = asks("1m").replace("reason =", "attended = true\nreason =");
    let (deployment, arguments) = with_documents(&attended, PLAYBOOK).await;
    let dir = deployment.dir().path().to_owned();
    // Neither `--yes` nor a pipe signs it; it stays pending.
    let mut child = run(&deployment, &arguments, &["--yes"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (task, action) = asked(&deployment).await;
    let ended = end(program(Some(&dir), &["approve", &task]).stdin(Stdio::null()));
    assert_eq!(ended.code, Some(1), "{ended:?}");
    one_sentence(&ended.said, &["run the command at a terminal"]);
    let mut approve = program(Some(&dir), &["approve", &task, &action]);
    let mut terminal = Terminal::start(&mut approve, "yes\n");
    terminal.shows(PROMPT, 1).await;
    terminal.types("no\n");
    let (code, screen) = terminal.ended().await;
    assert_eq!(code, Some(1), "{screen}");
    let mut terminal = Terminal::start(&mut approve, "no\n");
    terminal.shows(PROMPT, 1).await;
    terminal.types("yes\n");
    let (code, screen) = terminal.ended().await;
    assert_eq!(code, Some(0), "{screen}");
    has(&screen, &["given by a person at a terminal"]);
    let status = eventually(SOON, async || child.try_wait().unwrap().ok_or("it runs")).await;
    assert_eq!(status.code(), Some(0));
    let printed = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    has(&printed, &["it stays pending: contractual approve"]);
    let mut terminal = Terminal::start(&mut run(&deployment, &arguments, &[]), "");
    terminal.shows(PROMPT, 1).await;
    terminal.types("yes\n");
    let (code, screen) = terminal.ended().await;
    assert_eq!(code, Some(0), "{screen}");
}

#[tokio::test]
async fn the_calls_of_a_parallel_step_are_one_question_with_one_signature() {
    let (deployment, arguments) = with_documents(&asks("1m"), TOGETHER).await;
    let names = ["a.note", "b.note", "c.note"].map(|name| deployment.workspace().join(name));
    for name in &names {
        std::fs::write(name, "before").unwrap();
    }
    let texts = || {
        names
            .each_ref()
            .map(|name| std::fs::read_to_string(name).unwrap())
    };
    let mut terminal = Terminal::start(&mut run(&deployment, &arguments, &[]), "");
    terminal.shows(PROMPT, 1).await;
    has(
        &terminal.screen(),
        &[
            "asks for your yes to all of these 3 calls:",
            "call 1 of 3",
            "a.note",
            "call 3 of 3",
            "c.note",
            "contractual approve --dir",
        ],
    );
    terminal.types("no\n");
    let (code, screen) = terminal.ended().await;
    assert_eq!(code, Some(0), "{screen}");
    assert_eq!(texts(), ["before"; 3]);
    let mut terminal = Terminal::start(&mut run(&deployment, &arguments, &[]), "");
    terminal.shows(PROMPT, 1).await;
    terminal.types("yes\n");
    let (code, screen) = terminal.ended().await;
    assert_eq!(code, Some(0), "{screen}");
    assert_eq!(screen.matches(PROMPT).count(), 1, "{screen}");
    assert_eq!(texts(), ["written"; 3]);
    // The record has one signature, carried for each action.
    let record = deployment.record().await;
    let carried = record.of("approval.carried");
    let statements: Vec<_> = carried.map(|one| &one.fact["statement"]).collect();
    assert_eq!(statements.len(), 6);
    assert!(statements[..3].iter().all(|one| *one == statements[0]));
    assert!(statements[3..].iter().all(|one| *one == statements[3]));
    let verified = end(&mut program(
        Some(deployment.dir().path()),
        &["audit", "verify"],
    ));
    assert_eq!(verified.code, Some(0), "{verified:?}");
}

#[tokio::test]
async fn all_pending_questions_are_answered_from_another_terminal() {
    let (deployment, arguments) = with_documents(&asks("1m"), TOGETHER).await;
    let names: Vec<_> = (10..22)
        .map(|n| deployment.workspace().join(format!("{n}.note")))
        .collect();
    for name in &names {
        std::fs::write(name, "before").unwrap();
    }
    let dir = deployment.dir().path();
    let said = |words: &[&str]| end(&mut program(Some(dir), words));
    let ended = end(&mut run(&deployment, &arguments, &["--detach"]));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let task = eventually(SOON, async || {
        let listed = said(&["approvals", "list", "--json"]);
        let listed: Vec<serde_json::Value> = serde_json::from_str(&listed.printed).unwrap();
        let all = listed.len() == names.len();
        let task = all.then(|| listed[0]["task"].as_str().unwrap().to_owned());
        task.ok_or("not all yet")
    })
    .await;
    has(
        &said(&["approvals", "list"]).printed,
        &["A file is written."],
    );
    let both = said(&["approve", &task, "0000", "--all"]);
    assert_eq!(both.code, Some(64), "{both:?}");
    let ended = said(&["approve", &task, "--all", "--json"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    has(
        &ended.said,
        &["all of these 10 calls:", "all of these 2 calls:"],
    );
    let carried: Vec<serde_json::Value> = serde_json::from_str(&ended.printed).unwrap();
    assert_eq!(carried.len(), names.len());
    let ran = deployment.follow(task.parse().unwrap(), false).await;
    assert_eq!(ran.outcome(), "succeeded");
    for name in names {
        assert_eq!(std::fs::read_to_string(name).unwrap(), "written");
    }
    let none = said(&["approve", &task, "--all"]);
    assert_eq!(none.code, Some(1), "{none:?}");
    one_sentence(&none.said, &["has no pending question"]);
}
