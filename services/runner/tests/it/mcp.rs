//! Tests MCP servers in the cage, with a real server of both eras and with ones that misbehave.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use actor::Places;
use bus_schema::{ActionOutcome, DraftGrant, json::canonical};
use executor::{Done, Execution, Gate};
use runner::{InspectError, Inspected, McpServerEntry, Runner, inspect, read_tools};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::call::{Ground, limits};
use crate::execution::execution;
use crate::stream::draft;

const PYTHON: &str = "python3";
const SERVER: &str = include_str!("mcp_server.py");

/// A folder with the server, outside of what tools can write.
pub(crate) struct Subject {
    pub(crate) ground: Ground,
    package: PathBuf,
}

impl Subject {
    pub(crate) fn new() -> Self {
        let ground = Ground::new();
        let package = ground.root.join("package");
        std::fs::create_dir(&package).unwrap();
        std::fs::write(package.join("server.py"), SERVER).unwrap();
        if rustix::process::geteuid().is_root() {
            // As it is elsewhere: somebody besides root could change it.
            for path in [package.clone(), package.join("server.py")] {
                std::os::unix::fs::chown(path, Some(10_004), None).unwrap();
            }
        }
        Self { ground, package }
    }

    /// The server as an entry: an era, then faults.
    pub(crate) fn entry(&self, words: &[&str]) -> McpServerEntry {
        let script = self.package.join("server.py");
        let mut argv = vec![script.to_str().unwrap().to_owned()];
        argv.extend(words.iter().map(|word| (*word).to_owned()));
        let mut limits = limits();
        limits.output_bytes_max = 1 << 20;
        let entry = McpServerEntry {
            program: PathBuf::from(PYTHON),
            argv0: None,
            sha256: BTreeMap::new(),
            packages: BTreeMap::from([(self.package.clone(), String::new())]),
            argv,
            env: BTreeMap::from([("PYTHONDONTWRITEBYTECODE".to_owned(), "1".to_owned())]),
            paths: Vec::new(),
            folders: Vec::new(),
            writable: true,
            limits,
            idle_ms: None,
        };
        entry.pinned().unwrap()
    }

    async fn inspect(&self, words: &[&str]) -> Result<Inspected, InspectError> {
        inspect(&self.ground.cage(), self.entry(words), &self.ground.open()).await
    }

    pub(crate) async fn inspected(&self, words: &[&str]) -> Inspected {
        self.inspect(words).await.unwrap()
    }

    /// The error of a server that cannot be started.
    async fn fault(&self, words: &[&str]) -> String {
        actor::chain(&self.inspect(words).await.unwrap_err())
    }

    /// An executor with the tools that the server lists.
    async fn hands(&self, words: &[&str]) -> Hands {
        let inspected = self.inspected(words).await;
        self.hands_with(self.entry(words), &inspected)
    }

    fn hands_with(&self, server: McpServerEntry, inspected: &Inspected) -> Hands {
        self.hands_of(entries(&server, inspected))
    }

    /// An executor with the tools of these entries.
    pub(crate) fn hands_of(&self, entries: Vec<Value>) -> Hands {
        let installed = read_tools(Some(&canonical(&Value::Array(entries))));
        assert_eq!(installed.trouble(), None);
        let (execution, gate, stop) = execution(&self.ground, Arc::new(installed));
        Hands {
            execution,
            gate,
            _stop: stop,
        }
    }

    fn workspace(&self) -> &Path {
        &self.ground.workspace
    }
}

/// An entry of the catalogue for each tool of a server.
pub(crate) fn entries(server: &McpServerEntry, inspected: &Inspected) -> Vec<Value> {
    let server = serde_json::to_value(server).unwrap();
    let entry = |tool: &runner::ListedTool| {
        json!({
            "name": format!("x.{}", tool.entry["name"].as_str().unwrap()),
            "description": "One of the server's.", "effect": "write", "risk": "low",
            "output": "untrusted", "input_schema": tool.entry["inputSchema"],
            "mcp": {"server": server, "tool": tool.entry["name"], "listed": tool.sha256},
        })
    };
    inspected.tools.iter().map(entry).collect()
}

pub(crate) struct Hands {
    pub(crate) execution: Execution<Runner>,
    gate: watch::Sender<Gate>,
    _stop: watch::Sender<bool>,
}

