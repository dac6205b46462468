//! `file.search`: the lines of a folder's text files that contain a text or match a regular expression.

use std::sync::atomic::{AtomicBool, Ordering};

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use crate::file_error::FileError;
use crate::file_messages::{LeftOut, LeftOutReason, ListArgs};
use crate::listing::{HARD_LINKS, LEFT_OUT_MAX, LINK, SPECIAL, note};
use crate::path::WorkspacePath;
use crate::workspace::Workspace;

/// Largest file that is searched, in bytes.
const FILE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Most bytes that one search reads.
const READ_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Most lines that one search returns.
const MATCHES_MAX: usize = 1_000;
/// Most bytes of returned lines.
const TEXT_BYTES_MAX: usize = 512 * 1024;
/// Longest pattern, in bytes.
const PATTERN_BYTES_MAX: usize = 1_024;
/// Largest compiled pattern, in bytes.
const REGEX_BYTES_MAX: usize = 1024 * 1024;
/// Most characters that are shown of a line, and of them before the match.
const LINE_CHARS_MAX: usize = 500;
const LEAD_CHARS_MAX: usize = 100;

/// Arguments of `file.search`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SearchArgs {
    /// Folder, `.` for the workspace itself.
    pub path: WorkspacePath,
    /// The text that a line must contain, at most 1,024 bytes.
    pub pattern: String,
    /// True if the pattern is a regular expression (crate `regex`: without look-around and backreferences).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub regex: bool,
    /// True if capital and small letters are the same.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ignore_case: bool,
    /// The files: a pattern of contracts on the path relative to `path`, as in `file.list`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub glob: Option<String>,
}

/// Output of `file.search`.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// The lines, by path and number; at most 1,000 lines and 512 KiB.
    pub matches: Vec<FoundLine>,
    /// Everything that was not searched, as in a listing.
    pub left_out: Vec<LeftOut>,
    /// One sentence for people: how much was left out, by reason.
    pub note: String,
}

/// One line with the pattern.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundLine {
    /// The file, relative to the workspace.
    pub path: WorkspacePath,
    /// The line's number, from 1.
    pub line: usize,
    /// The line; of a longer one 500 characters with the beginning of the match.
    pub text: String,
}

impl Workspace {
    /// Searches the text files of a folder, line by line. Links, special files and files with several hard links are
    /// left out, as in a listing, and so is what is no text or too large.
    ///
    /// # Errors
    /// As [`Workspace::list`]; the pattern is empty, too long, has a line end or is no regular expression.
    /// [`FileError::Late`] once `late` is true.
    pub fn search(&self, args: &SearchArgs, late: &AtomicBool) -> Result<Found, FileError> {
        let wanted = wanted(args)?;
        let listing = self.list(&ListArgs {
            path: args.path.clone(),
            pattern: args.glob.clone(),
        })?;
        let mut search = Search {
            workspace: self,
            wanted,
            late,
            left: READ_BYTES_MAX,
            text_left: TEXT_BYTES_MAX,
            matches: Vec::new(),
            left_out: listing.left_out,
        };
        for file in &listing.files {
            if !search.file(&file.path)? {
                break;
            }
        }
        Ok(search.end())
    }
}

/// Compiles the pattern.
fn wanted(args: &SearchArgs) -> Result<Regex, FileError> {
    let unfit = |problem: &str, fix| FileError::Unfit {
        path: args.path.to_string(),
        problem: format!("was not searched, because the pattern {problem}"),
        fix,
    };
    if args.pattern.is_empty() {
        return Err(unfit("is empty", "name a text"));
    }
    if args.pattern.contains(['\n', '\0']) {
        return Err(unfit(
            "has a line end or U+0000",
            "search for a part of one line",
        ));
    }
    if args.pattern.len() > PATTERN_BYTES_MAX {
        return Err(FileError::TooLarge {
            what: "the pattern",
            max: PATTERN_BYTES_MAX,
        });
    }
    let pattern = if args.regex {
        args.pattern.clone()
    } else {
        regex::escape(&args.pattern)
    };
    RegexBuilder::new(&pattern)
        .case_insensitive(args.ignore_case)
        .size_limit(REGEX_BYTES_MAX)
        .build()
        .map_err(|error| FileError::Regex(Box::new(error)))
}

/// A search in progress.
struct Search<'a> {
    workspace: &'a Workspace,
    wanted: Regex,
    late: &'a AtomicBool,
    /// Bytes of files that may still be read.
    left: usize,
    /// Bytes of lines that may still be returned.
    text_left: usize,
    matches: Vec<FoundLine>,
    left_out: Vec<LeftOut>,
}

