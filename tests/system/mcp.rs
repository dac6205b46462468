//! Public MCP servers of both eras in whole tasks: imported, signed, called under a contract, and compared with what the
//! client of the protocol's own authors gets from them without a cage.

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use harness::{Deployment, missing};
use serde_json::{Value, json};

use crate::cli::{add_tools, end, program, run};

const NPM: [&str; 2] = [
    "@modelcontextprotocol/server-filesystem@2026.8.31",
    "@modelcontextprotocol/server-memory@2026.8.31",
];
const PYPI: [&str; 2] = ["mcp-server-git==2026.10.19", "mcp-server-time==2026.10.19"];
const PYTHON: &str = "/usr/bin/python3";
const CLIENT: &str = include_str!("mcp_client.py");

/// The installed packages.
#[derive(Debug)]
pub(crate) struct Packages {
    npm: PathBuf,
    pypi: PathBuf,
}

/// A server of the example.
struct Server {
    name: &'static str,
    protocol: &'static str,
    contract: &'static str,
    playbook: &'static str,
}

macro_rules! server {
    ($name:literal, $protocol:literal) => {
        Server {
            name: $name,
            protocol: $protocol,
            contract: include_str!(concat!(
                "../../deploy/examples/mcp-servers/",
                $name,
                ".toml"
            )),
            playbook: include_str!(concat!(
                "../../deploy/examples/mcp-servers/",
                $name,
                ".playbook.toml"
            )),
        }
    };
}

const PAGE: &str = include_str!("../../deploy/examples/mcp-servers/README.md");
const SERVERS: [Server; 4] = [
    server!("files", "2025-11-25"),
    server!("memory", "2025-11-25"),
    server!("git", "2026-07-28"),
    server!("time", "2026-07-28"),
];

impl Server {
    /// The words of the page's `tool import`, with the packages where they were installed.
    fn import(&self, packages: &Packages) -> Vec<String> {
        let begin = format!("contractual tool import {} ", self.name);
        let line = PAGE.lines().find(|line| line.starts_with(&begin)).unwrap();
        let moved = |word: &str| {
            let word = word.replace("/opt/mcp/npm/node_modules", packages.npm.to_str().unwrap());
            word.replace("/opt/mcp/pypi", packages.pypi.to_str().unwrap())
        };
        line.split_whitespace().skip(1).map(moved).collect()
    }

    /// The steps of its playbook: id, tool as the server names it, arguments.
    fn steps(&self) -> Vec<(String, String, Value)> {
        let playbook: toml::Table = self.playbook.parse().unwrap();
        let step = |step: &toml::Value| {
            let text = |key: &str| step[key].as_str().unwrap().to_owned();
            let tool = text("tool");
            let (_, tool) = tool.split_once('.').unwrap();
            let tool = tool.to_owned();
            (
                text("id"),
                tool,
                serde_json::to_value(&step["args"]).unwrap(),
            )
        };
        playbook["step"]
            .as_array()
            .unwrap()
            .iter()
            .map(step)
            .collect()
    }
}

fn ran(command: &mut Command) -> bool {
    let ran = command.stdin(Stdio::null()).output();
    ran.is_ok_and(|ran| ran.status.success())
}

/// Installs the packages below `target`, once.
pub(crate) fn installed() -> Option<&'static Packages> {
    static INSTALLED: OnceLock<Option<Packages>> = OnceLock::new();
    INSTALLED.get_or_init(install).as_ref()
}

fn install() -> Option<Packages> {
    let under = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mcp");
    let ready = under.join("ready");
    let marks = [NPM, PYPI].concat().join("\n");
    let packages = Packages {
        npm: under.join("npm/node_modules"),
        pypi: under.join("pypi"),
    };
    if fs::read_to_string(&ready).is_ok_and(|text| text == marks) {
        return Some(packages);
    }
    fs::remove_dir_all(&under).ok();
    fs::create_dir_all(under.join("npm")).unwrap();
    let npm = Command::new("npm")
        .args(["install", "--no-audit", "--no-fund", "--ignore-scripts"])
        .args(NPM)
        .arg("--prefix")
        .arg(under.join("npm"))
        .stdin(Stdio::null())
        .output();
    // Wheels for the interpreter that the servers run with, whichever one `pip` belongs to.
    let version = "import sys; print('%d.%d' % sys.version_info[:2])";
    let version = Command::new(PYTHON).args(["-c", version]).output().ok()?;
    let version = String::from_utf8(version.stdout).unwrap();
    let pypi = ran(Command::new("python3")
        .args(["-m", "pip", "install", "--quiet", "--only-binary", ":all:"])
        .args(["--python-version", version.trim(), "--target"])
        .arg(&packages.pypi)
        .args(PYPI));
    if !npm.is_ok_and(|npm| npm.status.success()) || !pypi {
        return None;
    }
    fs::write(ready, marks).unwrap();
    Some(packages)
}