impl Hands {
    pub(crate) fn draft(&self, tool: &str) -> DraftGrant {
        self.draft_of(&format!("x.{tool}"))
    }

    /// A grant for the tool of this name in the catalogue.
    pub(crate) fn draft_of(&self, tool: &str) -> DraftGrant {
        let mut draft = draft(1, tool);
        let installed = self.execution.installed.read().unwrap();
        draft.tool_digest = installed.digest(&draft.tool).unwrap();
        draft.output_bytes_max = 1 << 20;
        draft.wall_ms = 20_000;
        draft
    }

    async fn call(&self, tool: &str, text: &str) -> Done {
        self.call_with(&self.draft(tool), text).await
    }

    pub(crate) async fn call_with(&self, draft: &DraftGrant, text: &str) -> Done {
        let args = json!({ "text": text }).to_string();
        let done = self
            .execution
            .perform(draft, &Places::default(), args.as_bytes())
            .await;
        done.unwrap()
    }

    async fn text(&self, tool: &str, text: &str) -> String {
        let done = self.call(tool, text).await;
        assert_eq!(done.outcome, ActionOutcome::Succeeded, "{}", said(&done));
        let said = said(&done);
        said["content"][0]["text"].as_str().unwrap().to_owned()
    }

    async fn error(&self, tool: &str, text: &str) -> String {
        let done = self.call(tool, text).await;
        assert_eq!(done.outcome, ActionOutcome::Failed);
        said(&done)["error"].as_str().unwrap().to_owned()
    }
}

pub(crate) fn said(done: &Done) -> Value {
    serde_json::from_slice(&done.output).unwrap()
}

/// The processes whose command line has this folder.
pub(crate) fn processes(of: &Path) -> Vec<String> {
    let of = of.to_str().unwrap();
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = all.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    lines.filter(|line| line.contains(of)).collect()
}

#[tokio::test]
async fn servers_of_both_eras_list_and_answer() {
    for (era, version) in [("legacy", "2025-06-18"), ("modern", "2026-07-28")] {
        let subject = Subject::new();
        let inspected = subject.inspected(&[era]).await;
        assert_eq!(inspected.version, version);
        assert_eq!(inspected.tools.len(), 13);
        // Fields that nobody knows are part of the digest.
        assert_eq!(inspected.tools[0].entry["x-odd"], 1);
        let hands = subject.hands_with(subject.entry(&[era]), &inspected);
        let done = hands.call("echo", "hello").await;
        assert_eq!(done.outcome, ActionOutcome::Succeeded, "{}", said(&done));
        let expected = r#"{"content":[{"type":"text","text":"hello"}],"structuredContent":{"text":"hello","n":9007199254740993}}"#;
        assert_eq!(String::from_utf8(done.output).unwrap(), expected);
        assert_eq!(hands.text("write", "new.txt").await, "ok");
        assert_eq!(hands.text("read", "new.txt").await, "written");
        hands.execution.execute.servers.end().await;
        assert_eq!(processes(&subject.ground.root), Vec::<String>::new());
    }
}

#[tokio::test]
async fn one_process_answers_many_calls_at_once() {
    let subject = Subject::new();
    let hands = subject.hands(&["modern"]).await;
    let texts: Vec<String> = (0..64).map(|n| format!("call {n}")).collect();
    let answers =
        futures::future::join_all(texts.iter().map(|text| hands.text("echo", text))).await;
    assert_eq!(answers, texts);
    // Others than root can write the package, so it runs from a copy.
    assert_eq!(processes(&subject.package), Vec::<String>::new());
    assert_eq!(processes(&subject.ground.scratch).len(), 1);
}

#[tokio::test]
async fn a_call_that_takes_too_long_ends_the_server_and_the_next_starts_it() {
    let subject = Subject::new();
    let hands = subject.hands(&["legacy"]).await;
    let mut slow = hands.draft("slow");
    slow.wall_ms = 3_000;
    assert_eq!(hands.text("echo", "warm").await, "warm");
    let done = hands.call_with(&slow, "").await;
    assert_eq!(done.outcome, ActionOutcome::TimedOut, "{}", said(&done));
    assert_eq!(processes(&subject.ground.root), Vec::<String>::new());
    assert_eq!(hands.text("echo", "again").await, "again");
}

