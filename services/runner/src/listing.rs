//! Lists the files of a workspace, and everything that a listing leaves out.

use std::ffi::CStr;
use std::os::fd::OwnedFd;

use contract::{PathGlob, is_plain_name};
use diagnostic::escaped;
use rustix::fs::{AtFlags, Dir, FileType, statat};
use rustix::io::Errno;

use crate::file_error::{self, FileError, regular};
use crate::file_messages::{LeftOut, LeftOutReason, ListArgs, ListedFile, Listing};
use crate::path::WorkspacePath;
use crate::workspace::Workspace;

/// Largest number of files in one listing.
const LIST_FILES_MAX: usize = 10_000;
/// Largest number of directory entries read for one listing.
const LIST_ENTRIES_MAX: usize = 100_000;
/// Largest number of entries that a listing names as left out.
pub(crate) const LEFT_OUT_MAX: usize = 1_000;

impl Workspace {
    /// Lists the regular files beneath a directory that match the pattern, and what it left out: links, files with
    /// several hard links, special files, names that no contract can permit, paths that are too long, what cannot be
    /// read, and what is beyond a bound. What cannot match the pattern is not left out but not asked for.
    ///
    /// # Errors
    /// The directory cannot be read or reached without a link, or the pattern is none.
    pub fn list(&self, args: &ListArgs) -> Result<Listing, FileError> {
        self.is_in_place()?;
        let mut walk = Walk {
            workspace: self,
            asked: args,
            selected: Selected::of(args)?,
            seen: 0,
            open: vec![args.path.clone()],
            files: Vec::new(),
            left_out: Vec::new(),
        };
        while let Some(folder) = walk.open.pop() {
            if walk.seen > LIST_ENTRIES_MAX {
                let text = format!(
                    "not read; a listing reads at most {LIST_ENTRIES_MAX} entries, so list this folder by itself"
                );
                walk.leave_out(folder.as_str(), LeftOutReason::TooMany, &text);
                continue;
            }
            walk.folder(&folder)?;
        }
        Ok(walk.end())
    }
}

/// A listing in progress.
struct Walk<'a> {
    workspace: &'a Workspace,
    asked: &'a ListArgs,
    selected: Selected,
    /// Directory entries read.
    seen: usize,
    /// Folders to read.
    open: Vec<WorkspacePath>,
    files: Vec<ListedFile>,
    left_out: Vec<LeftOut>,
}

