//! `tool try`: a tool in the cage on scratch data, with what it did and what was refused; and its errors.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use harness::{Deployment, SOON, eventually};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    cli::{Ended, end, one_sentence, program, run},
    main_job::has,
};

/// A folder with files of tools, a workspace, and a place for temporary files.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("letters")).unwrap();
        fs::create_dir(folder.path().join("tmp")).unwrap();
        fs::write(folder.path().join("letters/a.txt"), "one two\n").unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a tool and tries it with these words.
    fn attempt(&self, tool: &Value, words: &[&str]) -> Ended {
        fs::write(self.path("tool.json"), tool.to_string()).unwrap();
        let name = tool["name"].as_str().unwrap();
        let words = [&["tool", "try", name, "--file", "tool.json"], words].concat();
        let mut command = program(None, &words);
        command
            .current_dir(self.folder.path())
            .env("TMPDIR", self.path("tmp"))
            .env_remove("HOME");
        let ended = end(&mut command);
        assert_eq!(
            fs::read_dir(self.path("tmp")).unwrap().count(),
            0,
            "{ended:?}"
        );
        ended
    }
}

/// A tool that runs a shell script; its argument `path` is the script's `$1`.
fn shell(script: &str) -> Value {
    json!({
        "name": "test.sh", "description": "Runs a script.", "effect": "write", "risk": "low", "output": "untrusted",
        "input_schema": {"type": "object", "additionalProperties": false, "properties": {
            "path": {"type": "string"}, "many": {"type": "array", "items": {"type": "string"}},
            "count": {"type": "integer"}}, "required": ["path", "many", "count"]},
        "exec": {
            "program": "sh", "writable": true,
            "argv": [{"literal": "-c"}, {"literal": script}, {"literal": "--"},
                {"value": {"name": "path", "kind": "text"}}, {"value": {"name": "count", "kind": "integer"}},
                {"value": {"name": "many", "kind": "list"}}],
            "limits": {"wall_ms": 20_000, "cpu_ms_max": 5_000, "output_bytes_max": 4_096,
                "memory_bytes_max": 268_435_456, "processes_max": 8, "file_bytes_max": 65_536, "files_open_max": 64},
        },
    })
}

const WORDS: [&str; 4] = ["path=a.txt", "many=x", "many=y z", "count=3"];

#[test]
fn a_trial_shows_what_the_tool_did_and_what_was_refused() {
    let place = Place::new();
    let script = "cat \"$1\"; echo \"$@\" >new; echo more >>a.txt; rm b.txt; ln -s a.txt c; chown 1 a.txt; \
                  cat /etc/passwd; printf 'bad\\033[2J\\n' >&2";
    fs::write(place.path("letters/b.txt"), "two\n").unwrap();
    let words = [&WORDS[..], &["--workspace", "letters"]].concat();
    let ended = place.attempt(&shell(script), &words);
    assert_eq!(
        (ended.code, ended.said.as_str()),
        (Some(0), ""),
        "{ended:?}"
    );
    has(
        &ended.printed,
        &[
            "tool      test.sh {\"path\":\"a.txt\",\"many\":[\"x\",\"y z\"],\"count\":3}\n",
            "outcome   it succeeded\nused      ",
            " ms of 20000 ms; processor ",
            " ms of 5000 ms; output 8 of 4096 bytes\narguments they fit `input_schema`\n",
            "result    the entry has no `output_schema` to compare it with\n",
            "files     created new (14 bytes)\n          changed a.txt (13 bytes)\n          removed b.txt (4 bytes)\n",
            "refused   it asked for `symlinkat`, which the cage refuses (Operation not permitted): programs that make links \
             do not work here\n          it asked for `",
            "          it asked for `fchownat`, which the cage refuses (Operation not permitted): \
             programs that change the owner of files do not work here\n",
            "output    8 bytes\n  one two\nstderr    ",
            "\n  bad\\u{1b}[2J\n",
            "note      \"Permission denied\" may be a file that the cage refuses",
        ],
    );
    // The folder itself is as it was.
    let mut names: Vec<_> = fs::read_dir(place.path("letters")).unwrap().collect();
    names.sort_by_key(|entry| entry.as_ref().unwrap().file_name());
    assert_eq!(names.len(), 2);
    assert_eq!(fs::read(place.path("letters/a.txt")).unwrap(), b"one two\n");
}

