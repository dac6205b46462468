//! Public MCP servers of both eras in whole tasks: imported, signed, called under a contract, and compared with what the
//! client of the protocol's own authors gets from them without a cage.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use harness::{Deployment, skipped};
use serde_json::{Value, json};

use crate::{
    cli::{end, program, run},
    scene::{contract, playbook},
};

const NPM: [&str; 2] = [
    "@modelcontextprotocol/server-filesystem@2026.8.31",
    "@modelcontextprotocol/server-memory@2026.8.31",
];
const PYPI: [&str; 2] = ["mcp-server-git==2026.10.19", "mcp-server-time==2026.10.19"];
const PYTHON: &str = "/usr/bin/python3";
const CLIENT: &str = include_str!("mcp_client.py");

/// The installed packages.
struct Packages {
    npm: PathBuf,
    pypi: PathBuf,
}

/// A server, and the calls of a task.
struct Server {
    name: &'static str,
    protocol: &'static str,
    options: Vec<String>,
    env: Vec<(&'static str, String)>,
    command: Vec<String>,
    calls: Vec<(&'static str, Value)>,
}

fn ran(command: &mut Command) -> bool {
    let ran = command.stdin(Stdio::null()).output();
    ran.is_ok_and(|ran| ran.status.success())
}

/// Installs the packages below `target`, once.
fn installed() -> Option<Packages> {
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

fn servers(packages: &Packages, workspace: &str) -> Vec<Server> {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let script = |name: &str| {
        let script = packages.npm.join("@modelcontextprotocol").join(name);
        script.join("dist/index.js").to_str().unwrap().to_owned()
    };
    let npm = packages.npm.to_str().unwrap();
    let pypi = packages.pypi.to_str().unwrap();
    let python = || ("PYTHONPATH", pypi.to_owned());
    let repo = || json!({"repo_path": format!("{workspace}/repo")});
    let observed = json!([{"name": "Ann", "entityType": "person", "observations": ["likes tea"]}]);
    let converted = json!({"source_timezone": "Europe/Berlin", "time": "16:30", "target_timezone": "Asia/Tokyo"});
    vec![
        Server {
            name: "files",
            protocol: "2025-11-25",
            options: words(&["--write", "--package", npm]),
            env: Vec::new(),
            command: words(&["node", &script("server-filesystem"), "{workspace}"]),
            calls: vec![
                (
                    "write_file",
                    json!({"path": "note.txt", "content": "hello"}),
                ),
                ("read_text_file", json!({"path": "note.txt"})),
                ("list_directory", json!({"path": "repo"})),
            ],
        },
        Server {
            name: "memory",
            protocol: "2025-11-25",
            options: words(&["--write", "--package", npm]),
            env: vec![("MEMORY_FILE_PATH", "{workspace}/memory.json".to_owned())],
            command: words(&["node", &script("server-memory")]),
            calls: vec![
                ("create_entities", json!({"entities": observed})),
                ("read_graph", json!({})),
            ],
        },
        Server {
            name: "time",
            protocol: "2026-07-28",
            options: words(&["--package", pypi]),
            env: vec![python()],
            command: words(&[
                PYTHON,
                "-s",
                "-m",
                "mcp_server_time",
                "--local-timezone",
                "UTC",
            ]),
            calls: vec![("convert_time", converted)],
        },
        Server {
            name: "git",
            protocol: "2026-07-28",
            options: words(&["--write", "--package", pypi]),
            env: vec![python()],
            command: words(&[PYTHON, "-s", "-m", "mcp_server_git"]),
            calls: vec![
                ("git_status", repo()),
                ("git_log", repo()),
                ("git_create_branch", {
                    let mut args = repo();
                    args["branch_name"] = json!("draft");
                    args
                }),
            ],
        },
    ]
}

/// Returns the answers that the upstream client gets for the same calls, in a workspace that holds the same.
fn upstream(packages: &Packages, server: &Server, workspace: &str) -> Vec<Value> {
    let filled = |text: &String| text.replace("{workspace}", workspace);
    let env = server
        .env
        .iter()
        .map(|(name, value)| (*name, filled(value)));
    let asked = json!({
        "command": server.command.iter().map(filled).collect::<Vec<_>>(),
        "env": env.collect::<std::collections::BTreeMap<_, _>>(),
        "cwd": workspace,
        "calls": server.calls,
    });
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
    assert!(output.status.success(), "{}", server.name);
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
        assert!(
            std::env::var_os("CONTRACTUAL_TESTS_MANDATORY").is_none(),
            "npm, pip or one of the packages is missing"
        );
        return skipped("the MCP servers cannot be installed: npm, pip or a package is missing");
    };
    let deployment = Deployment::running().await;
    let here = deployment.workspace().canonicalize().unwrap();
    fill(&here);
    let elsewhere = tempfile::tempdir().unwrap();
    let elsewhere = elsewhere.path().canonicalize().unwrap();
    fill(&elsewhere);
    let (here, there) = (here.to_str().unwrap(), elsewhere.to_str().unwrap());
    let expected: Vec<Vec<Value>> = servers(&packages, there)
        .iter()
        .map(|server| upstream(&packages, server, there))
        .collect();
    for (server, expected) in servers(&packages, here).iter().zip(expected) {
        let name = server.name;
        let file = deployment.scratch().join(format!("{name}.json"));
        let file = file.to_str().unwrap();
        let mut words = vec!["tool", "import", name, "--out", file];
        words.extend(server.options.iter().map(String::as_str));
        let env: Vec<String> = server
            .env
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        for variable in &env {
            words.extend(["--env", variable]);
        }
        words.push("--");
        words.extend(server.command.iter().map(String::as_str));
        let imported = end(&mut program(None, &words));
        assert_eq!(imported.code, Some(0), "{name}: {}", imported.said);
        let speaks = format!("the server speaks MCP {}", server.protocol);
        assert!(imported.printed.contains(&speaks), "{}", imported.printed);
        let added = run(&deployment, &["tool", "add", file, "--yes"]);
        assert_eq!(added.code, Some(0), "{name}: {}", added.said);
        assert!(
            added.printed.contains("read by  policy, runner"),
            "{}",
            added.printed
        );
        let rules = format!("[[allow]]\ntools = [\"{name}.*\"]\n");
        let contract = deployment.sign(&contract(name, &rules)).await;
        let mut steps = String::new();
        for (at, (tool, args)) in server.calls.iter().enumerate() {
            let args: toml::Value = serde_json::from_value(args.clone()).unwrap();
            steps.push_str(&format!(
                "[[step]]\nid = \"s{at}\"\ntool = \"{name}.{tool}\"\nargs = {args}\n"
            ));
        }
        let task = deployment.submit(contract, &playbook(&steps)).await;
        let ran = deployment.follow(task, true).await;
        assert_eq!(
            ran.outcome(),
            "succeeded",
            "{name}: {:?}",
            ran.events.last()
        );
        let task = task.to_string();
        for (at, expected) in expected.iter().enumerate() {
            let printed = run(&deployment, &["output", &task, &format!("s{at}")]).printed;
            let output: Value = serde_json::from_str(&printed.replace(here, there)).unwrap();
            assert_eq!(output, *expected, "{name}: {}", server.calls[at].0);
        }
    }
}
