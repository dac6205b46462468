//! Playbooks with inputs, conditions, branches, repetitions, waits and a summary, on real parts, also with a worker that is
//! killed in each of them.

use std::fs;

use bus_schema::AuthorId;
use harness::Deployment;

use crate::{
    cli::{end, run as command},
    jobs::{add, ok, written},
    main_job::{has, run, with_documents},
    scene::{MAY_LIST, contract, until},
};

const MAY_WRITE: &str =
    "[[allow]]\nname = \"write\"\ntool = \"file.write\"\nwhere.path = { path = \"*.md\" }\n";

const ALL_FORMS: &str = r#"
playbook = "all-forms"
purpose = "A test."
summary = "{input.title}: {list.files.*.path}, and {delete.text} is left out."

[input.title]
type = "string"
is = { prefix = "week" }

[input.times]
type = "integer"
is = { min = 1, max = 3 }
default = 1

[[step]]
id = "list"
tool = "file.list"
args = { path = ".", pattern = "*.txt" }

# The contract does not allow it.
[[step]]
id = "delete"
tool = "file.delete"
args = { path = "a.txt" }
otherwise = "keep"

[[step]]
id = "keep"
tool = "file.write"
args = { path = "kept.md", text = "Kept: {list.files.*.path}" }

[[step]]
id = "pause"
wait = "2s"

[[step]]
id = "again"
tool = "file.write"
repeat = { times = "{input.times}", at_most = 3 }
args = { path = "{input.title}-{item}.md", text = "{input.title}" }

[[step]]
id = "east"
tool = "file.write"
args = { path = "east.md", text = "east" }

[[step]]
id = "west"
tool = "file.list"
beside = "east"
args = { path = ".", pattern = "*.txt" }

[[step]]
id = "draw"
tool = "file.write"
args = { path = "draw-{item}.md", text = "Time {item}: {west.files.*.path}" }

[[step]]
id = "look"
tool = "file.list"
args = { path = ".", pattern = "draw-*.md" }
repeat = { from = "draw", at_most = 5, until = { value = "{look.files[1].path}", present = true } }

[[step]]
id = "never"
tool = "file.delete"
if = { value = "{input.title}", is = "week" }
args = { path = "a.txt" }

[[step]]
id = "last"
tool = "file.write"
unless = { value = "{delete}", present = true }
args = { path = "last.md", text = "{input.times} times, {draw.path}" }
"#;

fn rules() -> String {
    contract("week", &format!("{MAY_LIST}{MAY_WRITE}"))
}

#[tokio::test]
async fn playbook_of_all_forms_runs_once_though_the_worker_is_killed_in_each_of_them() {
    let (deployment, arguments) = with_documents(&rules(), ALL_FORMS).await;
    let title = deployment.scratch().join("title.txt");
    fs::write(&title, "week 7").unwrap();
    let title = format!("title=@{}", title.display());
    let mut following = run(
        &deployment,
        &arguments,
        &["--input", &title, "--input", "times=3"],
    );
    let running = tokio::task::spawn_blocking(move || end(&mut following));
    // In the branch, in the wait, in the repetition, beside another step, and in the block.
    for (kind, count) in [
        ("action.refused", 1),
        ("action.finished", 2),
        ("action.finished", 4),
        ("action.finished", 6),
        ("action.finished", 9),
    ] {
        until(&deployment, kind, count).await;
        assert!(deployment.kill(AuthorId::Worker));
        deployment.start(AuthorId::Worker).await;
    }
    let ended = running.await.unwrap();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let files = "2026-09-brandt-printing.txt";
    has(
        &ended.printed,
        &[
            r#"signed by the owner with {"times":3,"title":"week 7"}"#,
            "step `delete`: 1 refused, so `keep` came instead",
            "week 7: ",
            files,
            "and – is left out.",
        ],
    );
    let folder = deployment.workspace();
    for (file, text) in [
        ("week 7-1.md", "week 7"),
        ("week 7-2.md", "week 7"),
        ("week 7-3.md", "week 7"),
        ("east.md", "east"),
        ("last.md", "3 times, draw-2.md"),
    ] {
        assert_eq!(fs::read_to_string(folder.join(file)).unwrap(), text);
    }
    let kept = fs::read_to_string(folder.join("kept.md")).unwrap();
    assert!(kept.contains(files), "{kept}");
    let record = deployment.record().await;
    // list, delete, keep, three times again, east, west, twice draw and look, last.
    assert_eq!(record.count("action.proposed"), 13);
    assert_eq!(record.count("action.started"), 12);
    assert_eq!(record.junk().count(), 0);
    let times = |kind: &str, nth: usize| record.of(kind).nth(nth).unwrap().stored.stored;
    let waited = times("action.proposed", 3).ms_since(times("action.finished", 1));
    assert!(waited >= 2_000, "{waited}");
    let task = deployment.gateway().tasks().await.unwrap().tasks[0].task;
    let shown = command(&deployment, &["task", "show", &task.to_string()]);
    has(&shown.printed, &["week 7: ", "and – is left out."]);
    made_from(&deployment, &arguments, &task.to_string());
}

