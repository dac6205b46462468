//! Tests that calls act in the folders of their contract, and that folders that are only read stay as they are.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use bus_schema::{ContractFolders, FolderName};
use runner::{
    AbsentFolder, Arg, ArgsError, ExecTool, FileTool, Folders, FoldersError, Kind, Lost, Outcome,
    PathError, Workspace,
};
use serde_json::{Value, json};

use crate::call::{Ground, program, text};

/// A ground with the further workspace `photos` and the read folder `reference`.
struct Place {
    ground: Ground,
    photos: PathBuf,
    reference: PathBuf,
}

impl Place {
    fn new() -> Self {
        let ground = Ground::new();
        let (photos, reference) = (ground.root.join("photos"), ground.root.join("reference"));
        fs::create_dir(&photos).unwrap();
        fs::create_dir_all(reference.join("deep")).unwrap();
        fs::write(ground.workspace.join("a.txt"), "main\n").unwrap();
        fs::write(photos.join("a.txt"), "photos\n").unwrap();
        fs::write(photos.join("b.txt"), "more\n").unwrap();
        fs::write(reference.join("a.md"), "known\n").unwrap();
        fs::write(reference.join("deep/b.json"), "{\"x\": 1}").unwrap();
        fs::write(reference.join("t.csv"), "name\nann\n").unwrap();
        Self {
            ground,
            photos,
            reference,
        }
    }

    fn folders(&self) -> Folders {
        let named = |text: &str, path: &Path| BTreeMap::from([(name(text), path.to_owned())]);
        Folders::open(
            &self.ground.workspace,
            &named("photos", &self.photos),
            &named("reference", &self.reference),
            std::slice::from_ref(&self.ground.scratch),
        )
        .unwrap()
    }

    /// Returns the main workspace with the read folder.
    fn reading(&self) -> Workspace {
        self.folders().of(&reading(&["reference"])).unwrap()
    }
}

fn name(text: &str) -> FolderName {
    text.parse().unwrap()
}

fn acting(workspace: &str) -> ContractFolders {
    ContractFolders {
        workspace: Some(name(workspace)),
        read: Vec::new(),
    }
}

fn reading(names: &[&str]) -> ContractFolders {
    ContractFolders {
        workspace: None,
        read: names.iter().map(|text| name(text)).collect(),
    }
}

fn call(workspace: &Workspace, tool: &str, args: &Value) -> Result<String, String> {
    let tool = FileTool::named(tool).unwrap();
    match workspace.call(tool, args.to_string().as_bytes()) {
        Ok(output) => Ok(String::from_utf8(output).unwrap()),
        Err(error) => Err(format!("{error}: {:?}", std::error::Error::source(&error))),
    }
}

#[test]
fn a_contract_acts_in_its_workspace_and_reaches_no_other() {
    let place = Place::new();
    let folders = place.folders();
    let photos = folders.of(&acting("photos")).unwrap();
    let main = folders.of(&ContractFolders::default()).unwrap();
    let read =
        |workspace: &Workspace, path: &str| call(workspace, "file.read", &json!({"path": path}));
    assert_eq!(read(&photos, "a.txt").unwrap(), "photos\n");
    assert_eq!(read(&main, "a.txt").unwrap(), "main\n");
    for path in [
        "../workspace/a.txt",
        "workspace/a.txt",
        "@main/a.txt",
        "@reference/a.md",
        "@photos/a.txt",
    ] {
        read(&photos, path).unwrap_err();
    }
    read(
        &photos,
        place.ground.workspace.join("a.txt").to_str().unwrap(),
    )
    .unwrap_err();
    read(&main, "b.txt").unwrap_err();
    call(
        &photos,
        "file.write",
        &json!({"path": "new.txt", "text": "x"}),
    )
    .unwrap();
    call(&photos, "file.delete", &json!({"path": "a.txt"})).unwrap();
    assert_eq!(
        fs::read_to_string(place.ground.workspace.join("a.txt")).unwrap(),
        "main\n"
    );
    assert!(!place.ground.workspace.join("new.txt").exists());
    assert!(place.photos.join("new.txt").exists());
    symlink(&place.ground.workspace, place.photos.join("out")).unwrap();
    read(&photos, "out/a.txt").unwrap_err();
}

