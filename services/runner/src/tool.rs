//! Defines the catalogue's `exec` tools and turns named arguments into an argv.
//!
//! # Files
//! The entry names its program by a path without links, and has the SHA-256 of each file that a call executes or passes:
//! the program, the interpreter of its first line, and each file that a fixed argument names by an absolute path. They
//! are digested again at every call, and what was digested is executed.
//!
//! # Paths
//! An argument of kind `path`, `paths` or `folder` names files and folders of the workspace. A program with such an argument sees
//! these and no other part of the workspace; one without sees all of it. Links are not followed to them, and a link in
//! such a folder leads no further than to what the program may use anyway.
//!
//! # Options
//! A value never becomes an option by accident. A value that starts with `-` (a negative integer too) is
//! refused unless the template has a literal `--` before it or gives it a prefix (`--name=`). Use a prefix
//! for a program that does not support `--`. No shell splits, expands or reads a value; a program that
//! interprets its operands (awk and `name=value`) is bounded by the cage.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::args_error::{ARGV_BYTES_MAX, ArgsError, LIST_MAX};
use crate::digest_cache::DIGESTS;
use crate::executable::{Digests, Executable, Named, PinError, located};
use crate::given_path::given;
use crate::limits;
use crate::path::WorkspacePath;
use crate::read_folder::{self, FolderError};
use crate::wire::{KeptOut, Limits, PathArg, Place, Signed, Word};
use crate::workspace::Workspace;

/// Largest number of template entries.
pub(crate) const TEMPLATE_MAX: usize = 256;

/// One entry of an argv template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Arg {
    /// Used unchanged.
    Literal(String),
    /// Replaced by the argument of that name.
    Value {
        /// Name of the argument.
        name: String,
        /// Its type.
        kind: Kind,
        /// Put directly before the value, or before each element of a list.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        prefix: String,
        /// True if the program may write what a path names; a missing file is then created.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        write: bool,
    },
}

/// Type of an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One string.
    Text,
    /// One integer of 64 bits.
    Integer,
    /// A list of 0 to 1,000 strings, each of which becomes an argument.
    List,
    /// One file or folder of the workspace, by its relative path.
    Path,
    /// A list of 0 to 1,000 of them.
    Paths,
    /// One folder of the workspace, by its relative path; with `write`, a missing one is made.
    Folder,
}

impl Kind {
    /// Returns true if the values are paths of the workspace.
    const fn is_path(self) -> bool {
        match self {
            Self::Path | Self::Paths | Self::Folder => true,
            Self::Text | Self::Integer | Self::List => false,
        }
    }
}

/// An `exec` tool as written in the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExecToolEntry {
    /// The absolute path without links; before [`ExecToolEntry::pinned`] also a bare name of [`crate::SYSTEM_PATH`].
    pub program: PathBuf,
    /// The program's own name, which some programs read; its path if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub argv0: Option<String>,
    /// The SHA-256 of each file that a call executes or passes, by absolute path.
    #[serde(default)]
    pub sha256: BTreeMap<PathBuf, String>,
    /// Arguments after the program's own name.
    pub argv: Vec<Arg>,
    /// True if the program may write: the paths of arguments with `write`, or the workspace if no argument is a path.
    pub writable: bool,
    /// Folders outside of the workspace, by absolute path, that the program may read with everything beneath.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub folders: Vec<PathBuf>,
    /// Bounds of a call.
    pub limits: Limits,
}

/// An `exec` tool that has been checked: its files have the digests of the entry, and its bounds are in range.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "ExecToolEntry", into = "ExecToolEntry")]
pub struct ExecTool {
    entry: ExecToolEntry,
    is_launcher: bool,
}

/// Filled arguments.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Filled {
    pub(crate) argv: Vec<Word>,
    /// The part of the workspace that the program sees; all of it if `None`.
    pub(crate) paths: Option<Vec<PathArg>>,
}

/// The reason for refusing a catalogue entry.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ToolError {
    /// A file of the program is missing or may not be used.
    #[error("{0}")]
    File(#[from] PinError),
    /// A digest is missing or differs, or the program's path has a link.
    #[error(
        "{problem}. If these are the files to run, put `{lines}` into its `exec` (`contractual tool pin` does that), and \
         sign it with `contractual tool add`"
    )]
    Pin {
        /// The difference.
        problem: PinError,
        /// The fields of the entry that describe the present files.
        lines: String,
    },
    /// `write` at an argument that is no path, at a tool that is not writable, or nowhere.
    #[error(
        "`writable` and `write` differ; a writable tool with paths has `\"write\": true` at those that the program may \
         change, and no other tool has it"
    )]
    Write,
    /// A folder that the program may read.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Template too long, or NUL in it.
    #[error("the argv template is not usable; keep it under {TEMPLATE_MAX} entries without NUL")]
    Template,
    /// One name with two types.
    #[error("the argument `{name}` has two types; give it one")]
    Kinds {
        /// The name.
        name: String,
    },
    /// A limit outside its range.
    #[error("the limit {limit} is out of range; choose {min} to {max}")]
    Limit {
        /// Its name.
        limit: &'static str,
        /// Least.
        min: u64,
        /// Most.
        max: u64,
    },
}