/// A playbook from a recorded task makes the same calls again, without those that were refused.
fn made_from(deployment: &Deployment, arguments: &[String; 4], task: &str) {
    let made = deployment.scratch().join("made.toml");
    let made = made.to_str().unwrap();
    let from = command(deployment, &["playbook", "from", task, "--out", made]);
    assert_eq!(from.code, Some(0), "{from:?}");
    has(&from.printed, &["1 of the task's calls", "12 steps"]);
    let again = command(deployment, &["playbook", "from", task, "--out", made]);
    assert_eq!(again.code, Some(64), "{again:?}");
    let checked = command(deployment, &["playbook", "check", made]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
    let folder = deployment.workspace();
    let files = ["kept.md", "week 7-1.md", "week 7-3.md", "last.md"];
    let texts = || files.map(|file| fs::read_to_string(folder.join(file)).ok());
    let before = texts();
    for file in files {
        fs::remove_file(folder.join(file)).unwrap();
    }
    let mut arguments = arguments.clone();
    arguments[3] = made.to_owned();
    let ran = end(&mut run(deployment, &arguments, &[]));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(texts(), before);
}

#[tokio::test]
async fn inputs_that_do_not_fit_are_named_before_anything_is_submitted() {
    let (deployment, arguments) = with_documents(&rules(), ALL_FORMS).await;
    let each = "write `--input <name>=<value>` for each input";
    for (set, problem) in [
        (
            &[][..],
            "the input `title` has no value; it is a string that begins with \"week\"",
        ),
        (&["title"], "`--input title` has no `=`"),
        (
            &["tittle=week"],
            "has no input `tittle`; did you mean `title`?",
        ),
        (
            &["title=month"],
            "the value of the input `title` is not a string that begins with \"week\"",
        ),
        (
            &["title=week", "times=4"],
            "the value of the input `times` is not an integer from 1 to 3",
        ),
        (
            &["title=week", "title=week"],
            "the input `title` is given twice",
        ),
        (&["title=@/nowhere/at-all"], "/nowhere/at-all"),
    ] {
        let set: Vec<_> = set.iter().flat_map(|one| ["--input", one]).collect();
        let ended = end(&mut run(&deployment, &arguments, &set));
        assert_ne!(ended.code, Some(0), "{ended:?}");
        has(&ended.said, &[problem]);
        if problem.starts_with("the value") {
            assert_eq!(ended.code, Some(64), "{ended:?}");
            has(&ended.said, &[each]);
        }
    }
    assert_eq!(deployment.record().await.count("task.submitted"), 0);
}

const OF_JOB: &str = r#"
playbook = "of-job"
purpose = "A test."
summary = "{input.pattern}"

[input.pattern]
type = "string"

[[step]]
id = "list"
tool = "file.list"
args = { path = ".", pattern = "{input.pattern}" }
"#;

#[tokio::test]
async fn job_gives_inputs_in_its_document() {
    let deployment = Deployment::running().await;
    let when = "[when]\nevery = \"1s\"\n";
    let file = written(&deployment, when).await;
    fs::write(deployment.scratch().join("count.playbook.toml"), OF_JOB).unwrap();
    let refused = add(&deployment, &file);
    assert_eq!(refused.code, Some(64), "{refused:?}");
    has(
        &refused.said,
        &[
            "the input `pattern` has no value",
            "under `[inputs]` of the job",
        ],
    );
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{text}\n[inputs]\npattern = \"*.md\"\n")).unwrap();
    ok(add(&deployment, &file));
    let record = until(&deployment, "task.finished", 1).await;
    let ended = record.of("task.finished").next().unwrap();
    assert_eq!(ended.fact["outcome"], "succeeded");
    let shown = command(
        &deployment,
        &["task", "show", &ended.task().unwrap().to_string()],
    );
    has(&shown.printed, &["*.md"]);
}
