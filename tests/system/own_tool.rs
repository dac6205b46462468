//! The page about a tool of one's own, followed word for word in an empty folder.
//!
//! A fenced block after the words "the file `NAME`:" is that file. A block `console` has commands after `$ `, each followed by
//! what it prints; `…` stands for any text of a line, or for any lines if it is alone, and a word in capitals such as `TASK`
//! for the text that the command printed there, also in later commands. Everything is done in the order of the page.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::Path,
    process::{Child, Command, Stdio},
};

use harness::{SOON, contractual, eventually, free_port, nats_server};
use regex::Regex;
use rustix::process::{Pid, Signal, kill_process};

use crate::executable::executable;

/// The command that runs until it is stopped, in a terminal of its own.
const STAYS: &str = "contractual up";
/// The words that the page uses for what the commands print.
const NAMES: [&str; 1] = ["TASK"];

/// A part of the page that is done.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    File { name: String, text: String },
    Command { line: String, expected: Vec<String> },
}

/// Returns the parts in the order of the page. Blocks that are neither files nor commands are an error.
fn parts(page: &str) -> Vec<Part> {
    let named = Regex::new(r"the file\s+`([^`]+)`:\s*$").unwrap();
    let mut parts = Vec::new();
    let mut before = String::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(kind) = line.strip_prefix("```") else {
            before.push_str(line);
            before.push('\n');
            continue;
        };
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        if kind == "console" {
            for line in block {
                match line.strip_prefix("$ ") {
                    Some(command) => parts.push(Part::Command {
                        line: command.to_owned(),
                        expected: Vec::new(),
                    }),
                    None => match parts.last_mut() {
                        Some(Part::Command { expected, .. }) => expected.push(line.to_owned()),
                        other => panic!("`{line}` is printed by no command: {other:?}"),
                    },
                }
            }
        } else {
            let name = named.captures(&before);
            let name = name.unwrap_or_else(|| panic!("no file is named before {block:?}"));
            parts.push(Part::File {
                name: name[1].to_owned(),
                text: format!("{}\n", block.join("\n")),
            });
        }
        before.clear();
    }
    parts
}

/// Returns the pattern of what a command prints, or has printed so far.
fn pattern(expected: &[String], is_whole: bool) -> Regex {
    let mut pattern = String::from("^");
    for line in expected {
        if line == "…" {
            pattern.push_str("(?:.*\n)*?");
            continue;
        }
        let mut line = regex::escape(line).replace('…', ".*");
        for name in NAMES {
            line = line.replace(name, &format!("(?<{name}>[0-9a-f-]+)"));
        }
        pattern.push_str(&line);
        pattern.push('\n');
    }
    if is_whole {
        pattern.push('$');
    }
    Regex::new(&pattern).unwrap()
}

/// A person at a machine where `contractual` is installed.
struct Person {
    home: tempfile::TempDir,
    /// The texts for which the names of the page stand.
    known: BTreeMap<&'static str, String>,
    up: Option<Child>,
}

impl Person {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        // Only its ports differ from those of the page's reader, because other tests run here.
        let script = format!(
            "#!/bin/sh\nif [ \"$1\" = init ]; then set -- \"$@\" --bus {} --gateway {}; fi\nexec '{}' \"$@\"\n",
            free_port(),
            free_port(),
            contractual().display()
        );
        executable(&home.path().join("bin/contractual"), script);
        fs::create_dir(home.path().join("work")).unwrap();
        Self {
            home,
            known: BTreeMap::new(),
            up: None,
        }
    }

    fn folder(&self) -> std::path::PathBuf {
        self.home.path().join("work")
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.folder().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Starts a command as a shell does, with all that it prints in one file.
    fn start(&self, line: &str, printed: &Path) -> Child {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut folders = vec![self.home.path().join("bin")];
        folders.extend(std::env::split_paths(&path));
        let printed = File::create(printed).unwrap();
        Command::new("/bin/sh")
            .args(["-c", line])
            .current_dir(self.folder())
            .env("PATH", std::env::join_paths(folders).unwrap())
            .env("HOME", self.home.path())
            .env("NATS_SERVER", nats_server())
            .env_remove("XDG_DATA_HOME")
            .stdin(Stdio::null())
            .stdout(printed.try_clone().unwrap())
            .stderr(printed)
            .spawn()
            .unwrap()
    }

    async fn command(&mut self, line: &str, expected: &[String]) {
        let mut line = line.to_owned();
        for (name, value) in &self.known {
            line = line.replace(name, value);
        }
        let printed = self.home.path().join("printed");
        let pattern = pattern(expected, line != STAYS);
        if line == STAYS {
            let printed = self.home.path().join("up");
            self.up = Some(self.start(&format!("exec {line}"), &printed));
            eventually(SOON, async || {
                let log = fs::read_to_string(&printed).unwrap();
                pattern.is_match(&log).then_some(()).ok_or(log)
            })
            .await;
            return;
        }
        let mut child = self.start(&line, &printed);
        let status = tokio::task::spawn_blocking(move || child.wait().unwrap()).await;
        let (status, printed) = (status.unwrap(), fs::read_to_string(&printed).unwrap());
        let Some(found) = pattern.captures(&printed) else {
            panic!("`{line}` does not print what the page says:\n{printed}\n{pattern}");
        };
        let fails = expected.iter().any(|line| line.starts_with("error: "));
        assert_eq!(!status.success(), fails, "`{line}`: {status}\n{printed}");
        for name in NAMES {
            if let Some(found) = found.name(name) {
                self.known.insert(name, found.as_str().to_owned());
            }
        }
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        if let Some(up) = &mut self.up {
            let pid = i32::try_from(up.id()).ok().and_then(Pid::from_raw);
            pid.map(|pid| kill_process(pid, Signal::INT));
            up.wait().ok();
        }
    }
}

fn page() -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../services/contractual/TOOLS.md");
    fs::read_to_string(page).unwrap()
}

#[tokio::test]
async fn the_page_leads_from_nothing_to_a_working_tool() {
    let mut person = Person::new();
    let (mut files, mut commands) = (0, 0);
    for part in parts(&page()) {
        match part {
            Part::File { name, text } => {
                person.write(&name, &text);
                files += 1;
            }
            Part::Command { line, expected } => {
                person.command(&line, &expected).await;
                commands += 1;
            }
        }
    }
    assert_eq!((files, commands), (6, 14));
}

#[test]
fn a_page_is_read_as_its_reader_reads_it() {
    let page = "Write this into the file\n`a/b.sh`:\n\n```sh\nx\n```\n\n```console\n$ one\n$ two\na … b\n…\nend TASK\n```\n";
    let command = |line: &str, expected: &[&str]| Part::Command {
        line: line.to_owned(),
        expected: expected.iter().map(|line| (*line).to_owned()).collect(),
    };
    let expected = ["a … b", "…", "end TASK"];
    assert_eq!(
        parts(page),
        [
            Part::File {
                name: "a/b.sh".to_owned(),
                text: "x\n".to_owned()
            },
            command("one", &[]),
            command("two", &expected),
        ]
    );
    let pattern = pattern(&expected.map(str::to_owned), true);
    assert_eq!(
        &pattern.captures("a 7 b\nx\ny\nend 0-f\n").unwrap()["TASK"],
        "0-f"
    );
    for other in [
        "a 7 c\nend 0\n",
        "a 7 b\nend 0\nmore\n",
        "x\na 7 b\nend 0\n",
    ] {
        assert!(!pattern.is_match(other), "{other}");
    }
}
