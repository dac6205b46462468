//! `text.diff` and `file.patch`: the unified difference of two texts, and its exact application to one file.

use diffy::{DiffOptions, Line, Patch};
use serde::{Deserialize, Serialize};

use crate::file_error::FileError;
use crate::file_messages::{WriteArgs, Written};
use crate::path::WorkspacePath;
use crate::workspace::{FILE_BYTES_MAX, Workspace};

/// Most lines of a text that is compared: the time grows with their square.
const LINES_MAX: usize = 10_000;

/// Arguments of `text.diff`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiffArgs {
    /// The old text.
    pub path: WorkspacePath,
    /// The new text.
    pub to: WorkspacePath,
}

/// Output of `text.diff`.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diffed {
    /// The difference in unified form, with three lines of context; empty if the texts are equal.
    pub diff: String,
    /// Lines that only the new text has.
    pub added: usize,
    /// Lines that only the old text has.
    pub removed: usize,
}

/// Arguments of `file.patch`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PatchArgs {
    /// The file.
    pub path: WorkspacePath,
    /// The difference in unified form. Its line numbers and every line that it keeps or removes must be those of the file.
    pub diff: String,
}

impl Workspace {
    /// Compares two texts of at most 1 MiB and 10,000 lines.
    ///
    /// # Errors
    /// As [`Workspace::read`]; no text, or too many lines.
    pub fn diff(&self, args: &DiffArgs) -> Result<Diffed, FileError> {
        self.is_in_place()?;
        let (old, _) = self.text(&args.path)?;
        let (new, _) = self.text(&args.to)?;
        for (path, text) in [(&args.path, &old), (&args.to, &new)] {
            let lines = text.lines().count();
            if lines > LINES_MAX {
                return Err(FileError::unfit(
                    path,
                    format!("has {lines} lines, more than {LINES_MAX}"),
                    "compare shorter texts",
                ));
            }
        }
        if old == new {
            return Ok(Diffed {
                diff: String::new(),
                added: 0,
                removed: 0,
            });
        }
        let mut options = DiffOptions::new();
        options
            .set_original_filename(args.path.to_string())
            .set_modified_filename(args.to.to_string());
        let patch = options.create_patch(&old, &new);
        let (mut added, mut removed) = (0, 0);
        for line in patch.hunks().iter().flat_map(|hunk| hunk.lines()) {
            match line {
                Line::Context(_) => {}
                Line::Insert(_) => added += 1,
                Line::Delete(_) => removed += 1,
            }
        }
        Ok(Diffed {
            diff: patch.to_string(),
            added,
            removed,
        })
    }

    /// Changes a text as a unified difference says, and replaces the file as [`Workspace::write`] does. Every line that
    /// the difference keeps or removes must stand in the file at exactly the line that it says; nothing is searched for.
    ///
    /// # Errors
    /// As [`Workspace::read`] and [`Workspace::write`]; the difference is none, is about another file, or does not fit
    /// the file; the file was changed meanwhile. Nothing is written then.
    pub fn patch(&self, args: &PatchArgs) -> Result<Written, FileError> {
        let PatchArgs { path, diff } = args;
        if diff.len() > FILE_BYTES_MAX {
            return Err(FileError::TooLarge {
                what: "the difference",
                max: FILE_BYTES_MAX,
            });
        }
        let unfit = |problem: String, fix| FileError::unfit(path, problem, fix);
        let patch = Patch::from_str(diff).map_err(|error| {
            let fix = "write a unified difference, as `text.diff` does";
            unfit(format!("was not changed ({error})"), fix)
        })?;
        if patch.hunks().is_empty() {
            let fix = "write a unified difference, as `text.diff` does";
            return Err(unfit(
                "was not changed, because the difference has no `@@`".to_owned(),
                fix,
            ));
        }
        if patch.original().is_some_and(|named| !names(named, path)) {
            let fix =
                "write `--- ` and the path of the file, or leave out the lines `---` and `+++`";
            let problem = "was not changed, because the difference is about another file";
            return Err(unfit(problem.to_owned(), fix));
        }
        self.is_in_place()?;
        let (text, read) = self.text(path)?;
        let new = applied(&text, &patch).map_err(|line| {
            let fix = "read the file again and write the difference for it, with its line numbers";
            let problem =
                format!("was not changed, because the difference does not fit it at line {line}");
            unfit(problem, fix)
        })?;
        let write = WriteArgs {
            path: path.clone(),
            text: new,
        };
        self.replace(&write, Some(&read))
    }
}