impl ExecTool {
    /// Returns the launcher as a tool, which the cage executes without a digest: it is the running program.
    pub(crate) fn launcher(argument: &str, limits: Limits) -> Self {
        Self {
            entry: ExecToolEntry {
                program: PathBuf::new(),
                argv0: None,
                sha256: BTreeMap::new(),
                argv: vec![Arg::Literal(argument.to_owned())],
                writable: false,
                folders: Vec::new(),
                limits,
            },
            is_launcher: true,
        }
    }

    /// The program's absolute path.
    pub fn program(&self) -> &Path {
        &self.entry.program
    }

    /// Returns true if the program may write.
    pub fn writable(&self) -> bool {
        self.entry.writable
    }

    /// Folders outside of the workspace that the program may read.
    pub(crate) fn folders(&self) -> &[PathBuf] {
        &self.entry.folders
    }

    /// Bounds of a call.
    pub fn limits(&self) -> Limits {
        self.entry.limits
    }

    /// Returns the same tool with wall clock and output reduced to these bounds.
    #[must_use]
    pub fn within(&self, wall_ms: u64, output_bytes_max: usize) -> Self {
        let mut tool = self.clone();
        let limits = &mut tool.entry.limits;
        limits.wall_ms = limits.wall_ms.min(wall_ms).max(1);
        limits.output_bytes_max = limits.output_bytes_max.min(output_bytes_max);
        tool
    }

    /// Returns the program with its digests; `None` for the launcher.
    pub(crate) fn signed(&self) -> Option<Signed> {
        (!self.is_launcher).then(|| Signed {
            program: self.entry.program.clone(),
            argv0: self.entry.argv0.clone(),
            sha256: self.entry.sha256.clone(),
            known: DIGESTS.known(self.entry.sha256.values()),
        })
    }

    /// Checks that no file of the program lies in a folder that tools can write, and that it may read its folders.
    pub(crate) fn keep_out(&self, kept_out: &KeptOut) -> Result<(), ToolError> {
        self.entry.open(&kept_out.written)?;
        let mut folders = self.entry.folders.iter();
        Ok(folders.try_for_each(|path| read_folder::open(path, kept_out).map(drop))?)
    }

    /// Fills the template. Every name needs a value and every value a name.
    ///
    /// # Errors
    /// The first argument that does not fit.
    pub fn argv(&self, args: &Value) -> Result<Vec<String>, ArgsError> {
        let words = self.fill(args, None)?.argv.into_iter();
        Ok(words.map(Word::into_text).collect())
    }

    /// Does the same for a workspace, and collects the paths.
    pub(crate) fn fill(
        &self,
        args: &Value,
        workspace: Option<&Workspace>,
    ) -> Result<Filled, ArgsError> {
        let args = args.as_object().ok_or(ArgsError::NotObject)?;
        let kinds = kinds(&self.entry.argv).map_err(|_| ArgsError::NotObject)?;
        if let Some(name) = args.keys().find(|name| !kinds.contains_key(name.as_str())) {
            return Err(ArgsError::Unknown { name: name.clone() });
        }
        let (mut argv, mut paths) = (Vec::new(), Vec::new());
        let (mut operands_only, mut bytes) = (false, 0_usize);
        for arg in &self.entry.argv {
            match arg {
                Arg::Literal(text) => {
                    operands_only |= text == "--";
                    bytes += text.len() + 1;
                    argv.push(Word::Fixed(text.clone()));
                }
                Arg::Value {
                    name,
                    kind,
                    prefix,
                    write,
                } => {
                    let missing = || ArgsError::Missing { name: name.clone() };
                    for mut value in values(name, *kind, args.get(name).ok_or_else(missing)?)? {
                        if value.contains('\0') {
                            return Err(ArgsError::Nul { name: name.clone() });
                        }
                        if value.starts_with('-') && prefix.is_empty() && !operands_only {
                            return Err(ArgsError::Option { name: name.clone() });
                        }
                        if kind.is_path() {
                            let (path, word) = path((name, *kind, *write), value, workspace)?;
                            paths.push(path);
                            value = word;
                        }
                        bytes += prefix.len() + value.len() + 1;
                        argv.push(Word::Given(format!("{prefix}{value}")));
                    }
                }
            }
        }
        if bytes > ARGV_BYTES_MAX {
            return Err(ArgsError::TooLarge);
        }
        let paths = kinds.values().any(|kind| kind.is_path()).then_some(paths);
        Ok(Filled { argv, paths })
    }
}

