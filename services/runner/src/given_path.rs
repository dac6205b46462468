//! Hands a path of a call to a program: one of the workspace as it is, one of another folder as the way from the workspace.
//!
//! # Alternatives
//! An absolute path would not fit the prefixes of templates, such as `./` before a path.

use std::path::{Component, Path, PathBuf};

use crate::path::{PathError, WorkspacePath};
use crate::wire::PathArg;
use crate::workspace::Workspace;

/// Returns the path for the cage, and the word for the program, whose current folder is the workspace.
pub(crate) fn given(
    path: WorkspacePath,
    is_folder: bool,
    write: bool,
    workspace: Option<&Workspace>,
) -> Result<(PathArg, String), PathError> {
    let found = match workspace {
        Some(workspace) => workspace.read_folder(path.as_str())?,
        None => None,
    };
    let (beneath, word) = match (found, workspace) {
        (Some((held, rest)), Some(workspace)) => {
            if write {
                return Err(PathError::ReadOnly);
            }
            let place = held.place();
            let mut way = way(&workspace.place().path, &place.path);
            if rest != "." {
                way.push(rest);
            }
            let word = way.into_os_string().into_string();
            let word = word.map_err(|_| PathError::Encoding)?;
            (Some((place, rest.to_owned())), word)
        }
        (Some(_) | None, _) => (None, path.as_str().to_owned()),
    };
    let path = path.into();
    let arg = PathArg {
        path,
        write,
        is_folder,
        beneath,
    };
    Ok((arg, word))
}

/// Returns the relative path from one absolute path without links to another that is apart from it.
fn way(from: &Path, to: &Path) -> PathBuf {
    let shared = from.components().zip(to.components());
    let shared = shared.take_while(|(from, to)| from == to).count();
    let up = from.components().skip(shared).map(|_| Component::ParentDir);
    up.chain(to.components().skip(shared)).collect()
}

#[cfg(test)]
mod tests {
    use super::way;
    use std::path::Path;

    #[test]
    fn the_way_leads_up_to_the_shared_folder_and_down_again() {
        for (from, to, expected) in [
            ("/srv/work", "/srv/reference", "../reference"),
            ("/home/a/work", "/srv/b/c", "../../../srv/b/c"),
            ("/work", "/reference", "../reference"),
            ("/srv/work", "/srv/workshop", "../workshop"),
        ] {
            assert_eq!(way(Path::new(from), Path::new(to)), Path::new(expected));
        }
    }
}
