//! Parses `workspace` and `folders`: where the calls of a contract act.

use bus_schema::{ContractFolders, FolderName};

use super::listed::Listed;
use super::source::{Node, Source, Table};

const FOLDERS: Listed = Listed {
    key: "folders",
    one: "folder",
    max: 16,
    fewer: "name the folder above them",
};
/// Maximum length of a name, in characters.
const NAME_CHARS_MAX: usize = 64;
const NAMES: &str = "use lower-case letters, digits, `-` and `_`, at most 64, as the runner's configuration names the folder";

/// Reads both keys. The name of the first workspace means the same as no name.
pub(super) fn read<'t>(source: &mut Source<'t>, of: &Table<'t>) -> Option<ContractFolders> {
    let workspace = match of.table.get("workspace") {
        Some(node) => name(source, node, "`workspace`").map(Some),
        None => Some(None),
    };
    let read = FOLDERS.read(source, of, |source, item| name(source, item, "`folders`"));
    Some(ContractFolders {
        workspace: workspace?.filter(|name| name.as_str() != ContractFolders::MAIN),
        read: read?,
    })
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
