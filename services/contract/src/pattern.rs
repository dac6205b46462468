//! Matches tool names and relative paths against the two kinds of pattern a contract may use.

use std::fmt;

use diagnostic::is_hidden;

/// Longest pattern, in bytes.
pub(crate) const PATTERN_BYTES_MAX: usize = 1024;
/// Longest path that a pattern is tried on, in bytes; Linux accepts no longer one.
pub(crate) const PATH_BYTES_MAX: usize = 4096;

/// A pattern on dotted tool names: `*` stands for any characters of one part, a last part `*` for
/// one or more whole parts. `file.*` takes in `file.read` and `file.text.read`; `*` takes in all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolGlob(String);

impl ToolGlob {
    /// Reads a pattern of letters, digits, `_`, `-`, `.` and `*`; `None` for anything else.
    #[must_use]
    pub fn new(pattern: &str) -> Option<Self> {
        let fits = |c: char| c.is_ascii_alphanumeric() || "_-*".contains(c);
        let part = |part: &str| !part.is_empty() && part.chars().all(fits);
        (pattern.len() <= PATTERN_BYTES_MAX && pattern.split('.').all(part))
            .then(|| Self(pattern.to_owned()))
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the pattern takes in `tool`; upper and lower case differ.
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

/// A pattern on texts: `*` stands for any characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextGlob(String);

impl TextGlob {
    /// Takes any text of 1 to 1024 bytes; only `*` has a meaning in it.
    #[must_use]
    pub fn new(pattern: &str) -> Option<Self> {
        let fits = (1..=PATTERN_BYTES_MAX).contains(&pattern.len());
        fits.then(|| Self(pattern.to_owned()))
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the pattern takes in the whole of `text`; upper and lower case differ.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        one(&self.0, text)
    }
}

/// A pattern on relative paths: `*` stands for any characters of one name, a whole name `**` for
/// any number of names (for at least one at the end of the pattern).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathGlob(String);

/// Why a text is no path pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathGlobError {
    /// Longer than 1024 bytes.
    #[error("the pattern is longer than {PATTERN_BYTES_MAX} bytes; shorten it")]
    TooLong,
    /// Starts with `/`; paths are always relative to the workspace.
    #[error("the pattern is absolute; write it relative to the workspace, without the first `/`")]
    Absolute,
    /// Has an empty name, `.`, `..` or a hidden character.
    #[error("the pattern has an empty name, `.`, `..`, or an invisible character; remove it")]
    NotNormal,
    /// Uses a character that other pattern languages give a meaning.
    #[error(
        "only `*` and `**` have a meaning in a pattern; `? [ ] {{ }} \\` and `!` cannot be used"
    )]
    Unsupported,
    /// Joins `**` with other characters of a name.
    #[error("`**` stands for whole names; write it between slashes, or use `*`")]
    Joined,
}

impl PathGlob {
    /// Reads a pattern.
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

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the pattern takes in `path`; `None` when `path` is not a normalised relative path
    /// (absolute, empty, with an empty name, `.`, `..`, a backslash or an invisible character,
    /// or longer than 4096 bytes), about which no pattern can say anything.
    #[must_use]
    pub fn judge(&self, path: &str) -> Option<bool> {
        if path.len() > PATH_BYTES_MAX || !normal(path) || path.contains('\\') {
            return None;
        }
        let names: Vec<&str> = path.split('/').collect();
        // reached[i]: the pattern read so far takes in the first i names.
        let mut reached = vec![false; names.len() + 1];
        if let Some(start) = reached.first_mut() {
            *start = true;
        }
        let mut wanted = self.0.split('/').peekable();
        while let Some(want) = wanted.next() {
            let last = wanted.peek().is_none();
            reached = advance(&reached, &names, want, last);
        }
        Some(reached.last().copied().unwrap_or_default())
    }
}

/// One step of the match: from the places reached before the pattern name `want` to those after.
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

/// Matches one name against a pattern in which `*` stands for any characters.
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
        // The earliest place is enough: it leaves most for the pieces that follow.
        let Some((_, after)) = name.split_once(piece) else {
            return false;
        };
        name = after;
    }
    name.ends_with(tail)
}

/// Whether every name of a relative path is a plain visible name.
fn normal(path: &str) -> bool {
    path.split('/').all(|name| !matches!(name, "" | "." | "..")) && !path.chars().any(is_hidden)
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
