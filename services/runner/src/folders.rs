//! Holds the folders of the configuration open, and selects those in which the calls of a contract act.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bus_schema::{ContractFolders, FolderName};

use crate::held::{Held, Lost};
use crate::landlock_rules::SYSTEM_FOLDERS;
use crate::wire::Place;
use crate::workspace::{ReadFolders, Workspace};

/// Largest number of further workspaces, and of folders that are only read.
const FOLDERS_MAX: usize = 16;

/// The workspaces, and the folders that are only read.
#[derive(Debug)]
pub struct Folders {
    main: Workspace,
    workspaces: BTreeMap<FolderName, Workspace>,
    read: ReadFolders,
}

/// The reason that the folders of the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FoldersError {
    /// More than 16 of a kind.
    #[error("`{0}` has more than {FOLDERS_MAX} entries; remove some")]
    TooMany(&'static str),
    /// The name of the first workspace.
    #[error("`workspaces` names `main`, which is the folder of `workspace`; choose another name")]
    Main,
    /// A workspace and a folder that is only read.
    #[error(
        "`{0}` is the name of a workspace and of a folder that is only read; rename one of them"
    )]
    Twice(FolderName),
    /// It cannot be opened.
    #[error("cannot use the folder {}", path.display())]
    Unusable {
        /// The path.
        path: PathBuf,
        /// The kernel's error.
        #[source]
        source: std::io::Error,
    },
    /// Programs see it anyway.
    #[error("the folder {} is in {system}, which every program may read; choose another", path.display())]
    System {
        /// The path.
        path: PathBuf,
        /// The system folder.
        system: &'static str,
    },
    /// One of the two is the other one or lies in it.
    #[error("the folder {} overlaps with {}; choose folders apart from each other and from the runner's own", path.display(), other.display())]
    Overlap {
        /// The path.
        path: PathBuf,
        /// The other folder.
        other: PathBuf,
    },
}

/// The reason that a contract's calls cannot act: the configuration lacks a folder that it names.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum AbsentFolder {
    /// Its workspace.
    #[error(
        "its contract acts in the workspace `{0}`, which the runner does not have; add it to `[service.workspaces]` of the \
         runner's configuration, or name another in the contract"
    )]
    Workspace(FolderName),
    /// A folder that it may read.
    #[error(
        "its contract may read the folder `{0}`, which the runner does not have; add it to `[service.folders]` of the \
         runner's configuration, or leave it out of the contract"
    )]
    Read(FolderName),
}

impl From<Workspace> for Folders {
    /// Makes the folders of a configuration with one workspace.
    fn from(main: Workspace) -> Self {
        Self {
            main,
            workspaces: BTreeMap::new(),
            read: ReadFolders::new(),
        }
    }
}

impl Folders {
    /// Opens the main workspace, the others, and the folders that are only read, and checks that they are apart from
    /// each other. No workspace holds a folder of `own`, and no read folder overlaps with one.
    ///
    /// # Errors
    /// See [`FoldersError`].
    pub fn open(
        main: &Path,
        workspaces: &BTreeMap<FolderName, PathBuf>,
        read: &BTreeMap<FolderName, PathBuf>,
        own: &[PathBuf],
    ) -> Result<Self, FoldersError> {
        for (kind, count) in [("workspaces", workspaces.len()), ("folders", read.len())] {
            if count > FOLDERS_MAX {
                return Err(FoldersError::TooMany(kind));
            }
        }
        if workspaces
            .keys()
            .any(|name| name.as_str() == ContractFolders::MAIN)
        {
            return Err(FoldersError::Main);
        }
        if let Some(name) = read.keys().find(|name| workspaces.contains_key(*name)) {
            return Err(FoldersError::Twice(name.clone()));
        }
        let workspace = |path: &Path| Workspace::open(path).map_err(unusable(path));
        let each = workspaces.iter();
        let each = each.map(|(name, path)| Ok((name.clone(), workspace(path)?)));
        let reads = read.iter().map(|(name, path)| {
            let held = Held::open(path, "folder").map_err(unusable(path))?;
            Ok((name.to_string(), Arc::new(held)))
        });
        let folders = Self {
            main: workspace(main)?,
            workspaces: each.collect::<Result<_, _>>()?,
            read: reads.collect::<Result<_, _>>()?,
        };
        folders.are_apart(own)?;
        Ok(folders)
    }