/// Returns the answers that the upstream client gets for the same calls, in a workspace that holds the same.
fn upstream(packages: &Packages, server: &Server, workspace: &str) -> Vec<Value> {
    let words = server.import(packages);
    let words: Vec<String> = words
        .iter()
        .map(|word| word.replace("{workspace}", workspace))
        .collect();
    let command = words.iter().position(|word| word == "--").unwrap();
    let env: BTreeMap<&str, &str> = words[..command]
        .windows(2)
        .filter(|pair| pair[0] == "--env")
        .map(|pair| pair[1].split_once('=').unwrap())
        .collect();
    let calls = server.steps().into_iter();
    let calls: Vec<_> = calls.map(|(_, tool, args)| (tool, args)).collect();
    let asked =
        json!({"command": words[command + 1..], "env": env, "cwd": workspace, "calls": calls});
    official(packages, &asked)
}

/// The answers that the client of the protocol's own authors gets: `asked` has the server's command, env, cwd, and calls.
pub(crate) fn official(packages: &Packages, asked: &Value) -> Vec<Value> {
    let mut client = Command::new(PYTHON)
        .args(["-c", CLIENT])
        .env("PYTHONPATH", &packages.pypi)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut to = client.stdin.take().unwrap();
    to.write_all(asked.to_string().as_bytes()).unwrap();
    drop(to);
    let output = client.wait_with_output().unwrap();
    assert!(output.status.success(), "{asked}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A workspace with a repository of one commit, always the same.
fn fill(workspace: &Path) {
    let repo = workspace.join("repo");
    fs::create_dir_all(&repo).unwrap();
    fs::write(repo.join("a"), "a\n").unwrap();
    let date = "2026-01-01T00:00:00Z";
    for words in [
        &["init", "--quiet", "--initial-branch=main"][..],
        &["add", "a"],
        &[
            "-c",
            "user.name=n",
            "-c",
            "user.email=n@x.example",
            "commit",
            "--quiet",
            "-m",
            "one",
        ],
    ] {
        let mut git = Command::new("git");
        git.args(words).current_dir(&repo);
        git.envs([("GIT_AUTHOR_DATE", date), ("GIT_COMMITTER_DATE", date)]);
        assert!(ran(&mut git), "{words:?}");
    }
}

#[tokio::test]
async fn public_servers_work_under_a_contract_as_they_do_without() {
    let Some(packages) = installed() else {
        return missing("the MCP servers cannot be installed: npm, pip or a package is missing");
    };
    let deployment = Deployment::running().await;
    let here = deployment.workspace().canonicalize().unwrap();
    fill(&here);
    let elsewhere = tempfile::tempdir().unwrap();
    let elsewhere = elsewhere.path().canonicalize().unwrap();
    fill(&elsewhere);
    let (here, there) = (here.to_str().unwrap(), elsewhere.to_str().unwrap());
    for package in NPM.iter().chain(&PYPI) {
        assert!(PAGE.contains(package), "{package}");
    }
    for server in &SERVERS {
        let name = server.name;
        let expected = upstream(packages, server, there);
        let file = deployment.scratch().join(format!("{name}.json"));
        let words = server.import(packages);
        let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
        words.splice(3..3, ["--out", file.to_str().unwrap()]);
        let imported = end(&mut program(None, &words));
        assert_eq!(imported.code, Some(0), "{name}: {}", imported.said);
        let speaks = format!("the server speaks MCP {}", server.protocol);
        assert!(imported.printed.contains(&speaks), "{}", imported.printed);
        let added = add_tools(&deployment, &file);
        assert!(
            added.printed.contains("read by  policy, runner"),
            "{}",
            added.printed
        );
        let contract = deployment.sign(server.contract).await;
        let task = deployment.submit(contract, server.playbook).await;
        let ran = deployment.follow(task, true).await;
        assert_eq!(
            ran.outcome(),
            "succeeded",
            "{name}: {:?}",
            ran.events.last()
        );
        let task = task.to_string();
        let steps = server.steps();
        assert_eq!(steps.len(), expected.len());
        for ((step, ..), expected) in steps.iter().zip(expected) {
            let printed = run(&deployment, &["output", &task, step]).printed;
            let output: Value = serde_json::from_str(&printed.replace(here, there)).unwrap();
            assert_eq!(output, expected, "{name}: {step}");
        }
    }
}
