//! The Git tools of the shelf in the cage, on repositories whose configuration names commands.

use std::fs;
use std::path::PathBuf;

use runner::{ExecTool, Outcome};
use serde_json::{Value, json};

use crate::call::{Ground, text};
use crate::executable::executable;
use crate::shelf::{bare, good, run, tool};

/// Says it on standard error, and in a file if someone keeps that for himself.
const SAY: &str = "#!/bin/sh\necho EXECUTED >&2\necho x >executed\n";
const SAID: &str = "EXECUTED";
const IDENTITY: [&str; 4] = ["-c", "user.name=n", "-c", "user.email=n@x.example"];

/// A repository `r` with two commits of `a`, `a` changed once more and `new`, and a command outside of the workspace.
struct Repository {
    ground: Ground,
    command: PathBuf,
}

impl Repository {
    fn new() -> Self {
        let ground = Ground::new();
        let command = ground.root.join("say");
        executable(&command, SAY);
        fs::create_dir(ground.workspace.join("r")).unwrap();
        let made = Self { ground, command };
        made.git(&["init", "--quiet", "--initial-branch=main"]);
        for (message, content) in [("first", "one\n"), ("second", "one\ntwo\n")] {
            made.write("a", content);
            made.git(&["add", "a"]);
            made.git(&["commit", "--quiet", "-m", message]);
        }
        made.write("a", "one\ntwo\nthree\n");
        made.write("new", "new\n");
        made
    }

    /// Runs `git` in the repository as a person would.
    fn git(&self, argv: &[&str]) -> String {
        let place = ["-C", "r"].as_slice();
        bare(&self.ground, "git", &[place, &IDENTITY, argv].concat())
    }

    fn set(&self, key: &str, value: &str) {
        self.git(&["config", key, value]);
    }

    fn write(&self, name: &str, content: &str) {
        fs::write(self.ground.workspace.join("r").join(name), content).unwrap();
    }

    fn command(&self) -> &str {
        self.command.to_str().unwrap()
    }

    /// Returns true if the command was executed.
    fn executed(&self, said: &str) -> bool {
        said.contains(SAID) || self.ground.workspace.join("r/executed").exists()
    }

    fn commit(&self, name: &str) -> String {
        self.git(&["rev-parse", name]).trim().to_owned()
    }
}

/// The Git tools; `None` if Git is missing.
struct Tools {
    log: ExecTool,
    diff: ExecTool,
    add: ExecTool,
    commit: ExecTool,
}

impl Tools {
    fn here() -> Option<Self> {
        Some(Self {
            log: tool("git.log")?,
            diff: tool("git.diff")?,
            add: tool("git.add")?,
            commit: tool("git.commit")?,
        })
    }

    /// Runs each of them, and returns all that they said.
    async fn all(&self, repository: &Repository) -> String {
        let mut said = String::new();
        for (tool, args) in [
            (
                &self.log,
                json!({"path": "r", "revision": "HEAD", "count": 9}),
            ),
            (&self.diff, json!({"path": "r", "revisions": []})),
            (&self.diff, json!({"path": "r", "revisions": ["HEAD"]})),
            (
                &self.diff,
                json!({"path": "r", "revisions": ["HEAD~1", "HEAD"]}),
            ),
            (&self.add, json!({"path": "r", "files": ["a", "new"]})),
            (&self.commit, json!({"path": "r", "message": "third"})),
        ] {
            let ran = run(&repository.ground, tool, args).await;
            said.push_str(&text(&ran));
            said.push_str(&String::from_utf8_lossy(&ran.diagnostics));
        }
        said
    }
}

