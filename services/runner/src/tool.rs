//! Defines the catalogue's `exec` tools and turns named arguments into an argv.
//!
//! # Options
//! A value never becomes an option by accident. A value that starts with `-` (a negative integer too) is
//! refused unless the template has a literal `--` before it or gives it a prefix (`--name=`). Use a prefix
//! for a program that does not support `--`. No shell splits, expands or reads a value; a program that
//! interprets its operands (awk and `name=value`) is bounded by the cage.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::wire::Limits;

/// The folders in which bare program names are looked up, and `PATH` inside the cage.
pub const SYSTEM_PATH: &str = "/usr/local/bin:/usr/bin:/bin";
/// Largest number of template entries.
const TEMPLATE_MAX: usize = 256;
/// Largest number of elements of a list value.
const LIST_MAX: usize = 1000;
/// Largest argv, in bytes.
const ARGV_BYTES_MAX: usize = 128 * 1024;
/// Largest output bound, in bytes.
const OUTPUT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Longest wall clock and processor time: one hour.
const TIME_MS_MAX: u64 = 3_600_000;
/// Smallest address space in which a program can start.
const MEMORY_BYTES_MIN: u64 = 16 * 1024 * 1024;
/// Most processes at once.
const PROCESSES_MAX: u64 = 1024;
/// Descriptors: the loader needs a few.
const FILES_OPEN_MIN: u64 = 8;
/// Descriptors: common soft limit.
const FILES_OPEN_MAX: u64 = 1024;

/// Files and folders that a call may add.
const ADDED_FILES_MAX: u64 = 1_000_000;

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
}

/// An `exec` tool as written in the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExecToolEntry {
    /// Absolute, or a bare name to look up in [`SYSTEM_PATH`].
    pub program: PathBuf,
    /// Arguments after the program's own name.
    pub argv: Vec<Arg>,
    /// True if the workspace may be written.
    pub writable: bool,
    /// Bounds of a call.
    pub limits: Limits,
}

/// An `exec` tool that has been checked: its program was found and its bounds are in range.
///
/// Decoding looks the program up; encoding gives the absolute path that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "ExecToolEntry", into = "ExecToolEntry")]
pub struct ExecTool(ExecToolEntry);

/// The reason for refusing a catalogue entry.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ToolError {
    /// Relative with a slash, or not found.
    #[error(
        "the program `{program}` was not found; give an absolute path or install it in {SYSTEM_PATH}"
    )]
    Program {
        /// As written.
        program: String,
    },
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

/// The reason for refusing arguments.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArgsError {
    /// Not a JSON object.
    #[error("the arguments are not a JSON object; send one value per name")]
    NotObject,
    /// No value.
    #[error("the argument `{name}` is missing; send it")]
    Missing {
        /// The name.
        name: String,
    },
    /// A name that the tool does not have.
    #[error("the argument `{name}` is unknown to the tool; leave it out")]
    Unknown {
        /// The name.
        name: String,
    },
    /// Another JSON type than declared.
    #[error("the argument `{name}` has the wrong type; see the tool's schema")]
    Type {
        /// The name.
        name: String,
    },
    /// A NUL character.
    #[error("the argument `{name}` contains a NUL character; remove it")]
    Nul {
        /// The name.
        name: String,
    },
    /// Starts with `-` where the program could take it for an option.
    #[error(
        "the argument `{name}` starts with `-` and could be taken for an option; change the value"
    )]
    Option {
        /// The name.
        name: String,
    },
    /// Too many elements or bytes.
    #[error(
        "the arguments are too large; keep them under {ARGV_BYTES_MAX} bytes and {LIST_MAX} list elements"
    )]
    TooLarge,
}

impl ExecTool {
    /// The program's absolute path.
    pub fn program(&self) -> &Path {
        &self.0.program
    }

    /// Returns true if the workspace may be written.
    pub fn writable(&self) -> bool {
        self.0.writable
    }

    /// Bounds of a call.
    pub fn limits(&self) -> Limits {
        self.0.limits
    }

    /// Returns the same tool with wall clock and output reduced to these bounds.
    #[must_use]
    pub fn within(&self, wall_ms: u64, output_bytes_max: usize) -> Self {
        let mut tool = self.clone();
        let limits = &mut tool.0.limits;
        limits.wall_ms = limits.wall_ms.min(wall_ms).max(1);
        limits.output_bytes_max = limits.output_bytes_max.min(output_bytes_max);
        tool
    }