#[tokio::test]
async fn a_halt_ends_a_call_and_its_processes() {
    let subject = Subject::new();
    let hands = subject.hands(&["modern"]).await;
    let begun = subject.workspace().join("begun");
    let halting = async {
        while !begun.exists() {
            tokio::task::yield_now().await;
        }
        hands.gate.send_modify(|gate| gate.halted = true);
    };
    let (done, ()) = tokio::join!(hands.call("slow", ""), halting);
    assert_eq!(done.outcome, ActionOutcome::Killed);
    assert_eq!(processes(&subject.ground.root), Vec::<String>::new());
}

#[tokio::test]
async fn a_server_that_dies_says_why_and_is_started_again() {
    let subject = Subject::new();
    let hands = subject.hands(&["legacy"]).await;
    assert_eq!(hands.text("echo", "warm").await, "warm");
    let error = hands.error("die", "").await;
    assert!(error.contains("exited with code 7: it broke"), "{error}");
    assert_eq!(hands.text("echo", "again").await, "again");
}

#[tokio::test]
async fn errors_and_demands_are_failures() {
    let subject = Subject::new();
    let hands = subject.hands(&["modern"]).await;
    assert_eq!(hands.error("fails", "").await, "no such thing");
    assert!(hands.error("asks", "").await.contains("input"));
    assert!(hands.error("task", "").await.contains("task"));
    let mut big = hands.draft("big");
    big.output_bytes_max = 1000;
    let done = hands.call_with(&big, "2000").await;
    assert_eq!(done.outcome, ActionOutcome::Failed);
    assert!(done.output.len() <= 1000);
    assert_eq!(hands.text("echo", "still there").await, "still there");
}

#[tokio::test]
async fn servers_that_misbehave_are_bounded_and_named() {
    let subject = Subject::new();
    for (words, expected) in [
        (&["legacy", "floods"][..], "answer no request"),
        (&["legacy", "endless"], "a line of more than"),
        (&["legacy", "babbles"], "no strict JSON"),
        (&["legacy", "dies"], "exited with code 1: no configuration"),
        (&["neither", "prints"], "it printed `Server started`"),
    ] {
        let error = subject.fault(words).await;
        assert!(error.contains(expected), "{words:?}: {error}");
        assert_eq!(processes(&subject.ground.root), Vec::<String>::new());
    }
    // A line that is no message is passed over, as other clients do.
    assert_eq!(
        subject.inspected(&["modern", "prints"]).await.tools.len(),
        13
    );
    let hands = subject.hands(&["modern"]).await;
    assert_eq!(hands.text("lie", "").await, "the truth");
    assert_eq!(hands.text("echo", "true").await, "true");
    let mut detached = hands.draft("fork");
    detached.wall_ms = 2_000;
    let done = hands.call_with(&detached, "3").await;
    assert_eq!(done.outcome, ActionOutcome::TimedOut, "{}", said(&done));
    assert_eq!(processes(&subject.ground.root), Vec::<String>::new());
    let error = hands.error("fork", "100").await;
    assert!(error.contains("processes_max"), "{error}");
    assert_eq!(processes(&subject.ground.root), Vec::<String>::new());
}

#[tokio::test]
async fn a_server_has_the_variables_of_its_entry_alone() {
    let subject = Subject::new();
    let hands = subject.hands(&["modern"]).await;
    let env: BTreeMap<String, String> = serde_json::from_str(&hands.text("env", "").await).unwrap();
    let names: Vec<&str> = env.keys().map(String::as_str).collect();
    let expected = [
        "GIT_CONFIG_NOSYSTEM",
        "HOME",
        "LANG",
        "OPENSSL_CONF",
        "PATH",
        "PYTHONDONTWRITEBYTECODE",
        "TMPDIR",
    ];
    assert_eq!(
        names
            .iter()
            .filter(|name| **name != "LC_CTYPE")
            .copied()
            .collect::<Vec<_>>(),
        expected
    );
}

#[tokio::test]
async fn a_tool_that_is_listed_differently_is_not_called() {
    let subject = Subject::new();
    let hands = subject.hands(&["legacy"]).await;
    assert_eq!(hands.text("drift", "").await, "drifted");
    let error = hands.error("echo", "hello").await;
    assert!(
        error.contains("lists the tool `echo` differently"),
        "{error}"
    );
}