#[tokio::test]
async fn commits_are_listed_compared_and_made() {
    let Some(tools) = Tools::here() else {
        return;
    };
    let repository = Repository::new();
    let ground = &repository.ground;
    let ask = async |tool: &ExecTool, args: Value| good(ground, tool, args).await;
    let log = json!({"path": "r", "revision": "HEAD", "count": 9});
    let listed = ask(&tools.log, log.clone()).await;
    let lines: Vec<Vec<&str>> = listed
        .lines()
        .map(|line| line.split('\t').collect())
        .collect();
    assert_eq!(lines.len(), 2, "{listed}");
    assert_eq!(lines[0][0], repository.commit("HEAD"));
    assert_eq!(lines[0][2..], ["n <n@x.example>", "second"]);
    let one = ask(
        &tools.log,
        json!({"path": "r", "revision": "HEAD", "count": 1}),
    )
    .await;
    assert_eq!(one.lines().count(), 1);
    for (revisions, line) in [
        (json!([]), "+three"),
        (json!(["HEAD~1"]), "+two"),
        (json!(["HEAD~1", "HEAD"]), "+two"),
    ] {
        let args = json!({"path": "r", "revisions": revisions});
        let difference = ask(&tools.diff, args).await;
        assert!(
            difference.lines().any(|found| found == line),
            "{difference}"
        );
    }
    ask(&tools.add, json!({"path": "r", "files": ["a", "new"]})).await;
    let message = "-third: $(x) `y`\n\n# not a comment";
    let made = ask(&tools.commit, json!({"path": "r", "message": message})).await;
    assert!(made.contains("2 files changed"), "{made}");
    let said = repository.git(&["log", "-1", "--format=%an <%ae>%n%B"]);
    assert_eq!(said.trim(), format!("Agent <agent@localhost>\n{message}"));
    assert!(repository.git(&["fsck", "--strict"]).is_empty());
    assert!(repository.git(&["status", "--short"]).is_empty());
    // Words that could be options, files outside, and a folder without a repository.
    for (tool, args) in [
        (
            &tools.log,
            json!({"path": "r", "revision": "--all", "count": 9}),
        ),
        (
            &tools.diff,
            json!({"path": "r", "revisions": ["--output=x"]}),
        ),
    ] {
        let ran = runner::run(&ground.cage(), tool, &args, &ground.open()).await;
        assert!(ran.is_err(), "{ran:?}");
    }
    fs::write(ground.workspace.join("secret"), "secret").unwrap();
    fs::create_dir(ground.workspace.join("empty")).unwrap();
    for (tool, args) in [
        (&tools.add, json!({"path": "r", "files": ["../secret"]})),
        (
            &tools.log,
            json!({"path": "empty", "revision": "HEAD", "count": 9}),
        ),
    ] {
        let ran = run(ground, tool, args).await;
        assert!(matches!(ran.outcome, Outcome::Failed { .. }), "{ran:?}");
    }
}