    /// Returns the workspace of a contract, with the folders that it may read.
    ///
    /// # Errors
    /// The configuration lacks one of them.
    pub fn of(&self, named: &ContractFolders) -> Result<Workspace, AbsentFolder> {
        let workspace = match &named.workspace {
            None => &self.main,
            Some(name) => {
                let found = self.workspaces.get(name);
                found.ok_or_else(|| AbsentFolder::Workspace(name.clone()))?
            }
        };
        let read = named.read.iter().map(|name| {
            let held = self.read.get(name.as_str());
            let held = held.ok_or_else(|| AbsentFolder::Read(name.clone()))?;
            Ok((name.to_string(), Arc::clone(held)))
        });
        Ok(workspace.reading(read.collect::<Result<_, _>>()?))
    }

    /// Checks that the path of each folder still leads to the folder that was opened.
    ///
    /// # Errors
    /// The loss of the first that is not in place, and the repair.
    pub fn are_in_place(&self) -> Result<(), Lost> {
        let mut workspaces = [&self.main].into_iter().chain(self.workspaces.values());
        workspaces.try_for_each(Workspace::is_in_place)?;
        self.read.values().try_for_each(|held| held.check())
    }

    /// Returns the paths of the folders that tools can write.
    pub(crate) fn written(&self) -> Vec<PathBuf> {
        let workspaces = [&self.main].into_iter().chain(self.workspaces.values());
        workspaces.map(|workspace| workspace.place().path).collect()
    }

    fn are_apart(&self, own: &[PathBuf]) -> Result<(), FoldersError> {
        let own = own.iter();
        let own = own.map(|path| Place::at(path).map_err(unusable(path)));
        let own: Vec<Place> = own.collect::<Result<_, _>>()?;
        let workspaces = [&self.main].into_iter().chain(self.workspaces.values());
        let written: Vec<Place> = workspaces.map(Workspace::place).collect();
        let read: Vec<Place> = self.read.values().map(|held| held.place()).collect();
        for place in written.iter().chain(&read) {
            let mut system = SYSTEM_FOLDERS.into_iter();
            if let Some(system) = system.find(|system| place.path.starts_with(system)) {
                let path = place.path.clone();
                return Err(FoldersError::System { path, system });
            }
        }
        let each: Vec<&Place> = written.iter().chain(&read).collect();
        for (at, place) in each.iter().enumerate() {
            let mut later = each.iter().skip(at + 1);
            if let Some(other) = later.find(|other| overlap(place, other)) {
                return Err(overlaps(place, other));
            }
        }
        for place in &own {
            // The configuration may be beside a workspace, and a workspace in its folder.
            if let Some(holder) = written.iter().find(|written| holds(written, place)) {
                return Err(overlaps(holder, place));
            }
            if let Some(read) = read.iter().find(|read| overlap(read, place)) {
                return Err(overlaps(read, place));
            }
        }
        Ok(())
    }
}

/// Returns true if the folder is the other one, also by another path, or the other one lies in it.
fn holds(folder: &Place, other: &Place) -> bool {
    let is_same = (folder.dev, folder.ino) == (other.dev, other.ino);
    is_same || other.path.starts_with(&folder.path)
}

fn overlap(one: &Place, other: &Place) -> bool {
    holds(one, other) || holds(other, one)
}

fn overlaps(place: &Place, other: &Place) -> FoldersError {
    FoldersError::Overlap {
        path: place.path.clone(),
        other: other.path.clone(),
    }
}

fn unusable(path: &Path) -> impl Fn(std::io::Error) -> FoldersError {
    move |source| FoldersError::Unusable {
        path: path.to_owned(),
        source,
    }
}