#[tokio::test]
async fn a_package_that_changed_does_not_start() {
    let subject = Subject::new();
    let hands = subject.hands(&["legacy"]).await;
    let script = subject.package.join("server.py");
    std::fs::write(&script, format!("{SERVER}#")).unwrap();
    let error = hands.error("echo", "hello").await;
    assert!(error.contains("is not the signed one"), "{error}");
    std::fs::write(&script, SERVER).unwrap();
    std::fs::write(subject.package.join("json.py"), "print('mine')").unwrap();
    let entry = serde_json::to_value(subject.entry(&["legacy"])).unwrap();
    assert_ne!(entry["packages"], json!({}));
}

#[tokio::test]
async fn a_package_where_tools_can_write_is_refused() {
    let subject = Subject::new();
    let mut entry = subject.entry(&["legacy"]);
    let inside = subject.workspace().join("package");
    std::fs::create_dir(&inside).unwrap();
    std::fs::write(inside.join("server.py"), SERVER).unwrap();
    entry.packages = BTreeMap::from([(inside.clone(), String::new())]);
    entry.argv = vec![
        inside.join("server.py").to_str().unwrap().to_owned(),
        "legacy".to_owned(),
    ];
    let entry = entry.pinned().unwrap();
    let error = inspect(&subject.ground.cage(), entry, &subject.ground.open()).await;
    let error = actor::chain(&error.unwrap_err());
    assert!(error.contains("where tools can write"), "{error}");
}

#[tokio::test]
async fn a_package_that_only_root_can_change_is_not_copied() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let subject = Subject::new();
    for path in [subject.package.clone(), subject.package.join("server.py")] {
        std::os::unix::fs::chown(path, Some(0), None).unwrap();
    }
    let hands = subject.hands(&["modern"]).await;
    assert_eq!(hands.text("echo", "hello").await, "hello");
    assert_eq!(processes(&subject.package).len(), 1);
}

#[tokio::test]
async fn a_server_that_is_idle_is_stopped() {
    let subject = Subject::new();
    let inspected = subject.inspected(&["modern"]).await;
    let mut server = subject.entry(&["modern"]);
    server.idle_ms = Some(1000);
    let hands = subject.hands_with(server, &inspected);
    assert_eq!(hands.text("echo", "hello").await, "hello");
    assert_eq!(processes(&subject.ground.root).len(), 1);
    while !processes(&subject.ground.root).is_empty() {
        hands.execution.execute.servers.sweep().await;
        tokio::task::yield_now().await;
    }
    assert_eq!(hands.text("echo", "again").await, "again");
}

#[tokio::test]
async fn a_server_sees_no_more_than_its_entry_says() {
    let subject = Subject::new();
    let inspected = subject.inspected(&["modern"]).await;
    for folder in ["open", "closed"] {
        std::fs::create_dir(subject.workspace().join(folder)).unwrap();
        std::fs::write(subject.workspace().join(folder).join("a"), folder).unwrap();
    }
    let path = |write| runner::McpPath {
        path: "open".to_owned().try_into().unwrap(),
        write,
    };
    let mut server = subject.entry(&["modern"]);
    server.paths = vec![path(true)];
    let hands = subject.hands_with(server.clone(), &inspected);
    assert_eq!(hands.text("read", "open/a").await, "open");
    assert_eq!(hands.text("write", "open/new").await, "ok");
    // The fixture does not catch the error, so it ends.
    assert!(
        hands
            .error("read", "closed/a")
            .await
            .contains("Permission denied")
    );
    assert!(
        hands
            .error("write", "closed/new")
            .await
            .contains("Permission denied")
    );
    (server.paths, server.writable) = (vec![path(false)], false);
    let hands = subject.hands_with(server, &inspected);
    assert_eq!(hands.text("read", "open/a").await, "open");
    assert!(
        hands
            .error("write", "open/new")
            .await
            .contains("Permission denied")
    );
    assert!(
        hands
            .error("read", "/etc/passwd")
            .await
            .contains("Permission denied")
    );
}

#[tokio::test]
async fn a_server_ends_with_the_runner() {
    let subject = Subject::new();
    let hands = subject.hands(&["modern"]).await;
    assert_eq!(hands.text("echo", "hello").await, "hello");
    assert_eq!(processes(&subject.ground.root).len(), 1);
    drop(hands);
    while !processes(&subject.ground.root).is_empty() {
        tokio::task::yield_now().await;
    }
    while std::fs::read_dir(&subject.ground.scratch).unwrap().count() > 0 {
        tokio::task::yield_now().await;
    }
}
