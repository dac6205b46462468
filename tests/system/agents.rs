//! Real agents, each attached with one command, with a scripted model: they list the tools of the contract alone, and get a
//! result, a refusal, and a pending approval that a person signs and that executes once.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use bus_schema::AuthorId;
use harness::{Deployment, missing};
use serde_json::{Value, json};

use crate::{
    cli::{Ended, end, program},
    npm,
    session::{question, signed},
};

/// The packages, with the native programs of two agents: their own packages fetch these with a script.
const NPM: [&str; 4] = [
    "@anthropic-ai/claude-code-linux-x64@2.1.332",
    "@google/gemini-cli@0.61.0",
    "@openai/codex@0.171.0",
    "opencode-linux-x64@1.18.33",
];
/// The agents, and their programs below `node_modules`.
const AGENTS: [(&str, &str); 4] = [
    ("claude", "@anthropic-ai/claude-code-linux-x64/claude"),
    ("codex", ".bin/codex"),
    ("gemini", ".bin/gemini"),
    ("opencode", "opencode-linux-x64/bin/opencode"),
];

/// The scripted model.
struct Model {
    process: Child,
    folder: PathBuf,
    port: u64,
}

impl Drop for Model {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

impl Model {
    fn start(folder: &Path, script: &Value) -> Self {
        fs::create_dir_all(folder).unwrap();
        let file = folder.join("model.py");
        fs::write(&file, include_str!("model.py")).unwrap();
        let mut process = Command::new("python3")
            .arg(file)
            .arg(folder)
            .arg(script.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let out = process.stdout.take().unwrap();
        BufReader::new(out).read_line(&mut line).unwrap();
        Self {
            process,
            folder: folder.to_owned(),
            port: line.trim().parse().unwrap(),
        }
    }

    /// All requests, as text.
    fn requests(&self) -> String {
        let entries = fs::read_dir(&self.folder).unwrap();
        let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        files.retain(|file| file.extension().is_some_and(|ending| ending == "json"));
        files.sort();
        let texts = files.iter().map(|file| fs::read_to_string(file).unwrap());
        texts.collect::<Vec<_>>().join("\n")
    }
}

/// One agent in a folder and a home of its own.
struct Agent {
    name: &'static str,
    program: PathBuf,
    project: PathBuf,
    home: PathBuf,
}

impl Agent {
    fn new((name, program): (&'static str, &str), packages: &Path, folder: &Path) -> Self {
        let (project, home) = (folder.join("project"), folder.join("home"));
        fs::create_dir_all(&project).unwrap();
        fs::create_dir_all(&home).unwrap();
        Self {
            name,
            program: packages.join(program),
            project: project.canonicalize().unwrap(),
            home,
        }
    }

    /// `contractual attach` or `detach`, with the agent's home.
    fn command(&self, deployment: &Deployment, words: &[&str]) -> Ended {
        let project = self.project.to_str().unwrap();
        let words = [&[words[0], self.name, "--project", project], &words[1..]].concat();
        let mut command = program(Some(deployment.dir().path()), &words);
        for variable in ["CODEX_HOME", "CLAUDE_CONFIG_DIR", "XDG_CONFIG_HOME"] {
            command.env_remove(variable);
        }
        end(command.env("HOME", &self.home))
    }

    /// Its start without a person, with a model at this port.
    fn run(&self, port: u64) -> Command {
        let url = format!("http://127.0.0.1:{port}");
        let mut command = Command::new(&self.program);
        match self.name {
            "claude" => command
                .args(["-p", "Go on.", "--allowedTools", "mcp__contractual"])
                .env("ANTHROPIC_BASE_URL", url)
                .env("ANTHROPIC_API_KEY", "none")
                .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
            "codex" => command
                .args(["exec", "--skip-git-repo-check", "Go on."])
                .arg("-c")
                .arg(format!(
                    "model_providers.t={{name=\"t\",base_url=\"{url}/v1\",wire_api=\"responses\"}}"
                ))
                .args(["-c", "model_provider=\"t\"", "-c", "model=\"gpt-5.5\""]),
            "gemini" => command
                .args(["-p", "Go on."])
                .env("GOOGLE_GENAI_USE_VERTEXAI", "true")
                .env("GOOGLE_VERTEX_BASE_URL", url)
                .env("GOOGLE_API_KEY", "none"),
            _ => {
                let model = json!({
                    "model": "t/t", "small_model": "t/t",
                    "provider": {"t": {
                        "npm": "@ai-sdk/openai-compatible",
                        "options": {"baseURL": format!("{url}/v1"), "apiKey": "none"},
                        "models": {"t": {"tool_call": true}},
                    }},
                });
                command
                    .args(["run", "Go on."])
                    .env("OPENCODE_CONFIG_CONTENT", model.to_string())
            }
        };
        command
            .stdin(Stdio::null())
            .env("HOME", &self.home)
            .env("PWD", &self.project)
            .env("NO_PROXY", "127.0.0.1")
            .env("no_proxy", "127.0.0.1")
            .current_dir(&self.project);
        command
    }

    /// The files below its project, and those that `attach` wrote to its home.
    fn settings(&self) -> Vec<PathBuf> {
        let all = [
            ".mcp.json",
            ".claude/settings.json",
            ".codex/config.toml",
            ".gemini/settings.json",
            "opencode.json",
        ];
        let project = all.map(|name| self.project.join(name));
        let home = [".codex/config.toml", ".gemini/trustedFolders.json"];
        let home = home.map(|name| self.home.join(name));
        let all = project.into_iter().chain(home);
        let names_us = |file: &PathBuf| {
            fs::read_to_string(file).is_ok_and(|text| text.contains("contractual"))
        };
        all.filter(names_us).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn real_agents_work_under_a_contract_and_with_its_tools_alone() {
    let Some(packages) = npm::installed("agents", &NPM) else {
        return missing("the agents cannot be installed: npm or a package is missing");
    };
    let (deployment, contract) = signed().await;
    let script = json!([
        ["file_read", {"path": "2026-10-lindgren-coffee.txt"}],
        ["file_read", {"path": "../x"}],
        ["file_write", {"path": "report.md", "text": "done\n"}],
    ]);
    for (nth, named) in AGENTS.into_iter().enumerate() {
        let name = named.0;
        let folder = deployment.scratch().join(name);
        let agent = Agent::new(named, &packages, &folder);
        let program = agent.program.to_str().unwrap();
        let words = ["attach", "--contract", &contract, "--program", program];
        let attached = agent.command(&deployment, &words);
        assert_eq!(attached.code, Some(0), "{name}: {attached:?}");
        assert_ne!(agent.settings().len(), 0, "{attached:?}");

        let before = deployment.record().await;
        let count = |record: &harness::Record, kind| record.of(kind).count();
        fs::remove_file(deployment.workspace().join("report.md")).ok();
        let model = Model::start(&folder.join("model"), &script);
        let mut command = agent.run(model.port);
        let running = tokio::task::spawn_blocking(move || end(&mut command));
        let draft = question(&deployment, nth).await;
        deployment.gateway().approve(&draft, true).await.unwrap();
        let ended = running.await.unwrap();
        let said = model.requests();
        assert_eq!(ended.code, Some(0), "{name}: {ended:?}");
        assert!(ended.printed.contains("All done."), "{name}: {ended:?}");
        for part in ["Lindgren", "Refused by "] {
            let seen = said.contains(part);
            assert!(seen, "{name}: the model did not see {part:?}");
        }
        let written = fs::read_to_string(deployment.workspace().join("report.md"));
        assert_eq!(written.unwrap(), "done\n", "{name}");
        let after = deployment.record().await;
        for (kind, more) in [("action.finished", 2), ("action.refused", 1)] {
            let (before, after) = (count(&before, kind), count(&after, kind));
            assert_eq!(after - before, more, "{name}: {kind}");
        }
        let mut proposed = after.of("action.proposed");
        assert!(proposed.all(|one| one.by() == Some(AuthorId::Engine)));

        let detached = agent.command(&deployment, &["detach"]);
        assert_eq!(detached.code, Some(0), "{name}: {detached:?}");
        assert_eq!(agent.settings(), Vec::<PathBuf>::new(), "{name}");
    }
}
