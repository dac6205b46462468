//! An agent's session over MCP, in both eras of the protocol: its calls are granted, refused or pending, each once.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout, Stdio},
};

use bus_schema::{AuthorId, DraftGrant};
use harness::{Deployment, SOON, contractual, eventually, missing};
use serde_json::{Value, json};

use crate::{
    cli::{program, run},
    mcp,
    scene::contract,
};

const RULES: &str = "[[allow]]\nname = \"list\"\ntool = \"file.list\"\n\n\
    [[allow]]\nname = \"read\"\ntool = \"file.read\"\nwhere.path = { path = \"*.txt\" }\n\n\
    [[ask]]\nname = \"write\"\ntool = \"file.write\"\nreason = \"It writes.\"\nwhere.path = \"report.md\"\n";

/// The era of the protocol that an agent speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Era {
    /// Sessions: 2025-11-25.
    Older,
    /// Each request by itself: 2026-07-28.
    Newer,
}

/// An agent that speaks MCP with the command.
struct Agent {
    child: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
    era: Era,
    id: u64,
    /// Answers that came before another was read.
    early: BTreeMap<u64, Value>,
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Agent {
    fn start(deployment: &Deployment, contract: &str, era: Era) -> Self {
        let words = ["mcp", "--contract", contract, "--task", "Read the invoices"];
        let mut child = program(Some(deployment.dir().path()), &words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let from = BufReader::new(child.stdout.take().unwrap());
        let to = child.stdin.take();
        let mut agent = Self {
            child,
            to,
            from,
            era,
            id: 0,
            early: BTreeMap::new(),
        };
        match era {
            Era::Older => {
                let hello = json!({
                    "protocolVersion": "2025-11-25", "capabilities": {},
                    "clientInfo": {"name": "test", "version": "1"},
                });
                let answer = agent.ask("initialize", hello);
                assert_eq!(answer["protocolVersion"], "2025-11-25");
                agent.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
            }
            Era::Newer => {
                let answer = agent.ask("server/discover", json!({}));
                let versions = answer["supportedVersions"].as_array().unwrap();
                assert!(versions.contains(&json!("2026-07-28")), "{answer}");
            }
        }
        agent
    }

    fn send(&mut self, message: &Value) {
        let to = self.to.as_mut().unwrap();
        writeln!(to, "{message}").unwrap();
    }

    /// Sends a request; returns its id.
    fn request(&mut self, method: &str, mut params: Value) -> u64 {
        self.id += 1;
        if self.era == Era::Newer {
            params["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
                "io.modelcontextprotocol/clientCapabilities": {},
            });
        }
        let id = self.id;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        id
    }

    /// The answer to a request; requests are answered in any order.
    fn answer(&mut self, id: u64) -> Value {
        loop {
            if let Some(said) = self.early.remove(&id) {
                assert_eq!(said.get("error"), None, "{said}");
                return said["result"].clone();
            }
            let mut line = String::new();
            assert_ne!(self.from.read_line(&mut line).unwrap(), 0, "EOF");
            let said: Value = serde_json::from_str(&line).unwrap();
            if let Some(of) = said["id"].as_u64() {
                self.early.insert(of, said);
            }
        }
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.request(method, params);
        self.answer(id)
    }

    fn call(&mut self, tool: &str, args: &Value) -> Value {
        self.ask("tools/call", json!({"name": tool, "arguments": args}))
    }

    fn end(mut self) {
        drop(self.to.take());
        assert!(self.child.wait().unwrap().success());
    }
}

/// All texts of a result.
fn text(result: &Value) -> String {
    let blocks = result["content"].as_array().unwrap().iter();
    let texts: Vec<_> = blocks
        .map(|block| block["text"].as_str().unwrap())
        .collect();
    texts.join("\n")
}

pub(crate) async fn signed() -> (Deployment, String) {
    let deployment = Deployment::running().await;
    let text = contract("session", RULES);
    deployment.sign(&text).await;
    let file = deployment.scratch().join("contract.toml");
    fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap().to_owned();
    (deployment, file)
}

/// The question that came after `nth` others. An agent may need a while to start.
pub(crate) async fn question(deployment: &Deployment, nth: usize) -> DraftGrant {
    eventually(4 * SOON, async || {
        let record = deployment.record().await;
        let asked = record.of("approval.requested").nth(nth);
        let draft =
            asked.and_then(|asked| serde_json::from_value(asked.fact["draft"].clone()).ok());
        draft.ok_or("no question")
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_calls_the_tools_of_a_contract_and_no_other() {
    let (deployment, contract) = signed().await;
    for (nth, era) in [Era::Older, Era::Newer].into_iter().enumerate() {
        fs::remove_file(deployment.workspace().join("report.md")).ok();
        let before = deployment.record().await.of("action.finished").count();
        let mut agent = Agent::start(&deployment, &contract, era);
        let listed = agent.ask("tools/list", json!({}));
        let names = listed["tools"].as_array().unwrap().iter();
        let names: Vec<_> = names.map(|tool| tool["name"].as_str().unwrap()).collect();
        let own = [
            "contract_show",
            "contract_request",
            "contract_await",
            "contract_read",
        ];
        for name in ["file_list", "file_read", "file_write"].iter().chain(&own) {
            assert!(names.contains(name), "{name}: {names:?}");
        }
        assert_eq!(names.len(), 7, "{names:?}");

        let path = "2026-10-lindgren-coffee.txt";
        let read = agent.call("file_read", &json!({"path": path}));
        assert_ne!(read["isError"], json!(true), "{read}");
        assert!(text(&read).contains("Lindgren"), "{read}");
        let refused = agent.call("file_read", &json!({"path": "../x"}));
        assert_eq!(refused["isError"], json!(true), "{refused}");
        assert!(text(&refused).starts_with("Refused by "), "{refused}");
        let shown = agent.call("contract_show", &json!({}));
        assert!(
            text(&shown).contains("What it may do after a yes"),
            "{shown}"
        );

        // The same call twice, before the person answers: one question, and one execution.
        let write =
            json!({"name": "file_write", "arguments": {"path": "report.md", "text": "done\n"}});
        let first = agent.request("tools/call", write.clone());
        let again = agent.request("tools/call", write);
        let draft = question(&deployment, nth).await;
        deployment.gateway().approve(&draft, true).await.unwrap();
        let (first, again) = (agent.answer(first), agent.answer(again));
        assert_eq!(text(&first), text(&again));
        assert_ne!(first["isError"], json!(true), "{first}");
        let written = fs::read_to_string(deployment.workspace().join("report.md"));
        assert_eq!(written.unwrap(), "done\n");
        agent.end();
        let record = deployment.record().await;
        assert_eq!(record.of("action.finished").count(), before + 2);
    }
    eventually(SOON, async || {
        let record = deployment.record().await;
        match record.of("task.finished").count() {
            2 => Ok(()),
            other => Err(other),
        }
    })
    .await;
    let record = deployment.record().await;
    let by: Vec<_> = record
        .of("action.proposed")
        .filter_map(harness::Message::by)
        .collect();
    assert!(by.iter().all(|by| *by == AuthorId::Engine), "{by:?}");
    let verified = run(&deployment, &["audit", "verify"]);
    assert!(verified.printed.contains(" 0 junk"), "{verified:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_survives_the_death_of_the_engine() {
    let (deployment, contract) = signed().await;
    let mut agent = Agent::start(&deployment, &contract, Era::Newer);
    deployment.kill(AuthorId::Engine);
    let list = json!({"name": "file_list", "arguments": {"path": "."}});
    let id = agent.request("tools/call", list);
    eventually(SOON, async || {
        let record = deployment.record().await;
        match record.of("session.called").count() {
            1 => Ok(()),
            other => Err(other),
        }
    })
    .await;
    deployment.start(AuthorId::Engine).await;
    let listed = agent.answer(id);
    assert!(text(&listed).contains("lindgren-coffee"), "{listed}");
    agent.end();
    let record = deployment.record().await;
    assert_eq!(record.of("action.started").count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_of_the_protocols_authors_works() {
    let Some(packages) = mcp::installed() else {
        return missing("the client cannot be installed: pip or a package is missing");
    };
    let (deployment, contract) = signed().await;
    let dir = deployment.dir().path();
    let asked = json!({
        "command": [contractual(), "--dir", dir, "mcp", "--contract", contract],
        "env": {}, "cwd": deployment.scratch(),
        "calls": [
            ["file_read", {"path": "2026-10-lindgren-coffee.txt"}],
            ["file_read", {"path": "../x"}],
        ],
    });
    let asking = asked.clone();
    let answers = tokio::task::spawn_blocking(move || mcp::official(packages, &asking));
    let answers = answers.await.unwrap();
    assert!(text(&answers[0]).contains("Lindgren"), "{answers:?}");
    assert!(text(&answers[1]).starts_with("Refused by "), "{answers:?}");
}