#[tokio::test]
async fn a_program_acts_in_the_workspace_of_its_contract() {
    let place = Place::new();
    let photos = place.folders().of(&acting("photos")).unwrap();
    let script = format!(
        "cat a.txt; cat {0}/a.txt; echo x > {0}/b.txt; echo y > c.txt",
        place.ground.workspace.display()
    );
    let tool = ExecTool::try_from(program(Path::new("sh"), &["-c", &script])).unwrap();
    let ran = runner::run(&place.ground.cage(), &tool, &json!({}), &photos)
        .await
        .unwrap();
    assert_eq!(text(&ran), "photos\n");
    assert!(place.photos.join("c.txt").exists());
    assert!(!place.ground.workspace.join("b.txt").exists());
}

#[test]
fn a_folder_that_the_configuration_lacks_is_named_with_what_to_do() {
    let folders = Place::new().folders();
    // The names of the two kinds are apart from each other.
    for lacking in ["music", "reference"] {
        let absent = folders.of(&acting(lacking)).unwrap_err();
        assert_eq!(absent, AbsentFolder::Workspace(name(lacking)));
        assert!(
            absent.to_string().contains("`[service.workspaces]`"),
            "{absent}"
        );
    }
    for lacking in ["music", "photos"] {
        let absent = folders.of(&reading(&["reference", lacking])).unwrap_err();
        assert_eq!(absent, AbsentFolder::Read(name(lacking)));
        assert!(
            absent.to_string().contains("`[service.folders]`"),
            "{absent}"
        );
    }
}

#[test]
fn tools_that_read_reach_the_folders_of_the_contract_by_their_names() {
    let place = Place::new();
    let workspace = place.reading();
    let said = |tool: &str, args: Value| call(&workspace, tool, &args).unwrap();
    assert_eq!(
        said("file.read", json!({"path": "@reference/a.md"})),
        "known\n"
    );
    assert_eq!(said("file.read", json!({"path": "a.txt"})), "main\n");
    for (tool, args, part) in [
        (
            "file.list",
            json!({"path": "@reference"}),
            "\"path\":\"@reference/deep/b.json\"",
        ),
        (
            "file.list",
            json!({"path": "@reference/deep"}),
            "\"path\":\"@reference/deep/b.json\"",
        ),
        (
            "file.list",
            json!({"path": "@reference", "pattern": "*.md"}),
            "\"files\":[{\"path\":\"@reference/a.md\"",
        ),
        (
            "file.search",
            json!({"path": "@reference", "pattern": "kno"}),
            "\"path\":\"@reference/a.md\"",
        ),
        (
            "text.diff",
            json!({"path": "@reference/a.md", "to": "a.txt"}),
            "+main",
        ),
        (
            "json.query",
            json!({"path": "@reference/deep/b.json", "pointers": ["/x"]}),
            "\"value\":1",
        ),
        ("csv.query", json!({"path": "@reference/t.csv"}), "ann"),
    ] {
        let found = said(tool, args);
        assert!(found.contains(part), "{tool}: {found}");
    }
    assert!(!said("file.list", json!({"path": "."})).contains("reference"));
}

#[test]
fn no_file_tool_changes_a_folder_that_is_only_read() {
    let place = Place::new();
    let workspace = place.reading();
    let diff = "--- a.md\n+++ a.md\n@@ -1 +1 @@\n-known\n+changed\n";
    let mut tried = 0;
    for path in [
        "@reference/a.md",
        "@reference/new.md",
        "@reference/deep/new/x.md",
        "@reference",
        "@reference/../a.md",
        "@Reference/a.md",
        "@other/a.md",
        "@",
        "@/a.md",
    ] {
        for (tool, args) in [
            ("file.write", json!({"path": path, "text": "x"})),
            ("file.delete", json!({"path": path})),
            ("file.move", json!({"path": path, "to": "taken.txt"})),
            (
                "file.move",
                json!({"path": "a.txt", "to": path, "overwrite": true}),
            ),
            ("file.trash", json!({"path": path})),
            ("file.patch", json!({"path": path, "diff": diff})),
        ] {
            call(&workspace, tool, &args).unwrap_err();
            tried += 1;
        }
    }
    assert_eq!(tried, 54);
    assert_eq!(
        fs::read_to_string(place.reference.join("a.md")).unwrap(),
        "known\n"
    );
    assert_eq!(fs::read_dir(&place.reference).unwrap().count(), 3);
    let names = fs::read_dir(&place.ground.workspace).unwrap();
    let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["a.txt"]);
    let refused = |path: &str| {
        call(
            &workspace,
            "file.write",
            &json!({"path": path, "text": "x"}),
        )
        .unwrap_err()
    };
    assert!(
        refused("@reference/a.md").contains("ReadOnly"),
        "{}",
        refused("@reference/a.md")
    );
    assert!(
        refused("@other/a.md").contains("Folder([\"reference\"])"),
        "{}",
        refused("@other/a.md")
    );
}