#[test]
fn a_trial_as_json_says_the_same() {
    let place = Place::new();
    let mut tool = shell("mkfifo f; printf '{\"a\": 1}'");
    tool["output_schema"] = json!({"type": "object", "properties": {"a": {"type": "integer"}}});
    let words = [&WORDS[..], &["--json"]].concat();
    let ended = place.attempt(&tool, &words);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let said: Value = serde_json::from_str(&ended.printed).unwrap();
    assert_eq!(said["succeeded"], true);
    assert_eq!(said["result_fits"], true);
    let calls = said["refused"].as_array().unwrap();
    let fifo = calls.iter().find(|call| call["call"] == "mknodat").unwrap();
    assert_eq!(
        (&fifo["times"], &fifo["error"]),
        (&json!(1), &json!("Operation not permitted"))
    );
    assert_eq!(said["output"]["text"], "{\"a\": 1}");
    assert_eq!(said["files"]["created"], json!([]));
    let binary = place.attempt(&shell("printf '\\377'"), &words);
    let said: Value = serde_json::from_str(&binary.printed).unwrap();
    assert_eq!(
        said["output"],
        json!({"bytes": 1, "text": null, "base64": "/w=="})
    );
}

#[test]
fn a_failure_and_a_result_of_another_shape_end_with_2() {
    let place = Place::new();
    let cases: [(&str, &str); 8] = [
        ("exit 3", "the program ended with code 3"),
        ("exit 153", "exceeded `file_bytes_max`"),
        ("kill -9 $$", "the program was ended by signal 9"),
        ("while :; do :; done", "it took too long (`wall_ms`, 700)"),
        (
            "head -c 9999 /dev/urandom",
            "more output than its limit (`output_bytes_max`, 4096)",
        ),
        (
            "exec head -c 99999 /dev/urandom >a",
            "a larger file than its limit (`file_bytes_max`, 65536)",
        ),
        (
            "for i in 1 2 3 4 5 6 7 8 9; do sleep 9 & done; wait",
            "more processes than its limit (`processes_max`, 8)",
        ),
        ("echo 7", "does not fit its `output_schema` at /: "),
    ];
    for (script, said) in cases {
        let mut tool = shell(script);
        tool["output_schema"] = json!({"type": "object"});
        if script.starts_with("while") {
            tool["exec"]["limits"]["wall_ms"] = json!(700);
        }
        let ended = place.attempt(&tool, &WORDS);
        assert_eq!(ended.code, Some(2), "{script}: {ended:?}");
        one_sentence(&ended.said, &[said]);
        assert!(ended.printed.contains("outcome   "), "{script}: {ended:?}");
    }
}

