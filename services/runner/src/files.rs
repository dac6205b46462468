//! Names the built-in file tools and calls them with the arguments of an action.

mod diff;
mod json;
mod relocate;
mod search;
mod table;

use std::sync::atomic::AtomicBool;

use serde::{Serialize, de::DeserializeOwned};

pub use diff::{DiffArgs, Diffed, PatchArgs};
pub use json::{JsonArgs, JsonValues, PointedValue};
pub use relocate::{MoveArgs, Moved, TRASH};
pub use search::{Found, FoundLine, SearchArgs};
pub use table::{Table, TableArgs};

use crate::file_error::FileError;
use crate::workspace::Workspace;

/// Largest encoded arguments, in bytes: 1 MiB of text in which each byte takes six.
const ARGS_BYTES_MAX: usize = 7 * 1024 * 1024;

/// The built-in file tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileTool {
    /// `file.list`
    List,
    /// `file.read`
    Read,
    /// `file.write`
    Write,
    /// `file.delete`
    Delete,
    /// `file.search`
    Search,
    /// `file.move`
    Move,
    /// `file.trash`
    Trash,
    /// `file.patch`
    Patch,
    /// `text.diff`
    Diff,
    /// `json.query`
    Json,
    /// `csv.query`
    Table,
}

impl FileTool {
    /// All file tools, by name.
    pub(crate) const NAMED: [(&'static str, Self); 11] = [
        ("file.list", Self::List),
        ("file.read", Self::Read),
        ("file.write", Self::Write),
        ("file.delete", Self::Delete),
        ("file.search", Self::Search),
        ("file.move", Self::Move),
        ("file.trash", Self::Trash),
        ("file.patch", Self::Patch),
        ("text.diff", Self::Diff),
        ("json.query", Self::Json),
        ("csv.query", Self::Table),
    ];

    /// Returns the tool of that name, if any.
    pub fn named(name: &str) -> Option<Self> {
        let mut all = Self::NAMED.iter();
        all.find(|(own, _)| *own == name).map(|(_, tool)| *tool)
    }

    /// Returns true if it changes the workspace.
    pub(crate) const fn changes(self) -> bool {
        match self {
            Self::List | Self::Read | Self::Search | Self::Diff | Self::Json | Self::Table => false,
            Self::Write | Self::Delete | Self::Move | Self::Trash | Self::Patch => true,
        }
    }

    /// Returns true if it may take disk space; a move only adds folders.
    pub(crate) const fn adds(self) -> bool {
        match self {
            Self::Write | Self::Patch => true,
            Self::List
            | Self::Read
            | Self::Delete
            | Self::Search
            | Self::Move
            | Self::Trash
            | Self::Diff
            | Self::Json
            | Self::Table => false,
        }
    }
}

impl Workspace {
    /// Decodes `args` (canonical JSON), performs `tool` and returns its output bytes.
    ///
    /// # Errors
    /// As the single tools.
    pub fn call(&self, tool: FileTool, args: &[u8]) -> Result<Vec<u8>, FileError> {
        self.call_until(tool, args, &AtomicBool::new(false))
    }

    /// Does the same; a tool that only reads gives up soon after `late` becomes true.
    ///
    /// # Errors
    /// As the single tools, and [`FileError::Late`].
    pub fn call_until(
        &self,
        tool: FileTool,
        args: &[u8],
        late: &AtomicBool,
    ) -> Result<Vec<u8>, FileError> {
        match tool {
            FileTool::List => encode(&self.list(&decode(args)?)?),
            FileTool::Read => self.read(&decode(args)?),
            FileTool::Write => encode(&self.write(&decode(args)?)?),
            FileTool::Delete => encode(&self.delete(&decode(args)?)?),
            FileTool::Search => encode(&self.search(&decode(args)?, late)?),
            FileTool::Move => encode(&self.relocate(&decode(args)?)?),
            FileTool::Trash => encode(&self.trash(&decode(args)?)?),
            FileTool::Patch => encode(&self.patch(&decode(args)?)?),
            FileTool::Diff => encode(&self.diff(&decode(args)?)?),
            FileTool::Json => encode(&self.query_json(&decode(args)?)?),
            FileTool::Table => encode(&self.query_table(&decode(args)?)?),
        }
    }
}

fn decode<T: DeserializeOwned>(args: &[u8]) -> Result<T, FileError> {
    if args.len() > ARGS_BYTES_MAX {
        return Err(FileError::TooLarge {
            what: "the arguments",
            max: ARGS_BYTES_MAX,
        });
    }
    serde_json::from_slice(args).map_err(FileError::Args)
}

fn encode<T: Serialize>(output: &T) -> Result<Vec<u8>, FileError> {
    serde_json::to_vec(output).map_err(FileError::Args)
}
