//! Rules for every file of the repository.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use bus_schema::FACTS;

/// Lines that a source file has at most.
const LINES_MAX: usize = 500;
/// Free texts that a fact may hold, each for a reason.
const TEXTS: &[(&str, &str)] = &[
    // The program that connects to a host parses it, the same way for check and use.
    ("Envelope", "hosts"),
    ("Envelope", "networks"),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Words that open a clause where a noun or a verb belongs.
const CLAUSES: &[&str] = &[
    "How", "If", "So", "Such", "That", "Those", "What", "Whatever", "When", "Where", "Whether",
    "Which", "Who", "Whoever", "Whom", "Whose", "Why",
];

/// The files under `folder` whose name ends in `ending`, without hidden and built ones.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the folder can be read") {
            let entry = entry.expect("the folder can be read");
            let name = entry.file_name().to_string_lossy().into_owned();
            let kind = entry.file_type().expect("the file can be looked at");
            if name.starts_with('.') || (kind.is_dir() && name == "target") {
                continue;
            }
            if kind.is_dir() {
                folders.push(entry.path());
            } else if name.ends_with(ending) {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    found
}

/// The files with their texts.
fn read(folder: &Path, ending: &str) -> Vec<(PathBuf, String)> {
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("the file is text");
        (path, text)
    };
    files(folder, ending).into_iter().map(read).collect()
}

/// Fails with all errors at once.
fn nothing(wrong: &[String]) {
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The names that are made of letters, digits and underscores in `text`.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let separates = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
    text.split(separates).filter(|word| !word.is_empty())
}

/// The texts between backticks in each line of `text`.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .flat_map(|line| line.split('`').skip(1).step_by(2))
}

#[test]
fn no_source_file_is_longer_than_500_lines() {
    let sources = read(&root(), ".rs");
    assert!(
        sources.len() > 100,
        "only {} files were found",
        sources.len()
    );
    let long = sources
        .iter()
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > LINES_MAX)
        .map(|(path, lines)| format!("{}: {lines} lines", path.display()));
    nothing(&long.collect::<Vec<_>>());
}

#[test]
fn every_source_file_begins_with_what_it_is_responsible_for() {
    let bare = read(&root(), ".rs").into_iter().filter(|(_, text)| {
        !text.starts_with("//! ") && !text.starts_with("#![doc = include_str!(\"../README.md\")]")
    });
    nothing(
        &bare
            .map(|(path, _)| path.display().to_string())
            .collect::<Vec<_>>(),
    );
}

/// The first line of each paragraph of documentation, which `--help` shows too, with its number.
fn openings(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut before = "";
    text.lines().enumerate().filter_map(move |(number, line)| {
        let line = line.trim();
        let marker = if line.starts_with("//!") {
            "//!"
        } else {
            "///"
        };
        let continued = before.starts_with(marker) && before.len() > marker.len();
        before = line;
        let opening = line.strip_prefix(marker).filter(|_| !continued)?;
        Some((number + 1, opening.trim()))
    })
}

#[test]
fn documentation_opens_with_a_noun_or_a_verb() {
    let mut wrong = Vec::new();
    let mut looked_at = 0;
    for (path, text) in read(&root(), ".rs") {
        for (number, opening) in openings(&text) {
            looked_at += 1;
            if words(opening)
                .next()
                .is_some_and(|word| CLAUSES.contains(&word))
            {
                wrong.push(format!("{}:{number}: {opening}", path.display()));
            }
        }
    }
    assert!(looked_at > 3000, "only {looked_at} paragraphs were found");
    nothing(&wrong);
}

/// Types that many modules of a crate have by convention; they are used with the name of their module.
const CONVENTIONAL: &[&str] = &["Arguments", "Command", "Error"];

#[test]
fn no_two_types_of_a_crate_have_the_same_name() {
    let mut wrong = Vec::new();
    for (manifest, _) in read(&root(), "Cargo.toml") {
        let mut places: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
        let src = manifest.with_file_name("src");
        let sources = if src.is_dir() {
            read(&src, ".rs")
        } else {
            Vec::new()
        };
        for (path, text) in sources {
            for name in text.lines().filter_map(defined) {
                places
                    .entry(name.to_owned())
                    .or_default()
                    .push(path.clone());
            }
        }
        places.retain(|name, paths| paths.len() > 1 && !CONVENTIONAL.contains(&name.as_str()));
        wrong.extend(
            places
                .into_iter()
                .map(|(name, paths)| format!("{name}: {paths:?}")),
        );
    }
    nothing(&wrong);
}

/// The name of the type that a line begins to define.
fn defined(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let line = line.strip_prefix("pub").map_or(line, |rest| {
        let visibility = rest.strip_prefix('(').and_then(|rest| rest.split_once(')'));
        visibility.map_or(rest, |(_, rest)| rest).trim_start()
    });
    let kinds = ["struct ", "enum ", "trait ", "union "];
    let rest = kinds.iter().find_map(|kind| line.strip_prefix(kind))?;
    words(rest).next().filter(|name| rest.starts_with(name))
}

#[test]
fn nothing_is_left_for_later() {
    // In two parts, so that this file does not name it.
    let later = ["TO", "DO"].concat();
    let mut wrong = Vec::new();
    for ending in [".rs", ".md", ".toml", ".conf"] {
        for (path, text) in read(&root(), ending) {
            let at = text
                .lines()
                .position(|line| words(line).any(|word| word == later));
            wrong.extend(at.map(|line| format!("{}:{}", path.display(), line + 1)));
        }
    }
    nothing(&wrong);
}

