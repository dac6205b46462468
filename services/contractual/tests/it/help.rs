//! The help of every command, by the command line's own table.

use std::{collections::BTreeMap, fs, path::Path};

use clap::CommandFactory as _;
use contractual::CommandLine;

/// The text after the arguments in the help of every visible command and group, by command.
fn helps(command: &clap::Command, path: &str, found: &mut BTreeMap<String, String>) {
    for inner in command
        .get_subcommands()
        .filter(|inner| !inner.is_hide_set())
    {
        let path = format!("{path} {}", inner.get_name());
        let after = inner.get_after_help();
        found.insert(
            path.clone(),
            after.map(ToString::to_string).unwrap_or_default(),
        );
        helps(inner, &path, found);
    }
}

fn all() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    helps(&CommandLine::command(), "contractual", &mut found);
    found
}

#[test]
fn every_command_and_every_group_has_an_example_that_names_it() {
    let found = all();
    assert!(found.len() > 25, "{:?}", found.keys());
    for (path, after) in found {
        let example = after.lines().find(|line| line.starts_with("Example: "));
        let example = example.unwrap_or_else(|| panic!("{path} has no example"));
        assert!(example.contains(&path), "{path}: {example}");
    }
}

#[test]
fn the_readme_names_every_command() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(readme).unwrap();
    let rows: Vec<_> = readme
        .lines()
        .filter(|line| line.starts_with("| `"))
        .collect();
    let found = all();
    let is_group = |path: &str| found.keys().any(|one| one.starts_with(&format!("{path} ")));
    for path in found.keys().filter(|path| !is_group(path)) {
        let words = path.trim_start_matches("contractual ");
        let named = |row: &&str| {
            let cells = row.trim_start_matches("| ").split(" | ");
            let mut commands = cells.take(1).flat_map(|cell| cell.split('`'));
            commands.any(|one| format!("{one} ").starts_with(&format!("{words} ")))
        };
        assert!(rows.iter().any(named), "{path} is in no row of the table");
    }
}