#[test]
fn a_name_of_the_workspace_never_stands_for_a_folder_nor_the_other_way_round() {
    let place = Place::new();
    let own = place.ground.workspace.join("@reference");
    fs::create_dir(&own).unwrap();
    fs::write(own.join("a.md"), "own\n").unwrap();
    fs::create_dir(place.ground.workspace.join("@types")).unwrap();
    let read =
        |workspace: &Workspace| call(workspace, "file.read", &json!({"path": "@reference/a.md"}));
    // A contract without folders decides and acts as ever.
    let plain = place.folders().of(&ContractFolders::default()).unwrap();
    assert_eq!(read(&plain).unwrap(), "own\n");
    let workspace = place.reading();
    assert_eq!(read(&workspace).unwrap(), "known\n");
    for (tool, args) in [
        ("file.list", json!({"path": "."})),
        ("file.search", json!({"path": ".", "pattern": "own"})),
    ] {
        let found: Value = serde_json::from_str(&call(&workspace, tool, &args).unwrap()).unwrap();
        let left_out: Vec<&str> = found["left_out"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["path"].as_str().unwrap())
            .collect();
        assert_eq!(left_out, ["@reference", "@types"], "{tool}");
        assert!(!found.to_string().contains("a.md"), "{tool}: {found}");
    }
    // Below the top, such a name is like any other.
    fs::create_dir(place.ground.workspace.join("node")).unwrap();
    fs::write(place.ground.workspace.join("node/@x"), "deep\n").unwrap();
    assert_eq!(
        call(&workspace, "file.read", &json!({"path": "node/@x"})).unwrap(),
        "deep\n"
    );
}

#[test]
fn no_link_leads_between_the_folders() {
    let place = Place::new();
    symlink(&place.ground.workspace, place.reference.join("in")).unwrap();
    symlink(place.photos.join("a.txt"), place.reference.join("file")).unwrap();
    symlink(&place.reference, place.ground.workspace.join("out")).unwrap();
    let workspace = place.reading();
    for path in ["@reference/in/a.txt", "@reference/file", "out/a.md"] {
        call(&workspace, "file.read", &json!({"path": path})).unwrap_err();
    }
    call(
        &workspace,
        "file.write",
        &json!({"path": "out/a.md", "text": "x"}),
    )
    .unwrap_err();
    assert_eq!(
        fs::read_to_string(place.reference.join("a.md")).unwrap(),
        "known\n"
    );
}

#[test]
fn a_folder_that_is_replaced_is_not_used_any_more() {
    let place = Place::new();
    let folders = place.folders();
    assert_eq!(folders.are_in_place(), Ok(()));
    for (path, named) in [
        (&place.reference, reading(&["reference"])),
        (&place.photos, acting("photos")),
    ] {
        let aside = place.ground.root.join("aside");
        fs::rename(path, &aside).unwrap();
        fs::create_dir(path).unwrap();
        fs::write(path.join("a.txt"), "other\n").unwrap();
        assert!(matches!(folders.are_in_place(), Err(Lost::Replaced(_))));
        let workspace = folders.of(&named).unwrap();
        assert!(matches!(workspace.is_in_place(), Err(Lost::Replaced(_))));
        call(&workspace, "file.read", &json!({"path": "a.txt"})).unwrap_err();
        // Calls of other contracts go on.
        let main = folders.of(&ContractFolders::default()).unwrap();
        assert_eq!(
            call(&main, "file.read", &json!({"path": "a.txt"})).unwrap(),
            "main\n"
        );
        fs::remove_dir_all(path).unwrap();
        fs::rename(&aside, path).unwrap();
        assert_eq!(folders.are_in_place(), Ok(()));
    }
}

/// Returns a tool whose argument is a path.
fn with_path(argv: &[&str], prefix: &str, write: bool) -> ExecTool {
    let mut entry = program(Path::new("sh"), argv);
    entry.argv.push(Arg::Value {
        name: "path".to_owned(),
        kind: Kind::Path,
        prefix: prefix.to_owned(),
        write,
    });
    entry.writable = write;
    ExecTool::try_from(entry).unwrap()
}

