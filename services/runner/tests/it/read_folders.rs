//! Tests that a program reads the folders that its entry names, and can neither write there nor reach further.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use runner::{
    ExecError, ExecTool, ExecToolEntry, Finished, FolderError, Missing, Outcome, ToolError,
};
use serde_json::json;

use crate::call::{Ground, sh, text};
use crate::executable::executable;

/// Returns a ground with `reference`, which may be read, and `secret`, which may not.
fn ground() -> (Ground, PathBuf) {
    let ground = Ground::new();
    let reference = ground.root.join("reference");
    fs::create_dir_all(reference.join("deep")).unwrap();
    fs::create_dir(ground.root.join("secret")).unwrap();
    fs::write(reference.join("a.txt"), "known\n").unwrap();
    fs::write(reference.join("deep/b.txt"), "deeper\n").unwrap();
    fs::write(ground.root.join("secret/c.txt"), "secret\n").unwrap();
    (ground, reference)
}

fn reading(script: &str, folders: &[&Path]) -> ExecToolEntry {
    let mut entry = sh(script);
    entry.folders = folders.iter().map(|path| (*path).to_owned()).collect();
    entry
}

#[track_caller]
fn is_refused(ran: Result<Finished, ExecError>, why: &str) {
    match ran {
        Err(ExecError::Folder(refusal)) => {
            assert_eq!(refusal.missing, Missing::Folder);
            assert!(refusal.detail.contains(why), "{refusal}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_program_reads_the_folders_of_its_entry_and_no_other_one() {
    let (ground, reference) = ground();
    let at = reference.display();
    let script = format!("cat {at}/a.txt {at}/deep/b.txt; ls {at}");
    let ran = ground.run(reading(&script, &[&reference])).await.unwrap();
    assert_eq!(ran.outcome, Outcome::Succeeded);
    assert_eq!(text(&ran), "known\ndeeper\na.txt\ndeep\n");
    let ran = ground.run(sh(&script)).await.unwrap();
    assert_ne!(ran.outcome, Outcome::Succeeded);
    assert_eq!(text(&ran), "");
    for beside in ["secret/c.txt", "reference/../secret/c.txt"] {
        let script = format!("cat {}/{beside}", ground.root.display());
        let ran = ground.run(reading(&script, &[&reference])).await.unwrap();
        assert_ne!(ran.outcome, Outcome::Succeeded, "{beside}");
        assert_eq!(text(&ran), "", "{beside}");
    }
}

#[tokio::test]
async fn a_program_changes_nothing_in_a_folder_that_it_may_read() {
    let (ground, reference) = ground();
    let at = reference.display();
    executable(&reference.join("run"), "#!/bin/sh\necho ran > out\n");
    fs::write(ground.workspace.join("mine"), "mine\n").unwrap();
    for change in [
        format!("echo x > {at}/a.txt"),
        format!("echo x >> {at}/a.txt"),
        format!("echo x > {at}/new.txt"),
        format!("mkdir {at}/new"),
        format!("rm {at}/a.txt"),
        format!("rmdir {at}/deep"),
        format!("mv {at}/a.txt {at}/moved.txt"),
        format!("mv {at}/a.txt taken.txt 2>/dev/null; test ! -e {at}/a.txt"),
        format!("mv mine {at}/mine 2>/dev/null; test -e {at}/mine"),
        format!("ln -s /etc {at}/link"),
        format!("truncate -s 0 {at}/a.txt"),
        format!("{at}/run"),
    ] {
        let ran = ground.run(reading(&change, &[&reference])).await.unwrap();
        assert_ne!(ran.outcome, Outcome::Succeeded, "{change}");
    }
    assert_eq!(
        fs::read_to_string(reference.join("a.txt")).unwrap(),
        "known\n"
    );
    let names = fs::read_dir(&reference).unwrap();
    assert_eq!(names.count(), 3);
    assert!(!ground.workspace.join("out").exists());
}

#[tokio::test]
async fn a_link_in_a_folder_leads_no_further_than_what_the_program_may_read() {
    let (ground, reference) = ground();
    symlink(ground.root.join("secret"), reference.join("out")).unwrap();
    symlink(
        ground.root.join("secret/c.txt"),
        ground.workspace.join("out"),
    )
    .unwrap();
    symlink(reference.join("a.txt"), ground.workspace.join("in")).unwrap();
    let script = format!("cat {}/out/c.txt out; cat in", reference.display());
    let ran = ground.run(reading(&script, &[&reference])).await.unwrap();
    assert_eq!(text(&ran), "known\n");
}

#[tokio::test]
async fn a_folder_that_is_a_link_or_missing_or_overlaps_is_refused_before_anything_runs() {
    let (ground, reference) = ground();
    let link = ground.root.join("link");
    symlink(&reference, &link).unwrap();
    let file = reference.join("a.txt");
    let inside = ground.workspace.join("inside");
    fs::create_dir(&inside).unwrap();
    for (folder, why) in [
        (&link, "is a link"),
        (&link.join("deep"), "is a link"),
        (&ground.root.join("missing"), "cannot be read"),
        (&file, "cannot be read"),
        (&ground.workspace, "overlaps"),
        (&inside, "overlaps"),
        (&ground.root, "overlaps"),
        (&ground.scratch, "overlaps"),
    ] {
        let ran = ground.run(reading("echo ran > out", &[folder])).await;
        is_refused(ran, why);
        assert!(!ground.workspace.join("out").exists(), "{why}");
    }
}

#[tokio::test]
async fn no_program_reads_the_runners_own_folders_or_what_other_calls_write() {
    let (ground, reference) = ground();
    let (state, other) = (ground.root.join("state"), ground.root.join("other"));
    fs::create_dir_all(state.join("deep")).unwrap();
    fs::create_dir_all(other.join("deep")).unwrap();
    let cage = ground.cage();
    let (written, own) = ([other.clone()], [state.clone()]);
    let cage = cage.keep_out(&written, &own).unwrap();
    let run = async |folder: &Path| {
        let tool = ExecTool::try_from(reading("true", &[folder])).unwrap();
        runner::run(&cage, &tool, &json!({}), &ground.open()).await
    };
    for folder in [&state, &state.join("deep"), &other, &other.join("deep")] {
        is_refused(run(folder).await, "overlaps");
    }
    assert_eq!(run(&reference).await.unwrap().outcome, Outcome::Succeeded);
}

#[test]
fn folders_of_an_entry_are_plain_and_few() {
    let refused = |folders: Vec<PathBuf>| {
        let mut entry = sh("true");
        entry.folders = folders;
        match entry.is_in_range() {
            Err(ToolError::Folder(error)) => error,
            other => panic!("{other:?}"),
        }
    };
    for path in [
        "reference",
        "",
        "/srv/../etc",
        "/srv/./a",
        "/srv//a",
        "/srv/a/",
    ] {
        let path = PathBuf::from(path);
        assert_eq!(refused(vec![path.clone()]), FolderError::NotPlain(path));
    }
    for path in ["/", "/proc", "/proc/self", "/sys/kernel", "/dev"] {
        let path = PathBuf::from(path);
        assert_eq!(refused(vec![path.clone()]), FolderError::TooWide(path));
    }
    let many = (0..17).map(|number| PathBuf::from(format!("/srv/{number}")));
    assert_eq!(refused(many.collect()), FolderError::TooMany);
}