impl ExecToolEntry {
    /// Returns the entry with the program's path without links, and the digests of all files as they are now.
    ///
    /// # Errors
    /// A file cannot be found, read or pinned.
    pub fn pinned(mut self) -> Result<Self, PinError> {
        (self.program, self.argv0) = located(&self.program, self.argv0)?;
        self.sha256 = self.open(&[])?.into_digests();
        Ok(self)
    }

    /// Checks everything but the files: the template, its types, what may be written, and the limits.
    ///
    /// # Errors
    /// The first problem.
    pub fn is_in_range(&self) -> Result<(), ToolError> {
        let texts = self.argv.iter().map(|arg| match arg {
            Arg::Literal(text) => text,
            Arg::Value { prefix, .. } => prefix,
        });
        let names = texts.chain(&self.argv0);
        if self.argv.len() > TEMPLATE_MAX || names.into_iter().any(|text| text.contains('\0')) {
            return Err(ToolError::Template);
        }
        kinds(&self.argv)?;
        read_folder::are_plain(&self.folders)?;
        let (mut path, mut writes, mut wrong) = (false, false, false);
        for arg in &self.argv {
            if let Arg::Value { kind, write, .. } = arg {
                path |= kind.is_path();
                writes |= *write;
                wrong |= *write && !kind.is_path();
            }
        }
        if wrong || writes != (path && self.writable) {
            return Err(ToolError::Write);
        }
        match limits::out_of_range(&self.limits) {
            Some((limit, min, max)) => Err(ToolError::Limit { limit, min, max }),
            None => Ok(()),
        }
    }

    /// Opens and digests all files.
    fn open(&self, kept_out: &[Place]) -> Result<Executable, PinError> {
        let literals = self.argv.iter().filter_map(|arg| match arg {
            Arg::Literal(text) => Some(Word::Fixed(text.clone())),
            Arg::Value { .. } => None,
        });
        Executable::open(&Named {
            program: &self.program,
            argv0: self.argv0.as_deref(),
            argv: &literals.collect::<Vec<_>>(),
            digests: &DIGESTS,
            packages: &[],
            kept_out,
        })
    }

    /// Compares the files with the digests. The error has the fields that describe the present files.
    fn check(&self) -> Result<(), ToolError> {
        let Err(problem) = self.open(&[]).and_then(|files| files.check(&self.sha256)) else {
            return Ok(());
        };
        match self.clone().pinned() {
            Ok(pinned) => {
                let lines = pinned.lines();
                Err(ToolError::Pin { problem, lines })
            }
            Err(_) => Err(problem.into()),
        }
    }

    /// Formats the fields that name the files.
    fn lines(&self) -> String {
        let program = json!(self.program);
        let sha256: &Digests = &self.sha256;
        let argv0 = self.argv0.as_ref().map_or_else(String::new, |argv0| {
            format!("\"argv0\": {}, ", json!(argv0))
        });
        format!(
            "\"program\": {program}, {argv0}\"sha256\": {}",
            json!(sha256)
        )
    }
}

impl TryFrom<ExecToolEntry> for ExecTool {
    type Error = ToolError;

    fn try_from(entry: ExecToolEntry) -> Result<Self, ToolError> {
        entry.is_in_range()?;
        entry.check()?;
        Ok(Self {
            entry,
            is_launcher: false,
        })
    }
}

impl From<ExecTool> for ExecToolEntry {
    fn from(tool: ExecTool) -> Self {
        tool.entry
    }
}

fn kinds(argv: &[Arg]) -> Result<BTreeMap<&str, Kind>, ToolError> {
    let mut kinds = BTreeMap::new();
    for arg in argv {
        if let Arg::Value { name, kind, .. } = arg
            && kinds
                .insert(name.as_str(), *kind)
                .is_some_and(|other| other != *kind)
        {
            return Err(ToolError::Kinds { name: name.clone() });
        }
    }
    Ok(kinds)
}

fn values(name: &str, kind: Kind, value: &Value) -> Result<Vec<String>, ArgsError> {
    let wrong = || ArgsError::Type {
        name: name.to_owned(),
    };
    let text = |value: &Value| value.as_str().map(str::to_owned).ok_or_else(wrong);
    match kind {
        Kind::Text | Kind::Path | Kind::Folder => Ok(vec![text(value)?]),
        Kind::Integer => Ok(vec![value.as_i64().ok_or_else(wrong)?.to_string()]),
        Kind::List | Kind::Paths => {
            let elements = value.as_array().ok_or_else(wrong)?;
            if elements.len() > LIST_MAX {
                return Err(ArgsError::TooLarge);
            }
            elements.iter().map(text).collect()
        }
    }
}

fn path(
    (name, kind, write): (&str, Kind, bool),
    value: String,
    workspace: Option<&Workspace>,
) -> Result<(PathArg, String), ArgsError> {
    let is_folder = kind == Kind::Folder;
    let path = WorkspacePath::try_from(value);
    let given = path.and_then(|path| given(path, is_folder, write, workspace));
    given.map_err(|source| ArgsError::Path {
        name: name.to_owned(),
        source,
    })
}