#[tokio::test]
async fn a_program_reads_the_paths_that_it_is_given_and_changes_nothing_there() {
    let place = Place::new();
    let (cage, workspace) = (place.ground.cage(), place.reading());
    let run = async |script: &str, prefix: &str, path: &str| {
        let tool = with_path(&["-c", script, "sh"], prefix, false);
        runner::run(&cage, &tool, &json!({"path": path}), &workspace)
            .await
            .unwrap()
    };
    for prefix in ["", "./"] {
        let ran = run("cat \"$1\"", prefix, "@reference/a.md").await;
        assert_eq!(
            (text(&ran).as_str(), ran.outcome),
            ("known\n", Outcome::Succeeded)
        );
        let ran = run("cat \"$1\"/b.json", prefix, "@reference/deep").await;
        assert_eq!(text(&ran), "{\"x\": 1}");
        let ran = run("ls \"$1\"", prefix, "@reference").await;
        assert_eq!(text(&ran), "a.md\ndeep\nt.csv\n");
    }
    for script in [
        "echo x > \"$1\"",
        "truncate -s 0 \"$1\"",
        "rm \"$1\"",
        "mv \"$1\" x",
        "cat \"$1\"/../t.csv",
        "cat \"${1%a.md}t.csv\"",
        "echo x > \"${1%a.md}new\"",
    ] {
        let ran = run(script, "./", "@reference/a.md").await;
        assert_ne!(ran.outcome, Outcome::Succeeded, "{script}");
    }
    assert_eq!(
        fs::read_to_string(place.reference.join("a.md")).unwrap(),
        "known\n"
    );
    assert_eq!(fs::read_dir(&place.reference).unwrap().count(), 3);
    let writing = with_path(&["-c", "echo x > \"$1\"", "sh"], "./", true);
    for (path, why) in [
        ("@reference/a.md", PathError::ReadOnly),
        ("@reference/new.md", PathError::ReadOnly),
        (
            "@other/a.md",
            PathError::Folder(vec!["reference".to_owned()]),
        ),
    ] {
        let ran = runner::run(&cage, &writing, &json!({"path": path}), &workspace).await;
        match ran {
            Err(runner::ExecError::Args(ArgsError::Path { source, .. })) => assert_eq!(source, why),
            other => panic!("{other:?}"),
        }
    }
    // A program that sees the whole workspace sees nothing of the folder.
    let script = format!("cat {}/a.md", place.reference.display());
    let tool = ExecTool::try_from(program(Path::new("sh"), &["-c", &script])).unwrap();
    let ran = runner::run(&cage, &tool, &json!({}), &workspace)
        .await
        .unwrap();
    assert_ne!(ran.outcome, Outcome::Succeeded);
}

#[test]
fn folders_of_a_configuration_are_apart_from_each_other_and_from_the_runners_own() {
    let place = Place::new();
    let Ground {
        root,
        workspace,
        scratch,
    } = &place.ground;
    let inside = workspace.join("inside");
    fs::create_dir(&inside).unwrap();
    let link = root.join("link");
    symlink(&place.photos, &link).unwrap();
    let one = |text: &str, path: &Path| BTreeMap::from([(name(text), path.to_owned())]);
    let none = BTreeMap::new();
    let own = [scratch.clone()];
    let apart = [
        (one("x", &inside), none.clone()),
        (one("x", workspace), none.clone()),
        (one("x", root), none.clone()),
        (none.clone(), one("x", &inside)),
        (none.clone(), one("x", workspace)),
        (none.clone(), one("x", root)),
        (none.clone(), one("x", scratch)),
        (one("x", &place.photos), one("y", &link)),
    ];
    for (workspaces, read) in apart {
        let opened = Folders::open(workspace, &workspaces, &read, &own);
        assert!(
            matches!(opened, Err(FoldersError::Overlap { .. })),
            "{workspaces:?} {read:?}"
        );
    }
    // No workspace holds the runner's own folder.
    let holding = Folders::open(root, &none, &none, &own);
    assert!(matches!(holding, Err(FoldersError::Overlap { .. })));
    let system = Folders::open(workspace, &none, &one("x", Path::new("/usr/share")), &own);
    assert!(matches!(system, Err(FoldersError::System { .. })));
    let missing = Folders::open(workspace, &one("x", &root.join("missing")), &none, &own);
    assert!(matches!(missing, Err(FoldersError::Unusable { .. })));
    let main = Folders::open(workspace, &one("main", &place.photos), &none, &own);
    assert!(matches!(main, Err(FoldersError::Main)));
    let twice = Folders::open(
        workspace,
        &one("x", &place.photos),
        &one("x", &place.reference),
        &own,
    );
    assert!(matches!(twice, Err(FoldersError::Twice(_))));
    let many = (0..17).map(|number| (name(&format!("f{number}")), root.join("missing")));
    let many = Folders::open(workspace, &none, &many.collect(), &own);
    assert!(matches!(many, Err(FoldersError::TooMany("folders"))));
}
