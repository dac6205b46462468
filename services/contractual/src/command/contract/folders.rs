//! Compares the folders that a contract names with those of the runner's configuration.

use bus_schema::{AuthorId, ContractFolders};
use deployment::Dir;

/// Returns what the runner lacks, one sentence each; nothing if its configuration cannot be read here.
pub(super) fn lacking(dir: &Dir, named: &ContractFolders) -> Vec<String> {
    let path = dir.config(AuthorId::Runner);
    let Ok((_, config)) = actor::config::read::<runner::Config>(&path) else {
        return Vec::new();
    };
    let lacks = |what: &str, name: &dyn std::fmt::Display, table: &str| {
        format!(
            "the runner has no {what} `{name}`, so every call of a file tool or program fails: add it to `[service.{table}]` of {}",
            path.display()
        )
    };
    let workspace = named.workspace.iter();
    let workspace = workspace.filter(|name| !config.workspaces.contains_key(*name));
    let read = named.read.iter();
    let read = read.filter(|name| !config.folders.contains_key(*name));
    workspace
        .map(|name| lacks("workspace", name, "workspaces"))
        .chain(read.map(|name| lacks("folder", name, "folders")))
        .collect()
}
