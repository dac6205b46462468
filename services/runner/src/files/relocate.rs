//! `file.move` and `file.trash`: give a file another path of the workspace; its content is not read.

use rustix::fs::{AtFlags, RenameFlags, Stat, fsync, renameat_with, statat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::file_error::{FileError, io, regular};
use crate::file_messages::PathArgs;
use crate::path::WorkspacePath;
use crate::workspace::{Workspace, random_name};

/// The folder of the workspace into which `file.trash` moves.
pub const TRASH: &str = ".trash";

/// Arguments of `file.move`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MoveArgs {
    /// The file.
    pub path: WorkspacePath,
    /// Its new path; missing folders are created.
    pub to: WorkspacePath,
    /// True if a regular file that stands there may be replaced.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub overwrite: bool,
}

/// Output of `file.move` and `file.trash`.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// The path where the file was.
    pub path: WorkspacePath,
    /// The path where it is.
    pub to: WorkspacePath,
}

impl Workspace {
    /// Moves a regular file with one name. Nothing is replaced unless `overwrite` says so, and then only such a file.
    ///
    /// # Errors
    /// Missing, linked or special, an existing target, or a path that cannot be reached without a link.
    pub fn relocate(&self, args: &MoveArgs) -> Result<Moved, FileError> {
        let MoveArgs {
            path,
            to,
            overwrite,
        } = args;
        self.is_in_place()?;
        if path == to {
            return Err(FileError::unfit(
                path,
                "is there already",
                "name another path in `to`",
            ));
        }
        let (from, name) = self.parent_of(path, false)?;
        let before = status(path, &from, name)?;
        regular(path.as_str(), &before)?;
        let (into, new_name) = self.parent_of(to, true)?;
        let flags = if *overwrite {
            match status(to, &into, new_name) {
                Ok(old) => regular(to.as_str(), &old)?,
                Err(FileError::Missing { .. }) => {}
                Err(error) => return Err(error),
            }
            RenameFlags::empty()
        } else {
            RenameFlags::NOREPLACE
        };
        renameat_with(&from, name, &into, new_name, flags).map_err(|errno| match errno {
            Errno::EXIST => FileError::Exists {
                path: to.to_string(),
            },
            // Another mount in the workspace.
            Errno::XDEV => FileError::Io {
                path: to.to_string(),
                source: errno.into(),
            },
            errno => io(path.as_str(), errno),
        })?;
        let after = status(to, &into, new_name)?;
        if (before.st_dev, before.st_ino) != (after.st_dev, after.st_ino) {
            // Something else came under the name in between: it goes back.
            renameat_with(&into, new_name, &from, name, RenameFlags::NOREPLACE).ok();
            return Err(FileError::Changed {
                path: path.to_string(),
            });
        }
        for folder in [&into, &from] {
            fsync(folder).map_err(|errno| io(path.as_str(), errno))?;
        }
        Ok(Moved {
            path: path.clone(),
            to: to.clone(),
        })
    }

    /// Moves a regular file into a new folder of the trash, below which it keeps its path.
    ///
    /// # Errors
    /// As [`Workspace::relocate`]; it is in the trash already; its path would become too long.
    pub fn trash(&self, args: &PathArgs) -> Result<Moved, FileError> {
        let path = &args.path;
        let unfit = |problem: String, fix| FileError::unfit(path, problem, fix);
        let inside = path.as_str().strip_prefix(TRASH);
        if inside.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
            let fix = "delete it, or move it out with `file.move`";
            return Err(unfit("is in the trash already".to_owned(), fix));
        }
        let name = random_name().map_err(|errno| io(path.as_str(), errno))?;
        let to = WorkspacePath::try_from(format!("{TRASH}/{name}/{path}"));
        let to = to.map_err(|error| {
            let fix = "move it to a shorter path first";
            unfit(format!("cannot be moved into the trash ({error})"), fix)
        })?;
        self.relocate(&MoveArgs {
            path: path.clone(),
            to,
            overwrite: false,
        })
    }
}

/// Returns what stands under a name, which is no path.
fn status(
    path: &WorkspacePath,
    folder: impl std::os::fd::AsFd,
    name: &str,
) -> Result<Stat, FileError> {
    statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).map_err(|errno| io(path.as_str(), errno))
}