impl Walk<'_> {
    /// Reads one folder. Only an error of the folder that was asked for ends the listing.
    fn folder(&mut self, folder: &WorkspacePath) -> Result<(), FileError> {
        let opened = self.workspace.directory(folder.as_str());
        let fd = match opened {
            Ok(fd) => fd,
            Err(error) if *folder == self.asked.path => return Err(error),
            // Removed meanwhile.
            Err(FileError::Missing { .. }) => return Ok(()),
            Err(FileError::Escapes { .. }) => {
                self.leave_out(folder.as_str(), LeftOutReason::Link, LINK);
                return Ok(());
            }
            Err(error) => {
                self.unreadable(folder.as_str(), &error);
                return Ok(());
            }
        };
        let entries = match Dir::read_from(&fd) {
            Ok(entries) => entries,
            Err(errno) if *folder == self.asked.path => {
                return Err(file_error::io(folder.as_str(), errno));
            }
            Err(errno) => {
                self.unreadable(folder.as_str(), &errno);
                return Ok(());
            }
        };
        for entry in entries {
            match entry {
                Ok(entry) if matches!(entry.file_name().to_bytes(), b"." | b"..") => {}
                Ok(entry) => {
                    self.seen += 1;
                    if self.seen > LIST_ENTRIES_MAX {
                        let text = format!(
                            "not all of it was read; a listing reads at most {LIST_ENTRIES_MAX} entries, so list the \
                             folders inside one by one"
                        );
                        self.leave_out(folder.as_str(), LeftOutReason::TooMany, &text);
                        break;
                    }
                    self.entry(folder, &fd, entry.file_name());
                }
                Err(errno) => {
                    self.unreadable(folder.as_str(), &errno);
                    break;
                }
            }
        }
        Ok(())
    }

    fn entry(&mut self, folder: &WorkspacePath, fd: &OwnedFd, name: &CStr) {
        let text = name.to_string_lossy();
        let path = below(folder, &text);
        let stat = match statat(fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            // Removed meanwhile.
            Err(Errno::NOENT) => return,
            Err(errno) => {
                if self.selected.may_hold(self.inside(&path)) {
                    self.unreadable(&shown(folder, name), &errno);
                }
                return;
            }
        };
        let kind = FileType::from_raw_mode(stat.st_mode);
        let wanted = match kind {
            FileType::Directory => self.selected.is_above(self.inside(&path)),
            // A link may lead to a folder.
            FileType::Symlink => self.selected.may_hold(self.inside(&path)),
            FileType::RegularFile
            | FileType::Fifo
            | FileType::Socket
            | FileType::CharacterDevice
            | FileType::BlockDevice
            | FileType::Unknown => self.selected.has(self.inside(&path)),
        };
        if !wanted {
            return;
        }
        let is_plain = name.to_str().is_ok_and(is_plain_name);
        let left_out = match (WorkspacePath::try_from(path), kind) {
            (_, FileType::Symlink) => (LeftOutReason::Link, LINK),
            _ if !is_plain => (LeftOutReason::OddName, ODD_NAME),
            _ if folder.is_root() && self.workspace.hides(&text) => {
                (LeftOutReason::OddName, HIDDEN)
            }
            (Err(_), _) => (LeftOutReason::LongPath, LONG_PATH),
            (Ok(path), FileType::Directory) => {
                self.open.push(path);
                return;
            }
            (Ok(path), _) => match regular(path.as_str(), &stat) {
                Ok(()) => {
                    let bytes = u64::try_from(stat.st_size).unwrap_or(0);
                    self.files.push(ListedFile { path, bytes });
                    return;
                }
                Err(FileError::HardLinked { .. }) => (LeftOutReason::HardLinks, HARD_LINKS),
                Err(_) => (LeftOutReason::Special, SPECIAL),
            },
        };
        self.leave_out(&shown(folder, name), left_out.0, left_out.1);
    }

    /// Returns the part of a path that the pattern is about.
    fn inside<'p>(&self, path: &'p str) -> &'p str {
        if self.asked.path.is_root() {
            return path;
        }
        path.get(self.asked.path.as_str().len() + 1..)
            .unwrap_or_default()
    }

    fn unreadable(&mut self, path: &str, error: &dyn std::error::Error) {
        let text = format!(
            "it cannot be read ({}); give the runner the right to read it",
            error.source().unwrap_or(error)
        );
        self.leave_out(path, LeftOutReason::Unreadable, &text);
    }

    fn leave_out(&mut self, path: &str, reason: LeftOutReason, text: &str) {
        self.left_out.push(LeftOut {
            path: path.to_owned(),
            reason,
            text: format!("{path}: {text}"),
        });
    }

    fn end(mut self) -> Listing {
        self.files.sort_by(|a, b| a.path.cmp(&b.path));
        let more = self.files.len().saturating_sub(LIST_FILES_MAX);
        self.files.truncate(LIST_FILES_MAX);
        self.left_out.sort_by(|a, b| a.path.cmp(&b.path));
        let note = note(&self.left_out, more);
        let unnamed = self.left_out.len().saturating_sub(LEFT_OUT_MAX);
        self.left_out.truncate(LEFT_OUT_MAX);
        let folder = self.asked.path.as_str();
        if unnamed > 0 {
            let text = format!("{unnamed} more entries were left out, for reasons as above");
            self.leave_out(folder, LeftOutReason::TooMany, &text);
        }
        if more > 0 {
            let text = format!(
                "{more} more of its files; at most {LIST_FILES_MAX} are listed, so list a folder inside or use a pattern"
            );
            self.leave_out(folder, LeftOutReason::TooMany, &text);
        }
        Listing {
            files: self.files,
            left_out: self.left_out,
            note,
        }
    }
}