    /// Fills the template. Every name needs a value and every value a name.
    ///
    /// # Errors
    /// The first argument that does not fit.
    pub fn argv(&self, args: &Value) -> Result<Vec<String>, ArgsError> {
        let args = args.as_object().ok_or(ArgsError::NotObject)?;
        let kinds = kinds(&self.0.argv).map_err(|_| ArgsError::NotObject)?;
        if let Some(name) = args.keys().find(|name| !kinds.contains_key(name.as_str())) {
            return Err(ArgsError::Unknown { name: name.clone() });
        }
        let mut argv = Vec::new();
        let mut operands_only = false;
        for arg in &self.0.argv {
            match arg {
                Arg::Literal(text) => {
                    operands_only |= text == "--";
                    argv.push(text.clone());
                }
                Arg::Value { name, kind, prefix } => {
                    let missing = || ArgsError::Missing { name: name.clone() };
                    for value in values(name, *kind, args.get(name).ok_or_else(missing)?)? {
                        if value.contains('\0') {
                            return Err(ArgsError::Nul { name: name.clone() });
                        }
                        if value.starts_with('-') && prefix.is_empty() && !operands_only {
                            return Err(ArgsError::Option { name: name.clone() });
                        }
                        argv.push(format!("{prefix}{value}"));
                    }
                }
            }
        }
        let bytes: usize = argv.iter().map(|arg| arg.len() + 1).sum();
        if bytes > ARGV_BYTES_MAX {
            Err(ArgsError::TooLarge)
        } else {
            Ok(argv)
        }
    }
}

impl TryFrom<ExecToolEntry> for ExecTool {
    type Error = ToolError;

    fn try_from(mut entry: ExecToolEntry) -> Result<Self, ToolError> {
        let texts = entry.argv.iter().map(|arg| match arg {
            Arg::Literal(text) => text,
            Arg::Value { prefix, .. } => prefix,
        });
        if entry.argv.len() > TEMPLATE_MAX || texts.into_iter().any(|text| text.contains('\0')) {
            return Err(ToolError::Template);
        }
        kinds(&entry.argv)?;
        in_range(&entry.limits)?;
        entry.program = look_up(&entry.program)?;
        Ok(Self(entry))
    }
}

impl From<ExecTool> for ExecToolEntry {
    fn from(tool: ExecTool) -> Self {
        tool.0
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
        Kind::Text => Ok(vec![text(value)?]),
        Kind::Integer => Ok(vec![value.as_i64().ok_or_else(wrong)?.to_string()]),
        Kind::List => {
            let elements = value.as_array().ok_or_else(wrong)?;
            if elements.len() > LIST_MAX {
                return Err(ArgsError::TooLarge);
            }
            elements.iter().map(text).collect()
        }
    }
}

fn look_up(program: &Path) -> Result<PathBuf, ToolError> {
    let not_found = || ToolError::Program {
        program: program.display().to_string(),
    };
    let is_program = |path: &PathBuf| path.is_file() && path.to_str().is_some();
    if program.is_absolute() {
        return Some(program.to_owned())
            .filter(is_program)
            .ok_or_else(not_found);
    }
    if program.components().count() != 1 || program.file_name() != Some(program.as_os_str()) {
        return Err(not_found());
    }
    let mut found = SYSTEM_PATH
        .split(':')
        .map(|folder| Path::new(folder).join(program));
    found.find(is_program).ok_or_else(not_found)
}

fn in_range(limits: &Limits) -> Result<(), ToolError> {
    let output = u64::try_from(limits.output_bytes_max).unwrap_or(u64::MAX);
    let output_max = u64::try_from(OUTPUT_BYTES_MAX).unwrap_or(u64::MAX);
    for (limit, value, min, max) in [
        ("wall_ms", limits.wall_ms, 1, TIME_MS_MAX),
        ("cpu_ms_max", limits.cpu_ms_max, 1, TIME_MS_MAX),
        ("output_bytes_max", output, 0, output_max),
        (
            "memory_bytes_max",
            limits.memory_bytes_max,
            MEMORY_BYTES_MIN,
            u64::MAX / 2,
        ),
        ("processes_max", limits.processes_max, 1, PROCESSES_MAX),
        ("file_bytes_max", limits.file_bytes_max, 0, u64::MAX / 2),
        (
            "files_open_max",
            limits.files_open_max,
            FILES_OPEN_MIN,
            FILES_OPEN_MAX,
        ),
        ("added_bytes_max", limits.added_bytes_max, 0, u64::MAX / 2),
        (
            "added_files_max",
            limits.added_files_max,
            0,
            ADDED_FILES_MAX,
        ),
    ] {
        if !(min..=max).contains(&value) {
            return Err(ToolError::Limit { limit, min, max });
        }
    }
    Ok(())
}