/// Returns true if the name in a line `---` is the path, perhaps with git's `a/` before it.
fn names(named: &str, path: &WorkspacePath) -> bool {
    named == path.as_str() || named.strip_prefix("a/") == Some(path.as_str())
}

/// Applies a patch at exactly the lines that it says; the error is the line of the old text that does not fit.
///
/// diffy's own `apply` would also take another place with the same lines.
fn applied(text: &str, patch: &Patch<'_, str>) -> Result<String, usize> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let (mut new, mut next) = (String::with_capacity(text.len()), 0_usize);
    // Only the last line of a text may have no end.
    let mut push = |part: &str, line: usize| {
        if !new.is_empty() && !new.ends_with('\n') {
            return Err(line);
        }
        new.push_str(part);
        Ok(())
    };
    for hunk in patch.hunks() {
        let range = hunk.old_range();
        // A hunk that only adds names the line before it.
        let start = if range.is_empty() {
            range.start()
        } else {
            range.start().checked_sub(1).ok_or(0_usize)?
        };
        let kept = lines.get(next..start).ok_or(range.start())?;
        for part in kept {
            push(part, range.start())?;
        }
        next = start;
        for line in hunk.lines() {
            let (is_old, is_new, part) = match *line {
                Line::Context(part) => (true, true, part),
                Line::Delete(part) => (true, false, part),
                Line::Insert(part) => (false, true, part),
            };
            if is_old {
                if lines.get(next) != Some(&part) {
                    return Err(next + 1);
                }
                next += 1;
            }
            if is_new {
                push(part, next + 1)?;
            }
        }
    }
    for part in lines.get(next..).unwrap_or_default() {
        push(part, next + 1)?;
    }
    Ok(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patched(text: &str, diff: &str) -> Result<String, usize> {
        applied(text, &Patch::from_str(diff).unwrap())
    }

    #[test]
    fn hunks_apply_at_their_lines_and_nowhere_else() {
        let text = "x\ny\nx\nz\n";
        // diffy's own `apply` removes the first line here.
        assert_eq!(patched(text, "@@ -3,1 +2,0 @@\n-x\n").unwrap(), "x\ny\nz\n");
        assert_eq!(patched(text, "@@ -2,1 +1,0 @@\n-x\n"), Err(2));
        assert_eq!(patched(text, "@@ -9,1 +8,0 @@\n-x\n"), Err(9));
        assert_eq!(patched(text, "@@ -0,1 +0,0 @@\n-x\n"), Err(0));
        assert_eq!(
            patched(text, "@@ -0,0 +1 @@\n+new\n").unwrap(),
            "new\nx\ny\nx\nz\n"
        );
        assert_eq!(
            patched(text, "@@ -4,0 +5 @@\n+new\n").unwrap(),
            "x\ny\nx\nz\nnew\n"
        );
        assert_eq!(patched(text, "@@ -5,0 +6 @@\n+new\n"), Err(5));
        assert_eq!(patched("", "@@ -0,0 +1 @@\n+new\n").unwrap(), "new\n");
        assert_eq!(patched("a\n", "@@ -1 +0,0 @@\n-a\n").unwrap(), "");
    }

    #[test]
    fn only_the_last_line_has_no_end() {
        let diff = "@@ -1 +1 @@\n-a\n+b\n\\ No newline at end of file\n";
        assert_eq!(patched("a\n", diff).unwrap(), "b");
        assert_eq!(patched("a\nc\n", diff), Err(2));
        let diff = "@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+b\n";
        assert_eq!(patched("a", diff).unwrap(), "b\n");
        assert_eq!(patched("a\n", diff), Err(1));
    }

    #[test]
    fn differences_lead_from_one_text_to_the_other() {
        let texts = [
            "",
            "a\n",
            "a",
            "a\nb\nc\n",
            "c\nb\na\n",
            "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\nl\n",
            "a\nB\nc\nd\ne\nf\ng\nh\ni\nj\nK\nl",
            "a\r\nb\r\n",
            "\n\n\n",
        ];
        for old in texts {
            for new in texts.into_iter().filter(|new| *new != old) {
                let diff = DiffOptions::new().create_patch(old, new).to_string();
                assert_eq!(patched(old, &diff).as_deref(), Ok(new), "{diff}");
            }
        }
    }
}
