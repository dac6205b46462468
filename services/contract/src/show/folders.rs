//! Describes the folders in which the calls of a contract act.

use bus_schema::ContractFolders;

use super::words::joined;

/// A description of one part; `None` for the default.
type Said = fn(&ContractFolders) -> Option<String>;

/// The parts by the name of their check.
pub(crate) const CHECKS: [(&str, Said); 2] = [("workspace", workspace), ("folders", read)];

/// Describes both parts, one sentence each.
pub(crate) fn sentences(folders: &ContractFolders) -> Vec<String> {
    let said = CHECKS.iter().filter_map(|(_, said)| said(folders));
    said.map(|said| format!("{said}.")).collect()
}

fn workspace(folders: &ContractFolders) -> Option<String> {
    let name = folders.workspace.as_ref()?;
    Some(format!(
        "Its file tools and programs act in the workspace `{name}`, and in no other"
    ))
}

fn read(folders: &ContractFolders) -> Option<String> {
    let names: Vec<String> = folders
        .read
        .iter()
        .map(|name| format!("`@{name}`"))
        .collect();
    let (folder, paths) = match names.len() {
        0 => return None,
        1 => ("the folder", "paths that begin with it"),
        _ => ("the folders", "paths that begin with one of them"),
    };
    Some(format!(
        "Its file tools and programs may also read {folder} {}, by {paths}, and cannot change anything there",
        joined(names, "and")
    ))
}