impl Search<'_> {
    /// Searches one file; returns false if the search ends with it.
    fn file(&mut self, path: &WorkspacePath) -> Result<bool, FileError> {
        let bytes = match self.workspace.bytes(path, FILE_BYTES_MAX) {
            Ok((bytes, _)) => bytes,
            // Removed meanwhile.
            Err(FileError::Missing { .. }) => return Ok(true),
            Err(error) => {
                self.unread(path, &error);
                return Ok(true);
            }
        };
        let Some(left) = self.left.checked_sub(bytes.len()) else {
            let text = format!(
                "neither it nor any file after it was searched; a search reads at most {READ_BYTES_MAX} bytes, so search \
                 a folder inside or use `glob`"
            );
            self.leave_out(path, LeftOutReason::NotSearched, &text);
            return Ok(false);
        };
        self.left = left;
        let text = std::str::from_utf8(&bytes).ok();
        let Some(text) = text.filter(|text| !text.contains('\0')) else {
            self.leave_out(path, LeftOutReason::NotText, "it is no text in UTF-8");
            return Ok(true);
        };
        for (number, line) in (1..).zip(text.lines()) {
            if self.late.load(Ordering::Relaxed) {
                return Err(FileError::Late);
            }
            let Some(found) = self.wanted.find(line) else {
                continue;
            };
            let text = shown(line, found.start());
            let text_left = self.text_left.checked_sub(text.len());
            let Some(text_left) = text_left.filter(|_| self.matches.len() < MATCHES_MAX) else {
                let text = format!(
                    "neither its line {number} nor anything after it is in the result; a search returns at most \
                     {MATCHES_MAX} lines and {TEXT_BYTES_MAX} bytes, so search a folder inside, or for more"
                );
                self.leave_out(path, LeftOutReason::NotSearched, &text);
                return Ok(false);
            };
            self.text_left = text_left;
            self.matches.push(FoundLine {
                path: path.clone(),
                line: number,
                text,
            });
        }
        Ok(true)
    }

    /// Notes a file that cannot be read, or is not what it was in the listing.
    fn unread(&mut self, path: &WorkspacePath, error: &FileError) {
        let (reason, text) = match error {
            FileError::TooLarge { max, .. } => (
                LeftOutReason::TooLarge,
                format!("it is larger than {max} bytes; use a tool for large files"),
            ),
            FileError::Escapes { .. } => (LeftOutReason::Link, LINK.to_owned()),
            FileError::HardLinked { .. } => (LeftOutReason::HardLinks, HARD_LINKS.to_owned()),
            FileError::NotRegular { .. } => (LeftOutReason::Special, SPECIAL.to_owned()),
            FileError::Args(_)
            | FileError::Pattern { .. }
            | FileError::Lost(_)
            | FileError::Path(_)
            | FileError::Missing { .. }
            | FileError::Io { .. }
            | FileError::Exists { .. }
            | FileError::Changed { .. }
            | FileError::Unfit { .. }
            | FileError::Regex(_)
            | FileError::Late => (
                LeftOutReason::Unreadable,
                format!("it cannot be read ({})", actor::chain(error)),
            ),
        };
        self.leave_out(path, reason, &text);
    }

    fn leave_out(&mut self, path: &WorkspacePath, reason: LeftOutReason, text: &str) {
        self.left_out.push(LeftOut {
            path: path.to_string(),
            reason,
            text: format!("{path}: {text}"),
        });
    }

    fn end(mut self) -> Found {
        let note = note(&self.left_out, 0);
        // The end of the search is the most important entry, and the last.
        let ended = self
            .left_out
            .pop_if(|last| last.reason == LeftOutReason::NotSearched);
        self.left_out.truncate(LEFT_OUT_MAX);
        self.left_out.extend(ended);
        self.left_out.sort_by(|a, b| a.path.cmp(&b.path));
        Found {
            matches: self.matches,
            left_out: self.left_out,
            note,
        }
    }
}

/// Returns a line, or the part of a long one with the beginning of the match at byte `at`.
fn shown(line: &str, at: usize) -> String {
    if line.chars().count() <= LINE_CHARS_MAX {
        return line.to_owned();
    }
    let before = line.get(..at).unwrap_or_default().chars().count();
    let skipped = before.saturating_sub(LEAD_CHARS_MAX);
    line.chars().skip(skipped).take(LINE_CHARS_MAX).collect()
}