pub(crate) const LINK: &str = "a symbolic link; links are not followed";
pub(crate) const HARD_LINKS: &str = "it has several hard links; copy it to a file of its own";
pub(crate) const SPECIAL: &str = "not a regular file";
const ODD_NAME: &str = "its name has a backslash, an invisible character or bytes that are not UTF-8, so no contract can permit it; rename it";
const HIDDEN: &str = "at the top of the workspace, a name that begins with `@` is that of a folder that is only read; rename it";
const LONG_PATH: &str = "its path is longer than 1024 bytes; move it up";

/// The paths that a listing is asked for.
struct Selected(Option<PathGlob>);

impl Selected {
    fn of(args: &ListArgs) -> Result<Self, FileError> {
        let pattern = args.pattern.as_deref();
        let glob = pattern.map(PathGlob::new).transpose();
        glob.map(Self).map_err(|source| FileError::Pattern {
            pattern: pattern.unwrap_or_default().to_owned(),
            source,
        })
    }

    /// Returns true if it selects a file of this path.
    fn has(&self, path: &str) -> bool {
        self.0.as_ref().is_none_or(|glob| glob.fits(path))
    }

    /// Returns true if it may select files below this path.
    fn is_above(&self, path: &str) -> bool {
        self.0.as_ref().is_none_or(|glob| glob.is_above(path))
    }

    fn may_hold(&self, path: &str) -> bool {
        self.has(path) || self.is_above(path)
    }
}

fn below(folder: &WorkspacePath, name: &str) -> String {
    if folder.is_root() {
        name.to_owned()
    } else {
        format!("{folder}/{name}")
    }
}

/// Returns a path with its last name escaped: it is one line, and unlike the path of every other name.
fn shown(folder: &WorkspacePath, name: &CStr) -> String {
    let mut text = String::new();
    for chunk in name.to_bytes().utf8_chunks() {
        text.push_str(&escaped(&chunk.valid().replace('\\', "\\\\")).replace('\t', "\\t"));
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    below(folder, &text)
}

/// Returns one sentence: how much was left out, by reason.
pub(crate) fn note(left_out: &[LeftOut], more: usize) -> String {
    let mut parts = Vec::new();
    let reasons = [
        (LeftOutReason::Link, "link", "links"),
        (
            LeftOutReason::HardLinks,
            "file with several hard links",
            "files with several hard links",
        ),
        (LeftOutReason::Special, "special file", "special files"),
        (LeftOutReason::OddName, "odd name", "odd names"),
        (LeftOutReason::LongPath, "long path", "long paths"),
        (
            LeftOutReason::Unreadable,
            "unreadable entry",
            "unreadable entries",
        ),
        (
            LeftOutReason::TooMany,
            "folder beyond the bound of entries",
            "folders beyond the bound of entries",
        ),
        (
            LeftOutReason::NotText,
            "file that is no text",
            "files that are no text",
        ),
        (
            LeftOutReason::TooLarge,
            "file that is too large",
            "files that are too large",
        ),
        (
            LeftOutReason::NotSearched,
            "place where the search ended",
            "places where the search ended",
        ),
    ];
    for (reason, one, many) in reasons {
        let count = left_out.iter().filter(|entry| entry.reason == reason);
        match count.count() {
            0 => {}
            1 => parts.push(format!("1 {one}")),
            count => parts.push(format!("{count} {many}")),
        }
    }
    if more > 0 {
        parts.push(format!("{more} files beyond the bound of a listing"));
    }
    match left_out.len() + more {
        0 => "nothing was left out".to_owned(),
        1 => format!("1 entry was left out: {}", parts.join(", ")),
        count => format!("{count} entries were left out: {}", parts.join(", ")),
    }
}
