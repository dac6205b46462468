//! Patterns of a contract on tool names, texts and relative paths.

use std::fmt;

use diagnostic::is_hidden;

/// Maximum length of a pattern, in bytes.
pub(crate) const PATTERN_BYTES_MAX: usize = 1024;
/// Maximum length of a path to match, in bytes; the limit of Linux.
pub(crate) const PATH_BYTES_MAX: usize = 4096;

/// A pattern on dotted tool names: `*` matches any characters of one part, a last part `*` matches
/// one or more whole parts. `file.*` matches `file.read` and `file.text.read`; `*` matches all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolGlob(String);

impl ToolGlob {
    /// Parses a pattern of letters, digits, `_`, `-`, `.` and `*`; `None` if invalid.
    #[must_use]
    pub fn new(pattern: &str) -> Option<Self> {
        let fits = |c: char| c.is_ascii_alphanumeric() || "_-*".contains(c);
        let part = |part: &str| !part.is_empty() && part.chars().all(fits);
        (pattern.len() <= PATTERN_BYTES_MAX && pattern.split('.').all(part))
            .then(|| Self(pattern.to_owned()))
    }

    /// The pattern as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns true if `tool` matches the pattern; case-sensitive.
    #[must_use]
    pub fn matches(&self, tool: &str) -> bool {
        let mut parts = tool.split('.');
        let mut wanted = self.0.split('.').peekable();
        while let Some(want) = wanted.next() {
            let Some(part) = parts.next() else {
                return false;
            };
            if want == "*" && wanted.peek().is_none() {
                return true;
            }
            if !one(want, part) {
                return false;
            }
        }
        parts.next().is_none()
    }
}

/// Returns true if the whole `text` matches the pattern, in which `*` matches any characters; case-sensitive.
pub(crate) fn text_fits(pattern: &str, text: &str) -> bool {
    one(pattern, text)
}

/// A pattern on relative paths: `*` matches any characters of one name, a whole name `**` matches
/// any number of names (at least one at the end of the pattern).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathGlob(String);

/// An error in a path pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathGlobError {
    /// Longer than 1024 bytes.
    #[error("the pattern is longer than {PATTERN_BYTES_MAX} bytes; shorten it")]
    TooLong,
    /// Starts with `/`, but paths are relative to the workspace.
    #[error("the pattern is absolute; write it relative to the workspace, without the first `/`")]
    Absolute,
    /// Has an empty name, `.`, `..` or a hidden character.
    #[error("the pattern has an empty name, `.`, `..`, or an invisible character; remove it")]
    NotNormal,
    /// Uses a special character of other pattern languages.
    #[error(
        "only `*` and `**` have a meaning in a pattern; `? [ ] {{ }} \\` and `!` cannot be used"
    )]
    Unsupported,
    /// Joins `**` with other characters of a name.
    #[error("`**` stands for whole names; write it between slashes, or use `*`")]
    Joined,
}

impl PathGlob {
    /// Parses a pattern.
    ///
    /// # Errors
    /// The first rule it breaks.
    pub fn new(pattern: &str) -> Result<Self, PathGlobError> {
        if pattern.len() > PATTERN_BYTES_MAX {
            return Err(PathGlobError::TooLong);
        }
        if pattern.starts_with('/') {
            return Err(PathGlobError::Absolute);
        }
        if pattern.contains(['?', '[', ']', '{', '}', '\\', '!']) {
            return Err(PathGlobError::Unsupported);
        }
        if !normal(pattern) {
            return Err(PathGlobError::NotNormal);
        }
        if pattern
            .split('/')
            .any(|name| name.contains("**") && name != "**")
        {
            return Err(PathGlobError::Joined);
        }
        Ok(Self(pattern.to_owned()))
    }

    /// The pattern as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns true if `path` matches the pattern; `None` if `path` is not a normalised relative path:
    /// absolute, empty, with an empty name, `.`, `..`, a backslash or an invisible character,
    /// or longer than 4096 bytes.
    #[must_use]
    pub fn judge(&self, path: &str) -> Option<bool> {
        let is_plain = path.len() <= PATH_BYTES_MAX && path.split('/').all(is_plain_name);
        is_plain.then(|| self.fits(path))
    }

    /// Returns true if the names of `path` match the pattern, whatever characters they have.
    ///
    /// For telling which of the files that nothing may use were asked for. No call may be permitted by it.
    #[must_use]
    pub fn fits(&self, path: &str) -> bool {
        self.walk(path).fits
    }

    /// Returns true if a path below `folder` can match the pattern, whatever characters its names have.
    #[must_use]
    pub fn is_above(&self, folder: &str) -> bool {
        self.walk(folder).is_above
    }

    fn walk(&self, path: &str) -> Walked {
        let names: Vec<&str> = path.split('/').collect();
        // reached[i]: the pattern read so far matches the first i names.
        let mut reached = vec![false; names.len() + 1];
        if let Some(start) = reached.first_mut() {
            *start = true;
        }
        let at_end = |reached: &[bool]| reached.last().copied().unwrap_or_default();
        let mut is_above = false;
        let mut wanted = self.0.split('/').peekable();
        while let Some(want) = wanted.next() {
            let last = wanted.peek().is_none();
            // All names are matched, and the pattern wants more.
            is_above |= at_end(&reached);
            reached = advance(&reached, &names, want, last);
            is_above |= want == "**" && at_end(&reached);
        }
        Walked {
            fits: at_end(&reached),
            is_above,
        }
    }
}

/// The relation of a pattern to a path.
struct Walked {
    /// The pattern matches the path.
    fits: bool,
    /// The pattern can match a longer path that starts with it.
    is_above: bool,
}

/// Advances the match by the pattern name `want`.
fn advance(reached: &[bool], names: &[&str], want: &str, last: bool) -> Vec<bool> {
    let mut next = vec![false; reached.len()];
    let mut open = false;
    for (place, here) in reached.iter().enumerate() {
        let name = place.checked_sub(1).and_then(|before| names.get(before));
        let before = place.checked_sub(1).and_then(|before| reached.get(before));
        let came = before.copied().unwrap_or_default();
        let taken = if want == "**" {
            open |= came;
            open || (*here && !last)
        } else {
            came && name.is_some_and(|name| one(want, name))
        };
        if let Some(slot) = next.get_mut(place) {
            *slot = taken;
        }
    }
    next
}

/// Matches one name against a pattern in which `*` matches any characters.
fn one(pattern: &str, name: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(mut name) = name.strip_prefix(head) else {
        return false;
    };
    let mut pieces: Vec<&str> = rest.split('*').collect();
    let tail = pieces.pop().unwrap_or_default();
    for piece in pieces {
        // The earliest place is enough: it leaves the longest rest for the next pieces.
        let Some((_, after)) = name.split_once(piece) else {
            return false;
        };
        name = after;
    }
    name.ends_with(tail)
}

/// Returns true if every name of a pattern is plain and visible.
fn normal(pattern: &str) -> bool {
    pattern.split('/').all(is_plain_name)
}

/// Returns true if a contract can be about a file of this name: it is not empty, `.` or `..`, and has no slash,
/// backslash or invisible character.
#[must_use]
pub fn is_plain_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(['/', '\\']) && !name.chars().any(is_hidden)
}

impl fmt::Display for ToolGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for PathGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
