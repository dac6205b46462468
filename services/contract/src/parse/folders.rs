//! Parses `workspace` and `folders`: where the calls of a contract act.

use bus_schema::{ContractFolders, FolderName};

use super::source::{Node, Source, Table};

/// Maximum number of folders that a contract may read.
const FOLDERS_MAX: usize = 16;
/// Maximum length of a name, in characters.
const NAME_CHARS_MAX: usize = 64;
const NAMES: &str = "use lower-case letters, digits, `-` and `_`, at most 64, as the runner's configuration names the folder";

/// Reads both keys. The name of the first workspace means the same as no name.
pub(super) fn read<'t>(source: &mut Source<'t>, of: &Table<'t>) -> Option<ContractFolders> {
    let workspace = match of.table.get("workspace") {
        Some(node) => name(source, node, "`workspace`").map(Some),
        None => Some(None),
    };
    let read = match of.table.get("folders") {
        Some(node) => folders(source, node),
        None => Some(Vec::new()),
    };
    Some(ContractFolders {
        workspace: workspace?.filter(|name| name.as_str() != ContractFolders::MAIN),
        read: read?,
    })
}

fn folders<'t>(source: &mut Source<'t>, node: &'t Node<'t>) -> Option<Vec<FolderName>> {
    if node
        .get_ref()
        .as_array()
        .is_some_and(|items| items.is_empty())
    {
        let fix = "name a folder, or leave `folders` out";
        source.report(node.span(), "`folders` is empty".to_owned(), fix);
        return None;
    }
    let items = source.items(node, "`folders`")?;
    if items.len() > FOLDERS_MAX {
        let problem = format!("the contract names more than {FOLDERS_MAX} folders");
        source.report(node.span(), problem, "name the folder above them");
        return None;
    }
    let mut read: Vec<FolderName> = Vec::new();
    for item in items {
        let name = name(source, item, "`folders`")?;
        if read.contains(&name) {
            let problem = format!("the folder `{name}` is there twice");
            source.report(item.span(), problem, "leave it out");
            return None;
        }
        read.push(name);
    }
    read.sort();
    Some(read)
}

fn name(source: &mut Source<'_>, node: &Node<'_>, what: &str) -> Option<FolderName> {
    let text = source.text(node, what, NAME_CHARS_MAX)?;
    let name = text.parse().ok();
    if name.is_none() {
        source.report(
            node.span(),
            format!("{text:?} is no name of a folder"),
            NAMES,
        );
    }
    name
}