/// A change to a repository, and the Git command that then executes a command of it.
type Trap = (&'static str, fn(&Repository), &'static [&'static str]);

fn hooks(repository: &Repository, folder: &str) {
    for name in [
        "pre-commit",
        "prepare-commit-msg",
        "commit-msg",
        "post-commit",
        "post-index-change",
        "reference-transaction",
    ] {
        let path = repository
            .ground
            .workspace
            .join("r")
            .join(folder)
            .join(name);
        executable(&path, SAY);
    }
}

fn attribute(repository: &Repository, line: &str) {
    repository.write(".gitattributes", line);
}

/// Makes a commit with a signature.
fn signed_commit(repository: &Repository) {
    let tree = repository.commit("HEAD^{tree}");
    let person = "n <n@x.example> 1 +0000";
    let armour = "-----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----";
    repository.write(
        ".git/signed",
        &format!("tree {tree}\nauthor {person}\ncommitter {person}\ngpgsig {armour}\n\nsigned\n"),
    );
    let commit = repository.git(&["hash-object", "-t", "commit", "-w", ".git/signed"]);
    repository.git(&["update-ref", "refs/heads/main", commit.trim()]);
}

/// Removes an object, so that Git fetches it from where the configuration says.
fn missing_object(repository: &Repository) {
    let blob = repository.commit("HEAD~1:a");
    let (folder, name) = blob.split_at(2);
    let place = format!("r/.git/objects/{folder}/{name}");
    fs::remove_file(repository.ground.workspace.join(place)).unwrap();
    repository.set("core.repositoryFormatVersion", "1");
    repository.set("extensions.partialClone", "origin");
    repository.set("remote.origin.promisor", "true");
}

const TRAPS: &[Trap] = &[
    (
        "hooks",
        |at| hooks(at, ".git/hooks"),
        &["commit", "-am", "x"],
    ),
    (
        "a folder of hooks",
        |at| {
            hooks(at, "mine");
            at.set("core.hooksPath", "mine");
        },
        &["commit", "-am", "x"],
    ),
    (
        "a monitor of files",
        |at| at.set("core.fsmonitor", at.command()),
        &["diff"],
    ),
    (
        "an external difference",
        |at| at.set("diff.external", at.command()),
        &["diff"],
    ),
    (
        "a driver of differences",
        |at| {
            attribute(at, "a diff=mine\n");
            at.set("diff.mine.command", at.command());
        },
        &["diff"],
    ),
    (
        "a converter to text",
        |at| {
            attribute(at, "a diff=mine\n");
            at.set("diff.mine.textconv", at.command());
        },
        &["diff"],
    ),
    (
        "a check of signatures",
        |at| {
            signed_commit(at);
            at.set("log.showSignature", "true");
            at.set("gpg.program", at.command());
        },
        &["log"],
    ),
    (
        "a signature",
        |at| {
            at.set("commit.gpgSign", "true");
            at.set("gpg.program", at.command());
        },
        &["commit", "-am", "x"],
    ),
    (
        "an editor",
        |at| at.set("core.editor", at.command()),
        &["commit", "-a"],
    ),
    (
        "a fetch by a helper",
        |at| {
            missing_object(at);
            at.set("protocol.ext.allow", "always");
            at.set("remote.origin.url", &format!("ext::{}", at.command()));
        },
        &["diff", "HEAD~1", "HEAD"],
    ),
    (
        "a fetch by a server",
        |at| {
            missing_object(at);
            at.set("protocol.file.allow", "always");
            at.set("remote.origin.url", "../other");
            at.set("remote.origin.uploadpack", at.command());
        },
        &["diff", "HEAD~1", "HEAD"],
    ),
    (
        "a fetch by a shell",
        |at| {
            missing_object(at);
            at.set("protocol.ssh.allow", "always");
            at.set("remote.origin.url", "ssh://x.example/r");
            at.set("core.sshCommand", at.command());
        },
        &["diff", "HEAD~1", "HEAD"],
    ),
    (
        "a repository in it",
        |at| {
            at.git(&["clone", "--quiet", ".", "inner"]);
            at.git(&["add", "inner"]);
            at.git(&["-C", "inner", "config", "core.fsmonitor", at.command()]);
        },
        &["diff"],
    ),
];

#[tokio::test]
async fn no_command_of_a_repository_is_executed() {
    let Some(tools) = Tools::here() else {
        return;
    };
    for (name, set, shown_by) in TRAPS {
        // The command is executed, and so is the one that the tools find.
        let repository = Repository::new();
        set(&repository);
        let said = repository.git(shown_by);
        assert!(repository.executed(&said), "{name}: {said}");
        let repository = Repository::new();
        set(&repository);
        let said = tools.all(&repository).await;
        assert!(!repository.executed(&said), "{name}: {said}");
        assert!(
            said.contains("second") || said.contains("signed"),
            "{name}: {said}"
        );
    }
}

#[tokio::test]
async fn a_filter_of_a_repository_reaches_only_the_repository() {
    let Some(tools) = Tools::here() else {
        return;
    };
    let repository = Repository::new();
    let at = |name: &str| repository.ground.workspace.join(name);
    fs::write(at("secret"), "private words\n").unwrap();
    attribute(&repository, "a filter=mine\n");
    let script = "cat; cat ../secret; echo x >../made; echo x >made";
    repository.set("filter.mine.clean", script);
    // It is executed: Git has no switch against it.
    tools.all(&repository).await;
    assert!(at("r/made").exists());
    assert!(!at("made").exists());
    let kept = repository.git(&["show", "HEAD:a"]);
    assert!(
        kept.contains("three") && !kept.contains("private"),
        "{kept}"
    );
    // Without the cage it reads and writes.
    repository.write("a", "four\n");
    repository.git(&["add", "a"]);
    assert!(at("made").exists());
    assert!(repository.git(&["show", ":a"]).contains("private words"));
}

#[tokio::test]
async fn a_repository_that_leads_elsewhere_shows_nothing_of_it() {
    let Some(tools) = Tools::here() else {
        return;
    };
    let other = |repository: &Repository| -> String {
        let folder = repository.ground.workspace.join("private");
        fs::create_dir(&folder).unwrap();
        for argv in [
            ["init", "--quiet"].as_slice(),
            &["add", "a"],
            &["commit", "-qm", "private"],
        ] {
            fs::write(folder.join("a"), "private words\n").unwrap();
            let place = ["-C", "private"].as_slice();
            bare(
                &repository.ground,
                "git",
                &[place, &IDENTITY, argv].concat(),
            );
        }
        let words = ["-C", "private", "rev-parse", "HEAD"];
        bare(&repository.ground, "git", &words).trim().to_owned()
    };
    let repository = Repository::new();
    other(&repository);
    repository.set("core.worktree", "../../private");
    assert!(repository.git(&["diff", "HEAD"]).contains("private words"));
    assert!(!tools.all(&repository).await.contains("private words"));

    let repository = Repository::new();
    let commit = other(&repository);
    repository.write(
        ".git/objects/info/alternates",
        "../../../private/.git/objects\n",
    );
    assert!(repository.git(&["log", &commit]).contains("private"));
    let args = json!({"path": "r", "revision": commit, "count": 9});
    let ran = run(&repository.ground, &tools.log, args).await;
    assert!(matches!(ran.outcome, Outcome::Failed { .. }), "{ran:?}");
}