/// The words of a call, the exit code, the problem and the repair.
const ERRORS: &str = r#"
path | 64 | `path` has no `=` | write `name=value`
pth=a | 64 | takes no argument `pth` | did you mean `path`?
zzzzzzzz=a | 64 | takes no argument `zzzzzzzz` | write one of: path, many, count
path=a path=b | 64 | `path` is there twice | remove one
count=three | 64 | `count` cannot be read as JSON | correct it
many=[1 | 64 | `many` cannot be read as JSON | correct it
path=a count=1 | 64 | of `test.sh` at /: "many" is a required property | correct them, or the schema
{"path":1} | 64 | do not fit the `input_schema` of `test.sh` | correct them, or the schema
{"path": | 64 | the arguments cannot be read as JSON | correct it
many=x path=y count=1 --workspace none | 1 | none | No such file
many=x path=y count=1 --workspace many | 64 | 10000 files and folders or the 64 MiB | name a smaller folder
many=x path=y count=1 --workspace large | 64 | 10000 files and folders or the 64 MiB | name a smaller folder
"#;

#[test]
fn every_error_before_a_trial_says_what_to_write() {
    let place = Place::new();
    fs::create_dir(place.path("many")).unwrap();
    for number in 0..10_001 {
        fs::File::create(place.path("many").join(number.to_string())).unwrap();
    }
    fs::create_dir(place.path("large")).unwrap();
    let large = fs::File::create(place.path("large/file")).unwrap();
    large.set_len((64 << 20) + 1).unwrap();
    let tool = shell("echo ran");
    for case in ERRORS.lines().filter(|line| !line.is_empty()) {
        let [words, code, problem, fix] = case.split(" | ").collect::<Vec<_>>()[..] else {
            panic!("{case}");
        };
        let words: Vec<_> = words.split(' ').collect();
        let ended = place.attempt(&tool, &words);
        assert_eq!(ended.code, code.parse().ok(), "{case}: {ended:?}");
        assert_eq!(ended.printed, "", "{case}");
        one_sentence(&ended.said, &[problem, fix]);
    }
}

/// Requires that nothing ran because of what the person wrote.
fn is_not_valid(ended: &Ended, words: &[&str]) {
    let (code, printed) = (ended.code, ended.printed.as_str());
    assert_eq!((code, printed), (Some(64), ""), "{ended:?}");
    has(&ended.said, words);
}

#[test]
fn a_tool_that_is_not_valid_is_not_tried() {
    let place = Place::new();
    let mut wrong = shell("echo ran");
    wrong["exec"]["limits"]["wall_ms"] = json!(0);
    let ended = place.attempt(&wrong, &WORDS);
    is_not_valid(
        &ended,
        &["tool.json:1:", "`wall_ms` is out of range", "fix: "],
    );

    // A real call refuses a program that tools can write.
    crate::executable::executable(&place.path("letters/own.sh"), "#!/bin/sh\necho ran\n");
    let mut own = shell("");
    own["exec"]["program"] = json!(place.path("letters/own.sh").canonicalize().unwrap());
    let ended = place.attempt(&own, &[&WORDS[..], &["--workspace", "letters"]].concat());
    is_not_valid(
        &ended,
        &[
            "lies in the workspace, which tools can write",
            "fix: move it",
        ],
    );

    let mut other = program(None, &["tool", "try", "test.other", "--file", "tool.json"]);
    let ended = end(other.current_dir(place.folder.path()));
    is_not_valid(
        &ended,
        &["there is no tool `test.other` here", "fix: ", "test.sh"],
    );
}

#[test]
fn a_path_is_judged_as_in_a_real_call() {
    let place = Place::new();
    let mut tool = shell("cat \"$1\"");
    tool["exec"]["argv"][3] = json!({"value": {"name": "path", "kind": "path", "prefix": "./"}});
    tool["exec"]["writable"] = json!(false);
    tool["effect"] = json!("read");
    let words = |path| [&[path], &WORDS[1..], &["--workspace", "letters"]].concat();
    let good = place.attempt(&tool, &words("path=a.txt"));
    assert_eq!(good.code, Some(0), "{good:?}");
    for (path, said) in [
        ("path=../a.txt", "is no path of the workspace"),
        ("path=none.txt", "correct the path"),
    ] {
        let ended = place.attempt(&tool, &words(path));
        assert_eq!(ended.code, Some(64), "{ended:?}");
        one_sentence(&ended.said, &[said]);
    }
}

#[test]
fn a_tool_that_is_built_in_is_tried_on_a_copy() {
    let place = Place::new();
    let tool = |name: &str, schema: Value| {
        json!({"name": name, "description": "Built in.", "effect": "write", "risk": "low", "output": "untrusted",
            "input_schema": {"type": "object", "properties": schema}})
    };
    let texts = json!({"path": {"type": "string"}, "text": {"type": "string"}});
    let write = tool("file.write", texts.clone());
    let words = ["path=a.txt", "text=new", "--workspace", "letters"];
    let ended = place.attempt(&write, &words);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    has(
        &ended.printed,
        &[
            "outcome   it succeeded",
            "files     changed a.txt (3 bytes)",
            "\"sha256\"",
        ],
    );
    assert!(!ended.printed.contains("refused"), "{ended:?}");
    assert_eq!(fs::read(place.path("letters/a.txt")).unwrap(), b"one two\n");
    let read = place.attempt(&tool("file.read", texts), &["path=none.txt"]);
    assert_eq!(read.code, Some(2), "{read:?}");
    one_sentence(&read.said, &["`file.read` did not succeed: "]);
    let now = place.attempt(
        &tool("time.now", json!({"zone": {"type": "string"}})),
        &["zone=Europe/Berlin"],
    );
    assert_eq!(now.code, Some(0), "{now:?}");
    has(
        &now.printed,
        &["\"zone\":\"Europe/Berlin\"", "files     no change"],
    );
}

/// Requires that Ctrl-C ends a trial and leaves nothing below `folder`, once the tool has made `file` in its workspace.
/// The trial's temporary files are in `tmp` of the folder.
pub(super) async fn is_interrupted(command: &mut Command, folder: &Path, file: &str) {
    let temporary = folder.join("tmp");
    let child = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    eventually(SOON, async || {
        let mut trials = fs::read_dir(&temporary).unwrap().flatten();
        let has_started = trials.any(|trial| trial.path().join("workspace").join(file).exists());
        has_started.then_some(()).ok_or("it has not started")
    })
    .await;
    let pid = Pid::from_raw(child.id().try_into().unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(130), "{ended:?}");
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0);
    crate::kill::no_process_of(folder).await;
}

#[tokio::test]
async fn ctrl_c_ends_a_trial_and_leaves_nothing() {
    let place = Place::new();
    let script = format!(
        "echo on >started; sleep 600; : {}",
        place.folder.path().display()
    );
    fs::write(place.path("tool.json"), shell(&script).to_string()).unwrap();
    let words = [
        &["tool", "try", "test.sh", "--file", "tool.json"],
        &WORDS[..],
    ]
    .concat();
    let mut command = program(None, &words);
    command
        .current_dir(place.folder.path())
        .env("TMPDIR", place.path("tmp"));
    is_interrupted(&mut command, place.folder.path(), "started").await;
}

#[tokio::test]
async fn a_tool_of_the_signed_catalogue_is_tried() {
    let deployment = Deployment::new();
    deployment.nats().start().await;
    deployment.provision().await;
    let (invoice, text) = contractual::example::INVOICES[0];
    let folder = deployment.scratch().join("some");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join(invoice), text).unwrap();
    let paths = format!("paths={invoice}");
    let words = [
        "tool",
        "try",
        "invoice.total",
        &paths,
        "--workspace",
        folder.to_str().unwrap(),
    ];
    let ended = run(&deployment, &words);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    has(
        &ended.printed,
        &[
            "outcome   it succeeded",
            "\"invoices\":1",
            "files     no change",
        ],
    );
    let unknown = run(&deployment, &["tool", "try", "no.tool"]);
    assert_eq!(unknown.code, Some(1), "{unknown:?}");
    one_sentence(
        &unknown.said,
        &["no tool `no.tool`", "contractual tool list"],
    );
}

/// The runner and every other service have no way to a trial.
#[test]
fn only_this_command_starts_trials() {
    let services = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../services");
    let mut open = vec![services];
    let mut users = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() && !path.ends_with("tests") {
                open.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let starts = ["try_program(", "trial: true", "workspace, true, "];
                if starts.iter().any(|start| text.contains(start)) {
                    users.push(path);
                }
            }
        }
    }
    users.sort();
    let names: Vec<_> = users
        .iter()
        .map(|path| path.file_name().unwrap().to_str().unwrap())
        .collect();
    assert_eq!(names, ["attempt.rs", "trial.rs"]);
}
