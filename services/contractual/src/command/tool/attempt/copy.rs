//! Copies the files of a folder within bounds, and finds what changed in the copy.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use serde::Serialize;

use crate::Error;

/// Most files and folders of a copy.
const ENTRIES_MAX: usize = 10_000;
/// Most bytes of a copy.
const BYTES_MAX: u64 = 64 << 20;

/// A made copy.
#[derive(Debug, Default)]
pub(super) struct Copied {
    /// Links, files with several names, fifos, sockets and devices, which no tool can use.
    pub(super) left_out: usize,
}

/// Copies the files and folders of `from` into the empty folder `to`.
///
/// # Errors
/// [`Error::Document`] if they are more than a trial copies, and the error of a file that cannot be read or written.
pub(super) fn copy(from: &Path, to: &Path) -> Result<Copied, Error> {
    let mut copied = Copied::default();
    let (mut entries, mut bytes) = (0_usize, 0_u64);
    let mut open = vec![(from.to_owned(), to.to_owned())];
    while let Some((from, to)) = open.pop() {
        for entry in fs::read_dir(&from).map_err(Error::io("read", &from))? {
            let entry = entry.map_err(Error::io("read", &from))?;
            let (source, target) = (entry.path(), to.join(entry.file_name()));
            let about = entry.metadata().map_err(Error::io("read", &source))?;
            let is_plain = about.is_file() && about.nlink() == 1;
            if !about.is_dir() && !is_plain {
                copied.left_out += 1;
                continue;
            }
            entries += 1;
            bytes = bytes.saturating_add(if is_plain { about.len() } else { 0 });
            if entries > ENTRIES_MAX || bytes > BYTES_MAX {
                return Err(Error::Document(format!(
                    "{} holds more than the {ENTRIES_MAX} files and folders or the {} MiB that a trial copies; name a smaller \
                     folder, or copy some files into one",
                    from.display(),
                    BYTES_MAX >> 20
                )));
            }
            if is_plain {
                one(&source, &target, about.len()).map_err(Error::io("copy", &source))?;
            } else {
                fs::create_dir(&target).map_err(Error::io("create", &target))?;
                open.push((source, target));
            }
        }
    }
    Ok(copied)
}

/// Copies a file of that length with its mode.
fn one(from: &Path, to: &Path, bytes: u64) -> io::Result<()> {
    let source = File::open(from)?;
    let permissions = source.metadata()?.permissions();
    let mut target = File::create_new(to)?;
    io::copy(&mut source.take(bytes), &mut target)?;
    target.set_permissions(permissions)
}

/// The identity of one version of a file; no program can set the time of its last change.
#[derive(Debug, PartialEq, Eq)]
struct Version {
    bytes: u64,
    inode: u64,
    changed: (i64, i64),
}

/// The files below a folder.
#[derive(Debug)]
pub(super) struct Files(BTreeMap<PathBuf, Version>);

/// The difference between two looks at a folder.
#[derive(Debug, Default, Serialize)]
pub(super) struct FileChanges {
    pub(super) created: Vec<ChangedFile>,
    pub(super) changed: Vec<ChangedFile>,
    pub(super) removed: Vec<ChangedFile>,
}

/// A file that a tool wrote or removed.
#[derive(Debug, Serialize)]
pub(super) struct ChangedFile {
    pub(super) path: String,
    /// The size that it has, or had.
    pub(super) bytes: u64,
}

impl Files {
    /// Looks at everything below a folder but the folders themselves.
    ///
    /// # Errors
    /// A folder cannot be read.
    pub(super) fn of(folder: &Path) -> Result<Self, Error> {
        let mut files = BTreeMap::new();
        let mut open = vec![folder.to_owned()];
        while let Some(inner) = open.pop() {
            for entry in fs::read_dir(&inner).map_err(Error::io("read", &inner))? {
                let entry = entry.map_err(Error::io("read", &inner))?;
                let path = entry.path();
                let about = entry.metadata().map_err(Error::io("read", &path))?;
                if about.is_dir() {
                    open.push(path);
                    continue;
                }
                let version = Version {
                    bytes: about.len(),
                    inode: about.ino(),
                    changed: (about.ctime(), about.ctime_nsec()),
                };
                let name = path.strip_prefix(folder).unwrap_or(&path);
                files.insert(name.to_owned(), version);
            }
        }
        Ok(Self(files))
    }

    /// Returns what the later look finds changed.
    pub(super) fn changes(&self, later: &Self) -> FileChanges {
        let mut changes = FileChanges::default();
        for (path, version) in &later.0 {
            match self.0.get(path) {
                None => changes.created.push(ChangedFile::of(path, version)),
                Some(before) if before != version => {
                    changes.changed.push(ChangedFile::of(path, version));
                }
                Some(_) => {}
            }
        }
        let gone = self
            .0
            .iter()
            .filter(|(path, _)| !later.0.contains_key(*path));
        changes
            .removed
            .extend(gone.map(|(path, version)| ChangedFile::of(path, version)));
        changes
    }
}

impl ChangedFile {
    fn of(path: &Path, version: &Version) -> Self {
        Self {
            path: path.to_string_lossy().into_owned(),
            bytes: version.bytes,
        }
    }
}
