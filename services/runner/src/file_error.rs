//! Says why a file tool failed, and what to do instead.

use contract::PathGlobError;
use diagnostic::{escaped, is_hidden};
use rustix::fs::{FileType, Stat};
use rustix::io::Errno;

use crate::held::Lost;
use crate::path::{PathError, WorkspacePath};

/// The reason that a file tool failed without an effect.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The arguments do not decode.
    #[error("the arguments do not fit the tool; compare them with its schema")]
    Args(#[source] serde_json::Error),
    /// Arguments, text, file, pattern or listing over its bound.
    #[error("{what} is larger than {max}; ask for less")]
    TooLarge {
        /// The part that is too large.
        what: &'static str,
        /// The bound.
        max: usize,
    },
    /// The pattern of paths is none of contracts.
    #[error("the pattern `{}` cannot be used; {}", escaped(pattern), advice(pattern, *source))]
    Pattern {
        /// The pattern.
        pattern: String,
        /// The rule it breaks.
        source: PathGlobError,
    },
    /// The workspace is not the one that was opened.
    #[error(transparent)]
    Lost(#[from] Lost),
    /// `.` where a file is needed.
    #[error("the path cannot be used here; name a file inside the workspace")]
    Path(#[source] PathError),
    /// Resolution met a symbolic link, a magic link, or left the workspace.
    #[error("`{path}` leads through a link or out of the workspace; name the file directly")]
    Escapes {
        /// The path asked for.
        path: String,
    },
    /// A directory, device, fifo, socket or link.
    #[error("`{path}` is not a regular file; name a regular file")]
    NotRegular {
        /// The path asked for.
        path: String,
    },
    /// More than one hard link.
    #[error("`{path}` has {links} hard links; copy it to a file of its own")]
    HardLinked {
        /// The path asked for.
        path: String,
        /// Links counted.
        links: u64,
    },
    /// Nothing there.
    #[error("`{path}` does not exist; list the folder to find the right name")]
    Missing {
        /// The path asked for.
        path: String,
    },
    /// Any other error of the kernel.
    #[error("`{path}` could not be used; see the cause")]
    Io {
        /// The path asked for.
        path: String,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// A file stands where none may be replaced.
    #[error("`{path}` exists; name another path, or set `overwrite`")]
    Exists {
        /// The path asked for.
        path: String,
    },
    /// A file was exchanged or changed while the tool worked with it.
    #[error("`{path}` was changed meanwhile; read it again and repeat the call")]
    Changed {
        /// The path asked for.
        path: String,
    },
    /// The file, or what is asked of it, does not fit the tool.
    #[error("`{path}` {problem}; {fix}")]
    Unfit {
        /// The path asked for.
        path: String,
        /// Predicate of the sentence about the path.
        problem: String,
        /// The next step.
        fix: &'static str,
    },
    /// The text to search for is no regular expression, or one that is too large.
    #[error(
        "the pattern is no regular expression; correct it, or leave out `regex` to search for the text itself"
    )]
    Regex(#[source] Box<regex::Error>),
    /// The call's time is over.
    #[error("it was stopped because its time was over; ask for less")]
    Late,
}

impl FileError {
    /// Makes [`FileError::Unfit`].
    pub(crate) fn unfit(
        path: &WorkspacePath,
        problem: impl Into<String>,
        fix: &'static str,
    ) -> Self {
        Self::Unfit {
            path: path.to_string(),
            problem: problem.into(),
            fix,
        }
    }
}

/// Checks that a file is a regular one with a single name.
pub(crate) fn regular(path: &str, stat: &Stat) -> Result<(), FileError> {
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(FileError::NotRegular {
            path: path.to_owned(),
        });
    }
    #[cfg_attr(
        target_arch = "x86_64",
        expect(
            clippy::useless_conversion,
            reason = "the link count has another width elsewhere"
        )
    )]
    let links = u64::from(stat.st_nlink);
    if links == 1 {
        Ok(())
    } else {
        Err(FileError::HardLinked {
            path: path.to_owned(),
            links,
        })
    }
}

/// Returns the error for an answer of the kernel about `path`.
pub(crate) fn io(path: &str, errno: Errno) -> FileError {
    let path = path.to_owned();
    match errno {
        Errno::NOENT | Errno::NOTDIR => FileError::Missing { path },
        Errno::LOOP | Errno::XDEV => FileError::Escapes { path },
        Errno::ISDIR | Errno::NXIO | Errno::NODEV => FileError::NotRegular { path },
        _ => FileError::Io {
            path,
            source: errno.into(),
        },
    }
}

/// Returns the sentence that says how to write a pattern instead.
fn advice(pattern: &str, error: PathGlobError) -> &'static str {
    match error {
        PathGlobError::TooLong => "shorten it to 1024 bytes",
        PathGlobError::Absolute => {
            "leave out the first `/`: it starts at the folder that is listed"
        }
        PathGlobError::Joined => {
            "write `**/*.txt` for the texts of all folders: `**` is a name of its own"
        }
        PathGlobError::Unsupported if pattern.contains(['{', '[']) => {
            "list once for each of `*.txt` and `*.md`, or write `*` for any characters"
        }
        PathGlobError::Unsupported => "write `*` for any characters of a name",
        PathGlobError::NotNormal if pattern.is_empty() => {
            "leave it out, or write `**`, to list everything"
        }
        PathGlobError::NotNormal if pattern.chars().any(is_hidden) => {
            "write `*` for the invisible character"
        }
        PathGlobError::NotNormal if pattern.ends_with('/') => {
            "write `docs/**` for everything below `docs`"
        }
        PathGlobError::NotNormal => {
            "write it without `.`, `..` and empty names, such as `docs/*.md`"
        }
    }
}