#[test]
fn tests_write_what_they_execute_by_another_process() {
    // In two parts, so that this file does not name it.
    let mode = ["from_mode(0o7", "55)"].concat();
    let mut wrong = Vec::new();
    for (path, text) in read(&root(), ".rs") {
        if path.components().any(|part| part.as_os_str() == "tests") && text.contains(&mode) {
            wrong.push(format!("{}: use `executable`", path.display()));
        }
    }
    nothing(&wrong);
}

#[test]
fn every_crate_inherits_the_lints_and_has_a_readme() {
    let manifests = read(&root(), "Cargo.toml");
    let crates = manifests
        .iter()
        .filter(|(_, text)| text.contains("[package]"));
    let mut wrong = Vec::new();
    for (path, text) in crates {
        if !text.contains("\n[lints]\nworkspace = true\n") {
            wrong.push(format!("{} does not inherit the lints", path.display()));
        }
        let readme = path.with_file_name("README.md");
        if fs::read_to_string(&readme).is_ok_and(|text| text.lines().count() > 5) {
            continue;
        }
        wrong.push(format!("{} says too little", readme.display()));
    }
    nothing(&wrong);
}

/// The bodies of this crate's structs and enums, by name. A newtype has none: its field is private, and its
/// constructor checks the value.
fn definitions() -> BTreeMap<String, Vec<String>> {
    let mut found = BTreeMap::new();
    for (_, text) in read(&root().join("bus-schema/src"), ".rs") {
        for kind in ["pub struct ", "pub enum "] {
            for rest in text.split(kind).skip(1) {
                let name: String = rest.chars().take_while(|c| c.is_alphanumeric()).collect();
                let body = rest
                    .strip_prefix(&name)
                    .and_then(|rest| rest.strip_prefix(" {\n"));
                let body = body
                    .and_then(|body| body.split("\n}").next())
                    .unwrap_or_default();
                let lines = body.lines().map(str::trim);
                let fields = lines.filter(|line| !line.starts_with("//") && !line.starts_with('#'));
                found.insert(name, fields.map(str::to_owned).collect());
            }
        }
    }
    found
}

#[test]
fn facts_hold_no_free_text() {
    let definitions = definitions();
    let mut wrong = Vec::new();
    let mut known = BTreeSet::new();
    let fields = |spec: &bus_schema::Spec| {
        let fields = spec.fields.iter().map(|field| (*field).to_owned());
        fields
            .map(|field| (spec.kind.to_owned(), field))
            .collect::<Vec<_>>()
    };
    let mut waiting: Vec<(String, String)> = FACTS.iter().flat_map(fields).collect();
    while let Some((of, field)) = waiting.pop() {
        let field = field.trim_start_matches("pub ");
        let (name, kind) = field.split_once(": ").unwrap_or(("", field));
        let is_text = words(kind).any(|word| word == "String" || word == "str");
        if is_text && !TEXTS.contains(&(&of, name)) {
            wrong.push(format!("{of}: {field}"));
        }
        for word in words(kind) {
            if known.insert(word.to_owned()) {
                let fields = definitions.get(word).into_iter().flatten();
                waiting.extend(fields.map(|field| (word.to_owned(), field.clone())));
            }
        }
    }
    let deep = ["EnvelopeTool", "DraftGrant", "AuthorKey", "Ask"];
    assert!(deep.iter().all(|name| known.contains(*name)), "{known:?}");
    nothing(&wrong);
}

#[test]
fn every_test_that_the_security_page_names_exists() {
    let page = fs::read_to_string(root().join("SECURITY.md")).expect("the page is there");
    let sources: String = read(&root(), ".rs")
        .into_iter()
        .map(|(_, text)| text)
        .collect();
    let named: BTreeSet<_> = quoted(&page)
        .filter(|name| name.matches('_').count() >= 2 && words(name).eq([*name]))
        .collect();
    assert!(named.len() > 40, "only {} names were found", named.len());
    let missing = named
        .into_iter()
        .filter(|name| !sources.contains(&format!("fn {name}()")));
    // A property test's arguments are on lines of their own.
    let missing = missing.filter(|name| !sources.contains(&format!("fn {name}(\n")));
    nothing(&missing.map(str::to_owned).collect::<Vec<_>>());
}

#[test]
fn every_function_that_the_walkthroughs_name_exists() {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("the page is there");
    let sources: String = read(&root(), ".rs")
        .into_iter()
        .map(|(_, text)| text)
        .collect();
    let defined: BTreeSet<_> = words(&sources).collect();
    let named: BTreeSet<_> = quoted(&page).filter(|name| name.contains("::")).collect();
    assert!(named.len() > 20, "only {} names were found", named.len());
    let known = |name: &str| {
        name.split("::").all(|part| {
            let is_type = part.starts_with(|c: char| c.is_ascii_uppercase());
            defined.contains(part) && (is_type || sources.contains(&format!("fn {part}")))
        })
    };
    let missing = named.into_iter().filter(|name| !known(name));
    nothing(&missing.map(str::to_owned).collect::<Vec<_>>());
}
